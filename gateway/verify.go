package gateway

import (
	"context"
	"crypto/hmac"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/modemgate/modemgate/gateway/store"
)

// Failures of one number in a row, over all keys, purposes and OTPs: waits
// begin after waitAfter and double from waitFirst to waitMax; lockAfter locks
// the number until it is unlocked (NIST SP 800-63B-4 §3.2.2).
const (
	waitAfter = 10
	lockAfter = 100
	waitFirst = 30 * time.Second
	waitMax   = time.Hour
)

// checkLock refuses a locked number before anything else is looked at.
func (g *Gateway) checkLock(ctx context.Context, number string) error {
	return g.st.View(ctx, func(tx store.Tx) error { return g.lockedNumber(tx, number, g.clock.now()) })
}

func (g *Gateway) lockedNumber(tx store.Tx, number string, now time.Time) error {
	_, err := g.failures(tx, number, now)
	return err
}

// failures reads the failures of a number; an error when it is locked.
func (g *Gateway) failures(tx store.Tx, number string, now time.Time) (store.NumberFailures, error) {
	f, err := tx.Failures(g.o.Secrets.number(number))
	switch {
	case err != nil:
		return f, err
	case f.Locked:
		return f, &Error{Code: NumberLocked, Limit: "failures", Detail: "100 wrong codes in a row: the number is locked until modemgate otp unlock, or POST /v1/numbers/{e164}/unlock, ends it"}
	case now.Before(f.WaitUntil):
		return f, &Error{Code: NumberLocked, Limit: "failures", RetryAt: f.WaitUntil, Detail: "too many wrong codes in a row for this number: wait until retry_at"}
	}
	return f, nil
}

// failed counts one wrong code of a number after its failures so far.
func (g *Gateway) failed(tx store.Tx, number string, f store.NumberFailures, now time.Time) error {
	f.Count++
	if f.Count >= waitAfter {
		f.WaitUntil = now.Add(min(waitFirst<<min(f.Count-waitAfter, 10), waitMax))
	}
	if f.Count >= lockAfter && !f.Locked {
		f.Locked = true
		g.metrics.otpResult(tx, "locked")
		g.log.Warn("a number is locked after too many wrong codes", "audit", "authn_login_lock")
	}
	return tx.SetFailures(g.o.Secrets.number(number), f)
}

// VerifyOTP tries a code on an OTP.
func (g *Gateway) VerifyOTP(ctx context.Context, r Request, id, code string) (Verdict, error) {
	if err := r.Caller.need(ScopeOTP); err != nil {
		return Verdict{}, err
	}
	if !validID("otp_", id) {
		return Verdict{}, noOTP
	}
	return g.verify(ctx, r, code, func(tx store.Tx) (*store.OTP, error) { return g.ownOTP(tx, r.Caller, id) })
}

// VerifyNumber tries a code on what is pending for a number and purpose.
// When nothing is, the code is wrong like any other.
func (g *Gateway) VerifyNumber(ctx context.Context, r Request, to, code, purpose string) (Verdict, error) {
	if err := r.Caller.need(ScopeOTP); err != nil {
		return Verdict{}, err
	}
	number, err := g.number("/to", to)
	if err != nil {
		return Verdict{}, err
	}
	if err := g.checkLock(ctx, number); err != nil {
		return Verdict{}, err
	}
	if _, err := cleanCode(code); err != nil {
		return Verdict{}, err // whatever is pending
	}
	v, err := g.verify(ctx, r, code, func(tx store.Tx) (*store.OTP, error) {
		o, err := tx.PendingOTP(r.Caller.Key, purpose, number)
		if errors.Is(err, store.ErrNotFound) || (err == nil && !g.clock.now().Before(o.ExpiresAt)) {
			g.codeMAC(&store.OTP{To: number, Purpose: purpose}, code) // the same work as for a pending one
			return nil, noOTP
		}
		return o, err
	})
	var refused *Error
	if errors.As(err, &refused) && (refused == noOTP || refused.Code == OTPEnded) { // ended meanwhile: nothing is pending
		return Verdict{}, nil
	}
	return v, err
}

