package events

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"golang.org/x/sys/unix"
)

// smallDisk is a directory on a file system of its own.
func smallDisk(t *testing.T, size string) string {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Skipf("needs the right to mount a small tmpfs: %v", err)
	}
	t.Cleanup(func() { unix.Unmount(dir, unix.MNT_DETACH) })
	return dir
}

func TestFullDisk(t *testing.T) {
	t.Parallel()
	dir := smallDisk(t, "16m")
	r := newRig(t, func(o *Options) { o.Dir, o.lazySync = dir, false })
	r.keys.set("tok", Grant{Key: "monitor", Inbound: true})
	nc := r.client(t, "tok", nats.MaxReconnects(-1), nats.ReconnectWait(20*time.Millisecond))
	live := listen(t, nc, "sms.inbound.>")
	r.box.sms("front", 1)
	r.published(t)

	filler := fill(t, dir)
	n := 1
	eventually(t, "events wait and it is said why", func() bool {
		n++
		r.box.sms("front", n)
		return strings.Contains(r.State().Error, "disk")
	})
	for range 200 {
		n++
		r.box.sms("front", n)
	}
	if s := r.State(); s.Connected {
		t.Errorf("state on a full disk %+v", s)
	}

	os.Remove(filler)
	r.published(t)
	if got := r.ids(t, streamInbound); !slices.Equal(got, wantIDs(n)) {
		t.Errorf("the stream holds %d messages, want %d, each once and in order", len(got), n)
	}
	eventually(t, "all is well", func() bool { return r.State().Connected })
	eventually(t, "the client is back", nc.IsConnected)
	c := consumer(t, nc, "SMS_INBOUND", "monitor")
	if got := len(fetch(t, c, n)); got != n {
		t.Errorf("the consumer gave %d of %d", got, n)
	}
	seen := map[string]int{}
	for m, err := live.NextMsg(attackWait); err == nil; m, err = live.NextMsg(attackWait) {
		if id := m.Header.Get(nats.MsgIdHdr); id != "" {
			if seen[id]++; seen[id] > 1 {
				t.Errorf("%s was live %d times", id, seen[id])
			}
		}
	}
}

// fill writes a file until the disk is full.
func fill(t *testing.T, dir string) string {
	t.Helper()
	f, err := os.Create(filepath.Join(dir, "filler"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for chunk := make([]byte, 4096); err == nil; {
		_, err = f.Write(chunk)
	}
	return f.Name()
}

func TestFullDiskAtStart(t *testing.T) {
	t.Parallel()
	dir := smallDisk(t, "16m")
	filler := fill(t, dir)
	r := newRig(t, func(o *Options) { o.Dir, o.lazySync = dir, false })
	r.box.sms("front", 1)
	if s := r.State(); s.Connected || !strings.Contains(s.Error, "disk") {
		t.Errorf("state on a full disk %+v", s)
	}
	os.Remove(filler)
	r.published(t)
	if got := r.ids(t, streamInbound); !slices.Equal(got, wantIDs(1)) {
		t.Errorf("the stream holds %v", got)
	}
}
