package gateway

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/modemgate/modemgate/driver"
	"github.com/modemgate/modemgate/gateway/store"
)

// line is one modem with its SIM. Its goroutine, keep, is the only one that
// talks to the modem; what others may read is behind mu.
type line struct {
	g    *Gateway
	o    LineOptions
	log  *slog.Logger
	wake chan struct{} // something may be claimed, or a state changed
	want atomic.Bool   // the SIM is to be read
	look atomic.Bool   // the modem is to be asked for its state

	heart      heart
	submitted  atomic.Bool   // a CMGS was written since the port was opened
	sentAt     atomic.Int64  // when the network last took a part, unix ns; 0: not since the start
	busy       atomic.Bool   // it sends
	claims     atomic.Uint64 // parts it has claimed
	unanswered atomic.Bool   // the store may have submissions of the SIM that nothing was heard of

	// Owned by keep.
	sure    time.Time      // when the SIM was last seen to be the one
	passed  passed         // messages that are left for now
	greeted bool           // that it is up was told in this session
	told    bool           // it was woken and has not looked at the queue since
	current *store.Message // long message with parts still to send
	alone   bool           // it sends without AT+CMMS: this modem was lost at it
	ladder  ladder
	waiting *time.Timer // for another reading of the SIM, since the store took nothing

	probe   atomic.Pointer[probe]    // to be sent when nothing else is
	order   atomic.Pointer[[]string] // steps of recovery of which one was asked for
	ordered chan struct{}            // wakes a line that waits for its modem
	quit    chan struct{}            // closed when it leaves the fleet
	give    atomic.Pointer[string]   // the line that its modem is to be given over to

	ussd ussdSession
	call callWatch

	quota quota

	mu       sync.Mutex
	state    LineStatus
	recovery RecoveryStatus
	balance  BalanceStatus
	calls    []Call // newest first
	modem    Modem  // of the present session, for operators; nil without one
	identity driver.Identity
	gaveTo   string // the line that it has given its modem over to
	block    blockade
	memories map[string]*memory
	foreign  map[string]int // messages that are not ours, by memory, as last said in the log
	standing string         // what was last told of SIM and network, "" after the modem was opened
}

func newLine(g *Gateway, o LineOptions) *line {
	l := &line{g: g, o: o, log: g.log.With("line", o.Name), wake: make(chan struct{}, 1), ordered: make(chan struct{}, 1), quit: make(chan struct{}), memories: map[string]*memory{}, passed: passed{}}
	l.quota.o, l.quota.cheapest = o, cheapest(g.o.Costs)
	l.heart.beat()
	l.state = LineStatus{Name: o.Name, State: "starting", Detail: "the modem is being opened and set up", Since: g.started, Simulated: o.Simulated, Port: o.Port, Number: o.Number}
	return l
}

// sim is the name under which the SIM's budgets and references are kept.
func (l *line) sim() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.identity.ICCID != "":
		return l.identity.ICCID
	case l.identity.IMSI != "":
		return "imsi:" + l.identity.IMSI
	}
	return "line:" + l.o.Name
}

// poke wakes the line's loop.
func (l *line) poke() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// keep opens the modem, serves it until it goes, and opens it again. It is
// the only restart loop and returns only when ctx ends or the line leaves.
func (l *line) keep(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	go func() {
		select {
		case <-l.quit:
			stop()
		case <-ctx.Done():
		}
	}()
	defer l.g.watch.wake(topicQueue, l.wake)()
	var inVain tries
	for {
		began, plug := time.Now(), l.plug()
		l.heart.beat()
		err := l.session(ctx)
		if ctx.Err() != nil {
			l.setState("stopped", "")
			return nil
		}
		lasted := time.Since(began)
		err = l.unplugged(ctx, err)
		if !errors.Is(err, errOrdered) {
			l.down(err)
		}
		if l.rescue(ctx, err, lasted) {
			inVain = tries{}
			continue
		}
		if l.rest(ctx, inVain.after(err, lasted, l.soonest(err)), err, plug) {
			inVain.failed = 0
		}
	}
}

