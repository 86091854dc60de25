package driver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Power is a command of the operator that takes the power from a modem and
// gives it back, such as `uhubctl -l 1-1 -p 2 -a cycle`. It runs without a
// shell, in a process group of its own that ends with it, and sees of the
// environment of this process, which may hold secrets, only [powerEnv].
type Power struct {
	Argv    []string
	Env     []string      // added to what it sees of that of this process
	Timeout time.Duration // 0 means 60 s; then the whole group is killed
	Log     *slog.Logger  // gets what the command prints, masked; nil for silence
}

const (
	powerTimeout = time.Minute
	powerGrace   = 15 * time.Second // to come to its end once nobody waits any more
	powerOutput  = 4 << 10          // octets of output that are kept
)

// powerEnv are the variables that a power command gets from this process.
var powerEnv = []string{"PATH", "HOME", "LANG"}

// Cycle runs the command. An error says that it could not be run, took too
// long, or ended with another status than 0.
func (p Power) Cycle(ctx context.Context) error {
	if len(p.Argv) == 0 {
		return errors.New("power command: none is configured")
	}
	limit := p.Timeout
	if limit <= 0 {
		limit = powerTimeout
	}
	// Who stops waiting must not leave the modem without power.
	run, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(powerGrace, cancel) })()
	cmd := exec.CommandContext(run, p.Argv[0], p.Argv[1:]...)
	out := &clipped{limit: powerOutput}
	cmd.Stdout, cmd.Stderr = out, out
	cmd.Env = p.environment()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return unix.Kill(-cmd.Process.Pid, unix.SIGKILL) }
	cmd.WaitDelay = time.Second // for pipes that a grandchild holds open
	err := cmd.Run()
	if cmd.Process != nil {
		_ = unix.Kill(-cmd.Process.Pid, unix.SIGKILL) // what it left behind
	}
	if p.Log != nil {
		for line := range strings.Lines(out.kept.String()) {
			p.Log.Info("power command", "command", p.Argv[0], "says", maskDigits(printable(line)))
		}
	}
	switch {
	case errors.Is(run.Err(), context.DeadlineExceeded):
		return fmt.Errorf("power command %s: not done after %s", p.Argv[0], limit)
	case err != nil:
		return fmt.Errorf("power command %s: %w", p.Argv[0], err)
	}
	return nil
}

// environment is never nil, which would stand for that of this process.
func (p Power) environment() []string {
	env := []string{}
	for _, name := range powerEnv {
		if v, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+v)
		}
	}
	return append(env, p.Env...)
}

// clipped keeps the beginning of what is written to it.
type clipped struct {
	kept  bytes.Buffer
	limit int
}

func (c *clipped) Write(b []byte) (int, error) {
	if room := c.limit - c.kept.Len(); room > 0 {
		c.kept.Write(b[:min(room, len(b))])
	}
	return len(b), nil
}

// printable replaces what could forge a line of a log.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return -1
		}
		return r
	}, strings.TrimSpace(s))
}

var errReadOnly error = unix.EROFS

// inode tells one plug from another: the kernel makes a new node each time.
func inode(info fs.FileInfo) uint64 {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return st.Ino
	}
	return 0
}
