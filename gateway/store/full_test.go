package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/modemgate/modemgate/gateway/store"
)

// untilFull accepts messages until the store says that the disk is full, and
// returns the ids that were promised.
func untilFull(t *testing.T, s store.Store, prefix string) (promised []string) {
	t.Helper()
	for i := range 20000 {
		id := fmt.Sprintf("msg_%s_%05d", prefix, i)
		err := s.Update(context.Background(), "accept", acceptNamed(id))
		if errors.Is(err, store.ErrFull) {
			return promised
		}
		if err != nil {
			t.Fatalf("update %d: %v, want ErrFull", i, err)
		}
		promised = append(promised, id)
	}
	t.Fatal("the disk never was full")
	return nil
}

// fillAndFree is the life of a store on a disk that fills up, and has room
// again, twice.
func fillAndFree(t *testing.T, s store.Store, dir string, fill, free func()) {
	t.Helper()
	promised := make(map[string]bool)
	for round := range 2 {
		fill()
		for _, id := range untilFull(t, s, fmt.Sprint(round)) {
			promised[id] = true
		}
		for range 3 {
			if err := s.Update(context.Background(), "accept", acceptNamed("msg_never")); !errors.Is(err, store.ErrFull) {
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
