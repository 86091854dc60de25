//go:build linux

package main_test

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/modemgate/modemgate/driver/sim"
)

// smallDisk mounts a file system of its own, in a user namespace if this
// user may not; nil then, and the test is done there.
func smallDisk(t *testing.T, size string) *disk {
	t.Helper()
	dir, err := os.MkdirTemp("", "mg")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	err = unix.Mount("tmpfs", dir, "tmpfs", 0, "size="+size)
	switch {
	case err == nil:
		t.Cleanup(func() { unix.Unmount(dir, unix.MNT_DETACH) })
		return &disk{t, dir}
	case !errors.Is(err, unix.EPERM) || os.Getenv("MODEMGATE_TEST_UNSHARED") != "":
		t.Skipf("needs a small tmpfs, and it cannot be mounted: %v", err)
	}
	cmd := exec.Command("unshare", "-rm", os.Args[0], "-test.v", "-test.run=^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), "MODEMGATE_TEST_UNSHARED=1")
	out, err := cmd.CombinedOutput()
	t.Logf("in a user namespace:\n%s", out)
	if err == nil && !strings.Contains(string(out), "--- SKIP") {
		return nil
	}
	if strings.Contains(string(out), "--- FAIL") {
		t.FailNow()
	}
	t.Skipf("needs the right to mount a small tmpfs, here or in a user namespace: %v", err)
	return nil
}

// disk is a small file system.
type disk struct {
	t   *testing.T
	dir string
}

func (d *disk) filler() string { return filepath.Join(d.dir, "filler") }

// fill leaves so many octets free, 0: none, again and again as others free
// some.
func (d *disk) fill(leave int64) {
	d.t.Helper()
	f, err := os.OpenFile(d.filler(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		d.t.Fatal(err)
	}
	defer f.Close()
	for chunk := make([]byte, 4096); err == nil; {
		var s unix.Statfs_t
		if err := unix.Statfs(d.dir, &s); err != nil {
			d.t.Fatal(err)
		}
		if leave > 0 && int64(s.Bavail)*int64(s.Bsize) <= leave {
			return
		}
		_, err = f.Write(chunk)
	}
}

func (d *disk) free() {
	d.t.Helper()
	if err := os.Remove(d.filler()); err != nil {
		d.t.Fatal(err)
	}
}

// code is the status of a request and the code of its problem.
func (r *rig) code(method, path, body string) string {
	var p problem
	status, _, err := r.call(method, path, body, "", &p)
	if err != nil {
		return err.Error()
	}
	if status >= 400 && p.Detail == "" {
		r.Errorf("%s %s: %d without words", method, path, status)
	}
	return strings.TrimSpace(fmt.Sprint(status, " ", p.Code))
}

// The disk of the data directory fills up while SMS come and go: new work is
// refused in words, what is in the air and on the SIM stays there, reading
// works; when there is space again everything goes on by itself.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	small := smallDisk(t, "40m")
	if small == nil {
		return
	}
	r := newRig(t, rigOptions{modems: 2, data: filepath.Join(small.dir, "data"), reserve: "4MiB", sim: sim.Options{Slots: 10}})
	d := r.serving()
	if !r.outbound() || !r.inbound() {
		t.Fatalf("the daemon died:\n%s", d.tail())
	}

	small.fill(2 << 20)
	r.must("this node to be not ready", func() bool { return r.code(http.MethodGet, "/readyz", "") == "503 storage-full" })
	r.full()
	if r.text("under the reserve # still goes in"); !r.arrived() {
		t.Fatal("the daemon died")
	}
	small.free()
	r.must("work to be taken again", r.ready)

	busy, other := r.inTheAir(3 * time.Second)
	small.fill(0)
	r.must("SMS to stay on the SIM", func() bool {
		small.fill(0) // a checkpoint may have freed some
		if r.empty() {
			r.textTo(other, long("does not fit # "))
		}
		return strings.Contains(d.all(), "an SMS stays on the SIM")
	})
	r.full()
	for range 12 { // more than the SIM has slots
		r.textTo(other, "waits on the SIM or in the network #")
	}
	r.must("the SIM to fill up", func() bool { return len(other.Stored()) >= 8 })
	r.full()

	// Without power meanwhile: it comes up, reads, refuses, and waits.
	d.kill()
	small.fill(0)
	d = r.serving()
	r.must("the lines to wait", func() bool { return strings.Contains(d.all(), "the lines wait until the disk has room") })
	r.full()

	small.free()
	r.must("work to be taken again", r.ready)
	r.checkAll()
	if !r.outbound() {
		t.Error("nothing can be sent after it")
	}
	r.checkAll()
	if r.now() != d || d.dead() {
		t.Error("the daemon did not live through it")
	}
	t.Logf("the send in the air was by %s; %d SMS in, %d messages and codes out", busy.Name(), len(r.books.letters), len(r.books.posts))
}

func (r *rig) ready() bool { return r.code(http.MethodGet, "/readyz", "") == "200" }

// inTheAir sends a message whose +CMGS comes late, and tells which modem has
// it and which has nothing to do.
func (r *rig) inTheAir(late time.Duration) (busy, idle *sim.Modem) {
	r.Helper()
	two := r.net.Modems()
	had := make([]int, len(two))
	for i, m := range two {
		had[i] = strings.Count(strings.Join(m.Transcript(), "\n"), "<Ctrl-Z>")
		m.Inject(sim.Fault{Kind: sim.FaultLate, Match: "+CMGS", Delay: late})
	}
	r.send(r.books.message("in the air #", "hold", 1))
	r.must("the text in the air", func() bool {
		for i, m := range two {
			if strings.Count(strings.Join(m.Transcript(), "\n"), "<Ctrl-Z>") > had[i] {
				busy, idle = m, two[1-i]
			}
		}
		return busy != nil
	})
	idle.ClearFaults()
	return busy, idle
}

// full demands what holds while the disk is too full: refusals in words, and
// every reading.
func (r *rig) full() {
	r.Helper()
	for _, x := range [][4]string{
		{http.MethodPost, "/v1/messages", `{"to":"+447911111111","text":"refused"}`, "507 storage-full"},
		{http.MethodPost, "/v1/otp", `{"to":"+447911111111"}`, "507 storage-full"}, {http.MethodGet, "/readyz", "", "503 storage-full"},
		{http.MethodGet, "/healthz", "", "200"}, {http.MethodGet, "/v1/status", "", "200"}, {http.MethodGet, "/v1/lines", "", "200"},
		{http.MethodGet, "/v1/inbound", "", "200"}, {http.MethodGet, "/v1/messages/" + r.books.posts[0].message, "", "200"},
	} {
		if got := r.code(x[0], x[1], x[2]); got != x[3] {
			r.Errorf("%s %s on a full disk: %s", x[0], x[1], got)
		}
	}
}
