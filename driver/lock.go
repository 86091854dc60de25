package driver

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// lockFile is a UUCP lock file (LCK..ttyUSB0, PID as ten characters, FHS
// §5.9), which gammu, smstools and minicom respect.
type lockFile struct{ path string }

// takeLockFile creates the lock file of a device in dir ("" means none). A
// file whose process is gone, or is this one, is stale: the caller already
// holds the flock that decides between processes of ours.
func takeLockFile(dir, device string) (*lockFile, error) {
	if dir == "" {
		return nil, nil
	}
	name := strings.ReplaceAll(strings.TrimPrefix(device, "/dev/"), "/", "_")
	path := filepath.Join(dir, "LCK.."+strings.TrimPrefix(name, "_"))
	for range 3 {
		err := writeLockFile(dir, path)
		if err == nil {
			return &lockFile{path: path}, nil
		}
		if !errors.Is(err, fs.ErrExist) {
			return nil, fmt.Errorf("lock file: %w", err)
		}
		if pid := lockOwner(path); pid > 0 && pid != os.Getpid() && alive(pid) {
			return nil, busyError(device, processName(pid)+" (lock file "+path+")")
		}
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("stale lock file: %w", err)
		}
	}
	return nil, busyError(device, "whoever keeps creating "+path)
}

// writeLockFile makes the file appear under its name only when it is whole.
func writeLockFile(dir, path string) error {
	f, err := os.CreateTemp(dir, "LTMP..*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = fmt.Fprintf(f, "%10d\n", os.Getpid())
	if err := errors.Join(err, f.Chmod(0o644), f.Close()); err != nil {
		return err
	}
	return os.Link(f.Name(), path)
}

func (l *lockFile) release() {
	if l != nil && lockOwner(l.path) == os.Getpid() {
		_ = os.Remove(l.path)
	}
}

// lockOwner reads the PID in a lock file; 0 if there is none. Others may write
// in the directory too: a pipe, a link or an endless file under the name must
// neither stop nor fill this process.
func lockOwner(path string) int {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOFOLLOW, 0)
	if err != nil {
		return 0
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return 0
	}
	data, err := io.ReadAll(io.LimitReader(f, 64))
	if err != nil {
		return 0
	}
	pid, _ := strconv.Atoi(strings.TrimSpace(string(data)))
	return pid
}

func alive(pid int) bool {
	err := unix.Kill(pid, 0)
	return err == nil || errors.Is(err, unix.EPERM)
}

// processName is the name and PID of a process, as far as /proc shows it.
func processName(pid int) string {
	if pid == os.Getpid() {
		return fmt.Sprintf("this process (pid %d)", pid)
	}
	comm, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	if err != nil {
		return fmt.Sprintf("pid %d", pid)
	}
	return fmt.Sprintf("%s (pid %d)", strings.TrimSpace(string(comm)), pid)
}

// holderOf names a process that has the device open; "" if none can be seen,
// which is the rule for processes of other users.
func holderOf(device string) string {
	links, _ := filepath.Glob("/proc/[0-9]*/fd/*")
	own := ""
	for _, link := range links {
		if target, err := os.Readlink(link); err != nil || target != device {
			continue
		}
		pid, err := strconv.Atoi(strings.Split(link, "/")[2])
		if err != nil {
			continue
		}
		if pid != os.Getpid() {
			return processName(pid)
		}
		own = processName(pid)
	}
	return own
}