// session is one life of the modem, from open to gone. An error says why it
// ended.
func (l *line) session(ctx context.Context) (err error) {
	if err := l.putBack("the modem went between two parts"); err != nil {
		return err
	}
	m, err := l.o.Open(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = m.Close() }()
	l.submitted.Store(false)
	l.unanswered.Store(true)
	if err := l.swapped(m.Identity()); err != nil {
		return err
	}
	if at, ok := m.(interface{ Port() string }); ok && l.o.Port == "" {
		l.mu.Lock()
		l.state.Port = at.Port()
		l.mu.Unlock()
	}
	if err := l.up(ctx, m.Identity()); err != nil {
		return err
	}
	l.give.Store(nil)
	l.sure = time.Now()
	l.opened()
	defer l.hold(m)()
	if err := l.g.succeed(ctx, l); err != nil {
		return err
	}
	var wg sync.WaitGroup
	wg.Go(func() { l.listen(ctx, m) })
	defer wg.Wait()
	defer func() { err = errors.Join(err, m.Close()) }()
	defer l.hurry(ctx, m)()
	defer func() { _ = l.putBack("the modem went between two parts") }() // else before the next session
	return l.serve(ctx, m)
}

// hurry closes the modem when ctx has ended and the answer of a submission
// does not come within ShutdownWait. The returned function ends the watch.
func (l *line) hurry(ctx context.Context, m Modem) func() {
	over := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		select {
		case <-time.After(l.g.o.ShutdownWait):
			_ = m.Close()
		case <-over:
		}
	})
	return func() { stop(); close(over) }
}

// putBack gives the rest of a long message back to the queue while the line
// cannot go on with it: there it can expire, and wait for the next session.
func (l *line) putBack(why string) error {
	m := l.current
	if m == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	err := l.g.update(ctx, "put-back", func(tx store.Tx) error {
		return l.g.requeue(tx, m, l.g.clock.now(), "", why)
	})
	if err == nil {
		l.current = nil
	}
	return err
}

// up records that the line has a modem and which SIM is in it.
func (l *line) up(ctx context.Context, id driver.Identity) error {
	l.mu.Lock()
	id = remembered(id, l.identity)
	changed := l.state.ICCID != "" && id.ICCID != "" && id.ICCID != l.state.ICCID
	another := l.state.IMEI != "" && id.IMEI != "" && id.IMEI != l.state.IMEI
	l.identity = id
	l.state.ReadAt = l.g.clock.now()
	l.standing = ""
	if slices.Contains(simCodes, l.block.why) || slices.Contains(noServiceCodes, l.block.why) { // the modem is fresh
		l.block = blockade{}
	}
	if l.o.Number == "" {
		l.state.Number = id.Number
	}
	l.state.IMEI, l.state.ICCID, l.state.SMSC = id.IMEI, id.ICCID, id.SMSC
	l.state.Manufacturer, l.state.Model, l.state.Revision = id.Manufacturer, id.Model, id.Revision
	number, readAt := l.state.Number, l.state.ReadAt
	l.mu.Unlock()
	if another {
		l.alone = false
	}
	l.log.Info("modem ready", "model", id.Model)
	l.greeted = false
	return l.g.update(ctx, "line-up", func(tx store.Tx) error {
		now := l.g.clock.now()
		known, err := tx.Line(l.o.Name)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		if err := l.quota.load(tx, l.sim(), now); err != nil {
			return err
		}
		err = tx.PutLine(&store.Line{
			Name: l.o.Name, IMEI: id.IMEI, ICCID: id.ICCID, Number: number, Paused: known != nil && known.Paused,
			Simulated: l.o.Simulated, SeenAt: readAt,
		})
		if err == nil && id.ICCID != "" {
			err = tx.PutSIM(store.SIM{ICCID: id.ICCID, IMSI: id.IMSI, Simulated: l.o.Simulated, SeenAt: now})
		}
		if err == nil && another {
			l.log.Warn("the line has another modem")
			err = l.g.lineEvent(tx, l, "modem-changed", "", now)
		}
		if err == nil && changed {
			l.log.Warn("the SIM has changed: budgets start anew, old reports match nothing")
			err = l.g.lineEvent(tx, l, "sim-changed", "", now)
		}
		return err
	})
}

