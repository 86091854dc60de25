package driver

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"go.bug.st/serial"
	"golang.org/x/sys/unix"
)

// closePatience bounds how long Close waits for close(2), which on a serial
// line may wait for octets that a dead device never takes.
const closePatience = 2 * time.Second

// stuckPorts counts the close(2) calls that have outlived closePatience.
var stuckPorts atomic.Int64

// StuckPorts says how many closed ports the kernel has not let go of yet. Each
// holds one goroutine and its descriptors until the device answers, is reset
// or is unplugged; it is the only goroutine a [Modem] can leave behind.
func StuckPorts() int { return int(stuckPorts.Load()) }

// port is a serial line that can be closed at any moment.
//
// go.bug.st/serial opens and configures the line. Octets move over an own,
// non-blocking descriptor of the same device with poll(2): a write can time
// out without leaving a goroutine behind, a read has no limit on descriptor
// numbers, and Close waits until neither is using the descriptor, so that no
// octet ever reaches a file that reused its number.
type port struct {
	name    string
	raw     serial.Port
	fd      int // non-blocking, carries the flock
	wake    int // eventfd, readable once Close has begun
	lock    *lockFile
	timeout time.Duration // of one Write

	closed   atomic.Bool
	reading  sync.Mutex // held for the whole of Read
	writing  sync.Mutex // held for the whole of Write
	poisoned error      // first failed write; guarded by writing

	shutting sync.Once
	once     sync.Once
	released chan struct{} // closed when the descriptors are
}

// errPortClosed is what Read and Write report after our own Close, and only then.
var errPortClosed = errors.New("port is closed")

// errWriteTimeout says that the device did not take what was written in time.
var errWriteTimeout = errors.New("write timed out, the device takes no octets")

// openPort locks and opens a serial device at the given speed.
func openPort(o Options) (*port, error) {
	if info, err := os.Stat(o.Port); err == nil && info.Mode()&fs.ModeCharDevice == 0 {
		return nil, fmt.Errorf("%s %w", o.Port, ErrNotSerial)
	}
	// The kernel follows the link: a name that was read from it first may be
	// another device's by now.
	fd, err := unix.Open(o.Port, unix.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		if name, linkErr := filepath.EvalSymlinks(o.Port); linkErr == nil {
			return nil, openError(name, err) // its holder is known by that name
		}
		return nil, openError(o.Port, err)
	}
	p := &port{name: o.Port, fd: fd, wake: -1, timeout: o.WriteTimeout, released: make(chan struct{})}
	if p.name, err = nameOf(fd, o.Port); err == nil {
		err = p.open(o)
	}
	if err != nil {
		p.release()
		return nil, err
	}
	return p, nil
}

// nameOf is the name, without links, of the device that was opened by port.
func nameOf(fd int, port string) (string, error) {
	name, err := filepath.EvalSymlinks(port)
	if err != nil {
		return "", openError(port, err)
	}
	var opened, named unix.Stat_t
	if err := errors.Join(unix.Fstat(fd, &opened), unix.Stat(name, &named)); err != nil {
		return "", openError(port, err)
	}
	if opened.Rdev != named.Rdev {
		return "", fmt.Errorf("%w, %s: its link moved while it was opened", ErrNoPort, port)
	}
	return name, nil
}

// open takes the locks in the order flock, lock file, TIOCEXCL, so that two
// processes of ours never see half a lock of each other.
func (p *port) open(o Options) error {
	if _, err := unix.IoctlGetTermios(p.fd, unix.TCGETS); errors.Is(err, unix.ENOTTY) {
		return fmt.Errorf("%s %w", o.Port, ErrNotSerial)
	}
	if err := unix.Flock(p.fd, unix.LOCK_EX|unix.LOCK_NB); err != nil {
		if errors.Is(err, unix.EWOULDBLOCK) {
			return busyError(p.name, holderOf(p.name))
		}
		return fmt.Errorf("lock %s: %w", p.name, err)
	}
	lock, err := takeLockFile(o.LockDir, p.name)
	if errors.Is(err, ErrPortBusy) {
		return err
	}
	p.lock = lock
	if err := foreign(o, p.name); err != nil {
		return err
	}
	if err != nil {
		warnUnlocked(o, p.name, err)
	}
	if p.wake, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
		return fmt.Errorf("open %s: eventfd: %w", p.name, err)
	}
	if p.raw, err = openSerial(p.name, o.Baud); err != nil {
		return openError(p.name, err)
	}
	return nil
}

