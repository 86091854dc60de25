// Package events is the door for events: it takes them from the gateway's
// outbox and brings them to NATS JetStream, each exactly once, and it lets
// every API key read what its scopes give it and nothing else.
//
// The NATS server is embedded or somebody else's. With the embedded one each
// key is an account of its own that imports its live subjects and two pull
// consumers; see [Grant]. With an external cluster its operator grants the
// rights and [Bus.Provision] and [Bus.Revoke] do nothing.
//
// Events are sent to JetStream under subjects of the gateway's own
// (modemgate.ingest.…), where the stream turns them into the real ones. Only
// when one is stored it is published live: what a live subscriber sees is in
// the stream, and a publish that the stream refuses is seen by nobody.
//
// In an external cluster the account of the gateway needs, with the prefix
// before each name where one is configured: to publish modemgate.ingest.>,
// sms.>, otp.>, modem.>, $JS.API.STREAM.INFO.*, $JS.API.STREAM.CREATE.* (or
// the streams exist), $JS.API.STREAM.MSG.DELETE.* (to erase), and
// $JS.API.CONSUMER.CREATE.>, .MSG.NEXT.> and .DELETE.> of both streams; to
// subscribe to _INBOX.>.
//
// This package is the only one that speaks NATS. It imports nothing of
// modemgate.
package events

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Options of a [Bus]. Zero values take the defaults given.
type Options struct {
	Dir string // data directory; the streams live in Dir/jetstream
	Key []byte // encryption key of the streams; empty: not encrypted

	URL       string // external cluster, nats://a,b,c; "": embedded server
	CredsFile string // of the external cluster; "": none

	Listen  string // of the embedded server, host:port; port 0 picks one; "": in-process only
	TLSCert string // PEM files of the listener, read again when they change
	TLSKey  string

	Prefix string // "" or [a-z0-9-]: put before all subjects and stream names
	Site   string // name of this installation: ce-source of events without a source

	InboundKeep time.Duration // age at which SMS_INBOUND forgets; default 168 h
	StatusKeep  time.Duration // age at which SMS_STATUS forgets; default 24 h
	StatusMax   int64         // events that SMS_STATUS keeps; default 100,000
	MaxBytes    int64         // room for both streams, bytes; default 1 GiB

	// Authenticate says what a token may do; false refuses it. The embedded
	// server calls it once or twice for each connection, from several
	// goroutines; it must be quick and must not call the Bus.
	Authenticate func(token string) (Grant, bool)

	Log *slog.Logger // nil: discard

	// Hook is called at named points, for tests: "publish:STREAM:before",
	// "publish:STREAM:after" (stored), "mark:STREAM:before" and
	// "mark:STREAM:after", with STREAM inbound or status, and "restore:before"
	// when the embedded server listens and has no streams yet. May be nil.
	Hook func(point string)

	dedupe     time.Duration // window of Nats-Msg-Id; 0: that of withDefaults
	apiTimeout time.Duration // of requests to JetStream; 0: 10 s
	lazySync   bool          // leave it to the server when an event reaches the disk; for tests of other things
}

// State says how the connection to NATS does.
type State struct {
	Connected bool      // events can be published
	Since     time.Time // of Connected's present value
	Error     string    // why it cannot, for people; "" when all is well
	Embedded  bool
	Addr      string // as [Bus.Addr]; of an external cluster the server connected to
	SetAside  uint64 // events since the start that NATS refused for ever
}

// ErrClosed is returned after [Bus.Close].
var ErrClosed = errors.New("the event bus is closed")

// Bus is a connection to NATS and, when embedded, the server itself. All
// methods are safe for concurrent use.
type Bus struct {
	opts  Options
	log   *slog.Logger
	names names

	server *embedded // nil with an external cluster
	gate   *gate     // nil with an external cluster
	nc     *nats.Conn
	js     jetstream.JetStream

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	work   sync.WaitGroup // goroutines of the bus and running calls of Run

	epoch    atomic.Uint64 // raised whenever what is known of the streams may be stale
	setAside atomic.Uint64
	suspect  chan error    // to the keeper of the embedded server
	restored chan struct{} // closed when the first restoring of the streams has ended
	broken   error         // why it failed; to be read after that

	mu      sync.Mutex
	closed  bool
	state   State
	faults  map[string]string // what is wrong, by part
	changed chan struct{}     // closed and replaced when the epoch changes
	source  Source            // of the running Run
}

var validPrefix = regexp.MustCompile(`^[a-z0-9-]*$`)

// Open starts the embedded server, whose streams are restored in the
// background, or begins to connect to the external cluster there: streams that
// are not restored yet are no error but a [State], as a cluster that is away.
// [Bus.AwaitStreams] waits for them.
//
// Errors: an address that is taken (syscall.EADDRINUSE), a certificate that
// cannot be read, a directory that cannot be written.
func Open(ctx context.Context, o Options) (*Bus, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	b := &Bus{
		opts: o, log: o.Log, names: newNames(o.Prefix),
		suspect: make(chan error, 1), restored: make(chan struct{}),
		faults:  map[string]string{partConnection: "starting"},
		changed: make(chan struct{}),
		state:   State{Embedded: o.URL == "", Since: time.Now(), Error: "starting"},
	}
	b.ctx, b.cancel = context.WithCancel(context.Background())
	if o.URL != "" {
		close(b.restored)
		err = b.openExternal()
	} else {
		b.faults[partServer], b.state.Error = stillRestoring, stillRestoring
		err = b.openEmbedded(ctx)
	}
	if err != nil {
		b.Close(ctx)
		return nil, err
	}
	return b, nil
}

