package sim

import (
	"fmt"
	"strings"
)

// slot finds the memory and the place behind an index of a named memory.
func (m *Modem) slot(name string, index int) (y *memory, i int) {
	y = m.memory(name)
	i = index - y.first
	if name == "MT" {
		y = m.sim.mem
		if i >= len(y.slots) {
			y, i = m.phoneMem, i-len(y.slots)
		}
	}
	if i < 0 || i >= len(y.slots) {
		return nil, 0
	}
	return y, i
}

func (m *Modem) record(name string, index int) *record {
	if y, i := m.slot(name, index); y != nil {
		return y.slots[i]
	}
	return nil
}

// cmgl is +CMGL, 3GPP TS 27.005 §3.4.2 and §4.1.
func cmgl(m *Modem, s *session, c command) answer {
	if c.op == opTest {
		if s.set.cmgf == 0 {
			s.info("+CMGL: (0-4)")
		} else {
			s.info(`+CMGL: ("REC UNREAD","REC READ","STO UNSENT","STO SENT","ALL")`)
		}
		return ok
	}
	want, good := c.num(0, stateUnread)
	if s.set.cmgf == 1 {
		want, good = stateUnread, true
		if c.arg(0) != "" {
			want = indexOf(stateNames, strings.ToUpper(m.fromHost(s, c.arg(0))))
		}
	}
	if !good || want < 0 || want > stateAll {
		return cms(map[int]int{0: 302, 1: 305}[s.set.cmgf])
	}
	y := m.memory(s.set.mem[0])
	listed := 0
	for i, r := range y.slots {
		if r == nil || want != stateAll && r.state != want {
			continue
		}
		m.list(s, i+y.first, r, listed == 0)
		listed++
		if r.state == stateUnread {
			r.state = stateRead
		}
	}
	if listed == 0 && (m.prof.emptyList || m.under(FaultEmptyList)) {
		return cms(321)
	}
	m.afterAnswer(s, PointListed, c)
	return ok
}

// list adds one message of +CMGL to the answer.
func (m *Modem) list(s *session, index int, r *record, first bool) {
	line := s.more
	if first {
		line = s.info
	}
	if s.set.cmgf == 0 {
		pdu, length := r.pdu()
		line("+CMGL: %d,%d,,%d", index, r.state, length)
		s.more("%s", pdu)
		return
	}
	f := r.fields()
	if p := f.report; p != nil {
		line(`+CMGL: %d,"%s",%d,%d,"%s",%d,"%s","%s",%d`, index, m.stateName(s, r), f.fo, p.mr, m.toHost(s, p.to), p.toa,
			timeText(p.sent), timeText(p.done), p.status)
		return
	}
	when := ""
	if !f.at.IsZero() {
		when = timeText(f.at)
	}
	line(`+CMGL: %d,"%s","%s",,"%s"`, index, m.stateName(s, r), m.toHost(s, f.number), when)
	s.more("%s", m.bodyToHost(s, f))
}

func (m *Modem) stateName(s *session, r *record) string { return stateNames[min(r.state, stateSent)] }

// cmgr is +CMGR, 3GPP TS 27.005 §3.4.3 and §4.2.
func cmgr(m *Modem, s *session, c command) answer {
	if c.op == opTest {
		return ok
	}
	index, good := c.num(0, -1)
	y, _ := m.slot(s.set.mem[0], index)
	if c.op != opSet || !good || y == nil {
		return cms(321)
	}
	r := m.record(s.set.mem[0], index)
	if r == nil {
		return cms(321)
	}
	if s.set.cmgf == 0 {
		pdu, length := r.pdu()
		if m.prof.bareCMGR {
			s.info("+CMGR: ,,%d", length+1)
		} else {
			s.info("+CMGR: %d,,%d", r.state, length)
		}
		s.more("%s", pdu)
	} else {
		m.readText(s, r)
	}
	if r.state == stateUnread {
		r.state = stateRead
	}
	m.afterAnswer(s, PointListed, c)
	return ok
}

func (m *Modem) readText(s *session, r *record) {
	f := r.fields()
	name, number := m.stateName(s, r), m.toHost(s, f.number)
	switch {
	case f.report != nil:
		p := f.report
		s.info(`+CMGR: "%s",%d,%d,"%s",%d,"%s","%s",%d`, name, f.fo, p.mr, number, p.toa, timeText(p.sent), timeText(p.done), p.status)
		return
	case r.state >= stateUnsent:
		s.info(`+CMGR: "%s","%s",`, name, number)
	default:
		s.info(`+CMGR: "%s","%s",,"%s"`, name, number, timeText(f.at))
	}
	if s.set.csdh == 1 {
		s.resp = s.resp[:len(s.resp)-2]
		s.more(`,%d,%d,%d,%d,"%s",%d,%d`, f.toa, f.fo, f.pid, f.dcs, m.toHost(s, m.sim.smsc), toaInternational, f.length)
	}
	s.more("%s", m.bodyToHost(s, f))
}

// cmgd is +CMGD, 3GPP TS 27.005 §3.5.4.
func cmgd(m *Modem, s *session, c command) answer {
	name := s.set.mem[0]
	y := m.memory(name)
	if c.op == opTest {
		var list []string
		for i, r := range y.slots {
			if r != nil {
				list = append(list, fmt.Sprint(i+y.first))
			}
		}
		s.info("+CMGD: (%s),(0-4)", strings.Join(list, ","))
		return ok
	}
	index, good := c.num(0, -1)
	flag, goodFlag := c.num(1, 0)
	if c.op != opSet || !good || !goodFlag || flag > 4 {
		return cms(302)
	}
	if flag == 0 {
		at, i := m.slot(name, index)
		if at == nil {
			return cms(321)
		}
		at.slots[i] = nil
	} else {
		m.deleteBy(name, flag)
	}
	m.at(PointDeleted, c.name+"="+c.raw)
	m.memoryFreed()
	return ok
}

// deleteBy empties the slots that <delflag> means: 1 read, 2 and sent, 3 and
// unsent, 4 all.
func (m *Modem) deleteBy(name string, flag int) {
	gone := map[int][]int{
		1: {stateRead}, 2: {stateRead, stateSent}, 3: {stateRead, stateSent, stateUnsent},
		4: {stateUnread, stateRead, stateSent, stateUnsent},
	}[flag]
	first := m.memory(name).first
	for i, r := range m.memory(name).slots {
		if r == nil {
			continue
		}
		for _, state := range gone {
			if r.state == state {
				y, at := m.slot(name, i+first)
				y.slots[at] = nil
			}
		}
	}
}

// afterAnswer notes a point that is passed when the answer is written.
func (m *Modem) afterAnswer(s *session, p Point, c command) {
	s.passed = append(s.passed, passage{p, c.name + "=" + c.raw})
}
