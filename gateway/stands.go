package gateway

import (
	"fmt"
	"time"
)

// States of a line that works and does not send: an operator has paused it; the
// network has refused it by itself, not for one message, and is asked again
// after a while.
const (
	statePaused  = "paused"
	stateRefused = "refused"
)

// stands says what the line is in at the moment and what is wrong with it: what
// its modem, SIM and network leave, then what keeps a line that works from
// sending. Only a line that is up sends. Status, metrics and the choice of a
// line all take it from here. It is called with mu held.
func (l *line) stands(now time.Time) (state, detail string) {
	state, detail = l.state.State, l.state.Detail
	if state != stateUp {
		return state, detail
	}
	blocked := now.Before(l.block.until)
	switch {
	case l.state.Paused:
		return statePaused, "it receives and does not send: modemgate line resume " + l.o.Name + ", or POST /v1/lines/" + l.o.Name + "/resume, lets it send"
	case blocked && l.mute():
		return StepNone, fmt.Sprintf("%s and nothing helped: it receives, and is tried again at %s", l.block.why, when(l.block.until))
	case blocked:
		return stateRefused, fmt.Sprintf("the network refused this line (%s): it receives, and sends again at %s", refusal(l.block.why), when(l.block.until))
	}
	if words := l.quota.words(now); words != "" {
		return stateLimited, words
	}
	return state, detail
}

// mute says whether the line rests because its modem answers and cannot send,
// and no step of recovery has helped. It is called with mu held.
func (l *line) mute() bool { return l.recovery.Step == StepNone }
