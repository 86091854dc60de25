package storetest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/modemgate/modemgate/gateway/store"
)

// fill gives every field of a change a value of its own, so that one that is
// added later is held to the same.
func fill(change any, n int) {
	v := reflect.ValueOf(change).Elem()
	for i := range v.NumField() {
		f := v.Field(i)
		switch f.Interface().(type) {
		case int:
			f.SetInt(int64(n + i))
		case time.Time:
			f.Set(reflect.ValueOf(at(n + i).Add(789))) // nanoseconds are not kept
		case *store.HistoryEntry:
		default:
			p := reflect.New(f.Type().Elem())
			switch e := p.Elem(); e.Interface().(type) {
			case bool:
				e.SetBool(true)
			case time.Time:
				e.Set(reflect.ValueOf(at(n + i).Add(789).Local()))
			case []byte:
				e.SetBytes([]byte{byte(n), byte(i)})
			case int:
				e.SetInt(int64(n + i))
			default: // strings and states
				e.SetString(fmt.Sprint("value ", n+i))
			}
			f.Set(p)
		}
	}
}

var knownTests = map[string]func(t *testing.T, open Open){
	"an update reads a message as it has made it": func(t *testing.T, open Open) {
		s := open(t)
		insert(t, s, message(1, 2))
		var inside []*store.Message
		update(t, s, func(tx store.Tx) error {
			look := func() {
				m, err := tx.Message("msg_0001")
				if err != nil {
					t.Error(err)
					return
				}
				inside = append(inside, m)
			}
			look()
			inside[0].State, inside[0].Parts[0].State = "not", "kept"
			var p store.PartChange
			fill(&p, 10)
			ok, err := tx.ChangePart("msg_0001", 2, nil, p)
			equal(t, "part changed", []any{ok, err}, []any{true, nil})
			look()
			var c store.MessageChange
			fill(&c, 40)
			ok, err = tx.ChangeMessage("msg_0001", nil, c)
			equal(t, "message changed", []any{ok, err}, []any{true, nil})
			ok, err = tx.ChangeMessage("msg_0001", []store.State{store.Queued}, c)
			equal(t, "state left", []any{ok, err}, []any{false, nil})
			look()
			text, err := tx.MessageText("msg_0001")
			equal(t, "text", []any{text, err}, []any{"hello", nil})
			return errors.Join(err, tx.EraseText("msg_0001"))
		})
		after := get(t, s, "msg_0001")
		update(t, s, func(tx store.Tx) error { return tx.EraseText("msg_0001") }) // again: nothing
		equal(t, "revs", []int64{inside[0].Rev, inside[1].Rev, inside[2].Rev, after.Rev}, []int64{1, 2, 2, 3})
		inside[2].Rev, inside[2].HasText = 3, false // of the erasure
		equal(t, "message", inside[2], after)
		equal(t, "part before", inside[1].Parts[1], after.Parts[1])
	},
	"a part's change alone raises rev once": func(t *testing.T, open Open) {
		s := open(t)
		insert(t, s, message(1, 2))
		update(t, s, func(tx store.Tx) error {
			for i := range 2 {
				if _, err := tx.ChangePart("msg_0001", i+1, nil, store.PartChange{Error: ptr("e")}); err != nil {
					return err
				}
			}
			ms, err := tx.ListMessages(store.MessageQuery{})
			equal(t, "rev inside", ms[0].Rev, int64(2))
			return err
		})
		equal(t, "rev", get(t, s, "msg_0001").Rev, int64(2))
	},
	"an update reads an OTP as it has made it": func(t *testing.T, open Open) {
		s := open(t)
		o := otp(1)
		o.AttemptsUsed, o.MaxAttempts = 1, 3
		insertOTP(t, s, o)
		var inside *store.OTP
		update(t, s, func(tx store.Tx) error {
			before, err := tx.OTP(o.ID)
			if err != nil {
				return err
			}
			before.State = "not kept"
			counted, ok, err := tx.CountTry(o.ID, at(0))
			equal(t, "counted", []any{counted.AttemptsUsed, ok, err}, []any{2, true, nil})
			var c store.OTPChange
			fill(&c, 70)
			if ok, err := tx.ChangeOTP(o.ID, nil, c); !ok || err != nil {
				return fmt.Errorf("not changed: %w", err)
			}
			inside, err = tx.OTP(o.ID)
			return err
		})
		equal(t, "otp", inside, view(t, s, func(tx store.Tx) (*store.OTP, error) { return tx.OTP(o.ID) }))
	},
	"what was deleted is not read any more": func(t *testing.T, open Open) {
		s := open(t)
		insert(t, s, message(1, 1))
		insertOTP(t, s, otp(1))
		fails(t, s, errMine, func(tx store.Tx) error {
			_, e1 := tx.Message("msg_0001")
			_, e2 := tx.OTP(otp(1).ID)
			err := errors.Join(e1, e2, tx.DeleteMessage("msg_0001"), tx.DeleteOTP(otp(1).ID))
			_, e1 = tx.Message("msg_0001")
			_, e2 = tx.OTP(otp(1).ID)
			equal(t, "gone", []bool{err == nil, errors.Is(e1, store.ErrNotFound), errors.Is(e2, store.ErrNotFound)}, []bool{true, true, true})
			return errMine
		})
		get(t, s, "msg_0001") // undone
	},
	"what follows is done once, and only when it is durable": func(t *testing.T, open Open) {
		s := open(t)
		var kept, undone int
		update(t, s, func(tx store.Tx) error { tx.After(func() { kept++ }); return tx.PutSetting("a", "1") })
		fails(t, s, errMine, func(tx store.Tx) error { tx.After(func() { undone++ }); return errMine })
		done := make(chan error)
		const n = 64
		var after [n]int
		for i := range n { // share commits; those that fail undo the others
			go func() {
				done <- s.Update(context.Background(), "test", func(tx store.Tx) error {
					tx.After(func() { after[i]++ })
					if err := tx.PutSetting(fmt.Sprint(i), "x"); err != nil || i%3 == 0 {
						return errors.Join(err, errMine)
					}
					return nil
				})
			}()
		}
		for range n {
			if err := <-done; err != nil && !errors.Is(err, errMine) {
				t.Error(err)
			}
		}
		for i := range n {
			want := 1
			if i%3 == 0 {
				want = 0
			}
			equal(t, fmt.Sprint("after ", i), after[i], want)
		}
		equal(t, "counts", []int{kept, undone}, []int{1, 0})
	},
}
