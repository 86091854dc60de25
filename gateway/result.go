package gateway

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/modemgate/modemgate/driver"
	"github.com/modemgate/modemgate/gateway/store"
)

// record writes the result of a part and, in the same commit, claims the
// next one. While the disk refuses, the result is kept and tried again: it is
// the only copy.
func (l *line) record(ctx context.Context, c *claim, mr int, sendErr error) (next *claim, due time.Time, err error) {
	if l.leftOpen(ctx, sendErr) {
		return nil, time.Time{}, nil
	}
	current, fate := l.current, ""
	for tries := 0; ; tries++ {
		l.heart.beat()
		err = l.g.update(context.WithoutCancel(ctx), "result", func(tx store.Tx) (err error) {
			l.current, next, due = current, nil, time.Time{}
			if fate, err = l.settle(tx, c, mr, sendErr); err != nil {
				return err
			}
			now := l.g.clock.now()
			if sendErr != nil || tries > 0 || ctx.Err() != nil || l.want.Load() || l.order.Load() != nil || l.give.Load() != nil {
				due = now // first this, alone; then what follows from it
				return nil
			}
			if ok, until := l.ready(now); !ok {
				due = until
				return nil
			}
			next, due, err = l.take(tx)
			return err
		})
		if err == nil {
			l.learn(c, fate, sendErr)
			return next, due, nil
		}
		if tries == 0 {
			l.log.Warn("cannot write the result of a send; trying until it is written", "msg", c.m.ID, "err", err)
		}
		select {
		case <-ctx.Done():
			l.current = current
			return nil, time.Time{}, nil // the next start finds the intent
		case <-time.After(recordRetry):
		}
	}
}

// learn draws from a written result what it says of the line.
func (l *line) learn(c *claim, fate string, sendErr error) {
	if fate != "" {
		l.g.metrics.fate(l.o.Name, fate)
	}
	var se *driver.SendError
	switch {
	case sendErr == nil:
		l.unanswered.Store(false)
		l.unblock()
		l.log.Debug("the network took a part", "msg", c.m.ID, "part", c.part)
	case !errors.As(sendErr, &se) || se.Fate != driver.NotSent:
	case se.Class == driver.LineDown:
		l.blockFor(se.Code, blockFirst, l.g.clock.now())
	case slices.Contains(noServiceCodes, se.Code):
		l.blockFor(se.Code, retryFirst, l.g.clock.now())
	}
	if se != nil {
		l.lookAgain(se.Code)
	}
}

// leftOpen says whether the outcome is left to the next start: the program
// is stopping and closed the modem while the answer was still awaited.
func (l *line) leftOpen(ctx context.Context, sendErr error) bool {
	var se *driver.SendError
	return ctx.Err() != nil && errors.As(sendErr, &se) && se.Fate == driver.Unknown
}

// settle writes what became of one part, and says how it counts for the line.
func (l *line) settle(tx store.Tx, c *claim, mr int, sendErr error) (fate string, err error) {
	m, err := tx.Message(c.m.ID)
	if errors.Is(err, store.ErrNotFound) {
		return "", nil // erased while it was with the modem
	}
	if err != nil {
		return "", err
	}
	now := l.g.clock.now()
	if sendErr == nil {
		return "sent", l.accepted(tx, m, c.part, mr, now)
	}
	var se *driver.SendError
	if !errors.As(sendErr, &se) {
		se = &driver.SendError{Fate: driver.Unknown, Code: "internal", Err: sendErr}
	}
	switch se.Fate {
	case driver.Unknown:
		if _, err := tx.ChangePart(m.ID, c.part, []State{store.Sending}, store.PartChange{State: ptr(store.Unknown), Error: &se.Code}); err != nil {
			return "", err
		}
		l.unanswered.Store(true)
		return "unknown", l.g.unknown(tx, m, se.Code, evidenceWait)
	case driver.Refused:
		return l.refused(tx, m, c.part, se, now)
	}
	return l.notSent(tx, m, c.part, se, now)
}

