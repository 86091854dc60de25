package gateway

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/modemgate/modemgate/driver"
	"github.com/modemgate/modemgate/gateway/store"
)

// AlertOptions say whom to text when a line is down. The zero value texts
// nobody.
type AlertOptions struct {
	To    []string      // E.164
	After time.Duration // how long a line is down first
	Every time.Duration // how often lines are looked at; 0: 15 s
}

const (
	alertEvery   = 15 * time.Second
	alertTTL     = time.Hour
	alertsPerDay = 24          // of all lines together, whatever happens
	kindAlertDay = "alert-day" // counter of the texts
	steadyFor    = time.Minute // up for so long is back; less is the same outage
	settingAlert = "alert:"    // + line: the outage that was told
)

// outage is what is known of one line that is down. Told is kept over
// restarts, so that an outage is told once.
type outage struct {
	Since   time.Time `json:"since"` // zero: the line works
	Why     string    `json:"why"`
	Told    bool      `json:"told"`
	lastBad time.Time
}

// works says whether the line could send, but for a pause by an operator, and
// if not, what is wrong in words.
func (l *line) works(now time.Time) (ok bool, why string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch blocked := l.block.state(now); {
	case l.state.State != stateUp:
		return false, strings.TrimSuffix(l.state.State+", "+l.state.Detail, ", ")
	case blocked == stateOutOfService:
		return false, l.block.why + ", and nothing helped"
	case blocked == stateRefused:
		return false, "the network refuses it, " + l.block.why
	}
	return true, ""
}

// since is when the line came to its present state, at the latest now.
func (l *line) since(now time.Time) time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s := l.state.Since; l.state.State != stateUp && !s.IsZero() && s.Before(now) {
		return s
	}
	return now
}

// alert texts the operator when a line is down for long, once, and once when
// it is back. A text that cannot be sent is no reason for another one.
func (g *Gateway) alert(ctx context.Context) error {
	if len(g.o.Alerts.To) == 0 {
		return nil
	}
	every := g.o.Alerts.Every
	if every == 0 {
		every = alertEvery
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	outages := map[string]*outage{}
	for {
		for _, l := range g.lines() {
			o, err := g.outageOf(ctx, outages, l)
			if err == nil {
				err = g.judge(ctx, l, o)
			}
			if err != nil && ctx.Err() == nil {
				l.log.Warn("cannot tell the operator of the line by SMS", "err", err)
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// outageOf is what is known of the line's outage, from before a restart too.
func (g *Gateway) outageOf(ctx context.Context, known map[string]*outage, l *line) (*outage, error) {
	if o := known[l.o.Name]; o != nil {
		return o, nil
	}
	o := &outage{}
	err := g.st.View(ctx, func(tx store.Tx) error {
		return readSetting(tx, settingAlert+l.o.Name, o)
	})
	if err == nil {
		o.lastBad = o.Since
		known[l.o.Name] = o
	}
	return o, err
}

// judge looks at one line and tells what is to be told.
func (g *Gateway) judge(ctx context.Context, l *line, o *outage) error {
	now := g.clock.now()
	ok, why := l.works(now)
	after := g.o.Alerts.After
	switch {
	case !ok:
		if o.Since.IsZero() {
			o.Since = l.since(now)
		}
		o.lastBad = now
		if now.Sub(o.Since) < after || o.Told {
			return nil
		}
		o.Why = why
		text := fmt.Sprintf("line %s is down since %s: %s", l.o.Name, o.Since.Local().Format("15:04"), why)
		told := outage{Since: o.Since, Why: why, Told: true}
		sent, err := g.tellOperator(ctx, l, told, text)
		o.Told = sent
		return err
	case o.Since.IsZero() || now.Sub(o.lastBad) < min(steadyFor, after):
		return nil
	}
	was := *o
	*o = outage{}
	if !was.Told && was.lastBad.Sub(was.Since) < after {
		return nil
	}
	text := fmt.Sprintf("line %s works again, it was down for %s", l.o.Name, now.Sub(was.Since).Round(time.Minute))
	if !was.Told { // there was no line to tell it by
		text += " and no other line could tell it"
	}
	_, err := g.tellOperator(ctx, l, outage{}, text)
	return err
}

// tellOperator queues a text about a line by the lines that work, and keeps
// what was told in the same commit. It says whether anything was queued.
func (g *Gateway) tellOperator(ctx context.Context, about *line, o outage, text string) (sent bool, err error) {
	now := g.clock.now()
	var via []string
	for _, l := range g.lines() {
		if ok, _ := l.ready(now); ok && (l != about || o.Since.IsZero()) {
			via = append(via, l.o.Name)
		}
	}
	text = oneSMS("modemgate " + g.o.Site + ": " + text)
	err = g.update(ctx, "alert", func(tx store.Tx) error {
		sent = false
		if len(via) > 0 {
			if sent, err = g.queueAlerts(tx, via, text, now); err != nil {
				return err
			}
		}
		if o.Since.IsZero() {
			return tx.PutSetting(settingAlert+about.o.Name, "")
		}
		if !sent {
			return nil // the next look tries again
		}
		return writeSetting(tx, settingAlert+about.o.Name, o)
	})
	if err == nil && sent {
		about.log.Info("the operator is told of the line by SMS", "down", !o.Since.IsZero(), "via", via)
		g.metrics.alerts.WithLabelValues(about.o.Name).Inc()
	}
	return sent && err == nil, err
}

// queueAlerts writes one message for each number. They count against all
// limits and are refused by none, but for their own.
func (g *Gateway) queueAlerts(tx store.Tx, via []string, text string, now time.Time) (bool, error) {
	n, err := tx.AddCounter(kindAlertDay, systemKey, now.Truncate(24*time.Hour), len(g.o.Alerts.To))
	if err != nil || n > alertsPerDay {
		return false, err
	}
	for _, to := range g.o.Alerts.To {
		if _, err := g.insertOwn(tx, NewMessage{To: to, Text: text, Via: via, Priority: "high", TTL: alertTTL, Ref: "alert"}, now); err != nil {
			return false, err
		}
	}
	return true, nil
}

// insertOwn queues a message of the gateway itself. A full queue or a spent
// budget does not refuse it; lines are never exceeded.
func (g *Gateway) insertOwn(tx store.Tx, in NewMessage, now time.Time) (id string, err error) {
	in.OnUnknown = "fail"
	m, err := g.newMessage(Caller{Key: systemKey}, in)
	if err != nil {
		return "", err
	}
	for _, b := range []struct {
		kind   string
		window time.Duration
	}{{kindKeyMinute, time.Minute}, {kindKeyDay, 24 * time.Hour}} {
		if _, err := tx.AddCounter(b.kind, systemKey, now.Truncate(b.window), 1); err != nil {
			return "", err
		}
	}
	return m.ID, g.insert(tx, m, now)
}

// oneSMS cuts a text to one SMS in the default alphabet. What that has not is
// written as a question mark.
func oneSMS(text string) string {
	text = strings.Map(func(r rune) rune {
		if encoding, _, err := driver.Measure(string(r)); err != nil || encoding != "gsm7" {
			return '?'
		}
		return r
	}, strings.NewReplacer("…", "...", "•", "*", "\n", " ").Replace(text))
	for r := []rune(text); len(r) > 0; r = r[:len(r)-1] {
		if _, parts, err := driver.Measure(string(r)); err == nil && parts == 1 {
			return string(r)
		}
	}
	return text
}
