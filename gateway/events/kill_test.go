package events

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// fileOutbox is an outbox whose rows and mark are in a directory, so that
// they survive the process. Row n is the inbound event n.
type fileOutbox struct {
	*outbox
	dir string
}

func openFileOutbox(dir string) (*fileOutbox, error) {
	o := &fileOutbox{outbox: newOutbox(), dir: dir}
	var m struct {
		UpTo int64
		Seq  uint64
	}
	if data, err := os.ReadFile(filepath.Join(dir, "mark")); err == nil {
		if err := json.Unmarshal(data, &m); err != nil {
			return nil, err
		}
	}
	rows, err := os.ReadFile(filepath.Join(dir, "rows"))
	if err != nil && !os.IsNotExist(err) {
		return nil, err
	}
	for n := range len(rows) {
		o.sms("front", n+1)
	}
	o.outbox.Mark(context.Background(), streamInbound, m.UpTo, m.Seq)
	return o, nil
}

// insert adds one row, which is one byte in the file.
func (o *fileOutbox) insert() error {
	f, err := os.OpenFile(filepath.Join(o.dir, "rows"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if _, err := f.Write([]byte{'.'}); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	o.sms("front", int(o.next)+1)
	return nil
}

func (o *fileOutbox) Mark(ctx context.Context, stream string, upTo int64, seq uint64) error {
	data, _ := json.Marshal(map[string]any{"UpTo": upTo, "Seq": seq})
	tmp := filepath.Join(o.dir, "mark.tmp")
	if err := os.WriteFile(tmp, data, 0o600); err != nil {
		return err
	}
	if err := os.Rename(tmp, filepath.Join(o.dir, "mark")); err != nil {
		return err
	}
	return o.outbox.Mark(ctx, stream, upTo, seq)
}

// TestPublishUntilKilled is the child of TestKillNine: it never ends by itself.
func TestPublishUntilKilled(t *testing.T) {
	dir := os.Getenv("MODEMGATE_EVENTS_KILL_DIR")
	if dir == "" {
		t.Skip("runs only as the child of TestKillNine")
	}
	box, err := openFileOutbox(dir)
	if err != nil {
		t.Fatal(err)
	}
	b, err := Open(t.Context(), Options{Dir: dir, dedupe: 100 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	go b.Run(context.Background(), box)
	if err := b.AwaitStreams(t.Context()); err != nil {
		t.Fatal(err)
	}
	fmt.Println("publishing")
	for {
		if err := box.insert(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(rand.N(300 * time.Microsecond))
	}
}

func TestKillNine(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for round := range 10 {
		cmd := exec.Command(os.Args[0], "-test.run=^TestPublishUntilKilled$", "-test.timeout=60s")
		cmd.Env = append(os.Environ(), "MODEMGATE_EVENTS_KILL_DIR="+dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		line, err := bufio.NewReader(out).ReadString('\n')
		if err != nil || line != "publishing\n" {
			t.Fatalf("round %d: the child said %q, %v", round, line, err)
		}
		time.Sleep(rand.N(80 * time.Millisecond)) // the moment of death is random
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		cmd.Wait()
	}
	box, err := openFileOutbox(dir)
	if err != nil {
		t.Fatal(err)
	}
	n, waiting := int(box.next), box.waiting()
	b, err := Open(t.Context(), Options{Dir: dir, dedupe: 100 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.AwaitStreams(t.Context()); err != nil {
		t.Fatal(err)
	}
	r := &rig{Bus: b, box: box.outbox}
	r.startRun(t)
	defer func() {
		r.stopRun()
		b.Close(context.Background())
	}()
	r.published(t)
	if got, want := r.ids(t, streamInbound), wantIDs(n); !slices.Equal(got, want) {
		t.Errorf("the stream holds %d messages, want %d, each once and in order", len(got), len(want))
	}
	t.Logf("%d events over 10 kills, %d of them not marked at the last", n, waiting)
}
