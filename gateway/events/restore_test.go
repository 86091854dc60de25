package events

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// held opens a bus over the streams of r whose server listens and does not
// restore them before release is called.
func held(t *testing.T, r *rig) (b *Bus, release func()) {
	t.Helper()
	r.stop()
	hold := make(chan struct{})
	release = sync.OnceFunc(func() { close(hold) })
	t.Cleanup(release)
	o := r.opts
	o.Hook = func(point string) {
		if point == "restore:before" {
			<-hold
		}
	}
	b, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return b, release
}

// closeIn closes a bus and waits for it as long as it takes.
func closeIn(t *testing.T, b *Bus, limit time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	if err := b.Close(ctx); err != nil {
		t.Errorf("close: %v", err)
	}
}

// While the server restores its streams the bus is there, says so, takes no
// stream for missing and lets nobody in; then it goes on where it was.
func TestStreamsAreRestoredBehindTheStart(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	r.keys.set("tok", Grant{Key: "monitor", Inbound: true})
	for n := range 300 {
		r.box.sms("front", n+1)
	}
	r.published(t)
	b, release := held(t, r)
	r.Bus = b
	r.stop = sync.OnceFunc(func() { release(); r.stopRun(); closeIn(t, b, patience) })
	r.startRun(t)
	r.box.sms("front", 301)

	if s := b.State(); s.Connected || s.Addr == "" || !strings.Contains(s.Error, "restores its streams") {
		t.Errorf("state while restoring %+v", s)
	}
	soon, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := b.AwaitStreams(soon); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the streams are there: %v", err)
	}
	if err := b.Provision(soon, Grant{Key: "monitor", Inbound: true}); !errors.Is(err, errAway) {
		t.Errorf("provision while restoring: %v", err)
	}
	if _, err := b.Erase(soon, func(string, []byte) bool { return true }); !errors.Is(err, errAway) {
		t.Errorf("erase while restoring: %v", err)
	}
	in := make(chan struct{})
	go func() {
		for t.Context().Err() == nil { // one that is held too long is refused
			if nc, err := nats.Connect("nats://"+b.Addr(), nats.Timeout(patience), nats.Token("tok")); err == nil {
				nc.Close()
				close(in)
				return
			}
		}
	}()
	select {
	case <-in:
		t.Error("a client is in")
	case <-time.After(50 * time.Millisecond):
	}
	if n := r.box.waiting(); n != 1 {
		t.Errorf("%d events wait, want 1", n)
	}

	release()
	if err := b.AwaitStreams(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.published(t)
	if got := r.ids(t, streamInbound); !slices.Equal(got, wantIDs(301)) {
		t.Errorf("the stream holds %d messages, want %d, each once and in order", len(got), 301)
	}
	eventually(t, "all is well", func() bool {
		return b.State() == State{Connected: true, Since: b.State().Since, Embedded: true, Addr: b.Addr()}
	})
	select {
	case <-in:
	case <-time.After(patience):
		t.Fatal("the client is not let in")
	}
	fetch(t, consumer(t, r.client(t, "tok"), "SMS_INBOUND", "monitor"), 301)
}

// A client with the right key that comes back while the server restores is
// never told that its key is wrong: at the second time it would give up for
// good, and miss all that comes.
func TestClientsOutliveTheRestoring(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	r.keys.set("tok", Grant{Key: "monitor", Inbound: true})
	r.opts.Listen = r.Addr()
	knocks, back, gone := make(chan struct{}, 100), make(chan struct{}), make(chan error, 1)
	authenticate := r.opts.Authenticate
	r.opts.Authenticate = func(token string) (Grant, bool) {
		select {
		case knocks <- struct{}{}:
		default:
		}
		return authenticate(token)
	}
	nc, err := nats.Connect("nats://"+r.Addr(), nats.Token("tok"), nats.MaxReconnects(-1), nats.ReconnectWait(10*time.Millisecond),
		nats.ReconnectJitter(0, 0), nats.Timeout(patience), nats.ReconnectHandler(func(*nats.Conn) { close(back) }),
		nats.ClosedHandler(func(nc *nats.Conn) { gone <- nc.LastError() }))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	b, release := held(t, r)
	defer closeIn(t, b, patience)
	defer release()
	for range 3 { // at the third it has been turned away twice
		select {
		case <-knocks:
		case err := <-gone:
			t.Fatalf("the client has given up: %v", err)
		case <-time.After(patience):
			t.Fatal("the client does not come back")
		}
	}
	release()
	select {
	case <-back:
	case err := <-gone:
		t.Fatalf("the client has given up: %v", err)
	case <-time.After(patience):
		t.Fatal("the client is not let in")
	}
}

