package main

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/modemgate/modemgate/configs"
	"github.com/modemgate/modemgate/gateway"
)

// atRestore calls fn when an embedded server has begun to listen and has no
// streams yet. The test must not run beside others.
func atRestore(t *testing.T, fn func()) {
	t.Helper()
	before := hook
	t.Cleanup(func() { hook = before })
	hook = func(point string) {
		if point == "restore:before" {
			fn()
		}
	}
}

// The API, admin.sock and the lines do not wait for the streams; what happens
// meanwhile is published when they are there.
func TestReadyBeforeTheStreams(t *testing.T) {
	s := newStation(t)
	secret := s.key("monitor", "inbound,send")
	to := number()
	s.reaches("/v1/messages/"+s.message(secret, to, "before").text("id"), "delivered")
	s.stop()

	hold := make(chan struct{})
	release := sync.OnceFunc(func() { close(hold) })
	atRestore(t, func() { <-hold })
	s.start()
	defer s.stop() // before the hook is put back, which lines read
	defer release()
	s.linesUp()
	s.ask("", "GET", "/readyz?sending=1", "").want(t, http.StatusOK, "")
	m := s.message(secret, to, "while it restores").text("id")
	s.reaches("/v1/messages/"+m, "delivered")
	b := s.local("GET", "/v1/status", "")
	if b.flag("nats.connected") || b.flag("healthy") || !strings.Contains(b.text("nats.error"), "restores its streams") ||
		b.text("nats.addr") == "" || b.int("nats.waiting") == 0 {
		t.Errorf("the status while the streams are restored: %s", b.raw)
	}
	if addr, err := os.ReadFile(filepath.Join(s.cfg.DataDir, natsAddrName)); err != nil || strings.TrimSpace(string(addr)) != s.bus.Addr() {
		t.Errorf("nats.addr is %q, %v", addr, err)
	}

	release()
	s.until("all is well", func() bool { return s.local("GET", "/v1/status", "").flag("healthy") })
	all := s.read(s.statusOf(secret, "monitor"))
	for _, state := range []string{"queued", "delivered"} {
		n := 0
		for _, h := range all {
			if h.text("id") == m && h.text("state") == state {
				n++
			}
		}
		if n != 1 {
			t.Errorf("%d events tell that the message is %s", n, state)
		}
	}
}

// A NATS client that knocks while the store is still being read is let in
// later, and not told that its key is wrong.
func TestKeysAreNotWrongBeforeTheyAreKnown(t *testing.T) {
	s := newStation(t)
	secret := s.key("monitor", "inbound")
	s.stop()

	answers := make(chan string, 1)
	s.start(func(*gateway.Options) {
		addr, err := os.ReadFile(filepath.Join(s.cfg.DataDir, natsAddrName))
		if err != nil {
			t.Fatal(err)
		}
		nc, err := net.Dial("tcp", strings.TrimSpace(string(addr)))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { nc.Close() })
		heard := make(chan string, 1)
		go func() {
			in := bufio.NewReader(nc)
			info, _ := in.ReadString('\n')
			heard <- info
			answer, _ := in.ReadString('\n') // nothing: it is to come again
			answers <- answer
		}()
		fmt.Fprintf(nc, "CONNECT {\"verbose\":false,\"auth_token\":%q}\r\nPING\r\n", secret)
		if info := <-heard; !strings.HasPrefix(info, "INFO ") {
			t.Errorf("it is greeted with %q", info)
		}
		select {
		case answer := <-answers: // what it must not say it says at once
			answers <- answer
		case <-time.After(50 * time.Millisecond):
		}
	})
	select {
	case answer := <-answers:
		if answer != "" && answer != "PONG\r\n" {
			t.Errorf("the client is told %q", answer)
		}
	case <-time.After(limit):
		t.Error("the client has no answer")
	}
}

// Streams that cannot be opened end the daemon, as a port that is taken.
func TestStreamsThatCannotBeOpenedEndTheDaemon(t *testing.T) {
	cfg := configs.Default()
	cfg.DataDir, cfg.API.Listen, cfg.NATS.Listen = filepath.Join(shortDir(t), "d"), "127.0.0.1:0", "127.0.0.1:0"
	cfg.Modems.Simulate, cfg.Storage.Reserve = 1, 1<<20
	atRestore(t, func() {
		streams := filepath.Join(cfg.DataDir, "jetstream")
		if err := os.RemoveAll(streams); err != nil {
			t.Error(err)
		}
		if err := os.Symlink(filepath.Join(cfg.DataDir, "a disk that is not there"), streams); err != nil {
			t.Error(err)
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	a, err := build(ctx, cfg, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.run(ctx); err == nil || !strings.Contains(err.Error(), "nats: embedded nats server: open the streams") {
		t.Errorf("it ends with %v", err)
	}
}
