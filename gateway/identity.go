package gateway

import (
	"context"
	"fmt"
	"time"

	"github.com/modemgate/modemgate/driver"
)

// swapped refuses a modem that another line had in this run. Names of ports
// move: what leads here now may have been next door before. A restart takes
// the configuration at its word again.
func (l *line) swapped(id driver.Identity) error {
	if id.IMEI == "" || l.o.Port == "" { // a line by IMEI, SIM or socket is checked by what opens it
		return nil
	}
	l.mu.Lock()
	own := l.identity.IMEI
	l.mu.Unlock()
	if own == id.IMEI {
		return nil
	}
	for _, o := range l.g.lines() {
		if o == l || o.o.Simulated {
			continue
		}
		o.mu.Lock()
		theirs, open, given := o.identity.IMEI, o.modem != nil, own == "" && o.gaveTo == l.o.Name
		o.mu.Unlock()
		if theirs == id.IMEI && !open && !given { // open: both have the same, cheap sticks share one
			return l.leadsTo(id.IMEI, o)
		}
	}
	return nil
}

// leadsTo refuses the modem of another line.
func (l *line) leadsTo(imei string, o *line) error {
	return &MismatchError{State: WrongModem, Detail: fmt.Sprintf(
		"%s leads to the modem %s now, which is that of line %s: nothing is sent; list both by imei or usb_path, or restart modemgate if the modems were exchanged on purpose",
		l.o.Port, maskID(imei), o.o.Name)}
}

// sameSIM looks whether the SIM is still the one that the line is for, before
// a text goes to it, unless that was done just now.
func (l *line) sameSIM(ctx context.Context, m Modem) error {
	asker, ok := m.(interface {
		SameSIM(ctx context.Context) error
	})
	if !ok || l.o.SureOfSIM == 0 || time.Since(l.sure) < l.o.SureOfSIM {
		return nil
	}
	if err := asker.SameSIM(ctx); err != nil {
		return &driver.SendError{Fate: driver.NotSent, Class: driver.Temporary, Code: "gone", Err: err}
	}
	l.sure = time.Now()
	return nil
}

// remembered completes what a modem says of its SIM by what the same modem
// said before in this run. One that is still starting may refuse to read the
// SIM; taken for another SIM, its SMS in parts and its reports would fit
// nothing.
func remembered(now, before driver.Identity) driver.Identity {
	same := now.IMEI != "" && now.IMEI == before.IMEI && (now.IMSI == "" || now.IMSI == before.IMSI)
	if same && now.ICCID == "" {
		now.ICCID, now.IMSI = before.ICCID, before.IMSI
	}
	return now
}
