package events

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// patience bounds every wait; reaching it means a hang.
const patience = time.Minute

// outbox is a Source in memory, as durable as the test process.
type outbox struct {
	mu     sync.Mutex
	rows   []Event // not marked
	next   int64
	marks  map[string]mark
	marked int
	acked  []string // ids
	wake   map[string]chan struct{}
}

type mark struct {
	upTo int64
	seq  uint64
}

func newOutbox() *outbox {
	return &outbox{marks: map[string]mark{}, wake: map[string]chan struct{}{
		streamInbound: make(chan struct{}, 1), streamStatus: make(chan struct{}, 1),
	}}
}

func (o *outbox) add(stream, subject, id string, payload []byte) Event {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.next++
	e := Event{Seq: o.next, Stream: stream, Subject: subject, MsgID: id, Type: "modemgate.test.v1",
		Source: "/test/front", At: time.Now(), Payload: payload}
	o.rows = append(o.rows, e)
	select {
	case o.wake[stream] <- struct{}{}:
	default:
	}
	return e
}

// sms adds a received SMS with payload seq n.
func (o *outbox) sms(line string, n int) Event {
	payload, _ := json.Marshal(map[string]any{"id": fmt.Sprintf("in_%d", n), "seq": n, "text": "hello"})
	return o.add(streamInbound, "sms.inbound."+line+".447700900001", fmt.Sprintf("in_%d", n), payload)
}

func (o *outbox) status(key, id string) Event {
	return o.add(streamStatus, "sms.status."+key+"."+id, "ev_"+key+id, []byte(`{"id":"`+id+`"}`))
}

func (o *outbox) Pending(_ context.Context, stream string, after int64, limit int) ([]Event, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	var list []Event
	for _, e := range o.rows {
		if e.Stream == stream && e.Seq > after && len(list) < limit {
			list = append(list, e)
		}
	}
	return list, nil
}

func (o *outbox) Mark(_ context.Context, stream string, upTo int64, seq uint64) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.rows = slices.DeleteFunc(o.rows, func(e Event) bool { return e.Stream == stream && e.Seq <= upTo })
	o.marks[stream] = mark{upTo, seq}
	o.marked++
	return nil
}

func (o *outbox) Acknowledged(e Event) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.acked = append(o.acked, e.MsgID)
}

func (o *outbox) LastMark(_ context.Context, stream string) (int64, uint64, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.marks[stream].upTo, o.marks[stream].seq, nil
}

func (o *outbox) Wake(stream string) <-chan struct{} { return o.wake[stream] }

func (o *outbox) waiting() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.rows)
}

// keyring authenticates tokens in tests.
type keyring struct {
	mu   sync.Mutex
	keys map[string]Grant
}

func (k *keyring) set(token string, g Grant) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.keys == nil {
		k.keys = map[string]Grant{}
	}
	k.keys[token] = g
}

func (k *keyring) remove(token string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.keys, token)
}

func (k *keyring) authenticate(token string) (Grant, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	g, ok := k.keys[token]
	return g, ok
}

// rig is a bus with an outbox that is being published.
type rig struct {
	*Bus
	box  *outbox
	keys *keyring
	opts Options
	stop func()

	stopRun func()
}

func newRig(t testing.TB, change func(*Options)) *rig {
	t.Helper()
	r := &rig{box: newOutbox(), keys: &keyring{}}
	r.opts = Options{
		Dir: t.TempDir(), Key: []byte("0123456789abcdef0123456789abcdef"), Listen: "127.0.0.1:0",
		Site: "test", Authenticate: r.keys.authenticate, MaxBytes: 64 << 20,
		lazySync: true,
	}
	if change != nil {
		change(&r.opts)
	}
	r.open(t)
	t.Cleanup(func() { r.stop() })
	return r
}

func (r *rig) open(t testing.TB) {
	t.Helper()
	b, err := Open(t.Context(), r.opts)
	if err != nil {
		t.Fatal(err)
	}
	r.Bus = b
	if err := b.AwaitStreams(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.startRun(t)
	r.stop = sync.OnceFunc(func() {
		r.stopRun()
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := b.Close(ctx); err != nil {
			t.Errorf("close: %v", err)
		}
	})
}

func (r *rig) startRun(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := r.Run(ctx, r.box); err != nil {
			t.Errorf("run: %v", err)
		}
	}()
	r.stopRun = func() { cancel(); <-done }
}

// client connects with a token and ends with the test.
func (r *rig) client(t testing.TB, token string, opts ...nats.Option) *nats.Conn {
	t.Helper()
	nc, err := nats.Connect("nats://"+r.Addr(), append(opts, nats.Timeout(time.Minute), nats.Token(token))...)
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	t.Cleanup(nc.Close)
	return nc
}

// consumer opens one of the key's consumers as a client does.
func consumer(t testing.TB, nc *nats.Conn, stream, key string) jetstream.Consumer {
	t.Helper()
	js, err := jetstream.NewWithAPIPrefix(nc, "modemgate.API")
	if err != nil {
		t.Fatal(err)
	}
	c, err := js.Consumer(t.Context(), stream, key)
	if err != nil {
		t.Fatalf("consumer %s of %s: %v", key, stream, err)
	}
	return c
}

// fetch takes n messages and acknowledges them.
func fetch(t testing.TB, c jetstream.Consumer, n int) (subjects []string) {
	t.Helper()
	for len(subjects) < n {
		batch, err := c.Fetch(n-len(subjects), jetstream.FetchMaxWait(patience))
		if err != nil {
			t.Fatal(err)
		}
		got := 0
		for m := range batch.Messages() {
			got++
			subjects = append(subjects, m.Subject())
			if err := m.DoubleAck(t.Context()); err != nil {
				t.Fatalf("ack: %v", err)
			}
		}
		if got == 0 {
			t.Fatalf("got %d of %d messages: %v", len(subjects), n, batch.Error())
		}
	}
	return subjects
}

// nothing asserts that the consumer has no message to give.
func nothing(t testing.TB, c jetstream.Consumer) {
	t.Helper()
	batch, err := c.FetchNoWait(10)
	if err != nil {
		t.Fatal(err)
	}
	for m := range batch.Messages() {
		t.Errorf("unexpected message on %s", m.Subject())
	}
}

func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// published waits until the outbox is empty.
func (r *rig) published(t testing.TB) {
	t.Helper()
	eventually(t, "outbox empty", func() bool { return r.box.waiting() == 0 })
}

// ids reads the Msg-Ids of all messages in a stream of the bus.
func (r *rig) ids(t testing.TB, stream string) (ids []string) {
	t.Helper()
	s, err := r.js.Stream(t.Context(), r.names.streams[stream])
	if err != nil {
		t.Fatal(err)
	}
	state := s.CachedInfo().State
	err = r.read(t.Context(), s, max(state.FirstSeq, 1), state.LastSeq, true, func(_ uint64, m jetstream.Msg) error {
		ids = append(ids, m.Headers().Get(nats.MsgIdHdr))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return ids
}

func testLog(w io.Writer) *slog.Logger {
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelDebug}))
}
