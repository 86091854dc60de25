package sim

import (
	"encoding/binary"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// closes ends the exclusive use of a port (TIOCEXCL) when its opener closes
// it. On a real one the last close does; but the modem holds its pty open too,
// so a program that was killed would keep the port from every other for ever.
type closes struct {
	fd    int
	queue *os.File // of inotify(7)
	done  chan struct{}

	mu    sync.Mutex
	ports map[int32]*port // by watch descriptor
}

// newCloses gives nil where the system has no inotify instance left; ports
// then stay exclusive until the next plug.
func newCloses() *closes {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return nil
	}
	c := &closes{fd: fd, queue: os.NewFile(uintptr(fd), "inotify"), done: make(chan struct{}), ports: map[int32]*port{}}
	go c.run()
	return c
}

func (c *closes) watch(p *port) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if wd, err := unix.InotifyAddWatch(c.fd, p.path, unix.IN_CLOSE); err == nil {
		c.ports[int32(wd)] = p
	}
}

func (c *closes) run() {
	defer close(c.done)
	var buf [64 * unix.SizeofInotifyEvent]byte
	for {
		n, err := c.queue.Read(buf[:])
		if err != nil {
			return
		}
		for b := buf[:n]; len(b) >= unix.SizeofInotifyEvent; {
			c.closed(int32(binary.NativeEndian.Uint32(b)), binary.NativeEndian.Uint32(b[4:]))
			b = b[min(len(b), unix.SizeofInotifyEvent+int(binary.NativeEndian.Uint32(b[12:]))):]
		}
	}
}

func (c *closes) closed(wd int32, mask uint32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.ports[wd]
	if mask&unix.IN_IGNORED != 0 { // the pty is gone
		delete(c.ports, wd)
	} else if p != nil {
		p.share()
	}
}

// share lets others open the port again.
func (p *port) share() {
	if c, err := p.slave.SyscallConn(); err == nil {
		_ = c.Control(func(fd uintptr) { _ = unix.IoctlSetInt(int(fd), unix.TIOCNXCL, 0) })
	}
}

func (c *closes) close() {
	if c == nil {
		return
	}
	c.mu.Lock()
	_ = c.queue.Close()
	c.mu.Unlock()
	<-c.done
}
