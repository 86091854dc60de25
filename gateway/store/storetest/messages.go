package storetest

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/modemgate/modemgate/gateway/store"
)

// full is a message with every field set.
func full() *store.Message {
	return &store.Message{
		ID: "msg_full", Key: "shop", OTPID: "otp_1", To: "+447700900001", Text: "grüße €", Encoding: "ucs2",
		Priority: store.PriorityHigh, Route: "back,front", Via: []string{"front", "back"}, State: store.Unknown,
		Final: true, Rev: 7, OnUnknown: "resend", Report: true, Ref: "order 7", Metadata: json.RawMessage(`{"a":1}`),
		Reference: 200, Wide: true, CreatedAt: at(0), SendAt: at(1), DeadlineAt: at(2), NotBefore: at(3), DueAt: at(4),
		EndedAt: at(5), TextUntil: at(6), Attempts: 2, Resends: 1, PossibleDuplicate: true,
		Simulated: true, Held: true, Line: "front", ICCID: "8944", Error: "cms-38",
		Parts: []store.Part{
			{Index: 1, State: store.Sent, Line: "front", ICCID: "8944", Reference: 0, Attempts: 1, SubmittedAt: at(7),
				SentAt: at(8), ReportedAt: at(9), Status: 0},
			{Index: 2, State: store.Unknown, Line: "front", ICCID: "8944", Reference: -1, Attempts: 1, Status: -1, Error: "x"},
		},
	}
}

// evidence is a submission with every field set.
func evidence() *store.Submission {
	return &store.Submission{
		IMEI: "869999000000017", ICCID: "8944", SignalDBM: -71, PDUHMAC: "00ff",
		Cell: &store.Cell{Area: "1A2B", ID: "0011223", Radio: "lte"},
	}
}

