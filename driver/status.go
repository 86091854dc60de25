package driver

import (
	"context"
	"fmt"
)

// Status is what a modem says about itself and the network at one moment.
type Status struct {
	// Registration is home, roaming, searching, denied, none or, where the
	// modem does not say, unknown. Any of circuit-switched, GPRS and EPS
	// registration counts.
	Registration string
	Why          Why // of no registration, where the modem knows
	Operator     string
	SignalDBM    int // received power in dBm, 0 if not known
	Cell         Cell
	SMSC         string
	NoSMSC       bool // see Identity
	Storage      []Memory
}

// Why is a reason of the modem's own for not being registered.
type Why string

const (
	// WhyRadioOff means that the radio is switched off (AT+CFUN 0 or 4).
	WhyRadioOff Why = "radio-off"
	// WhyDeregistered means that the modem was told to leave the network (AT+COPS=2).
	WhyDeregistered Why = "deregistered"
)

// Memory is the fill of one storage.
type Memory struct {
	Name  string
	Used  int
	Total int
}

// Status asks the modem. What it does not answer stays empty; an error means
// that the session ended.
func (m *Modem) Status(ctx context.Context) (Status, error) {
	release, err := m.s.hold(ctx)
	if err != nil {
		return Status{}, fmt.Errorf("status: %w", err)
	}
	defer release()
	st := Status{Registration: "unknown", SMSC: m.identity.SMSC, NoSMSC: m.identity.NoSMSC}
	for _, read := range []func(*Status) error{
		m.checkMode, m.checkCard, m.readRegistration, m.readOperator, m.readSignal, m.readStorage,
	} {
		if err := read(&st); err != nil && (codeOf(err) == "" || m.isDone()) {
			return st, fmt.Errorf("status: %w", err)
		}
	}
	if st.Registration != "home" && st.Registration != "roaming" {
		if err := m.readRadio(&st); err != nil && codeOf(err) == "" {
			return st, fmt.Errorf("status: %w", err)
		}
	}
	if st.SMSC == "" {
		var err error
		if st.SMSC, st.NoSMSC, err = m.centre(); err != nil && codeOf(err) == "" {
			return st, fmt.Errorf("status: %w", err)
		}
	}
	return st, nil
}

// checkMode ends the session if the modem is not in PDU mode any more: it has
// restarted without a word, and a PDU would go out as a text.
func (m *Modem) checkMode(*Status) error {
	lines, err := m.s.do("+CMGF?")
	if err != nil && codeOf(err) == "" {
		return err
	}
	for _, f := range answers(lines, "+CMGF:", 1) {
		if number(f[0], 0) != 0 {
			m.s.end(fmt.Errorf("%w: it is in text mode", ErrRebooted))
			return m.s.ended()
		}
	}
	return nil
}

// readStorage reads the fill of each storage by selecting it, which answers
// at once with its numbers.
func (m *Modem) readStorage(st *Status) error {
	for _, memory := range m.storages {
		used, err := m.choose(memory)
		if err != nil && m.isDone() {
			return err
		}
		if err == nil && used >= 0 {
			st.Storage = append(st.Storage, Memory{Name: memory, Used: used, Total: m.total[memory]})
		}
	}
	return m.rest()
}
