package gateway_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/modemgate/modemgate/gateway"
	"github.com/modemgate/modemgate/gateway/store"
)

// keyed is a repeatable request.
func keyed(r gateway.Request, path, key, body string) gateway.Request {
	r.Path, r.IdempotencyKey, r.Body = path, key, []byte(body)
	return r
}

// A replay gives the first answer with the present state and does nothing:
// it sends, charges and counts nothing, whatever has become of the OTP.
func TestS12ReplayDoesNothing(t *testing.T) {
	r := stillRig(t, func(o *gateway.Options) { o.OTP.PerHour, o.KeyDay = 3, 3 }, nil)
	by := keyed(app, "/v1/otp", "k1", `{"to":"1"}`)
	in := gateway.NewOTP{To: number(1)}
	v, a, err := r.g.CreateOTP(t.Context(), by, in)
	if err != nil || a.Status != http.StatusCreated || a.Replayed {
		t.Fatalf("%+v, %v", a, err)
	}
	c := codeIn(t, r.texts(number(1), 1)[0].Text)
	replay := func(want store.OTPState) {
		t.Helper()
		for range 5 {
			w, a, err := r.g.CreateOTP(t.Context(), by, in)
			if err != nil || w.ID != v.ID || !a.Replayed || a.Status != http.StatusCreated || w.State != want || w.Reused {
				t.Fatalf("%+v %+v %v", w, a, err)
			}
		}
	}
	replay(store.OTPPending)
	r.pass(30 * time.Second) // a resend is due, and a replay is none
	replay(store.OTPPending)
	r.restart()
	replay(store.OTPPending)

	again := keyed(app, "/v1/otp/"+v.ID+"/resend", "k1", "")
	for i := range 5 {
		w, a, err := r.g.ResendOTP(t.Context(), again, v.ID)
		if err != nil || a.Status != http.StatusAccepted || a.Replayed != (i > 0) || w.SendsLeft != 1 {
			t.Fatalf("resend %d: %+v %+v %v", i, w, a, err)
		}
	}
	if fresh := codeIn(t, r.texts(number(1), 2)[1].Text); fresh != c {
		if got := r.record(v.ID); got.AttemptsUsed != 0 {
			t.Fatalf("replays used %d tries", got.AttemptsUsed)
		}
		c = fresh
	}
	// A try has no replay: the second one is late, with the same key.
	verify := keyed(app, "/v1/otp/"+v.ID+"/verify", "k1", `{"code":"x"}`)
	if got, err := r.try(verify, v.ID, c); err != nil || !got.Valid {
		t.Fatalf("%+v, %v", got, err)
	}
	_, err = r.try(verify, v.ID, c)
	ended(t, err, store.OTPApproved)
	replay(store.OTPApproved)
	if _, a, err := r.g.ResendOTP(t.Context(), again, v.ID); err != nil || !a.Replayed {
		t.Fatalf("%+v, %v", a, err)
	}
	// Two of three are charged, to the number and to the key.
	r.create(app, gateway.NewOTP{To: number(1), Purpose: "third"})
	_, _, err = r.g.CreateOTP(t.Context(), app, gateway.NewOTP{To: number(2)})
	if e := refusal(t, err, gateway.LimitExceeded); e.Limit != "per_key.day" {
		t.Fatalf("refused by %s", e.Limit)
	}
	r.texts(number(1), 3)
	if n := r.submitted(number(1)); n != 3 {
		t.Fatalf("%d SMS, want 3", n)
	}
	// A replay is known for 24 h; after that it is a new request.
	r.pass(24*time.Hour + time.Second)
	if w, a, err := r.g.CreateOTP(t.Context(), by, in); err != nil || a.Replayed || w.ID == v.ID {
		t.Fatalf("%+v %+v %v", w, a, err)
	}
}

