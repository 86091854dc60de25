package gateway

import (
	"context"
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

// tellCall makes the event modem.<line>.call. The number is in it for those
// who may read it, and masked in the log.
func (l *line) tellCall(ctx context.Context, from string) {
	l.log.Info("a call came in", "from", phone.Mask(from), "rejected", !l.o.AcceptCalls)
	l.g.metrics.calls.WithLabelValues(l.o.Name).Inc()
	err := l.g.update(ctx, "line-event", func(tx store.Tx) error {
		now := l.g.clock.now()
		detail := "rejected"
		if l.o.AcceptCalls {
			detail = "left to ring"
		}
		return l.g.addEvent(tx, &store.Event{
			Stream: streamStatus, Subject: "modem." + l.o.Name + ".call", Type: "modemgate.line.call.v1",
			Source: l.g.ceSource(l.o.Name), About: aboutCall + from, At: now,
		}, lineBody{Schema: 1, Line: l.o.Name, Event: "call", At: now, Detail: detail, From: from, Simulated: l.o.Simulated})
	})
	if err != nil && ctx.Err() == nil {
		l.log.Warn("cannot record an event of the line", "event", "call", "err", err)
	}
}

// aboutCall and a number is what a call's event is about, so that the number
// can be erased before the event is published.
const aboutCall = "call:"

// isCall sorts the signals of calls.
func (l *line) isCall(ctx context.Context, m Modem, s driver.Signal) {
	if s.Kind == driver.SignalCallEnd {
		l.hungUp(ctx, m)
		return
	}
	l.ring(ctx, m, s.Text)
}