// down records why the line has no modem; once for the same reason.
func (l *line) down(err error) {
	if err == nil {
		err = errors.New("the modem ended the session")
	}
	state, detail := "failed", err.Error()
	var sim *driver.SIMError
	var wrong *MismatchError
	switch {
	case errors.As(err, &wrong):
		state, detail = wrong.State, wrong.Detail
	case errors.Is(err, driver.ErrNoPort):
		state = "absent"
	case errors.As(err, &sim):
		state, detail = "sim-"+sim.State, simDetail(sim)
	case silent(err):
		detail += "; it is opened again, and if that does not help the steps of recovery follow by themselves"
	}
	l.mu.Lock()
	l.state.Restarts++
	known := l.state.State == state && l.state.Detail == detail
	still := state == "absent" && l.state.State == state // what else is plugged in has changed
	l.state.LastError = detail
	l.standing = ""
	l.mu.Unlock()
	if known {
		return
	}
	if l.setState(state, detail); still {
		return
	}
	l.log.Warn("line is down", "state", state, "err", detail)
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := l.g.update(ctx, "line-down", func(tx store.Tx) error {
		now := l.g.clock.now()
		if wrong != nil && state == WrongSIM {
			if err := l.g.lineEvent(tx, l, "sim-changed", detail, now); err != nil {
				return err
			}
		}
		return l.g.lineEvent(tx, l, "down", state, now)
	}); err != nil {
		l.log.Warn("cannot record that the line is down", "err", err)
	}
}

func (l *line) setState(state, detail string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.state.State != state {
		l.state.Since = l.g.clock.now()
	}
	l.state.State, l.state.Detail = state, detail
}

// listen takes what the modem says unasked. Status reports and late answers
// are recorded here, so that a send under way does not delay them.
func (l *line) listen(ctx context.Context, m Modem) {
	for s := range m.Signals() {
		switch s.Kind {
		case driver.SignalStored:
			l.want.Store(true)
			l.poke()
		case driver.SignalReport:
			l.takeReport(driver.Decode(s.PDU, s.Length))
		case driver.SignalDirect:
			l.takeDirect(driver.Decode(s.PDU, s.Length))
		case driver.SignalLateResult:
			l.lateResult(s.MR)
		case driver.SignalSIM:
			l.look.Store(true)
			l.poke()
		case driver.SignalFull:
			l.isFull(ctx, s.Memory)
		case driver.SignalCall, driver.SignalCallEnd:
			l.isCall(ctx, m, s)
		}
	}
}

// persist runs a step until it is written: what it keeps is nowhere else.
func (l *line) persist(step, what string, fn func(tx store.Tx) error) {
	for tries := 0; ; tries++ {
		l.heart.beat()
		err := l.g.update(context.Background(), step, fn)
		if err == nil {
			return
		}
		if tries == 0 {
			l.log.Warn("cannot write "+what+"; trying until it is written", "err", err)
		}
		select {
		case <-l.g.stopping:
			l.log.Warn("stopped before "+what+" could be written", "err", err)
			return
		case <-time.After(recordRetry):
		}
	}
}

// tell adds a line event of its own, and says whether it is written.
func (l *line) tell(ctx context.Context, event, detail string) bool {
	err := l.g.update(ctx, "line-event", func(tx store.Tx) error {
		return l.g.lineEvent(tx, l, event, detail, l.g.clock.now())
	})
	if err != nil && ctx.Err() == nil {
		l.log.Warn("cannot record an event of the line", "event", event, "err", err)
	}
	return err == nil
}