func (o Options) withDefaults() (Options, error) {
	if !validPrefix.MatchString(o.Prefix) {
		return o, fmt.Errorf("nats prefix %q: only a-z, 0-9 and - are allowed", o.Prefix)
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Hook == nil {
		o.Hook = func(string) {}
	}
	if o.Authenticate == nil {
		o.Authenticate = func(string) (Grant, bool) { return Grant{}, false }
	}
	if o.InboundKeep <= 0 {
		o.InboundKeep = 168 * time.Hour
	}
	if o.StatusKeep <= 0 {
		o.StatusKeep = 24 * time.Hour
	}
	if o.StatusMax <= 0 {
		o.StatusMax = 100_000
	}
	if o.apiTimeout == 0 {
		o.apiTimeout = 10 * time.Second // a busy disk is slow, not broken
	}
	if o.dedupe == 0 && o.URL != "" {
		o.dedupe = 2 * time.Minute // the server's own default
	} else if o.dedupe == 0 {
		// Only a second net. The server keeps every id of the window in memory
		// and reads all of it again when it starts.
		o.dedupe = 2 * ackTimeout
	}
	if o.MaxBytes <= 0 {
		o.MaxBytes = 1 << 30
	}
	return o, nil
}

// AwaitStreams waits until the embedded server has restored its streams and
// lets clients in. With an external cluster, and on a full disk, where they
// come when there is room, it returns at once. Errors: streams that cannot be
// opened, the end of ctx or of the bus.
func (b *Bus) AwaitStreams(ctx context.Context) error {
	select {
	case <-b.restored:
		return b.broken
	case <-b.ctx.Done():
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (b *Bus) restoring() bool {
	select {
	case <-b.restored:
		return false
	default:
		return true
	}
}

// awaitRestored is AwaitStreams for a request that may wait a little.
func (b *Bus) awaitRestored(ctx context.Context) error {
	ctx, cancel := b.api(ctx)
	defer cancel()
	if err := b.AwaitStreams(ctx); errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%w: %s", errAway, stillRestoring)
	} else if err != nil {
		return err
	}
	return nil
}

// Addr is the host:port the embedded server really listens on; "" when it is
// reached in-process only or the cluster is external.
func (b *Bus) Addr() string {
	if b.server == nil {
		return ""
	}
	return b.server.addr()
}

// State says how the connection to NATS does now.
func (b *Bus) State() State {
	b.mu.Lock()
	s := b.state
	b.mu.Unlock()
	s.SetAside = b.setAside.Load()
	s.Addr = b.Addr()
	if b.server == nil && b.nc != nil {
		s.Addr = b.nc.ConnectedAddr()
	}
	return s
}

// Close ends the publishers, then the connections, then the embedded server,
// and waits for each, at most until ctx ends. It may be called again. A server
// that restores its streams cannot be interrupted: when ctx ends before it has,
// it is left to end by itself, which is no error.
func (b *Bus) Close(ctx context.Context) error {
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	b.cancel()
	err := waitFor(ctx, &b.work)
	if err != nil && b.restoring() {
		b.log.Warn("the embedded nats server still restores its streams; the next start does it again")
		err = nil
	}
	if b.gate != nil {
		b.gate.close()
	}
	if b.nc != nil {
		b.nc.Close()
	}
	if b.server != nil {
		err = errors.Join(err, b.server.stop(ctx))
	}
	return err
}

// begin counts one piece of work that Close waits for.
func (b *Bus) begin() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return ErrClosed
	}
	b.work.Add(1)
	return nil
}

func waitFor(ctx context.Context, wg *sync.WaitGroup) error {
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("close the event bus: %w", ctx.Err())
	}
}

// renew says that what is known of the streams may be stale and wakes
// everyone who waits for NATS.
func (b *Bus) renew() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.epoch.Add(1)
	close(b.changed)
	b.changed = make(chan struct{})
}

// changes is closed at the next renew.
func (b *Bus) changes() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.changed
}

// fault notes what is wrong with a part ("" when it is well) and logs it when
// it differs from what was known.
func (b *Bus) fault(part, text string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	before := b.faults[part]
	if before == text {
		return
	}
	b.faults[part] = text
	if text == "" {
		delete(b.faults, part)
		b.log.Info("nats takes events", "of", part)
	} else {
		b.log.Warn("nats does not take events; they wait", "of", part, "err", text)
	}
	b.judge()
}

// judge derives the state from the faults; b.mu is held.
func (b *Bus) judge() {
	b.state.Error = ""
	for _, part := range []string{partServer, partConnection, streamInbound, streamStatus} {
		if text := b.faults[part]; text != "" {
			b.state.Error = text
			break
		}
	}
	if ok := b.state.Error == ""; ok != b.state.Connected {
		b.state.Connected, b.state.Since = ok, time.Now()
	}
}

// Parts whose faults are told apart.
const (
	partConnection = "connection"
	partServer     = "server"
)
