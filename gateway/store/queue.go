package store

import (
	"fmt"
	"strings"
	"time"
)

// maxRoutesPerQuery bounds the length of one statement; more routes take
// more statements.
const maxRoutesPerQuery = 16

// eachRoute runs one statement over as many ranges of the queue's index as
// there are routes and priorities: the branches are joined by UNION ALL, each
// is one seek.
func eachRoute(routes []string, branch string, run func(branches string, args []any) error, extra ...any) error {
	for len(routes) > 0 {
		n := min(len(routes), maxRoutesPerQuery)
		var branches []string
		var args []any
		for _, route := range routes[:n] {
			for p := PriorityOTP; p <= PriorityLow; p++ {
				branches = append(branches, fmt.Sprintf("SELECT * FROM ("+branch+") AS q%d", p, len(branches)))
				args = append(append(args, route), extra...)
			}
		}
		if err := run(strings.Join(branches, " UNION ALL "), args); err != nil {
			return err
		}
		routes = routes[n:]
	}
	return nil
}

const nextBranch = `SELECT priority, not_before, id FROM messages
	WHERE state='queued' AND held=0 AND route=? AND priority=%d AND not_before<=? AND (deadline_at>? OR deadline_at=0){except}
	ORDER BY not_before, id LIMIT 1`

// NextQueued implements [Messages].
func (t *tx) NextQueued(routes []string, now time.Time, except ...string) (string, bool, error) {
	type candidate struct {
		priority int
		since    int64
		id       string
	}
	var best *candidate
	due, not := []any{us(now), us(now)}, ""
	if len(except) > 0 {
		not = " AND id NOT IN (?" + strings.Repeat(",?", len(except)-1) + ")"
		for _, id := range except {
			due = append(due, id)
		}
	}
	err := eachRoute(routes, strings.Replace(nextBranch, "{except}", not, 1), func(branches string, args []any) error {
		return t.query(func(r scanner) error {
			var c candidate
			if err := r.Scan(&c.priority, &c.since, &c.id); err != nil {
				return err
			}
			if best == nil || c.priority < best.priority || c.priority == best.priority &&
				(c.since < best.since || c.since == best.since && c.id < best.id) {
				best = &c
			}
			return nil
		}, branches, args...)
	}, due...)
	if err != nil || best == nil {
		return "", false, err
	}
	return best.id, true, nil
}

const dueBranch = `SELECT not_before FROM messages
	WHERE state='queued' AND held=0 AND route=? AND priority=%d AND not_before>?
	ORDER BY not_before LIMIT 1`

// NextDue implements [Messages].
func (t *tx) NextDue(routes []string, now time.Time) (time.Time, error) {
	var best time.Time
	err := eachRoute(routes, dueBranch, func(branches string, args []any) error {
		at, err := t.earliest(branches, args...)
		if err == nil && (best.IsZero() || !at.IsZero() && at.Before(best)) {
			best = at
		}
		return err
	}, us(now))
	return best, err
}

// earliest reads a column of times and returns the first; zero when none.
func (t *tx) earliest(query string, args ...any) (time.Time, error) {
	var best time.Time
	err := t.query(func(r scanner) error {
		var at time.Time
		if err := r.Scan((*usec)(&at)); err != nil {
			return err
		}
		if !at.IsZero() && (best.IsZero() || at.Before(best)) {
			best = at
		}
		return nil
	}, query, args...)
	return best, err
}

// QueueRoutes implements [Messages]. The queue is skipped from route to route
// by its index; what is being sent or waits for a report is listed.
func (t *tx) QueueRoutes() ([]string, error) {
	routes, err := t.strings(`SELECT DISTINCT route FROM messages WHERE ` + kindOpen)
	if err != nil {
		return nil, err
	}
	known := make(map[string]bool)
	for _, r := range routes {
		known[r] = true
	}
	for held := range 2 {
		next, err := t.strings(`SELECT route FROM messages WHERE state='queued' AND held=? ORDER BY route LIMIT 1`, held)
		for err == nil && len(next) > 0 {
			if r := next[0]; !known[r] {
				known[r] = true
				routes = append(routes, r)
			}
			next, err = t.strings(`SELECT route FROM messages WHERE state='queued' AND held=? AND route>?
				ORDER BY route LIMIT 1`, held, next[0])
		}
		if err != nil {
			return nil, err
		}
	}
	return routes, nil
}

