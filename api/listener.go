package api

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// limited accepts a connection only while fewer than its limit are open; the
// others wait in the backlog of the kernel. The process has few descriptors,
// and modems need theirs.
type limited struct {
	net.Listener
	places chan struct{}
	closed chan struct{}
	once   sync.Once
}

func limit(l net.Listener, most int) net.Listener {
	return &limited{Listener: l, places: make(chan struct{}, most), closed: make(chan struct{})}
}

// Accept waits for a free place, then for a connection.
func (l *limited) Accept() (net.Conn, error) {
	select {
	case l.places <- struct{}{}:
	case <-l.closed:
		return nil, net.ErrClosed
	}
	conn, err := l.Listener.Accept()
	if err != nil {
		<-l.places
		return nil, err
	}
	return &placed{Conn: conn, leave: sync.OnceFunc(func() { <-l.places })}, nil
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
