package gateway

import (
	"context"
	"errors"
	"time"

	"github.com/modemgate/modemgate/driver"
)

// rest waits between two sessions. A modem that is absent may come any moment.
func (l *line) rest(ctx context.Context, wait time.Duration, err error) {
	var changed <-chan struct{}
	if l.o.Changed != nil && errors.Is(err, driver.ErrNoPort) {
		changed = l.o.Changed()
		select {
		case <-ctx.Done():
			return
		case <-time.After(openBackoff / 2): // whatever keeps changing
		}
	}
	for over := time.After(wait); ; {
		select {
		case <-ctx.Done():
			return
		case <-changed:
			return
		case <-over:
			return
		case <-l.ordered:
			if l.order.Load() != nil { // else it was obeyed long ago, by a session
				return
			}
		}
	}
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
