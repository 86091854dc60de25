package store_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/modemgate/modemgate/gateway/store"
	"github.com/modemgate/modemgate/gateway/store/storetest"
)

// open opens a store in dir and closes it with the test.
func open(t *testing.T, o store.Options) store.Store {
	t.Helper()
	if o.SealKey == nil {
		o.SealKey = testKey
	}
	s, err := store.OpenSQLite(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func update(t *testing.T, s store.Store, fn func(tx store.Tx) error) {
	t.Helper()
	if err := s.Update(context.Background(), "test", fn); err != nil {
		t.Fatal(err)
	}
}

func setting(t *testing.T, s store.Store, name string) string {
	t.Helper()
	var v string
	err := s.View(context.Background(), func(tx store.Tx) (err error) {
		v, err = tx.Setting(name)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func put(name, value string) func(tx store.Tx) error {
	return func(tx store.Tx) error { return tx.PutSetting(name, value) }
}

func TestSQLiteKeepsTheContract(t *testing.T) {
	var mu sync.Mutex
	dirs := make(map[*testing.T]string)
	statements := make(map[string]bool)
	storetest.Run(t, func(t *testing.T) store.Store {
		mu.Lock()
		defer mu.Unlock()
		if dirs[t] == "" {
			dirs[t] = t.TempDir()
		}
		s := open(t, store.Options{Dir: dirs[t]})
		t.Cleanup(func() {
			mu.Lock()
			defer mu.Unlock()
			for _, q := range store.Statements(s) {
				statements[q] = true
			}
		})
		return s
	})
	if len(statements) > 0 && !t.Failed() {
		t.Run("and scans no table", func(t *testing.T) { checkPlans(t, statements) })
	}
}

const rewound = "once, after a clock was set back"

// scansAllowed are the plans that visit more than they find, with the reason.
var scansAllowed = []struct{ statement, plan, reason string }{
	{"FROM api_keys ORDER BY name", "SCAN api_keys", "lists all keys"},
	{"FROM lines ORDER BY name", "SCAN lines", "lists all lines"},
	{"FROM sims ORDER BY iccid", "SCAN sims", "lists all SIMs"},
	{"COUNT(*) FROM events GROUP BY stream", "SCAN events", "counts what waits"},
	{"FROM messages ORDER BY id", "SCAN messages USING INDEX", "a page in the order of ids"},
	{"AND id<?", "SCAN messages USING INDEX", "a page in the order of ids"},
	{"(line=? OR", "SCAN messages USING INDEX", "a filter on a page in the order of ids"},
	{"(otp_id='' OR", "SCAN messages USING INDEX", "a filter on a page in the order of ids"},
	{"WHERE created_at", "SCAN messages USING INDEX", "a filter on a page in the order of ids"},
	{"FROM messages WHERE final=0 AND state<>'queued' AND recipient", "INDEX messages_due", "along the open messages"},
	{"FROM inbound  ORDER BY seq", "SCAN inbound", "a page in the order of seq"},
	{"recipient=? ORDER BY seq", "SCAN inbound", "a filter on a page in the order of seq"},
	{"received_at>=? ORDER BY seq", "SCAN inbound", "a filter on a page in the order of seq"},
	{"FROM otps WHERE state='pending'", "INDEX otps_expiry", "along the pending ones"},
	{"UPDATE schema_version", "SCAN schema_version", "one row"},
	{"", "SCAN CONSTANT ROW", "no table"},
	{"deadline_at=deadline_at-created_at", "SCAN messages", rewound},
	{"SET not_before=? WHERE state='queued' AND send_at=0", "INDEX messages_deadline", rewound},
	{"SET due_at=? WHERE final=0 AND state<>'queued' AND due_at>?", "INDEX messages_due", rewound},
	{"UPDATE failures SET wait_until=? WHERE wait_until", "SCAN failures", rewound},
	{"UPDATE sets SET due_at=CASE", "SCAN sets", rewound},
	{"UPDATE api_keys SET status_from=? WHERE status_from", "SCAN api_keys", rewound},
	{"SELECT DISTINCT route", "USING COVERING INDEX messages_due", "at a start only, along the open messages"},
}

// checkPlans explains every statement that the contract needed. Each must
// reach its rows by a range of an index.
func checkPlans(t *testing.T, statements map[string]bool) {
	s := open(t, store.Options{Dir: t.TempDir()})
	explained := 0
	for q := range statements {
		if !strings.HasPrefix(q, "SELECT") && !strings.HasPrefix(q, "UPDATE") && !strings.HasPrefix(q, "DELETE") {
			continue
		}
		plan, err := store.Explain(s, q)
		if err != nil {
			t.Errorf("%s: %v", q, err)
			continue
		}
		explained++
		for step := range strings.Lines(plan) {
			step = strings.TrimSpace(step)
			if !strings.HasPrefix(step, "SCAN") || isSubquery(step) {
				continue
			}
			if !slices.ContainsFunc(scansAllowed, func(a struct{ statement, plan, reason string }) bool {
				return strings.Contains(q, a.statement) && strings.Contains(step, a.plan)
			}) {
				t.Errorf("%s\n\t%s", q, step)
			}
		}
	}
	if explained < 60 {
		t.Errorf("only %d statements were seen", explained)
	}
}

// isSubquery tells the branches of a UNION from tables.
func isSubquery(step string) bool {
	name := strings.Fields(step)[1]
	return strings.HasPrefix(name, "q") || strings.HasPrefix(name, "(") ||
		slices.Contains([]string{"sending", "sent", "delivered", "undelivered", "failed", "expired", "canceled", "unknown"}, name)
}

// TestHotStatementsUseTheirIndex holds the statements of the two journeys to
// the index that was made for them, without sorting.
func TestHotStatementsUseTheirIndex(t *testing.T) {
	s := open(t, store.Options{Dir: t.TempDir()})
	now := time.Now()
	run := func(fn func(tx store.Tx) error) []string {
		before := store.Statements(s)
		update(t, s, fn)
		return slices.DeleteFunc(store.Statements(s), func(q string) bool { return slices.Contains(before, q) })
	}
	for name, c := range map[string]struct {
		index string
		fn    func(tx store.Tx) error
	}{
		"NextQueued": {"messages_queue", func(tx store.Tx) error {
			_, _, err := tx.NextQueued([]string{"", "front"}, now)
			return err
		}},
		"NextDue": {"messages_queue", func(tx store.Tx) error { _, err := tx.NextDue([]string{""}, now); return err }},
		"expiry": {"messages_deadline", func(tx store.Tx) error {
			_, err := tx.OverdueMessages([]store.State{store.Queued}, now, 9)
			return err
		}},
		"due":         {"messages_due", func(tx store.Tx) error { _, err := tx.OverdueMessages([]store.State{store.Sent}, now, 9); return err }},
		"erasable":    {"messages_erasable", func(tx store.Tx) error { _, err := tx.ErasableTexts(now, 9); return err }},
		"pending OTP": {"otps_pending", func(tx store.Tx) error { tx.PendingOTP("a", "b", "c"); return nil }},
		"OTP expiry":  {"otps_expiry", func(tx store.Tx) error { _, err := tx.OverdueOTPs(now, 9); return err }},
		"set due":     {"sets_due", func(tx store.Tx) error { _, err := tx.OverdueSets(now, 9); return err }},
		"FindSets":    {"sets_key", func(tx store.Tx) error { _, err := tx.FindSets(store.SetKey{}); return err }},
		"key by hash": {"api_keys_hash", func(tx store.Tx) error { tx.KeyByHash([]byte("h")); return nil }},
		"try":         {"sqlite_autoindex_otps_1", func(tx store.Tx) error { _, _, err := tx.CountTry("x", now); return err }},
	} {
		statements := run(c.fn)
		if len(statements) == 0 {
			t.Errorf("%s: no statement", name)
		}
		for _, q := range statements {
			plan, err := store.Explain(s, q)
			if err != nil || !strings.Contains(plan, c.index) || strings.Contains(plan, "SCAN messages") ||
				strings.Contains(plan, "TEMP B-TREE FOR ORDER BY") {
				t.Errorf("%s: %v\n%s\n%s", name, err, q, plan)
			}
		}
	}
}

func TestNotifyNamesWhatAGoodCommitChanged(t *testing.T) {
	var mu sync.Mutex
	var got []string
	s := open(t, store.Options{Dir: t.TempDir(), Notify: func(ids []string) {
		mu.Lock()
		defer mu.Unlock()
		got = append(got, ids...)
	}})
	m := benchMessage("msg_1", 1, time.Now())
	update(t, s, func(tx store.Tx) error {
		tx.Notify("line/front")
		if err := tx.InsertMessage(m); err != nil {
			return err
		}
		_, err := tx.ChangePart("msg_1", 1, nil, store.PartChange{AddAttempts: 1})
		return err
	})
	s.Update(context.Background(), "test", func(tx store.Tx) error {
		tx.Notify("never")
		return errors.New("no")
	})
	mu.Lock()
	defer mu.Unlock()
	if want := []string{"line/front", "msg_1"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestHookIsCalledAroundTheCommitOfEachStep(t *testing.T) {
	var points []string
	s := open(t, store.Options{Dir: t.TempDir(), Hook: func(p string) { points = append(points, p) }})
	s.Update(context.Background(), "bad", func(store.Tx) error { return errors.New("no") })
	if err := s.Update(context.Background(), "good", put("a", "1")); err != nil {
		t.Fatal(err)
	}
	if err := s.Update(context.Background(), "idle", func(tx store.Tx) error {
		if _, err := tx.Setting("a"); err != nil {
			return err
		}
		return tx.DropSetPart(1, 1) // of no set
	}); err != nil {
		t.Fatal(err)
	}
	if n := s.Stats().Commits; n != 1 {
		t.Errorf("%d commits are counted", n)
	}
	if want := []string{"commit:good:before", "commit:good:after"}; !slices.Equal(points, want) {
		t.Errorf("got %v, want %v", points, want)
	}
}

func TestALostConnectionIsOpenedAgain(t *testing.T) {
	s := open(t, store.Options{Dir: t.TempDir()})
	update(t, s, put("a", "1"))
	if err := store.LoseConnection(s); err != nil {
		t.Fatal(err)
	}
	update(t, s, put("b", "2"))
	if a, b := setting(t, s, "a"), setting(t, s, "b"); a != "1" || b != "2" {
		t.Errorf("got %q and %q", a, b)
	}
}

// TestTwoProcessesNeverBothWin opens the database twice, as two processes
// would.
func TestTwoProcessesNeverBothWin(t *testing.T) {
	dir := t.TempDir()
	stores := []store.Store{open(t, store.Options{Dir: dir}), open(t, store.Options{Dir: dir})}
	for i := range 100 {
		id, _ := benchID("two")
		update(t, stores[0], func(tx store.Tx) error { return tx.InsertMessage(benchMessage(id, i, time.Now())) })
		won := make([]bool, 2)
		var wg sync.WaitGroup
		for n, s := range stores {
			wg.Go(func() {
				err := s.Update(context.Background(), "claim", func(tx store.Tx) (err error) {
					state := store.Sending
					won[n], err = tx.ChangeMessage(id, []store.State{store.Queued}, store.MessageChange{State: &state, At: time.Now()})
					return err
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if won[0] == won[1] {
			t.Fatalf("round %d: %v", i, won)
		}
	}
}

func TestTheFilesAreTheirOwnersOnly(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a b?c#d%20é") // as it is, not as a URI
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, store.FileName)
	if err := os.WriteFile(path, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	s := open(t, store.Options{Dir: dir})
	update(t, s, put("a", "1"))
	if err := s.Backup(context.Background(), filepath.Join(dir, "copy")); err != nil {
		t.Fatal(err)
	}
	files, _ := filepath.Glob(filepath.Join(dir, "*"))
	if len(files) < 4 {
		t.Errorf("only %v", files)
	}
	for _, f := range files {
		if fi, err := os.Stat(f); err != nil || fi.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", f, fi.Mode(), err)
		}
	}
}

func TestAWideReferenceGoesRound(t *testing.T) {
	s := open(t, store.Options{Dir: t.TempDir()})
	next := func() (n int) {
		update(t, s, func(tx store.Tx) (err error) {
			n, err = tx.NextReference([]byte("one"), true)
			return err
		})
		return n
	}
	next()
	if err := store.Exec(s, "UPDATE concat_refs SET last=65534"); err != nil {
		t.Fatal(err)
	}
	if got := []int{next(), next(), next()}; !slices.Equal(got, []int{65535, 0, 1}) {
		t.Errorf("got %v", got)
	}
}
