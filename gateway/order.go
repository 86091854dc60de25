package gateway

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/modemgate/modemgate/driver"
	"github.com/modemgate/modemgate/gateway/store"
)

// ResetLine asks a line to reset its modem now, as the ladder of recovery
// does: step is "radio", "reset", "usb" or "power", "" the first of reset, usb,
// power and radio that is possible. It returns at once; the line does it as
// soon as no submission can be answered any more, and tells of it as of any
// incident.
func (g *Gateway) ResetLine(ctx context.Context, r Request, name, step string) (LineStatus, error) {
	if err := r.Caller.need(ScopeAdmin); err != nil {
		return LineStatus{}, err
	}
	l := g.lineNamed(name)
	if l == nil {
		return LineStatus{}, g.noLine(name)
	}
	if step != "" && !slices.Contains(climbing, step) {
		return LineStatus{}, invalid("/step", "step is radio, reset, usb or power")
	}
	if l.absent() {
		return LineStatus{}, refuse(NoLine, "the modem is not plugged in: there is nothing to reset")
	}
	possible := l.possible()
	if step != "" && !slices.Contains(possible, step) {
		return LineStatus{}, invalid("/step", "%s is not possible for this modem: %s", step, whyNot[step])
	}
	if step != "" {
		possible = []string{step}
	}
	l.order.Store(&possible)
	select {
	case l.ordered <- struct{}{}:
	default:
	}
	l.poke()
	l.log.Info("reset asked for", "steps", possible, "key", r.Caller.Key)
	return l.status(ctx, r.Caller)
}

var whyNot = map[string]string{
	StepReset: "no restart command of it is known and safe",
	StepUSB:   "its port is not on USB",
	StepPower: "set power_cycle in the configuration",
}

// possible lists the steps there are for this modem, the usual one first.
func (l *line) possible() []string {
	l.mu.Lock()
	id := l.identity
	l.mu.Unlock()
	var steps []string
	if driver.CanReset(id) {
		steps = append(steps, StepReset)
	}
	if rescue := l.o.Rescue; rescue.USB != nil && (rescue.OnUSB == nil || rescue.OnUSB()) {
		steps = append(steps, StepUSB)
	}
	if l.o.Rescue.Power != nil {
		steps = append(steps, StepPower)
	}
	return append(steps, StepRadio)
}

// orderDue says whether the line shall leave its session for a reset.
func (l *line) orderDue(ctx context.Context) bool {
	return l.order.Load() != nil && !l.awaited(ctx)
}

// awaited says whether a submission may still be answered, of this run or of
// the one before. Until then opening the modem is all that does not disturb it.
func (l *line) awaited(ctx context.Context) bool {
	if answer := l.answerTime(); l.g.clock.now().Before(l.g.started.Add(answer)) {
		left, err := l.leftBehind(ctx, answer)
		if err != nil {
			l.log.Warn("no step of recovery: the store does not say what is still to be answered", "err", err)
			return true
		}
		until := time.Now().Add(left.Add(answer).Sub(l.g.clock.now()))
		if !left.IsZero() && until.After(l.ladder.answer) {
			l.ladder.answer = until
		}
	}
	if !time.Now().Before(l.ladder.answer) {
		return false
	}
	l.log.Debug("no step before a submission can no longer be answered", "until", l.ladder.answer)
	return true
}

// answerTime is how long a submission to the line's modem may still be answered.
func (l *line) answerTime() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return driver.AnswerTime(l.identity, l.g.o.Recovery.Answer)
}

// leftBehind is when the SIM last submitted what an earlier run heard nothing
// of, zero for never. A modem that is silent since the start does not say what
// SIM it has: it is taken to have the one it had.
func (l *line) leftBehind(ctx context.Context, answer time.Duration) (at time.Time, err error) {
	err = l.g.st.View(ctx, func(tx store.Tx) error {
		sims := []string{l.sim()}
		known, err := tx.Line(l.o.Name)
		switch {
		case errors.Is(err, store.ErrNotFound):
		case err != nil:
			return err
		case known.ICCID != "":
			sims = append(sims, known.ICCID)
		}
		for _, sim := range sims {
			open, err := tx.OpenIntents(sim, l.g.started.Add(-answer))
			if err != nil {
				return err
			}
			for _, i := range open {
				if i.SubmittedAt.Before(l.g.started) && i.SubmittedAt.After(at) {
					at = i.SubmittedAt
				}
			}
		}
		return nil
	})
	return at, err
}

// obey does what was asked for. A session of its own follows in any case.
func (l *line) obey(ctx context.Context) bool {
	steps := l.order.Swap(nil)
	if steps == nil {
		return false
	}
	var i Incident
	for _, step := range *steps {
		if i = l.step(ctx, CauseAsked, step); ctx.Err() != nil {
			return true
		}
		if i.Result != ResultNotPossible {
			break
		}
	}
	l.incident(i)
	l.showRecovery("", "", time.Time{})
	if i.Result == ResultCured {
		l.unblock()
	}
	l.ladder.strikes, l.ladder.vain, l.ladder.plug = 0, vainSends{}, l.plug()
	return true
}
