package driver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// portAlone opens a port of which this process holds no other descriptor than
// those of openPort.
func portAlone(t *testing.T) *port {
	t.Helper()
	p := newPeer(t)
	path := p.path
	port, err := openPort(Options{Port: path, Baud: 115200, WriteTimeout: patience, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = port.Close() })
	return port
}

// Every descriptor of an open port, the pipe of the serial package among
// them, is closed in a child that runs another program.
func TestPortIsClosedOnExec(t *testing.T) {
	port := portAlone(t)
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	ofPort := 0
	for _, e := range entries {
		fd, err := strconv.Atoi(e.Name())
		if err != nil || fd <= 2 {
			continue
		}
		target, err := os.Readlink("/proc/self/fd/" + e.Name())
		if err != nil {
			continue // closed meanwhile
		}
		flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
		if err == nil && flags&unix.FD_CLOEXEC == 0 {
			t.Errorf("a child inherits %s", target)
		}
		if target == port.name {
			ofPort++
		}
	}
	if ofPort < 3 { // the peer's, ours and that of the serial package
		t.Errorf("%d descriptors of %s: the check looks at the wrong thing", ofPort, port.name)
	}
}

// A child has none of the descriptors, and a process that it leaves behind
// does not keep the port busy.
func TestPowerCommandInheritsNoPort(t *testing.T) {
	port := portAlone(t)
	dir := t.TempDir()
	list, pid := filepath.Join(dir, "list"), filepath.Join(dir, "pid")
	script := fmt.Sprintf("ls -l /proc/$$/fd >%s; sleep 300 <&- >&- 2>&- & echo $! >%s", list, pid)
	if err := (Power{Argv: []string{"sh", "-c", script}}).Cycle(context.Background()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		text, _ := os.ReadFile(pid)
		if n, err := strconv.Atoi(strings.TrimSpace(string(text))); err == nil && n > 1 {
			_ = unix.Kill(n, unix.SIGKILL)
		}
	})
	text, err := os.ReadFile(list)
	if err != nil || !strings.Contains(string(text), " 0 -> ") {
		t.Fatalf("the child lists %q, %v", text, err)
	}
	if strings.Contains(string(text), "-> "+port.name+"\n") || strings.Contains(string(text), "[event") {
		t.Errorf("the child holds the port:\n%s", text)
	}
	if err := port.Close(); err != nil {
		t.Fatal(err)
	}
	if holder := stranger(port.name); holder != "" {
		t.Errorf("the port is held by %s", holder)
	}
	again, err := openPort(Options{Port: port.name, Baud: 115200, WriteTimeout: patience, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	_ = again.Close()
}

// Children that start while ports are opened inherit none either.
func TestNoChildStartsInTheMiddleOfAnOpen(t *testing.T) {
	p := newPeer(t)
	stop, done := make(chan struct{}), make(chan struct{})
	var held []string
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			default:
			}
			if out, err := exec.Command("ls", "-l", "/proc/self/fd").Output(); err == nil && strings.Contains(string(out), "-> "+p.path+"\n") {
				held = append(held, string(out))
			}
		}
	}()
	for opened := 0; opened < 50; opened++ {
		port, err := openPort(Options{Port: p.path, Baud: 115200, WriteTimeout: patience, Log: slog.New(slog.DiscardHandler)})
		if errors.Is(err, ErrPortBusy) { // a child between fork and exec has a copy of the last one
			opened--
			continue
		}
		if err != nil {
			t.Error(err)
			break
		}
		_ = port.Close()
	}
	close(stop)
	<-done
	if len(held) > 0 {
		t.Errorf("%d children held the port:\n%s", len(held), held[0])
	}
}
