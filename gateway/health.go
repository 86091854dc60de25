package gateway

import (
	"context"
	"sync"
	"time"
)

// diskState is what is known of the room on the disk.
type diskState struct {
	mu     sync.Mutex
	free   int64
	err    string
	fullAt time.Time // when a commit last failed for want of room
}

// full notes that a commit found no room.
func (d *diskState) full(now time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fullAt = now
	if d.err == "" { // else it is known and has been told
		d.err = "the disk is full: free space in the data directory"
	}
}

// look measures the disk and the clock.
func (g *Gateway) look(ctx context.Context) {
	free, err := g.o.FreeSpace()
	size := g.st.Size()
	d := &g.disk
	d.mu.Lock()
	defer d.mu.Unlock()
	was := d.err
	d.free, d.err = free, ""
	switch {
	case err != nil:
		d.err = "the data directory cannot be measured: " + err.Error()
	case free < g.o.Reserve:
		d.err = "less space is left than storage.reserve: free some, or lower it; what is accepted already goes on"
	case g.o.StorageMax > 0 && size > g.o.StorageMax:
		d.err = "the database holds more than its share of storage.max: raise it, or keep less (messages.keep, inbound.keep)"
	}
	if d.err != was && ctx.Err() == nil {
		if d.err == "" {
			g.log.Info("the disk has room again")
		} else {
			g.log.Warn("nothing new is accepted", "why", d.err)
		}
	}
}

// storable refuses new work while it could not be kept or timed.
func (g *Gateway) storable() error {
	if p := g.clock.problem(); p != "" {
		return refuse(ClockNotSet, "%s", p)
	}
	g.disk.mu.Lock()
	defer g.disk.mu.Unlock()
	if g.disk.err != "" {
		return refuse(StorageFull, "%s", g.disk.err)
	}
	return nil
}

// Ready says whether this node stores and answers; lines and NATS do not
// count.
func (g *Gateway) Ready(context.Context) error { return g.storable() }

// ReadyToSend says whether a line could send now. Simulated lines count only
// where there are no others, that is under modems.simulate.
func (g *Gateway) ReadyToSend(ctx context.Context) error {
	if err := g.storable(); err != nil {
		return err
	}
	now := g.clock.now()
	for _, l := range g.lines() {
		if ok, _ := l.ready(now); ok && (!l.o.Simulated || !g.realLines()) {
			return nil
		}
	}
	return refuse(NoLine, "no line can send now: GET /v1/lines says why")
}
