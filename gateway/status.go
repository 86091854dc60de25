package gateway

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/modemgate/modemgate/gateway/phone"
	"github.com/modemgate/modemgate/gateway/store"
)

// Status reads the state of the whole installation.
func (g *Gateway) Status(ctx context.Context, r Request) (Status, error) {
	if err := r.Caller.need(ScopeStatus); err != nil {
		return Status{}, err
	}
	s := Status{Version: g.o.Version, Site: g.o.Site, StartedAt: g.started, Clock: "ok"}
	var err error
	if s.Lines, err = g.Lines(ctx, r); err != nil {
		return s, err
	}
	if s.Queue, err = g.Queue(ctx, r); err != nil {
		return s, err
	}
	if s.NATS, err = g.natsStatus(ctx); err != nil {
		return s, err
	}
	size := g.st.Size()
	g.disk.mu.Lock()
	s.Store = StoreStatus{Bytes: size, FreeBytes: g.disk.free, Writable: g.disk.err == "", Error: g.disk.err}
	g.disk.mu.Unlock()
	for _, l := range s.Lines {
		if l.State != "up" {
			s.Problems = append(s.Problems, fmt.Sprintf("line %s is %s: %s", l.Name, l.State, l.Detail))
		} else if l.Detail != "" {
			s.Problems = append(s.Problems, fmt.Sprintf("line %s: %s", l.Name, l.Detail))
		}
	}
	switch {
	case len(s.Lines) > 0:
	case g.o.Adopt != nil:
		s.Problems = append(s.Problems, "no modem has been found: plug a USB modem in, or set modems.list")
		if g.o.Unused != nil {
			s.Problems = append(s.Problems, g.o.Unused()...)
		}
	default:
		s.Problems = append(s.Problems, "no line is configured: set modems.list, modems.auto or modems.simulate")
	}
	if s.NATS.Error != "" {
		s.Problems = append(s.Problems, "NATS: "+s.NATS.Error)
	}
	if s.Store.Error != "" {
		s.Problems = append(s.Problems, s.Store.Error)
	}
	if p := g.clock.problem(); p != "" {
		s.Clock = p
		s.Problems = append(s.Problems, p)
	}
	s.Problems = append(s.Problems, g.prober.problems()...)
	if s.Queue.Held > 0 {
		are := fmt.Sprintf("%d restored messages are", s.Queue.Held)
		if s.Queue.Held == 1 {
			are = "1 restored message is"
		}
		s.Problems = append(s.Problems, are+" held: modemgate queue release or modemgate queue drop")
	}
	s.Healthy = len(s.Problems) == 0
	return s, nil
}

func (g *Gateway) natsStatus(ctx context.Context) (NATSStatus, error) {
	var n NATSStatus
	if g.o.Bus != nil {
		b := g.o.Bus.State()
		n = NATSStatus{Connected: b.Connected, Embedded: b.Embedded, Addr: b.Addr, Since: b.Since, Error: b.Error}
		if !b.Connected && n.Error == "" {
			n.Error = "not connected: events wait in the store"
		}
	}
	err := g.st.View(ctx, func(tx store.Tx) error {
		waiting, err := tx.CountEvents()
		n.Waiting = waiting[streamInbound] + waiting[streamStatus]
		return err
	})
	return n, err
}

// Queue says what waits to be sent.
func (g *Gateway) Queue(ctx context.Context, r Request) (QueueStatus, error) {
	if err := r.Caller.need(ScopeStatus); err != nil {
		return QueueStatus{}, err
	}
	var q QueueStatus
	err := g.st.View(ctx, func(tx store.Tx) error {
		by, err := tx.CountQueued()
		if err != nil {
			return err
		}
		oldest, err := tx.WaitingSince(g.clock.now())
		if err != nil {
			return err
		}
		q = QueueStatus{OTP: by[store.PriorityOTP], High: by[store.PriorityHigh], Normal: by[store.PriorityNormal], Low: by[store.PriorityLow], OldestAt: oldest}
		q.Held, err = tx.CountHeld()
		return err
	})
	return q, err
}

