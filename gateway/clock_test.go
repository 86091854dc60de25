package gateway_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/modemgate/modemgate/gateway"
	"github.com/modemgate/modemgate/gateway/store"
)

// A clock that was years ahead and was set right leaves a way to go on, and
// nothing of those years behind.
func TestClockThatWasAheadCanBeTrusted(t *testing.T) {
	const years = 5 * 365 * 24 * time.Hour
	trust := false
	r := newRig(t, func(o *gateway.Options) { o.TrustClock, o.OTP.PerHour = trust, 2 }, nil)
	r.pass(years)
	v, old := r.sentCode(app, gateway.NewOTP{To: number(1)}, 0)
	r.sentCode(app, gateway.NewOTP{To: number(1), Purpose: "other"}, 1)
	if _, err := r.g.PauseLine(t.Context(), admin, "modem0"); err != nil {
		t.Fatal(err)
	}
	m := r.post(gateway.NewMessage{To: alice, Text: "hello", TTL: time.Hour})
	r.pass(-years)

	r.restart()
	_, _, err := r.g.CreateMessage(t.Context(), app, gateway.NewMessage{To: alice, Text: "hello"})
	var refused *gateway.Error
	if !errors.As(err, &refused) || refused.Code != gateway.ClockNotSet || !strings.Contains(refused.Detail, "modemgate serve --trust-clock") {
		t.Fatalf("the refusal names no way out: %v", err)
	}

	trust = true
	r.restart()
	if got := r.read(v.ID); got.State != store.OTPCanceled {
		t.Errorf("a code of those years is %s", got.State)
	}
	if _, err := r.try(app, v.ID, old); code(err) != gateway.OTPEnded {
		t.Errorf("a code of those years is answered with %v", err)
	}
	if got, err := r.g.Message(t.Context(), admin, m.ID, gateway.Wait{}); err != nil || got.DeadlineAt.After(r.now().Add(time.Hour)) {
		t.Errorf("%v: the message may still be sent at %s", err, got.DeadlineAt)
	}
	if _, err := r.g.ResumeLine(t.Context(), admin, "modem0"); err != nil {
		t.Fatal(err)
	}
	r.await(m.ID, store.Delivered)
	r.sentCode(app, gateway.NewOTP{To: number(1)}, 2) // the budget of the number is not spent for years

	trust = false
	r.restart()
	r.sentCode(app, gateway.NewOTP{To: number(2)}, 0)
}

// The flag does not help a clock that cannot be right.
func TestClockBeforeModemgateIsNotTrusted(t *testing.T) {
	r := newRig(t, func(o *gateway.Options) { o.TrustClock = true }, nil)
	r.pass(-time.Since(time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)))
	r.restart()
	_, _, err := r.g.CreateMessage(t.Context(), app, gateway.NewMessage{To: alice, Text: "hello"})
	refusal(t, err, gateway.ClockNotSet)
}
