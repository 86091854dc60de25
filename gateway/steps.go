package gateway

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
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

// impossible is why there is no such step for this modem, in words.
type impossible string

func (e impossible) Error() string { return string(e) }

// step takes one step of the ladder and judges it, in bounded time.
func (l *line) step(ctx context.Context, cause, step string) Incident {
	i := Incident{At: l.g.clock.now(), Cause: cause, Step: step}
	began := time.Now()
	l.heart.beat()
	err := l.act(ctx, cause, step)
	var none impossible
	if errors.As(err, &none) || errors.Is(err, driver.ErrNoReset) || errors.Is(err, driver.ErrNotUSB) {
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
			return impossible("a silent modem takes no command")
		}
		return l.withModem(ctx, helper.CycleRadio)
	case StepReset:
		return l.restart(ctx, cause)
	case StepUSB:
		if rescue.USB == nil {
			return impossible("it is no USB device")
		}
		return rescue.USB(ctx)
	case StepPower:
		if rescue.Power == nil {
			return impossible("no power_cycle is set for it")
		}
		return rescue.Power(ctx)
	}
	return impossible("there is no step " + step)
}

var causeWords = map[string]string{CauseSilent: "silent", CauseMute: "not able to send", CauseAsked: "to be reset"}

// stepWords are the steps as they are told when none has helped.
var stepWords = map[string]string{
	StepRadio: "switching its radio off and on", StepReset: "its restart command",
	StepUSB: "switching its USB device off and on", StepPower: "power_cycle",
}

// inVain tells what one whole ladder has done and what it could not do. opened
// is how often the modem was opened before.
func inVain(cause string, opened int, taken []Incident) string {
	var did, lacks []string
	if cause == CauseSilent {
		did = append(did, "opening it "+times(opened))
	}
	for _, i := range taken {
		switch {
		case i.Result != ResultNotPossible:
			did = append(did, stepWords[i.Step])
		case i.Step != StepRadio: // that needs a modem that answers, and nothing else
			lacks = append(lacks, i.Detail)
		}
	}
	text := "no step of its recovery could be taken"
	if n := len(did); n > 1 {
		text = strings.Join(did[:n-1], ", ") + " and " + did[n-1] + " did not help"
	} else if n == 1 {
		text = did[0] + " did not help"
	}
	if len(lacks) > 0 {
		text += "; " + strings.Join(lacks, ", ")
	}
	return text
}

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}

// restart gives the restart command: to a modem that answers in a session, to
// a silent one blindly, if it is known who it is.
func (l *line) restart(ctx context.Context, cause string) error {
	l.mu.Lock()
	id := l.identity
	l.mu.Unlock()
	if !driver.CanReset(id) {
		return impossible("no restart command of it is known and safe")
	}
	if cause != CauseSilent || l.ladder.opens {
		err := l.withModem(ctx, helper.Reset)
		if !silent(err) {
			return err
		}
	}
	switch {
	case l.o.Rescue.Reset == nil:
		return impossible("there is no port to write a restart command to")
	case l.plug() != l.ladder.known:
		return impossible("it was plugged in since it said who it is, and may be another, which a restart command could harm")
	}
	return l.o.Rescue.Reset(ctx, id)
}

// attend opens the modem between two sessions and listens to it until leave:
// what it says unasked it says only once.
func (l *line) attend(ctx context.Context) (m Modem, leave func(), err error) {
	if m, err = l.o.Open(ctx); err != nil {
		return nil, nil, err
	}
	if err := l.swapped(m.Identity()); err != nil {
		_ = m.Close()
		return nil, nil, err
	}
	l.submitted.Store(false)
	l.unanswered.Store(true)
	l.mu.Lock()
	l.identity = remembered(m.Identity(), l.identity)
	l.mu.Unlock()
	var wg sync.WaitGroup
	wg.Go(func() { l.listen(ctx, m) })
	return m, func() { _ = m.Close(); wg.Wait() }, nil
}

// withModem opens the modem for one action.
func (l *line) withModem(ctx context.Context, do func(helper, context.Context) error) error {
	m, leave, err := l.attend(ctx)
	if errors.Is(err, driver.ErrSilent) {
		return fmt.Errorf("%w: %w", impossible("it takes no command"), err)
	}
	if err != nil {
		return err
	}
	defer leave()
	h, ok := m.(helper)
	if !ok {
		return impossible("it takes no such command")
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
	m, leave, err := l.attend(ctx)
	var sim *driver.SIMError
	if errors.As(err, &sim) && sim.State != "busy" {
		return true, "it answers: " + sim.Error()
	}
	if err != nil {
		return false, err.Error()
	}
	defer leave()
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
