package gateway

import (
	"context"
	"slices"
	"time"

	"github.com/modemgate/modemgate/driver"
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
	if l.o.Rescue.USB != nil {
		steps = append(steps, StepUSB)
	}
	if l.o.Rescue.Power != nil {
		steps = append(steps, StepPower)
	}
	return append(steps, StepRadio)
}

// orderDue says whether the line shall leave its session for a reset.
func (l *line) orderDue() bool {
	return l.order.Load() != nil && !time.Now().Before(l.ladder.answer)
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
