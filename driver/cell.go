package driver

import "strings"

// Cell is where a modem is registered, as it tells it itself. All is empty
// where it does not.
type Cell struct {
	Area  string // LAC, or TAC on LTE and NR, in upper-case hexadecimal
	ID    string // CI, in upper-case hexadecimal
	Radio string // gsm, umts, lte, nb-iot or nr; "" if it is not told
}

// cellDomains is the order in which registered domains are asked for the cell,
// as indices of registrationCommands: a modem on LTE may keep telling its last
// cell of GSM.
var cellDomains = [3]int{2, 0, 1}

// readCell asks the registered domains for their cell until one tells it. A
// modem tells it only while it would announce each change of it too (<n> 2), and
// such an announcement can be taken for an answer: so that is on just for the
// question. A modem that refuses it is not asked again.
func (m *Modem) readCell(st *Status, words [3]string) error {
	for _, domain := range cellDomains {
		if m.noCell[domain] || words[domain] != "home" && words[domain] != "roaming" {
			continue
		}
		name := registrationCommands[domain]
		if _, err := m.s.do(name + "=2"); err != nil {
			if codeOf(err) == "" {
				return err
			}
			m.noCell[domain] = true
			continue
		}
		lines, err := m.s.do(name + "?")
		if err == nil || codeOf(err) != "" {
			_, err = m.s.do(name + "=0")
		}
		if err != nil && codeOf(err) == "" {
			return err
		}
		if cell, ok := cellIn(lines, name+":"); ok {
			if cell.Radio == "" && domain == cellDomains[0] {
				cell.Radio = "lte"
			}
			st.Cell = cell
			return nil
		}
	}
	return nil
}

// cellIn reads "2,<stat>,<lac>,<ci>[,<act>…]" (3GPP TS 27.007 §7.2, §10.1.20,
// §10.1.22). What comes unasked has no <n>: its first field is <stat>, and its
// second an area code.
func cellIn(lines []string, prefix string) (Cell, bool) {
	for _, f := range answers(lines, prefix, 4) {
		if word := registrations[shortNumber(f[1])]; number(f[0], -1) != 2 || word != "home" && word != "roaming" {
			continue
		}
		c := Cell{Area: strings.ToUpper(f[2]), ID: strings.ToUpper(f[3]), Radio: radios[shortNumber(field(f, 4))]}
		if isCode(c.Area, 6) && isCode(c.ID, 9) {
			return c, true
		}
	}
	return Cell{}, false
}

// radios names <AcT> (3GPP TS 27.007 §7.3).
var radios = map[int]string{
	0: "gsm", 1: "gsm", 3: "gsm", 8: "gsm",
	2: "umts", 4: "umts", 5: "umts", 6: "umts",
	7: "lte", 10: "lte", 9: "nb-iot", 11: "nr", 12: "nr", 13: "lte",
}

// isCode says whether a field is the code of an area or a cell: hexadecimal, and
// neither all zeros nor all ones, which stand for none (3GPP TS 23.003 §4.1).
func isCode(s string, most int) bool {
	return s != "" && len(s) <= most && strings.Trim(s, "0123456789ABCDEF") == "" &&
		strings.Trim(s, "0") != "" && (len(s) < 4 || strings.Trim(s, "F") != "")
}
