package api

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/modemgate/modemgate/gateway"
)

// patience is how long a test waits for what must happen.
const patience = time.Minute

// until waits for a condition.
func until(t *testing.T, what string, met func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !met(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never happened: %s", what)
		}
	}
}

// waiting makes a fake whose long polls last until their context ends or
// release is closed, and counts them.
func waiting() (f *fake, open *atomic.Int32, release chan struct{}) {
	f, open, release = newFake(), new(atomic.Int32), make(chan struct{})
	f.wait = func(ctx context.Context, d time.Duration) error {
		open.Add(1)
		defer open.Add(-1)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-release:
			return nil
		case <-time.After(d):
			return errors.New("nobody ended the wait")
		}
	}
	return f, open, release
}

// polls are the routes that wait.
var polls = []string{"/v1/messages/msg_1?wait=55s", "/v1/otp/otp_1?wait=55s", "/v1/inbound?order=asc&wait=55s", "/v1/sim/phones/1?wait=55s"}

func TestLongPollsOfAKeyAreBounded(t *testing.T) {
	f, open, release := waiting()
	b := start(t, f, func(o *Options) { o.MaxWaits = len(polls) })
	replies := make(chan reply, len(polls))
	for _, path := range polls {
		go func() { replies <- b.do("GET", path, "") }()
	}
	until(t, "all polls wait", func() bool { return open.Load() == int32(len(polls)) })
	for _, path := range polls {
		r := b.do("GET", path, "")
		if p := r.problem(t); r.status != 429 || p.Code != gateway.LimitExceeded || p.Limit != "waits" || r.header.Get("Retry-After") != "1" {
			t.Errorf("%s: %d %s", path, r.status, r.body)
		}
		now := strings.Replace(path, "wait=55s", "wait=0s", 1)
		if r := b.do("GET", now, ""); r.status != 200 {
			t.Errorf("%s: %d %s", now, r.status, r.body)
		}
	}
	// The key of the operator has places of its own.
	done := make(chan reply)
	go func() { done <- b.local("GET", polls[0], "") }()
	until(t, "another key waits", func() bool { return open.Load() == int32(len(polls))+1 })
	close(release)
	if r := <-done; r.status != 200 {
		t.Errorf("other key: %d %s", r.status, r.body)
	}
	for range polls {
		if r := <-replies; r.status != 200 {
			t.Errorf("%d %s", r.status, r.body)
		}
	}
	if r := b.do("GET", polls[0], ""); r.status != 200 {
		t.Errorf("places are not given back: %d %s", r.status, r.body)
	}
	if len(b.s.waits.open) > 0 {
		t.Errorf("waits left over: %v", b.s.waits.open)
	}
}

func TestShutdownEndsLongPolls(t *testing.T) {
	f, open, _ := waiting()
	b := start(t, f)
	replies := make(chan reply, len(polls))
	for _, path := range polls {
		go func() { replies <- b.do("GET", path, "") }()
	}
	until(t, "all polls wait", func() bool { return open.Load() == int32(len(polls)) })
	begin := time.Now()
	b.end()
	for range polls {
		if r := <-replies; r.status != 200 {
			t.Errorf("a poll got %d %s", r.status, r.body)
		}
	}
	if took := time.Since(begin); took > defaultDrain {
		t.Errorf("the end took %s", took)
	}
	if res, err := b.tcp.Get("http://" + b.s.Addr().String() + "/healthz"); err == nil {
		_ = res.Body.Close()
		t.Error("there is still an answer after the end")
	}
}

func TestShutdownLetsRequestsFinish(t *testing.T) {
	f := newFake()
	begun, finish := make(chan struct{}), make(chan struct{})
	f.wait = func(context.Context, time.Duration) error { // is not stopped by its context
		close(begun)
		<-finish
		return nil
	}
	b := start(t, f)
	replies := make(chan reply, 1)
	go func() { replies <- b.do("GET", polls[0], "") }()
	<-begun
	b.stop()
	until(t, "no new connections", func() bool {
		res, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Get("http://" + b.s.Addr().String() + "/healthz")
		if err == nil {
			_ = res.Body.Close()
		}
		return err != nil
	})
	close(finish)
	if r := <-replies; r.status != 200 {
		t.Errorf("%d %s", r.status, r.body)
	}
}

func TestDrainEnds(t *testing.T) {
	f := newFake()
	begun, finish := make(chan struct{}), make(chan struct{})
	f.wait = func(context.Context, time.Duration) error {
		close(begun)
		<-finish
		return nil
	}
	defer close(finish)
	b := start(t, f, func(o *Options) { o.Drain = 50 * time.Millisecond })
	go func() {
		req, _ := http.NewRequest("GET", "http://"+b.s.Addr().String()+polls[0], nil)
		req.Header.Set("Authorization", "Bearer "+goodToken)
		if res, err := b.tcp.Do(req); err == nil {
			_ = res.Body.Close()
		}
	}()
	<-begun
	b.end()
	if log := b.logs.String(); !strings.Contains(log, "requests were cut off") {
		t.Errorf("log: %s", log)
	}
}

// TestClientThatLeaves ends the wait of the gateway, gives the place back and
// is no error in the log.
func TestClientThatLeaves(t *testing.T) {
	f, open, _ := waiting()
	b := start(t, f, func(o *Options) { o.MaxWaits = 1 })
	for range 3 {
		ctx, cancel := context.WithCancel(context.Background())
		req, err := http.NewRequestWithContext(ctx, "GET", "http://"+b.s.Addr().String()+polls[0], nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+goodToken)
		gone := make(chan struct{})
		go func() {
			defer close(gone)
			if res, err := b.tcp.Do(req); err == nil {
				_ = res.Body.Close()
			}
		}()
		until(t, "the poll waits", func() bool { return open.Load() == 1 })
		cancel()
		<-gone
		until(t, "the poll ends", func() bool {
			b.s.waits.mu.Lock()
			defer b.s.waits.mu.Unlock()
			return open.Load() == 0 && len(b.s.waits.open) == 0
		})
	}
	until(t, "the access log", func() bool { return strings.Count(b.logs.String(), "status=499") == 3 })
	if log := b.logs.String(); strings.Contains(log, "level=ERROR") || strings.Contains(log, "level=WARN") {
		t.Errorf("log: %s", log)
	}
}
