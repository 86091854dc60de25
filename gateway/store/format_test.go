package store_test

import (
	"testing"

	"github.com/modemgate/modemgate/gateway/store"
)

// What format 2 wrote has no evidence of submissions, and takes it from now on.
func TestHistoryOfFormat2(t *testing.T) {
	o := store.Options{Dir: t.TempDir(), SealKey: testKey}
	s, err := store.OpenFormat(o, 2)
	if err != nil {
		t.Fatal(err)
	}
	for _, query := range []string{
		`INSERT INTO messages VALUES ('msg_1', 'shop', '', '+447700900001', NULL, 'gsm7', 2, '', '', 'sent', 1, 3, 'hold', 1, '', '', 0, 0,
			1000000, 0, 9000000, 0, 0, 2000000, 0, 1, 0, 0, 0, 0, 'front', '8944', '')`,
		`INSERT INTO history VALUES ('msg_1', 1, 'queued', 1000000, '', 0, '', ''), ('msg_1', 2, 'sent', 2000000, 'front', 0, '', 'reference 41')`,
	} {
		if err := store.Exec(s, query); err != nil {
			t.Fatal(err)
		}
	}
	s.Close()
	s = open(t, o)
	added := store.HistoryEntry{Line: "front", Submission: &store.Submission{PDUHMAC: "00ff", Cell: &store.Cell{Area: "1A2B", ID: "1"}}}
	update(t, s, func(tx store.Tx) error { return tx.AddHistory("msg_1", added) })
	var history []store.HistoryEntry
	if err := s.View(t.Context(), func(tx store.Tx) (err error) { history, err = tx.History("msg_1"); return err }); err != nil {
		t.Fatal(err)
	}
	if len(history) != 3 || history[0].Submission != nil || history[1].Submission != nil || history[1].Note != "reference 41" {
		t.Fatalf("history %+v", history)
	}
	if got := history[2].Submission; got == nil || got.PDUHMAC != "00ff" || *got.Cell != *added.Submission.Cell || got.IMEI != "" {
		t.Errorf("evidence %+v", got)
	}
}
