package storetest

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/modemgate/modemgate/gateway/store"
)

var errMine = errors.New("the caller's own error")

var commitTests = map[string]func(t *testing.T, open Open){
	"an error undoes its own changes and no others": func(t *testing.T, open Open) {
		s := open(t)
		var wg sync.WaitGroup
		for i := range 200 {
			wg.Go(func() {
				err := s.Update(context.Background(), "test", func(tx store.Tx) error {
					if err := tx.PutSetting(fmt.Sprint(i), "there"); err != nil {
						return err
					}
					switch i % 4 {
					case 1:
						return errMine
					case 2:
						panic("a code: 123456")
					}
					return nil
				})
				switch {
				case i%4 == 1 && err != errMine:
					t.Errorf("update %d: got %v, want the caller's error as it is", i, err)
				case i%4 == 2 && (err == nil || strings.Contains(err.Error(), "123456")):
					t.Errorf("update %d: got %v, want an error that does not repeat what was panicked with", i, err)
				case (i%4 == 0 || i%4 == 3) && err != nil:
					t.Errorf("update %d: %v", i, err)
				}
			})
		}
		wg.Wait()
		for i := range 200 {
			want := "there"
			if i%4 == 1 || i%4 == 2 {
				want = ""
			}
			got := view(t, s, func(tx store.Tx) (string, error) { return tx.Setting(fmt.Sprint(i)) })
			equal(t, fmt.Sprintf("setting %d", i), got, want)
		}
	},
	"an update that ends its goroutine is undone and the store goes on": func(t *testing.T, open Open) {
		s := open(t)
		done := make(chan error, 1)
		go func() {
			done <- s.Update(context.Background(), "test", func(tx store.Tx) error {
				if err := tx.PutSetting("half", "there"); err != nil {
					return err
				}
				runtime.Goexit()
				return nil
			})
		}()
		select {
		case err := <-done:
			if err == nil {
				t.Error("got no error")
			}
		case <-time.After(10 * time.Second):
			t.Fatal("the store hangs")
		}
		update(t, s, func(tx store.Tx) error { return tx.PutSetting("after", "there") })
		equal(t, "half", view(t, s, func(tx store.Tx) (string, error) { return tx.Setting("half") }), "")
	},
	"a view sees one snapshot and changes nothing": func(t *testing.T, open Open) {
		s := open(t)
		update(t, s, func(tx store.Tx) error { return tx.PutSetting("a", "1") })
		err := s.View(context.Background(), func(tx store.Tx) error {
			before, err := tx.Setting("a")
			if err != nil {
				return err
			}
			update(t, s, func(tx store.Tx) error { return tx.PutSetting("a", "2") })
			after, err := tx.Setting("a")
			equal(t, "the same view", []string{before, after}, []string{"1", "1"})
			return err
		})
		if err != nil {
			t.Error(err)
		}
		err = s.View(context.Background(), func(tx store.Tx) error { return tx.PutSetting("a", "3") })
		if err == nil {
			t.Error("a view changed something")
		}
		equal(t, "setting", view(t, s, func(tx store.Tx) (string, error) { return tx.Setting("a") }), "2")
	},
	"an update reads its own changes": func(t *testing.T, open Open) {
		s := open(t)
		update(t, s, func(tx store.Tx) error {
			if err := tx.PutSetting("a", "1"); err != nil {
				return err
			}
			got, err := tx.Setting("a")
			equal(t, "setting", got, "1")
			return err
		})
	},
	"a transaction cannot be kept": func(t *testing.T, open Open) {
		s := open(t)
		var kept store.Tx
		update(t, s, func(tx store.Tx) error { kept = tx; return nil })
		if err := kept.PutSetting("a", "1"); err == nil {
			t.Error("a kept transaction changed something")
		}
	},
	"a canceled context is told, and nothing is done": func(t *testing.T, open Open) {
		s := open(t)
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		err := s.Update(ctx, "test", func(tx store.Tx) error { return tx.PutSetting("a", "1") })
		if !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		equal(t, "setting", view(t, s, func(tx store.Tx) (string, error) { return tx.Setting("a") }), "")
	},
	"closing keeps all and ends the rest": func(t *testing.T, open Open) {
		s := open(t)
		var wg sync.WaitGroup
		var mu sync.Mutex
		var kept []string
		for i := range 50 {
			wg.Go(func() {
				name := fmt.Sprint(i)
				err := s.Update(context.Background(), "test", func(tx store.Tx) error { return tx.PutSetting(name, "there") })
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					kept = append(kept, name)
				} else if !errors.Is(err, store.ErrClosed) {
					t.Errorf("update %s: %v", name, err)
				}
			})
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		wg.Wait()
		if err := s.Close(); err != nil {
			t.Errorf("second close: %v", err)
		}
		nothing := func(store.Tx) error { return nil }
		for name, err := range map[string]error{
			"update":     s.Update(context.Background(), "test", nothing),
			"view":       s.View(context.Background(), nothing),
			"checkpoint": s.Checkpoint(context.Background()),
			"backup":     s.Backup(context.Background(), t.TempDir()+"/copy"),
		} {
			if !errors.Is(err, store.ErrClosed) {
				t.Errorf("%s after close: %v", name, err)
			}
		}
		s = open(t)
		for _, name := range kept {
			equal(t, name, view(t, s, func(tx store.Tx) (string, error) { return tx.Setting(name) }), "there")
		}
	},
	"stats count commits and steps": func(t *testing.T, open Open) {
		s := open(t)
		before := s.Stats()
		for range 3 {
			update(t, s, func(tx store.Tx) error { return tx.PutSetting("a", "1") })
		}
		after := s.Stats()
		equal(t, "commits", after.Commits-before.Commits, uint64(3))
		equal(t, "steps", after.Steps-before.Steps, uint64(3))
		if s.Size() <= 0 || after.LastCommit <= 0 || after.CommitSeconds <= before.CommitSeconds {
			t.Errorf("got %+v", after)
		}
	},
	"a checkpoint waits for readers and commits go on": func(t *testing.T, open Open) {
		s := open(t)
		reading, release := make(chan struct{}), make(chan struct{})
		done := make(chan error, 2)
		update(t, s, func(tx store.Tx) error { return tx.PutSetting("a", "1") })
		go func() {
			done <- s.View(context.Background(), func(tx store.Tx) error {
				_, err := tx.Setting("a")
				close(reading)
				<-release
				return err
			})
		}()
		<-reading
		update(t, s, func(tx store.Tx) error { return tx.PutSetting("a", "2") })
		go func() { done <- s.Checkpoint(context.Background()) }()
		update(t, s, func(tx store.Tx) error { return tx.PutSetting("a", "3") })
		close(release)
		for range 2 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
	},
}
