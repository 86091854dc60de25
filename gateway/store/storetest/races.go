package storetest

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/modemgate/modemgate/gateway/store"
)

// raceRounds is the number of times each race is run.
const raceRounds = 1000

var raceTests = map[string]func(t *testing.T, open Open){
	"cancel, claim and expiry never both win": func(t *testing.T, open Open) {
		s := open(t)
		ms := make([]*store.Message, raceRounds)
		for i := range ms {
			ms[i] = message(i, 1)
		}
		insert(t, s, ms...)
		for _, m := range ms {
			var winners atomic.Int32
			var wg sync.WaitGroup
			for _, state := range []store.State{store.Canceled, store.Sending, store.Expired} {
				wg.Go(func() {
					err := s.Update(context.Background(), "race", func(tx store.Tx) error {
						ok, err := tx.ChangeMessage(m.ID, []store.State{store.Queued}, store.MessageChange{State: &state, At: at(1)})
						if ok {
							winners.Add(1)
						}
						return err
					})
					if err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			if n := winners.Load(); n != 1 {
				t.Fatalf("%s: %d winners", m.ID, n)
			}
		}
		for _, m := range ms[:10] {
			h := view(t, s, func(tx store.Tx) ([]store.HistoryEntry, error) { return tx.History(m.ID) })
			equal(t, "history of "+m.ID, len(h), 2)
		}
	},
	"parallel tries use up what there is and no more": func(t *testing.T, open Open) {
		s := open(t)
		for round := range 20 {
			o := otp(round)
			o.AttemptsUsed, o.MaxAttempts = 0, 5
			insertOTP(t, s, o)
			var counted [17]atomic.Int32
			var wg sync.WaitGroup
			for range 16 {
				wg.Go(func() {
					err := s.Update(context.Background(), "try", func(tx store.Tx) error {
						o, ok, err := tx.CountTry(o.ID, at(round))
						if ok {
							counted[o.AttemptsUsed].Add(1)
						}
						return err
					})
					if err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			for n := range counted {
				want := int32(0)
				if n >= 1 && n <= 5 {
					want = 1
				}
				equal(t, fmt.Sprintf("round %d, try %d", round, n), counted[n].Load(), want)
			}
		}
	},
	"views are whole while commits go on": func(t *testing.T, open Open) {
		s := open(t)
		insert(t, s, message(1, 1))
		ctx, stop := context.WithCancel(context.Background())
		var wg sync.WaitGroup
		wg.Go(func() {
			for ctx.Err() == nil {
				update(t, s, func(tx store.Tx) error {
					_, err := tx.ChangeMessage("msg_0001", nil, store.MessageChange{AddAttempts: 1, At: at(1),
						History: &store.HistoryEntry{Note: "again"}})
					return err
				})
			}
		})
		for range 200 {
			err := s.View(ctx, func(tx store.Tx) error {
				m, err := tx.Message("msg_0001")
				if err != nil {
					return err
				}
				h, err := tx.History("msg_0001")
				equal(t, "entries", len(h), int(m.Rev))
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		stop()
		wg.Wait()
	},
}