// Lines reads the state of all lines.
func (g *Gateway) Lines(ctx context.Context, r Request) ([]LineStatus, error) {
	if err := r.Caller.need(ScopeStatus); err != nil {
		return nil, err
	}
	out := make([]LineStatus, 0, len(g.lines()))
	for _, l := range g.lines() {
		s, err := l.status(ctx, r.Caller)
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, nil
}

// Line reads the state of one line.
func (g *Gateway) Line(ctx context.Context, r Request, name string) (LineStatus, error) {
	if err := r.Caller.need(ScopeStatus); err != nil {
		return LineStatus{}, err
	}
	l := g.lineNamed(name)
	if l == nil {
		return LineStatus{}, g.noLine(name)
	}
	return l.status(ctx, r.Caller)
}

func (l *line) status(ctx context.Context, c Caller) (LineStatus, error) {
	now := l.g.clock.now()
	l.mu.Lock()
	s := l.state
	s.State, s.Detail, _ = l.stands(now)
	s.Storage = append([]StorageStatus(nil), s.Storage...)
	full := ""
	if l.standing != "" { // else the modem is not there
		full = l.storageWords()
	}
	s.Recovery, s.Balance, s.Calls = l.recovery, l.balance, l.callsFor(c)
	s.Recovery.Incidents = slices.Clone(s.Recovery.Incidents)
	if s.Recovery.Step == StepNone && !now.Before(s.Recovery.RetryAt) { // it rests no more, and nothing was sent since
		s.Recovery.Step, s.Recovery.RetryAt = "", time.Time{}
	}
	l.mu.Unlock()
	l.g.metrics.counters(&s)
	s.Labels, s.Limits = l.o.Labels, l.limits(now)
	if full != "" && s.Detail != "" {
		full = "; " + full
	}
	s.Detail += full
	if s.State == "up" && s.Detail == "" && s.Balance.Low {
		s.Detail = fmt.Sprintf("the credit of the SIM is low, %s: top it up", formatAmount(s.Balance.Amount))
	}
	if !c.admin() {
		s.IMEI, s.ICCID, s.Number = maskID(s.IMEI), maskID(s.ICCID), phone.Mask(s.Number)
	}
	err := l.g.st.View(ctx, func(tx store.Tx) error {
		n, err := tx.Counters(l.sim(), l.quota.windows(now))
		if err == nil {
			s.PartsToday, s.PartsThisMonth, s.CostThisMonth = n[0], n[1], n[2]
		}
		return err
	})
	return s, err
}

// maskID keeps the last four characters of an IMEI or ICCID.
func maskID(s string) string {
	if len(s) <= 4 {
		return s
	}
	return "…" + s[len(s)-4:]
}

// PauseLine stops the sending of a line; it goes on receiving. It survives
// restarts.
func (g *Gateway) PauseLine(ctx context.Context, r Request, name string) (LineStatus, error) {
	return g.pause(ctx, r, name, true)
}

// ResumeLine lets a paused line send again.
func (g *Gateway) ResumeLine(ctx context.Context, r Request, name string) (LineStatus, error) {
	return g.pause(ctx, r, name, false)
}

func (g *Gateway) pause(ctx context.Context, r Request, name string, on bool) (LineStatus, error) {
	if err := r.Caller.need(ScopeAdmin); err != nil {
		return LineStatus{}, err
	}
	l := g.lineNamed(name)
	if l == nil {
		return LineStatus{}, g.noLine(name)
	}
	event := map[bool]string{true: "paused", false: "resumed"}[on]
	g.pausing.Lock()
	defer g.pausing.Unlock()
	err := g.update(ctx, "pause", func(tx store.Tx) error {
		l.mu.Lock()
		rec := store.Line{
			Name: name, IMEI: l.state.IMEI, ICCID: l.state.ICCID, Number: l.state.Number, Paused: on,
			Simulated: l.o.Simulated, SeenAt: l.state.ReadAt,
		}
		l.mu.Unlock()
		if err := tx.PutLine(&rec); err != nil {
			return err
		}
		return g.lineEvent(tx, l, event, "by "+r.Caller.Key, g.clock.now())
	})
	if err != nil {
		return LineStatus{}, err
	}
	l.mu.Lock()
	l.state.Paused = on
	l.mu.Unlock()
	l.poke()
	return l.status(ctx, r.Caller)
}
