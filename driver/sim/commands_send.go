package sim

import (
	"encoding/hex"
	"strings"
	"time"
)

// sendState is a message being entered behind the prompt.
type sendState struct {
	line   string // the command line, for faults and hooks
	store  bool   // +CMGW
	state  int    // <stat> of +CMGW
	length int    // octets of the TPDU, PDU mode
	to     string // recipient, text mode
	body   []byte
}

const maxBody = 4096

func cmgs(m *Modem, s *session, c command) answer { return m.prompt(s, c, false) }

func cmgw(m *Modem, s *session, c command) answer { return m.prompt(s, c, true) }

// prompt asks for the body of +CMGS or +CMGW, 3GPP TS 27.005 §3.5.1, §4.3.
func (m *Modem) prompt(s *session, c command, store bool) answer {
	if c.op == opTest {
		return ok
	}
	s.send = sendState{line: c.name + "=" + c.raw, store: store, state: stateUnsent, body: s.send.body[:0]}
	if s.set.cmgf == 0 {
		n, good := c.num(0, 0)
		if c.op != opSet || !good || n < 7 || n > 176 {
			return cms(304)
		}
		s.send.length = n
		if state, good := c.num(1, stateUnsent); store && good {
			s.send.state = state
		}
	} else {
		s.send.to = m.fromHost(s, c.arg(0))
		if toa := c.arg(1); toa == "145" && s.send.to != "" && s.send.to[0] != '+' {
			s.send.to = "+" + s.send.to
		}
		if i := indexOf(stateNames, c.arg(2)); store && i >= 0 {
			s.send.state = i
		}
		if s.send.to == "" && !store {
			return cms(305)
		}
	}
	s.phase = phasePrompt
	text := "\r\n> "
	if f := m.take(FaultPrompt, s.send.line); f != nil {
		if m.pause(f.Delay, s.gone); f.Text != "" {
			text = f.Text
		}
	}
	if m.take(FaultNoPrompt, s.send.line) == nil {
		m.put(s, append(s.resp, text...))
	}
	m.at(PointPrompt, s.send.line)
	return silent
}

func indexOf(list []string, s string) int {
	for i, v := range list {
		if v == s {
			return i
		}
	}
	return -1
}

func (m *Modem) bodyOctet(s *session, c byte) {
	if c == escape && m.take(FaultNoEscape, s.send.line) != nil {
		return
	}
	if c == ctrlZ || c == escape {
		m.endBody(s, c == ctrlZ)
		return
	}
	if len(s.send.body) < maxBody {
		s.send.body = append(s.send.body, c)
	}
	if s.set.cmgf == 1 && c == '\r' {
		m.queue(s, []byte("\r\n> "))
	} else if s.set.echo || m.under(FaultEcho) {
		m.queue(s, []byte{c})
	}
}

// endBody acts on Ctrl-Z, or on ESC, which gives the message up.
func (m *Modem) endBody(s *session, sent bool) {
	m.flush(s)
	s.phase = phaseCommand
	s.resp = s.resp[:0]
	line := s.send.line
	m.log.add("> " + strings.TrimSpace(string(s.send.body)) + map[bool]string{true: "<Ctrl-Z>", false: "<ESC>"}[sent])
	if !sent {
		m.finish(s, "ESC", ok)
		return
	}
	life := s.life
	m.at(PointBody, line)
	if m.lost(s, life) {
		return
	}
	sub, sca, a := m.readBody(s)
	if a != ok {
		m.finish(s, line, a)
		return
	}
	if r := s.reply; r != nil && r.prompted && r.refuses() {
		m.tell(s, r, "+CMGS", "", false)
		m.finish(s, line, r.answer())
		return
	}
	if s.send.store {
		m.finish(s, line, m.keepWritten(s, sub, sca))
		return
	}
	a = m.transmit(s, line, sub, sca)
	if m.lost(s, life) {
		return
	}
	m.finish(s, line, a)
	m.at(PointAnswered, line)
}

// readBody makes a SUBMIT of the body.
func (m *Modem) readBody(s *session) (sub submit, sca string, a answer) {
	if s.set.cmgf == 1 {
		return m.textSubmit(s)
	}
	text := strings.Map(func(r rune) rune {
		if r == '\r' || r == '\n' || r == ' ' {
			return -1
		}
		return r
	}, string(s.send.body))
	b, err := hex.DecodeString(text)
	if err != nil {
		return sub, "", cms(304)
	}
	sca, tpdu, err := splitSCA(b)
	if err != nil || len(tpdu) != s.send.length {
		return sub, "", cms(304)
	}
	if s.send.store && tpdu[0]&tpMTIMask == 0 { // a DELIVER may be written as well
		sub.ud, sub.first = tpdu, 0
		return sub, sca, ok
	}
	if sub, err = parseSubmit(tpdu); err != nil {
		return sub, "", cms(304)
	}
	return sub, sca, ok
}

