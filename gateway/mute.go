package gateway

import (
	"errors"
	"slices"
	"time"

	"github.com/modemgate/modemgate/driver"
)

// vainSends are sends in a row that the modem failed by itself.
type vainSends struct {
	n       int
	numbers map[string]bool // whom they were for
}

// sendJudged draws from the outcome of a send what it says of the modem, and
// says whether the modem is to be taken for one that cannot send.
func (l *line) sendJudged(to string, sendErr error) (mute bool) {
	r := &l.ladder
	if sendErr == nil {
		r.vain = vainSends{}
		if r.trial != nil {
			l.judged(ResultCured, "the next send succeeded")
		}
		if r.cause != "" {
			l.showRecovery("", "", time.Time{})
		}
		r.cause, r.rounds, r.next = "", 0, 0
		return false
	}
	var se *driver.SendError
	if !errors.As(sendErr, &se) || !modemsFault(se) {
		return false
	}
	r.bySend = se.Code == "timeout" || se.Code == "prompt"
	r.vain.add(to)
	return l.enough(r.vain)
}

func (v *vainSends) add(to string) {
	if v.numbers == nil {
		v.numbers = map[string]bool{}
	}
	v.n++
	v.numbers[to] = true
}

// enough says whether sends in vain are the modem's doing: of more than one
// number, unless a step is being judged by them; fewer after a ladder in vain.
func (l *line) enough(v vainSends) bool {
	switch {
	case l.ladder.trial != nil:
		return v.n >= 2
	case l.ladder.rounds > 0:
		return v.n >= 2 && len(v.numbers) > 1
	}
	return v.n >= l.g.o.Recovery.Strikes && len(v.numbers) > 1
}

// suspected says whether one more failure for this number would be put down
// to the modem and not to the message.
func (l *line) suspected(to string, se *driver.SendError) bool {
	if !modemsFault(se) {
		return false
	}
	v := vainSends{n: l.ladder.vain.n + 1, numbers: map[string]bool{to: true}}
	for n := range l.ladder.vain.numbers {
		v.numbers[n] = true
	}
	return l.ladder.cause == CauseMute || l.enough(v)
}

// modemsFault says whether a send failed in a way that says nothing of message
// or network: 3GPP TS 27.005 §3.2.5 codes 300, 500 and their like, a bare
// ERROR, no prompt, no answer.
func modemsFault(se *driver.SendError) bool {
	if se.Code == "timeout" || se.Code == "prompt" {
		return true
	}
	return se.Class == driver.Unsure && se.Code != "gone" && se.Fate != driver.Refused && !slices.Contains(networksFault, se.Code)
}

// networksFault are codes without a clear meaning that come from the network:
// the radio works.
var networksFault = []string{"cms-21", "cms-81", "cms-111", "cms-127", "cms-255"}
