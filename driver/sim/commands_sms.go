package sim

import (
	"fmt"
	"slices"
	"strings"
)

func csca(m *Modem, s *session, c command) answer {
	switch c.op {
	case opRead:
		toa := toaUnknown
		if strings.HasPrefix(m.sim.smsc, "+") {
			toa = toaInternational
		}
		s.info(`+CSCA: "%s",%d`, m.toHost(s, m.sim.smsc), toa)
	case opSet:
		m.sim.smsc = m.fromHost(s, c.arg(0))
		if c.arg(1) == "145" && m.sim.smsc != "" && m.sim.smsc[0] != '+' {
			m.sim.smsc = "+" + m.sim.smsc
		}
	}
	return ok
}

func csms(m *Modem, s *session, c command) answer {
	switch c.op {
	case opTest:
		s.info("+CSMS: (0,1)")
	case opRead:
		s.info("+CSMS: %d,1,1,1", s.set.csms)
	default:
		n, good := c.num(0, 0)
		if !good || n > 1 {
			return cms(302)
		}
		s.set.csms = n
		s.info("+CSMS: 1,1,1")
	}
	return ok
}

// memory gives a memory by its name; "MT" is read as "SM" and then "ME".
func (m *Modem) memory(name string) *memory {
	switch name {
	case "ME":
		return m.phoneMem
	case "SR":
		return m.reports
	case "MT":
		first := m.sim.mem.first
		both := &memory{name: "MT", first: first}
		both.slots = append(append(both.slots, m.sim.mem.slots...), m.phoneMem.slots...)
		return both
	}
	return m.sim.mem
}

// level is <used>,<total> of +CPMS.
func (m *Modem) level(name string) string {
	y := m.memory(name)
	used := y.used()
	if m.under(FaultStorageFull) && name != "SR" {
		used = len(y.slots)
	}
	return fmt.Sprintf("%d,%d", used, len(y.slots))
}

// cpms is +CPMS, 3GPP TS 27.005 §3.2.2.
func cpms(m *Modem, s *session, c command) answer {
	mem := &s.set.mem
	switch c.op {
	case opTest:
		s.info("+CPMS: %s", m.cpmsTest())
	case opRead:
		texts := make([]string, 0, 3)
		for _, name := range mem[:m.prof.cpmsArgs] {
			texts = append(texts, fmt.Sprintf(`"%s",%s`, name, m.level(name)))
		}
		s.info("+CPMS: %s", strings.Join(texts, ","))
	case opSet:
		if len(c.args) > m.prof.cpmsArgs {
			return cms(302)
		}
		for i, name := range c.args {
			if !m.prof.takes(i, name) {
				return cms(302)
			}
		}
		copy(mem[:], c.args)
		texts := make([]string, 0, 3)
		for _, name := range mem[:m.prof.cpmsArgs] {
			texts = append(texts, m.level(name))
		}
		s.info("+CPMS: %s", strings.Join(texts, ","))
	default:
		return cms(302)
	}
	return ok
}

func (m *Modem) cpmsTest() string {
	if m.prof.cpmsTest != "" {
		return m.prof.cpmsTest
	}
	groups := make([]string, m.prof.cpmsArgs)
	for i := range groups {
		groups[i] = `("` + strings.Join(m.prof.memSet(i), `","`) + `")`
	}
	return strings.Join(groups, ",")
}

func cmgf(_ *Modem, s *session, c command) answer { return setting(s, c, &s.set.cmgf, seq(0, 1)) }

func cmms(m *Modem, s *session, c command) answer { return setting(s, c, &s.set.cmms, m.prof.cmms) }

func csdh(_ *Modem, s *session, c command) answer { return setting(s, c, &s.set.csdh, seq(0, 1)) }

// csmp is +CSMP, the fields of a text-mode SUBMIT.
func csmp(m *Modem, s *session, c command) answer {
	if c.op == opRead {
		s.info("+CSMP: %d,%d,%d,%d", s.set.fo, s.set.vp, s.set.pid, s.set.dcs)
		return ok
	}
	if c.op != opSet {
		return ok
	}
	values := [4]*int{&s.set.fo, &s.set.vp, &s.set.pid, &s.set.dcs}
	var next [4]int
	for i, p := range values {
		v, good := c.num(i, *p)
		if !good || v > 255 {
			return cms(305)
		}
		next[i] = v
	}
	if next[0]&tpMTIMask != tpSubmit {
		return cms(305)
	}
	for i, p := range values {
		*p = next[i]
	}
	if m.prof.clearsSCA {
		m.sim.smsc = ""
	}
	return ok
}

// cnmi is +CNMI, 3GPP TS 27.005 §3.4.1.
func cnmi(m *Modem, s *session, c command) answer {
	v := s.set.cnmi
	switch c.op {
	case opRead:
		s.info("+CNMI: %d,%d,%d,%d,%d", v[0], v[1], v[2], v[3], v[4])
		return ok
	case opTest:
		texts := make([]string, 5)
		for i, allowed := range m.prof.cnmi {
			texts[i] = ranges(allowed)
		}
		s.info("+CNMI: %s", strings.Join(texts, ","))
		return ok
	case opRun:
		return ok
	}
	for i := range v {
		n, good := c.num(i, v[i])
		if !good || !slices.Contains(m.prof.cnmi[i], n) {
			return cms(302)
		}
		v[i] = n
	}
	if len(c.args) > 5 || m.prof.cnmiRefuses != nil && m.prof.cnmiRefuses(v[:]) {
		return cms(302)
	}
	s.set.cnmi, s.cnmiSet = v, true
	m.releaseUnasked(s)
	m.net.reachable(m)
	return ok
}

// releaseUnasked sends or, by <bfr>, drops what mode 0 kept back.
func (m *Modem) releaseUnasked(s *session) {
	if s.set.cnmi[0] == 0 {
		return
	}
	kept := m.unasked
	m.unasked = nil
	if s.set.cnmi[4] == 0 {
		for _, text := range kept {
			m.unsolicited(text)
		}
	}
}

// indicate sends a message indication as +CNMI <mode> says.
func (m *Modem) indicate(text string) {
	const bufferSize = 50
	s := m.sess
	if s == nil {
		return
	}
	if s.set.cnmi[0] == 0 {
		if m.unasked = append(m.unasked, text); len(m.unasked) > bufferSize {
			m.unasked = m.unasked[1:]
		}
		return
	}
	m.unsolicited(text)
}
