package gateway

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"strings"
	"time"

	"github.com/modemgate/modemgate/driver"
	"github.com/modemgate/modemgate/gateway/store"
)

// Bounds of what a request may ask of an OTP.
const (
	minOTPTTL    = 30 * time.Second
	maxPurpose   = 64
	minCodeDigit = 6 // NIST SP 800-63B-4 §3.1.3.2
)

var noOTP = refuse(NotFound, NoSuchOTP+OrAnotherKeys)

// newCode draws digits without modulo bias: octets of 250 and above are
// thrown away, so each digit stands for 25 octets.
func newCode(random io.Reader, digits int) (string, error) {
	out := make([]byte, 0, digits)
	buf := make([]byte, 16)
	for refills := 0; len(out) < digits; refills++ {
		if refills > 100 {
			return "", noEntropy(errors.New("the random source gives no usable octets"))
		}
		if _, err := io.ReadFull(random, buf); err != nil {
			return "", noEntropy(fmt.Errorf("read random octets: %w", err))
		}
		for _, b := range buf {
			if b < 250 && len(out) < digits {
				out = append(out, '0'+b%10)
			}
		}
	}
	return string(out), nil
}

// noEntropy refuses to make a code that could be guessed.
func noEntropy(err error) error {
	return &Error{Code: NoEntropy, Detail: "the system gives no random octets, so no code was made or sent: try again in a moment", Err: err}
}

// codeMAC binds a code to the OTP, the number and the purpose it is for.
func (g *Gateway) codeMAC(o *store.OTP, code string) []byte {
	return g.o.Secrets.mac("otp", o.ID, o.To, o.Purpose, code)
}

// render fills the template. An empty brand leaves no double space.
func (g *Gateway) render(code string, ttl time.Duration) string {
	minutes := int(math.Ceil(ttl.Minutes()))
	s := strings.NewReplacer("{{code}}", code, "{{brand}}", g.o.OTP.Brand, "{{ttl_minutes}}", fmt.Sprint(minutes)).Replace(g.o.OTP.Template)
	for strings.Contains(s, "  ") {
		s = strings.ReplaceAll(s, "  ", " ")
	}
	return strings.TrimSpace(s)
}

// CreateOTP makes a one-time password and queues its text, or finds the one
// that is pending for the same key, purpose and number.
func (g *Gateway) CreateOTP(ctx context.Context, r Request, in NewOTP) (OTPView, Answer, error) {
	fail := func(err error) (OTPView, Answer, error) { return OTPView{}, Answer{}, err }
	if err := r.Caller.need(ScopeOTP); err != nil {
		return fail(err)
	}
	var wrong faults
	to, err := g.number("/to", in.To)
	wrong.add(err)
	if g.checkNewOTP(&in, &wrong); err != nil {
		return fail(wrong.result())
	}
	// A locked number is told before anything else.
	refused := func(err error) (OTPView, Answer, error) { return fail(cmp.Or(g.checkLock(ctx, to), err)) }
	if err := g.storable(); err != nil {
		if locked := g.checkLock(ctx, to); locked != nil {
			return fail(locked)
		}
		return g.repeatedOTP(ctx, r, err)
	}
	if err := wrong.result(); err != nil {
		return refused(err)
	}
	end, err := g.begin(r)
	if err != nil {
		return refused(err)
	}
	defer end()
	code, err := newCode(g.random, in.Length)
	if err != nil {
		return fail(err)
	}
	var v OTPView
	var answer Answer
	err = g.update(ctx, "accept-otp", func(tx store.Tx) error {
		v, answer, err = g.acceptOTP(tx, r, in, to, code)
		return err
	})
	return v, answer, err
}