// accepted records that the network took the part under a reference.
func (l *line) accepted(tx store.Tx, m *store.Message, part, mr int, now time.Time) error {
	ok, err := tx.ChangePart(m.ID, part, []State{store.Sending, store.Unknown}, store.PartChange{State: ptr(store.Sent), Reference: &mr, SentAt: &now})
	if err != nil || !ok {
		return err
	}
	tx.After(func() { l.sentAt.Store(now.UnixNano()) })
	fresh, err := tx.Message(m.ID)
	if err != nil {
		return err
	}
	*m = *fresh
	note := taken(m, part)
	if len(m.Parts) > 1 {
		if err := tx.AddHistory(m.ID, store.HistoryEntry{At: now, Line: l.o.Name, Part: part, Note: "taken by the network, " + note}); err != nil {
			return err
		}
		note = ""
	}
	if partsIn(m, store.Queued) > 0 {
		l.current = m
	} else if err := l.g.sent(tx, m, []State{store.Sending}, note); err != nil {
		return err
	}
	// After "sent", so that no reader misses it when the report came first.
	if l.unanswered.Load() { // what came before it will not be answered any more
		if err := tx.ForgetIntents(l.sim(), now); err != nil {
			return err
		}
	}
	return l.g.earlyReports(tx, m.To, l.sim(), mr)
}

// notSent gives the part back, and ends the message if no try is left.
func (l *line) notSent(tx store.Tx, m *store.Message, part int, se *driver.SendError, now time.Time) (fate string, err error) {
	back := store.PartChange{State: ptr(store.Queued), Error: &se.Code}
	if _, err := tx.ChangePart(m.ID, part, []State{store.Sending}, back); err != nil {
		return "", err
	}
	if m, err = tx.Message(m.ID); err != nil {
		return "", err
	}
	unsure := 0
	if se.Class == driver.Unsure && !l.suspected(m.To, se) { // else it is the modem's failure, not the message's
		if unsure, err = rounds(tx, m.ID, se.Code); err != nil {
			return "", err
		}
	}
	sending := []State{store.Sending}
	switch {
	case errors.Is(se, errExpired):
		_, err := l.g.end(tx, m, sending, store.Expired, "expired", "the deadline passed before the text was out")
		return "", err
	case errors.Is(se, errStopping), errors.Is(se, context.Canceled):
		return "", l.g.requeue(tx, m, now, "", "modemgate stopped before the text was out")
	case m.Attempts >= maxAttempts, unsure >= maxUnsure:
		_, err := l.g.end(tx, m, sending, store.Failed, se.Code, "too many attempts")
		return "failed", err
	}
	wait := se.Wait
	defer func() {
		if se.Class == driver.Unsure && err == nil && m.State == store.Queued && partsOut(m) == 0 {
			l.g.elsewhere.note(m, l.o.Name, now.Add(wait))
		}
	}()
	switch {
	case se.Class == driver.LineDown, slices.Contains(noServiceCodes, se.Code): // it is the line that waits
		wait = 0
	case se.Class == driver.Temporary, se.Class == driver.Unsure:
		wait = max(wait, backoff(m.Attempts))
	default:
		wait = max(wait, retryGone)
	}
	return "", l.g.requeue(tx, m, now.Add(wait), se.Code, "")
}

// rounds counts the rounds of sending that ended in an error, this one too.
func rounds(tx store.Tx, id, code string) (int, error) {
	n := 1
	history, err := tx.History(id)
	for _, h := range history {
		if h.State == store.Queued && h.Error == code {
			n++
		}
	}
	return n, err
}

// backoff doubles from retryFirst with jitter of a half.
func backoff(attempt int) time.Duration {
	d := min(retryFirst<<min(max(attempt-1, 0), 10), retryMax)
	return d/2 + rand.N(d/2+1)
}

// blockFor takes the line out of sending for a while: first, and twice as long
// each time that no send succeeds between.
func (l *line) blockFor(code string, first time.Duration, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.block.step = min(max(first, 2*l.block.step), blockMax)
	l.block.until, l.block.why = now.Add(l.block.step), code
	l.state.LastError = code
	l.log.Warn("the network refuses this line; it does not send for a while", "code", code, "wait", l.block.step)
}

// blockUntil is blockFor with a given end.
func (l *line) blockUntil(until time.Time, why string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.block.until, l.block.why = until, why
}

func (l *line) unblock() {
	l.mu.Lock()
	l.block = blockade{}
	l.mu.Unlock()
}

// taken is the evidence that the network took a part.
func taken(m *store.Message, part int) string {
	for _, p := range m.Parts {
		switch {
		case p.Index != part:
		case p.SignalDBM != 0:
			return fmt.Sprintf("reference %d, signal %d dBm", p.Reference, p.SignalDBM)
		default:
			return fmt.Sprintf("reference %d", p.Reference)
		}
	}
	return ""
}

// signal is the received power at the last look, dBm; 0 for not known.
func (l *line) signal() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.state.SignalDBM
}
