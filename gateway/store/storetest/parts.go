package storetest

import (
	"testing"

	"github.com/modemgate/modemgate/gateway/store"
)

// refs names what was found as message/part.
func refs(list []store.PartRef) []string {
	var out []string
	for _, r := range list {
		out = append(out, r.MessageID+"/"+string(rune('0'+r.Part.Index)))
	}
	return out
}

var partTests = map[string]func(t *testing.T, open Open){
	"a change holds only in the states it leaves, and raises rev once": func(t *testing.T, open Open) {
		s := open(t)
		insert(t, s, message(1, 2))
		sent := store.PartChange{State: ptr(store.Sent), Line: ptr("front"), ICCID: ptr("8944"), Reference: ptr(0),
			AddAttempts: 1, SubmittedAt: ptr(at(1)), SentAt: ptr(at(2)), ReportedAt: ptr(at(3)), Status: ptr(0), Error: ptr("e")}
		from := []store.State{store.Queued, store.Sending}
		for i, want := range []bool{true, false} {
			got := change(t, s, func(tx store.Tx) (bool, error) { return tx.ChangePart("msg_0001", 2, from, sent) })
			equal(t, "held", []any{i, got}, []any{i, want})
		}
		equal(t, "no such part", change(t, s, func(tx store.Tx) (bool, error) { return tx.ChangePart("msg_0001", 3, nil, sent) }), false)
		m := get(t, s, "msg_0001")
		equal(t, "rev", m.Rev, int64(2))
		equal(t, "parts", m.Parts, []store.Part{
			{Index: 1, State: store.Queued, Reference: -1, Status: -1},
			{Index: 2, State: store.Sent, Line: "front", ICCID: "8944", Reference: 0, Attempts: 1, SubmittedAt: at(1),
				SentAt: at(2), ReportedAt: at(3), Status: 0, Error: "e"}})
		update(t, s, func(tx store.Tx) error {
			if _, err := tx.ChangeMessage("msg_0001", nil, store.MessageChange{AddAttempts: 1, At: at(4)}); err != nil {
				return err
			}
			_, err := tx.ChangePart("msg_0001", 1, nil, sent)
			return err
		})
		equal(t, "rev of a commit", get(t, s, "msg_0001").Rev, int64(3))
	},
	"open intents are what no answer is known for": func(t *testing.T, open Open) {
		s := open(t)
		for i, c := range []struct {
			state store.State
			iccid string
		}{
			{store.Sending, "a"}, {store.Sending, "a"}, {store.Sending, "b"}, {store.Sent, "a"}, {store.Sending, "a"}, {store.Sending, "a"},
		} {
			queued(t, s, i, func(m *store.Message) {
				m.State = c.state
				m.Parts[0].State, m.Parts[0].ICCID, m.Parts[0].SubmittedAt = c.state, c.iccid, at(100-i)
			})
		}
		turn := func(id string, state store.State) {
			change(t, s, func(tx store.Tx) (bool, error) {
				return tx.ChangePart(id, 1, nil, store.PartChange{State: &state})
			})
		}
		turn("msg_0001", store.Unknown)
		turn("msg_0004", store.Unknown)
		turn("msg_0004", store.Queued) // a copy is to be sent; the first may be answered yet
		turn("msg_0005", store.Sent)
		find := func(since int) []store.Intent {
			return view(t, s, func(tx store.Tx) ([]store.Intent, error) { return tx.OpenIntents("a", at(since)) })
		}
		one, two, three := store.Intent{MessageID: "msg_0004", Part: 1, SubmittedAt: at(96)},
			store.Intent{MessageID: "msg_0001", Part: 1, SubmittedAt: at(99)}, store.Intent{MessageID: "msg_0000", Part: 1, SubmittedAt: at(100)}
		equal(t, "oldest first", find(0), []store.Intent{one, two, three})
		equal(t, "since", find(97), []store.Intent{two, three})
		equal(t, "purged", change(t, s, func(tx store.Tx) (int, error) { return tx.PurgeIntents(at(96)) }), 0)
		update(t, s, func(tx store.Tx) error { return tx.ForgetIntents("b", at(99)) })
		update(t, s, func(tx store.Tx) error { return tx.ForgetIntents("a", at(96)) })
		equal(t, "after a later answer", find(0), []store.Intent{two, three})
		equal(t, "purged", change(t, s, func(tx store.Tx) (int, error) { return tx.PurgeIntents(at(100)) }), 1)
		equal(t, "what is sending stays", find(0), []store.Intent{three})
	},
	"parts are found by their reference": func(t *testing.T, open Open) {
		s := open(t)
		for i, c := range []struct {
			state store.State
			iccid string
			mr    int
		}{
			{store.Sent, "a", 5}, {store.Unknown, "a", 5}, {store.Delivered, "a", 5}, {store.Sent, "b", 5}, {store.Sent, "a", 6},
			{store.Unknown, "a", -1}, {store.Sent, "a", 5},
		} {
			queued(t, s, i, func(m *store.Message) {
				m.State, m.Final = c.state, true
				m.Parts[0].State, m.Parts[0].ICCID, m.Parts[0].Reference, m.Parts[0].SubmittedAt = c.state, c.iccid, c.mr, at(i)
			})
		}
		find := func(mr, from, to int) []string {
			return refs(view(t, s, func(tx store.Tx) ([]store.PartRef, error) {
				return tx.PartsByReference("a", mr, at(from), at(to))
			}))
		}
		equal(t, "newest first", find(5, 0, 9), []string{"msg_0006/1", "msg_0001/1", "msg_0000/1"})
		equal(t, "window", find(5, 1, 5), []string{"msg_0001/1"})
		equal(t, "without reference", find(-1, 0, 9), []string{"msg_0005/1"})
		equal(t, "none", find(7, 0, 9), []string(nil))
		taken := func(mr, since int, id string) bool {
			return view(t, s, func(tx store.Tx) (bool, error) { return tx.ReferenceTaken("a", mr, at(since), id) })
		}
		equal(t, "taken in any state", taken(5, 2, "msg_0002"), true)
		equal(t, "taken before the window", taken(6, 5, "msg_0000"), false)
		equal(t, "taken in the window", taken(6, 4, "msg_0000"), true)
		equal(t, "in an older message", taken(6, 4, "msg_0005"), false)
	},
	"status reports wait for their message": func(t *testing.T, open Open) {
		s := open(t)
		r := store.Report{Line: "front", ICCID: "a", MR: 5, Recipient: "+447700900001", Status: 48, SentAt: at(1), ReceivedAt: at(2)}
		update(t, s, func(tx store.Tx) error {
			for i := range 3 {
				r := r
				r.MR = 5 + i%2
				r.ReceivedAt = at(2 + i)
				if err := tx.AddReport(r); err != nil {
					return err
				}
			}
			return nil
		})
		list := func() []store.Report {
			return view(t, s, func(tx store.Tx) ([]store.Report, error) { return tx.Reports("a", 5) })
		}
		got := list()
		if len(got) != 2 || got[0].ID == got[1].ID {
			t.Fatalf("got %+v", got)
		}
		r.ID = got[0].ID
		equal(t, "report", got[0], r)
		all := view(t, s, func(tx store.Tx) ([]store.Report, error) { return tx.Reports("a", -1) })
		equal(t, "all", []int{len(all), all[0].MR, all[1].MR}, []int{3, 5, 6})
		update(t, s, func(tx store.Tx) error { return tx.DeleteReport(r.ID) })
		equal(t, "left", len(list()), 1)
		equal(t, "purged", change(t, s, func(tx store.Tx) (int, error) { return tx.PurgeReports(at(4)) }), 1)
		equal(t, "left", len(list()), 1)
	},
}
