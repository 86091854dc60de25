package main

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// lockDataDir makes the data directory, private, and takes it: one daemon
// uses one directory. The function gives it back.
func lockDataDir(dir string) (func() error, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("data_dir: %w: make it for this user, or set data_dir", err)
	}
	info, err := os.Stat(dir)
	if err != nil {
		return nil, fmt.Errorf("data_dir: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("data_dir: others may enter %s: run chmod 0700 %s", dir, dir)
	}
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("data_dir: %w: set data_dir to a directory of this user, or run as its owner", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		return nil, &takenError{dir: dir, by: lockHolder(dir)}
	}
	if err := errors.Join(f.Truncate(0), writePID(f)); err != nil {
		f.Close()
		return nil, fmt.Errorf("data_dir: %w", err)
	}
	return f.Close, nil
}

// takenError says that another process has the data directory.
type takenError struct{ dir, by string }

func (e *takenError) Error() string {
	return fmt.Sprintf("data_dir: %s is used by another modemgate%s: stop it, or set another data_dir", e.dir, e.by)
}

// secondDaemon puts it in the words of who starts a daemon where one runs.
func secondDaemon(err error) error {
	var taken *takenError
	if !errors.As(err, &taken) {
		return err
	}
	return fmt.Errorf("a modemgate%s runs with this data_dir already, %s: modemgate status shows it; "+
		"for a second one set data_dir, api.listen and nats.listen", taken.by, taken.dir)
}

// takeDataDir makes the data directory this program's until it closes.
func (a *app) takeDataDir() error {
	unlock, err := lockDataDir(a.cfg.DataDir)
	if err == nil {
		a.defers("data_dir lock", unlock)
	}
	return err
}

// lockHolder names the process that has taken a data directory, as far as it
// is known: " (pid 12)".
func lockHolder(dir string) string {
	b, err := os.ReadFile(filepath.Join(dir, "lock"))
	if pid := strings.TrimSpace(string(b)); err == nil && pid != "" {
		return " (pid " + pid + ")"
	}
	return ""
}

func writePID(f *os.File) error {
	_, err := f.WriteAt(fmt.Appendf(nil, "%d\n", os.Getpid()), 0)
	return err
}

// freeSpace is how many octets are left for the directory.
func freeSpace(dir string) (int64, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return 0, err
	}
	return int64(s.Bavail) * int64(s.Bsize), nil
}

// writeAddr writes an address for other programs, at once or not at all.
func writeAddr(path, addr string) error {
	tmp := path + ".tmp"
	if err := os.WriteFile(tmp, []byte(addr+"\n"), 0o600); err != nil {
		return err
	}
	return os.Rename(tmp, path)
}

func isTerminal(f *os.File) bool {
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}

// holder names the program that listens on a TCP address, as far as this
// user may see: " by nginx, pid 12".
func holder(addr string) string {
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return ""
	}
	inodes := map[string]bool{}
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		listening(table, port, inodes)
	}
	fds, _ := filepath.Glob("/proc/[0-9]*/fd/*")
	for _, fd := range fds {
		target, err := os.Readlink(fd)
		if err != nil || !inodes[strings.TrimSuffix(strings.TrimPrefix(target, "socket:["), "]")] {
			continue
		}
		pid := strings.Split(fd, "/")[2]
		name, _ := os.ReadFile("/proc/" + pid + "/comm")
		return fmt.Sprintf(" by %s, pid %s", strings.TrimSpace(string(name)), pid)
	}
	return ""
}

// listening collects the socket inodes that listen on the port.
func listening(table, port string, inodes map[string]bool) {
	f, err := os.Open(table)
	if err != nil {
		return
	}
	defer f.Close()
	var want int
	if _, err := fmt.Sscan(port, &want); err != nil {
		return
	}
	const stateListen = "0A"
	for lines := bufio.NewScanner(f); lines.Scan(); {
		w := strings.Fields(lines.Text())
		if len(w) < 10 || w[3] != stateListen {
			continue
		}
		_, hex, _ := strings.Cut(w[1], ":")
		var have int
		if _, err := fmt.Sscanf(hex, "%X", &have); err == nil && have == want {
			inodes[w[9]] = true
		}
	}
}