// The same Idempotency-Key with another body is refused; of another key of
// the API, or on another path, it is another request.
func TestS12IdempotencyKeysAreSeparate(t *testing.T) {
	r := newRig(t, nil, nil)
	in := gateway.NewOTP{To: number(1)}
	v, _, err := r.g.CreateOTP(t.Context(), keyed(app, "/v1/otp", "k", "a"), in)
	if err != nil {
		t.Fatal(err)
	}
	w, _, err := r.g.CreateOTP(t.Context(), keyed(app, "/v1/otp", "k", "b"), gateway.NewOTP{To: number(2)})
	refusal(t, err, gateway.IdempotencyKeyReused)
	if w.ID != "" {
		t.Fatalf("refused and answered at once: %+v", w)
	}
	if w, a, err := r.g.CreateOTP(t.Context(), keyed(app2, "/v1/otp", "k", "a"), in); err != nil || a.Replayed || w.ID == v.ID {
		t.Fatalf("another key: %+v %+v %v", w, a, err)
	}
	if w, a, err := r.g.CreateOTP(t.Context(), keyed(app, "/v1/other", "k", "b"), gateway.NewOTP{To: number(3)}); err != nil || a.Replayed || w.ID == v.ID {
		t.Fatalf("another path: %+v %+v %v", w, a, err)
	}
	// A refusal is not kept: the same key works once the reason has gone.
	bad := keyed(app, "/v1/otp", "k2", "c")
	_, _, err = r.g.CreateOTP(t.Context(), bad, gateway.NewOTP{To: number(4), Length: 3})
	refusal(t, err, gateway.InvalidRequest)
	if _, a, err := r.g.CreateOTP(t.Context(), bad, gateway.NewOTP{To: number(4)}); err != nil || a.Replayed {
		t.Fatalf("%+v, %v", a, err)
	}
}

