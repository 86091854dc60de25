package driver

import (
	"context"
	"encoding/hex"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf16"
)

// registrations maps <stat> of AT+CREG, AT+CGREG and AT+CEREG (3GPP TS 27.007
// §7.2, §10.1.20, §10.1.22) to a word.
var registrations = map[int]string{
	0: "none", 1: "home", 2: "searching", 3: "denied", 4: "none", 5: "roaming",
	6: "home", 7: "roaming", // registered for SMS only
	8: "none",                // emergency calls only
	9: "home", 10: "roaming", // registered, CSFB not preferred
}

// registrationCommands ask the domains: circuit-switched, GPRS, EPS.
var registrationCommands = [3]string{"+CREG", "+CGREG", "+CEREG"}

// readRegistration asks all three domains, makes one word of the answers, and
// asks for the cell.
func (m *Modem) readRegistration(st *Status) error {
	var words [3]string
	for i, name := range registrationCommands {
		lines, err := m.s.do(name + "?")
		if err != nil && codeOf(err) == "" {
			return err
		}
		words[i] = registrationIn(lines, name+":")
	}
	st.Registration = registrationOf(words)
	return m.readCell(st, words)
}

// registrationOf decides between the domains. One that is registered is
// enough: on LTE, texts go over SGs while AT+CREG may say 0. Where two
// disagree about roaming it is roaming, because that costs. GPRS alone being
// denied is a contract without data, not a refusal of the SIM.
func registrationOf(words [3]string) string {
	const cs, gprs, eps = 0, 1, 2
	has := func(word string, domains ...int) bool {
		for _, d := range domains {
			if words[d] == word {
				return true
			}
		}
		return false
	}
	switch {
	case has("roaming", cs, gprs, eps):
		return "roaming"
	case has("home", cs, gprs, eps):
		return "home"
	case has("denied", cs, eps):
		return "denied"
	case has("searching", cs, gprs, eps):
		return "searching"
	case has("denied", gprs):
		return "denied"
	case has("none", cs, gprs, eps):
		return "none"
	}
	return "unknown"
}

// registrationIn reads "<n>,<stat>[,<lac>,<ci>[,<act>]]", "" if there is none. A
// report that came unasked has no <n>: its second field is missing or an area
// code, which is hexadecimal, with quotes or without.
func registrationIn(lines []string, prefix string) string {
	for _, line := range lines {
		rest, ok := strings.CutPrefix(line, prefix)
		if !ok {
			continue
		}
		f := strings.Split(rest, ",")
		if len(f) < 2 {
			continue
		}
		n, stat := shortNumber(f[0]), shortNumber(f[1])
		if n < 0 || n > 5 || stat < 0 {
			continue
		}
		// An area code never comes without a cell: three short numbers are
		// <n>, something, <stat>, as phonesim says it.
		if third := -1; len(f) == 3 {
			if third = shortNumber(f[2]); third >= 0 {
				stat = third
			}
		}
		if word, ok := registrations[stat]; ok {
			return word
		}
		return "none"
	}
	return ""
}

// shortNumber reads a number of one or two digits without quotes, else -1.
func shortNumber(s string) int {
	if s = strings.TrimSpace(s); len(s) > 2 {
		return -1
	}
	return number(s, -1)
}

// readOperator asks for the operator's name (3GPP TS 27.007 §7.3), and why
// there is none: <mode> 2 means that somebody took the modem off the network.
func (m *Modem) readOperator(st *Status) error {
	lines, err := m.s.do("+COPS?")
	for _, f := range answers(lines, "+COPS:", 1) {
		st.Operator = plainText(field(f, 2))
		if number(f[0], 0) == 2 {
			st.Why = WhyDeregistered
		}
	}
	return err
}

// readRadio learns whether the radio is off (3GPP TS 27.007 §8.2).
func (m *Modem) readRadio(st *Status) error {
	lines, err := m.s.do("+CFUN?")
	for _, f := range answers(lines, "+CFUN:", 1) {
		if fun := number(f[0], 1); fun == 0 || fun == 4 {
			st.Why = WhyRadioOff
		}
	}
	return err
}

// radioOn switches on a radio that somebody left off: nothing is possible
// without it, and no program that needs it off can share the port with us.
func (m *Modem) radioOn(ctx context.Context) error {
	var st Status
	if err := m.readRadio(&st); err != nil || st.Why != WhyRadioOff {
		return err
	}
	m.o.Log.Warn("the radio was off; it is switched on")
	const patience = 3 // the SIM starts too
	if _, err := m.s.doFor("+CFUN=1", patience*m.s.limit); err != nil {
		return fmt.Errorf("radio on: %w", err)
	}
	m.s.quiet(ctx, m.o.CommandTimeout/20)
	return nil
}

// readSignal asks for the received power. AT+CESQ (3GPP TS 27.007 §8.69) is
// asked where AT+CSQ knows nothing, as on some modems that are on LTE.
func (m *Modem) readSignal(st *Status) error {
	lines, err := m.s.do("+CSQ")
	for _, f := range answers(lines, "+CSQ:", 2) {
		st.SignalDBM = dbm(number(f[0], -1))
	}
	if st.SignalDBM != 0 || err != nil && codeOf(err) == "" {
		return err
	}
	lines, err = m.s.do("+CESQ")
	for _, f := range answers(lines, "+CESQ:", 6) {
		st.SignalDBM = extendedDBM(f)
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

// extendedDBM converts what AT+CESQ knows: <rsrp> of LTE, <rscp> of UTRAN,
// <rxlev> of GERAN, the first that is not 255 or 99.
func extendedDBM(f []string) int {
	for _, q := range []struct{ field, most, zero int }{{5, 97, -141}, {2, 96, -121}, {0, 63, -111}} {
		if v := number(f[q.field], -1); v >= 0 && v <= q.most {
			return q.zero + v
		}
	}
	return 0
}

// plainText undoes the hexadecimal UCS2 in which a modem answers when another
// program has left AT+CSCS="UCS2" behind.
func plainText(s string) string {
	if len(s) < 8 || len(s)%4 != 0 || !isHex(s) || !strings.HasPrefix(s, "00") && len(s) < 12 {
		return s
	}
	b, err := hex.DecodeString(s)
	if err != nil {
		return s
	}
	units := make([]uint16, 0, len(b)/2)
	for i := 0; i+1 < len(b); i += 2 {
		units = append(units, uint16(b[i])<<8|uint16(b[i+1]))
	}
	text := string(utf16.Decode(units))
	for _, r := range text {
		if !unicode.IsPrint(r) || r == unicode.ReplacementChar {
			return s
		}
	}
	return text
}
