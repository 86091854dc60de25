package storetest

import (
	"testing"
	"time"

	"github.com/modemgate/modemgate/gateway/store"
)

var limitTests = map[string]func(t *testing.T, open Open){
	"counters count by kind, subject and window": func(t *testing.T, open Open) {
		s := open(t)
		add := func(kind, subject string, window time.Time, n int) int {
			return change(t, s, func(tx store.Tx) (int, error) { return tx.AddCounter(kind, subject, window, n) })
		}
		equal(t, "sums", []int{add("k", "a", at(0), 1), add("k", "a", at(0), 2), add("k", "b", at(0), 1), add("k", "a", at(60), 1),
			add("l", "a", at(0), 1), add("k", "a", at(0), -1)}, []int{1, 3, 1, 1, 1, 2})
		read := func(kind, subject string, window time.Time) int {
			return view(t, s, func(tx store.Tx) (int, error) { return tx.Counter(kind, subject, window) })
		}
		equal(t, "read", []int{read("k", "a", at(0)), read("k", "x", at(0))}, []int{2, 0})
		windows := []store.Window{{Kind: "k", Start: at(0)}, {Kind: "m", Start: at(0)}, {Kind: "l", Start: at(0)}}
		several := func(subject string) []int {
			return view(t, s, func(tx store.Tx) ([]int, error) { return tx.Counters(subject, windows) })
		}
		equal(t, "several", several("a"), []int{2, 0, 1})
		update(t, s, func(tx store.Tx) error { return tx.AddCounters("a", windows[:2], 3) })
		equal(t, "several more", [][]int{several("a"), several("b")}, [][]int{{5, 3, 1}, {1, 0, 0}})
		update(t, s, func(tx store.Tx) error { return tx.AddCounters("a", windows[:2], -3) })
		equal(t, "purged", change(t, s, func(tx store.Tx) (int, error) { return tx.PurgeLimits(at(60), at(60)) }), 4)
		equal(t, "left", []int{read("k", "a", at(0)), read("k", "a", at(60))}, []int{0, 1})
	},
	"moments are listed from a time on": func(t *testing.T, open Open) {
		s := open(t)
		update(t, s, func(tx store.Tx) error {
			for _, i := range []int{3, 1, 3, 2} {
				if err := tx.AddMoment("k", "a", at(i)); err != nil {
					return err
				}
			}
			return tx.AddMoment("k", "b", at(9))
		})
		list := func(since time.Time) []time.Time {
			return view(t, s, func(tx store.Tx) ([]time.Time, error) { return tx.Moments("k", "a", since) })
		}
		equal(t, "all", list(at(0)), []time.Time{at(1), at(2), at(3), at(3)})
		equal(t, "some", list(at(2)), []time.Time{at(2), at(3), at(3)})
		equal(t, "purged", change(t, s, func(tx store.Tx) (int, error) { return tx.PurgeLimits(at(3), at(0)) }), 2)
		equal(t, "left", list(at(0)), []time.Time{at(3), at(3)})
	},
	"failures of a number": func(t *testing.T, open Open) {
		s := open(t)
		read := func() store.NumberFailures {
			return view(t, s, func(tx store.Tx) (store.NumberFailures, error) { return tx.Failures("a") })
		}
		equal(t, "none", read(), store.NumberFailures{})
		for _, f := range []store.NumberFailures{{Count: 1}, {Count: 12, WaitUntil: at(1), Locked: true}, {}} {
			update(t, s, func(tx store.Tx) error { return tx.SetFailures("a", f) })
			equal(t, "set", read(), f)
		}
	},
	"idempotency records": func(t *testing.T, open Open) {
		s := open(t)
		r := store.IdempotencyRecord{Key: "shop", Path: "/v1/otp", ID: "h", Fingerprint: []byte{1}, Status: 201, Resource: "otp_1", At: at(1)}
		update(t, s, func(tx store.Tx) error { return tx.PutIdempotency(r) })
		read := func(path string) func(tx store.Tx) (*store.IdempotencyRecord, error) {
			return func(tx store.Tx) (*store.IdempotencyRecord, error) { return tx.IdempotencyRecord("shop", path, "h") }
		}
		equal(t, "read", *view(t, s, read("/v1/otp")), r)
		fails(t, s, store.ErrNotFound, func(tx store.Tx) error { _, err := read("/v1/messages")(tx); return err })
		r.Resource, r.At = "otp_2", at(5)
		update(t, s, func(tx store.Tx) error { return tx.PutIdempotency(r) })
		equal(t, "replaced", *view(t, s, read("/v1/otp")), r)
		purge := func(before time.Time) int {
			return change(t, s, func(tx store.Tx) (int, error) { return tx.PurgeIdempotency(before) })
		}
		equal(t, "purged", []int{purge(at(5)), purge(at(6))}, []int{0, 1})
	},
}