// While the first request is being answered its repeat is refused, and the
// first alone is done.
func TestS12RepeatWhileRunning(t *testing.T) {
	r := newRig(t, nil, nil)
	held, release := make(chan struct{}), make(chan struct{})
	done := make(chan error, 2)
	go func() { // the one writer of the store stands still
		done <- r.st.Update(t.Context(), "hold", func(store.Tx) error { close(held); <-release; return nil })
	}()
	<-held
	by := keyed(app, "/v1/otp", "k", "a")
	post := func(ctx context.Context) (gateway.Answer, error) {
		_, a, err := r.g.CreateOTP(ctx, by, gateway.NewOTP{To: number(1)})
		return a, err
	}
	go func() {
		a, err := post(t.Context())
		for code(err) == gateway.IdempotencyInProgress {
			a, err = post(t.Context())
		}
		if a.Replayed {
			t.Error("the first is a replay")
		}
		done <- err
	}()
	r.until("the repeat is refused", func() bool {
		// Until the other has come as far as that, this one is the first and
		// would wait for the store: so it gives up soon.
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		_, err := post(ctx)
		return code(err) == gateway.IdempotencyInProgress
	})
	close(release)
	for range 2 {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	if a, err := post(t.Context()); err != nil || !a.Replayed {
		t.Fatalf("afterwards: %+v, %v", a, err)
	}
	r.texts(number(1), 1)
	if n := r.submitted(number(1)); n != 1 {
		t.Fatalf("%d SMS, want 1", n)
	}
}

// What one key made is not there for another: it cannot read, try, resend,
// cancel or use it; an admin can.
func TestS8OwnersAreSeparate(t *testing.T) {
	r := newRig(t, func(o *gateway.Options) { o.OTP.ResendAfter = 0 }, nil)
	v, c := r.sentCode(app, gateway.NewOTP{To: number(1)}, 0)
	strangers := []gateway.Request{
		app2, req("reader", gateway.ScopeOTP, gateway.ScopeMessages, gateway.ScopeStatus, gateway.ScopeInbound, gateway.ScopeSend),
	}
	for _, by := range strangers {
		_, read := r.g.OTP(t.Context(), by, v.ID, gateway.Wait{})
		got, try := r.try(by, v.ID, c)
		_, _, resend := r.g.ResendOTP(t.Context(), by, v.ID)
		_, cancel := r.g.CancelOTP(t.Context(), by, v.ID)
		for what, err := range map[string]error{"read": read, "verify": try, "resend": resend, "cancel": cancel} {
			refusal(t, err, gateway.NotFound)
			// The same words as for what is not there at all.
			if _, none := r.g.OTP(t.Context(), by, "otp_00000000000000000000000000", gateway.Wait{}); none.Error() != err.Error() {
				t.Errorf("%s: %q tells it from %q", what, err, none)
			}
		}
		byNumber, err := r.g.VerifyNumber(t.Context(), by, number(1), c, "")
		if err != nil || byNumber != (gateway.Verdict{}) || got.Valid {
			t.Fatalf("by number: %+v, %v", byNumber, err)
		}
		w := r.create(by, gateway.NewOTP{To: number(1)})
		if w.ID == v.ID || w.Reused {
			t.Fatal("the OTP of another key was used again")
		}
		if got, err := r.try(by, w.ID, c); err != nil || got.Valid && c != codeIn(t, r.net.Phone(number(1)).Received()[0].Text) {
			t.Fatalf("its code is good for another's: %+v, %v", got, err)
		}
	}
	if got := r.record(v.ID); got.AttemptsUsed != 0 || got.SendsUsed != 1 || got.State != store.OTPPending {
		t.Fatalf("strangers changed it: %+v", got)
	}
	for what, by := range map[string]gateway.Request{"no scope": req("app"), "send only": req("app", gateway.ScopeSend), "status": req("app", gateway.ScopeStatus, gateway.ScopeMessages)} {
		_, _, create := r.g.CreateOTP(t.Context(), by, gateway.NewOTP{To: number(1)})
		_, try := r.try(by, v.ID, c)
		_, verify := r.g.VerifyNumber(t.Context(), by, number(1), c, "")
		_, _, resend := r.g.ResendOTP(t.Context(), by, v.ID)
		for _, err := range []error{create, try, verify, resend} {
			if code(err) != gateway.ScopeMissing {
				t.Errorf("%s: %v", what, err)
			}
		}
	}
	if got, err := r.g.OTP(t.Context(), admin, v.ID, gateway.Wait{}); err != nil || got.ID != v.ID {
		t.Fatalf("admin: %v", err)
	}
	r.approve(admin, v.ID, c)
}

// Verifying a number for which nothing is pending is a wrong code, no error,
// and counts against nobody.
func TestS11NothingPending(t *testing.T) {
	r := newRig(t, nil, nil)
	for range 25 {
		if v, err := r.g.VerifyNumber(t.Context(), app, number(1), "123456", ""); err != nil || v != (gateway.Verdict{}) {
			t.Fatalf("%+v, %v", v, err)
		}
	}
	_, none := r.g.VerifyNumber(t.Context(), app, number(1), "12 x", "a")
	v, c := r.sentCode(app, gateway.NewOTP{To: number(1), Purpose: "a"}, 0)
	if _, some := r.g.VerifyNumber(t.Context(), app, number(1), "12 x", "a"); none == nil || some == nil || none.Error() != some.Error() {
		t.Fatalf("no code at all: %v without and %v with a pending one", none, some)
	}
	for range 25 {
		if v, err := r.g.VerifyNumber(t.Context(), app, number(1), c, "b"); err != nil || v.Valid {
			t.Fatalf("another purpose: %+v, %v", v, err)
		}
	}
	if got, err := r.g.VerifyNumber(t.Context(), app, number(1), c, "a"); err != nil || !got.Valid {
		t.Fatalf("%+v, %v", got, err)
	}
	_, err := r.try(app, v.ID, c)
	ended(t, err, store.OTPApproved)
}
