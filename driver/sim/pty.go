package sim

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"
)

// port is one pty: the modem holds the master. It also holds the slave open,
// so that the master survives the time between two openers and the raw mode
// set here is kept.
type port struct {
	master, slave *os.File
	path          string
	once          sync.Once
}

// openPort opens a pty whose exclusive use ends with its opener.
func (n *Network) openPort() (*port, error) {
	p, err := openPTY()
	if err == nil {
		n.closes.watch(p)
	}
	return p, err
}

func openPTY() (*port, error) {
	master, slave, err := pty.Open()
	if err != nil {
		return nil, fmt.Errorf("open a pty for a simulated modem: %w", err)
	}
	p := &port{slave: slave, path: slave.Name()}
	if err := makeRaw(int(slave.Fd())); err != nil {
		return nil, errors.Join(fmt.Errorf("set %s to raw mode: %w", p.path, err), master.Close(), slave.Close())
	}
	// A descriptor in blocking mode would not close, and so would not hang up
	// the slave, while a Read waits on it.
	fd, err := unix.FcntlInt(master.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, errors.Join(err, master.Close(), slave.Close())
	}
	path := master.Name()
	if err := errors.Join(master.Close(), unix.SetNonblock(fd, true)); err != nil {
		return nil, errors.Join(err, unix.Close(fd), slave.Close())
	}
	p.master = os.NewFile(uintptr(fd), path)
	return p, nil
}

func makeRaw(fd int) error {
	t, err := unix.IoctlGetTermios(fd, ioctlGetTermios)
	if err != nil {
		return err
	}
	t.Iflag &^= unix.IGNBRK | unix.BRKINT | unix.PARMRK | unix.ISTRIP | unix.INLCR | unix.IGNCR | unix.ICRNL | unix.IXON
	t.Oflag &^= unix.OPOST
	t.Lflag &^= unix.ECHO | unix.ECHONL | unix.ICANON | unix.ISIG | unix.IEXTEN
	t.Cflag = t.Cflag&^(unix.CSIZE|unix.PARENB) | unix.CS8
	t.Cc[unix.VMIN], t.Cc[unix.VTIME] = 1, 0
	return unix.IoctlSetTermios(fd, ioctlSetTermios, t)
}

// flow with false makes writes of the opener block at once, as a UART modem
// does by dropping CTS; true lets them go on.
func (p *port) flow(on bool) {
	if c, err := p.slave.SyscallConn(); err == nil {
		_ = c.Control(func(fd uintptr) { _ = setFlow(int(fd), on) })
	}
}

// write gives the opener what fits into the buffer of the pty, without waiting
// for it to read, and counts it.
func (p *port) write(b []byte) (n int) {
	c, err := p.master.SyscallConn()
	if err != nil {
		return 0
	}
	_ = c.Write(func(fd uintptr) bool {
		n, _ = unix.Write(int(fd), b)
		return true
	})
	return max(n, 0)
}

// unread counts the octets that the opener could read now.
func (p *port) unread() (n int) {
	if c, err := p.slave.SyscallConn(); err == nil {
		_ = c.Control(func(fd uintptr) { n, _ = unix.IoctlGetInt(int(fd), ioctlUnread) })
	}
	return n
}

// close hangs up: an opener's Read ends, its Write gives EIO.
func (p *port) close() {
	p.once.Do(func() {
		p.flow(true)
		p.slave.Close()
		p.master.Close()
	})
}

// replaceLink points link to target in one step: an opener sees the old or
// the new one.
func replaceLink(target, link string) error {
	tmp := filepath.Join(filepath.Dir(link), "."+filepath.Base(link)+".new")
	if err := os.Remove(tmp); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := os.Symlink(target, tmp); err != nil {
		return err
	}
	return os.Rename(tmp, link)
}

// removeLink removes link if it still points to target.
func removeLink(target, link string) {
	if to, err := os.Readlink(link); err == nil && to == target {
		_ = os.Remove(link)
	}
}
