package gateway

import (
	"fmt"
	"time"
)

// States of a line that does not send: an operator has paused it; the network has
// refused it by itself, not for one message, and is asked again after a while; no
// step of recovery has helped its modem, which is tried again after a while.
const (
	statePaused       = "paused"
	stateRefused      = "refused"
	stateOutOfService = "out-of-service"
)

// blockade keeps a line that works otherwise from sending: the network or the SIM
// has refused it as a whole, or its modem answers and cannot send.
type blockade struct {
	until time.Time
	why   string // a code of driver.SendError, or the words of errMute
	step  time.Duration
}

// state is that of a line which is kept from sending, "" for one that is not.
func (b blockade) state(now time.Time) string {
	switch {
	case !now.Before(b.until):
		return ""
	case b.why == errMute.Error():
		return stateOutOfService
	}
	return stateRefused
}

// stands says what the line is in at the moment and what is wrong with it: what
// its modem, SIM and network leave, then what keeps a line that works from
// sending. Only a line that is up sends. Status, metrics and the choice of a
// line all take it from here. A line that will send again by itself has the time
// of that in until. It is called with mu held.
func (l *line) stands(now time.Time) (state, detail string, until time.Time) {
	state, detail = l.state.State, l.state.Detail
	if state != stateUp {
		return state, detail, until
	}
	switch blocked := l.block.state(now); {
	case l.state.Paused:
		return statePaused, "it receives and does not send: modemgate line resume " + l.o.Name + ", or POST /v1/lines/" + l.o.Name + "/resume, lets it send", until
	case blocked == stateOutOfService:
		return blocked, fmt.Sprintf("%s and nothing helped: it receives, and is tried again at %s", l.block.why, when(l.block.until)), l.block.until
	case blocked == stateRefused:
		return blocked, fmt.Sprintf("the network refused this line (%s): it receives, and sends again at %s", refusal(l.block.why), when(l.block.until)), l.block.until
	}
	if words, until := l.quota.words(now); words != "" {
		return stateLimited, words, until
	}
	return state, detail, until
}
