package driver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// openedPort opens only the port of a peer.
func openedPort(t testing.TB, p *peer) *port {
	t.Helper()
	o := p.options().withDefaults()
	port, err := openPort(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { port.Close() })
	return port
}

func TestTrapP1SecondOpenIsBusy(t *testing.T) {
	p := newPeer(t)
	p.open()
	err := p.fails()
	if !errors.Is(err, ErrPortBusy) || !strings.Contains(err.Error(), fmt.Sprint(os.Getpid())) {
		t.Errorf("got %v, want busy with the holder named", err)
	}
}

func TestTrapP1LockFile(t *testing.T) {
	dir := t.TempDir()
	p := newPeer(t)
	path := filepath.Join(dir, "LCK.."+strings.ReplaceAll(strings.TrimPrefix(p.path, "/dev/"), "/", "_"))
	withDir := func(o *Options) { o.LockDir = dir }

	other := exec.Command("sleep", "300")
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	defer other.Wait()
	defer other.Process.Kill()
	if err := os.WriteFile(path, fmt.Appendf(nil, "%10d\n", other.Process.Pid), 0o644); err != nil {
		t.Fatal(err)
	}
	err := p.fails(withDir)
	if !errors.Is(err, ErrPortBusy) || !strings.Contains(err.Error(), fmt.Sprint(other.Process.Pid)) {
		t.Errorf("held by a live process: got %v", err)
	}

	other.Process.Kill()
	other.Wait()
	m := p.open(withDir)
	if got, want := lockOwner(path), os.Getpid(); got != want {
		t.Errorf("lock file names pid %d, want %d", got, want)
	}
	m.Close()
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("lock file after close: %v", err)
	}
}

func TestTrapP1LockDirMissingIsNoObstacle(t *testing.T) {
	p := newPeer(t)
	p.open(func(o *Options) { o.LockDir = filepath.Join(t.TempDir(), "none") })
}

func TestTrapP2WriteAfterCloseHitsNoFile(t *testing.T) {
	p := newPeer(t)
	port := openedPort(t, p)
	if err := port.Close(); err != nil {
		t.Fatal(err)
	}
	files, _ := reuseDescriptors(t, port.fd)
	if _, err := port.Write([]byte("AT+CMGS=20\r")); !errors.Is(err, errPortClosed) {
		t.Errorf("write after close: %v", err)
	}
	if _, err := port.Read(make([]byte, 8)); !errors.Is(err, errPortClosed) {
		t.Errorf("read after close: %v", err)
	}
	mustBeEmpty(t, files)
}

func TestTrapP2WriteWhileClosingHitsNoFile(t *testing.T) {
	again := 0
	for range 50 {
		p := newPeer(t)
		port := openedPort(t, p)
		var writers sync.WaitGroup
		for range 3 {
			writers.Go(func() {
				for {
					if _, err := port.Write([]byte("AT+CMGS=20\r")); err != nil {
						return
					}
				}
			})
		}
		soon(t, p.heard, "the first write")
		if err := port.Close(); err != nil {
			t.Error(err)
		}
		files, reused := reuseDescriptors(t, port.fd)
		writers.Wait()
		mustBeEmpty(t, files)
		if reused {
			again++
		}
	}
	if again == 0 {
		t.Error("no descriptor was used again: nothing was tried")
	}
}

