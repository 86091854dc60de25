package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/modemgate/modemgate/gateway/store"
)

// untilFull accepts messages from four goroutines until the store says that
// the disk is full, and adds the ids that were promised.
func untilFull(t *testing.T, s store.Store, round int, promised map[string]bool) {
	t.Helper()
	var mu sync.Mutex
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := range 20000 {
				id := fmt.Sprintf("msg_%d_%d_%05d", round, w, i)
				err := s.Update(context.Background(), "accept", acceptNamed(id))
				if errors.Is(err, store.ErrFull) {
					return
				}
				if err != nil {
					t.Errorf("update %d: %v, want ErrFull", i, err)
					return
				}
				mu.Lock()
				promised[id] = true
				mu.Unlock()
			}
			t.Error("the disk never was full")
		})
	}
	wg.Wait()
}

// fillAndFree is the life of a store on a disk that fills up, and has room
// again, twice.
func fillAndFree(t *testing.T, s store.Store, dir string, fill, free func()) {
	t.Helper()
	promised := make(map[string]bool)
	big := strings.Repeat("x", 2<<20)
	for round := range 2 {
		fill()
		untilFull(t, s, round, promised)
		for range 3 { // what is small may still find a place
			if err := s.Update(context.Background(), "big", put("big", big)); !errors.Is(err, store.ErrFull) {
				t.Fatalf("while full: got %v", err)
			}
		}
		err := s.View(context.Background(), func(tx store.Tx) error { _, err := tx.ListMessages(store.MessageQuery{}); return err })
		if err != nil {
			t.Errorf("reading while full: %v", err)
		}
		free()
		id := fmt.Sprintf("msg_again_%d", round)
		if err := s.Update(context.Background(), "accept", acceptNamed(id)); err != nil {
			t.Fatalf("with room again: %v", err)
		}
		promised[id] = true
		if err := s.Checkpoint(context.Background()); err != nil {
			t.Errorf("checkpoint with room again: %v", err)
		}
	}
	if err := s.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
	checkWhole(t, dir, promised)
}

func TestNoPagesLeftIsAFullDisk(t *testing.T) {
	dir := t.TempDir()
	s := open(t, store.Options{Dir: dir})
	limit := func(n int) func() {
		return func() {
			if err := store.LimitPages(s, n); err != nil {
				t.Fatal(err)
			}
		}
	}
	fillAndFree(t, s, dir, limit(60), limit(0))
}

func TestAFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=6m,mode=0700"); err != nil {
		t.Skipf("a small tmpfs cannot be mounted here (%v): the rest is in TestNoPagesLeftIsAFullDisk", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	s := open(t, store.Options{Dir: dir})
	ballast := filepath.Join(dir, "ballast")
	fill := func() {
		if err := os.WriteFile(ballast, bytes.Repeat([]byte{1}, 4<<20), 0o600); err != nil && !errors.Is(err, syscall.ENOSPC) {
			t.Fatal(err)
		}
	}
	free := func() {
		if err := os.Remove(ballast); err != nil {
			t.Fatal(err)
		}
	}
	fillAndFree(t, s, dir, fill, free)
}

func TestABackupWithoutRoomIsAFullDisk(t *testing.T) {
	dir := t.TempDir()
	s := open(t, store.Options{Dir: t.TempDir()})
	update(t, s, func(tx store.Tx) error {
		for i := range 800 {
			if err := tx.InsertMessage(benchMessage(fmt.Sprintf("msg_%05d", i), i, time.Now())); err != nil {
				return err
			}
		}
		return nil
	})
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=256k"); err != nil {
		t.Skipf("a small tmpfs cannot be mounted here: %v", err)
	}
	t.Cleanup(func() { syscall.Unmount(dir, syscall.MNT_DETACH) })
	if err := s.Backup(context.Background(), filepath.Join(dir, "copy")); !errors.Is(err, store.ErrFull) {
		t.Errorf("got %v", err)
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}