// openSerial opens and configures a line. go.bug.st/serial opens the device
// and a pipe without O_CLOEXEC and shows neither descriptor, so all of this
// process are marked before the next child may start: a child that inherited a
// port would keep it busy for as long as it lives. Children get what they are
// meant to have as copies under the numbers from 0, never these.
func openSerial(name string, baud int) (serial.Port, error) {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	raw, err := serial.Open(name, &serial.Mode{BaudRate: baud})
	if err != nil {
		return nil, err
	}
	if err := closeOnExec(); err != nil {
		_ = raw.Close()
		return nil, fmt.Errorf("keep descriptors from children: %w", err)
	}
	return raw, nil
}

// closeOnExec marks every descriptor but those of standard input and output.
// One that is closed meanwhile needs no mark.
func closeOnExec() error {
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return err
	}
	for _, entry := range open {
		if fd, err := strconv.Atoi(entry.Name()); err == nil && fd > 2 {
			syscall.CloseOnExec(fd)
		}
	}
	return nil
}

// unlocked are the ports, by name, of which it was said that they have no lock
// file: that lasts, and a port is opened again and again.
var unlocked sync.Map

// warnUnlocked says once for each port that it has no lock file, and how to
// make room for one that another user left.
func warnUnlocked(o Options, name string, err error) {
	if _, told := unlocked.LoadOrStore(name, true); told {
		return
	}
	args := []any{"port", name, "err", err}
	path := lockPath(o.LockDir, name)
	if info, statErr := os.Lstat(path); statErr == nil {
		args = append(args, "file", path, "do", "sudo rm "+path)
		if st, ok := info.Sys().(*syscall.Stat_t); ok {
			args = append(args, "owner_uid", st.Uid)
		}
	}
	o.Log.Warn("no lock file for port, other programs may open it", args...)
}

// foreign refuses a port that another program uses in its own way: under the
// lock file of a link to it, as gammu makes it, or without a lock.
func foreign(o Options, name string) error {
	if o.LockDir == "" {
		return nil
	}
	if link := filepath.Base(o.Port); link != filepath.Base(name) {
		if holder := lockHolder(lockPath(o.LockDir, link)); holder != "" {
			return busyError(name, holder)
		}
	}
	if holder := stranger(name); holder != "" {
		return busyError(name, holder)
	}
	return nil
}

// openError turns what open(2) or the serial package said into our words.
func openError(name string, err error) error {
	var pe *serial.PortError
	if errors.As(err, &pe) {
		switch pe.Code() {
		case serial.PortBusy:
			return busyError(name, holderOf(name))
		case serial.PermissionDenied:
			err = fs.ErrPermission
		}
	}
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.ENXIO), errors.Is(err, unix.ENODEV):
		return fmt.Errorf("%w, %s: plug the modem in, or name one that `ls -l /dev/serial/by-id` or `modemgate modems` shows", ErrNoPort, name)
	case errors.Is(err, unix.EBUSY):
		return busyError(name, holderOf(name))
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("open %s: no right to use the port, add the user to group dialout: %w", name, err)
	}
	return fmt.Errorf("open %s: %w", name, err)
}

// Read waits for octets. It returns errPortClosed after our own Close and
// [ErrGone] when the device went away.
func (p *port) Read(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	p.reading.Lock()
	defer p.reading.Unlock()
	for {
		if err := p.wait(unix.POLLIN, time.Time{}); err != nil {
			return 0, err
		}
		n, err := unix.Read(p.fd, b)
		switch {
		case err == unix.EINTR, err == unix.EAGAIN:
			continue
		case err != nil:
			return 0, fmt.Errorf("%w: read %s: %w", ErrGone, p.name, err)
		case n == 0:
			return 0, fmt.Errorf("%w: %s hung up", ErrGone, p.name)
		}
		return n, nil
	}
}

