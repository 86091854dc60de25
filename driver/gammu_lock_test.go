package driver_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/modemgate/modemgate/driver"
	"github.com/modemgate/modemgate/driver/sim"
)

// locks is where programs expect lock files of ports (FHS §5.9).
const locks = "/var/lock"

// TestGammuAndWeRespectOneAnother lets gammu, with its locking on, and the driver
// meet on one port. gammu names its lock file by the last part of the name it is
// given, here a link, and is itself kept off by TIOCEXCL.
func TestGammuAndWeRespectOneAnother(t *testing.T) {
	t.Parallel()
	gammu, err := exec.LookPath("gammu")
	if err != nil {
		t.Skip("gammu is not installed; to run this test: apt-get install gammu")
	}
	if unix.Access(locks, unix.W_OK) != nil {
		t.Skip("nobody but root may write in " + locks)
	}
	_, s := network(t, "")
	port := filepath.Join(t.TempDir(), fmt.Sprintf("ttyMG%d", os.Getpid()))
	if err := os.Symlink(s.Path(), port); err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(t.TempDir(), "gammurc")
	text := fmt.Sprintf("[gammu]\ndevice = %s\nconnection = at115200\nsynchronizetime = no\nuse_locking = yes\n", port)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	identify := func() *exec.Cmd {
		ctx, cancel := context.WithTimeout(context.Background(), hangs)
		t.Cleanup(cancel)
		return exec.CommandContext(ctx, gammu, "-c", config, "identify")
	}
	options := driver.Options{Port: port, LockDir: locks, CommandTimeout: 2 * time.Second}

	m, err := driver.Open(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	before := len(s.Transcript())
	if out, err := identify().CombinedOutput(); err == nil || !strings.Contains(string(out), "busy") || len(s.Transcript()) != before {
		t.Errorf("gammu took the port of ours: %v\n%s\n%q", err, out, s.Transcript()[before:])
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	if out, err := identify().CombinedOutput(); err != nil {
		t.Errorf("gammu does not get a port that is free: %v\n%s", err, out)
	}

	s.Inject(sim.Fault{Kind: sim.FaultHang})
	cmd := identify()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		_ = os.Remove(filepath.Join(locks, "LCK.."+filepath.Base(port)))
	}()
	var lock []byte
	eventually(t, "gammu has its lock", func() bool {
		lock, _ = os.ReadFile(filepath.Join(locks, "LCK.."+filepath.Base(port)))
		return strings.Contains(string(lock), fmt.Sprint(cmd.Process.Pid))
	})
	m, err = driver.Open(t.Context(), options)
	if !errors.Is(err, driver.ErrPortBusy) || !strings.Contains(err.Error(), "gammu") {
		t.Errorf("we took the port of gammu: %v", err)
	}
	if m != nil {
		m.Close()
	}
}