// ownOTP reads an OTP of the caller.
func (g *Gateway) ownOTP(tx store.Tx, c Caller, id string) (*store.OTP, error) {
	o, err := tx.OTP(id)
	if errors.Is(err, store.ErrNotFound) || (err == nil && o.Key != c.Key && !c.admin()) {
		return nil, noOTP
	}
	return o, err
}

// verify is one transaction: lock, state, the try is counted, then compared;
// what follows from it is written, and only after the commit it is answered.
func (g *Gateway) verify(ctx context.Context, r Request, code string, find func(tx store.Tx) (*store.OTP, error)) (Verdict, error) {
	code, err := cleanCode(code)
	if err != nil {
		return Verdict{}, g.lockedFirst(ctx, find, err)
	}
	var v Verdict
	var refused error
	err = g.update(ctx, "verify", func(tx store.Tx) error {
		refused = nil
		o, err := find(tx)
		if err != nil {
			return err
		}
		v, refused, err = g.try(tx, o, code)
		return err
	})
	if err == nil {
		err = refused
	}
	if err != nil {
		return Verdict{}, err // what was judged and not kept is not told
	}
	return v, nil
}

// lockedFirst prefers the refusal of a locked number to any other.
func (g *Gateway) lockedFirst(ctx context.Context, find func(tx store.Tx) (*store.OTP, error), other error) error {
	return g.st.View(ctx, func(tx store.Tx) error {
		if o, err := find(tx); err == nil {
			if err := g.lockedNumber(tx, o.To, g.clock.now()); err != nil {
				return err
			}
		}
		return other
	})
}

// try judges one code. A refusal is returned beside the error of the store,
// because what was changed on the way to it must be committed.
func (g *Gateway) try(tx store.Tx, o *store.OTP, code string) (v Verdict, refused, err error) {
	now := g.clock.now()
	failures, err := g.failures(tx, o.To, now)
	if err != nil {
		return v, nil, err
	}
	if o.State == store.OTPPending && !now.Before(o.ExpiresAt) {
		if err := g.endOTP(tx, o, store.OTPExpired, now); err != nil {
			return v, nil, err
		}
		return v, ended(store.OTPExpired), nil
	}
	counted, ok, err := tx.CountTry(o.ID, now)
	if err != nil {
		return v, nil, err
	}
	if !ok {
		return v, ended(o.State), nil
	}
	o = counted
	v = Verdict{State: store.OTPPending, AttemptsLeft: o.MaxAttempts - o.AttemptsUsed}
	if hmac.Equal(o.MAC, g.codeMAC(o, code)) {
		v.Valid, v.State = true, store.OTPApproved
		if err := tx.SetFailures(g.o.Secrets.number(o.To), store.NumberFailures{}); err != nil {
			return v, nil, err
		}
		return v, nil, g.endOTP(tx, o, store.OTPApproved, now)
	}
	g.metrics.otpResult(tx, "wrong")
	if err := g.failed(tx, o.To, failures, now); err != nil {
		return v, nil, err
	}
	if v.AttemptsLeft == 0 {
		v.State = store.OTPBlocked
		return v, nil, g.endOTP(tx, o, store.OTPBlocked, now)
	}
	return v, nil, g.otpEvent(tx, o, now)
}

func ended(s OTPState) error {
	return &Error{Code: OTPEnded, Reason: string(s), Detail: "this OTP is " + string(s) + ": create a new one"}
}

// codeGaps are what people put between digits.
var codeGaps = strings.NewReplacer(" ", "", "-", "", "\u00a0", "")

func cleanCode(code string) (string, error) {
	code = codeGaps.Replace(code)
	if code == "" || len(code) > 10 || strings.Trim(code, "0123456789") != "" {
		return "", invalid("/code", "a code is up to 10 digits, in a string")
	}
	return code, nil
}

