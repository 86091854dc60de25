package api

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// limited accepts a connection only while fewer than its limit are open; the
// others wait in the backlog of the kernel. The process has few descriptors,
// and modems need theirs.
//
// Nobody needs a key to hold a connection. So when the places are taken, the
// one that has been idle the longest is closed for the next who comes, and one
// address has at most half of them.
type limited struct {
	net.Listener
	places  chan struct{}
	perHost int
	closed  chan struct{}
	once    sync.Once

	mu      sync.Mutex
	waiting bool // Accept waits for a place
	idle    map[*placed]time.Time
	hosts   map[netip.Prefix]int
}

func limit(l net.Listener, most int) *limited {
	return &limited{
		Listener: l, places: make(chan struct{}, most), perHost: max(1, most/2), closed: make(chan struct{}),
		idle: map[*placed]time.Time{}, hosts: map[netip.Prefix]int{},
	}
}

// Accept waits for a free place, then for a connection.
func (l *limited) Accept() (net.Conn, error) {
	for {
		if err := l.reserve(); err != nil {
			return nil, err
		}
		conn, err := l.Listener.Accept()
		if err != nil {
			<-l.places
			return nil, err
		}
		if p := l.place(conn); p != nil {
			return p, nil
		}
		_ = conn.Close()
		<-l.places
	}
}

// reserve takes a place, if need be that of an idle connection.
func (l *limited) reserve() error {
	select {
	case l.places <- struct{}{}:
		return nil
	default:
	}
	l.want(true)
	defer l.want(false)
	select {
	case l.places <- struct{}{}:
		return nil
	case <-l.closed:
		return net.ErrClosed
	}
}

func (l *limited) want(place bool) {
	l.mu.Lock()
	l.waiting = place
	victim := l.victim()
	l.mu.Unlock()
	victim.end()
}

// victim is the connection to close for the one that waits; nil when none
// waits or none is idle. l.mu is held.
func (l *limited) victim() *placed {
	if !l.waiting {
		return nil
	}
	var oldest *placed
	for p, since := range l.idle {
		if oldest == nil || since.Before(l.idle[oldest]) {
			oldest = p
		}
	}
	if oldest != nil {
		delete(l.idle, oldest)
		l.waiting = false // one place is enough
	}
	return oldest
}

// state follows the connections; it is the http.Server's ConnState.
func (l *limited) state(conn net.Conn, s http.ConnState) {
	if t, ok := conn.(*tls.Conn); ok {
		conn = t.NetConn()
	}
	p, ok := conn.(*placed)
	if !ok {
		return
	}
	l.mu.Lock()
	delete(l.idle, p)
	if s == http.StateIdle {
		l.idle[p] = time.Now()
	}
	victim := l.victim()
	l.mu.Unlock()
	victim.end()
}

// place counts a connection; nil when its address has too many.
func (l *limited) place(conn net.Conn) *placed {
	host := hostOf(conn)
	l.mu.Lock()
	defer l.mu.Unlock()
	if host.IsValid() && l.hosts[host] >= l.perHost {
		return nil
	}
	p := &placed{Conn: conn}
	if host.IsValid() {
		l.hosts[host]++
	}
	p.leave = sync.OnceFunc(func() { l.left(p, host) })
	return p
}

func (l *limited) left(p *placed, host netip.Prefix) {
	l.mu.Lock()
	delete(l.idle, p)
	if l.hosts[host]--; l.hosts[host] <= 0 {
		delete(l.hosts, host)
	}
	l.mu.Unlock()
	<-l.places
}

// hostOf is the address of another machine, of IPv6 the network that one
// machine has for itself. This machine counts for many: its proxy speaks for
// them.
func hostOf(conn net.Conn) netip.Prefix {
	a, ok := conn.RemoteAddr().(*net.TCPAddr)
	if !ok || a.IP.IsLoopback() {
		return netip.Prefix{}
	}
	ip := a.AddrPort().Addr().Unmap()
	bits := ip.BitLen()
	if ip.Is6() {
		bits = 64
	}
	host, _ := ip.WithZone("").Prefix(bits)
	return host
}

// Close ends Accept also when it waits for a place.
func (l *limited) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

// placed gives its place back when it is closed.
type placed struct {
	net.Conn
	leave func()
}

func (p *placed) Close() error {
	defer p.leave()
	return p.Conn.Close()
}

// end closes a connection, if there is one.
func (p *placed) end() {
	if p != nil {
		_ = p.Close()
	}
}

// maxSocketPath is what fits in sun_path of unix(7), without its final zero.
const maxSocketPath = 107

// listenSocket opens admin.sock for the owner alone. Who can open it is
// admin, so its directory must be closed to others: then there is no moment
// in which they could, before the mode is set.
func listenSocket(path string) (net.Listener, error) {
	if len(path) > maxSocketPath {
		return nil, fmt.Errorf("the path of the admin socket has %d octets and may have %d: choose a shorter data_dir", len(path), maxSocketPath)
	}
	dir, err := os.Stat(filepath.Dir(path))
	if err != nil {
		return nil, fmt.Errorf("admin socket: %w", err)
	}
	if owner, ok := dir.Sys().(*syscall.Stat_t); dir.Mode().Perm()&0o077 != 0 || ok && int(owner.Uid) != os.Geteuid() {
		return nil, fmt.Errorf("admin socket: the directory %s is not private: chown it to the user of the daemon and chmod it to 0700", filepath.Dir(path))
	}
	if err := removeStale(path); err != nil {
		return nil, err
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("admin socket: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("admin socket: %w", err), l.Close())
	}
	return l, nil
}

// removeStale removes the socket of a daemon that died, and nothing else.
func removeStale(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("admin socket: %w", err)
	}
	if info.Mode().Type() != fs.ModeSocket {
		return fmt.Errorf("admin socket: %s is there and is no socket: move it away", path)
	}
	if conn, err := net.DialTimeout("unix", path, time.Second); err == nil {
		_ = conn.Close()
		return fmt.Errorf("admin socket: a daemon answers on %s already: stop it first", path)
	}
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("admin socket: %w", err)
	}
	return nil
}
