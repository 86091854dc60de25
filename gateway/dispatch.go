package gateway

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/modemgate/modemgate/driver"
	"github.com/modemgate/modemgate/gateway/store"
)

// Ceilings and back-off of sending.
const (
	maxAttempts  = 20 // rounds of sending of one message, over all lines
	maxUnsure    = 3  // rounds that ended in the same error that says nothing
	retryFirst   = 5 * time.Second
	retryMax     = 10 * time.Minute
	retryGone    = time.Second // the modem went before the text was out
	blockFirst   = time.Minute
	blockMax     = 30 * time.Minute
	recordRetry  = time.Second // while a result cannot be written
	drainTimeout = 2 * time.Minute
)

var (
	errExpired  = errors.New("the deadline has passed")
	errStopping = errors.New("modemgate is stopping")
)

// claim is one part that the line has undertaken to send: its intent is on
// the disk.
type claim struct {
	m    *store.Message
	part int // 1-based
	text string
	more bool // something else follows at once
	open bool // without validity period

	tpdu  []byte // nil for what cannot be sent
	fault error  // why it cannot be coded
}

// serve claims, sends and receives until the modem goes or ctx ends.
func (l *line) serve(ctx context.Context, m Modem) error {
	if err := l.refreshStatus(ctx, m); err != nil {
		return err
	}
	l.want.Store(true) // what arrived while nobody listened
	poll, status := time.NewTicker(l.g.o.Poll), time.NewTicker(l.g.o.Offline)
	defer poll.Stop()
	defer status.Stop()
	due := time.NewTimer(0)
	defer due.Stop()
	checked := time.Now()
	for {
		l.heart.beat()
		if l.orderDue(ctx) {
			return errOrdered
		}
		if err := l.yields(); err != nil {
			return err
		}
		if l.want.Swap(false) {
			if err := l.drain(ctx, m); err != nil {
				return err
			}
		}
		if l.look.Swap(false) {
			checked = time.Now()
			if err := l.refreshStatus(ctx, m); err != nil {
				return err
			}
		}
		next, err := l.work(ctx, m, poll.C)
		if err != nil {
			return err
		}
		if due.Stop(); !next.IsZero() {
			due.Reset(max(0, next.Sub(l.g.clock.now())) + time.Millisecond)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-m.Done():
			return sessionEnd(m)
		case <-l.wake:
			l.told = true
		case <-due.C:
		case <-poll.C:
			l.want.Store(true)
		case <-status.C:
			if time.Since(checked) >= l.checkEvery()-l.g.o.Offline/2 {
				l.look.Store(true)
			}
		}
	}
}

func sessionEnd(m Modem) error {
	if err := m.Err(); err != nil {
		return err
	}
	return errors.New("the modem ended the session")
}

// work sends what is due until nothing is, something is to be read (also when
// poll says so), or the modem goes. It returns when to look again (zero: when
// woken).
func (l *line) work(ctx context.Context, m Modem, poll <-chan time.Time) (time.Time, error) {
	defer l.busy.Store(false)
	c, next, err := l.claim(ctx)
	for err == nil && c != nil {
		l.heart.beat()
		mr, sendErr := l.send(ctx, m, c)
		select {
		case <-poll:
			l.want.Store(true)
		default:
		}
		to := c.m.To
		if c, next, err = l.record(ctx, c, mr, sendErr); l.sendJudged(to, sendErr) && err == nil && ctx.Err() == nil {
			return next, errMute
		}
		select {
		case <-m.Done():
			if c == nil {
				return next, sessionEnd(m)
			}
		default:
		}
	}
	var refused *Error
	if errors.As(err, &refused) || errors.Is(err, store.ErrFull) {
		// The disk is full: nothing can be claimed, the modem is well.
		return l.g.clock.now().Add(recordRetry), nil
	}
	if err == nil && (next.IsZero() || next.After(l.g.clock.now())) && l.putBack("the line waits between two parts") != nil {
		next = l.g.clock.now().Add(recordRetry)
	}
	if err == nil && l.current == nil && (next.IsZero() || next.After(l.g.clock.now())) && l.sendProbe(ctx, m) {
		return next, errMute
	}
	return next, err
}

// claim finds the next part for this line and writes the intent to send it.
func (l *line) claim(ctx context.Context) (c *claim, next time.Time, err error) {
	if ctx.Err() != nil {
		return nil, time.Time{}, nil
	}
	now := l.g.clock.now()
	if ok, until := l.ready(now); !ok {
		return nil, until, nil
	}
	// A line that was woken has something to claim, unless another is quicker.
	sure := l.told && len(l.g.lines()) == 1
	if l.told = false; !sure {
		if idle, until, err := l.idle(ctx, now); idle || err != nil {
			return nil, until, err
		}
	}
	current := l.current
	err = l.g.update(ctx, "claim", func(tx store.Tx) error {
		l.current = current
		c, next, err = l.take(tx)
		return err
	})
	if err == nil {
		return c, next, nil // also while stopping: what is claimed is given back, see notSent
	}
	l.current = current
	if ctx.Err() != nil {
		err = nil
	}
	return nil, time.Time{}, err
}

// idle looks without a commit whether there is anything to claim.
func (l *line) idle(ctx context.Context, now time.Time) (idle bool, next time.Time, err error) {
	err = l.g.st.View(ctx, func(tx store.Tx) error {
		routes := l.routes()
		left, again := l.left(now)
		_, ok, err := tx.NextQueued(routes, now, left...)
		if err != nil || ok || l.current != nil {
			return err
		}
		idle = true
		next, err = tx.NextDue(routes, now)
		next = sooner(next, again)
		return err
	})
	return idle, next, err
}

