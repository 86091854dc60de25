package gateway_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/modemgate/modemgate/gateway"
)

// flakyPhones are phones that fail to send so often, and count the rest.
type flakyPhones struct{ fails, sent int }

func (*flakyPhones) Received(context.Context, string, time.Duration, func(gateway.SimText) bool) ([]gateway.SimText, error) {
	return nil, nil
}

func (p *flakyPhones) Send(_, _, _ string) error {
	if p.fails > 0 {
		p.fails--
		return errors.New("the phone is off")
	}
	p.sent++
	return nil
}

// A text of a simulated phone that could not be sent is sent by a repeat with
// the same Idempotency-Key, once.
func TestSimSendThatFailedMayBeRepeated(t *testing.T) {
	phones := &flakyPhones{fails: 2}
	r := newRig(t, func(o *gateway.Options) { o.Phones = phones }, nil)
	again := app
	again.Path, again.IdempotencyKey, again.Body = "/v1/sim/phones/send", "once", []byte("{}")
	for i := range 2 {
		if a, err := r.g.SimSend(t.Context(), again, number(1), "hi", "modem0"); err == nil || a.Replayed || phones.sent != 0 {
			t.Fatalf("try %d: %+v, %v; sent %d", i, a, err, phones.sent)
		}
	}
	for i := range 3 {
		a, err := r.g.SimSend(t.Context(), again, number(1), "hi", "modem0")
		if err != nil || a.Status != 202 || a.Replayed != (i > 0) || phones.sent != 1 {
			t.Fatalf("repeat %d: %+v, %v; sent %d", i, a, err, phones.sent)
		}
	}
}