var messageTests = map[string]func(t *testing.T, open Open){
	"what is inserted is read, without its text": func(t *testing.T, open Open) {
		s := open(t)
		m := full()
		insert(t, s, m)
		want := full()
		want.Text, want.HasText = "", true
		equal(t, "message", get(t, s, m.ID), want)
		text := view(t, s, func(tx store.Tx) (string, error) { return tx.MessageText(m.ID) })
		equal(t, "text", text, "grüße €")
		history := view(t, s, func(tx store.Tx) ([]store.HistoryEntry, error) { return tx.History(m.ID) })
		equal(t, "history", history, []store.HistoryEntry{{State: store.Unknown, At: at(0), Line: "front", Error: "cms-38"}})
		fails(t, s, store.ErrConflict, func(tx store.Tx) error { return tx.InsertMessage(full()) })
	},
	"what is not there is not found": func(t *testing.T, open Open) {
		s := open(t)
		fails(t, s, store.ErrNotFound, func(tx store.Tx) error { _, err := tx.Message("msg_x"); return err })
		fails(t, s, store.ErrNotFound, func(tx store.Tx) error { _, err := tx.MessageText("msg_x"); return err })
		fails(t, s, store.ErrNotFound, func(tx store.Tx) error { return tx.EraseText("msg_x") })
		fails(t, s, store.ErrNotFound, func(tx store.Tx) error { return tx.DeleteMessage("msg_x") })
	},
	"a change holds only in the states it leaves": func(t *testing.T, open Open) {
		s := open(t)
		insert(t, s, message(1, 1))
		claim := store.MessageChange{State: ptr(store.Sending), Line: ptr("front"), At: at(5)}
		first := change(t, s, func(tx store.Tx) (bool, error) {
			return tx.ChangeMessage("msg_0001", []store.State{store.Queued}, claim)
		})
		second := change(t, s, func(tx store.Tx) (bool, error) {
			return tx.ChangeMessage("msg_0001", []store.State{store.Queued, store.Unknown}, claim)
		})
		none := change(t, s, func(tx store.Tx) (bool, error) { return tx.ChangeMessage("msg_x", nil, claim) })
		equal(t, "held, and did not", []bool{first, second, none}, []bool{true, false, false})
		m := get(t, s, "msg_0001")
		equal(t, "rev", m.Rev, int64(2))
		history := view(t, s, func(tx store.Tx) ([]store.HistoryEntry, error) { return tx.History("msg_0001") })
		equal(t, "history", history, []store.HistoryEntry{
			{State: store.Queued, At: at(1)}, {State: store.Sending, At: at(5), Line: "front"}})
	},
	"every field can be changed": func(t *testing.T, open Open) {
		s := open(t)
		want := full()
		m := message(1, 0)
		m.ID, m.OTPID, m.Key, m.Text = want.ID, want.OTPID, want.Key, ""
		insert(t, s, m)
		ok := change(t, s, func(tx store.Tx) (bool, error) {
			return tx.ChangeMessage(m.ID, nil, store.MessageChange{
				State: &want.State, Final: &want.Final, Route: &want.Route, NotBefore: &want.NotBefore, DueAt: &want.DueAt,
				DeadlineAt: &want.DeadlineAt, EndedAt: &want.EndedAt, TextUntil: &want.TextUntil,
				AddAttempts: 2, AddResends: 1, PossibleDuplicate: ptr(true), Simulated: ptr(true), Line: &want.Line,
				ICCID: &want.ICCID, Error: &want.Error, Held: ptr(true), At: at(9),
				History: &store.HistoryEntry{Part: 2, Error: "cms-38", Note: "why", Submission: &store.Submission{SignalDBM: -71}},
			})
		})
		equal(t, "held", ok, true)
		got := get(t, s, m.ID)
		m.State, m.Final, m.Route, m.NotBefore, m.DueAt = want.State, true, want.Route, want.NotBefore, want.DueAt
		m.DeadlineAt, m.EndedAt, m.TextUntil = want.DeadlineAt, want.EndedAt, want.TextUntil
		m.Attempts, m.Resends, m.PossibleDuplicate, m.Simulated = 2, 1, true, true
		m.Line, m.ICCID, m.Error, m.Held, m.Rev = want.Line, want.ICCID, want.Error, true, 2
		equal(t, "message", got, m)
		history := view(t, s, func(tx store.Tx) ([]store.HistoryEntry, error) { return tx.History(m.ID) })
		equal(t, "entry", history[1], store.HistoryEntry{
			State: store.Unknown, At: at(9), Part: 2, Error: "cms-38", Note: "why", Submission: &store.Submission{SignalDBM: -71}})
	},
	"history without a change of state takes the present one": func(t *testing.T, open Open) {
		s := open(t)
		insert(t, s, message(1, 1))
		update(t, s, func(tx store.Tx) error {
			if err := tx.AddHistory("msg_0001", store.HistoryEntry{At: at(2), Note: "waits", Submission: evidence()}); err != nil {
				return err
			}
			_, err := tx.ChangeMessage("msg_0001", nil, store.MessageChange{AddAttempts: 1, At: at(3)})
			return err
		})
		history := view(t, s, func(tx store.Tx) ([]store.HistoryEntry, error) { return tx.History("msg_0001") })
		equal(t, "history", history, []store.HistoryEntry{
			{State: store.Queued, At: at(1)}, {State: store.Queued, At: at(2), Note: "waits", Submission: evidence()}})
		fails(t, s, store.ErrNotFound, func(tx store.Tx) error {
			return tx.AddHistory("msg_x", store.HistoryEntry{At: at(2)})
		})
	},
	"texts are erased when their time has come": func(t *testing.T, open Open) {
		s := open(t)
		for i := range 3 {
			m := message(i, 1)
			m.TextUntil = []time.Time{at(10), {}, at(5)}[i]
			insert(t, s, m)
		}
		erasable := func(now time.Time, limit int) []string {
			return view(t, s, func(tx store.Tx) ([]string, error) { return tx.ErasableTexts(now, limit) })
		}
		equal(t, "before", erasable(at(4), 9), []string(nil))
		equal(t, "first", erasable(at(5), 9), []string{"msg_0002"})
		equal(t, "all", erasable(at(10), 9), []string{"msg_0002", "msg_0000"})
		equal(t, "limit", erasable(at(10), 1), []string{"msg_0002"})
		update(t, s, func(tx store.Tx) error { return tx.EraseText("msg_0002") })
		update(t, s, func(tx store.Tx) error { return tx.EraseText("msg_0002") })
		equal(t, "after", erasable(at(10), 9), []string{"msg_0000"})
		m := get(t, s, "msg_0002")
		equal(t, "has text, rev", []any{m.HasText, m.Rev}, []any{false, int64(2)})
		equal(t, "text", view(t, s, func(tx store.Tx) (string, error) { return tx.MessageText("msg_0002") }), "")
	},
	"an unknown message stays as long as it has its text": func(t *testing.T, open Open) {
		s := open(t)
		for i, state := range []store.State{store.Unknown, store.Unknown, store.Sent} {
			queued(t, s, i, func(m *store.Message) { m.State, m.Final, m.EndedAt = state, true, at(1) })
		}
		update(t, s, func(tx store.Tx) error { return tx.EraseText("msg_0001") })
		n := change(t, s, func(tx store.Tx) (int, error) { return tx.PurgeMessages(at(9), 9) })
		equal(t, "purged", n, 2)
		equal(t, "state", get(t, s, "msg_0000").State, store.Unknown)
	},
	"old final messages are purged with all that is theirs": func(t *testing.T, open Open) {
		s := open(t)
		for i := range 4 {
			m := message(i, 2)
			m.Final, m.EndedAt = i != 3, at(i)
			insert(t, s, m)
		}
		n := change(t, s, func(tx store.Tx) (int, error) { return tx.PurgeMessages(at(2), 1) })
		equal(t, "first", n, 1)
		n = change(t, s, func(tx store.Tx) (int, error) { return tx.PurgeMessages(at(2), 9) })
		equal(t, "second", n, 1)
		left := view(t, s, func(tx store.Tx) ([]*store.Message, error) { return tx.ListMessages(store.MessageQuery{}) })
		equal(t, "left", ids(left), []string{"msg_0003", "msg_0002"})
		history := view(t, s, func(tx store.Tx) ([]store.HistoryEntry, error) { return tx.History("msg_0000") })
		equal(t, "history", len(history), 0)
		update(t, s, func(tx store.Tx) error { return tx.DeleteMessage("msg_0002") })
		insert(t, s, message(2, 1)) // nothing of the old one is in the way
		queued(t, s, 5, func(m *store.Message) { m.State, m.DueAt = store.Sent, at(9) })
		queued(t, s, 6, func(m *store.Message) { m.Held = true })
		queued(t, s, 7, func(m *store.Message) { m.State, m.Final = store.Failed, true })
		queued(t, s, 8, func(m *store.Message) { m.To = "+447700900002" })
		equal(t, "to a number", view(t, s, func(tx store.Tx) ([]string, error) { return tx.MessagesTo("+447700900001") }),
			[]string{"msg_0002", "msg_0003", "msg_0005", "msg_0006", "msg_0007"})
	},
	"concatenation references go round": func(t *testing.T, open Open) {
		s := open(t)
		update(t, s, func(tx store.Tx) error {
			for i := range 600 {
				n, err := tx.NextReference([]byte("one"), false)
				if err != nil {
					return err
				}
				if n != (i+1)%256 {
					t.Fatalf("reference %d is %d", i, n)
				}
			}
			other, err := tx.NextReference([]byte("two"), false)
			equal(t, "other destination", other, 1)
			return err
		})
		wide := change(t, s, func(tx store.Tx) (n int, err error) {
			for range 300 {
				if n, err = tx.NextReference([]byte("one"), true); err != nil {
					break
				}
			}
			return n, err
		})
		equal(t, "wide", wide, 300)
	},
}