// take chooses inside a commit: an OTP before the rest of a long message,
// that before anything else.
func (l *line) take(tx store.Tx) (*claim, time.Time, error) {
	now := l.g.clock.now()
	if until, err := l.budget(tx, now); err != nil || !until.IsZero() {
		return nil, until, err
	}
	for {
		left, again := l.left(now)
		id, ok, err := tx.NextQueued(l.routes(), now, left...)
		if err != nil {
			return nil, time.Time{}, err
		}
		var m *store.Message
		if ok {
			if m, err = tx.Message(id); err != nil {
				return nil, time.Time{}, err
			}
		}
		if l.current != nil && (m == nil || m.Priority != store.PriorityOTP) {
			if _, at := l.quota.opens(1, l.g.units(l.current.To), now); !at.IsZero() {
				return nil, at, nil
			}
			c, err := l.prepare(tx, l.current, now)
			if errors.Is(err, store.ErrNotFound) {
				continue // it was erased, or has ended; prepare has let go of it
			}
			if err == nil {
				err = l.intend(tx, c, now)
			}
			return c, time.Time{}, err
		}
		if m == nil {
			next, err := tx.NextDue(l.routes(), now)
			return nil, sooner(next, again), err
		}
		if m.Simulated != l.o.Simulated {
			if err := l.misplaced(tx, m, now); err != nil {
				return nil, time.Time{}, err
			}
			continue
		}
		if m.ICCID != "" && m.Route == l.o.Name && partsOut(m) > 0 && m.ICCID != l.sim() {
			if err := l.stranded(tx, m); err != nil {
				return nil, time.Time{}, err
			}
			continue
		}
		if l.passes(m, now) {
			if ids, next := l.passed.list(now); len(ids) >= leaveAtOnce {
				return nil, next, nil
			}
			continue
		}
		if c, err := l.begin(tx, m, now); c != nil || err != nil {
			return c, time.Time{}, err
		}
	}
}

// begin takes a queued message over and writes the intent to send its first
// unsent part; nil if another was quicker, or it has ended as unreadable.
func (l *line) begin(tx store.Tx, m *store.Message, now time.Time) (*claim, error) {
	c, err := l.prepare(tx, m, now)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	entry := store.HistoryEntry{State: store.Sending, At: now, Line: l.o.Name, Note: l.chosen(m)}
	if len(m.Parts) == 1 { // else each part has an entry
		entry.Submission = l.evidence(c)
	}
	won, err := l.g.move(tx, m, []State{store.Queued}, store.MessageChange{
		State: ptr(store.Sending), Line: &l.o.Name, ICCID: ptr(l.sim()), AddAttempts: 1, History: &entry,
	})
	if err != nil || !won {
		return nil, err
	}
	return c, l.intend(tx, c, now)
}

// stranded ends a long message whose rest cannot follow: the SIM that sent
// its first parts is gone.
func (l *line) stranded(tx store.Tx, m *store.Message) error {
	_, err := l.g.end(tx, m, []State{store.Queued}, store.Failed, "sim-changed", "the SIM that sent the first parts is no longer in this line")
	return err
}

// intend writes the intent to send a part that prepare has made ready.
func (l *line) intend(tx store.Tx, c *claim, now time.Time) error {
	m := c.m
	ok, err := tx.ChangePart(m.ID, c.part, []State{store.Queued}, store.PartChange{
		State: ptr(store.Sending), Line: &l.o.Name, ICCID: ptr(l.sim()), AddAttempts: 1, SubmittedAt: &now, Reference: ptr(-1), Error: ptr(""),
		SignalDBM: ptr(l.signal()),
	})
	if err != nil {
		return err
	}
	if !ok {
		return store.ErrConflict
	}
	if len(m.Parts) > 1 {
		if err := tx.AddHistory(m.ID, store.HistoryEntry{
			State: store.Sending, At: now, Line: l.o.Name, Part: c.part, Note: "handed to the modem", Submission: l.evidence(c),
		}); err != nil {
			return err
		}
	}
	if err := l.charge(tx, m.To, now); err != nil {
		return err
	}
	if c.more, err = l.follows(tx, m, c.part, now); err != nil {
		return err
	}
	l.busy.Store(true)
	l.claims.Add(1)
	return nil
}

// send hands one part to the modem.
func (l *line) send(ctx context.Context, m Modem, c *claim) (mr int, err error) {
	if !l.g.clock.now().Before(c.m.DeadlineAt) {
		return 0, &driver.SendError{Fate: driver.NotSent, Code: "expired", Err: errExpired}
	}
	if c.tpdu == nil {
		return 0, &driver.SendError{Fate: driver.Refused, Code: "encode", Class: driver.Permanent, Err: c.fault}
	}
	if l.g.o.Phones != nil {
		l.g.senders.note(c.m, c.text)
	}
	if err := l.sameSIM(ctx, m); err != nil {
		return 0, err
	}
	began := time.Now()
	var prompted atomic.Int64 // nanoseconds until it asked for the text
	l.submitted.Store(true)
	defer func() {
		l.ladder.answer = time.Time{}
		l.lostLink(err)
		if se := (*driver.SendError)(nil); errors.As(err, &se) && se.Fate == driver.Unknown && se.Code == "gone" {
			l.ladder.answer = began.Add(time.Duration(prompted.Load()) + l.answerTime())
		}
	}()
	mr, err = m.Send(ctx, driver.Submission{
		TPDU: c.tpdu, More: c.more,
		AtPrompt: func() error {
			prompted.Store(int64(time.Since(began)))
			switch {
			case ctx.Err() != nil:
				return errStopping
			case !l.g.clock.now().Before(c.m.DeadlineAt):
				return errExpired
			}
			return nil
		},
	})
	if err == nil {
		l.g.metrics.submitted(l.o.Name, time.Since(began))
	}
	return mr, err
}
