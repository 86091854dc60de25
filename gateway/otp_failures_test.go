package gateway_test

import (
	"testing"
	"time"

	"github.com/modemgate/modemgate/gateway"
	"github.com/modemgate/modemgate/gateway/store"
)

// backoff is what the n-th failure in a row must cost.
func backoff(n int) time.Duration {
	if n < 10 {
		return 0
	}
	d := 30 * time.Second
	for ; n > 10 && d < time.Hour; n-- {
		d *= 2
	}
	return min(d, time.Hour)
}

// fails makes one wrong try on an OTP of the number, of one key and purpose
// after the other, by id or by number, and passes the wait that it costs.
type fails struct {
	*rig
	to   string
	n    int
	open map[int]gateway.OTPView // pending ones, by kind
}

func (f *fails) one() {
	f.t.Helper()
	by := []gateway.Request{app, app2, admin}[f.n%3]
	purpose := []string{"", "login", "pay"}[f.n/3%3]
	kind := f.n % 9
	v, ok := f.open[kind]
	if !ok || !f.g.Now().Before(v.ExpiresAt) {
		v = f.create(by, gateway.NewOTP{To: f.to, Purpose: purpose})
	}
	var got gateway.Verdict
	var err error
	if f.n%2 == 0 {
		got, err = f.try(by, v.ID, never)
	} else {
		got, err = f.g.VerifyNumber(f.t.Context(), by, f.to, never, purpose)
	}
	f.n++
	if err != nil || got.Valid || got.State == "" {
		f.t.Fatalf("failure %d: %+v, %v", f.n, got, err)
	}
	if f.open[kind] = v; got.State != store.OTPPending {
		delete(f.open, kind)
	}
	if want := backoff(f.n); want > 0 && f.n < 100 {
		f.waits(by, v, want)
	}
}

// waits checks that everything of the number is refused for exactly d, and
// lets the time pass.
func (f *fails) waits(by gateway.Request, v gateway.OTPView, d time.Duration) {
	f.t.Helper()
	until := f.g.Now().Add(d)
	for _, moment := range []time.Duration{0, d - time.Microsecond} {
		f.pass(moment)
		for what, err := range f.doors(by, v) {
			if e := refusal(f.t, err, gateway.NumberLocked); !e.RetryAt.Equal(until) {
				f.t.Fatalf("failure %d: %s may be repeated at %s, want %s", f.n, what, e.RetryAt, until)
			}
		}
	}
	f.pass(time.Microsecond)
}

// doors tries everything that a locked number must refuse.
func (f *fails) doors(by gateway.Request, v gateway.OTPView) map[string]error {
	out := map[string]error{}
	_, out["verify"] = f.try(by, v.ID, never)
	_, out["verify by number"] = f.g.VerifyNumber(f.t.Context(), by, f.to, never, v.Purpose)
	_, out["verify another purpose"] = f.g.VerifyNumber(f.t.Context(), by, f.to, never, "elsewhere")
	_, _, out["create"] = f.g.CreateOTP(f.t.Context(), by, gateway.NewOTP{To: f.to, Purpose: v.Purpose})
	_, _, out["create with another key"] = f.g.CreateOTP(f.t.Context(), req("third", gateway.ScopeOTP), gateway.NewOTP{To: f.to, Purpose: "new"})
	_, _, out["create, all wrong"] = f.g.CreateOTP(f.t.Context(), by, gateway.NewOTP{To: f.to, Length: 99, TTL: -1})
	_, _, out["resend"] = f.g.ResendOTP(f.t.Context(), by, v.ID)
	_, out["verify nonsense"] = f.try(by, v.ID, "not a code")
	return out
}

// S6, S7: failures over OTPs, purposes, keys and restarts back off after 10
// and lock at 100; the 101st try is refused with the right code, for good,
// until an admin unlocks the number.
func TestS6BackOffAndLock(t *testing.T) {
	r := stillRig(t, nil, nil)
	f := &fails{rig: r, to: number(1), open: map[int]gateway.OTPView{}}
	for f.n < 99 {
		if f.n == 4 || f.n == 13 || f.n == 60 {
			r.restart()
		}
		f.one()
	}
	r.quiet() // of the many texts those go that a modem was ready for before their end
	had := r.submitted(f.to)
	r.texts(f.to, had)
	v, right := r.sentCode(app, gateway.NewOTP{To: f.to, Purpose: "last"}, had)
	r.wrong(app, v.ID)
	f.n++
	locked := func() {
		t.Helper()
		_, err := r.try(app, v.ID, right)
		if e := refusal(t, err, gateway.NumberLocked); !e.RetryAt.IsZero() {
			t.Fatalf("a locked number says to try again at %s", e.RetryAt)
		}
		for what, err := range f.doors(app, v) {
			if e := refusal(t, err, gateway.NumberLocked); !e.RetryAt.IsZero() {
				t.Fatalf("%s: may be repeated at %s", what, e.RetryAt)
			}
		}
	}
	locked()
	r.restart()
	locked()
	if o := r.record(v.ID); o.AttemptsUsed != 1 {
		t.Fatalf("%d tries are counted, a refused one must not be", o.AttemptsUsed)
	}
	refusal(t, r.g.UnlockNumber(t.Context(), app, f.to), gateway.ScopeMissing)
	locked()
	// Another number is not touched by it.
	w, c := r.sentCode(app, gateway.NewOTP{To: number(2)}, 0)
	r.approve(app, w.ID, c)
	if err := r.g.UnlockNumber(t.Context(), admin, f.to); err != nil {
		t.Fatal(err)
	}
	r.approve(app, v.ID, right)
	r.pass(1000 * time.Hour)
	r.sentCode(app, gateway.NewOTP{To: f.to}, had+1)
}

