package driver

import (
	"context"
	"strings"
	"time"

	"github.com/warthog618/modem/at"
)

// simStates maps the answers of AT+CPIN? (3GPP TS 27.007 §8.3) to the states
// of [SIMError]; "" means that the SIM can be used. PIN2 and PUK2 guard
// nothing that a text needs.
var simStates = map[string]string{
	"READY": "", "SIM PIN2": "", "SIM PUK2": "",
	"SIM PIN": "pin", "SIM PUK": "puk",
	"PH-SIM PIN": "network-lock", "PH-FSIM PIN": "network-lock", "PH-NET PIN": "network-lock",
	"PH-NETSUB PIN": "network-lock", "PH-SP PIN": "network-lock", "PH-CORP PIN": "network-lock",
	"PH-FSIM PUK": "network-lock", "PH-NET PUK": "network-lock", "PH-NETSUB PUK": "network-lock",
	"PH-SP PUK": "network-lock", "PH-CORP PUK": "network-lock",
	"NOT INSERTED": "absent", "SIM REMOVED": "absent", "NOT READY": "busy", "SIM BUSY": "busy", "SIM FAILURE": "failure",
	"BLOCKED": "failure", "SIM BLOCKED": "failure", "SIM PUK BLOCKED": "failure",
}

// simCodes maps the errors of AT+CPIN?, numeric and in the words of +CMEE=2.
var simCodes = map[string]string{
	"cme-10": "absent", "cms-310": "absent", "cme-SIM NOT INSERTED": "absent",
	"cme-11": "pin", "cms-311": "pin", "cme-SIM PIN REQUIRED": "pin",
	"cme-12": "puk", "cms-316": "puk", "cme-SIM PUK REQUIRED": "puk",
	"cme-13": "failure", "cms-313": "failure", "cme-SIM FAILURE": "failure",
	"cme-14": "busy", "cms-314": "busy", "cme-SIM BUSY": "busy", "cme-515": "busy", "cms-515": "busy",
	"cme-15": "wrong", "cms-315": "wrong", "cme-SIM WRONG": "wrong",
	"cme-5": "network-lock", "cme-6": "network-lock", "cme-7": "network-lock",
	"cme-772": "down",
}

// cmeCode normalises what follows "+CME ERROR:".
func cmeCode(text string) string { return "cme-" + strings.ToUpper(text) }

// checkSIM asks for the SIM's state, with patience for one that is starting
// up, and unlocks one that asks for its PIN.
func (m *Modem) checkSIM(ctx context.Context) error {
	state, err := m.waitSIM(ctx, func(state string) bool { return state == "busy" })
	switch {
	case err != nil && codeOf(err) == "":
		return err
	case state == "pin":
		return m.unlock(ctx)
	case state != "":
		return &SIMError{State: state, Left: -1, Err: err}
	}
	return nil
}

// awaitSIM lets the commands that follow wait for a SIM that can be used by
// what it says and is not read yet.
func (m *Modem) awaitSIM(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithTimeout(ctx, m.o.CommandTimeout)
	m.s.starts = ctx
	return func() {
		cancel()
		m.s.starts = nil
	}
}

// waitSIM asks for the SIM's state until it is none to wait for, twice
// CommandTimeout at most. It returns "" for a SIM that can be used and for a
// modem that cannot say; an error without a code means that the session ended.
func (m *Modem) waitSIM(ctx context.Context, waits func(state string) bool) (state string, err error) {
	const tries = 20
	for range tries {
		state, err = m.simState()
		if err != nil && codeOf(err) == "" || !waits(state) {
			return state, err
		}
		if err := pause(ctx, m.s.done, 2*m.o.CommandTimeout/tries); err != nil {
			return state, err
		}
	}
	return state, err
}

// simState is one question for the state.
func (m *Modem) simState() (string, error) {
	lines, err := m.askSIM()
	for _, f := range answers(lines, "+CPIN:", 1) {
		if state, ok := simStates[strings.ToUpper(f[0])]; ok {
			return state, nil
		}
	}
	return simCodes[codeOf(err)], err
}

// askSIM allows for modems that answer AT+CPIN? without a final code: the
// answer counts when nothing follows it. One that is not known for that is
// given longer, once.
func (m *Modem) askSIM() ([]string, error) {
	silence := m.o.CommandTimeout
	if m.quirks.bareSIM || m.bareSIM {
		silence = min(time.Second, m.o.CommandTimeout/4)
	}
	m.s.wire.setSilence(silence)
	defer m.s.wire.setSilence(0)
	lines, err := m.s.at.Command("+CPIN?", at.WithTimeout(m.o.CommandTimeout+silence))
	if len(answers(lines, "+CPIN:", 1)) > 0 && m.s.wire.outcome() != nil {
		m.bareSIM = true
		return lines, nil
	}
	return lines, m.s.result("+CPIN?", err)
}

// checkCard ends the session if the SIM in it is not the one it began with: it
// was taken out, has failed, or another one is in. Modems that say nothing
// when that happens keep up the registration of the old one for a while.
func (m *Modem) checkCard(*Status) error {
	state, err := m.simState()
	if err != nil && codeOf(err) == "" {
		return err
	}
	if state != "" && state != "busy" {
		if state == "pin" && m.o.PIN == nil {
			err = ErrPINMissing
		}
		m.s.end(&SIMError{State: state, Left: -1, Err: err})
		return m.s.ended()
	}
	if m.identity.ICCID == "" || state != "" {
		return nil
	}
	iccid, err := m.readICCID()
	if err == nil && iccid != "" && iccid != m.identity.ICCID {
		m.s.end(ErrSIMChanged)
		return m.s.ended()
	}
	return err
}
