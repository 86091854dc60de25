package gateway

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/modemgate/modemgate/gateway/store"
)

// Kinds of counters in the store.
const (
	kindKeyMinute  = "key-minute"
	kindKeyDay     = "key-day"
	kindKeyRepeat  = "key-repeat"  // requests that sent nothing and are remembered, by the minute
	kindLineMinute = "line-minute" // SMS parts, by ICCID
	kindLineDay    = "line-day"
	kindLineMonth  = "line-month"
	kindLineCost   = "line-cost-month" // units
	kindNumber     = "number"          // OTP sends to a number, as moments
)

// limited refuses with what was exceeded and when it is worth another try.
func limited(limit string, retryAt time.Time, format string, args ...any) *Error {
	return &Error{Code: LimitExceeded, Limit: limit, RetryAt: retryAt, Detail: fmt.Sprintf(format, args...)}
}

// notDue says whether a resend was refused because none is due or its budgets
// are used up, which sendAgain finds before it changes anything.
// What a line refuses is no such thing: the code would never come.
func notDue(err error) bool {
	var e *Error
	if !errors.As(err, &e) || e.Code != LimitExceeded {
		return false
	}
	return e.Limit == "resend_after" || e.Limit == "max_sends" ||
		strings.HasPrefix(e.Limit, "per_number.") || strings.HasPrefix(e.Limit, "per_key.")
}

// chargeKey counts one message or OTP against the budgets of its key. Windows
// are whole minutes and days (UTC).
func (g *Gateway) chargeKey(tx store.Tx, c Caller, now time.Time) error {
	windows := minuteAndDay(kindKeyMinute, kindKeyDay, now)
	counted, err := tx.Counters(c.Key, windows)
	if err != nil {
		return err
	}
	for i, b := range []struct {
		window time.Duration
		own    int
		limit  int
		name   string
	}{
		{time.Minute, c.perMinute, g.o.KeyMinute, "per_key.minute"},
		{24 * time.Hour, c.perDay, g.o.KeyDay, "per_key.day"},
	} {
		limit := b.limit
		if b.own > 0 {
			limit = min(b.own, limit)
		}
		if counted[i] >= limit {
			return limited(b.name, windows[i].Start.Add(b.window), "the key %s may send %d in this window: wait, or raise limits.%s", c.Key, limit, b.name)
		}
	}
	return tx.AddCounters(c.Key, windows, 1)
}

// minuteAndDay are the present windows of two counters.
func minuteAndDay(minute, day string, now time.Time) []store.Window {
	return []store.Window{{Kind: minute, Start: now.Truncate(time.Minute)}, {Kind: day, Start: now.Truncate(24 * time.Hour)}}
}

// chargeRepeat bounds the requests of a key that send nothing and are charged
// nothing, but are remembered for a day by their Idempotency-Key.
func (g *Gateway) chargeRepeat(tx store.Tx, r Request, now time.Time) error {
	if r.IdempotencyKey == "" {
		return nil
	}
	start := now.Truncate(time.Minute)
	n, err := tx.AddCounter(kindKeyRepeat, r.Caller.Key, start, 1)
	if err == nil && n > g.o.KeyMinute {
		return limited("per_key.minute", start.Add(time.Minute), "the key %s has repeated %d requests that sent nothing in this minute: wait", r.Caller.Key, g.o.KeyMinute)
	}
	return err
}

// chargeNumber counts one OTP send to a number over all keys, which
// checkNumber has allowed.
func (g *Gateway) chargeNumber(tx store.Tx, number string, now time.Time) error {
	return tx.AddMoment(kindNumber, g.o.Secrets.number(number), now)
}

// checkNumber refuses when the number has had its OTP sends of the last hour
// or day; the windows slide, so retry_at is exact.
func (g *Gateway) checkNumber(tx store.Tx, number string, now time.Time) error {
	sent, err := tx.Moments(kindNumber, g.o.Secrets.number(number), now.Add(-24*time.Hour))
	if err != nil {
		return err
	}
	var refused *Error
	for _, w := range []struct {
		d     time.Duration
		limit int
		name  string
	}{{time.Hour, g.o.OTP.PerHour, "per_number.hour"}, {24 * time.Hour, g.o.OTP.PerDay, "per_number.day"}} {
		in := sent
		for len(in) > 0 && !in[0].After(now.Add(-w.d)) {
			in = in[1:]
		}
		if len(in) >= w.limit {
			at := in[len(in)-w.limit].Add(w.d)
			if refused == nil || at.After(refused.RetryAt) {
				refused = limited(w.name, at, "this number has had its %d codes (otp.%s): wait", w.limit, w.name)
			}
		}
	}
	if refused != nil {
		return refused
	}
	return nil
}