// CountQueued implements [Messages]. It counts along the queue's index.
func (t *tx) CountQueued() (byPriority [4]int, err error) {
	err = t.query(func(r scanner) error {
		var p, n int
		err := r.Scan(&p, &n)
		byPriority[min(max(p, PriorityOTP), PriorityLow)] += n
		return err
	}, `SELECT priority, COUNT(*) FROM messages WHERE state='queued' AND held=0 GROUP BY priority`)
	return byPriority, err
}

// WaitingSince implements [Messages].
func (t *tx) WaitingSince(now time.Time) (time.Time, error) {
	return t.moment(`SELECT MIN(CASE WHEN send_at>created_at THEN send_at ELSE created_at END)
		FROM messages WHERE state='queued' AND held=0 AND send_at<=?`, us(now))
}

// CountQueuedByKey implements [Messages].
func (t *tx) CountQueuedByKey() (map[string]int, error) {
	out := make(map[string]int)
	err := t.query(func(r scanner) error {
		var key string
		var n int
		err := r.Scan(&key, &n)
		out[key] = n
		return err
	}, `SELECT api_key||'', COUNT(*) FROM messages WHERE state='queued' AND held=0 GROUP BY api_key||''`)
	return out, err
}

// OverdueMessages implements [Messages].
func (t *tx) OverdueMessages(states []State, now time.Time, limit int) ([]string, error) {
	var out []string
	for _, s := range states {
		query, args := `SELECT id FROM messages WHERE final=0 AND state<>'queued' AND held=0 AND state=?
			AND due_at>0 AND due_at<=? ORDER BY due_at LIMIT ?`, []any{string(s), us(now), limit - len(out)}
		if s == Queued {
			query, args = `SELECT id FROM messages WHERE state='queued' AND held=0
				AND deadline_at>0 AND deadline_at<=? ORDER BY deadline_at LIMIT ?`, args[1:]
		}
		ids, err := t.strings(query, args...)
		if err != nil {
			return nil, err
		}
		if out = append(out, ids...); len(out) >= limit {
			break
		}
	}
	return out, nil
}

// InState implements [Messages].
func (t *tx) InState(s State) ([]string, error) {
	if s == Queued {
		return t.strings(`SELECT id FROM messages WHERE ` + kindQueued + ` ORDER BY id`)
	}
	return t.strings(`SELECT id FROM messages WHERE `+kindOpen+` AND state=? ORDER BY id`, string(s))
}

// HoldQueue implements [Messages].
func (t *tx) HoldQueue() (int, error) { return t.hold(true) }

// ReleaseQueue implements [Messages].
func (t *tx) ReleaseQueue(time.Time) (int, error) { return t.hold(false) }

func (t *tx) hold(held bool) (int, error) {
	if err := t.check(true); err != nil {
		return 0, err
	}
	ids, err := t.strings(`UPDATE messages SET held=?, rev=rev+1 WHERE state='queued' AND held=? RETURNING id`,
		flag(held), flag(!held))
	t.changed = t.changed || len(ids) > 0 || err != nil
	t.known.forgetMessages()
	for _, id := range ids {
		t.raise(id)
	}
	return len(ids), err
}

// HeldQueue implements [Messages].
func (t *tx) HeldQueue(limit int) ([]string, error) {
	return t.strings(`SELECT id FROM messages WHERE state='queued' AND held=1 ORDER BY id LIMIT ?`, limit)
}

// CountHeld implements [Messages].
func (t *tx) CountHeld() (int, error) {
	var n int
	err := t.row([]any{&n}, `SELECT COUNT(*) FROM messages WHERE state='queued' AND held=1`)
	return n, err
}
