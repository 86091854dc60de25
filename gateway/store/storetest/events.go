package storetest

import (
	"testing"

	"github.com/modemgate/modemgate/gateway/store"
)

func addEvent(t *testing.T, s store.Store, stream, about string) int64 {
	t.Helper()
	e := &store.Event{Stream: stream, Subject: "sms." + about, MsgID: "id", Type: "t", Source: "/s", About: about,
		Payload: []byte(`{"a":1}`), At: at(1)}
	update(t, s, func(tx store.Tx) error { return tx.AddEvent(e) })
	return e.Seq
}

var eventTests = map[string]func(t *testing.T, open Open){
	"events wait by stream until they are marked": func(t *testing.T, open Open) {
		s := open(t)
		var all []int64
		for range 3 {
			all = append(all, addEvent(t, s, "status", "msg_1"))
			addEvent(t, s, "inbound", "in_1")
		}
		pending := func(limit int) (out []int64) {
			for _, e := range view(t, s, func(tx store.Tx) ([]*store.Event, error) { return tx.PendingEvents("status", 0, limit) }) {
				out = append(out, e.Seq)
			}
			return out
		}
		equal(t, "pending", pending(9), all)
		equal(t, "limit", pending(2), all[:2])
		first := view(t, s, func(tx store.Tx) ([]*store.Event, error) { return tx.PendingEvents("status", 0, 1) })[0]
		equal(t, "event", *first, store.Event{Seq: all[0], Stream: "status", Subject: "sms.msg_1", MsgID: "id", Type: "t",
			Source: "/s", About: "msg_1", Payload: []byte(`{"a":1}`), At: at(1)})
		mark := func() (out [2]int64) {
			update(t, s, func(tx store.Tx) error {
				upTo, seq, err := tx.EventMark("status")
				out = [2]int64{upTo, int64(seq)}
				return err
			})
			return out
		}
		equal(t, "no mark", mark(), [2]int64{})
		update(t, s, func(tx store.Tx) error { return tx.MarkEvents("status", all[1], 77) })
		equal(t, "left", pending(9), all[2:])
		equal(t, "mark", mark(), [2]int64{all[1], 77})
		update(t, s, func(tx store.Tx) error { return tx.SetEventMark("status", all[1], 80) })
		equal(t, "mark set", mark(), [2]int64{all[1], 80})
		equal(t, "counts", view(t, s, func(tx store.Tx) (map[string]int, error) { return tx.CountEvents() }),
			map[string]int{"status": 1, "inbound": 3})
	},
	"erased events leave a gap that is never filled": func(t *testing.T, open Open) {
		s := open(t)
		addEvent(t, s, "status", "msg_1")
		last := addEvent(t, s, "status", "msg_2")
		erase := func(about string) int {
			return change(t, s, func(tx store.Tx) (int, error) { return tx.DeleteEvents(about) })
		}
		equal(t, "erased", []int{erase("msg_2"), erase("msg_2"), erase("")}, []int{1, 0, 0})
		if next := addEvent(t, s, "status", "msg_3"); next <= last {
			t.Errorf("sequence %d was given again after %d", next, last)
		}
	},
}
