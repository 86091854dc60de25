package driver

import (
	"context"
	"fmt"
)

// Status is what a modem says about itself and the network at one moment.
type Status struct {
	// Registration is home, roaming, searching, denied, none or unknown. Any
	// of circuit-switched, GPRS and EPS registration counts: on LTE, texts go
	// over SGs while AT+CREG may say 0.
	Registration string
	Operator     string
	SignalDBM    int // received power in dBm, 0 if not known
	Storage      []Memory
}

// Memory is the fill of one storage.
type Memory struct {
	Name  string
	Used  int
	Total int
}

// registrations maps <stat> of AT+CREG (3GPP TS 27.007 §7.2) to a word.
var registrations = map[int]string{
	0: "none", 1: "home", 2: "searching", 3: "denied", 4: "unknown", 5: "roaming",
	6: "home", 7: "roaming", // registered for SMS only
	9: "home", 10: "roaming", // registered, CSFB not preferred
}

// registrationRank decides between domains that disagree.
var registrationRank = map[string]int{"home": 6, "roaming": 5, "denied": 4, "searching": 3, "none": 2, "unknown": 1}

// Status asks the modem. What it does not answer stays empty; an error means
// that the session ended.
func (m *Modem) Status(ctx context.Context) (Status, error) {
	release, err := m.s.hold(ctx)
	if err != nil {
		return Status{}, fmt.Errorf("status: %w", err)
	}
	defer release()
	st := Status{Registration: "unknown"}
	if err := m.checkMode(); err != nil {
		return st, fmt.Errorf("status: %w", err)
	}
	for _, name := range []string{"+CREG", "+CGREG", "+CEREG"} {
		lines, err := m.s.do(name + "?")
		if err != nil && codeOf(err) == "" {
			return st, fmt.Errorf("status: %w", err)
		}
		if word := registrationIn(lines, name+":"); registrationRank[word] > registrationRank[st.Registration] {
			st.Registration = word
		}
	}
	for _, read := range []func(*Status) error{m.readOperator, m.readSignal, m.readStorage} {
		if err := read(&st); err != nil && codeOf(err) == "" {
			return st, fmt.Errorf("status: %w", err)
		}
	}
	return st, nil
}

// checkMode ends the session if the modem is not in PDU mode any more: it has
// restarted without a word, and a PDU would go out as a text.
func (m *Modem) checkMode() error {
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

// registrationIn reads "<n>,<stat>[,…]". A report that came unasked has no
// <n>: its second field is missing or a quoted area code.
func registrationIn(lines []string, prefix string) string {
	for _, f := range answers(lines, prefix, 2) {
		n, stat := number(f[0], -1), number(f[1], -1)
		if n >= 0 && n <= 5 && stat >= 0 && len(f[1]) <= 2 {
			if word, ok := registrations[stat]; ok {
				return word
			}
			return "unknown"
		}
	}
	return ""
}

func (m *Modem) readOperator(st *Status) error {
	lines, err := m.s.do("+COPS?")
	for _, f := range answers(lines, "+COPS:", 3) {
		st.Operator = f[2]
	}
	return err
}

func (m *Modem) readSignal(st *Status) error {
	lines, err := m.s.do("+CSQ")
	for _, f := range answers(lines, "+CSQ:", 2) {
		st.SignalDBM = dbm(number(f[0], -1))
	}
	return err
}

// dbm converts <rssi> of AT+CSQ (3GPP TS 27.007 §8.5); 100 and up are the
// LTE range that SIMCom and Huawei add.
func dbm(rssi int) int {
	switch {
	case rssi >= 0 && rssi <= 31:
		return -113 + 2*rssi
	case rssi >= 100 && rssi <= 191:
		return -116 + rssi - 100
	}
	return 0
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
