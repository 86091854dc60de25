package store_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/modemgate/modemgate/gateway/store"
)

func TestABackupIsOneSnapshotAndCanBeRestored(t *testing.T) {
	dir, ctx := t.TempDir(), context.Background()
	s := open(t, store.Options{Dir: dir})
	fillWords(t, s)
	// Commits go on while the copies are made; a and b are always equal.
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			update(t, s, func(tx store.Tx) error {
				if err := tx.PutSetting("a", fmt.Sprint(i)); err != nil {
					return err
				}
				return tx.PutSetting("b", fmt.Sprint(i))
			})
		}
	})
	file := filepath.Join(t.TempDir(), "copy")
	for range 3 {
		if err := s.Backup(ctx, file); err != nil {
			t.Fatal(err)
		}
	}
	close(stop)
	wg.Wait()
	restored := filepath.Join(t.TempDir(), "new")
	if err := store.Restore(ctx, restored, file); err != nil {
		t.Fatal(err)
	}
	r := open(t, store.Options{Dir: restored})
	if err := store.Check(r); err != nil {
		t.Error(err)
	}
	if a, b := setting(t, r, "a"), setting(t, r, "b"); a == "" || a != b {
		t.Errorf("a is %q and b %q", a, b)
	}
	err := r.View(ctx, func(tx store.Tx) error {
		text, err := tx.MessageText("msg_1")
		if text != words[0] {
			t.Errorf("got %q", text)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	update(t, r, put("goes", "on"))
	if err := store.Restore(ctx, restored, file); err == nil || !strings.Contains(err.Error(), "exists") {
		t.Errorf("over a database: %v", err)
	}
}

func TestWhatIsNoBackupIsNotRestored(t *testing.T) {
	dir := t.TempDir()
	s := open(t, store.Options{Dir: dir})
	fillWords(t, s)
	good := filepath.Join(dir, "good")
	if err := s.Backup(context.Background(), good); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	newer, err := store.OpenNext(store.Options{Dir: filepath.Join(dir, "next"), SealKey: testKey}, false)
	if err != nil {
		t.Fatal(err)
	}
	if err := newer.Backup(context.Background(), filepath.Join(dir, "newer")); err != nil {
		t.Fatal(err)
	}
	newer.Close()
	garbage := append([]byte(nil), whole...)
	for i := 8192; i < len(garbage); i++ {
		garbage[i] ^= 0x5a
	}
	for name, data := range map[string][]byte{"text": []byte("no database at all"), "empty": nil, "short": whole[:len(whole)/2],
		"damaged": garbage} {
		os.WriteFile(filepath.Join(dir, name), data, 0o600)
	}
	for _, name := range []string{"text", "empty", "short", "damaged", "newer", "missing"} {
		target := filepath.Join(t.TempDir(), "new")
		err := store.Restore(context.Background(), target, filepath.Join(dir, name))
		if err == nil || (name == "newer") != errors.Is(err, store.ErrFormat) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := os.Stat(filepath.Join(target, store.FileName)); err == nil {
			t.Errorf("%s: a database was made of it", name)
		}
	}
}

func TestAnOlderFormatIsCopiedAndChanged(t *testing.T) {
	dir := t.TempDir()
	s := open(t, store.Options{Dir: dir})
	update(t, s, put("kept", "yes"))
	update(t, s, func(tx store.Tx) error { return tx.PutLine(&store.Line{Name: "front", SeenAt: time.Now()}) })
	s.Close()
	if _, err := store.OpenNext(store.Options{Dir: dir, SealKey: testKey}, true); err == nil {
		t.Fatal("a failed step was not told")
	}
	// A step that fails leaves the old format whole.
	s = open(t, store.Options{Dir: dir})
	if got := setting(t, s, "kept"); got != "yes" {
		t.Errorf("got %q", got)
	}
	s.Close()
	half := filepath.Join(dir, "."+store.FileName+".v3.12")
	if err := errors.Join(os.WriteFile(half, nil, 0o600), os.WriteFile(half+"-journal", nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time there is nothing to change
		next, err := store.OpenNext(store.Options{Dir: dir, SealKey: testKey}, false)
		if err != nil {
			t.Fatal(err)
		}
		if b, err := store.Sealed(next, "colour", "lines", "name='front'"); err != nil || string(b) != "blue" {
			t.Errorf("the new column is %q, %v", b, err)
		}
		if got := setting(t, next, "kept"); got != "yes" {
			t.Errorf("got %q", got)
		}
		next.Close()
	}
	_, err := store.OpenSQLite(context.Background(), store.Options{Dir: dir, SealKey: testKey})
	if !errors.Is(err, store.ErrFormat) || !strings.Contains(err.Error(), "newer version") {
		t.Errorf("a newer format: %v", err)
	}
	if left, err := filepath.Glob(filepath.Join(dir, "."+store.FileName+".*")); err != nil || len(left) > 0 {
		t.Errorf("of a copy that was killed there is still %v, %v", left, err)
	}
	// The copy is the old data: this version goes on with it.
	old := filepath.Join(t.TempDir(), "old")
	if err := store.Restore(context.Background(), old, filepath.Join(dir, store.FileName+".v3")); err != nil {
		t.Fatal(err)
	}
	if got := setting(t, open(t, store.Options{Dir: old}), "kept"); got != "yes" {
		t.Errorf("the copy has %q", got)
	}
}
