package driver

import (
	"regexp"
	"strconv"
	"strings"
)

// maxLine is where a line is cut; at.AT would end itself at 64 KiB without a
// line end, which a wrong baud rate produces in seconds.
const maxLine = 4096

// splitter cuts what a modem sends into clean lines: either of CR and LF ends
// a line, empty lines vanish, control characters are dropped (NULs from a
// UART at power-up, the 0x1A and 0x1B of an echo), spaces are trimmed at both
// ends. What is longer than maxLine is cut and the rest thrown away, so that
// no tail of it can pass for a line of its own. Its output does not depend on
// how the octets were chunked.
type splitter struct {
	line []byte
}

// prompt is what feed returns for a '>' that opens a line.
const prompt = ">"

// feed takes one octet and returns a line when the octet completes one. While
// awaiting is true a '>' at the start of a line is the prompt of +CMGS and
// complete by itself (3GPP TS 27.005 §3.5.1: CR LF > SP, nothing after it).
func (s *splitter) feed(b byte, awaiting bool) (line string, ok bool) {
	switch {
	case b == '\r' || b == '\n':
		line = strings.TrimSpace(string(s.line))
		s.line = s.line[:0]
		return line, line != ""
	case b == '\t':
		b = ' '
	case b < ' ' || b == 0x7F:
		return "", false
	}
	if b == ' ' && len(s.line) == 0 || len(s.line) >= maxLine {
		return "", false
	}
	s.line = append(s.line, b)
	if awaiting && len(s.line) == 1 && b == '>' {
		s.line = s.line[:0]
		return prompt, true
	}
	return "", false
}

// atPrompt says whether what came so far of the line is a lone '>'.
func (s *splitter) atPrompt() bool {
	return strings.TrimSpace(string(s.line)) == prompt
}

// vendorFinals are final result codes of vendors that at.AT does not know.
var vendorFinals = map[string]bool{
	"COMMAND NOT SUPPORT": true, "TOO MANY PARAMETERS": true, "MODEM ERROR": true, "ABORTED": true,
}

// final maps a final result code (ITU-T V.250 §5.7.1, 3GPP TS 27.005 §3.2.5,
// 3GPP TS 27.007 §9.1) to the form that at.AT understands.
func final(line string) (code string, ok bool) {
	upper := strings.ToUpper(line)
	switch {
	case upper == "OK":
		return "OK", true
	case upper == "ERROR", strings.HasPrefix(upper, "ERROR:"), vendorFinals[upper]:
		return "ERROR", true
	}
	for _, kind := range []string{"+CMS ERROR", "+CME ERROR"} {
		if strings.HasPrefix(upper, kind) {
			return kind + ": " + strings.TrimSpace(strings.TrimPrefix(line[len(kind):], ":")), true
		}
	}
	return "", false
}

// numericFinal maps the result codes of ATV0. They are only looked for while a
// command without information text is running: elsewhere "0" is an answer.
func numericFinal(line string) (code string, ok bool) {
	switch line {
	case "0":
		return "OK", true
	case "4":
		return "ERROR", true
	}
	return "", false
}

// gluedName is the name of an unasked code or an answer inside a line.
var gluedName = regexp.MustCompile(`[+^*#%][A-Z]{3,}:`)

// unglue splits a line that some modems make of an answer and an unasked code
// that follows it without a line end: `OK+CREG: 1`, `+CSQ: 21,99^RSSI:17`,
// `OKRING`. Names inside quotes stay where they are.
func unglue(line string) []string {
	if rest, ok := strings.CutSuffix(line, "RING"); ok && rest != "" && !strings.HasSuffix(rest, "+C") {
		if last := rest[len(rest)-1]; rest == "OK" || last >= '0' && last <= '9' || last == '"' {
			return append(unglue(rest), "RING")
		}
	}
	for _, at := range gluedName.FindAllStringIndex(line, -1) {
		head := strings.TrimSpace(line[:at[0]])
		if head != "" && strings.Count(head, `"`)%2 == 0 && head != "AT" {
			return append([]string{head}, unglue(line[at[0]:])...)
		}
	}
	return []string{line}
}

// isHex says whether a line can be a PDU: an even number of hex digits, at
// least one octet of SCA and one of TPDU.
func isHex(line string) bool {
	if len(line) < 4 || len(line)%2 != 0 {
		return false
	}
	for _, c := range []byte(line) {
		if !(c >= '0' && c <= '9' || c >= 'A' && c <= 'F' || c >= 'a' && c <= 'f') {
			return false
		}
	}
	return true
}

// fields splits the comma-separated parameters of an answer that starts with
// prefix ("+CSQ:"), outside quotes and parentheses; quotes are removed.
func fields(line, prefix string) ([]string, bool) {
	rest, ok := strings.CutPrefix(line, prefix)
	if !ok {
		return nil, false
	}
	return splitFields(rest), true
}

func splitFields(text string) []string {
	var out []string
	start, depth, quoted := 0, 0, false
	for i := range len(text) {
		switch c := text[i]; {
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '(':
			depth++
		case c == ')' && depth > 0:
			depth--
		case c == ',' && depth == 0:
			out = append(out, unquote(text[start:i]))
			start = i + 1
		}
	}
	return append(out, unquote(text[start:]))
}

func unquote(s string) string {
	s = strings.TrimSpace(s)
	if len(s) >= 2 && s[0] == '"' && s[len(s)-1] == '"' {
		return s[1 : len(s)-1]
	}
	return s
}

// number reads a decimal field; otherwise is returned for anything else.
func number(s string, otherwise int) int {
	n, err := strconv.Atoi(strings.TrimSpace(s))
	if err != nil {
		return otherwise
	}
	return n
}

// answers keeps of the lines that came while a command ran those that answer
// it: its own prefix and at least so many fields. Everything else came
// unasked (trap T1).
func answers(lines []string, prefix string, least int) [][]string {
	var out [][]string
	for _, line := range lines {
		if f, ok := fields(line, prefix); ok && len(f) >= least {
			out = append(out, f)
		}
	}
	return out
}

// values expands one group of a test command's answer: "(0-3,7)" gives 0 1 2 3 7.
func values(group string) []int {
	var out []int
	for item := range strings.SplitSeq(strings.Trim(group, "() "), ",") {
		low, high, isRange := strings.Cut(strings.TrimSpace(item), "-")
		from := number(low, -1)
		to := from
		if isRange {
			to = number(high, -1)
		}
		for v := from; v >= 0 && v <= to && v-from < 256; v++ {
			out = append(out, v)
		}
	}
	return out
}
