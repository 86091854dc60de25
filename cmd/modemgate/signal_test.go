package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// stuck starts doctor with a configuration that it reads for ever: a pipe into
// which nobody writes.
func stuck(t *testing.T, env ...string) *process {
	t.Helper()
	pipe := filepath.Join(t.TempDir(), "c.yaml")
	if err := unix.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	p := launch(t, env, "doctor", "--config", pipe)
	waitUntil(t, "doctor reads", func() bool {
		end, err := os.OpenFile(pipe, os.O_WRONLY|unix.O_NONBLOCK, 0) // fails until it has a reader
		if err == nil {
			t.Cleanup(func() { end.Close() })
		} else if !errors.Is(err, unix.ENXIO) {
			t.Fatal(err)
		}
		return err == nil
	})
	return p
}

// A client that hangs where no context reaches it is ended by one SIGTERM, as
// timeout(1) and systemd send it.
func TestClientThatHangsIsEndedByOneSignal(t *testing.T) {
	t.Parallel()
	p := stuck(t, "TEST_STOP_PATIENCE=100ms")
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	if code, out := p.exits(); code != exitFailed || !strings.Contains(out, "since it hung for 100ms after the signal") {
		t.Errorf("exit %d: %s", code, out)
	}
}

func TestClientThatHangsIsEndedByTheSecondSignal(t *testing.T) {
	t.Parallel()
	p := stuck(t, "TEST_STOP_PATIENCE=1h")
	_ = p.cmd.Process.Signal(syscall.SIGINT)
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // not SIGINT: two of one kind may become one
	if code, out := p.exits(); code != exitFailed || !strings.Contains(out, "by a second signal") {
		t.Errorf("exit %d: %s", code, out)
	}
}

// What runs modems is given the time that it needs to hang up.
func TestTimeToStop(t *testing.T) {
	stays := map[string]bool{"serve": true, "demo": true, "sim": true}
	for _, c := range commands() {
		if got := timeToStop([]string{c.name, "--config", "serve"}); (got == 0) != stays[c.name] {
			t.Errorf("%s is waited for for %s", c.name, got)
		}
	}
	if timeToStop(nil) == 0 || timeToStop([]string{"unheard-of"}) == 0 {
		t.Error("what is no command is waited for for ever")
	}
}