// reuseDescriptors opens files until one has got the number, unless another
// test has it.
func reuseDescriptors(t *testing.T, fd int) (files []*os.File, reused bool) {
	t.Helper()
	for range 200 {
		f, err := os.Create(filepath.Join(t.TempDir(), "file"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		files = append(files, f)
		if int(f.Fd()) == fd {
			return files, true
		}
	}
	return files, false
}

func mustBeEmpty(t *testing.T, files []*os.File) {
	t.Helper()
	for _, f := range files {
		if info, err := f.Stat(); err != nil || info.Size() != 0 {
			t.Fatalf("%d octets for the modem went into a file (%v)", info.Size(), err)
		}
		f.Close()
	}
}

// fill writes until the device takes no more.
func fill(port *port) error {
	for {
		if _, err := port.Write([]byte(strings.Repeat("x", 4096))); err != nil {
			return err
		}
	}
}

func TestTrapP3WriteTimesOutAndPoisons(t *testing.T) {
	p := newPeer(t)
	port := openedPort(t, p)
	port.timeout = 100 * time.Millisecond
	p.stall()
	if err := fill(port); !errors.Is(err, ErrGone) || !errors.Is(err, errWriteTimeout) {
		t.Fatalf("got %v", err)
	}
	p.proceed()
	if _, err := port.Write([]byte("AT\r")); err == nil {
		t.Error("a write after half a write succeeded")
	}
}

func TestTrapP4CloseWhileDeviceTakesNothing(t *testing.T) {
	p := newPeer(t)
	port := openedPort(t, p)
	port.timeout = time.Hour
	p.stall()
	for { // until the kernel's buffer is full
		if _, err := unix.Write(port.fd, make([]byte, 4096)); err == unix.EAGAIN {
			break
		}
	}
	blocked := make(chan error, 1)
	go func() { blocked <- fill(port) }()
	for port.writing.TryLock() { // until the write has begun
		port.writing.Unlock()
		runtime.Gosched()
	}
	closed := make(chan error, 1)
	go func() { closed <- port.Close() }()
	if err := soon(t, closed, "Close"); err != nil {
		t.Error(err)
	}
	if err := soon(t, blocked, "the blocked write"); !errors.Is(err, errPortClosed) {
		t.Errorf("blocked write: %v", err)
	}
	if n := StuckPorts(); n != 0 {
		t.Errorf("%d ports are stuck", n)
	}
}

func TestTrapP5HighDescriptors(t *testing.T) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil || limit.Cur < 1300 {
		t.Skipf("descriptor limit is %d", limit.Cur)
	}
	p := newPeer(t)
	for range 1100 {
		f, err := os.Open(os.DevNull)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
	}
	m := p.open()
	if m.s.port.fd < 1024 {
		t.Fatalf("descriptor %d is not high", m.s.port.fd)
	}
	if _, err := m.Send(context.Background(), Submission{TPDU: samplePDU}); err != nil {
		t.Error(err)
	}
}

func TestTrapP6ReadNeverReturnsNothing(t *testing.T) {
	p := newPeer(t)
	port := openedPort(t, p)
	go func() {
		for range 100 {
			p.send("x")
		}
	}()
	buf := make([]byte, 8)
	for total := 0; total < 100; {
		n, err := port.Read(buf)
		if n == 0 || err != nil {
			t.Fatalf("read: %d, %v", n, err)
		}
		total += n
	}
}

func TestTrapP9NoHardwareFlowControl(t *testing.T) {
	port := openedPort(t, newPeer(t))
	state, err := unix.IoctlGetTermios(port.fd, unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	if state.Cflag&unix.CRTSCTS != 0 || state.Lflag&(unix.ECHO|unix.ICANON) != 0 {
		t.Errorf("cflag %#x lflag %#x: want raw and no CRTSCTS", state.Cflag, state.Lflag)
	}
}

func TestTrapP10EmptyRead(t *testing.T) {
	port := openedPort(t, newPeer(t))
	if n, err := port.Read(nil); n != 0 || err != nil {
		t.Errorf("got %d, %v", n, err)
	}
}

func TestUnplugIsNotOurClose(t *testing.T) {
	p := newPeer(t)
	m := p.open()
	p.unplug()
	soon(t, m.Done(), "Done")
	if !errors.Is(m.Err(), ErrGone) {
		t.Errorf("Err: %v", m.Err())
	}
	if _, err := m.List(context.Background()); !errors.Is(err, ErrGone) {
		t.Errorf("List: %v", err)
	}
}

func TestOpenErrors(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for port, want := range map[string]error{filepath.Join(t.TempDir(), "none"): ErrNoPort, file: ErrNotSerial, t.TempDir(): ErrNotSerial, "/dev/null": ErrNotSerial} {
		_, err := Open(context.Background(), Options{Port: port, Log: slog.New(slog.DiscardHandler)})
		if !errors.Is(err, want) {
			t.Errorf("open %s: got %v, want %v", filepath.Base(port), err, want)
		}
	}
}

// A link that moves between the opening and the look at it must not give a
// device the name, and so the lock, of another.
func TestLinkThatMovesWhileItIsOpened(t *testing.T) {
	p, other := newPeer(t), newPeer(t)
	link := filepath.Join(t.TempDir(), "modem")
	if err := os.Symlink(p.path, link); err != nil {
		t.Fatal(err)
	}
	port, err := openPort(Options{Port: link}.withDefaults())
	if err != nil || port.name != p.path {
		t.Fatalf("%v, %v", port, err)
	}
	t.Cleanup(func() { port.Close() })
	for _, err := range []error{os.Remove(link), os.Symlink(other.path, link)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if name, err := nameOf(port.fd, link); !errors.Is(err, ErrNoPort) {
		t.Errorf("the device of %s is called %s, %v", p.path, name, err)
	}
}
