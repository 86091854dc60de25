package gateway

import (
	"slices"
	"sync"
	"time"

	"github.com/modemgate/modemgate/gateway/store"
)

// After an error that says neither that the network refuses a message nor
// that it will take it later, the modem itself may be the reason: the next
// try goes by another line of the route, if one is up. That is a preference,
// so it is kept in memory only, and ends leaveFor after the try was due: the
// other line may be out of budget or busy with a slow modem.
const (
	leaveFor    = 30 * time.Second
	leaveMost   = 10_000 // messages; beyond it all are forgotten
	leaveAtOnce = 50     // messages that one line passes over
)

// elsewhere knows the messages that lines leave to one another.
type elsewhere struct {
	mu sync.Mutex
	m  map[string]leave
}

// leave is a message whose tries by some lines failed for no clear reason.
type leave struct {
	route string
	tried []string  // lines
	until time.Time // then any line may take it
}

// note says that a line has failed with the message, which is due again at due.
func (e *elsewhere) note(m *store.Message, line string, due time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.m == nil || len(e.m) >= leaveMost {
		e.m = make(map[string]leave)
	}
	l := e.m[m.ID]
	e.m[m.ID] = leave{m.Route, append(slices.Clone(l.tried), line), due.Add(leaveFor)}
}

// forget drops a message that has ended or is out.
func (e *elsewhere) forget(id string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.m, id)
}

// failedBy lists what the line has failed with and need not try again yet.
func (e *elsewhere) failedBy(line string, now time.Time) map[string]leave {
	e.mu.Lock()
	defer e.mu.Unlock()
	var out map[string]leave
	for id, l := range e.m {
		if now.Before(l.until) && slices.Contains(l.tried, line) {
			if out == nil {
				out = make(map[string]leave)
			}
			out[id] = l
		}
	}
	return out
}

// left lists the messages that this line leaves to another one that could
// send them now, and when it must look again (zero: nothing is left).
func (l *line) left(now time.Time) (ids []string, next time.Time) {
	ids, next = l.passed.list(now)
	for id, what := range l.g.elsewhere.failedBy(l.o.Name, now) {
		another := slices.ContainsFunc(l.g.lines(), func(o *line) bool {
			if slices.Contains(what.tried, o.o.Name) || o.o.Simulated != l.o.Simulated || !onRoute(what.route, o.o.Name) {
				return false
			}
			ok, _ := o.ready(now)
			return ok
		})
		if !another || len(ids) >= leaveAtOnce {
			continue
		}
		ids = append(ids, id)
		if next.IsZero() || what.until.Before(next) {
			next = what.until
		}
	}
	return ids, next
}

// sooner is the earlier of two times, of which zero is never.
func sooner(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
