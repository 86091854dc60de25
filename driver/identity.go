package driver

import (
	"context"
	"slices"
	"strings"
)

// Identity says which modem and which SIM this is. The IMEI identifies the
// modem, the ICCID the SIM. Any field may be empty: not every modem tells.
type Identity struct {
	Manufacturer string
	Model        string
	Revision     string
	IMEI         string
	IMSI         string
	ICCID        string
	Number       string // the SIM's own, as far as someone wrote it into it
	SMSC         string // service centre in use
	NoSMSC       bool   // the SIM names no service centre and Options none: nothing can be sent
}

// readMaker identifies the modem and looks up its quirks. The names have no
// prefix, so that a word said unasked beside them looks like one: where there
// is a choice the modem is asked again, and what it says to every question is
// none of its names.
func (m *Modem) readMaker(context.Context) error {
	var told [3][]string
	for i, cmd := range []string{"+CGMI", "+CGMM", "+CGMR"} {
		for again := range 2 {
			lines, err := m.s.do(cmd)
			if err != nil && codeOf(err) == "" {
				return err
			}
			names := bareLines(lines, cmd+":")
			if again > 0 {
				names = preferred(told[i], func(name string) bool { return slices.Contains(names, name) })
			}
			if told[i] = names; len(names) < 2 {
				break
			}
		}
	}
	for i, value := range []*string{&m.identity.Manufacturer, &m.identity.Model, &m.identity.Revision} {
		others := append(slices.Clone(told[(i+1)%3]), told[(i+2)%3]...)
		*value = ""
		if names := preferred(told[i], func(name string) bool { return !slices.Contains(others, name) }); len(names) > 0 {
			*value = names[0]
		}
	}
	m.quirks = quirksOf(m.identity)
	return nil
}

// preferred are those of the names that fit, all if none does.
func preferred(names []string, fits func(string) bool) []string {
	var list []string
	for _, name := range names {
		if fits(name) {
			list = append(list, name)
		}
	}
	if len(list) == 0 {
		return names
	}
	return list
}

// readSIM reads IMSI, ICCID and own number, each of them optional.
func (m *Modem) readSIM(context.Context) error {
	lines, err := m.s.do("+CIMI")
	if err == nil {
		m.identity.IMSI = digitsIn(lines, "+CIMI:", 6, 15)
	} else if codeOf(err) == "" {
		return err
	}
	if m.identity.ICCID, err = m.readICCID(); err != nil {
		return err
	}
	lines, err = m.s.do("+CNUM")
	m.identity.Number = ownNumber(lines)
	return err
}

// readICCID reads the SIM's serial number, "" if the modem tells it in no way.
// The command that once did is asked alone from then on.
func (m *Modem) readICCID() (string, error) {
	ladder := m.quirks.iccidLadder()
	if m.tellsICCID != "" {
		ladder = []string{m.tellsICCID}
	}
	for _, cmd := range ladder {
		lines, err := m.s.do(cmd)
		if err != nil && codeOf(err) == "" {
			return "", err
		}
		if iccid := iccidIn(lines, cmd); iccid != "" {
			m.tellsICCID = cmd
			return iccid, nil
		}
	}
	return "", nil
}

// readCentre reads the service centre, unless one is given.
func (m *Modem) readCentre(context.Context) error {
	if m.identity.SMSC = m.o.SMSC; m.o.SMSC != "" {
		return nil
	}
	var err error
	m.identity.SMSC, m.identity.NoSMSC, err = m.centre()
	return err
}

// centre reads the service centre's address (3GPP TS 27.005 §3.3.1). None is
// true where the modem says that there is no address, not where it says
// nothing.
func (m *Modem) centre() (smsc string, none bool, err error) {
	lines, err := m.s.do("+CSCA?")
	told := answers(lines, "+CSCA:", 1)
	if len(told) == 0 {
		return "", false, err
	}
	if smsc = address(told[0][0], field(told[0], 1)); strings.Trim(smsc, "+0") == "" {
		return "", true, nil
	}
	return smsc, false, nil
}

// ownNumber reads +CNUM: [<alpha>],<number>,<type>[,…] (3GPP TS 27.007 §7.1),
// from modems that leave the first field out too.
func ownNumber(lines []string) string {
	for _, f := range answers(lines, "+CNUM:", 2) {
		for i := range min(2, len(f)) {
			toa := field(f, i+1)
			typed := number(toa, 0) >= 128
			if n := address(f[i], toa); len(n) >= 5 && (typed || toa == "" && i == 1) {
				return n
			}
		}
	}
	return ""
}

// address reads a number with its type of address, 145 for an international
// one (3GPP TS 24.008 §10.5.4.7); "" if it is none.
func address(number, toa string) string {
	number = strings.TrimSpace(number)
	// The digits of UCS2 are decimal digits too; no number has twenty of them.
	if len(number) >= 20 || strings.Trim(number, "0123456789") != "" {
		number = plainText(number)
	}
	digits, plus := strings.CutPrefix(number, "+")
	if len(digits) < 3 || len(digits) > 20 || strings.Trim(digits, "0123456789") != "" {
		return ""
	}
	if !plus && toa == "145" {
		return "+" + digits
	}
	return number
}

// bareLines are the lines that can be an answer without a prefix, as AT+CGMI
// and its like give it; one with the command's own leaves no doubt.
func bareLines(lines []string, prefix string) (names []string) {
	for _, line := range lines {
		if rest, ok := strings.CutPrefix(line, prefix); ok {
			names = []string{rest}
			break
		}
		if !strings.ContainsRune("+^*#%$!&", rune(line[0])) {
			names = append(names, line)
		}
	}
	for i := range names {
		names[i] = unquote(names[i])
	}
	return slices.DeleteFunc(names, func(name string) bool { return name == "" })
}

// imeiIn finds 14 to 16 digits (3GPP TS 23.003 §6.2: IMEI or IMEISV).
func imeiIn(lines []string) string { return digitsIn(lines, "+CGSN:", 14, 16) }

// digitsIn returns the first answer that is all digits and of such a length.
func digitsIn(lines []string, prefix string, least, most int) string {
	for _, line := range lines {
		s := unquote(strings.TrimPrefix(line, prefix))
		if len(s) >= least && len(s) <= most && strings.Trim(s, "0123456789") == "" {
			return s
		}
	}
	return ""
}

// iccidCommands read the SIM's serial number (ITU-T E.118), vendor by vendor;
// the last is EF_ICCID by 3GPP TS 27.007 §8.18, its nibbles swapped.
var iccidCommands = []string{
	"+CCID", "+QCCID", "+CICCID", "^ICCID?", "#CCID", "!ICCID?", "^SCID", "+CCID?", "+CRSM=176,12258,0,0,10",
}

// iccidIn finds the number in the answer to one of iccidCommands.
func iccidIn(lines []string, cmd string) string {
	for _, line := range lines {
		_, value, named := strings.Cut(line, ":") // AT+CICCID answers "+ICCID: …"
		if !named {
			value = line
		}
		f := splitFields(value)
		value = f[len(f)-1]
		if strings.HasPrefix(cmd, "+CRSM") {
			value = swapNibbles(value)
		}
		value = strings.TrimRight(strings.ToUpper(strings.TrimSpace(value)), "F")
		if len(value) >= 18 && len(value) <= 20 && strings.Trim(value, "0123456789") == "" {
			return value
		}
	}
	return ""
}

func swapNibbles(s string) string {
	b := []byte(s)
	for i := 0; i+1 < len(b); i += 2 {
		b[i], b[i+1] = b[i+1], b[i]
	}
	return string(b)
}
