package gateway

import (
	"fmt"
	"sync/atomic"
	"time"
)

// Longest times without a beat of a loop that works. A line may wait for an
// answer of the network for minutes; the sweeper never.
const (
	sweepSilence = 30 * time.Second
	lineSilence  = 15 * time.Minute
)

// heart notes when a loop last went round, on the monotonic clock.
type heart struct{ at atomic.Int64 }

var heartEpoch = time.Now()

func (h *heart) beat()                  { h.at.Store(int64(time.Since(heartEpoch))) }
func (h *heart) silence() time.Duration { return time.Since(heartEpoch) - time.Duration(h.at.Load()) }

// Alive says whether the loops that do the work go round; the watchdog of the
// service manager is fed only then.
func (g *Gateway) Alive() error {
	if d := g.sweeper.silence(); d > sweepSilence {
		return fmt.Errorf("nothing has been looked after for %s", d.Round(time.Second))
	}
	for _, l := range g.lines() {
		if d := l.heart.silence(); d > lineSilence {
			return fmt.Errorf("line %s has not moved for %s", l.o.Name, d.Round(time.Second))
		}
	}
	return nil
}
