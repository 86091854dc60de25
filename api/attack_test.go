package api

import (
	"bufio"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// health asks /healthz on a bare connection and leaves it open.
func health(conn net.Conn) error {
	if _, err := io.WriteString(conn, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		return err
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, res.Body)
	return errors.Join(err, res.Body.Close())
}

// idle counts the connections that wait for a request.
func idle(b *box) (n int) {
	for _, d := range b.s.doors {
		d.limit.mu.Lock()
		n += len(d.limit.idle)
		d.limit.mu.Unlock()
	}
	return n
}

// TestAttackIdleConnectionsKeepOthersOut holds that whoever takes all
// connections without a key, and then only keeps them, stops nobody.
func TestAttackIdleConnectionsKeepOthersOut(t *testing.T) {
	const most = 4
	for name, secure := range map[string]bool{"plain": false, "TLS": true} {
		t.Run(name, func(t *testing.T) {
			b := start(t, newFake(), func(o *Options) {
				o.MaxConns = most
				if secure {
					dir := t.TempDir()
					o.CertFile, o.KeyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
					pair(t, "localhost", o.CertFile, o.KeyFile)
				}
			})
			open := func() net.Conn {
				conn := dial(t, b)
				if secure {
					return tls.Client(conn, &tls.Config{InsecureSkipVerify: true})
				}
				return conn
			}
			var first net.Conn
			for i := range 3 * most {
				conn := open()
				if err := health(conn); err != nil {
					t.Fatalf("connection %d: %v", i, err)
				}
				if i == 0 {
					first = conn
					until(t, "the first connection is idle", func() bool { return idle(b) == 1 })
				}
			}
			if _, err := first.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("the longest idle connection still stands: %v", err)
			}
		})
	}
}

// TestAttackIdleAfterOthersWait is the same when the connections become idle
// only while somebody waits for a place.
func TestAttackIdleAfterOthersWait(t *testing.T) {
	b := start(t, newFake(), func(o *Options) { o.MaxConns = 1 })
	slow := dial(t, b)
	if _, err := io.WriteString(slow, "GET /healthz HTTP/1.1\r\n"); err != nil {
		t.Fatal(err)
	}
	answered := make(chan error, 1)
	next := dial(t, b)
	go func() { answered <- health(next) }()
	if _, err := io.WriteString(slow, "Host: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if err := <-answered; err != nil {
		t.Error(err)
	}
}

// far is a connection from another machine.
type far struct {
	net.Conn
	ip net.IP
}

func (f far) RemoteAddr() net.Addr { return &net.TCPAddr{IP: f.ip, Port: 4711} }
func (far) Close() error           { return nil }

// queued is a listener that accepts what is in it.
type queued chan net.Conn

func (q queued) Accept() (net.Conn, error) { return <-q, nil }
func (queued) Addr() net.Addr              { return nil }
func (queued) Close() error                { return nil }

// TestAttackOneMachineTakesAllConnections holds that one address has half of
// the places at most, however busy it keeps them; and of IPv6 one network.
func TestAttackOneMachineTakesAllConnections(t *testing.T) {
	for name, ips := range map[string][2]string{
		"IPv4":       {"192.0.2.1", "192.0.2.1"},
		"IPv4 in v6": {"192.0.2.1", "::ffff:192.0.2.1"},
		"IPv6":       {"2001:db8::1", "2001:db8::ffff"},
	} {
		t.Run(name, func(t *testing.T) {
			q := make(queued, 9)
			l := limit(q, 6)
			for i := range 8 {
				q <- far{ip: net.ParseIP(ips[i%2])}
			}
			q <- far{ip: net.ParseIP("198.51.100.7")}
			var got []net.Conn
			for range 4 {
				conn, err := l.Accept()
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, conn)
			}
			if last := got[3].RemoteAddr().(*net.TCPAddr).IP.String(); last != "198.51.100.7" {
				t.Errorf("the fourth place went to %s", last)
			}
			if len(l.places) != 4 {
				t.Errorf("%d places are taken", len(l.places))
			}
			for _, conn := range got {
				_ = conn.Close()
				_ = conn.Close() // twice gives one place back
			}
			if len(l.places) != 0 || len(l.hosts) != 0 {
				t.Errorf("%d places and %d addresses are left", len(l.places), len(l.hosts))
			}
		})
	}
}

// TestManyConnectionsOfThisMachine holds that a proxy here, which speaks for
// all, has all places.
func TestManyConnectionsOfThisMachine(t *testing.T) {
	q := make(queued, 6)
	l := limit(q, 6)
	for range cap(q) {
		q <- far{ip: net.IPv6loopback}
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range cap(q) {
			_, _ = l.Accept()
		}
	}()
	select {
	case <-done:
	case <-time.After(patience):
		t.Error("places were refused")
	}
}
