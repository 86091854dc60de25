package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/modemgate/modemgate/gateway/store"
)

// queued inserts a queued message and returns it.
func queued(t *testing.T, s store.Store, i int, set func(m *store.Message)) {
	t.Helper()
	m := message(i, 1)
	set(m)
	insert(t, s, m)
}

// drain claims until nothing is left, and returns the order.
func drain(t *testing.T, s store.Store, now time.Time, routes ...string) []string {
	t.Helper()
	var out []string
	update(t, s, func(tx store.Tx) error {
		for {
			id, ok, err := tx.NextQueued(routes, now)
			if err != nil || !ok {
				return err
			}
			out = append(out, id)
			if _, err := tx.ChangeMessage(id, []store.State{store.Queued},
				store.MessageChange{State: ptr(store.Sending), At: now}); err != nil {
				return err
			}
		}
	})
	return out
}

var queueTests = map[string]func(t *testing.T, open Open){
	"the most urgent is first, then the longest due, then the oldest": func(t *testing.T, open Open) {
		s := open(t)
		for i, m := range []struct {
			route    string
			priority int
			due      int
		}{
			{"", store.PriorityLow, 0}, {"", store.PriorityNormal, 5}, {"front", store.PriorityNormal, 3},
			{"", store.PriorityNormal, 3}, {"back", store.PriorityOTP, 0}, {"back,front", store.PriorityHigh, 9},
			{"front", store.PriorityOTP, 9}, {"front", store.PriorityHigh, 100}, {"", store.PriorityHigh, 9},
		} {
			queued(t, s, i, func(q *store.Message) { q.Route, q.Priority, q.NotBefore = m.route, m.priority, at(m.due) })
		}
		equal(t, "order", drain(t, s, at(50), "", "front", "back,front"), []string{
			"msg_0006", "msg_0005", "msg_0008", "msg_0002", "msg_0003", "msg_0001", "msg_0000"})
		equal(t, "later", drain(t, s, at(100), "", "front", "back,front"), []string{"msg_0007"})
		equal(t, "no route", drain(t, s, at(100)), []string(nil))
		equal(t, "the other line", drain(t, s, at(100), "back"), []string{"msg_0004"})
	},
	"what is excepted is passed over": func(t *testing.T, open Open) {
		s := open(t)
		for i, route := range []string{"", "front", "", "front"} {
			queued(t, s, i, func(m *store.Message) { m.Route, m.NotBefore = route, at(i) })
		}
		next := func(except ...string) string {
			return view(t, s, func(tx store.Tx) (string, error) {
				id, _, err := tx.NextQueued([]string{"", "front"}, at(50), except...)
				return id, err
			})
		}
		equal(t, "none excepted", next(), "msg_0000")
		equal(t, "two excepted", next("msg_0001", "msg_0000"), "msg_0002")
		equal(t, "all excepted", next("msg_0001", "msg_0000", "msg_0003", "msg_0002"), "")
	},
	"many routes are one queue": func(t *testing.T, open Open) {
		s := open(t)
		var routes, want []string
		for i := range 40 {
			route := fmt.Sprintf("line-%d", i)
			routes = append(routes, route)
			queued(t, s, i, func(m *store.Message) { m.Route, m.NotBefore = route, at(100-i) })
			want = append([]string{fmt.Sprintf("msg_%04d", i)}, want...)
		}
		due := view(t, s, func(tx store.Tx) (time.Time, error) { return tx.NextDue(routes, at(0)) })
		equal(t, "next due", due, at(61))
		equal(t, "order", drain(t, s, at(200), routes...), want)
		left := view(t, s, func(tx store.Tx) ([]string, error) { return tx.QueueRoutes() })
		slices.Sort(left)
		slices.Sort(routes)
		equal(t, "routes of what is being sent", left, routes)
	},
	"a message past its deadline or before its time is not next": func(t *testing.T, open Open) {
		s := open(t)
		queued(t, s, 1, func(m *store.Message) { m.DeadlineAt = at(10) })
		queued(t, s, 2, func(m *store.Message) { m.NotBefore = at(30) })
		queued(t, s, 3, func(m *store.Message) { m.NotBefore = at(20) })
		next := func(now time.Time) string {
			return view(t, s, func(tx store.Tx) (string, error) {
				id, _, err := tx.NextQueued([]string{""}, now)
				return id, err
			})
		}
		due := func(now time.Time) time.Time {
			return view(t, s, func(tx store.Tx) (time.Time, error) { return tx.NextDue([]string{""}, now) })
		}
		equal(t, "before the deadline", next(at(9)), "msg_0001")
		equal(t, "at the deadline", next(at(10)), "")
		equal(t, "due next", due(at(10)), at(20))
		equal(t, "when due", next(at(20)), "msg_0003")
		equal(t, "then due", due(at(20)), at(30))
		equal(t, "nothing more", due(at(30)), time.Time{})
	},
	"overdue messages are listed by their state": func(t *testing.T, open Open) {
		s := open(t)
		queued(t, s, 1, func(m *store.Message) { m.DeadlineAt, m.DueAt = at(10), at(1) })
		queued(t, s, 2, func(m *store.Message) { m.State, m.DueAt, m.DeadlineAt = store.Sent, at(20), at(1) })
		queued(t, s, 3, func(m *store.Message) { m.State, m.DueAt = store.Unknown, at(15) })
		queued(t, s, 4, func(m *store.Message) { m.State, m.DueAt, m.Final = store.Unknown, at(1), true })
		queued(t, s, 5, func(m *store.Message) { m.State = store.Sending })
		queued(t, s, 6, func(m *store.Message) { m.DeadlineAt = at(5) })
		overdue := func(now time.Time, limit int, states ...store.State) []string {
			return view(t, s, func(tx store.Tx) ([]string, error) { return tx.OverdueMessages(states, now, limit) })
		}
		equal(t, "none yet", overdue(at(4), 9, store.Queued, store.Sent, store.Unknown, store.Sending), []string(nil))
		equal(t, "queued", overdue(at(10), 9, store.Queued), []string{"msg_0006", "msg_0001"})
		equal(t, "others", overdue(at(20), 9, store.Sent, store.Unknown, store.Sending), []string{"msg_0002", "msg_0003"})
		equal(t, "limit", overdue(at(20), 2, store.Queued, store.Sent), []string{"msg_0006", "msg_0001"})
		for state, want := range map[store.State][]string{
			store.Unknown: {"msg_0003"}, store.Queued: {"msg_0001", "msg_0006"}, store.Sending: {"msg_0005"}, store.Failed: nil} {
			equal(t, string(state), view(t, s, func(tx store.Tx) ([]string, error) { return tx.InState(state) }), want)
		}
	},
	"a message waits from the time it is scheduled for": func(t *testing.T, open Open) {
		s := open(t)
		since := func(now time.Time) time.Time {
			return view(t, s, func(tx store.Tx) (time.Time, error) { return tx.WaitingSince(now) })
		}
		equal(t, "none", since(at(9)), time.Time{})
		queued(t, s, 1, func(m *store.Message) { m.SendAt, m.NotBefore = at(20), at(20) })
		queued(t, s, 2, func(m *store.Message) { m.Held = true })
		equal(t, "scheduled", since(at(19)), time.Time{})
		equal(t, "its time has come", since(at(21)), at(20))
		queued(t, s, 3, func(m *store.Message) { m.NotBefore = at(30) }) // it is tried again
		equal(t, "waits longer", since(at(21)), at(3))
	},
	"what waits is counted by its maker": func(t *testing.T, open Open) {
		s := open(t)
		for i, key := range []string{"shop", "bank", "shop", "shop", "bank"} {
			queued(t, s, i, func(m *store.Message) {
				m.Key, m.Held = key, i == 2
				if i == 4 {
					m.State = store.Sent
				}
			})
		}
		got := view(t, s, func(tx store.Tx) (map[string]int, error) { return tx.CountQueuedByKey() })
		equal(t, "by key", got, map[string]int{"shop": 2, "bank": 1})
	},
	"a held queue rests until it is released": func(t *testing.T, open Open) {
		s := open(t)
		queued(t, s, 1, func(m *store.Message) { m.Priority = store.PriorityOTP })
		queued(t, s, 2, func(m *store.Message) { m.Route = "front" })
		queued(t, s, 3, func(m *store.Message) { m.State = store.Sent })
		counts := func() (out []any) {
			update(t, s, func(tx store.Tx) error {
				n, err := tx.CountQueued()
				if err != nil {
					return err
				}
				oldest, err := tx.WaitingSince(at(99))
				if err != nil {
					return err
				}
				held, err := tx.CountHeld()
				if err != nil {
					return err
				}
				list, err := tx.HeldQueue(9)
				out = []any{n, oldest, held, list}
				return err
			})
			return out
		}
		free := counts()
		equal(t, "free", free, []any{[4]int{1, 0, 1, 0}, at(1), 0, []string(nil)})
		equal(t, "held", change(t, s, func(tx store.Tx) (int, error) { return tx.HoldQueue() }), 2)
		equal(t, "again", change(t, s, func(tx store.Tx) (int, error) { return tx.HoldQueue() }), 0)
		equal(t, "counts", counts(), []any{[4]int{}, time.Time{}, 2, []string{"msg_0001", "msg_0002"}})
		m := get(t, s, "msg_0001")
		equal(t, "message", []any{m.Held, m.State, m.Rev, m.NotBefore}, []any{true, store.Queued, int64(2), at(1)})
		equal(t, "nothing is next", drain(t, s, at(9), "", "front"), []string(nil))
		equal(t, "nothing expires", view(t, s, func(tx store.Tx) ([]string, error) {
			return tx.OverdueMessages([]store.State{store.Queued}, at(9999), 9)
		}), []string(nil))
		routes := view(t, s, func(tx store.Tx) ([]string, error) { return tx.QueueRoutes() })
		slices.Sort(routes)
		equal(t, "routes", routes, []string{"", "front"})
		equal(t, "released", change(t, s, func(tx store.Tx) (int, error) { return tx.ReleaseQueue(at(9)) }), 2)
		equal(t, "as before", counts(), free)
		equal(t, "next", drain(t, s, at(9), "", "front"), []string{"msg_0001", "msg_0002"})
	},
	"a hold that is undone holds nothing, whatever it is committed with": func(t *testing.T, open Open) {
		s := open(t)
		insert(t, s, message(1, 1))
		var wg sync.WaitGroup
		for i := range 100 {
			wg.Go(func() {
				err := s.Update(context.Background(), "test", func(tx store.Tx) error {
					if i%4 > 0 {
						return tx.PutSetting(fmt.Sprint(i), "there")
					}
					_, err := tx.HoldQueue()
					return errors.Join(err, errMine)
				})
				if want := i%4 == 0; errors.Is(err, errMine) != want || err != nil && !want {
					t.Errorf("update %d: %v", i, err)
				}
			})
		}
		wg.Wait()
		equal(t, "held", view(t, s, func(tx store.Tx) (int, error) { return tx.CountHeld() }), 0)
	},
}
