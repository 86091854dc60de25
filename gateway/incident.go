package gateway

import (
	"context"
	"slices"
	"time"

	"github.com/modemgate/modemgate/gateway/store"
)

// Incident is one step of a recovery and what came of it.
type Incident struct {
	At     time.Time
	Cause  string
	Step   string
	Result string
	Detail string
	Took   time.Duration
}

// maxIncidents is how many a line remembers.
const maxIncidents = 10

// RecoveryStatus is what a line's ladder does at present.
type RecoveryStatus struct {
	Cause     string    // "" when nothing is wrong
	Step      string    // under way, or under judgement by the next send; "" for none
	RetryAt   time.Time // when a line out of service is tried again; zero when it is in service
	Incidents []Incident
}

// judged ends the trial of a step by the sends that followed it.
func (l *line) judged(result, detail string) {
	i := *l.ladder.trial
	l.ladder.trial = nil
	i.Result, i.Detail = result, detail
	l.incident(i)
}

// incident makes a step known: log, metric, event, state of the line.
func (l *line) incident(i Incident) {
	if i.At.IsZero() {
		i.At = l.g.clock.now()
	}
	log := l.log.Warn
	if i.Result == ResultCured || i.Result == ResultAnswers {
		log = l.log.Info
	}
	log("recovery", "cause", i.Cause, "step", i.Step, "result", i.Result, "detail", i.Detail, "took", i.Took.Round(time.Millisecond))
	l.g.metrics.recovery.WithLabelValues(l.o.Name, i.Step, i.Result).Inc()
	l.mu.Lock()
	l.recovery.Incidents = slices.Insert(l.recovery.Incidents, 0, i)
	l.recovery.Incidents = l.recovery.Incidents[:min(len(l.recovery.Incidents), maxIncidents)]
	l.recovery.Cause, l.recovery.Step, l.recovery.RetryAt = i.Cause, "", time.Time{}
	switch i.Result {
	case ResultCured:
		l.recovery.Cause = ""
	case ResultAnswers:
		l.recovery.Step = i.Step
	}
	l.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	err := l.g.update(ctx, "line-recovery", func(tx store.Tx) error { return l.g.recoveryEvent(tx, l, i) })
	if err != nil {
		l.log.Warn("cannot record a step of recovery", "step", i.Step, "err", err)
	}
}

func (l *line) showRecovery(cause, step string, retry time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.recovery.Cause, l.recovery.Step, l.recovery.RetryAt = cause, step, retry
}
