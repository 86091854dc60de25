package driver

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// lockFile is a UUCP lock file (LCK..ttyUSB0, PID as ten characters, FHS
// §5.9), which gammu, smstools and minicom respect.
type lockFile struct{ path string }

// lockFresh is how long an empty lock file may belong to a program that has
// made it and not written its PID yet.
const lockFresh = 3 * time.Second

// takeLockFile creates the lock file of a device in dir ("" means none). A
// file whose process is gone, or is this one, is stale: the caller already
// holds the flock that decides between processes of ours. What other programs
// hold is respected also where no file can be made.
func takeLockFile(dir, device string) (*lockFile, error) {
	if dir == "" {
		return nil, nil
	}
	path := lockPath(dir, device)
	for range 3 {
		if holder := lockHolder(path); holder != "" {
			return nil, busyError(device, holder)
		}
		err := writeLockFile(dir, path)
		if err == nil {
			return &lockFile{path: path}, nil
		}
		if !errors.Is(err, fs.ErrExist) {
			return nil, fmt.Errorf("lock file: %w", err)
		}
		if lockHolder(path) != "" {
			continue // somebody was faster
		}
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("stale lock file: %w", err)
		}
	}
	return nil, busyError(device, "whoever keeps creating "+path)
}

// lockPath is the lock file of a device: LCK..ttyUSB0 for /dev/ttyUSB0.
func lockPath(dir, device string) string {
	name := strings.ReplaceAll(strings.TrimPrefix(device, "/dev/"), "/", "_")
	return filepath.Join(dir, "LCK.."+strings.TrimPrefix(name, "_"))
}

// lockHolder says who holds a lock file; "" if nobody does.
func lockHolder(path string) string {
	pid := lockOwner(path)
	if pid > 0 && pid != os.Getpid() && alive(pid) {
		return processName(pid) + " (lock file " + path + ")"
	}
	if info, err := os.Lstat(path); err == nil && info.Mode().IsRegular() && info.Size() == 0 && time.Since(info.ModTime()) < lockFresh {
		return "whoever has just made " + path
	}
	return ""
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
	if len(data) == 4 && strings.Trim(string(data), "0123456789 \n") != "" {
		return int(int32(binary.NativeEndian.Uint32(data))) // as UUCP did before there was a standard
	}
	first, _, _ := strings.Cut(strings.TrimSpace(string(data)), " ") // minicom adds its name and user
	pid, _ := strconv.Atoi(first)
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
	own := ""
	for _, pid := range openers(device) {
		if pid != os.Getpid() {
			return processName(pid)
		}
		own = processName(pid)
	}
	return own
}

// stranger names another process that uses the device without having locked
// it: answers would go to whichever of us reads first. The other end of a pty,
// which has its master, does not count.
func stranger(device string) string {
	for _, pid := range openers(device) {
		if pid == os.Getpid() || strings.HasPrefix(device, "/dev/pts/") && hasOpen(pid, "/dev/ptmx", "/dev/pts/ptmx") {
			continue
		}
		return processName(pid)
	}
	return ""
}

// openers lists the processes that have the device open, as far as this one
// may see that.
func openers(device string) (pids []int) {
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range dirs {
		pid, err := strconv.Atoi(filepath.Base(dir))
		if err == nil && hasOpen(pid, device) {
			pids = append(pids, pid)
		}
	}
	return pids
}

func hasOpen(pid int, names ...string) bool {
	dir := fmt.Sprintf("/proc/%d/fd", pid)
	fds, err := os.ReadDir(dir)
	if err != nil {
		return false
	}
	for _, fd := range fds {
		if target, err := os.Readlink(filepath.Join(dir, fd.Name())); err == nil && slices.Contains(names, target) {
			return true
		}
	}
	return false
}
