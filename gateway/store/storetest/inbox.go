package storetest

import (
	"fmt"
	"testing"

	"github.com/modemgate/modemgate/gateway/store"
)

func inbound(i int) *store.Inbound {
	return &store.Inbound{ID: fmt.Sprintf("in_%04d", i), From: fmt.Sprintf("+4477%d", i%3), FromType: "international",
		To: "+447700900009", Line: []string{"front", "back"}[i%2], ICCID: "8944", Text: fmt.Sprintf("text %d", i), Encoding: "gsm7",
		Parts: 2, Incomplete: true, Amends: "in_x", SMSCAt: at(i), ReceivedAt: at(i + 1), Raw: []string{"07A1", "07B2"}, Simulated: true}
}

// insertInbound inserts n received SMS, each in a commit of its own.
func insertInbound(t *testing.T, s store.Store, from, n int) {
	t.Helper()
	for i := range n {
		in := inbound(from + i)
		update(t, s, func(tx store.Tx) error { return tx.InsertInbound(in) })
	}
}

func seqs(list []*store.Inbound) []int64 {
	var out []int64
	for _, in := range list {
		out = append(out, in.Seq)
	}
	return out
}

var inboxTests = map[string]func(t *testing.T, open Open){
	"fingerprints are known once added": func(t *testing.T, open Open) {
		s := open(t)
		seen := func(f string) bool {
			return view(t, s, func(tx store.Tx) (bool, error) { return tx.SeenPDU([]byte(f)) })
		}
		update(t, s, func(tx store.Tx) error {
			for i, f := range []string{"a", "b", "a"} {
				if err := tx.AddPDU([]byte(f), at(i)); err != nil {
					return err
				}
			}
			return nil
		})
		equal(t, "seen", []bool{seen("a"), seen("b"), seen("c")}, []bool{true, true, false})
		purge := func(limit int) int {
			return change(t, s, func(tx store.Tx) (int, error) { return tx.PurgePDUs(at(2), limit) })
		}
		equal(t, "purged", []int{purge(9), purge(9)}, []int{1, 0})
		equal(t, "the later time counts", []bool{seen("a"), seen("b")}, []bool{true, false})
	},
	"received SMS are numbered, read and listed": func(t *testing.T, open Open) {
		s := open(t)
		insertInbound(t, s, 1, 6)
		want := inbound(2)
		want.Seq = 2
		equal(t, "one", view(t, s, func(tx store.Tx) (*store.Inbound, error) { return tx.Inbound("in_0002") }), want)
		fails(t, s, store.ErrNotFound, func(tx store.Tx) error { _, err := tx.Inbound("in_x"); return err })
		fails(t, s, store.ErrConflict, func(tx store.Tx) error { return tx.InsertInbound(inbound(2)) })
		for _, c := range []struct {
			name string
			q    store.InboundQuery
			want []int64
		}{
			{"all", store.InboundQuery{}, []int64{6, 5, 4, 3, 2, 1}},
			{"before", store.InboundQuery{After: 4, Limit: 2}, []int64{3, 2}},
			{"feed", store.InboundQuery{Ascending: true, Limit: 2}, []int64{1, 2}},
			{"feed goes on", store.InboundQuery{Ascending: true, After: 2, Limit: 3}, []int64{3, 4, 5}},
			{"from", store.InboundQuery{From: "+44771"}, []int64{4, 1}},
			{"to nobody", store.InboundQuery{To: "+1"}, nil},
			{"line", store.InboundQuery{Line: "front"}, []int64{6, 4, 2}},
			{"lines", store.InboundQuery{Lines: []string{"front", "x"}, Ascending: true}, []int64{2, 4, 6}},
			{"line not among mine", store.InboundQuery{Line: "front", Lines: []string{"back"}}, nil},
			{"since", store.InboundQuery{Since: at(6)}, []int64{6, 5}},
		} {
			got := view(t, s, func(tx store.Tx) ([]*store.Inbound, error) { return tx.ListInbound(c.q) })
			equal(t, c.name, seqs(got), c.want)
		}
		equal(t, "from a number", view(t, s, func(tx store.Tx) ([]string, error) { return tx.InboundFrom("+44770") }),
			[]string{"in_0003", "in_0006"})
	},
	"a number is never given again": func(t *testing.T, open Open) {
		s := open(t)
		last := func() int64 {
			return view(t, s, func(tx store.Tx) (int64, error) { return tx.LastInboundSeq() })
		}
		equal(t, "none", last(), int64(0))
		insertInbound(t, s, 1, 3)
		update(t, s, func(tx store.Tx) error { return tx.DeleteInbound("in_0003") })
		fails(t, s, store.ErrNotFound, func(tx store.Tx) error { return tx.DeleteInbound("in_0003") })
		purge := func(limit int) int {
			return change(t, s, func(tx store.Tx) (int, error) { return tx.PurgeInbound(at(9), limit) })
		}
		equal(t, "purged", []int{purge(1), purge(9)}, []int{1, 1})
		equal(t, "last", last(), int64(3))
		insertInbound(t, s, 4, 1)
		equal(t, "next", last(), int64(4))
	},
}
