package gateway_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/modemgate/modemgate/gateway"
	"github.com/modemgate/modemgate/gateway/store"
)

// Limits of the model's gateway: small, so that a random walk meets them.
const (
	modelHour, modelDay  = 9, 16
	modelSends, modelTry = 3, 5
	modelTTL             = 5 * time.Minute
	modelResend          = 30 * time.Second
)

// modelOTP is what an OTP must be.
type modelOTP struct {
	id       string
	by       gateway.Request
	to       string
	purpose  string
	state    store.OTPState
	tries    int
	sends    int
	expires  time.Time
	resendAt time.Time
	codes    []string // all it had, the valid one last
}

// modelNumber is what is remembered of a number.
type modelNumber struct {
	failures int
	wait     time.Time
	locked   bool
	sent     []time.Time
	texts    int
}

// model walks a gateway at random beside a model of what it must answer.
type model struct {
	*rig
	rnd       *rand.Rand
	otps      []*modelOTP
	numbers   map[string]*modelNumber
	approvals map[string]int // by secret: id and code
	did       map[string]int
}

func newModel(t *testing.T, seed uint64) *model {
	r := stillRig(t, func(o *gateway.Options) {
		o.OTP.PerHour, o.OTP.PerDay, o.OTP.MaxSends, o.OTP.MaxAttempts = modelHour, modelDay, modelSends, modelTry
		o.OTP.TTL, o.OTP.ResendAfter = modelTTL, modelResend
		o.Keep = 10_000 * time.Hour // longer than a walk
	}, nil)
	m := &model{
		rig: r, rnd: rand.New(rand.NewPCG(seed, 1)), numbers: map[string]*modelNumber{},
		approvals: map[string]int{}, did: map[string]int{},
	}
	for i, failures := range []int{0, 6, 98} { // the last is near its lock
		n := &modelNumber{failures: failures}
		m.numbers[number(i)] = n
		err := r.st.Update(t.Context(), "test", func(tx store.Tx) error {
			return tx.SetFailures(r.secrets().NumberName(number(i)), store.NumberFailures{Count: failures})
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return m
}

// locked says how a number is refused now, and checks the refusal.
func (m *model) locked(to string, err error) bool {
	m.t.Helper()
	n := m.numbers[to]
	if !n.locked && !m.g.Now().Before(n.wait) {
		return false
	}
	e := refusal(m.t, err, gateway.NumberLocked)
	if n.locked && !e.RetryAt.IsZero() || !n.locked && !e.RetryAt.Equal(n.wait) {
		m.t.Fatalf("locked until %s, want %+v", e.RetryAt, n)
	}
	m.did[map[bool]string{true: "locked", false: "waited"}[n.locked]]++
	return true
}

// budget says when the number may have its next SMS; zero: now.
func (m *model) budget(to string) (at time.Time) {
	sent, now := m.numbers[to].sent, m.g.Now()
	for _, w := range []struct {
		limit int
		d     time.Duration
	}{{modelHour, time.Hour}, {modelDay, 24 * time.Hour}} {
		if i := len(sent) - w.limit; i >= 0 && sent[i].Add(w.d).After(now) && sent[i].Add(w.d).After(at) {
			at = sent[i].Add(w.d)
		}
	}
	return at
}

// text reads the code of the SMS that must come now.
func (m *model) text(o *modelOTP) {
	m.t.Helper()
	n, now := m.numbers[o.to], m.g.Now()
	n.sent = append(n.sent, now)
	n.texts++
	o.codes = append(o.codes, codeIn(m.t, m.texts(o.to, n.texts)[n.texts-1].Text))
	o.sends++
	o.expires, o.resendAt = now.Add(modelTTL), now.Add(modelResend)
	m.did["sms"]++
}

// pendingOf finds what the model has pending.
func (m *model) pendingOf(by gateway.Request, to, purpose string) *modelOTP {
	for _, o := range m.otps {
		if o.state == store.OTPPending && m.g.Now().Before(o.expires) && o.by.Caller.Key == by.Caller.Key && o.to == to && o.purpose == purpose {
			return o
		}
	}
	return nil
}

// any picks an OTP, mostly a late one.
func (m *model) any() *modelOTP {
	if len(m.otps) == 0 {
		return nil
	}
	from := max(0, len(m.otps)-5)
	if m.rnd.IntN(8) == 0 {
		from = 0
	}
	return m.otps[from+m.rnd.IntN(len(m.otps)-from)]
}

// expire ends in the model what the time has ended.
func (m *model) expire() {
	for _, o := range m.otps {
		if o.state == store.OTPPending && !m.g.Now().Before(o.expires) {
			o.state = store.OTPExpired
			m.did["expired"]++
		}
	}
}

// verdict checks a try on a pending OTP and follows it.
func (m *model) verdict(o *modelOTP, c string, v gateway.Verdict) {
	m.t.Helper()
	n := m.numbers[o.to]
	o.tries++
	if right := c == o.codes[len(o.codes)-1]; v.Valid != right {
		m.t.Fatalf("code %d of %d is valid: %v", len(o.codes), len(o.codes), v.Valid)
	}
	if v.Valid {
		if m.approvals[o.id+c]++; m.approvals[o.id+c] > 1 || n.failures >= 100 {
			m.t.Fatalf("approval %d of one secret, after %d failures", m.approvals[o.id+c], n.failures)
		}
		o.state = store.OTPApproved
		n.failures, n.wait = 0, time.Time{}
		m.did["approved"]++
	} else {
		n.failures++
		if d := backoff(n.failures); d > 0 {
			n.wait = m.g.Now().Add(d)
		}
		n.locked = n.failures >= 100
		if o.tries == modelTry {
			o.state = store.OTPBlocked
			m.did["blocked"]++
		}
		m.did["wrong"]++
	}
	if v.State != o.state || v.AttemptsLeft != modelTry-o.tries {
		m.t.Fatalf("judged %+v, want %s with %d tries left", v, o.state, modelTry-o.tries)
	}
	m.same(o, m.read(o.id))
}

// same checks what the gateway shows against the model.
func (m *model) same(o *modelOTP, v gateway.OTPView) {
	m.t.Helper()
	if v.ID != o.id || v.State != o.state || v.AttemptsLeft != modelTry-o.tries || v.SendsLeft != modelSends-o.sends ||
		!v.ExpiresAt.Equal(o.expires) || !v.ResendAt.Equal(o.resendAt) || v.Final != (o.state != store.OTPPending) {
		m.t.Fatalf("the gateway has %+v, the model %+v", v, o)
	}
}

// check compares everything at the end.
func (m *model) check() {
	m.t.Helper()
	m.expire()
	for _, o := range m.otps {
		if o.state != store.OTPExpired { // the sweeper may not have come by yet
			m.same(o, m.read(o.id))
		}
	}
	m.quiet()
	for to, n := range m.numbers {
		if got := m.submitted(to); got != len(n.sent) {
			m.t.Errorf("%d SMS went to a number, the model has %d", got, len(n.sent))
		}
		for i, at := range n.sent {
			for limit, d := range map[int]time.Duration{modelHour: time.Hour, modelDay: 24 * time.Hour} {
				if j := i + limit; j < len(n.sent) && n.sent[j].Sub(at) < d {
					m.t.Errorf("%d SMS to a number within %s", limit+1, n.sent[j].Sub(at))
				}
			}
		}
	}
}
