// Package gateway is the product: it takes messages and one-time passwords
// from whoever asks, sends them through the lines, takes what the lines
// receive, and tells of every change.
//
// The store is the truth: each step of a journey is one commit, and nothing
// is answered, sent or deleted before its commit is on the disk. What is kept
// in memory only wakes somebody who then reads the store, so a restart needs
// no recovery beyond [Gateway.Run]'s first look at what was under way.
//
// One goroutine owns each line: it claims, sends, records, reads the SIM and
// deletes, in that order of its own. Claims are conditional updates, so lines
// never exclude one another, and a line that hangs disturbs no other.
package gateway

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/modemgate/modemgate/driver"
	"github.com/modemgate/modemgate/gateway/events"
	"github.com/modemgate/modemgate/gateway/store"
)

// Modem is the part of *driver.Modem that the gateway uses.
type Modem interface {
	Identity() driver.Identity
	Send(ctx context.Context, s driver.Submission) (reference int, err error)
	List(ctx context.Context) ([]driver.Stored, error)
	Delete(ctx context.Context, slot driver.Slot) error
	Status(ctx context.Context) (driver.Status, error)
	Command(ctx context.Context, cmd string, timeout time.Duration) ([]string, error)
	USSD(ctx context.Context, code string) (driver.USSDAnswer, error)
	ReplyUSSD(ctx context.Context, text string) (driver.USSDAnswer, error)
	CancelUSSD(ctx context.Context) error
	HangUp(ctx context.Context) error
	Signals() <-chan driver.Signal
	Done() <-chan struct{}
	Err() error
	Close() error
}

var _ Modem = (*driver.Modem)(nil)

// Bus is the part of *events.Bus that the gateway uses.
type Bus interface {
	Run(ctx context.Context, src events.Source) error
	Provision(ctx context.Context, g events.Grant) error
	Revoke(key string)
	Erase(ctx context.Context, match func(subject string, payload []byte) bool) (int, error)
	State() events.State
}

// Phones are the simulated phones beside simulated lines.
type Phones interface {
	// Received lists the texts on the phone that show says yes to, waiting up
	// to d for the first of them.
	Received(ctx context.Context, number string, d time.Duration, show func(SimText) bool) ([]SimText, error)
	// Send texts from the phone to a line.
	Send(number, line, text string) error
}

// LineOptions is one line: a modem with its SIM under a name.
type LineOptions struct {
	Name      string
	Port      string
	ICCID     string   // the SIM that the line is for; "": whichever is in its modem
	Number    string   // MSISDN when the SIM does not know it
	Labels    []string // further names, which it may share with other lines
	PerMinute int      // SMS parts: the size of its bucket and what it gets in a minute
	PerDay    int      // of the calendar, UTC, as the month
	PerMonth  int      // 0: no limit but that of the days

	CostPerMonth int // units, see Cost; 0: no limit

	Simulated bool
	Roaming   bool   // send in foreign networks too
	Rescue    Rescue // what else can be done for its modem

	Balance     *BalanceOptions // nil: the credit of the SIM is not asked for
	KeepAlive   time.Duration   // the SIM texts itself when it sent nothing for so long; 0: never
	AcceptCalls bool            // let calls ring; else they are rejected
	Trace       *driver.Trace   // what Open traces to; nil: none

	// Open opens the modem of the line. An error that wraps
	// [driver.ErrNoPort] means that it is not plugged in, a [*MismatchError]
	// that it is not the one.
	Open func(ctx context.Context) (Modem, error)
	// SureOfSIM is how long the SIM is taken for the one seen last; a text that
	// comes later has it looked at first. 0: only now and then.
	SureOfSIM time.Duration
	// Changed, if not nil, gives a channel that is closed when a modem that
	// was absent may be there.
	Changed func() <-chan struct{}
}

// MismatchError says that a modem, or the SIM in it, is not the one that the
// line is for. State is what becomes of the line: [WrongModem] or [WrongSIM].
type MismatchError struct{ State, Detail string }

// States of a line whose modem, or the SIM in it, is not the configured one.
const (
	WrongModem = "modem-wrong"
	WrongSIM   = "sim-wrong"
)

func (e *MismatchError) Error() string { return e.Detail }

