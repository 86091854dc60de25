package main_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/modemgate/modemgate/gateway/store"
)

// traced is one system call of a trace: between lines begin and end.
type traced struct {
	name, path string
	data       []byte
	begin, end int
	ok         bool
}

var (
	tracedCall    = regexp.MustCompile(`^(\d+) +(\w+)\(\d+<([^>]*)>(?:, "([^"]*)")?`)
	tracedResumed = regexp.MustCompile(`^(\d+) +<\.\.\. (\w+) resumed>`)
	tracedResult  = regexp.MustCompile(`= (-?\d+)[^=]*$`)
)

// readTrace reads what strace -f -y -xx wrote. A call that others interrupt
// in the trace has its begin and its end on two lines.
func readTrace(t *testing.T, file string) (calls []*traced) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	open := map[string]*traced{} // by thread
	n := 0
	for line := range strings.Lines(string(b)) {
		n++
		var c *traced
		if m := tracedResumed.FindStringSubmatch(line); m != nil {
			c = open[m[1]]
			delete(open, m[1])
		} else if m := tracedCall.FindStringSubmatch(line); m != nil {
			c = &traced{name: m[2], path: string(unhex(t, m[3])), data: unhex(t, m[4]), begin: n}
			calls = append(calls, c)
			if strings.Contains(line, "<unfinished ...>") {
				c.end = 1 << 60
				open[m[1]] = c
				continue
			}
		}
		if c != nil {
			m := tracedResult.FindStringSubmatch(line)
			c.end, c.ok = n, m != nil && m[1][0] != '-'
		}
	}
	return calls
}

// unhex reads a string as strace -xx writes it.
func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, `\x`, ""))
	if err != nil {
		t.Fatalf("the trace holds %.80q: %v", s, err)
	}
	return b
}

// durable lists when each transaction that touches a record was on the disk:
// its frames in the log (SQLite file format §4.1), the last of them with the
// commit mark, and then a sync of the log that ended well.
func durable(calls []*traced, record string) (ends []int) {
	var wal []*traced
	for _, c := range calls {
		if strings.HasSuffix(c.path, "/"+store.FileName+"-wal") {
			wal = append(wal, c)
		}
	}
	touched, committed, last := false, false, 0
	for _, c := range wal {
		switch {
		case c.name == "pwrite64" && len(c.data) == 24: // header of a frame
			committed = binary.BigEndian.Uint32(c.data[4:]) != 0
		case c.name == "pwrite64":
			touched = touched || bytes.Contains(c.data, []byte(record))
			last = c.end
		case (c.name == "fsync" || c.name == "fdatasync") && c.ok && touched && committed && c.begin > last:
			ends = append(ends, c.end)
			touched = false
		}
	}
	return ends
}

// first finds the first call that writes something to a kind of file.
func first(calls []*traced, path string, what ...string) *traced {
	i := slices.IndexFunc(calls, func(c *traced) bool {
		for _, w := range what {
			if !bytes.Contains(c.data, []byte(w)) {
				return false
			}
		}
		return strings.HasPrefix(c.path, path)
	})
	if i < 0 {
		return nil
	}
	return calls[i]
}

// tracer is the command that traces a daemon into a file.
func tracer(t *testing.T, file string) []string {
	t.Helper()
	if _, err := exec.LookPath("strace"); err != nil {
		t.Skip("strace is not installed: the order of answers and syncs is not seen from outside (apt-get install strace)")
	}
	if out, err := exec.Command("strace", "-o", os.DevNull, "true").CombinedOutput(); err != nil {
		t.Skipf("strace may not trace here, as in a container without ptrace: %v\n%s", err, out)
	}
	return []string{"strace", "-f", "-y", "-xx", "-s", "8192", "-e", "signal=none",
		"-e", "trace=fsync,fdatasync,write,writev,sendto,sendmsg,pwrite64", "-o", file}
}

// A power failure right after the answer, the Ctrl-Z or the deletion loses
// nothing: each comes after the sync of the commit that it stands for.
func TestPowerLossOrder(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "trace")
	r := newRig(t, rigOptions{tracer: tracer(t, file)})
	r.serving("MODEMGATE_POINTS=" + filepath.Join(r.dir, "points"))
	if !r.outbound() || !r.inbound() {
		t.Fatalf("the daemon died:\n%s", r.now().tail())
	}
	r.checkAll()
	all, _ := pages[texted](r, "/v1/inbound", url.Values{"order": {"asc"}})
	r.stop()
	calls := readTrace(t, file)
	// after demands that c begins after the first synced commit of a record
	// in a step, which the program names in its own trace.
	after := func(what, record, step string, c *traced) {
		t.Helper()
		named := first(calls, r.dir+"/points", "commit:"+step+":before")
		if c == nil || named == nil {
			t.Errorf("%s of %s is not in the trace, or the commit %s is not", what, record, step)
			return
		}
		for _, end := range durable(calls, record) {
			switch {
			case end < named.begin:
				continue
			case end >= c.begin:
				t.Errorf("%s of %s begins at line %d, its commit is on the disk at %d", what, record, c.begin, end)
			default:
				t.Logf("%s of %s: %s at line %d, synced at %d, written at %d", what, record, step, named.begin, end, c.begin)
			}
			return
		}
		t.Errorf("no synced commit of %s is in the trace", record)
	}
	for _, p := range r.books.posts {
		status, step := "HTTP/1.1 202 ", "accept-message"
		if p.otp() {
			status, step = "HTTP/1.1 201 ", "accept-otp"
			after("the answer", p.message, step, first(calls, "socket:", status, p.message))
		}
		after("the answer", p.id, step, first(calls, "socket:", status, p.id))
	}
	after("Ctrl-Z", r.books.posts[0].message, "claim", first(calls, "/dev/pts/", "\x1a"))
	after("the first deletion", all[0].ID, "inbound", first(calls, "/dev/pts/", "AT+CMGD="))
	deletions := slices.DeleteFunc(slices.Clone(calls), func(c *traced) bool {
		return !strings.HasPrefix(c.path, "/dev/pts/") || !bytes.Contains(c.data, []byte("AT+CMGD="))
	})
	if len(deletions) < 5 {
		t.Fatalf("%d deletions, there were 5 PDUs", len(deletions))
	}
	after("the last deletion", all[len(all)-1].ID, "inbound", deletions[len(deletions)-1])
}

// The same order as the program itself sees it, for where nothing can trace:
// what dies before its commit was not answered, sent or deleted.
func TestNothingBeforeItsCommit(t *testing.T) {
	t.Parallel()
	for _, c := range []crash{{point: "commit:accept-otp:before", nth: 1}, {point: "commit:accept-message:before", nth: 1}} {
		r := newRig(t, rigOptions{})
		r.mustDie((*rig).outbound, c)
		if p := r.books.posts[len(r.books.posts)-1]; p.answered {
			t.Errorf("at %s the request had its answer", c)
		}
		r.serving()
		r.checkAll()
	}
	r := newRig(t, rigOptions{})
	r.mustDie((*rig).outbound, crash{point: "commit:claim:before", nth: 1})
	for _, line := range r.net.Modems()[0].Transcript() {
		if strings.HasPrefix(line, "> AT+CMGS") {
			t.Error("the text was on its way before its claim was committed")
		}
	}
	r = newRig(t, rigOptions{})
	r.mustDie((*rig).inbound, crash{point: "commit:inbound:before", nth: 1})
	if n := len(r.net.Modems()[0].Stored()); n == 0 {
		t.Error("the SMS left the SIM before its commit")
	}
}
