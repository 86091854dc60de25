package storetest

import (
	"testing"
	"time"

	"github.com/modemgate/modemgate/gateway/store"
)

var setKey = store.SetKey{ICCID: "8944", From: "+4477", Reference: 7, Wide: true, Total: 3}

func setPart(n int) store.SetPart {
	return store.SetPart{Seq: n, Text: "part text", Encoding: "gsm7", Raw: "07A1", SMSCAt: at(n), At: at(n + 1)}
}

// newSet inserts a set whose first part came at i seconds.
func newSet(t *testing.T, s store.Store, i int, parts ...store.SetPart) *store.Set {
	t.Helper()
	set := &store.Set{Key: setKey, Line: "front", To: "+4400", FromType: "international", FirstAt: at(i), DueAt: at(i + 600),
		InboundID: "in_1", AmendID: "in_2", LateAt: at(i + 1), Simulated: true, Parts: parts}
	update(t, s, func(tx store.Tx) error { return tx.InsertSet(set) })
	return set
}

var setTests = map[string]func(t *testing.T, open Open){
	"sets collect parts": func(t *testing.T, open Open) {
		s := open(t)
		first := newSet(t, s, 1, setPart(2))
		second := newSet(t, s, 50)
		update(t, s, func(tx store.Tx) error { return tx.AddSetPart(first.ID, setPart(1)) })
		fails(t, s, store.ErrConflict, func(tx store.Tx) error { return tx.AddSetPart(first.ID, setPart(1)) })
		first.Parts = []store.SetPart{setPart(1), setPart(2)}
		got := view(t, s, func(tx store.Tx) ([]*store.Set, error) { return tx.FindSets(setKey) })
		equal(t, "newest first", got, []*store.Set{second, first})
		other := setKey
		other.Total = 4
		equal(t, "another", len(view(t, s, func(tx store.Tx) ([]*store.Set, error) { return tx.FindSets(other) })), 0)
		equal(t, "by id", view(t, s, func(tx store.Tx) (*store.Set, error) { return tx.Set(first.ID) }), first)
		fails(t, s, store.ErrNotFound, func(tx store.Tx) error { _, err := tx.Set(99); return err })
	},
	"sets are due, done and purged": func(t *testing.T, open Open) {
		s := open(t)
		late, early := newSet(t, s, 50), newSet(t, s, 1, setPart(1))
		overdue := func(now time.Time, limit int) (out []int64) {
			for _, set := range view(t, s, func(tx store.Tx) ([]*store.Set, error) { return tx.OverdueSets(now, limit) }) {
				out = append(out, set.ID)
			}
			return out
		}
		equal(t, "overdue", [][]int64{overdue(at(600), 9), overdue(at(601), 9), overdue(at(700), 9), overdue(at(700), 1)},
			[][]int64{nil, {early.ID}, {early.ID, late.ID}, {early.ID}})
		update(t, s, func(tx store.Tx) error {
			return tx.ChangeSet(early.ID, store.SetChange{DueAt: ptr(time.Time{}), InboundID: ptr("in_8"), AmendID: ptr("in_9"),
				LateAt: ptr(time.Time{}), Done: ptr(true)})
		})
		early.DueAt, early.InboundID, early.AmendID, early.LateAt, early.Done = time.Time{}, "in_8", "in_9", time.Time{}, true
		equal(t, "changed", view(t, s, func(tx store.Tx) (*store.Set, error) { return tx.Set(early.ID) }), early)
		fails(t, s, store.ErrNotFound, func(tx store.Tx) error { return tx.ChangeSet(99, store.SetChange{Done: ptr(true)}) })
		purge := func() int {
			return change(t, s, func(tx store.Tx) (int, error) { return tx.PurgeSets(at(100), 9) })
		}
		equal(t, "purged", []int{purge(), purge()}, []int{1, 0})
		equal(t, "the open one stays", len(view(t, s, func(tx store.Tx) ([]*store.Set, error) { return tx.FindSets(setKey) })), 1)
	},
	"a flood of one key is found in part": func(t *testing.T, open Open) {
		s := open(t)
		var last *store.Set
		for i := range 40 {
			last = newSet(t, s, i)
		}
		got := view(t, s, func(tx store.Tx) ([]*store.Set, error) { return tx.FindSets(setKey) })
		equal(t, "sets to compare a part with", len(got), 32)
		equal(t, "the newest", got[0].ID, last.ID)
	},
	"the sets of a sender are erased": func(t *testing.T, open Open) {
		s := open(t)
		newSet(t, s, 1, setPart(1), setPart(2))
		erase := func(n string) int {
			return change(t, s, func(tx store.Tx) (int, error) { return tx.EraseSetsFrom(n) })
		}
		equal(t, "erased", []int{erase("+1"), erase("+4477")}, []int{0, 1})
		equal(t, "left", len(view(t, s, func(tx store.Tx) ([]*store.Set, error) { return tx.FindSets(setKey) })), 0)
	},
}