// Route names lines, or labels of lines, for a prefix of numbers; the first
// that matches counts.
type Route struct {
	Prefix string
	Via    []string
}

// Options is what a gateway needs. All durations and limits must be set.
type Options struct {
	Store   store.Store
	Secrets Secrets
	Bus     Bus    // nil: events stay in the store
	Phones  Phones // nil unless lines are simulated
	Lines   []LineOptions
	Routes  []Route
	Costs   []Cost
	Adopt   func(name, iccid string) LineOptions // a line of an adopted SIM; nil: none is adopted
	Plugged func() []PluggedModem                // what is on USB; nil: nobody looks
	Unused  func() []string                      // why what is plugged in is no line; may be nil

	Version string
	Site    string
	Region  string // ISO 3166, "" when numbers must be international

	Allow, Deny         []string // prefixes
	KeyMinute, KeyDay   int
	MaxQueued           int
	TTL, Keep, KeepText time.Duration
	MaxParts            int
	National            []string // languages whose tables may save parts; see driver.Text
	WideReferences      bool     // long messages are numbered with 16 bits
	OnUnknown           string
	Report              bool
	OTP                 OTPOptions
	InboundKeep         time.Duration
	Reassembly          time.Duration
	StorageMax, Reserve int64                 // octets
	FreeSpace           func() (int64, error) // octets left for the data directory
	Now                 func() time.Time      // nil: time.Now
	TrustClock          bool                  // a clock behind what is recorded is right: it was ahead once
	ShutdownWait        time.Duration         // for +CMGS at the end; 0: 20 s
	Poll                time.Duration         // safety net of the inbox; 0: 30 s
	Offline             time.Duration         // between looks at a line without network or SIM; 0: 5 s
	Sweep               time.Duration         // between two looks at deadlines, which bounds how late they are noticed; 0: 2 s
	Grace               time.Duration         // for late answers after a start; 0: 60 s
	Yield               time.Duration         // how long a line leaves a message to one that has sent less; 0: 100 ms
	Recovery            RecoveryOptions
	Alerts              AlertOptions
	Probe               ProbeOptions
	Upkeep              time.Duration      // how often the upkeep of SIMs is looked at; 0: 1 min
	Hook                func(point string) // for tests; may be nil
	Log                 *slog.Logger
}

// OTPOptions are the upper bounds of one-time passwords.
type OTPOptions struct {
	Length      int
	TTL         time.Duration
	MaxAttempts int
	MaxSends    int
	ResendAfter time.Duration
	OnUnknown   string
	PerHour     int // sends to one number, all keys together
	PerDay      int
	Brand       string
	Template    string
}

// Gateway is the whole product behind the API. Make it with [New], let it
// work with [Gateway.Run]. All methods are safe for concurrent use.
type Gateway struct {
	o       Options
	log     *slog.Logger
	st      store.Store
	clock   *clock
	watch   *watchers
	keys    *keyring
	fleet   fleet
	metrics *metrics
	random  io.Reader // of codes
	started time.Time

	stopping chan struct{} // closed when Run is asked to end

	running struct { // requests with an Idempotency-Key under way
		sync.Mutex
		m map[string]struct{}
	}
	routes struct { // known to have queued messages
		sync.Mutex
		m map[string]struct{}
	}
	senders   senders // of what is on simulated phones
	elsewhere elsewhere
	prober    prober
	disk      diskState
	queued    queueBound
	sweeper   heart
	turns     turns
	erasing   chan struct{} // asks for a checkpoint
	adopting  sync.Mutex    // one SIM after the other
	adopted   atomic.Pointer[[]adopted]
	pausing   sync.Mutex // store and memory agree on who is paused
}

// New checks the store against the secrets and prepares the gateway. It
// sends and receives nothing before [Gateway.Run].
func New(ctx context.Context, o Options) (*Gateway, error) {
	setDefaults(&o)
	g := &Gateway{
		o: o, log: o.Log, st: o.Store, clock: newClock(o.Now), watch: newWatchers(),
		random: rand.Reader, stopping: make(chan struct{}), erasing: make(chan struct{}, 1),
	}
	g.running.m = map[string]struct{}{}
	g.started = g.clock.now()
	g.sweeper.beat()
	g.metrics = newMetrics(g)
	if err := g.checkSecrets(ctx); err != nil {
		return nil, err
	}
	if err := g.loadClock(ctx); err != nil {
		return nil, err
	}
	var err error
	if g.keys, err = loadKeys(ctx, g); err != nil {
		return nil, err
	}
	g.fleet.now.Store(&roster{})
	for _, lo := range o.Lines {
		g.fleet.join(newLine(g, lo))
	}
	if err := g.loadLines(ctx); err != nil {
		return nil, err
	}
	return g, nil
}