// S6: neither a long time nor the purge of old records opens a locked number.
func TestS6LockHasNoEnd(t *testing.T) {
	r := stillRig(t, nil, nil)
	v := r.create(app, gateway.NewOTP{To: number(1)})
	name := r.secrets().NumberName(v.To)
	err := r.st.Update(t.Context(), "test", func(tx store.Tx) error {
		f, err := tx.Failures(name)
		f.Count = 99
		return orElse(err, tx.SetFailures(name, f))
	})
	if err != nil {
		t.Fatal(err)
	}
	r.wrong(app, v.ID)
	for range 3 {
		r.pass(10_000 * time.Hour)
		if err := r.g.Tidy(t.Context()); err != nil {
			t.Fatal(err)
		}
		_, _, err := r.g.CreateOTP(t.Context(), app, gateway.NewOTP{To: v.To})
		refusal(t, err, gateway.NumberLocked)
		r.restart()
	}
}

// S6: an approval, and nothing else, makes the count begin anew: 9 failures
// cost nothing each time.
func TestS6ApprovalResets(t *testing.T) {
	r := stillRig(t, nil, nil)
	texts := 0
	for round := range 3 {
		for i := range 9 {
			v := r.create(app, gateway.NewOTP{To: number(1), Purpose: string(rune('a' + i))})
			r.wrong(app, v.ID)
			texts++
		}
		r.texts(number(1), texts)
		v, c := r.sentCode(app2, gateway.NewOTP{To: number(1), Purpose: string(rune('0' + round))}, texts)
		texts++
		r.approve(app2, v.ID, c)
		for i := range 9 { // the old ones are still pending: end them
			p, err := r.g.CancelOTP(t.Context(), app, r.pending(app, number(1), string(rune('a'+i))))
			if err != nil || p.State != store.OTPCanceled {
				t.Fatal(err)
			}
		}
	}
	for i := range 10 {
		v := r.create(app, gateway.NewOTP{To: number(1), Purpose: string(rune('a' + i))})
		r.wrong(app, v.ID)
	}
	_, _, err := r.g.CreateOTP(t.Context(), app, gateway.NewOTP{To: number(1), Purpose: "next"})
	refusal(t, err, gateway.NumberLocked)
}

// pending finds the id of the pending OTP.
func (r *rig) pending(by gateway.Request, to, purpose string) (id string) {
	r.t.Helper()
	err := r.st.View(r.t.Context(), func(tx store.Tx) error {
		o, err := tx.PendingOTP(by.Caller.Key, purpose, to)
		if err == nil {
			id = o.ID
		}
		return err
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return id
}

// secrets reads the keys of the rig.
func (r *rig) secrets() gateway.Secrets {
	r.t.Helper()
	s, err := gateway.LoadSecrets(r.dir, store.FileName)
	if err != nil {
		r.t.Fatal(err)
	}
	return s
}

func orElse(err, then error) error {
	if err != nil {
		return err
	}
	return then
}

// S6: the last allowed try with the right code succeeds; the try that uses
// the last with a wrong one blocks the OTP, and then the right one is late.
func TestS6LastTry(t *testing.T) {
	r := newRig(t, nil, nil)
	v, c := r.sentCode(app, gateway.NewOTP{To: number(1)}, 0)
	for left := 4; left > 0; left-- {
		if got := r.wrong(app, v.ID); got.AttemptsLeft != left || got.State != store.OTPPending {
			t.Fatalf("%+v, want %d tries left", got, left)
		}
	}
	r.approve(app, v.ID, c)

	v, c = r.sentCode(app, gateway.NewOTP{To: number(1)}, 1)
	for range 4 {
		r.wrong(app, v.ID)
	}
	if got := r.wrong(app, v.ID); got.State != store.OTPBlocked || got.AttemptsLeft != 0 {
		t.Fatalf("the last try: %+v", got)
	}
	_, err := r.try(app, v.ID, c)
	ended(t, err, store.OTPBlocked)
	if got := r.read(v.ID); got.State != store.OTPBlocked || got.AttemptsLeft != 0 || r.record(v.ID).MAC != nil {
		t.Fatalf("blocked as %+v", got)
	}
}

// S7: a resend gives back neither tries nor failures; the OTP is blocked
// after five wrong tries, however many codes it has had.
func TestS7ResendGivesNothingBack(t *testing.T) {
	r := stillRig(t, nil, nil)
	v, _ := r.sentCode(app, gateway.NewOTP{To: number(1)}, 0)
	for i := range 2 {
		r.wrong(app, v.ID)
		r.wrong(app, v.ID)
		r.pass(30 * time.Second)
		r.restart()
		v, _ = r.resend(app, v, i+1)
		if want := 5 - 2*(i+1); v.AttemptsLeft != want {
			t.Fatalf("after resend %d %d tries are left, want %d", i+1, v.AttemptsLeft, want)
		}
	}
	if got := r.wrong(app, v.ID); got.State != store.OTPBlocked {
		t.Fatalf("the fifth wrong try: %+v", got)
	}
	// A second POST is no way around it either: five more, then the wait.
	w, _ := r.sentCode(app, gateway.NewOTP{To: number(1)}, 3)
	for range 5 {
		r.wrong(app, w.ID)
	}
	_, _, err := r.g.CreateOTP(t.Context(), app, gateway.NewOTP{To: number(1)})
	if e := refusal(t, err, gateway.NumberLocked); !e.RetryAt.Equal(r.g.Now().Add(30 * time.Second)) {
		t.Fatalf("ten failures: retry at %s", e.RetryAt)
	}
}
