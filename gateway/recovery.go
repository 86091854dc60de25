package gateway

import (
	"context"
	"errors"
	"time"

	"github.com/modemgate/modemgate/driver"
)

// The ladder of recovery: what is done for a modem that does not work, step
// by step, each judged before the next. It runs in the line's own goroutine,
// between two sessions, so no submission is ever in flight when it acts. An
// absent modem, a locked SIM and a network that refuses are states and never
// lead here.

// Steps of the ladder, in their order.
const (
	StepReopen = "reopen" // ESC, Ctrl-Z and the port anew; what every session begins with
	StepRadio  = "radio"  // radio off and on
	StepReset  = "reset"  // the modem's own restart command
	StepUSB    = "usb"    // its USB device off and on
	StepPower  = "power"  // the operator's power command
	StepNone   = "out-of-service"
)

// Causes of a recovery.
const (
	CauseSilent = "silent"      // it does not answer
	CauseMute   = "cannot-send" // it answers and no send succeeds
	CauseAsked  = "asked"       // somebody asked for a reset
)

// Results of a step.
const (
	ResultCured       = "cured"        // it works again
	ResultAnswers     = "answers"      // it answers and is registered; the next send shows the rest
	ResultInVain      = "in-vain"      // nothing has changed
	ResultNotPossible = "not-possible" // there is no such means for this modem here
	ResultOpen        = "open"         // of out-of-service: the line rests
)

// climbing are the steps beyond reopening.
var climbing = []string{StepRadio, StepReset, StepUSB, StepPower}

// Rescue is how to act on a modem from outside its session. What is nil is
// not possible here.
type Rescue struct {
	// Plug names what is plugged in; "" is nothing, another name another plug.
	Plug func() string
	// Reset tells a modem that does not answer to restart.
	Reset func(ctx context.Context, id driver.Identity) error
	// USB takes its USB device off the bus and puts it back.
	USB func(ctx context.Context) error
	// OnUSB says whether it is on USB now; nil is yes wherever USB is set.
	OnUSB func() bool
	// Power takes its power and gives it back.
	Power func(ctx context.Context) error
}

// RecoveryOptions are the patience of the ladder. Zero values take the
// defaults.
type RecoveryOptions struct {
	Strikes int           // sessions in a row that end in silence, or sends in vain, before the first step; 3
	Return  time.Duration // for a modem to answer and register after a step; 90 s
	Well    time.Duration // after a step, until the ladder begins from below; 10 min
	Rest    time.Duration // out of service after the first ladder in vain, doubled each time; 1 min
	RestMax time.Duration // 30 min
	Answer  time.Duration // how long after a submission its answer may still come; 150 s, or what the modem's family needs
}

func (o *RecoveryOptions) setDefaults() {
	if o.Strikes == 0 {
		o.Strikes = 3
	}
	for _, d := range []struct {
		value *time.Duration
		usual time.Duration
	}{
		{&o.Return, 90 * time.Second}, {&o.Well, 10 * time.Minute}, {&o.Rest, time.Minute},
		{&o.RestMax, 30 * time.Minute}, {&o.Answer, 150 * time.Second},
	} {
		if *d.value == 0 {
			*d.value = d.usual
		}
	}
}

// ladder is the state of a line's recovery. It is owned by keep.
type ladder struct {
	cause   string
	strikes int        // sessions in a row that ended in silence
	shut    int        // opens in a row that found a silent modem
	opened  int        // opens in a row that began the present ladder
	taken   []Incident // steps of the present ladder, those that were not possible too
	next    int        // index in climbing of the next step
	rounds  int        // whole ladders in vain
	vain    vainSends
	trial   *Incident // judged by the next sends
	plug    string    // what was plugged in when there last was trouble
	known   string    // what was plugged in when it last said who it is
	since   time.Time // when the last step, or the rest that followed it, was over
	opens   bool      // it answers when it is opened, and hangs later
	bySend  bool      // the session ended because of a send, which vain counts
	answer  time.Time // until then a submission may still be answered
}

var (
	errMute    = errors.New("the modem answers and cannot send")
	errOrdered = errors.New("a reset was asked for")
)

// silent says whether an end of a session, or an open in vain, means that the
// modem is there and does not answer.
func silent(err error) bool {
	return errors.Is(err, driver.ErrSilent) || errors.Is(err, driver.ErrTimeout) || errors.Is(err, driver.ErrGone)
}