// textSubmit makes a SUBMIT of text mode by +CSMP.
func (m *Modem) textSubmit(s *session) (sub submit, sca string, a answer) {
	sub = submit{first: byte(s.set.fo), to: s.send.to, pid: byte(s.set.pid), dcs: byte(s.set.dcs)}
	if sub.first>>3&3 == 2 {
		sub.vp = []byte{byte(s.set.vp)}
	} else {
		sub.first &^= 0x18
	}
	if !isDialable(strings.TrimPrefix(sub.to, "+")) {
		return sub, "", cms(305)
	}
	text := strings.ReplaceAll(strings.TrimPrefix(string(s.send.body), "\n"), "\r\n", "\r")
	switch alphabetOf(sub.dcs) {
	case alphabetGSM7:
		septets := m.textSeptets(s, text)
		sub.udl, sub.ud = len(septets), gsm7Pack(septets, 0)
	default: // 8-bit and UCS2 come as hex
		b, err := hex.DecodeString(strings.TrimSpace(text))
		if err != nil {
			return sub, "", cms(305)
		}
		sub.udl, sub.ud = len(b), b
	}
	if checkUserData(sub.dcs, sub.udl, sub.ud, sub.first&tpUDHI != 0) != nil {
		return sub, "", cms(305)
	}
	return sub, "", ok
}

// transmit is the way of a SUBMIT over the air and the answer to it.
func (m *Modem) transmit(s *session, line string, sub submit, sca string) answer {
	s.phase = phaseRadio
	m.release(s)
	life := s.life
	m.onAir(s)
	if m.lost(s, life) {
		return silent
	}
	if !m.registered() {
		return cms(331)
	}
	if f := m.take(FaultCMS, line); f != nil {
		m.net.refused(m, sub, f.Code)
		return cms(f.Code)
	}
	if sca == "" {
		sca = m.sim.smsc
	}
	if sca == "" {
		return cms(330)
	}
	if f := m.take(FaultReference, line); f != nil {
		m.sim.reference = byte(f.Code)
	}
	mr := m.sim.reference
	m.sim.reference++
	sub.mr = mr
	first := m.take(FaultReportFirst, line) != nil
	s.phase = phaseCommand
	m.net.accept(m, sub, m.take(FaultNoReport, line) == nil)
	if first {
		s.phase = phaseRadio
		m.release(s)
		m.box.run()
	}
	m.at(PointAccepted, line)
	before, after := m.inSend(s)
	for _, text := range before {
		s.info("%s", text)
	}
	if m.take(FaultNoResult, line) == nil {
		s.info("%s: %d", "+CMGS", mr)
	}
	for _, text := range after {
		s.info("%s", text)
	}
	return ok
}

// onAir takes the time of a submission; a link that +CMMS holds saves some.
func (m *Modem) onAir(s *session) {
	const holdTime = 5 * time.Second // 3GPP TS 27.005 §3.5.6: 1 to 5 s
	d := m.net.opt.SubmitDelay
	if d <= 0 {
		return
	}
	switch held := time.Now().Before(m.radio.linkUntil); {
	case s.set.cmms > 0 && held:
		d -= m.net.opt.LinkHold
	case s.set.cmms == 1 && !m.radio.linkUntil.IsZero(): // closed by the time; 1 goes back to 0 with it
		s.set.cmms = 0
	}
	m.pause(max(d, 0), s.gone)
	m.radio.linkUntil = time.Time{}
	if s.set.cmms > 0 {
		m.radio.linkUntil = time.Now().Add(holdTime)
	}
}

// keepWritten is the end of +CMGW.
func (m *Modem) keepWritten(s *session, sub submit, sca string) answer {
	r := &record{state: s.send.state, sca: sca, tpdu: sub.ud}
	if sub.first&tpMTIMask == tpSubmit {
		r.tpdu = sub.encode()
	}
	index, stored := m.memory(s.set.mem[1]).add(r)
	if !stored || m.under(FaultStorageFull) {
		return cms(322)
	}
	s.info("+CMGW: %d", index)
	return ok
}

// cmss is +CMSS: sends a message from memory.
func cmss(m *Modem, s *session, c command) answer {
	index, good := c.num(0, -1)
	r := m.record(s.set.mem[1], index)
	if c.op != opSet || !good || r == nil {
		return cms(321)
	}
	sub, err := parseSubmit(r.tpdu)
	if err != nil {
		return cms(302)
	}
	if to := m.fromHost(s, c.arg(1)); to != "" {
		sub.to = to
	}
	a := m.transmit(s, c.name, sub, r.sca)
	if s.dead() {
		return silent
	}
	s.resp = []byte(strings.Replace(string(s.resp), "+CMGS:", "+CMSS:", 1))
	if a == ok {
		r.state = stateSent
	}
	s.phase = phaseCommand
	return a
}
