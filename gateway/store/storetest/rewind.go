package storetest

import (
	"testing"
	"time"

	"github.com/modemgate/modemgate/gateway/store"
)

var rewindTests = map[string]func(t *testing.T, open Open){
	"a queue from the future keeps the lifetime that it had left": func(t *testing.T, open Open) {
		s := open(t)
		queued(t, s, 1, func(m *store.Message) { m.CreatedAt, m.NotBefore, m.DeadlineAt = at(5000), at(5000), at(5060) })
		queued(t, s, 2, func(m *store.Message) {
			m.CreatedAt, m.SendAt, m.NotBefore, m.DeadlineAt = at(5000), at(5010), at(5010), at(5070)
		})
		queued(t, s, 3, func(m *store.Message) { m.CreatedAt, m.NotBefore, m.DeadlineAt = at(-9), at(5000), at(90) })
		queued(t, s, 4, func(m *store.Message) {
			m.CreatedAt, m.SendAt, m.NotBefore, m.DeadlineAt = at(-9), at(40), at(40), at(90)
		})
		rewound(t, s)
		for i, want := range map[int][4]time.Time{
			1: {at(0), {}, at(0), at(60)}, 2: {at(0), at(10), at(10), at(70)}, 3: {at(-9), {}, at(0), at(90)}, 4: {at(-9), at(40), at(40), at(90)},
		} {
			m := view(t, s, func(tx store.Tx) (*store.Message, error) { return tx.Message(message(i, 1).ID) })
			equal(t, m.ID, [4]time.Time{m.CreatedAt, m.SendAt, m.NotBefore, m.DeadlineAt}, want)
		}
	},
	"nothing is limited until then": func(t *testing.T, open Open) {
		s := open(t)
		update(t, s, func(tx store.Tx) error {
			for _, when := range []time.Time{at(-60), at(5000)} {
				if err := tx.AddMoment("number", "n", when); err != nil {
					return err
				}
				if _, err := tx.AddCounter("key-day", "k", when, 7); err != nil {
					return err
				}
			}
			return tx.SetFailures("n", store.NumberFailures{Count: 11, WaitUntil: at(50_000)})
		})
		rewound(t, s)
		equal(t, "moments", view(t, s, func(tx store.Tx) ([]time.Time, error) { return tx.Moments("number", "n", at(-3600)) }), []time.Time{at(-60)})
		equal(t, "counter", view(t, s, func(tx store.Tx) (int, error) { return tx.Counter("key-day", "k", at(5000)) }), 0)
		equal(t, "counter before", view(t, s, func(tx store.Tx) (int, error) { return tx.Counter("key-day", "k", at(-60)) }), 7)
		equal(t, "failures", view(t, s, func(tx store.Tx) (store.NumberFailures, error) { return tx.Failures("n") }),
			store.NumberFailures{Count: 11, WaitUntil: at(300)})
	},
	"nothing is kept or waited for until then": func(t *testing.T, open Open) {
		s := open(t)
		queued(t, s, 1, func(m *store.Message) {
			m.State, m.Final, m.EndedAt, m.TextUntil = store.Sent, true, at(5000), at(9000)
		})
		queued(t, s, 2, func(m *store.Message) { m.State, m.DueAt = store.Sent, at(9000) })
		update(t, s, func(tx store.Tx) error {
			return tx.PutIdempotency(store.IdempotencyRecord{Key: "k", Path: "/p", ID: "i", Status: 202, At: at(5000)})
		})
		rewound(t, s)
		one := view(t, s, func(tx store.Tx) (*store.Message, error) { return tx.Message(message(1, 1).ID) })
		equal(t, "end and text", [2]time.Time{one.EndedAt, one.TextUntil}, [2]time.Time{at(0), at(100)})
		two := view(t, s, func(tx store.Tx) (*store.Message, error) { return tx.Message(message(2, 1).ID) })
		equal(t, "due", two.DueAt, at(200))
		rec := view(t, s, func(tx store.Tx) (*store.IdempotencyRecord, error) { return tx.IdempotencyRecord("k", "/p", "i") })
		equal(t, "repeat", rec.At, at(0))
	},
}

func rewound(t *testing.T, s store.Store) {
	t.Helper()
	update(t, s, func(tx store.Tx) error {
		return tx.Rewind(at(0), store.RewindLimits{Text: 100 * time.Second, Report: 200 * time.Second, Wait: 300 * time.Second})
	})
}