// rescue looks at why a session ended and climbs the ladder if it is time to.
// It says whether it has done anything; then the modem is opened at once.
func (l *line) rescue(ctx context.Context, err error, lasted time.Duration) bool {
	r := &l.ladder
	if errors.Is(err, driver.ErrNoPort) {
		l.order.Store(nil)
		l.forgive() // another plug is another modem, or a fresh one
		return false
	}
	if l.orderDue(ctx) {
		return l.obey(ctx)
	}
	if !r.since.IsZero() && time.Since(r.since) > l.g.o.Recovery.Well {
		r.next, r.rounds, r.taken = 0, 0, nil
	}
	bySend := r.bySend
	r.bySend = false
	switch {
	case errors.Is(err, errMute):
		return !l.awaited(ctx) && l.climb(ctx, CauseMute)
	case !silent(err), bySend:
		return false
	}
	if plug := l.plug(); lasted > quietSession || plug != r.plug {
		r.strikes, r.plug = 0, plug
	}
	r.strikes++
	r.opens = !errors.Is(err, driver.ErrSilent)
	if !r.opens {
		r.shut++
	}
	if r.strikes < l.strikesLeft() {
		return false
	}
	return !l.awaited(ctx) && l.climb(ctx, CauseSilent)
}

// opened notes that a session has begun.
func (l *line) opened() {
	if l.ladder.shut > 0 {
		l.incident(Incident{Cause: CauseSilent, Step: StepReopen, Result: ResultCured, Detail: "silent before: " + times(l.ladder.shut)})
	}
	l.ladder.shut, l.ladder.known = 0, l.plug()
}

// strikesLeft is how many silent sessions it takes: fewer once a whole ladder
// was in vain.
func (l *line) strikesLeft() int {
	if l.ladder.rounds > 0 {
		return 1
	}
	return l.g.o.Recovery.Strikes
}

// climb takes steps until one helps. When none is left the line rests.
func (l *line) climb(ctx context.Context, cause string) bool {
	r := &l.ladder
	r.cause = cause
	defer func() {
		r.plug = l.plug()
		if now := time.Now(); r.since.Before(now) {
			r.since = now
		}
	}()
	if r.next == 0 {
		r.opened, r.taken = r.strikes, nil
	}
	if cause == CauseSilent && r.next == 0 {
		l.incident(Incident{Cause: cause, Step: StepReopen, Result: ResultInVain, Detail: "opened " + times(r.strikes)})
	}
	if r.trial != nil {
		l.judged(ResultInVain, "the next sends failed too")
	}
	for ours := false; r.next < len(climbing); {
		if !ours && l.absent() {
			l.forgive()
			return true
		}
		step := climbing[r.next]
		r.next++
		i := l.step(ctx, cause, step)
		if ctx.Err() != nil {
			return true
		}
		r.taken = append(r.taken, i)
		if i.Result == ResultNotPossible {
			continue
		}
		l.incident(i)
		switch i.Result {
		case ResultAnswers:
			r.trial, r.vain, r.strikes = &i, vainSends{}, 0
			return true
		case ResultCured:
			r.cause, r.strikes, r.shut = "", 0, 0
			return true
		}
		ours = l.absent() // it left by what we did, and more of it may bring it back
	}
	r.rounds, r.next, r.strikes, r.trial, r.vain = r.rounds+1, 0, 0, nil, vainSends{}
	l.outOfService(ctx, cause)
	return true
}

// absent says whether nothing is plugged in, as far as that can be known.
func (l *line) absent() bool { return l.o.Rescue.Plug != nil && l.o.Rescue.Plug() == "" }

// forgive starts the ladder from below.
func (l *line) forgive() {
	l.ladder = ladder{answer: l.ladder.answer, known: l.ladder.known}
	l.showRecovery("", "", time.Time{})
}

// restFor is how long the line rests after so many ladders in vain.
func (o RecoveryOptions) restFor(rounds int) time.Duration {
	return min(o.Rest<<min(max(rounds-1, 0), 10), o.RestMax)
}

// outOfService is the open breaker. A modem that still answers goes on
// receiving and only sends nothing; a silent one is left alone until the time
// is over, somebody plugs it anew or asks for a reset.
func (l *line) outOfService(ctx context.Context, cause string) {
	wait := l.g.o.Recovery.restFor(l.ladder.rounds)
	until := l.g.clock.now().Add(wait)
	detail := inVain(cause, l.ladder.opened, l.ladder.taken) + ": unplug it and plug it in again, check cable, power and SIM; it is tried again at " + when(until)
	l.incident(Incident{Cause: cause, Step: StepNone, Result: ResultOpen, Detail: detail})
	if cause == CauseMute {
		l.ladder.since = time.Now().Add(wait)
		l.blockUntil(until, errMute.Error())
		l.showRecovery(cause, StepNone, until)
		return
	}
	l.setState(stateOutOfService, detail)
	l.showRecovery(cause, StepNone, until)
	defer l.showRecovery(cause, "", time.Time{})
	plug := l.plug()
	timer, look := time.NewTimer(wait), time.NewTicker(plugEvery)
	defer timer.Stop()
	defer look.Stop()
	for {
		l.heart.beat()
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
			return
		case <-l.ordered:
			if l.order.Load() != nil { // else it was obeyed long ago, by a session
				return
			}
		case <-look.C:
			if now := l.plug(); now != plug {
				l.forgive()
				return
			}
		}
	}
}

const plugEvery = time.Second

func (l *line) plug() string {
	if l.o.Rescue.Plug == nil {
		return ""
	}
	return l.o.Rescue.Plug()
}
