package gateway

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/modemgate/modemgate/driver"
)

// stepPause is how long a modem has to react to a step before it is asked
// whether it helped, and between two such questions.
const stepPause = 500 * time.Millisecond

// helper is what a modem can do for itself; *driver.Modem does.
type helper interface {
	CycleRadio(ctx context.Context) error
	Reset(ctx context.Context) error
}

var _ helper = (*driver.Modem)(nil)

// errNotPossible says that there is no such step for this modem.
var errNotPossible = errors.New("not possible")

// step takes one step of the ladder and judges it, in bounded time.
func (l *line) step(ctx context.Context, cause, step string) Incident {
	i := Incident{At: l.g.clock.now(), Cause: cause, Step: step}
	began := time.Now()
	l.heart.beat()
	err := l.act(ctx, cause, step)
	if errors.Is(err, errNotPossible) || errors.Is(err, driver.ErrNoReset) || errors.Is(err, driver.ErrNotUSB) {
		i.Result, i.Detail = ResultNotPossible, err.Error()
		l.log.Debug("step of recovery left out", "step", step, "err", err)
		return i
	}
	// What failed half way may have helped all the same.
	i.Result, i.Detail = l.verdict(ctx, cause)
	if err != nil {
		i.Detail = err.Error() + "; " + i.Detail
	}
	i.Took = time.Since(began)
	return i
}

// act does what the step is.
func (l *line) act(ctx context.Context, cause, step string) error {
	l.setState("recovering", fmt.Sprintf("the modem is %s, step %s of its recovery is under way", causeWords[cause], step))
	l.showRecovery(cause, step, time.Time{})
	ctx, cancel := context.WithTimeout(ctx, l.g.o.Recovery.Return)
	defer cancel()
	rescue := l.o.Rescue
	switch step {
	case StepRadio:
		if cause == CauseSilent && !l.ladder.opens {
			return fmt.Errorf("%w: a silent modem takes no command", errNotPossible)
		}
		return l.withModem(ctx, helper.CycleRadio)
	case StepReset:
		return l.restart(ctx, cause)
	case StepUSB:
		if rescue.USB == nil {
			return fmt.Errorf("%w: the port is not on USB", errNotPossible)
		}
		return rescue.USB(ctx)
	case StepPower:
		if rescue.Power == nil {
			return fmt.Errorf("%w: no power_cycle is configured", errNotPossible)
		}
		return rescue.Power(ctx)
	}
	return fmt.Errorf("%w: step %q", errNotPossible, step)
}

var causeWords = map[string]string{CauseSilent: "silent", CauseMute: "not able to send", CauseAsked: "to be reset"}

// restart gives the restart command: to a modem that answers in a session, to
// a silent one blindly, if it is known who it is.
func (l *line) restart(ctx context.Context, cause string) error {
	l.mu.Lock()
	id := l.identity
	l.mu.Unlock()
	if !driver.CanReset(id) {
		return fmt.Errorf("%w: no restart command of it is known and safe", errNotPossible)
	}
	if cause != CauseSilent || l.ladder.opens {
		err := l.withModem(ctx, helper.Reset)
		if !silent(err) {
			return err
		}
	}
	switch {
	case l.o.Rescue.Reset == nil:
		return fmt.Errorf("%w: there is no port to write to", errNotPossible)
	case l.plug() != l.ladder.known:
		return fmt.Errorf("%w: it was plugged in since it said who it is, and may be another", errNotPossible)
	}
	return l.o.Rescue.Reset(ctx, id)
}

// withModem opens the modem for one action.
func (l *line) withModem(ctx context.Context, do func(helper, context.Context) error) error {
	m, err := l.o.Open(ctx)
	if errors.Is(err, driver.ErrSilent) {
		return fmt.Errorf("%w: %w", errNotPossible, err)
	}
	if err != nil {
		return err
	}
	defer m.Close()
	h, ok := m.(helper)
	if !ok {
		return fmt.Errorf("%w: this modem takes no such command", errNotPossible)
	}
	return do(h, ctx)
}

// verdict waits for the modem after a step: it must answer, and where it was
// not able to send it must register too. It ends as soon as that is so, at
// the latest after the time that a modem has to return.
func (l *line) verdict(ctx context.Context, cause string) (result, detail string) {
	end := time.Now().Add(l.g.o.Recovery.Return)
	for {
		l.heart.beat()
		select {
		case <-ctx.Done():
			return ResultInVain, "modemgate stopped"
		case <-time.After(stepPause):
		}
		ok, why := l.well(ctx, cause)
		switch {
		case ok && cause == CauseMute:
			return ResultAnswers, why
		case ok:
			return ResultCured, why
		case time.Now().After(end):
			return ResultInVain, why
		}
	}
}

// well asks the modem once.
func (l *line) well(ctx context.Context, cause string) (ok bool, why string) {
	m, err := l.o.Open(ctx)
	var sim *driver.SIMError
	if errors.As(err, &sim) && sim.State != "busy" {
		return true, "it answers: " + sim.Error()
	}
	if err != nil {
		return false, err.Error()
	}
	defer m.Close()
	s, err := m.Status(ctx)
	switch {
	case err != nil:
		return false, err.Error()
	case s.Registration == "home" || s.Registration == "roaming":
		return true, "it answers and is registered"
	case cause != CauseMute:
		return true, "it answers; registration: " + s.Registration
	}
	return false, "it answers and does not register: " + s.Registration
}
