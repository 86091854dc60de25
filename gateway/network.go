package gateway

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/modemgate/modemgate/driver"
)

// States of a line whose modem is well and that cannot send, or may not. It
// goes on receiving what comes.
const (
	stateUp        = "up"
	stateNoNetwork = "no-network"
	stateDenied    = "denied"
	stateRoaming   = "roaming"
	stateNoSMSC    = "no-smsc"
)

// statusEvery is how often a modem is asked for its state, but for one without
// network, which is asked each Options.Offline. A refusal is not pressed: asking
// does not make the modem try, but nothing that a refusal is about changes in
// seconds.
const statusEvery = 60 * time.Second

// errRadioOff ends a session: bringing the modem up anew switches the radio on.
var errRadioOff = errors.New("the radio of the modem is off: it is switched on; if it goes off again, look for a switch, a setting or another program that does it")

// checkEvery is how often the modem is asked for its state in the present one.
func (l *line) checkEvery() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.state.State == stateNoNetwork {
		return l.g.o.Offline
	}
	return statusEvery
}

// refreshStatus asks the modem for registration, signal and storage, and
// judges what the line may do.
func (l *line) refreshStatus(ctx context.Context, m Modem) error {
	s, err := m.Status(ctx)
	if err != nil {
		return err
	}
	if s.Why == driver.WhyRadioOff {
		return errRadioOff
	}
	if !l.greeted { // not before it has answered: else who never works would be up again and again
		l.greeted = l.tell(ctx, "up", "")
	}
	state, detail := l.judge(s)
	l.mu.Lock()
	was := l.standing
	l.standing = state
	if state == stateUp {
		l.standing += " " + s.Registration
	}
	changed := was != l.standing
	if changed && state == stateUp && slices.Contains(noServiceCodes, l.block.why) {
		l.block = blockade{} // it has found its network again
	}
	l.state.Registration, l.state.Operator, l.state.SignalDBM, l.state.Cell = s.Registration, s.Operator, s.SignalDBM, Cell(s.Cell)
	if s.SMSC != "" {
		l.state.SMSC = s.SMSC
	}
	l.mu.Unlock()
	l.setState(state, detail)
	l.noteStorage(ctx, s.Storage)
	switch {
	case !changed:
	case state == stateUp:
		if was != "" {
			l.log.Info("the line can send again", "registration", s.Registration)
		}
		l.tell(ctx, "registered", s.Registration)
	default:
		l.log.Warn("the line does not send", "state", state, "why", detail)
		l.tell(ctx, state, l.standingDetail(state, s))
	}
	return nil
}

// judge says what the line may do, and if it may not send, why and what to do.
func (l *line) judge(s driver.Status) (state, detail string) {
	switch s.Registration {
	case "home", "roaming", "unknown": // a modem that cannot say is given the benefit of the doubt
	case "denied":
		return stateDenied, "the network refuses this SIM: check that it is activated and paid, that its contract has SMS, and that network and modem fit; " +
			"it is looked at again each minute"
	default:
		return stateNoNetwork, noNetworkWords(s)
	}
	switch {
	case s.NoSMSC:
		return stateNoSMSC, "neither the SIM nor the configuration names a service centre, so nothing can be sent: set smsc of this line to the number that the operator gives"
	case s.Registration == "roaming" && !l.o.Roaming:
		where := "a foreign network"
		if s.Operator != "" {
			where += " (" + s.Operator + ")"
		}
		return stateRoaming, "the SIM is in " + where + ", where sending costs more: it receives and does not send; set roaming: true for this line to let it send"
	}
	return stateUp, ""
}

func noNetworkWords(s driver.Status) string {
	switch {
	case s.Why == driver.WhyDeregistered:
		return "somebody told the modem to leave the network (AT+COPS=2): AT+COPS=0, or a reset of the line, brings it back"
	case s.Registration == "searching":
		return "the modem searches for a network: check antenna and place"
	}
	return "the modem has no network: check antenna and place, and that the SIM's contract is alive"
}

// standingDetail is the detail of the event of a state.
func (l *line) standingDetail(state string, s driver.Status) string {
	switch state {
	case stateRoaming:
		return s.Operator
	case stateNoNetwork:
		if s.Why != "" {
			return string(s.Why)
		}
		return s.Registration
	}
	return ""
}

// Codes of a send that say something of SIM, network or storage that the modem
// can be asked about: it is, at once, instead of believing the last answer.
var (
	simCodes     = []string{"cms-310", "cms-311", "cms-313", "cms-315", "cms-316", "cme-10", "cme-11", "cme-12", "cme-13", "cme-15"}
	networkCodes = []string{"cms-38", "cms-330", "cms-331", "cms-332", "cme-30", "cme-31", "cme-32"}
	// noServiceCodes say that the line has no network, and nothing of the message.
	noServiceCodes = []string{"cms-331", "cme-30"}
	fullCodes      = []string{"cms-22", "cms-208", "cms-211", "cms-322", "cme-20"}
)

// lookAgain has the modem asked, or its memories read, for what a code says.
func (l *line) lookAgain(code string) {
	switch {
	case slices.Contains(fullCodes, code):
		l.want.Store(true)
	case !slices.Contains(simCodes, code) && !slices.Contains(networkCodes, code):
		return
	}
	l.look.Store(true)
}

// refusals say what codes mean for a whole line.
var refusals = map[string]string{
	"cms-8": "barred by the operator", "cms-10": "barred", "cms-28": "an unknown subscriber", "cms-30": "an unknown subscriber",
	"cms-34": "out of credit", "cms-50": "without SMS in its contract", "cms-69": "without SMS in its contract",
	"cms-193": "not known to the service centre", "cms-330": "without a service centre",
}

// refusal is a code with what it means.
func refusal(code string) string {
	if words, ok := refusals[code]; ok {
		return code + ": the SIM is " + words
	}
	return code
}
