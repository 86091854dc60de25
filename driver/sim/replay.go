package sim

import (
	"slices"
	"strings"
)

// replay is how far a modem is with a recording.
type replay struct {
	rec  *recording
	told map[string]int // replies given, by key
}

// key names the replies to a command line without AT: the line as a trace
// shows it, so that any number fits a masked one, and of a message or a USSD
// request the command alone.
func key(line string) string {
	for _, name := range []string{"+CMGS", "+CMGW", "+CUSD"} {
		if strings.HasPrefix(line, name+"=") && line != name+"=?" {
			return name
		}
	}
	return mask(line)
}

// next is the recorded reply to a command line, nil if there is none. The last
// one repeats, without what came after it.
func (p *replay) next(line string) *reply {
	if p == nil {
		return nil
	}
	k := key(line)
	list := p.rec.replies[k]
	if len(list) == 0 {
		return nil
	}
	n := p.told[k]
	p.told[k]++
	if n < len(list) {
		return list[n]
	}
	last := *list[len(list)-1]
	last.after = nil
	return &last
}

// networkCommands are answered by the simulated network and memories, whatever
// was recorded, as long as they were not refused.
var networkCommands = []string{"+CMGS", "+CMGW", "+CMSS", "+CMGL", "+CMGR", "+CMGD", "+CNMA", "+CUSD"}

// answerTo gives the answer to a command line: the recorded one, if there is
// one, else the profile's. What the modem did when it was recorded is done again.
func (m *Modem) answerTo(s *session, line string) answer {
	r := s.reply
	if r == nil || r.prompted { // how a message ended is told behind its body
		return m.obey(s, line)
	}
	echo := s.set.echo
	one, _ := nextCommand(line)
	name := parseCommand(one + " ").name
	network := slices.Contains(networkCommands, name)
	switch {
	case network && (!r.refuses() || ofNothing(name, r.final)):
		before := m.memory(s.set.mem[0]).used()
		a := m.obey(s, line)
		if did := len(s.resp) > 0 || m.memory(s.set.mem[0]).used() != before; did && a == ok || !r.refuses() {
			return a
		}
		s.resp = s.resp[:0]
		return r.answer()
	case r.refuses():
		m.tell(s, r, name, line, echo)
	default:
		if m.obey(s, line); s.phase != phasePrompt {
			m.tell(s, r, name, line, echo)
		}
	}
	return r.answer()
}

// ofNothing tells whether an error may be the modem's word for an empty memory
// or slot.
func ofNothing(name, final string) bool {
	return name == "+CMGR" || name == "+CMGD" || name == "+CMGL" && strings.HasPrefix(final, "+CMS ERROR") && strings.HasSuffix(final, "321")
}

// answer is the final code.
func (r *reply) answer() answer {
	if r.final == "" {
		return silent
	}
	return answer{kind: answerText, text: r.final}
}

// tell puts the recorded lines into the place of the modem's own answer, which
// gives what was masked.
func (m *Modem) tell(s *session, r *reply, name, line string, echo bool) {
	var own []string
	for text := range strings.FieldsFuncSeq(string(s.resp), func(c rune) bool { return c == '\r' || c == '\n' }) {
		own = append(own, text)
	}
	s.resp = s.resp[:0]
	for _, text := range r.lines {
		if echo && text == mask("AT"+line) {
			continue // was written as it came
		}
		if text, ok := m.fill(text, name, &own); ok {
			s.info("%s", text)
		}
	}
}

// fill puts the modem's own values into a recorded line. A line of which only
// the length is known is the modem's own line; without one it is left out.
func (m *Modem) fill(text, name string, own *[]string) (string, bool) {
	i := slices.IndexFunc(*own, func(line string) bool { return label(line) == label(text) })
	var values []string
	whole := ""
	if i >= 0 {
		whole = (*own)[i]
		values = maskedIn(whole)
		*own = slices.Delete(*own, i, i+1)
	} else if whole = m.known(name); whole != "" {
		values = []string{whole}
	}
	switch {
	case isMask(text):
		return whole, whole != ""
	case name == "+CPMS" && i >= 0:
		return levels(text, whole), true
	}
	return unmask(text, values), true
}

// label is the name a line of an answer begins with, "" if it has none.
func label(line string) string {
	if !strings.ContainsRune("+^*#%$!&", rune(line[0])) {
		return ""
	}
	name, _, _ := strings.Cut(line, ":")
	return name
}

// known is the value that a command reads, where the profile does not know the
// command.
func (m *Modem) known(name string) string {
	switch {
	case strings.HasSuffix(name, "CCID"), name == "^SCID":
		return m.sim.iccid
	case name == "+CGSN", name == "+GSN":
		return m.imei
	case name == "+CIMI":
		return m.sim.imsi
	case name == "+CNUM":
		return m.number
	case name == "+CSCA":
		return m.sim.smsc
	}
	return ""
}

// levels is a line of +CPMS with the numbers of messages that there are now:
// of two numbers that follow each other the first.
func levels(recorded, own string) string {
	colon := strings.Index(recorded, ":") + 1
	then, now := strings.Split(recorded[colon:], ","), strings.Split(own[strings.Index(own, ":")+1:], ",")
	for i := 0; i+1 < min(len(then), len(now)); i++ {
		if isNumber(then[i]) && isNumber(then[i+1]) && isNumber(now[i]) {
			then[i] = now[i]
			i++
		}
	}
	return recorded[:colon] + strings.Join(then, ",")
}

func isNumber(field string) bool {
	field = strings.TrimSpace(field)
	return field != "" && strings.Trim(field, "0123456789") == ""
}

// inSend is what is said before and after the +CMGS line of a message that was
// taken: as recorded, else as the profile has it.
func (m *Modem) inSend(s *session) (before, after []string) {
	if s.reply == nil {
		n := min(1, len(m.prof.inSend))
		return m.prof.inSend[:n], m.prof.inSend[n:]
	}
	lines := s.reply.lines
	i := slices.IndexFunc(lines, func(text string) bool { return strings.HasPrefix(text, "+CMGS:") })
	if i < 0 {
		i = len(lines)
	}
	return speakable(lines[:i]), speakable(lines[i:])
}

// afterReply says what came unasked after the recorded reply.
func (m *Modem) afterReply(s *session) {
	r := s.reply
	s.reply = nil
	if r == nil || m.sess != s {
		return
	}
	for _, text := range r.after {
		m.unsolicited(text)
	}
}
