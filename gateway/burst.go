package gateway

import (
	"errors"
	"time"

	"github.com/modemgate/modemgate/driver"
	"github.com/modemgate/modemgate/gateway/store"
)

// follows says whether this line has something to send right after a claim: the
// radio link is then kept (AT+CMMS, 3GPP TS 27.005 §3.5.6). Should another line be
// quicker, the modem closes the link by itself after 1 to 5 s.
func (l *line) follows(tx store.Tx, m *store.Message, part int, now time.Time) (bool, error) {
	switch {
	case l.alone:
		return false, nil
	case part < len(m.Parts):
		return true, nil
	}
	left, _ := l.left(now)
	_, ok, err := tx.NextQueued(l.routes(), now, left...)
	return ok, err
}

// lostLink notes a modem that was lost at AT+CMMS: it may be lost there each time,
// and sends as well without, if not as fast. Only another modem is asked again.
func (l *line) lostLink(sendErr error) {
	var se *driver.SendError
	if l.alone || !errors.As(sendErr, &se) || se.Code != driver.CodeLink {
		return
	}
	l.alone = true
	l.log.Warn("the modem was lost at AT+CMMS: from now on it sends each SMS over a radio link of its own", "err", se.Err)
}
