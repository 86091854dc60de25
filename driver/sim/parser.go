package sim

import (
	"strings"
)

const maxLine = 2048

// feed takes octets from the host (ITU-T V.250 §5).
func (m *Modem) feed(s *session, chunk []byte) {
	if m.net.opt.Baud > 0 {
		m.pause(m.lineTime(len(chunk)), s.gone)
	}
	for _, c := range chunk {
		if s.dead() || m.hung || m.deaf {
			return
		}
		if s.phase == phasePrompt {
			m.bodyOctet(s, c)
		} else {
			if s.set.echo || m.under(FaultEcho) {
				m.queue(s, []byte{c})
			}
			if line, ok := s.octet(c); ok {
				m.flush(s)
				m.execute(s, line)
			}
		}
		if s.phase == phaseCommand || s.phase == phaseRadio { // it ended without an answer
			m.idle(s)
		}
	}
	m.flush(s)
}

const (
	ctrlZ  = 0x1A
	escape = 0x1B
)

// octet takes one octet of a command line and gives the line, without AT,
// when it is complete. What precedes AT is ignored.
func (s *session) octet(c byte) (line string, ok bool) {
	if !s.started {
		switch {
		case len(s.line) == 1 && (c == 'T' || c == 't'):
			s.started, s.line = true, s.line[:0]
		case len(s.line) == 1 && c == '/':
			s.line = s.line[:0]
			return s.last, true
		case c == 'A' || c == 'a':
			s.line = append(s.line[:0], c)
		default:
			s.line = s.line[:0]
		}
		return "", false
	}
	switch {
	case c == s.set.s3:
		line = strings.TrimSpace(string(s.line))
		s.started, s.line, s.last = false, s.line[:0], line
		return line, true
	case c == s.set.s5:
		if len(s.line) > 0 {
			s.line = s.line[:len(s.line)-1]
		}
	case c == escape || c == ctrlZ: // left over from a prompt that was not there
		s.started, s.line = false, s.line[:0]
	case c >= ' ' && len(s.line) < maxLine:
		s.line = append(s.line, c)
	}
	return "", false
}

// nextCommand cuts the first command from a command line (V.250 §5.2-5.4).
func nextCommand(line string) (one, rest string) {
	line = strings.TrimLeft(line, " ;")
	if line == "" {
		return "", ""
	}
	if line[0] == 'D' || line[0] == 'd' {
		return line, ""
	}
	if strings.IndexByte("+^#*$!%", line[0]) >= 0 {
		end := endOfExtended(line)
		return strings.TrimSpace(line[:end]), line[min(end+1, len(line)):]
	}
	n := 1
	if line[0] == '&' && len(line) > 1 {
		n = 2
	}
	digits := func() {
		for n < len(line) && line[n] >= '0' && line[n] <= '9' {
			n++
		}
	}
	digits()
	if line[0] == 'S' || line[0] == 's' {
		if n < len(line) && line[n] == '?' {
			n++
		} else if n < len(line) && line[n] == '=' {
			n++
			digits()
		}
	}
	return line[:n], line[n:]
}

// endOfExtended is the place of the ';' outside quotes, or the length.
func endOfExtended(line string) int {
	quoted := false
	for i := range len(line) {
		switch {
		case line[i] == '"':
			quoted = !quoted
		case line[i] == ';' && !quoted:
			return i
		}
	}
	return len(line)
}

// op is the form of an extended command.
type op int

const (
	opRun  op = iota // +X
	opRead           // +X?
	opTest           // +X=?
	opSet            // +X=…
)

// command is one command of a line.
type command struct {
	name string // upper case, without '=' and '?'
	op   op
	args []string // unquoted
	raw  string   // what follows '='
}

func parseCommand(text string) command {
	if strings.IndexByte("+^#*$!%", text[0]) < 0 {
		n := 1
		if text[0] == '&' {
			n = min(2, len(text))
		}
		return command{name: strings.ToUpper(text[:n]), raw: text[n:]}
	}
	end := strings.IndexAny(text, "=?")
	if end < 0 {
		return command{name: strings.ToUpper(strings.TrimSpace(text))}
	}
	c := command{name: strings.ToUpper(strings.TrimSpace(text[:end])), raw: text[end+1:]}
	switch {
	case text[end] == '?':
		c.op = opRead
	case strings.TrimSpace(c.raw) == "?":
		c.op = opTest
	default:
		c.op = opSet
		c.args = splitArgs(c.raw)
	}
	return c
}

// splitArgs separates parameters at commas outside quotes.
func splitArgs(raw string) []string {
	var args []string
	quoted, start := false, 0
	for i := range len(raw) + 1 {
		switch {
		case i == len(raw) || raw[i] == ',' && !quoted:
			args = append(args, unquote(strings.TrimSpace(raw[start:i])))
			start = i + 1
		case raw[i] == '"':
			quoted = !quoted
		}
	}
	return args
}

func unquote(s string) string {
	if len(s) >= 2 && s[0] == '"' && s[len(s)-1] == '"' {
		return s[1 : len(s)-1]
	}
	return s
}

// arg is the i-th parameter, "" if it is left out.
func (c command) arg(i int) string {
	if i < len(c.args) {
		return c.args[i]
	}
	return ""
}

// num is the i-th parameter as a number, or what it is when left out.
func (c command) num(i, otherwise int) (int, bool) {
	a := c.arg(i)
	if a == "" {
		return otherwise, true
	}
	n := 0
	for _, r := range a {
		if r < '0' || r > '9' || n > 1<<20 {
			return 0, false
		}
		n = n*10 + int(r-'0')
	}
	return n, true
}
