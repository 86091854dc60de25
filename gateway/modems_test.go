package gateway_test

import (
	"testing"

	"github.com/modemgate/modemgate/gateway"
)

func TestModemsAreMaskedForAllButAdmin(t *testing.T) {
	r := newRig(t, func(o *gateway.Options) {
		o.Plugged = func() []gateway.PluggedModem {
			return []gateway.PluggedModem{{Path: "1-1", IMEI: "001010000000017", ICCID: "8999900000000000014"}}
		}
	}, nil)
	for _, row := range []struct {
		who         gateway.Request
		imei, iccid string
	}{{app, "…0017", "…0014"}, {admin, "001010000000017", "8999900000000000014"}} {
		all, err := r.g.Modems(t.Context(), row.who)
		if err != nil || len(all) != 1 || all[0].Path != "1-1" || all[0].IMEI != row.imei || all[0].ICCID != row.iccid {
			t.Errorf("%s sees %+v, %v", row.who.Caller.Key, all, err)
		}
	}
	if _, err := r.g.Modems(t.Context(), req("shop", gateway.ScopeSend)); code(err) != gateway.ScopeMissing {
		t.Errorf("without the scope: %v", err)
	}
}
