package gateway_test

import (
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/modemgate/modemgate/gateway"
	"github.com/modemgate/modemgate/gateway/store"
)

// Random interleavings of create, resend, right, wrong and stale tries,
// cancel, expiry, unlock and restart: each answer is what the model says, a
// secret is approved at most once, tries never come back, nothing is approved
// after 100 failures in a row, and no number gets more SMS than its budget.
func TestOTPModel(t *testing.T) {
	var mu sync.Mutex
	did := map[string]int{}
	t.Cleanup(func() {
		t.Log(did)
		for _, what := range []string{"approved", "wrong", "locked", "waited", "blocked", "expired", "limited", "canceled", "resent", "stale", "restart", "ended"} {
			if did[what] == 0 {
				t.Errorf("no walk came upon %q", what)
			}
		}
	})
	for _, seed := range []uint64{1, 2, 3, 4, 5} {
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
			m := newModel(t, seed)
			for range 500 {
				m.step()
			}
			m.check()
			mu.Lock()
			defer mu.Unlock()
			for what, n := range m.did {
				did[what] += n
			}
		})
	}
}

func (m *model) step() {
	m.t.Helper()
	switch n := m.rnd.IntN(100); {
	case n < 14:
		m.create()
	case n < 24:
		m.again()
	case n < 72:
		m.judge()
	case n < 76:
		m.cancel()
	case n < 97:
		steps := []time.Duration{time.Second, time.Second, 15 * time.Second, 30 * time.Second, 30 * time.Second, 61 * time.Second, 61 * time.Second, 5 * time.Minute, 20 * time.Minute, time.Hour, 3 * time.Hour}
		m.pass(steps[m.rnd.IntN(len(steps))])
	case n < 99 || m.rnd.IntN(3) > 0:
		m.restart()
		m.did["restart"]++
	default:
		to := number(m.rnd.IntN(3))
		if err := m.g.UnlockNumber(m.t.Context(), admin, to); err != nil {
			m.t.Fatal(err)
		}
		n := m.numbers[to]
		n.failures, n.wait, n.locked = 0, time.Time{}, false
	}
}

func (m *model) create() {
	m.t.Helper()
	by, to := []gateway.Request{app, app2}[m.rnd.IntN(2)], number(m.rnd.IntN(3))
	purpose := []string{"", "pay"}[m.rnd.IntN(2)]
	m.expire()
	v, _, err := m.g.CreateOTP(m.t.Context(), by, gateway.NewOTP{To: to, Purpose: purpose})
	if m.locked(to, err) {
		return
	}
	o, full := m.pendingOf(by, to, purpose), m.budget(to)
	switch {
	case o == nil && !full.IsZero():
		if e := refusal(m.t, err, gateway.LimitExceeded); !e.RetryAt.Equal(full) {
			m.t.Fatalf("limited until %s, want %s", e.RetryAt, full)
		}
		m.did["limited"]++
		return
	case err != nil:
		m.t.Fatal(err)
	case o == nil:
		o = &modelOTP{id: v.ID, by: by, to: to, purpose: purpose, state: store.OTPPending}
		m.otps = append(m.otps, o)
		m.text(o)
	case v.ID != o.id || !v.Reused:
		m.t.Fatalf("%s was pending and %+v was made", o.id, v)
	case !m.g.Now().Before(o.resendAt) && o.sends < modelSends && full.IsZero():
		m.text(o)
	}
	m.same(o, v)
}

func (m *model) again() {
	m.t.Helper()
	m.expire()
	o := m.any()
	if o == nil {
		return
	}
	v, _, err := m.g.ResendOTP(m.t.Context(), o.by, o.id)
	if m.locked(o.to, err) {
		return
	}
	want := m.budget(o.to)
	switch {
	case o.state != store.OTPPending:
		ended(m.t, err, o.state)
		return
	case m.g.Now().Before(o.resendAt):
		want = o.resendAt
	case o.sends >= modelSends:
		want = o.expires
	}
	if !want.IsZero() {
		if e := refusal(m.t, err, gateway.LimitExceeded); !e.RetryAt.Equal(want) {
			m.t.Fatalf("%s until %s, want %s", e.Limit, e.RetryAt, want)
		}
		return
	}
	if err != nil {
		m.t.Fatal(err)
	}
	m.text(o)
	m.same(o, v)
	m.did["resent"]++
}

// judge tries the right, a stale, or a wrong code, by id or by number.
func (m *model) judge() {
	m.t.Helper()
	m.expire()
	o := m.any()
	if o == nil {
		return
	}
	c := never
	switch m.rnd.IntN(6) {
	case 0:
		c = o.codes[len(o.codes)-1]
	case 1:
		c = o.codes[0]
		m.did["stale"]++
	}
	var v gateway.Verdict
	var err error
	byNumber := m.rnd.IntN(3) == 0
	if byNumber {
		v, err = m.g.VerifyNumber(m.t.Context(), o.by, o.to, c, o.purpose)
	} else {
		v, err = m.try(o.by, o.id, c)
	}
	if m.locked(o.to, err) {
		return
	}
	if byNumber {
		p := m.pendingOf(o.by, o.to, o.purpose)
		if p == nil {
			if err != nil || v != (gateway.Verdict{}) {
				m.t.Fatalf("nothing is pending: %+v, %v", v, err)
			}
			return
		}
		o = p
	}
	if o.state != store.OTPPending {
		ended(m.t, err, o.state)
		m.did["ended"]++
		return
	}
	if err != nil {
		m.t.Fatal(err)
	}
	m.verdict(o, c, v)
}

func (m *model) cancel() {
	m.t.Helper()
	m.expire()
	o := m.any()
	if o == nil {
		return
	}
	v, err := m.g.CancelOTP(m.t.Context(), o.by, o.id)
	if o.state != store.OTPPending && o.state != store.OTPCanceled {
		if e := code(err); e != gateway.OTPEnded && o.state != store.OTPExpired {
			m.t.Fatalf("canceled a %s one: %v", o.state, err)
		}
		if err != nil {
			return
		}
	}
	if err != nil {
		m.t.Fatal(err)
	}
	o.state = store.OTPCanceled // also one whose expiry nobody has seen yet
	m.same(o, v)
	m.did["canceled"]++
}