func setDefaults(o *Options) {
	set := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	set(&o.ShutdownWait, 20*time.Second)
	set(&o.Poll, 30*time.Second)
	set(&o.Offline, 5*time.Second)
	set(&o.Sweep, 2*time.Second)
	set(&o.Grace, 60*time.Second)
	set(&o.Yield, 100*time.Millisecond)
	o.Recovery.setDefaults()
	if o.Hook == nil {
		o.Hook = func(string) {}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.FreeSpace == nil {
		o.FreeSpace = func() (int64, error) { return 1 << 50, nil }
	}
}

// checkSecrets refuses a store that was written under another pepper or
// sealing key, in words.
func (g *Gateway) checkSecrets(ctx context.Context) error {
	want := fmt.Sprintf("%x", g.o.Secrets.mac("check", "pepper"))
	return g.st.Update(ctx, "check-secrets", func(tx store.Tx) error {
		have, err := tx.Setting("pepper_check")
		if err != nil {
			return err
		}
		switch have {
		case want:
			return nil
		case "":
			return tx.PutSetting("pepper_check", want)
		}
		return errors.New("pepper.key is not the one this data was written with: no pending code could be verified and the limits of all numbers would be lost; put the right file back from your backup, or move the data directory away to start anew")
	})
}

// update is one step: a commit, timed by the store. Now and then it takes the
// time along, so that a clock that is behind is noticed at the next start.
func (g *Gateway) update(ctx context.Context, step string, fn func(tx store.Tx) error) error {
	now := g.clock.now()
	note := g.clock.unnoted(now) >= noteEvery
	err := g.st.Update(ctx, step, func(tx store.Tx) error {
		if err := fn(tx); err != nil || !note {
			return err
		}
		return putTime(tx, now)
	})
	if err == nil && note {
		g.clock.note(now)
	}
	if errors.Is(err, store.ErrFull) {
		g.disk.full(g.clock.now())
		return &Error{Code: StorageFull, Detail: "the disk is full: free space in the data directory; nothing was changed", Err: err}
	}
	return err
}

// Run works until ctx ends: it recovers what was under way, serves every
// line, publishes events and keeps the house in order. After ctx has ended it
// claims nothing, waits for answers of submissions in the air and returns.
func (g *Gateway) Run(ctx context.Context) error {
	if err := g.recover(ctx); err != nil {
		if ctx.Err() != nil {
			return nil // stopped before anything began
		}
		return fmt.Errorf("look at what was under way: %w", err)
	}
	// Events outlive the lines: what their last answers change is published
	// before the publishers stop.
	eventsCtx, stopEvents := context.WithCancel(context.WithoutCancel(ctx))
	defer stopEvents()
	outbox, endOutbox := g.outbox()
	defer endOutbox()
	var publishers errgroup.Group
	if g.o.Bus != nil {
		publishers.Go(func() error { return g.o.Bus.Run(eventsCtx, outbox) })
	}
	context.AfterFunc(ctx, func() { close(g.stopping) })
	work, workCtx := errgroup.WithContext(ctx)
	g.fleet.start(func(l *line) { work.Go(func() error { return l.keep(workCtx) }) })
	work.Go(func() error {
		<-workCtx.Done()
		g.fleet.stop()
		return nil
	})
	work.Go(func() error { return g.sweep(workCtx) })
	work.Go(func() error { return g.keepTidy(workCtx) })
	work.Go(func() error { return g.checkpoints(workCtx) })
	work.Go(func() error { return g.alert(workCtx) })
	work.Go(func() error { return g.upkeep(workCtx) })
	work.Go(func() error { return g.probes(workCtx) })
	err := work.Wait()
	g.noteTime(context.WithoutCancel(ctx), 0)
	g.flushEvents(2 * time.Second)
	stopEvents()
	return errors.Join(err, publishers.Wait())
}
