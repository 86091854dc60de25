package gateway

import "context"

// PluggedModem is a device on USB that is a modem, or could be one, and what is
// known of it. Any text may be "".
type PluggedModem struct {
	Path    string // of the USB socket: "1-1.2"
	ID      string // vendor and product: "12d1:1506"
	Model   string
	Mode    string // modem, storage, network, firmware, adapter, other
	Port    string // node of the port it was asked on
	Line    string // that uses it, or that it is kept for
	IMEI    string // masked unless the caller is admin, as ICCID
	ICCID   string
	Problem string // why it is not used, or not known, and what to do
}

// Modems lists what is plugged in, by path, also what is no line. Needs the
// scope status.
func (g *Gateway) Modems(_ context.Context, r Request) ([]PluggedModem, error) {
	if err := r.Caller.need(ScopeStatus); err != nil {
		return nil, err
	}
	if g.o.Plugged == nil {
		return nil, nil
	}
	all := g.o.Plugged()
	for i := range all {
		if !r.Caller.admin() {
			all[i].IMEI, all[i].ICCID = maskID(all[i].IMEI), maskID(all[i].ICCID)
		}
	}
	return all, nil
}
