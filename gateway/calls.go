package gateway

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/modemgate/modemgate/driver"
	"github.com/modemgate/modemgate/gateway/phone"
	"github.com/modemgate/modemgate/gateway/store"
)

// Times of incoming calls. A phone rings every 5 s or so (3GPP TS 22.001).
const (
	callGap    = 12 * time.Second // silence after which a ring is another call
	callerWait = 1500 * time.Millisecond
	rejectWait = 30 * time.Second // for the modem to be free
	rejectGap  = 4 * time.Second  // before a call that rings on is rejected again
)

// callWatch is the call that comes in at the moment.
type callWatch struct {
	mu       sync.Mutex
	last     time.Time // of the last ring; zero when there is no call
	from     string
	told     bool
	rejected time.Time
	timer    *time.Timer
}

// ring takes one sign of a call. One call is one event, told when the caller's
// number has come or cannot be expected any more.
func (l *line) ring(ctx context.Context, m Modem, from string) {
	c := &l.call
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	if now.Sub(c.last) > callGap {
		c.from, c.told, c.rejected = "", false, time.Time{}
		c.timer = time.AfterFunc(callerWait, func() {
			c.mu.Lock()
			defer c.mu.Unlock()
			l.answerCall(ctx, m)
		})
	}
	c.last = now
	if c.from == "" {
		c.from = from
	}
	if c.from != "" || c.told {
		l.answerCall(ctx, m)
	}
}

// hungUp takes the end of a call. What was not told yet is told: the call was
// shorter than the wait for its number.
func (l *line) hungUp(ctx context.Context, m Modem) {
	c := &l.call
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.last.IsZero() && !c.told {
		c.rejected = time.Now() // there is nothing left to reject
		l.answerCall(ctx, m)
	}
	c.last = time.Time{}
}

// answerCall tells of the call once, and rejects it. The modem may be busy
// with a send, which is not disturbed: nobody waits here. The caller holds
// call.mu.
func (l *line) answerCall(ctx context.Context, m Modem) {
	c := &l.call
	c.timer.Stop()
	if !c.told {
		c.told = true
		l.tellCall(ctx, c.from)
	}
	if l.o.AcceptCalls || time.Since(c.rejected) < rejectGap {
		return
	}
	c.rejected = time.Now()
	go func() {
		ctx, cancel := context.WithTimeout(ctx, rejectWait)
		defer cancel()
		if err := m.HangUp(ctx); err != nil && ctx.Err() == nil {
			l.log.Debug("a call could not be rejected", "err", err)
		}
	}()
}

// Call is one call that came in.
type Call struct {
	At       time.Time
	From     string // as the network gave it; "" when it gave none; masked for those who may not read the line's SMS
	Rejected bool
}

// maxCalls is how many a line remembers, since the start.
const maxCalls = 10

// tellCall keeps the call and makes the event modem.<line>.call. Whoever reads
// the status gets that, so the number in it is masked as in the log; the whole
// number is in the line's status, for those who may read its SMS.
func (l *line) tellCall(ctx context.Context, from string) {
	masked := ""
	if from != "" {
		masked = phone.Mask(from)
	}
	now, rejected := l.g.clock.now(), !l.o.AcceptCalls
	l.log.Info("a call came in", "from", masked, "rejected", rejected)
	l.g.metrics.calls.WithLabelValues(l.o.Name).Inc()
	l.mu.Lock()
	l.calls = slices.Insert(l.calls, 0, Call{now, from, rejected})
	l.calls = l.calls[:min(len(l.calls), maxCalls)]
	l.mu.Unlock()
	err := l.g.update(ctx, "line-event", func(tx store.Tx) error {
		detail := "rejected"
		if !rejected {
			detail = "left to ring"
		}
		return l.g.addEvent(tx, &store.Event{
			Stream: streamStatus, Subject: callSubject(l.o.Name), Type: "modemgate.line.call.v1",
			Source: l.g.ceSource(l.o.Name), About: aboutCall + masked, At: now,
		}, lineBody{Schema: 1, Line: l.o.Name, Event: "call", At: now, Detail: detail, From: masked, Simulated: l.o.Simulated})
	})
	if err != nil && ctx.Err() == nil {
		l.log.Warn("cannot record an event of the line", "event", "call", "err", err)
	}
}

func callSubject(line string) string { return "modem." + line + ".call" }

// aboutCall and a masked number is what a call's event is about, so that it can
// be erased before it is published.
const aboutCall = "call:"

// callsFor are the calls of the line as the caller may see them. It is called
// with mu held.
func (l *line) callsFor(c Caller) []Call {
	calls := slices.Clone(l.calls)
	for i := range calls {
		if calls[i].From != "" && !c.readsLine(l.o.Name) {
			calls[i].From = phone.Mask(calls[i].From)
		}
	}
	return calls
}

// eraseCalls forgets the calls of a number.
func (l *line) eraseCalls(number string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.calls = slices.DeleteFunc(l.calls, func(c Call) bool { return phone.SameTail(number, c.From) })
}

// isCall sorts the signals of calls.
func (l *line) isCall(ctx context.Context, m Modem, s driver.Signal) {
	if s.Kind == driver.SignalCallEnd {
		l.hungUp(ctx, m)
		return
	}
	l.ring(ctx, m, s.Text)
}
