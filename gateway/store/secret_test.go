package store_test

import (
	"bytes"
	"context"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/modemgate/modemgate/gateway/store"
)

// words are the plain values that must never be on the disk.
var words = []string{
	"WORD-outbound-text", "WORD-inbound-text", "WORD-07A1B2C3", "WORD-part-text", "WORD-part-pdu", "WORD-recipient", "WORD-payload",
}

// fillWords puts each word where it is sealed.
func fillWords(t *testing.T, s store.Store) {
	t.Helper()
	update(t, s, func(tx store.Tx) error {
		m := benchMessage("msg_1", 1, time.Now())
		m.Text = words[0]
		if err := tx.InsertMessage(m); err != nil {
			return err
		}
		err := tx.InsertInbound(&store.Inbound{ID: "in_1", From: "+4477", Line: "front", Text: words[1], Raw: []string{words[2], "00"}})
		if err != nil {
			return err
		}
		err = tx.InsertSet(&store.Set{Key: store.SetKey{From: "+4477", Total: 2},
			Parts: []store.SetPart{{Seq: 1, Text: words[3], Raw: words[4]}}})
		if err != nil {
			return err
		}
		if err := tx.AddReport(store.Report{ICCID: "a", MR: 1, Recipient: words[5]}); err != nil {
			return err
		}
		return tx.AddEvent(&store.Event{Stream: "inbound", About: "in_1", Payload: []byte(words[6])})
	})
}

// onDisk is all that the files hold. They are read by another process: SQLite's
// locks are POSIX locks, which a process loses when it closes any descriptor
// of the file.
func onDisk(t *testing.T, dir string) []byte {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("cat", files...).Output()
	if err != nil {
		t.Skipf("cat is needed to read the files: %v", err)
	}
	return out
}

func TestWhatIsSealedIsNowhereInClear(t *testing.T) {
	dir := t.TempDir()
	s := open(t, store.Options{Dir: dir})
	fillWords(t, s)
	update(t, s, put("WORD-control", "1")) // that the search finds anything
	for _, when := range []string{"in the log", "in the database"} {
		if err := s.Backup(context.Background(), filepath.Join(dir, "copy")); err != nil {
			t.Fatal(err)
		}
		disk := onDisk(t, dir)
		if !bytes.Contains(disk, []byte("WORD-control")) {
			t.Fatalf("%s: the search is blind", when)
		}
		for _, w := range words {
			if bytes.Contains(disk, []byte(w)) {
				t.Errorf("%s: %s is readable", when, w)
			}
		}
		if err := s.Checkpoint(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	err := s.View(context.Background(), func(tx store.Tx) error {
		text, err := tx.MessageText("msg_1")
		if text != words[0] {
			t.Errorf("got %q", text)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func TestErasedTextsAreGoneFromTheDiskAfterACheckpoint(t *testing.T) {
	dir := t.TempDir()
	s := open(t, store.Options{Dir: dir})
	fillWords(t, s)
	sealed := make(map[string][]byte)
	for name, q := range map[string][3]string{
		"text of the message": {"body", "messages", "id='msg_1'"},
		"text of the inbound": {"body", "inbound", "id='in_1'"},
		"PDUs of the inbound": {"raw", "inbound", "id='in_1'"},
		"text of the part":    {"body", "set_parts", "seq=1"},
		"payload":             {"payload", "events", "seq=1"},
		"recipient":           {"recipient", "reports", "mr=1"},
	} {
		b, err := store.Sealed(s, q[0], q[1], q[2])
		if err != nil || len(b) < 20 {
			t.Fatalf("%s: %d octets, %v", name, len(b), err)
		}
		sealed[name] = b
	}
	update(t, s, put("much", strings.Repeat("x", 9000))) // moves rows about
	if err := s.Checkpoint(context.Background()); err != nil {
		t.Fatal(err)
	}
	update(t, s, func(tx store.Tx) error {
		if err := tx.EraseText("msg_1"); err != nil {
			return err
		}
		if err := tx.DeleteInbound("in_1"); err != nil {
			return err
		}
		if _, err := tx.EraseSetsFrom("+4477"); err != nil {
			return err
		}
		if _, err := tx.DeleteEvents("in_1"); err != nil {
			return err
		}
		return tx.DeleteReport(1)
	})
	before := onDisk(t, dir)
	for name, b := range sealed {
		if !bytes.Contains(before, b) {
			t.Errorf("%s: it left the disk before the checkpoint: the test proves nothing", name)
		}
	}
	if err := s.Checkpoint(context.Background()); err != nil {
		t.Fatal(err)
	}
	after := onDisk(t, dir)
	for name, b := range sealed {
		if bytes.Contains(after, b) {
			t.Errorf("%s is still on the disk", name)
		}
	}
}

func TestASealedValueCannotStandInForAnother(t *testing.T) {
	s := open(t, store.Options{Dir: t.TempDir()})
	update(t, s, func(tx store.Tx) error {
		for _, id := range []string{"msg_1", "msg_2"} {
			m := benchMessage(id, 1, time.Now())
			m.Text = "WORD of " + id
			if err := tx.InsertMessage(m); err != nil {
				return err
			}
		}
		return nil
	})
	if err := store.Exec(s, "UPDATE messages SET body=(SELECT body FROM messages WHERE id='msg_1') WHERE id='msg_2'"); err != nil {
		t.Fatal(err)
	}
	err := s.View(context.Background(), func(tx store.Tx) error { _, err := tx.MessageText("msg_2"); return err })
	if err == nil || strings.Contains(err.Error(), "WORD") {
		t.Errorf("got %v", err)
	}
}

func TestAnotherKeyIsRefusedAtTheStart(t *testing.T) {
	dir := t.TempDir()
	open(t, store.Options{Dir: dir}).Close()
	_, err := store.OpenSQLite(context.Background(), store.Options{Dir: dir, SealKey: bytes.Repeat([]byte{8}, store.SealKeySize)})
	if err == nil || !strings.Contains(err.Error(), "key") {
		t.Errorf("got %v", err)
	}
	if _, err = store.OpenSQLite(context.Background(), store.Options{Dir: dir, SealKey: []byte("short")}); err == nil {
		t.Error("a short key was accepted")
	}
	open(t, store.Options{Dir: dir})
}
