package gateway

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/modemgate/modemgate/driver"
)

// Times of USSD. Networks end a session that waits for a reply after a few
// minutes themselves (3GPP TS 22.090 leaves it to them).
const (
	ussdIdle    = 2 * time.Minute  // an open session without a reply is ended
	ussdWait    = 30 * time.Second // for an answer, when the request names no time
	ussdWaitMax = 60 * time.Second
)

// NewUSSD is one step of a USSD session: exactly one of Code, Reply, Cancel.
type NewUSSD struct {
	Code   string        // begins a session
	Reply  string        // answers in the open one
	Cancel bool          // ends it
	Wait   time.Duration // for the network's answer; 0: 30 s
}

// USSDView is what the network answered.
type USSDView struct {
	Line      string
	State     string // done, reply-expected, ended, unsupported, timeout, failed, canceled
	Text      string
	Error     string    // with failed: the modem's code
	ExpiresAt time.Time // with reply-expected: when the session is ended
}

// ussdSession is the open USSD session of a line, at most one.
type ussdSession struct {
	mu    sync.Mutex
	busy  bool
	by    string // key that waits for or may give a reply; "" when none is open
	until time.Time
	timer *time.Timer
}

// take begins a step of caller, or says who is in the way.
func (s *ussdSession) take(caller string, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.busy || s.by != "" && s.by != caller && now.Before(s.until) {
		return false
	}
	s.busy = true
	if s.timer != nil {
		s.timer.Stop()
	}
	return true
}

// done ends a step; open keeps the session for caller.
func (s *ussdSession) done(caller string, open bool, until time.Time, expire func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.busy, s.by, s.until = false, "", time.Time{}
	if open {
		s.by, s.until = caller, until
		s.timer = time.AfterFunc(ussdIdle, expire)
	}
}

// USSD asks the network something by a code, replies in the session that this
// opened, or ends it.
func (g *Gateway) USSD(ctx context.Context, r Request, name string, in NewUSSD) (USSDView, error) {
	l, err := g.adminLine(r, name)
	if err != nil {
		return USSDView{}, err
	}
	given := 0
	for _, is := range []bool{in.Code != "", in.Reply != "", in.Cancel} {
		if is {
			given++
		}
	}
	if given != 1 {
		return USSDView{}, invalid("", "give exactly one of code, reply and cancel")
	}
	if in.Wait < 0 || in.Wait > ussdWaitMax {
		return USSDView{}, invalid("/wait", "wait is at most %s", ussdWaitMax)
	}
	m, err := l.openModem()
	if err != nil {
		return USSDView{}, err
	}
	if in.Wait == 0 {
		in.Wait = ussdWait
	}
	return l.askUSSD(ctx, m, r.Caller.Key, in)
}

// askUSSD runs one step with the modem. What is said is in no log.
func (l *line) askUSSD(ctx context.Context, m Modem, caller string, in NewUSSD) (USSDView, error) {
	if !l.ussd.take(caller, l.g.clock.now()) {
		return USSDView{}, refuse(LineBusy, "line %s has a USSD session of another key open: try again in %s", l.o.Name, ussdIdle)
	}
	ctx, cancel := context.WithTimeout(ctx, in.Wait)
	defer cancel()
	var a driver.USSDAnswer
	var err error
	switch {
	case in.Cancel:
		a.State, err = "canceled", m.CancelUSSD(ctx)
	case in.Reply != "":
		a, err = m.ReplyUSSD(ctx, in.Reply)
	default:
		a, err = m.USSD(ctx, in.Code)
	}
	v := USSDView{Line: l.o.Name, State: string(a.State), Text: a.Text}
	open := err == nil && a.State == driver.USSDReply
	if open {
		v.ExpiresAt = l.g.clock.now().Add(ussdIdle)
	}
	l.ussd.done(caller, open, v.ExpiresAt, func() { l.expireUSSD(m, v.ExpiresAt) })
	l.log.Info("USSD", "key", caller, "state", v.State, "err", err)
	var refused *driver.CommandError
	switch {
	case errors.As(err, &refused):
		v.State, v.Error = "failed", refused.Code
		return v, nil
	case errors.Is(err, driver.ErrNoUSSDSession):
		return v, &Error{Code: NotCancelable, Detail: "the network waits for no reply on line " + l.o.Name + ": begin with a code", Err: err}
	case err != nil:
		return v, l.sessionError(err)
	}
	return v, nil
}

// expireUSSD ends a session whose reply does not come.
func (l *line) expireUSSD(m Modem, until time.Time) {
	if !l.ussd.ends().Equal(until) || !l.ussd.take(systemKey, until) {
		return // it was answered, or is being answered
	}
	ctx, cancel := context.WithTimeout(context.Background(), ussdWaitMax)
	defer cancel()
	err := m.CancelUSSD(ctx)
	l.ussd.done(systemKey, false, time.Time{}, nil)
	l.log.Info("a USSD session without a reply was ended", "err", err)
}

// ends is when the open session may be taken by others.
func (s *ussdSession) ends() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.until
}
