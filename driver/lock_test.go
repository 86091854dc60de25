package driver

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// bystander starts a process that lives until the test ends or kill is called;
// it has the files open that are given.
func bystander(t *testing.T, files ...*os.File) (pid int, kill func()) {
	t.Helper()
	cmd := exec.Command("sh", "-c", "echo up; exec sleep 300")
	cmd.ExtraFiles = files
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill = func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	t.Cleanup(kill)
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "up\n" {
		t.Fatalf("%q, %v", line, err)
	}
	return cmd.Process.Pid, kill
}

// TestLockFilesOfOthers reads what the programs write that share the port.
func TestLockFilesOfOthers(t *testing.T) {
	pid, kill := bystander(t)
	forms := map[string]string{
		"gammu, smstools":    fmt.Sprintf("%10d\n", pid),
		"minicom":            fmt.Sprintf("%10d minicom root\n", pid),
		"without spaces":     fmt.Sprint(pid),
		"UUCP before HDB":    string(binary.NativeEndian.AppendUint32(nil, uint32(pid))),
		"a line more at end": fmt.Sprintf("%10d\n\n", pid),
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "LCK..ttyUSB7")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range forms {
		write(text)
		_, err := takeLockFile(dir, "/dev/ttyUSB7")
		if !errors.Is(err, ErrPortBusy) || !strings.Contains(err.Error(), fmt.Sprintf("(pid %d)", pid)) || !strings.Contains(err.Error(), "stop that, or") {
			t.Errorf("%s: %v", name, err)
		}
		if b, _ := os.ReadFile(path); string(b) != text {
			t.Errorf("%s: the file of the other was changed to %q", name, b)
		}
	}
	kill()
	for name, text := range forms {
		write(text)
		lock, err := takeLockFile(dir, "/dev/ttyUSB7")
		if err != nil {
			t.Errorf("%s, its process gone: %v", name, err)
			continue
		}
		if b, _ := os.ReadFile(path); string(b) != fmt.Sprintf("%10d\n", os.Getpid()) {
			t.Errorf("%s: ours holds %q", name, b)
		}
		lock.release()
		if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("after release: %v", err)
		}
	}
}

func TestLockFileThatIsBeingMade(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "LCK..ttyUSB7")
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(path, time.Time{}, time.Now().Add(time.Hour)); err != nil { // however slow this test is
		t.Fatal(err)
	}
	if _, err := takeLockFile(dir, "/dev/ttyUSB7"); !errors.Is(err, ErrPortBusy) {
		t.Errorf("just made: %v", err)
	}
	if err := os.Chtimes(path, time.Time{}, time.Now().Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	if _, err := takeLockFile(dir, "/dev/ttyUSB7"); err != nil {
		t.Errorf("left behind: %v", err)
	}
}

func TestLockFileOfALinkToThePort(t *testing.T) {
	pid, kill := bystander(t)
	p := newPeer(t)
	dir := t.TempDir()
	link := filepath.Join(t.TempDir(), "usb-Huawei_Mobile-if03-port0")
	if err := os.Symlink(p.path, link); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "LCK.."+filepath.Base(link)), fmt.Appendf(nil, "%10d\n", pid), 0o644); err != nil {
		t.Fatal(err)
	}
	by := func(o *Options) { o.LockDir, o.Port = dir, link }
	if h := PortHolder(link, dir); !strings.Contains(h, fmt.Sprint(pid)) {
		t.Errorf("held by %q", h)
	}
	if err := p.fails(by); !errors.Is(err, ErrPortBusy) || !strings.Contains(err.Error(), fmt.Sprint(pid)) {
		t.Errorf("got %v", err)
	}
	kill()
	p.open(by)
}

// TestStrangerOnThePort refuses a port that another program reads without
// having locked it, and names that program.
func TestStrangerOnThePort(t *testing.T) {
	p := newPeer(t)
	dir := t.TempDir()
	f, err := os.OpenFile(p.path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	pid, kill := bystander(t, f)
	f.Close()
	err = p.fails(func(o *Options) { o.LockDir = dir })
	if !errors.Is(err, ErrPortBusy) || !strings.Contains(err.Error(), fmt.Sprintf("(pid %d)", pid)) {
		t.Errorf("got %v", err)
	}
	if h := PortHolder(p.path, dir); !strings.Contains(h, fmt.Sprint(pid)) {
		t.Errorf("held by %q", h)
	}
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
	kill()
	p.open(func(o *Options) { o.LockDir = dir })
}