// acceptOTP is the commit of CreateOTP.
func (g *Gateway) acceptOTP(tx store.Tx, r Request, in NewOTP, to, code string) (OTPView, Answer, error) {
	now := g.clock.now()
	fail := func(err error) (OTPView, Answer, error) { return OTPView{}, Answer{}, err }
	if err := g.lockedNumber(tx, to, now); err != nil {
		return fail(err)
	}
	rec, err := g.replay(tx, r, now)
	if err != nil {
		return fail(err)
	}
	if rec != nil {
		return replayOTP(tx, rec)
	}
	o, err := tx.PendingOTP(r.Caller.Key, in.Purpose, to)
	if err == nil && !now.Before(o.ExpiresAt) {
		if err = g.endOTP(tx, o, store.OTPExpired, now); err == nil {
			err = store.ErrNotFound
		}
	}
	status, reused := http.StatusCreated, false
	switch {
	case err == nil:
		status, reused = http.StatusOK, true
		err = g.sendAgain(tx, r.Caller, o, code, now)
		if notDue(err) {
			err = g.chargeRepeat(tx, r, now) // the pending one stands
		}
	case errors.Is(err, store.ErrNotFound):
		o, err = g.firstSend(tx, r.Caller, in, to, code, now)
	}
	if err != nil {
		return fail(err)
	}
	if err := g.remember(tx, r, status, o.ID, now); err != nil {
		return fail(err)
	}
	v := viewOTP(o)
	v.Reused = reused
	return v, Answer{Status: status}, nil
}

// replayOTP answers a repeat by the present state of what the first made.
func replayOTP(tx store.Tx, rec *store.IdempotencyRecord) (OTPView, Answer, error) {
	o, err := tx.OTP(rec.Resource)
	if errors.Is(err, store.ErrNotFound) {
		err = errForgotten
	}
	if err != nil {
		return OTPView{}, Answer{}, err
	}
	v := viewOTP(o)
	v.Reused = rec.Status == http.StatusOK
	return v, Answer{rec.Status, true}, nil
}

// repeatedOTP is [Gateway.repeated] for what makes or resends an OTP.
func (g *Gateway) repeatedOTP(ctx context.Context, r Request, why error) (v OTPView, a Answer, err error) {
	err = g.repeated(ctx, r, why, func(tx store.Tx, rec *store.IdempotencyRecord) (err error) {
		v, a, err = replayOTP(tx, rec)
		return err
	})
	return v, a, err
}

// checkNewOTP fills in the defaults and collects what would widen them.
func (g *Gateway) checkNewOTP(in *NewOTP, wrong *faults) {
	o := g.o.OTP
	if in.Length == 0 {
		in.Length = o.Length
	}
	lowest := min(minCodeDigit, o.Length)
	if in.Length < lowest || in.Length < o.Length || in.Length > 10 {
		wrong.add(invalid("/length", "length is between %d and 10: a request may make a code longer than otp.length, never shorter", o.Length))
	}
	if in.TTL == 0 {
		in.TTL = o.TTL
	}
	if in.TTL < minOTPTTL || in.TTL > o.TTL {
		wrong.add(invalid("/ttl", "ttl is between %s and otp.ttl, %s", minOTPTTL, o.TTL))
	}
	if len(in.Purpose) > maxPurpose || strings.ContainsFunc(in.Purpose, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		wrong.add(invalid("/purpose", "purpose is at most %d octets without control characters", maxPurpose))
	}
	checkLabels(in.Ref, in.Metadata, wrong)
}

