package store_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/modemgate/modemgate/gateway/store"
)

// TestUnpublishedIsWhatTheRowsSay drives the events that are kept in memory
// through overflow, erasure, marks and restarts; whatever a publisher asks
// for, it gets what a reading of the rows would have given.
func TestUnpublishedIsWhatTheRowsSay(t *testing.T) {
	o := store.Options{Dir: t.TempDir()}
	s := open(t, o)
	r := rand.New(rand.NewPCG(1, 2))
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	seqs := map[string]int64{}
	add := func(stream string, n, octets int) {
		update(t, s, func(tx store.Tx) error {
			for range n {
				e := &store.Event{Stream: stream, Subject: "s", MsgID: "m", Type: "t", About: fmt.Sprint("msg_", r.IntN(40)),
					Payload: make([]byte, octets), At: at.Add(1500)}
				if err := tx.AddEvent(e); err != nil {
					return err
				}
				seqs[stream] = e.Seq
			}
			return nil
		})
	}
	for step := range 60 {
		stream := []string{"inbound", "status"}[r.IntN(2)]
		switch k := r.IntN(12); {
		case k < 5:
			add(stream, 1+r.IntN(20), 100)
		case k == 5:
			add(stream, 700, 10)
		case k == 6:
			add(stream, 4, 400_000)
		case k == 7:
			update(t, s, func(tx store.Tx) error { _, err := tx.DeleteEvents(fmt.Sprint("msg_", r.IntN(40))); return err })
		case k == 8:
			err := s.Update(t.Context(), "test", func(tx store.Tx) error { // undone
				if err := tx.AddEvent(&store.Event{Stream: stream, Payload: []byte("never")}); err != nil {
					return err
				}
				return context.Canceled
			})
			if err != context.Canceled {
				t.Fatal(err)
			}
		case k == 9 && step%3 == 0:
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			s = open(t, o)
		default:
			update(t, s, func(tx store.Tx) error { return tx.MarkEvents(stream, seqs[stream]*int64(r.IntN(10))/9, 1) })
		}
		for _, after := range []int64{0, seqs[stream] / 2, seqs[stream] - 30, seqs[stream] - 1, seqs[stream]} {
			after, limit := max(0, after), 1+r.IntN(300)
			got, err := s.Unpublished(t.Context(), stream, after, limit)
			if err != nil {
				t.Fatal(err)
			}
			var want []*store.Event
			err = s.View(t.Context(), func(tx store.Tx) (err error) {
				want, err = tx.PendingEvents(stream, after, limit)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			if len(got)+len(want) > 0 && !reflect.DeepEqual(got, want) {
				t.Fatalf("step %d, %s after %d: %d events, the rows say %d", step, stream, after, len(got), len(want))
			}
		}
	}
}

// TestWhatIsAddedAfterAnErasureIsPublished erases between two events about
// the same, in one update: the second is published, the first never.
func TestWhatIsAddedAfterAnErasureIsPublished(t *testing.T) {
	s := open(t, store.Options{Dir: t.TempDir()})
	add := func(tx store.Tx, id string) error {
		return tx.AddEvent(&store.Event{Stream: "status", Subject: "s", MsgID: id, Type: "t", About: "msg_1", Payload: []byte(id)})
	}
	update(t, s, func(tx store.Tx) error { return add(tx, "before") })
	update(t, s, func(tx store.Tx) error {
		if err := add(tx, "erased"); err != nil {
			return err
		}
		if _, err := tx.DeleteEvents("msg_1"); err != nil {
			return err
		}
		return add(tx, "after")
	})
	got, err := s.Unpublished(t.Context(), "status", 0, 9)
	if err != nil || len(got) != 1 || got[0].MsgID != "after" {
		t.Errorf("got %d events, %v; want the one after the erasure", len(got), err)
	}
}