// Write writes all of b or fails; n is what the kernel has taken. A write that
// the device does not take within the time-out poisons the port: what the
// modem has of the line is not known, so every later Write fails at once.
func (p *port) Write(b []byte) (n int, err error) {
	p.writing.Lock()
	defer p.writing.Unlock()
	if p.poisoned != nil {
		return 0, p.poisoned
	}
	deadline := time.Now().Add(p.timeout)
	for n < len(b) {
		if p.closed.Load() {
			return n, errPortClosed
		}
		k, err := unix.Write(p.fd, b[n:])
		n += max(k, 0)
		switch {
		case err == unix.EAGAIN:
			if err := p.waitForRoom(deadline); err != nil {
				p.poisoned = err
				return n, err
			}
		case err != nil && err != unix.EINTR:
			p.poisoned = fmt.Errorf("%w: write %s: %w", ErrGone, p.name, err)
			return n, p.poisoned
		}
	}
	return n, nil
}

// waitForRoom blocks until a write may succeed. Not every tty keeps POLLOUT
// to itself while it has no room, hence the pause, which bounds the retries.
func (p *port) waitForRoom(deadline time.Time) error {
	if err := p.wait(unix.POLLOUT, deadline); err != nil {
		return err
	}
	const pause = 2 * time.Millisecond
	err := p.wait(0, time.Now().Add(pause))
	if errors.Is(err, errWriteTimeout) && time.Now().Before(deadline) {
		return nil
	}
	return err
}

// wait blocks until the device is ready for events, the deadline has passed
// (the zero time never does) or Close begins. A hang-up counts as ready: the
// read or write that follows reports it.
func (p *port) wait(events int16, deadline time.Time) error {
	for !p.closed.Load() {
		ms := -1
		if !deadline.IsZero() {
			left := time.Until(deadline)
			if left <= 0 {
				return fmt.Errorf("%w: %w: %s", ErrGone, errWriteTimeout, p.name)
			}
			ms = int(left/time.Millisecond) + 1
		}
		fds := []unix.PollFd{{Fd: int32(p.fd), Events: events}, {Fd: int32(p.wake), Events: unix.POLLIN}}
		n, err := unix.Poll(fds, ms)
		if err != nil && err != unix.EINTR {
			return fmt.Errorf("poll %s: %w", p.name, err)
		}
		if n > 0 && fds[0].Revents != 0 && !p.closed.Load() {
			return nil
		}
	}
	return errPortClosed
}

// shut makes sure that no octet is written any more, but for those of a Write
// that the kernel is taking at this moment. It does not block.
func (p *port) shut() {
	p.shutting.Do(func() {
		p.closed.Store(true)
		one := [8]byte{0: 1}
		_, _ = unix.Write(p.wake, one[:])
	})
}

// Close ends a running Read and Write at once and lets go of the device. It
// waits at most closePatience for the kernel; it may be called more than once.
func (p *port) Close() error {
	p.shut()
	p.once.Do(func() {
		p.writing.Lock()
		p.reading.Lock()
		defer p.writing.Unlock()
		defer p.reading.Unlock()
		go p.release()
	})
	timer := time.NewTimer(closePatience)
	defer timer.Stop()
	select {
	case <-p.released:
		return nil
	case <-timer.C:
		return fmt.Errorf("close %s: the device does not let go, reset or unplug it", p.name)
	}
}

// release gives every descriptor and lock back. Octets that wait for the
// device are thrown away first, or close(2) would wait for them; those of
// another who holds the port are left alone.
func (p *port) release() {
	late := time.AfterFunc(closePatience, func() { stuckPorts.Add(1) })
	if p.raw != nil { // it was ours
		_ = unix.IoctlSetInt(p.fd, unix.TCFLSH, unix.TCOFLUSH)
		_ = p.raw.Close()
	}
	p.lock.release()
	if p.wake >= 0 {
		_ = unix.Close(p.wake)
	}
	_ = unix.Close(p.fd)
	if !late.Stop() {
		stuckPorts.Add(-1)
	}
	close(p.released)
}

// busyError names the holder of a port where that is known.
func busyError(name, holder string) error {
	if holder == "" {
		holder = "another program"
	}
	return fmt.Errorf("%w: %s is held by %s: stop that, or give this line another port", ErrPortBusy, name, holder)
}
