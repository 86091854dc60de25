package gateway_test

import (
	"testing"
	"time"

	"github.com/modemgate/modemgate/gateway"
	"github.com/modemgate/modemgate/gateway/store"
)

// charged is what a key has used of its day, and a number of its codes.
func (r *rig) charged(key, to string) (used [2]int) {
	r.t.Helper()
	secrets, err := gateway.LoadSecrets(r.dir, store.FileName)
	if err != nil {
		r.t.Fatal(err)
	}
	now := r.g.Now()
	err = r.st.View(r.t.Context(), func(tx store.Tx) error {
		n, err := tx.Counters(key, []store.Window{{Kind: "key-day", Start: now.Truncate(24 * time.Hour)}})
		if err != nil {
			return err
		}
		at, err := tx.Moments("number", secrets.NumberName(to), now.Add(-24*time.Hour))
		used = [2]int{n[0], len(at)}
		return err
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return used
}

// usedUp is a rig at noon whose only line may send one part a day.
func usedUp(t *testing.T, tune func(*gateway.LineOptions)) *rig {
	t.Helper()
	r := stillRig(t, func(o *gateway.Options) {
		tune(&o.Lines[0])
		o.KeyMinute, o.KeyDay = 100, 100
	}, nil)
	r.pass(r.g.Now().Truncate(24 * time.Hour).Add(36 * time.Hour).Sub(r.g.Now()))
	r.lineState("modem0", "up")
	return r
}

// refusesResends asks for another code in both ways, again and again: each is
// refused for the line's limit, and leaves all as it was.
func (r *rig) refusesResends(v gateway.OTPView, limit string, state gateway.State) {
	r.t.Helper()
	before, used := r.read(v.ID), r.charged("app", v.To)
	for i := range 3 {
		repeat := app
		repeat.Path, repeat.IdempotencyKey = "/v1/otp", string(rune('a'+i))
		got, _, err := r.g.CreateOTP(r.t.Context(), repeat, gateway.NewOTP{To: v.To})
		if e := refusal(r.t, err, gateway.LimitExceeded); e.Limit != limit || e.RetryAt.Before(v.ExpiresAt) {
			r.t.Fatalf("refused by %s until %s; answered %+v", e.Limit, e.RetryAt, got)
		}
		_, _, err = r.g.ResendOTP(r.t.Context(), app, v.ID)
		if e := refusal(r.t, err, gateway.LimitExceeded); e.Limit != limit {
			r.t.Fatalf("a resend is refused by %s", e.Limit)
		}
	}
	if got := r.charged("app", v.To); got != used {
		r.t.Errorf("key and number have used %v, before %v", got, used)
	}
	after := r.read(v.ID)
	if after.Rev != before.Rev || after.MessageID != before.MessageID || !after.ExpiresAt.Equal(before.ExpiresAt) || after.SendsLeft != before.SendsLeft {
		r.t.Errorf("the OTP is %+v, before %+v", after, before)
	}
	if m := r.await(v.MessageID, state); m.Error != "" {
		r.t.Errorf("the message of the code: %+v", m)
	}
}

// S12: where the lines have sent what their limits allow, another code is
// refused for that: it would never come. What is refused changes nothing, and
// the code that is pending stays good.
func TestS12UsedUpLineRefusesResend(t *testing.T) {
	for limit, tune := range map[string]func(*gateway.LineOptions){
		"line.per_day":        func(o *gateway.LineOptions) { o.PerDay = 1 },
		"line.per_month":      func(o *gateway.LineOptions) { o.PerMonth = 1 },
		"line.cost_per_month": func(o *gateway.LineOptions) { o.CostPerMonth = 1 },
	} {
		t.Run(limit, func(t *testing.T) {
			r := usedUp(t, tune)
			// Both are accepted while the line has room for one, and wait.
			r.pause()
			sent := r.create(app, gateway.NewOTP{To: number(1)})
			r.pass(time.Second) // the older goes first
			queued := r.create(app, gateway.NewOTP{To: number(2)})
			r.unpause()
			c := codeIn(t, r.texts(number(1), 1)[0].Text)
			r.await(sent.MessageID, store.Delivered)
			r.lineState("modem0", "limited")

			// Before a resend is due, the pending one stands as ever.
			if got := r.create(app, gateway.NewOTP{To: number(2)}); !got.Reused || got.MessageID != queued.MessageID {
				t.Fatalf("%+v", got)
			}
			r.pass(30 * time.Second)
			r.refusesResends(sent, limit, store.Delivered)
			r.refusesResends(queued, limit, store.Queued)
			_, _, err := r.g.CreateOTP(t.Context(), app, gateway.NewOTP{To: number(3)})
			if e := refusal(t, err, gateway.LimitExceeded); e.Limit != limit {
				t.Fatalf("a new OTP is refused by %s", e.Limit)
			}
			if used := r.charged("app", number(3)); used != [2]int{2, 0} {
				t.Errorf("after a refused OTP key and number have used %v", used)
			}
			r.approve(app, sent.ID, c)
		})
	}
}
