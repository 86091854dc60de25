package driver

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestAttackLockFileOfAnotherKind holds that a local user who may write in the
// directory of the lock files can neither hang the line nor fill the memory.
func TestAttackLockFileOfAnotherKind(t *testing.T) {
	for name, plant := range map[string]func(path string) error{
		"pipe":         func(path string) error { return unix.Mkfifo(path, 0o666) },
		"endless link": func(path string) error { return os.Symlink("/dev/zero", path) },
		"sparse file": func(path string) error {
			f, err := os.Create(path)
			if err != nil {
				return err
			}
			defer f.Close()
			return f.Truncate(1 << 40)
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "LCK..ttyUSB0")
			if err := plant(path); err != nil {
				t.Skip(err) // the file system has no such thing
			}
			taken := make(chan error, 1)
			go func() {
				_, err := takeLockFile(dir, "/dev/ttyUSB0")
				taken <- err
			}()
			select {
			case err := <-taken:
				if err != nil {
					t.Fatal(err)
				}
			case <-time.After(patience):
				t.Fatal("the line hangs on it")
			}
			if data, err := os.ReadFile(path); err != nil || strings.TrimSpace(string(data)) == "" {
				t.Errorf("the lock file holds %q: %v", data, err)
			}
		})
	}
}
