package store_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/modemgate/modemgate/gateway/store"
)

// helpers are what the test binary does as a child process.
var helpers = map[string]func(args []string) error{
	"commit-loop": commitLoop,
	"die-at":      dieAt,
	"leave-log":   leaveLog,
	"resident":    resident,
}

// helper starts the test binary as a child.
func helper(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), helperEnv+"="+name)
	cmd.Stderr = os.Stderr
	return cmd
}

func die() {
	syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {}
}

// acceptNamed changes several tables: all of it is there after a crash, or
// nothing.
func acceptNamed(id string) func(tx store.Tx) error {
	return func(tx store.Tx) error {
		if err := tx.InsertMessage(benchMessage(id, 1, time.Now())); err != nil {
			return err
		}
		if _, err := tx.AddCounter("accepted", "all", time.Time{}, 1); err != nil {
			return err
		}
		if err := tx.AddEvent(&store.Event{Stream: "status", About: id, Payload: []byte("{}"), At: time.Now()}); err != nil {
			return err
		}
		return tx.PutSetting(id, "accepted")
	}
}

// leaveLog dies with a long log that nothing has moved.
func leaveLog(args []string) error {
	s, err := store.OpenSQLite(context.Background(), store.Options{Dir: args[0], SealKey: testKey})
	if err != nil {
		return err
	}
	err = s.Update(context.Background(), "fill", func(tx store.Tx) error {
		for i := range 100 {
			if err := tx.PutSetting(fmt.Sprint("filler ", i), strings.Repeat("x", 200<<10)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	die()
	return nil
}

// What a killed life left in the log is moved by the next, however short lives
// are: else the log would grow from one to the other until there is no room.
func TestLogOfAKilledLifeIsMoved(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := helper("leave-log", dir).Run(); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Fatal(err)
	}
	size := func() int64 {
		info, err := os.Stat(filepath.Join(dir, store.FileName))
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	const filled = 100 * 200 << 10
	if n := size(); n > filled/2 {
		t.Fatalf("the database has %d octets before anything was moved", n)
	}
	open(t, store.Options{Dir: dir})
	if n := size(); n < filled {
		t.Errorf("the database has %d octets, the rest is in the log", n)
	}
}

// commitLoop accepts messages for ever from four goroutines, and prints the
// id of each once it is promised.
func commitLoop(args []string) error {
	s, err := store.OpenSQLite(context.Background(), store.Options{Dir: args[0], SealKey: testKey})
	if err != nil {
		return err
	}
	var mu sync.Mutex
	failed := make(chan error, 4)
	for w := range 4 {
		go func() {
			for i := 0; ; i++ {
				id := fmt.Sprintf("msg_%s_%d_%d", args[1], w, i)
				if err := s.Update(context.Background(), "accept", acceptNamed(id)); err != nil {
					failed <- err
				}
				if i%50 == 10 {
					if err := s.Checkpoint(context.Background()); err != nil {
						failed <- err
					}
				}
				mu.Lock()
				os.Stdout.WriteString(id + "\n")
				mu.Unlock()
			}
		}()
	}
	return <-failed
}

func TestKilledInTheMiddleNothingPromisedIsLost(t *testing.T) {
	dir := t.TempDir()
	promised := make(map[string]bool)
	for round := range 5 {
		cmd := helper("commit-loop", dir, fmt.Sprint(round))
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		want := len(promised) + 30 + 37*round // not a round place
		lines := bufio.NewScanner(out)
		for len(promised) < want && lines.Scan() {
			promised[lines.Text()] = true
		}
		cmd.Process.Signal(syscall.SIGKILL)
		for lines.Scan() { // promised before the kill, read after it
			promised[lines.Text()] = true
		}
		cmd.Wait()
		if len(promised) < want {
			t.Fatal("the child ended by itself")
		}
		checkWhole(t, dir, promised)
	}
}

// checkWhole wants every promised message, and no message that is not whole.
func checkWhole(t *testing.T, dir string, promised map[string]bool) {
	t.Helper()
	s := open(t, store.Options{Dir: dir})
	defer s.Close()
	if err := store.Check(s); err != nil {
		t.Fatal(err)
	}
	err := s.View(context.Background(), func(tx store.Tx) error {
		for id := range promised {
			if _, err := tx.MessageText(id); err != nil {
				t.Errorf("promised %s: %v", id, err)
			}
		}
		all, err := tx.ListMessages(store.MessageQuery{Limit: 1 << 20})
		if err != nil {
			return err
		}
		counted, err := tx.Counter("accepted", "all", time.Time{})
		if err != nil {
			return err
		}
		events, err := tx.CountEvents()
		if err != nil {
			return err
		}
		if counted != len(all) || events["status"] != len(all) {
			t.Errorf("%d messages, %d counted, %d events", len(all), counted, events["status"])
		}
		for _, m := range all {
			h, err := tx.History(m.ID)
			if err != nil {
				return err
			}
			word, err := tx.Setting(m.ID)
			if err != nil {
				return err
			}
			if len(m.Parts) != 1 || len(h) != 1 || word != "accepted" {
				t.Errorf("%s is half there", m.ID)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// dieAt makes one update and dies at the hook point.
func dieAt(args []string) error {
	s, err := store.OpenSQLite(context.Background(), store.Options{Dir: args[0], SealKey: testKey, Hook: func(point string) {
		if point == args[1] {
			die()
		}
	}})
	if err != nil {
		return err
	}
	return errors.Join(s.Update(context.Background(), "accept", acceptNamed("msg_1")), errors.New("still alive"))
}

func TestTheCommitIsThePointOfNoReturn(t *testing.T) {
	for point, want := range map[string]bool{"commit:accept:before": false, "commit:accept:after": true} {
		t.Run(point, func(t *testing.T) {
			dir := t.TempDir()
			err := helper("die-at", dir, point).Run()
			if err == nil || !strings.Contains(err.Error(), "killed") {
				t.Fatalf("the child: %v", err)
			}
			s := open(t, store.Options{Dir: dir})
			err = s.View(context.Background(), func(tx store.Tx) error { _, err := tx.Message("msg_1"); return err })
			if got := err == nil; got != want {
				t.Errorf("the message is there: %t, want %t (%v)", got, want, err)
			}
		})
	}
}
