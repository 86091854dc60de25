package api

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// dial opens a bare connection to the server.
func dial(t *testing.T, b *box) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", b.s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return conn
}

const bareHead = "POST /v1/messages HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"

// TestSlowClientsAreCutOff in each phase in which they could hold a
// connection, and a client that only waits for its answer is not.
func TestSlowClientsAreCutOff(t *testing.T) {
	f := newFake()
	f.times = timeouts{header: 100 * time.Millisecond, body: 100 * time.Millisecond, write: time.Minute, idle: 100 * time.Millisecond}
	b := start(t, f)
	auth := "Authorization: Bearer " + goodToken + "\r\n"
	for name, sent := range map[string]string{
		"says nothing":                      "",
		"half a header":                     bareHead,
		"half a body":                       bareHead + auth + "Content-Length: 100\r\n\r\n{",
		"half a chunk":                      bareHead + auth + "Transfer-Encoding: chunked\r\n\r\nff\r\n{",
		"half a body without a key":         bareHead + "Content-Length: 100\r\n\r\n{",
		"half a body that is not wanted":    "GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{",
		"a whole request, then nothing":     "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n",
		"a whole body, then half a request": bareHead + auth + "Content-Length: 2\r\n\r\n{}" + bareHead,
	} {
		t.Run(name, func(t *testing.T) {
			conn := dial(t, b)
			if _, err := io.WriteString(conn, sent); err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(conn) // ends when the server hangs up
			if errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("still connected; got %q", got)
			}
			if strings.Contains(string(got), " 5") && strings.HasPrefix(string(got), "HTTP/1.1 5") {
				t.Errorf("got %q", got)
			}
		})
	}
	if len(f.calls) > 0 {
		t.Errorf("the gateway was asked: %v", f.calls)
	}
}

func TestWaitOutlivesTheOtherTimeouts(t *testing.T) {
	f := newFake()
	f.times = timeouts{header: 50 * time.Millisecond, body: 50 * time.Millisecond, write: time.Minute, idle: 50 * time.Millisecond}
	f.wait = func(ctx context.Context, d time.Duration) error {
		select {
		case <-ctx.Done():
			return fmt.Errorf("cut off: %w", ctx.Err())
		case <-time.After(d):
			return nil
		}
	}
	b := start(t, f)
	if r := b.do("GET", "/v1/messages/msg_1?wait=400ms", ""); r.status != 200 {
		t.Errorf("%d %s", r.status, r.body)
	}
	if defaultTimeouts.write < maxWait+10*time.Second {
		t.Errorf("writing may take %s, waiting %s", defaultTimeouts.write, maxWait)
	}
}

func TestLargeHeadersAreRefused(t *testing.T) {
	b := start(t, newFake())
	conn := dial(t, b)
	_, _ = io.WriteString(conn, "GET /healthz HTTP/1.1\r\nHost: x\r\nX: "+strings.Repeat("x", 4*maxHeader)+"\r\n\r\n")
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if res.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("%d", res.StatusCode)
	}
}

func TestConnectionsAreLimited(t *testing.T) {
	b := start(t, newFake(), func(o *Options) { o.MaxConns, o.Drain = 2, 50*time.Millisecond })
	get := func(conn net.Conn) error {
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
	one, two := dial(t, b), dial(t, b)
	for _, conn := range []net.Conn{one, two} { // busy: an idle one would make room
		if _, err := io.WriteString(conn, "GET /healthz HTTP/1.1\r\n"); err != nil {
			t.Fatal(err)
		}
	}
	answered := make(chan error, 1)
	three := dial(t, b)
	go func() { answered <- get(three) }()
	select {
	case err := <-answered:
		t.Fatalf("a third connection was served (%v)", err)
	case <-time.After(100 * time.Millisecond):
	}
	if err := one.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-answered; err != nil {
		t.Errorf("the third connection, after one closed: %v", err)
	}
	b.end() // while the listener waits for a place
}

func TestAddrFile(t *testing.T) {
	b := start(t, newFake())
	path := b.s.o.AddrFile
	got, err := os.ReadFile(path)
	if err != nil || string(got) != b.s.Addr().String()+"\n" {
		t.Errorf("%q, %v", got, err)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), ".*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	b.end()
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("after the end: %v", err)
	}
}

func TestAddressInUse(t *testing.T) {
	b := start(t, newFake())
	dir := privateDir(t)
	s := New(Options{Gateway: newFake(), Listen: b.s.Addr().String(), SocketPath: filepath.Join(dir, "admin.sock")})
	if err := s.Run(context.Background()); !errors.Is(err, syscall.EADDRINUSE) || !strings.Contains(err.Error(), b.s.Addr().String()) {
		t.Errorf("%v", err)
	}
	if s.Addr() != nil {
		t.Error("it has an address")
	}
	if _, err := os.Stat(filepath.Join(dir, "admin.sock")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the socket is still there: %v", err)
	}
	if err := New(Options{Gateway: newFake()}).Listen(); err == nil {
		t.Error("it listens on nothing")
	}
}

func TestAdminSocket(t *testing.T) {
	b := start(t, newFake())
	path := b.s.o.SocketPath
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 || info.Mode().Type() != fs.ModeSocket {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if _, err := listenSocket(path); err == nil || !strings.Contains(err.Error(), "answers") {
		t.Errorf("a second daemon: %v", err)
	}
	if r := b.local("GET", "/v1/admin/keys", ""); r.status != 200 {
		t.Errorf("%d %s", r.status, r.body)
	}
	b.end()
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("after the end: %v", err)
	}
}

func TestAdminSocketOfADaemonThatDied(t *testing.T) {
	path := filepath.Join(privateDir(t), "admin.sock")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	_ = l.Close()
	again, err := listenSocket(path)
	if err != nil {
		t.Fatal(err)
	}
	_ = again.Close()
}

func TestAdminSocketWantsAPrivateDirectory(t *testing.T) {
	dir := privateDir(t)
	path := filepath.Join(dir, "admin.sock")
	for _, mode := range []fs.FileMode{0o755, 0o710, 0o701, 0o770} {
		if err := os.Chmod(dir, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := listenSocket(path); err == nil || !strings.Contains(err.Error(), "private") {
			t.Errorf("%o: %v", mode, err)
		}
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := listenSocket(path); err == nil || !strings.Contains(err.Error(), "no socket") {
		t.Errorf("a file in the way: %v", err)
	}
	if got, _ := os.ReadFile(path); string(got) != "precious" {
		t.Error("the file is gone")
	}
	if _, err := listenSocket("/" + strings.Repeat("x", 108)); err == nil || !strings.Contains(err.Error(), "data_dir") {
		t.Errorf("a long path: %v", err)
	}
	if _, err := listenSocket(filepath.Join(dir, "none", "admin.sock")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no directory: %v", err)
	}
}