// OTP reads an OTP, waiting for a change if asked to.
func (g *Gateway) OTP(ctx context.Context, r Request, id string, w Wait) (OTPView, error) {
	if !validID("otp_", id) {
		return OTPView{}, noOTP
	}
	var v OTPView
	first := true
	err := g.await(ctx, id, w.For, func() (done bool, err error) {
		err = g.st.View(ctx, func(tx store.Tx) error {
			o, err := g.ownOTP(tx, r.Caller, id)
			if err == nil {
				v = viewOTP(o)
			}
			return err
		})
		if first && w.After < 0 {
			w.After = v.Rev
		}
		first = false
		return v.Final || v.Rev > w.After, err
	})
	return v, err
}

// ResendOTP sends a new code for a pending OTP; the old one is void.
func (g *Gateway) ResendOTP(ctx context.Context, r Request, id string) (OTPView, Answer, error) {
	fail := func(err error) (OTPView, Answer, error) { return OTPView{}, Answer{}, err }
	if err := r.Caller.need(ScopeOTP); err != nil {
		return fail(err)
	}
	if !validID("otp_", id) {
		return fail(noOTP)
	}
	if err := g.storable(); err != nil {
		return g.repeatedOTP(ctx, r, err)
	}
	end, err := g.begin(r)
	if err != nil {
		return fail(err)
	}
	defer end()
	code, err := newCode(g.random, g.o.OTP.Length)
	if err != nil {
		return fail(err)
	}
	var v OTPView
	var answer Answer
	var over error
	err = g.update(ctx, "resend-otp", func(tx store.Tx) (err error) {
		v, answer, over, err = g.acceptResend(tx, r, id, code)
		return err
	})
	if err == nil {
		err = over
	}
	return v, answer, err
}

// acceptResend is the commit of ResendOTP; over refuses an OTP that it has
// ended because its time has passed.
func (g *Gateway) acceptResend(tx store.Tx, r Request, id, code string) (v OTPView, a Answer, over, err error) {
	now := g.clock.now()
	o, err := g.ownOTP(tx, r.Caller, id)
	if err == nil {
		err = g.lockedNumber(tx, o.To, now)
	}
	if err != nil {
		return v, a, nil, err
	}
	rec, err := g.replay(tx, r, now)
	switch {
	case err != nil:
		return v, a, nil, err
	case rec != nil:
		return viewOTP(o), Answer{rec.Status, true}, nil, nil
	case o.State == store.OTPPending && !now.Before(o.ExpiresAt):
		return v, a, ended(store.OTPExpired), g.endOTP(tx, o, store.OTPExpired, now)
	case o.State != store.OTPPending:
		return v, a, nil, ended(o.State)
	}
	if err := g.sendAgain(tx, r.Caller, o, code, now); err != nil {
		return v, a, nil, err
	}
	a = Answer{Status: http.StatusAccepted}
	return viewOTP(o), a, nil, g.remember(tx, r, a.Status, id, now)
}

// CancelOTP ends a pending OTP; its code is void.
func (g *Gateway) CancelOTP(ctx context.Context, r Request, id string) (OTPView, error) {
	if !validID("otp_", id) {
		return OTPView{}, noOTP
	}
	var v OTPView
	err := g.update(ctx, "cancel-otp", func(tx store.Tx) error {
		o, err := g.ownOTP(tx, r.Caller, id)
		if err != nil {
			return err
		}
		if o.State != store.OTPPending && o.State != store.OTPCanceled {
			return ended(o.State)
		}
		if err := g.endOTP(tx, o, store.OTPCanceled, g.clock.now()); err != nil {
			return err
		}
		if o, err = tx.OTP(id); err != nil {
			return err
		}
		v = viewOTP(o)
		return nil
	})
	return v, err
}

// UnlockNumber forgets the failures of a number.
func (g *Gateway) UnlockNumber(ctx context.Context, r Request, number string) error {
	if err := r.Caller.need(ScopeAdmin); err != nil {
		return err
	}
	to, err := g.number("number", number)
	if err != nil {
		return err
	}
	return g.update(ctx, "unlock", func(tx store.Tx) error {
		return tx.SetFailures(g.o.Secrets.number(to), store.NumberFailures{})
	})
}
