package gateway

import (
	"time"

	"github.com/modemgate/modemgate/gateway/store"
)

// beginAtZero makes the series whose first event counts: to Prometheus a series
// that begins at 1 has not grown, so an alert would miss it.
func (m *metrics) beginAtZero() {
	for _, s := range states {
		m.messages.WithLabelValues(string(s))
	}
	for _, r := range []string{"created", "resent", "wrong", "failed", "locked", string(store.OTPApproved), string(store.OTPBlocked), string(store.OTPExpired), string(store.OTPCanceled)} {
		m.otp.WithLabelValues(r)
	}
}

// joins begins the series of a line.
func (m *metrics) joins(line string) {
	m.inbound.WithLabelValues(line)
	m.calls.WithLabelValues(line)
	m.alerts.WithLabelValues(line)
	m.lineSubmit.WithLabelValues(line)
	for _, name := range []string{capDay, capMonth, capCost} {
		m.limits.WithLabelValues(line, name)
	}
	for _, step := range []string{StepReopen, StepRadio, StepReset, StepUSB, StepPower} {
		for _, result := range []string{ResultCured, ResultAnswers, ResultInVain, ResultNotPossible} {
			m.recovery.WithLabelValues(line, step, result)
		}
	}
	m.recovery.WithLabelValues(line, StepNone, ResultOpen)
}

// submitted measures a part that a modem has answered for.
func (m *metrics) submitted(line string, took time.Duration) {
	m.submit.Observe(took.Seconds())
	m.lineSubmit.WithLabelValues(line).Observe(took.Seconds())
}