// firstSend makes the OTP and its message, in the commit of tx.
func (g *Gateway) firstSend(tx store.Tx, c Caller, in NewOTP, to, code string, now time.Time) (*store.OTP, error) {
	o := &store.OTP{
		ID: newID("otp_", now), Key: c.Key, Purpose: in.Purpose, To: to, State: store.OTPPending, Rev: 1,
		MaxAttempts: g.o.OTP.MaxAttempts, SendsUsed: 1, MaxSends: g.o.OTP.MaxSends, Length: in.Length, TTL: in.TTL,
		CreatedAt: now, ExpiresAt: now.Add(in.TTL), ResendAt: now.Add(g.o.OTP.ResendAfter),
		DeliveryState: store.Queued, DeliveryAt: now, Ref: in.Ref, Metadata: in.Metadata, Simulated: g.onlySimulated(),
	}
	o.MAC = g.codeMAC(o, code)
	m, err := g.otpMessage(o, code, now)
	if err != nil {
		return nil, err
	}
	o.MessageID = m.ID
	if err := g.allowed(tx, c, to); err != nil {
		return nil, err
	}
	if err := g.checkNumber(tx, to, now); err != nil {
		return nil, err
	}
	if err := g.chargeKey(tx, c, now); err != nil {
		return nil, err
	}
	if err := g.checkQueue(tx, c.Key, m.Priority, now); err != nil {
		return nil, err
	}
	if err := g.chargeNumber(tx, to, now); err != nil {
		return nil, err
	}
	if err := g.insert(tx, m, now); err != nil {
		return nil, err
	}
	if err := tx.InsertOTP(o); err != nil {
		return nil, err
	}
	g.metrics.otpResult(tx, "created")
	return o, g.otpEvent(tx, o, now)
}

// otpMessage is the message that carries a code.
func (g *Gateway) otpMessage(o *store.OTP, code string, now time.Time) (*store.Message, error) {
	text := g.render(code, o.TTL)
	encoding, parts, err := driver.Measure(text)
	if err != nil || parts != 1 {
		return nil, refuse(Internal, "otp.template does not fit one SMS: shorten otp.template or otp.brand")
	}
	via, err := g.via(Caller{}, nil, o.To)
	if err != nil {
		return nil, err
	}
	return &store.Message{
		ID: newID("msg_", now), Key: o.Key, OTPID: o.ID, To: o.To, Text: text, Encoding: encoding, Priority: store.PriorityOTP,
		Route: routeOf(via), State: store.Queued, Rev: 1, OnUnknown: g.o.OTP.OnUnknown, Report: true,
		CreatedAt: now, NotBefore: now, DeadlineAt: o.ExpiresAt, Simulated: o.Simulated,
		Parts: []store.Part{{Index: 1, State: store.Queued, Reference: -1, Status: -1}},
	}, nil
}

// sendAgain voids the code of a pending OTP and sends a new one, if a resend
// is due. The tries already used stay used.
func (g *Gateway) sendAgain(tx store.Tx, c Caller, o *store.OTP, code string, now time.Time) error {
	if err := g.checkResend(tx, c, o, now); err != nil {
		return err
	}
	if len(code) != o.Length {
		var err error
		if code, err = newCode(g.random, o.Length); err != nil {
			return err
		}
	}
	next := *o // o stays as it is stored until all is written
	next.ExpiresAt = now.Add(o.TTL)
	m, err := g.otpMessage(&next, code, now)
	if err != nil {
		return err
	}
	if err := g.chargeResend(tx, c, m, now); err != nil {
		return err
	}
	if err := g.voidMessage(tx, o.MessageID, "a newer code was sent"); err != nil {
		return err
	}
	if err := g.insert(tx, m, now); err != nil {
		return err
	}
	mac := g.codeMAC(o, code)
	ok, err := tx.ChangeOTP(o.ID, []OTPState{store.OTPPending}, store.OTPChange{
		MAC: &mac, AddSends: 1, ExpiresAt: &next.ExpiresAt, ResendAt: ptr(now.Add(g.o.OTP.ResendAfter)), MessageID: &m.ID,
		DeliveryState: ptr(store.Queued), DeliveryAt: &now, DeliveryError: ptr(""),
	})
	if err == nil && !ok {
		err = store.ErrConflict
	}
	if err != nil {
		return err
	}
	g.metrics.otpResult(tx, "resent")
	fresh, err := tx.OTP(o.ID)
	if err != nil {
		return err
	}
	*o = *fresh
	return g.otpEvent(tx, o, now)
}

