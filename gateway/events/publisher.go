package events

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"
)

// Source is the transactional outbox that events are taken from.
type Source interface {
	// Pending lists events of a stream ("inbound" or "status") that are not
	// marked yet and have a Seq above after, oldest first.
	Pending(ctx context.Context, stream string, after int64, limit int) ([]Event, error)
	// Mark says that the events up to Seq upTo are in the stream, the last of
	// them with sequence streamSeq.
	Mark(ctx context.Context, stream string, upTo int64, streamSeq uint64) error
	// Acknowledged tells of an event that NATS has just stored.
	Acknowledged(e Event)
	// LastMark is what was marked last; zeros when nothing was.
	LastMark(ctx context.Context, stream string) (upTo int64, streamSeq uint64, err error)
	// Wake receives after new events were committed.
	Wake(stream string) <-chan struct{}
}

// Event is one row of the outbox.
type Event struct {
	Seq     int64  // rises with each event of a stream
	Stream  string // "inbound" or "status"
	Subject string // without the prefix
	MsgID   string // Nats-Msg-Id and ce-id; unique for ever
	Type    string // ce-type
	Source  string // ce-source; "": /SITE
	At      time.Time
	Payload []byte // JSON
}

const (
	// markDelay is how long a published event may wait for others to be
	// marked with it.
	markDelay = 100 * time.Millisecond
	// markBatch is how many are marked at once without waiting.
	markBatch = inFlight
	minPause  = 50 * time.Millisecond
	maxPause  = 5 * time.Second
)

// Run publishes the events of src until ctx or the bus ends, one publisher
// for each stream. It returns nil then. One Run at a time.
//
// Each event comes into its stream exactly once: a publisher knows the last
// sequence of the stream and has the server refuse whatever does not follow
// it. After a start, a reconnect or a refusal it reads the stream from the
// last marked sequence on, marks what is there, and goes on behind it. NATS
// away, full or slow holds up nobody: the events wait in the outbox.
func (b *Bus) Run(ctx context.Context, src Source) error {
	if err := b.begin(); err != nil {
		return err
	}
	defer b.work.Done()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(b.ctx, cancel)()
	b.mu.Lock()
	b.source = src
	b.mu.Unlock()
	var wg sync.WaitGroup
	for _, stream := range []string{streamInbound, streamStatus} {
		p := &publisher{bus: b, src: src, stream: stream, name: b.names.streams[stream], log: b.log.With("stream", b.names.streams[stream])}
		wg.Go(func() { p.run(ctx) })
	}
	wg.Wait()
	b.mu.Lock()
	b.source = nil
	b.mu.Unlock()
	return nil
}

// publisher brings the events of one stream to NATS. Only its own goroutine
// touches it.
type publisher struct {
	bus    *Bus
	src    Source
	stream string // name in the outbox
	name   string // name of the stream
	log    *slog.Logger

	synced bool
	rounds int               // how often it was synced
	epoch  uint64            // of the bus when it was synced
	last   uint64            // last sequence of the stream
	base   string            // put before a subject to publish it
	live   bool              // publish live what is stored
	known  map[string]uint64 // Msg-Ids in the stream behind the last mark

	done      int64  // events up to here are in the stream
	doneSeq   uint64 // sequence of the last of them
	unmarked  int
	since     time.Time // when the first unmarked one was stored
	failures  int       // rounds in a row that failed
	conflicts int       // refusals in a row because the stream had moved
}

func (p *publisher) run(ctx context.Context) {
	defer p.flushLast(ctx)
	for ctx.Err() == nil {
		changes, wake := p.bus.changes(), p.src.Wake(p.stream)
		more, err := p.round(ctx)
		switch {
		case err != nil && ctx.Err() == nil:
			p.failed(ctx, err, changes)
		case err == nil && more:
			p.failures = 0
		case err == nil:
			p.failures = 0
			p.idle(ctx, changes, wake)
		}
	}
}

// round publishes one batch. It says whether to go on at once.
func (p *publisher) round(ctx context.Context) (more bool, err error) {
	if p.unmarked >= markBatch || p.unmarked > 0 && time.Since(p.since) >= markDelay {
		if err := p.flush(ctx); err != nil {
			return false, err
		}
	}
	if epoch := p.bus.epoch.Load(); !p.synced || epoch != p.epoch {
		p.synced = false
		if err := p.sync(ctx); err != nil {
			return false, err
		}
		p.synced, p.epoch = true, epoch
		p.rounds++
	}
	events, err := p.src.Pending(ctx, p.stream, p.done, inFlight)
	if err != nil {
		return false, fmt.Errorf("read the outbox: %w", err)
	}
	if len(events) == 0 {
		p.bus.fault(p.stream, "")
		return false, nil
	}
	if err := p.publish(ctx, events); err != nil {
		p.synced = false
		return errors.Is(err, errAgain), ignore(err, errAgain)
	}
	p.bus.fault(p.stream, "")
	return true, nil
}

// errAgain ends a batch that must be followed by a new look at the stream,
// without anything being wrong with NATS.
var errAgain = errors.New("the stream has moved")

func ignore(err, target error) error {
	if errors.Is(err, target) {
		return nil
	}
	return err
}

// idle waits for something to do.
func (p *publisher) idle(ctx context.Context, changes, wake <-chan struct{}) {
	var mark <-chan time.Time
	if p.unmarked > 0 {
		t := time.NewTimer(markDelay - time.Since(p.since))
		defer t.Stop()
		mark = t.C
	}
	select {
	case <-ctx.Done():
	case <-changes:
	case <-wake:
	case <-mark:
	}
}

// failed tells of a round that failed and waits before the next.
func (p *publisher) failed(ctx context.Context, err error, changes <-chan struct{}) {
	p.failures++
	if !errors.Is(err, errAway) { // that is told as a fault of the connection
		p.bus.fault(p.stream, mask(err.Error()))
	}
	if p.failures >= 2 {
		p.bus.doubt(err)
	}
	pause := min(minPause<<min(p.failures-1, 10), maxPause)
	pause = pause/2 + rand.N(pause/2+1)
	t := time.NewTimer(pause)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-changes:
	case <-t.C:
	}
}

// stored notes that an event is in the stream.
func (p *publisher) stored(e Event, seq uint64) {
	if p.unmarked == 0 {
		p.since = time.Now()
	}
	p.unmarked++
	p.done, p.doneSeq = e.Seq, seq
}

// flush marks all that is stored.
func (p *publisher) flush(ctx context.Context) error {
	if p.unmarked == 0 {
		return nil
	}
	p.bus.opts.Hook("mark:" + p.stream + ":before")
	if err := p.src.Mark(ctx, p.stream, p.done, p.doneSeq); err != nil {
		return fmt.Errorf("mark published events: %w", err)
	}
	p.bus.opts.Hook("mark:" + p.stream + ":after")
	p.unmarked = 0
	return nil
}

// flushLast marks at the end, so that the next start need not read the stream.
func (p *publisher) flushLast(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	if err := p.flush(ctx); err != nil {
		p.log.Info("published events are not marked; the next start finds them in the stream", "err", err)
	}
}

// setAside gives an event up that NATS refuses for ever, loudly.
func (p *publisher) setAside(e Event, why error) {
	p.bus.setAside.Add(1)
	p.log.Error("event cannot be published and is set aside; it is in the store, not in the stream",
		"seq", e.Seq, "id", e.MsgID, "type", e.Type, "bytes", len(e.Payload), "err", why)
	p.stored(e, p.doneSeq)
}