// A bus that is closed while its server restores waits for it, but no longer
// than it was told to; the server ends when it has restored.
func TestCloseWhileRestoring(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	r.box.sms("front", 1)
	r.published(t)

	b, release := held(t, r)
	time.AfterFunc(30*time.Millisecond, release)
	closeIn(t, b, patience)
	if b.server.current() != nil {
		t.Error("a server runs after close")
	}

	b, release = held(t, r)
	addr := b.Addr()
	closeIn(t, b, 30*time.Millisecond)
	release()
	eventually(t, "the server that was left ends", func() bool {
		l, err := net.Listen("tcp", addr)
		if err == nil {
			err = l.Close()
		}
		return err == nil
	})
	if err := b.AwaitStreams(t.Context()); err == nil {
		t.Error("the streams of a closed bus are there")
	}
	b.work.Wait()

	r.open(t)
	if got := r.ids(t, streamInbound); !slices.Equal(got, wantIDs(1)) {
		t.Errorf("the stream holds %v", got)
	}
}

// A directory of streams that is gone when they are restored is told to who
// waits for them.
func TestStreamsThatCannotBeOpened(t *testing.T) {
	t.Parallel()
	o := Options{Dir: t.TempDir()}
	o.Hook = func(point string) {
		streams := filepath.Join(o.Dir, "jetstream")
		if err := os.RemoveAll(streams); err != nil || point != "restore:before" {
			t.Errorf("at %s: %v", point, err)
		}
		if err := os.Symlink(filepath.Join(o.Dir, "a disk that is not there"), streams); err != nil {
			t.Error(err)
		}
	}
	b, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer closeIn(t, b, patience)
	err = b.AwaitStreams(t.Context())
	if err == nil || !strings.Contains(err.Error(), "open the streams") {
		t.Fatalf("open: %v", err)
	}
	eventually(t, "the state says so", func() bool { return b.State().Error == mask(err.Error()) })
}

// A stream that is as it should be is known as such, and every difference too.
func TestUnchangedStream(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	for _, stream := range []string{streamInbound, streamStatus} {
		s, err := r.js.Stream(t.Context(), r.names.streams[stream])
		if err != nil {
			t.Fatal(err)
		}
		is := s.CachedInfo().Config
		if want := r.streamConfig(stream); !unchanged(is, want) {
			t.Errorf("%s is %+v, and %+v is told from it", stream, is, want)
		}
		if is.Duplicates > 2*ackTimeout { // all ids of it are in memory, and are read again at a start
			t.Errorf("%s has a window of %v", stream, is.Duplicates)
		}
		for name, change := range map[string]func(*jetstream.StreamConfig){
			"age":       func(c *jetstream.StreamConfig) { c.MaxAge += time.Hour },
			"events":    func(c *jetstream.StreamConfig) { c.MaxMsgs += 1000 },
			"bytes":     func(c *jetstream.StreamConfig) { c.MaxBytes += 1 << 20 },
			"window":    func(c *jetstream.StreamConfig) { c.Duplicates += time.Second },
			"subjects":  func(c *jetstream.StreamConfig) { c.Subjects = []string{"other.>"} },
			"transform": func(c *jetstream.StreamConfig) { c.SubjectTransform = nil },
			"metadata":  func(c *jetstream.StreamConfig) { c.Metadata = map[string]string{"modemgate.stream": "other"} },
		} {
			want := r.streamConfig(stream)
			if change(&want); unchanged(is, want) {
				t.Errorf("%s with other %s is not told from what is there", stream, name)
			}
		}
	}
}