// checkResend refuses a resend that is not due or not allowed.
func (g *Gateway) checkResend(tx store.Tx, c Caller, o *store.OTP, now time.Time) error {
	if now.Before(o.ResendAt) {
		return limited("resend_after", o.ResendAt, "a code was sent a moment ago: the next may follow at resend_at")
	}
	if o.SendsUsed >= o.MaxSends {
		return limited("max_sends", o.ExpiresAt, "this OTP has had its %d sends: create a new one when it has expired", o.MaxSends)
	}
	if err := g.allowed(tx, c, o.To); err != nil {
		return err
	}
	return g.checkNumber(tx, o.To, now)
}

// chargeResend charges the message of a resend that checkResend has allowed.
// A refusal may leave the commit standing ([notDue]), so the limits of lines
// and the budget of the key are looked at before anything is charged.
func (g *Gateway) chargeResend(tx store.Tx, c Caller, m *store.Message, now time.Time) error {
	if err := g.exhausted(m, now); err != nil {
		return err
	}
	if err := g.chargeKey(tx, c, now); err != nil {
		return err
	}
	return g.chargeNumber(tx, m.To, now)
}

// voidMessage cancels the message of an old code if no line has begun it.
func (g *Gateway) voidMessage(tx store.Tx, id, why string) error {
	m, err := tx.Message(id)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if m.State == store.Queued || m.State == store.Unknown && !m.Final {
		_, err = g.end(tx, m, []State{m.State}, store.Canceled, "canceled", why)
		return err
	}
	if m.State != store.Sending {
		return g.eraseText(tx, m)
	}
	return nil
}

// deliveryChanged copies what becomes of a message to the OTP it carries, if
// it is the newest, and ends a pending OTP whose message has failed.
func (g *Gateway) deliveryChanged(tx store.Tx, m *store.Message, now time.Time) error {
	if m.OTPID == "" {
		return nil
	}
	o, err := tx.OTP(m.OTPID)
	if errors.Is(err, store.ErrNotFound) || (err == nil && o.MessageID != m.ID) {
		return nil
	}
	if err != nil {
		return err
	}
	all := []OTPState{store.OTPPending, store.OTPApproved, store.OTPExpired, store.OTPCanceled, store.OTPBlocked, store.OTPFailed}
	c := store.OTPChange{DeliveryState: &m.State, DeliveryAt: &now, DeliveryError: &m.Error}
	if m.State == store.Failed && o.State == store.OTPPending {
		c.State, c.EndedAt, c.MAC = ptr(store.OTPFailed), &now, ptr([]byte(nil))
		g.metrics.otpResult(tx, "failed")
	}
	if _, err := tx.ChangeOTP(o.ID, all, c); err != nil {
		return err
	}
	if o, err = tx.OTP(o.ID); err != nil {
		return err
	}
	return g.otpEvent(tx, o, now)
}

// endOTP ends a pending OTP: its MAC goes, and its text if no line has begun.
func (g *Gateway) endOTP(tx store.Tx, o *store.OTP, s OTPState, now time.Time) error {
	ok, err := tx.ChangeOTP(o.ID, []OTPState{store.OTPPending}, store.OTPChange{State: &s, EndedAt: &now, MAC: ptr([]byte(nil))})
	if err != nil || !ok {
		return err
	}
	if o, err = tx.OTP(o.ID); err != nil {
		return err
	}
	g.metrics.otpResult(tx, string(s))
	if err := g.otpEvent(tx, o, now); err != nil {
		return err
	}
	return g.voidMessage(tx, o.MessageID, "its OTP is "+string(s))
}

func viewOTP(o *store.OTP) OTPView {
	return OTPView{
		OTP: *o, AttemptsLeft: max(0, o.MaxAttempts-o.AttemptsUsed), SendsLeft: max(0, o.MaxSends-o.SendsUsed),
		Final: o.State != store.OTPPending,
	}
}
