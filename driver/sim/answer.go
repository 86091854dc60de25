package sim

import (
	"bytes"
	"fmt"
	"strconv"
)

type answerKind int

const (
	answerOK answerKind = iota
	answerError
	answerCME
	answerCMS
	answerUnknown // the command is not known
	answerSilent  // the final code comes later, or never
	answerText    // another final code
)

// answer is how a command ends.
type answer struct {
	kind answerKind
	code int
	text string
}

var (
	ok      = answer{}
	failed  = answer{kind: answerError}
	unknown = answer{kind: answerUnknown}
	silent  = answer{kind: answerSilent}
)

func cme(code int) answer { return answer{kind: answerCME, code: code} }

func cms(code int) answer { return answer{kind: answerCMS, code: code} }

// cmeText gives the words of +CME ERROR codes, 3GPP TS 27.007 §9.2.
var cmeText = map[int]string{
	3: "operation not allowed", 4: "operation not supported", 10: "SIM not inserted", 11: "SIM PIN required",
	12: "SIM PUK required", 13: "SIM failure", 14: "SIM busy", 16: "incorrect password", 21: "invalid index",
	22: "not found", 30: "no network service", 50: "incorrect parameters", 100: "unknown",
}

func (m *Modem) finalText(s *session, a answer) string {
	switch a.kind {
	case answerOK:
		return "OK"
	case answerText:
		return a.text
	case answerCMS:
		return "+CMS ERROR: " + strconv.Itoa(a.code)
	case answerCME:
		switch {
		case s.set.cmee == 1:
			return "+CME ERROR: " + strconv.Itoa(a.code)
		case s.set.cmee == 2 && cmeText[a.code] != "":
			return "+CME ERROR: " + cmeText[a.code]
		}
	case answerUnknown:
		if m.prof.final == "ERROR" && s.set.cmee > 0 {
			return m.finalText(s, cme(4))
		}
		return m.prof.final
	}
	return "ERROR"
}

// numeric gives the final codes under ATV0, V.250 §6.2.6.
var numeric = map[string]string{"OK": "0", "CONNECT": "1", "RING": "2", "NO CARRIER": "3", "ERROR": "4", "BUSY": "7"}

// info adds a line of information text to the answer.
func (s *session) info(format string, args ...any) {
	if s.set.verbose {
		s.resp = append(s.resp, "\r\n"...)
	}
	s.more(format, args...)
}

// more adds a line that follows another without an empty line between.
func (s *session) more(format string, args ...any) {
	s.resp = fmt.Appendf(s.resp, format, args...)
	s.resp = append(s.resp, "\r\n"...)
}

// execute runs a command line.
func (m *Modem) execute(s *session, line string) {
	m.log.add("> AT" + line)
	s.phase = phaseCommand
	s.resp, s.passed, s.reply = s.resp[:0], nil, nil
	life := s.life
	m.at(PointCommand, line)
	if m.lost(s, life) {
		return
	}
	if f := m.take(FaultError, line); f != nil {
		a := failed
		if f.Code > 0 {
			a = cme(f.Code)
		}
		m.finish(s, line, a)
		return
	}
	s.reply = m.replay.next(line)
	a := m.answerTo(s, line)
	if s.phase == phasePrompt || s.life != life {
		return
	}
	m.finish(s, line, a)
}

// obey runs the commands of a line.
func (m *Modem) obey(s *session, line string) (a answer) {
	for rest := line; rest != "" && a.kind == answerOK; {
		var one string
		if one, rest = nextCommand(rest); one != "" {
			a = m.dispatch(s, parseCommand(one))
		}
	}
	return a
}

// finish ends a command line: the faults of answers act here.
func (m *Modem) finish(s *session, line string, a answer) {
	if f := m.take(FaultLate, line); f != nil {
		m.pause(f.Delay, s.gone)
	}
	if s.dead() || m.hung {
		return
	}
	before := len(s.resp)
	resp := m.complete(s, a)
	if len(m.faults) > 0 {
		if f := m.take(FaultFinal, line); f != nil {
			resp = append(resp[:before:before], f.Text...)
		}
		if f := m.take(FaultAnswer, line); f != nil {
			resp = []byte(f.Text)
		}
		resp = m.spoil(s, line, resp)
	}
	if len(resp) > 0 {
		m.log.addAnswer(resp)
		m.put(s, resp)
	}
	m.idle(s)
	m.afterReply(s)
	if f := m.takeChatter(WhereAfter, line); f != nil {
		m.put(s, m.chatter(f))
	}
	passed := s.passed
	s.passed = nil
	for _, p := range passed {
		m.at(p.point, p.line)
	}
}

// complete adds the final code to the answer.
func (m *Modem) complete(s *session, a answer) []byte {
	if a.kind == answerSilent || s.set.quiet {
		return s.resp
	}
	text := m.finalText(s, a)
	if s.set.verbose {
		s.resp = append(s.resp, "\r\n"...)
		s.resp = append(s.resp, text...)
		return append(s.resp, "\r\n"...)
	}
	if n, known := numeric[text]; known {
		text = n
	}
	s.resp = append(s.resp, text...)
	return append(s.resp, '\r')
}

// spoil makes the faults of answers act on one.
func (m *Modem) spoil(s *session, line string, resp []byte) []byte {
	if m.take(FaultMissing, line) != nil {
		return nil
	}
	if m.take(FaultGarbled, line) != nil {
		resp = m.garble(bytes.Clone(resp))
	}
	if m.take(FaultDoubled, line) != nil {
		resp = bytes.Repeat(resp, 2)
	}
	for _, where := range []string{"", WhereBefore, WhereInside, WhereSplit, WhereJoined} {
		if f := m.takeChatter(where, line); f != nil {
			resp = insertChatter(where, resp, m.chatter(f))
		}
	}
	return resp
}

// garble damages about an eighth of the octets, as a line with a wrong speed
// or a lost ground does; line ends as well.
func (m *Modem) garble(b []byte) []byte {
	for i := range b {
		if m.rng.IntN(8) == 0 {
			b[i] ^= byte(1 + m.rng.IntN(255))
		}
	}
	if len(b) > 4 { // a final code never comes through whole
		b[len(b)-3] ^= 0x40
	}
	return b
}

func (m *Modem) chatter(f *Fault) []byte {
	text := f.Text
	if text == "" {
		text = "+CSQ: 20,99"
		if n := len(m.prof.chatter); n > 0 {
			text = m.prof.chatter[m.rng.IntN(n)]
		}
	}
	return []byte("\r\n" + text + m.prof.lineEnd)
}

// insertChatter puts an unsolicited code into an answer.
func insertChatter(where string, resp, urc []byte) []byte {
	var at int
	first := bytes.Index(resp[min(2, len(resp)):], []byte("\r\n")) + 2 // end of the first line
	switch where {
	case WhereInside:
		at = min(first+2, len(resp))
	case WhereSplit:
		at = min(2+max(first-2, 0)/2, len(resp))
	case WhereJoined:
		at = min(first, len(resp))
		urc = bytes.Trim(urc, "\r\n")
	}
	out := append([]byte{}, resp[:at]...)
	return append(append(out, urc...), resp[at:]...)
}
