package storetest

import (
	"fmt"
	"slices"
	"testing"

	"github.com/modemgate/modemgate/gateway/store"
)

// listed inserts twelve messages that differ in what can be asked for.
func listed(t *testing.T, s store.Store) {
	t.Helper()
	for i := range 12 {
		m := message(i, 1)
		m.State = []store.State{store.Queued, store.Sent, store.Unknown}[i%3]
		m.Final = i%3 != 0 && i >= 6
		m.Key = []string{"shop", "bank"}[i%2]
		if i%4 == 0 {
			m.OTPID, m.To = "otp_1", "+447700900002"
		}
		switch i % 5 {
		case 1:
			m.Route, m.Via = "back,front", []string{"front", "back"}
		case 2:
			m.Line = "front"
		case 3:
			m.Route, m.Via = "front-2", []string{"front-2"}
		}
		insert(t, s, m)
	}
}

var listTests = map[string]func(t *testing.T, open Open){
	"queries select": func(t *testing.T, open Open) {
		s := open(t)
		listed(t, s)
		for _, c := range []struct {
			name string
			q    store.MessageQuery
			want []int
		}{
			{"all", store.MessageQuery{}, []int{11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0}},
			{"oldest first", store.MessageQuery{Ascending: true, Limit: 3}, []int{0, 1, 2}},
			{"after a cursor", store.MessageQuery{Ascending: true, Limit: 3, Cursor: "msg_0002"}, []int{3, 4, 5}},
			{"before a cursor", store.MessageQuery{Limit: 3, Cursor: "msg_0002"}, []int{1, 0}},
			{"of a key", store.MessageQuery{Key: "bank"}, []int{11, 9, 7, 5, 3, 1}},
			{"no otp", store.MessageQuery{OTPOf: "nobody"}, []int{11, 10, 9, 7, 6, 5, 3, 2, 1}},
			{"no otp of others", store.MessageQuery{OTPOf: "shop"}, []int{11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0}},
			{"queued", store.MessageQuery{State: store.Queued}, []int{9, 6, 3, 0}},
			{"sent, open and final", store.MessageQuery{State: store.Sent}, []int{10, 7, 4, 1}},
			{"sent, oldest first", store.MessageQuery{State: store.Sent, Ascending: true, Limit: 3}, []int{1, 4, 7}},
			{"unknown from a cursor", store.MessageQuery{State: store.Unknown, Cursor: "msg_0008", Limit: 1}, []int{5}},
			{"failed", store.MessageQuery{State: store.Failed}, nil},
			{"to a number", store.MessageQuery{To: "+447700900002"}, []int{8, 4, 0}},
			{"to a number, a page", store.MessageQuery{To: "+447700900002", Ascending: true, Cursor: "msg_0000", Limit: 1}, []int{4}},
			{"by a line or its wish", store.MessageQuery{Via: "front"}, []int{11, 7, 6, 2, 1}},
			{"by a pattern, which no line is named", store.MessageQuery{Via: "fr%"}, nil},
			{"by another pattern", store.MessageQuery{Via: "fron_"}, nil},
			{"by its escape", store.MessageQuery{Via: "!front"}, nil},
			{"by another line", store.MessageQuery{Via: "back"}, []int{11, 6, 1}},
			{"since", store.MessageQuery{Since: at(9)}, []int{11, 10, 9}},
			{"until", store.MessageQuery{Until: at(2)}, []int{1, 0}},
			{"much at once", store.MessageQuery{Key: "shop", OTPOf: "nobody", State: store.Unknown, Since: at(1), Until: at(9)}, []int{2}},
		} {
			t.Run(c.name, func(t *testing.T) {
				var want []string
				for _, i := range c.want {
					want = append(want, fmt.Sprintf("msg_%04d", i))
				}
				got := view(t, s, func(tx store.Tx) ([]*store.Message, error) { return tx.ListMessages(c.q) })
				equal(t, "page", ids(got), want)
				for _, m := range got {
					equal(t, "parts", len(m.Parts), 1)
				}
			})
		}
	},
	"pages meet without gap or overlap while messages come": func(t *testing.T, open Open) {
		for _, ascending := range []bool{false, true} {
			s := open(t)
			for i := range 25 {
				if !ascending || i > 0 {
					queued(t, s, i+100, func(m *store.Message) { m.ID = fmt.Sprintf("msg_%t_%04d", ascending, i+100) })
				}
			}
			q := store.MessageQuery{Limit: 4, Ascending: ascending, Since: at(100), Until: at(200)}
			var seen []string
			for page := 0; ; page++ {
				got := ids(view(t, s, func(tx store.Tx) ([]*store.Message, error) { return tx.ListMessages(q) }))
				if len(got) == 0 {
					break
				}
				seen = append(seen, got...)
				q.Cursor = got[len(got)-1]
				queued(t, s, 300+page, func(m *store.Message) { m.ID = fmt.Sprintf("msg_%t_%04d", ascending, 300+page) })
			}
			sorted := slices.Clone(seen)
			slices.Sort(sorted)
			if !ascending {
				slices.Reverse(sorted)
			}
			equal(t, "order", seen, sorted)
			equal(t, "distinct", len(slices.Compact(sorted)), len(seen))
			s.Close()
			if ascending {
				equal(t, "all", len(seen), 49)
			} else {
				equal(t, "all", len(seen), 25)
			}
		}
	},
}
