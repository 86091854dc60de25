package gateway

import (
	"time"

	"github.com/modemgate/modemgate/gateway/store"
)

// passed are messages that a line passes over, by their ids: another line has
// sent less and is free, or they need more than is left of a limit.
type passed map[string]pass

// pass is one of them.
type pass struct {
	until  time.Time
	to     *line  // that has sent less; nil: to none, it needs more than is left of a limit
	claims uint64 // of to when it was left to it
}

// list names what is passed over, and says when to look again. What has run
// out stays known for a while: it is not left to another line once more.
func (p passed) list(now time.Time) (ids []string, next time.Time) {
	for id, pass := range p {
		switch {
		case pass.until.After(now):
			ids = append(ids, id)
			next = sooner(next, pass.until)
		case pass.until.Before(now.Add(-time.Second)):
			delete(p, id)
		}
	}
	return ids, next
}

// awaits says whether something left to a line is still there for it.
func (p passed) awaits(o *line, now time.Time) bool {
	for _, pass := range p {
		if pass.to == o && pass.until.After(now) && pass.claims == o.claims.Load() {
			return true
		}
	}
	return false
}

// passes says whether the line leaves a message for now.
func (l *line) passes(m *store.Message, now time.Time) bool {
	name, at := l.quota.opens(partsIn(m, store.Queued), l.g.units(m.To), now)
	if !at.IsZero() {
		if _, again := l.passed[m.ID]; !again {
			l.log.Info("a message needs more than is left of a limit: it waits, or goes by another line", "msg", m.ID, "limit", name, "until", at)
		}
		l.passed[m.ID] = pass{until: sooner(at, now.Add(leaveFor))}
		return true
	}
	o := l.lighter(m, now)
	if o == nil {
		return false
	}
	l.passed[m.ID] = pass{now.Add(l.g.o.Yield), o, o.claims.Load()}
	o.poke()
	return true
}

// lighter is a line that has used less of what it may send and is free to take
// the message, nil if there is none. Each such line is left one. It is a
// preference, kept for a moment and once for a message.
func (l *line) lighter(m *store.Message, now time.Time) *line {
	lines := l.g.lines()
	if _, again := l.passed[m.ID]; again || len(lines) == 1 || m.Route == l.o.Name || partsOut(m) > 0 {
		return nil
	}
	window, minute := l.quota.share(now)
	for _, o := range lines {
		if o == l || o.o.Simulated != l.o.Simulated || !onRoute(m.Route, o.o.Name) || !o.free(now) || l.passed.awaits(o, now) {
			continue
		}
		if w, n := o.quota.share(now); w < window || w == window && n < minute {
			return o
		}
	}
	return nil
}

// chosen says in words, for the history, why this line claims a message that
// it does not pass over; "" when it is the only one there is.
func (l *line) chosen(m *store.Message) string {
	before, left := l.passed[m.ID]
	switch {
	case partsOut(m) > 0 && m.Line == l.o.Name:
		return "the line that its other parts went by"
	case m.Line != "" && m.Line != l.o.Name:
		return "instead of line " + m.Line
	case len(l.g.lines()) == 1:
		return ""
	case m.Route == l.o.Name:
		return "the only line that it may go by"
	case left && before.to != nil:
		return "left to line " + before.to.o.Name + ", which had used less of its limits and did not take it"
	case left:
		return "after a limit had held it up"
	}
	return "no other free line had used less of its limits"
}

// ready says whether the line may send now, and if not, until when to wait
// (zero: until something changes).
func (l *line) ready(now time.Time) (ok bool, until time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	state, _, until := l.stands(now)
	return state == stateUp, until
}

// free says whether the line could send at once.
func (l *line) free(now time.Time) bool {
	ok, _ := l.ready(now)
	return ok && !l.busy.Load() && l.quota.refilled(now).IsZero()
}

// limits are what the status says of the limits.
func (l *line) limits(now time.Time) LineLimits {
	c, until := l.quota.reached(now)
	return LineLimits{l.o.PerMinute, l.o.PerDay, l.o.PerMonth, l.o.CostPerMonth, c.name, until}
}

// exhausted refuses a message that every line of its route is kept from
// sending before its deadline by a limit of its own.
func (g *Gateway) exhausted(m *store.Message, now time.Time) error {
	var limit string
	var soonest time.Time
	for _, l := range g.lines() {
		if l.o.Simulated != m.Simulated || !onRoute(m.Route, l.o.Name) {
			continue
		}
		name, at := l.quota.opens(len(m.Parts), g.units(m.To), now)
		if at.IsZero() || at.Before(m.DeadlineAt) {
			return nil
		}
		if soonest.IsZero() || at.Before(soonest) {
			limit, soonest = name, at
		}
	}
	if soonest.IsZero() {
		return nil
	}
	return limited("line."+limit, soonest, "no line that may send this has room for it before its deadline (limits.%s): wait, or raise the limit of a line", limit)
}
