package gateway

import (
	"sync"
	"time"
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
		return "the clock is behind what was recorded earlier: set it, or wait until it has caught up"
	}
	return ""
}
