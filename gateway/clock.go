package gateway

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/modemgate/modemgate/gateway/store"
)

// earliest is a time no correct clock can be before: modemgate did not exist.
var earliest = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// backTolerance is how far the wall clock may be behind the latest time known
// from the store before it counts as wrong.
const backTolerance = 5 * time.Minute

// clock is wall time that never goes back: a code that was issued keeps its
// expiry when somebody turns the clock back, also over a restart. A step
// forward is followed at once.
type clock struct {
	read func() time.Time // time.Now, or a test's

	mu    sync.Mutex
	base  time.Time // reading of read, with its monotonic part
	wall  time.Time // what we called base
	floor time.Time // latest time known from before the start
	noted time.Time // what the store was last told
}

func newClock(read func() time.Time) *clock {
	if read == nil {
		read = time.Now
	}
	t := read()
	return &clock{read: read, base: t, wall: t.Round(0)}
}

// notBefore tells the clock of a time that has certainly passed.
func (c *clock) notBefore(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.floor = t
	if c.wall.Before(t) {
		c.wall = t
	}
}

// now is the present time in UTC, to the microsecond as the store keeps it.
func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.read()
	ours := c.wall.Add(max(0, t.Sub(c.base)))
	if w := t.Round(0); w.After(ours) {
		ours = w
	}
	c.base, c.wall = t, ours
	return ours.UTC().Truncate(time.Microsecond)
}

// noteEvery is how old the time in the store may be when a commit is made
// anyway, notePending when there is none but codes are pending.
const (
	noteEvery   = 10 * time.Second
	notePending = time.Minute
)

// unnoted says for how long the store was not told the time.
func (c *clock) unnoted(now time.Time) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return now.Sub(c.noted)
}

// note remembers that the time is in the store.
func (c *clock) note(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.noted = t
}

// problem says why the wall clock cannot be trusted; "" when it can.
func (c *clock) problem() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	w := c.read().Round(0)
	switch {
	case w.Before(earliest):
		return "the clock is before " + earliest.Format(time.DateOnly) + ": set it (NTP, or a clock with a battery)"
	case w.Before(c.floor.Add(-backTolerance)):
		return "the clock is behind what was recorded earlier (" + when(c.floor) + "): set it (NTP); " +
			"if it is right and was ahead then, start once with modemgate serve --trust-clock"
	}
	return ""
}

// behind says whether the clock reads a time that is certainly past.
func (c *clock) behind(t time.Time) bool { return c.read().Round(0).Before(t.Add(-backTolerance)) }

// lastTime is the setting that holds the latest time the store was told.
const lastTime = "last_time"

func putTime(tx store.Tx, t time.Time) error {
	return tx.PutSetting(lastTime, t.Format(time.RFC3339Nano))
}

// loadClock makes sure that time does not run behind what is recorded, unless
// the operator says that the record is wrong and the clock is right.
func (g *Gateway) loadClock(ctx context.Context) error {
	var last time.Time
	err := g.st.View(ctx, func(tx store.Tx) error {
		s, err := tx.Setting(lastTime)
		if err != nil || s == "" {
			return err
		}
		if last, err = time.Parse(time.RFC3339Nano, s); err != nil {
			return fmt.Errorf("setting %s: %w", lastTime, err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if g.o.TrustClock && g.clock.behind(last) && !g.clock.behind(earliest) {
		return g.rewind(ctx, last)
	}
	if !last.IsZero() {
		g.clock.notBefore(last)
	}
	if p := g.clock.problem(); p != "" {
		g.log.Warn("nothing new is accepted", "why", p)
	}
	return nil
}

// rewind takes the state back to the time of the clock. Codes that are pending
// are void: how long they have lived nobody knows.
func (g *Gateway) rewind(ctx context.Context, from time.Time) error {
	now := g.clock.now()
	g.log.Warn("the clock is trusted: what was recorded as later is taken back to now, pending codes are canceled", "recorded", from, "now", now)
	return g.st.Update(ctx, "rewind", func(tx store.Tx) error {
		if err := cancelCodes(tx, now, "its code was canceled when the clock was set back"); err != nil {
			return err
		}
		if err := tx.Rewind(now, store.RewindLimits{Text: g.o.KeepText, Report: reportWait, Wait: waitMax}); err != nil {
			return err
		}
		return putTime(tx, now)
	})
}
