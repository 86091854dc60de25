package gateway

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/modemgate/modemgate/driver"
)

// Back-off between attempts to open a modem. One that is not plugged in is
// noticed within a second of its plug, and looked for every two seconds
// besides: not all that keeps it away can be seen there.
const (
	openBackoff    = 250 * time.Millisecond
	openBackoffMax = 30 * time.Second
	absentEvery    = 2 * time.Second
	quietSession   = 30 * time.Second
	lookForPlug    = 500 * time.Millisecond
	leaveTime      = 250 * time.Millisecond // the node of a modem goes a moment after its port
)

// tries are the attempts in a row that brought no session worth the name.
// Those without a modem say nothing of the modem that is plugged in next.
type tries struct{ absent, failed int }

// after counts an attempt and bounds the wait before the next by soonest.
func (t *tries) after(err error, lasted, soonest time.Duration) time.Duration {
	n := &t.failed
	if errors.Is(err, driver.ErrNoPort) {
		n, t.failed = &t.absent, 0
	} else {
		t.absent = 0
	}
	if lasted > quietSession {
		*n = 0
	}
	wait := min(openBackoff<<min(*n, 10), openBackoffMax, soonest)
	*n++
	return wait/2 + rand.N(wait/2+1)
}

// rest waits between two sessions. It says whether another plug than the one
// given, or none, was seen meanwhile, and ends then.
func (l *line) rest(ctx context.Context, wait time.Duration, err error, plug string) (another bool) {
	changed := l.changes()
	select {
	case <-ctx.Done():
		return false
	case <-time.After(min(wait, openBackoff/2)): // whatever keeps changing
	}
	look := time.NewTicker(lookForPlug)
	defer look.Stop()
	for over := time.After(wait); ; {
		if l.plug() != plug {
			return true
		}
		select {
		case <-ctx.Done():
			return false
		case <-over:
			return false
		case <-look.C:
		case <-changed:
			if errors.Is(err, driver.ErrNoPort) {
				return false // it may be another reason, or none
			}
			changed = l.changes()
		case <-l.ordered:
			if l.order.Load() != nil { // else it was obeyed long ago, by a session
				return false
			}
		}
	}
}

// changes is closed at the next change on the USB; nil if nobody tells.
func (l *line) changes() <-chan struct{} {
	if l.o.Changed == nil {
		return nil
	}
	return l.o.Changed()
}

// unplugged makes the end of a session whose modem was pulled out the absence
// that it is.
func (l *line) unplugged(ctx context.Context, err error) error {
	if !silent(err) || l.o.Rescue.Plug == nil {
		return err
	}
	tick := time.NewTicker(leaveTime / 10)
	defer tick.Stop()
	for end := time.Now().Add(leaveTime); !l.absent(); {
		if !errors.Is(err, driver.ErrGone) || time.Now().After(end) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-tick.C:
		}
	}
	return fmt.Errorf("%w: the modem was unplugged (%w)", driver.ErrNoPort, err)
}

// soonest bounds the wait for what somebody may be about to mend: plugging a
// modem in, or a SIM.
func (l *line) soonest(err error) time.Duration {
	var sim *driver.SIMError
	var wrong *MismatchError
	switch {
	case errors.Is(err, driver.ErrNoPort):
		return absentEvery
	case errors.As(err, &wrong), errors.Is(err, driver.ErrSIMChanged), errors.As(err, &sim) && (sim.State == "absent" || sim.State == "busy"):
		return l.g.o.Offline
	}
	return openBackoffMax
}
