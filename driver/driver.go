// Package driver turns one GSM modem, reached over a serial port, into
// something that sends, lists and deletes texts.
//
// The package knows AT commands, PDUs and serial ports. It does not know
// queues, stores, brokers, HTTP or retries: it makes one attempt and says, in
// [SendError], what became of it.
//
// A [Modem] is one session with one opened port, in PDU mode only. Commands
// are issued one at a time. A missed deadline ends the session, because the
// late answer would be taken for the answer to the next command: Done closes,
// Err says why, and the owner opens the port anew. Messages that came in stay
// in the storages of SIM and modem until Delete; signals are hints to list
// them now.
//
// Layers, from the wire up: port (locks, safe close, write time-out), wire
// (cleans what modems really send and takes out what came unasked), at.AT of
// github.com/warthog618/modem (pairs commands with answers), session (one
// command at a time), Modem.
//
// Every goroutine ends before Close returns, with the exception that
// [StuckPorts] counts.
package driver

import (
	"context"
	"errors"
	"log/slog"
	"time"
)

// Options say which port to open and how long to be patient.
type Options struct {
	Port string // device node or a link to one
	Baud int    // 0 means 115200
	SMSC string // service centre in +E.164, "" for the SIM's own
	PIN  *PIN   // unlocks a SIM that asks, nil for never

	// Verify, if set, judges whether this is the modem that was meant: before
	// its SIM is used, and with sim before a PIN is entered and when the SIM is
	// read, with an empty ICCID where it could not be. An error makes Open fail
	// with it; nothing has been set or sent by then.
	Verify func(id Identity, sim bool) error

	// Sibling, if set, is asked for another port of a modem that is silent on Port,
	// "" for none. That port gets an AT, and then Open tries Port once more: there
	// are modems that hang on one port until something comes on another.
	Sibling func() string

	// CommandTimeout is the deadline of an ordinary command, 0 means 10 s.
	CommandTimeout time.Duration
	// PromptTimeout is how long AT+CMGS may take to ask for the PDU. 0 means
	// DefaultPromptTimeout, in whose place the maker's own figure is used where it is known.
	PromptTimeout time.Duration
	// SubmitTimeout is how long the network may take after the PDU. 0 means
	// DefaultSubmitTimeout, in whose place a longer one of the maker's is used.
	SubmitTimeout time.Duration
	// WriteTimeout is how long a write may take, 0 means 5 s.
	WriteTimeout time.Duration

	// LockDir is where LCK..ttyX files are made, "" for none. The port is
	// locked with flock(2) in any case.
	LockDir string
	Log     *slog.Logger // nil for silence
	Trace   *Trace       // gets the dialogue, masked; nil for one of the session's own

	// Bare opens the modem just so far that Command can be used: no SIM is
	// needed, and nothing is set but echo and the form of answers.
	Bare bool

	// OnWrite, if set, is called before and after each write of the send and
	// delete paths with "driver:cmgs", "driver:pdu", "driver:result" or
	// "driver:delete" and ":before" or ":after".
	OnWrite func(point string)
}

// General time-outs of AT+CMGS. The standards give none.
const (
	DefaultPromptTimeout = 10 * time.Second
	DefaultSubmitTimeout = 150 * time.Second
)

func (o Options) withDefaults() Options {
	for _, d := range []struct {
		value   *time.Duration
		initial time.Duration
	}{
		{&o.CommandTimeout, 10 * time.Second},
		{&o.PromptTimeout, DefaultPromptTimeout},
		{&o.SubmitTimeout, DefaultSubmitTimeout},
		{&o.WriteTimeout, 5 * time.Second},
	} {
		if *d.value <= 0 {
			*d.value = d.initial
		}
	}
	if o.Baud == 0 {
		o.Baud = 115200
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Trace == nil {
		o.Trace = new(Trace)
	}
	return o
}

// Modem is an opened modem. All methods are safe for concurrent use.
type Modem struct {
	o        Options
	s        *session
	hook     watchHook
	identity Identity
	quirks   quirks
	sca      []byte // service centre address of every PDU sent

	// The rest belongs to whoever holds the session's turn.
	storages   []string          // memories that messages can be in, the resting one first
	asked      int               // how often it was asked for them again
	current    string            // memory that AT+CMGL and AT+CMGD act on, "" if not known
	resting    string            // memory that stays selected between listings
	selects    map[string]string // memory: the form of AT+CPMS= that selects it
	total      map[string]int    // memory: number of slots
	tellsICCID string            // command that has read the ICCID, "" before
	walk       map[string]bool   // memories where AT+CMGL does not work, read slot by slot
	canLink    int               // AT+CMMS holds the link with this value, 0 if it cannot
	link       bool              // it is set
	bareSIM    bool              // AT+CPIN? was seen to end without OK
	noCell     [3]bool           // domains that refuse to tell the cell

	announces bool // of new messages; written by Open alone

	ussd ussdDialog
}

// Open locks the port, opens it and brings the modem up. It fails with
// [ErrNoPort], [ErrPortBusy], [ErrSilent], [ErrNoPDUMode] or a [*SIMError],
// wrapped with what was being done.
func Open(ctx context.Context, o Options) (*Modem, error) {
	o = o.withDefaults()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	sca, err := serviceCentre(o.SMSC)
	if err != nil {
		return nil, err
	}
	m, err := openOnce(ctx, o, sca)
	if errors.Is(err, ErrSilent) && pokeSibling(ctx, o) {
		return openOnce(ctx, o, sca)
	}
	return m, err
}

func openOnce(ctx context.Context, o Options, sca []byte) (*Modem, error) {
	p, err := openPort(o)
	if err != nil {
		return nil, err
	}
	m := &Modem{
		o: o, s: newSession(p, o), hook: o.OnWrite, sca: sca,
		selects: make(map[string]string), total: make(map[string]int), walk: make(map[string]bool),
		ussd: ussdDialog{turn: make(chan struct{}, 1)},
	}
	m.ussd.turn <- struct{}{}
	if err := m.bringUp(ctx); err != nil {
		return nil, errors.Join(err, m.Close())
	}
	if !m.announces {
		m.s.helpers.Go(m.s.standIn)
	}
	return m, nil
}

// Identity says who the modem and its SIM are, as of Open.
func (m *Modem) Identity() Identity { return m.identity }

// Signals carries what came unasked. It is closed after Done; what was queued
// by then can still be read.
func (m *Modem) Signals() <-chan Signal { return m.s.wire.signals }

// Done is closed when the session has ended.
func (m *Modem) Done() <-chan struct{} { return m.s.done }

// Err says why the session ended: nil while it runs and after Close.
func (m *Modem) Err() error {
	select {
	case <-m.s.done:
	default:
		return nil
	}
	if errors.Is(m.s.err, ErrClosed) {
		return nil
	}
	return m.s.err
}

// Close ends the session and gives the port back. A submission whose Ctrl-Z
// is out ends with [Unknown]. Close takes a few seconds at most, even if the
// device hangs, and may be called more than once.
func (m *Modem) Close() error { return m.s.close() }

// Trace is the record of the dialogue: that of [Options], or the session's own.
func (m *Modem) Trace() *Trace { return m.o.Trace }
