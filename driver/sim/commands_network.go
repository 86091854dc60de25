package sim

import (
	"fmt"
	"strings"
	"time"
)

// Registration states for [Modem.SetRegistration] (3GPP TS 27.007 §7.2).
const (
	RegNone      = "none"      // 0: not registered, not searching
	RegHome      = "home"      // 1
	RegSearching = "searching" // 2
	RegDenied    = "denied"    // 3
	RegUnknown   = "unknown"   // 4
	RegRoaming   = "roaming"   // 5
	RegSMSOnly   = "sms-only"  // 6 in E-UTRAN, while +CREG says 0
)

var regStats = map[string][3]int{
	RegNone: {0, 0, 0}, RegHome: {1, 1, 1}, RegSearching: {2, 2, 2}, RegDenied: {3, 3, 3}, RegUnknown: {4, 4, 4},
	RegRoaming: {5, 5, 5}, RegSMSOnly: {0, 0, 6},
}

// stat is the registration of a domain as +CREG, +CGREG or +CEREG tells it.
func (m *Modem) stat(domain int) int {
	if !m.radio.on || m.sim.state != SIMReady || m.under(FaultNoNetwork) {
		return 0
	}
	return m.radio.stat[domain]
}

// registered tells whether messages can be sent and received.
func (m *Modem) registered() bool {
	for domain := range 3 {
		switch m.stat(domain) {
		case 1, 5, 6, 7:
			return true
		}
	}
	return false
}

// SetRegistration puts the modem into a registration state, such as RegHome.
// It panics on an unknown one.
func (m *Modem) SetRegistration(state string) {
	stat, known := regStats[state]
	if !known {
		panic(fmt.Sprintf("registration state %q is unknown: use none, home, searching, denied, unknown, roaming or sms-only", state))
	}
	m.call(func() {
		m.radio.stat = stat
		m.registrationChanged()
	})
}

// SetSignal sets the received signal strength, <rssi> of +CSQ (0-31, 99).
func (m *Modem) SetSignal(rssi int) { m.call(func() { m.radio.signal = rssi }) }

// SetRadio switches the radio on or off, as +CFUN=1 and +CFUN=4 do.
func (m *Modem) SetRadio(on bool) {
	m.call(func() {
		m.radio.on = on
		m.registrationChanged()
	})
}

// SetRSRP sets the received power on LTE, <rsrp> of +CESQ (0-97, 255).
func (m *Modem) SetRSRP(rsrp int) { m.call(func() { m.radio.rsrp = rsrp }) }

var regNames = [3]string{"+CREG", "+CGREG", "+CEREG"}

func (m *Modem) registrationChanged() {
	if s := m.sess; s != nil {
		for domain, name := range regNames {
			changed := m.radio.told[domain] != m.stat(domain)
			m.radio.told[domain] = m.stat(domain)
			if n := s.set.reg[domain]; n > 0 && changed {
				m.unsolicited(name + ": " + m.regText(domain, n))
			}
		}
	}
	if m.registered() {
		m.net.reachable(m)
	}
}

func (m *Modem) regText(domain, n int) string {
	stat := m.stat(domain)
	if n < 2 || stat == 0 || stat == 2 {
		return fmt.Sprintf("%d", stat)
	}
	return fmt.Sprintf(`%d,"%s","%s",%d`, stat, m.radio.cell[0], m.radio.cell[1], [3]int{0, 2, 7}[domain])
}

// SetCell puts the modem into another cell: <lac> and <ci> of +CREG in
// hexadecimal. A host that asked for them (+CREG=2) is told.
func (m *Modem) SetCell(area, id string) {
	m.call(func() {
		m.radio.cell = [2]string{area, id}
		for domain, name := range regNames {
			if s := m.sess; s != nil && s.set.reg[domain] == 2 && m.stat(domain) != 0 {
				m.unsolicited(name + ": " + m.regText(domain, 2))
			}
		}
	})
}

func registration(domain int) handler {
	return func(m *Modem, s *session, c command) answer {
		n := s.set.reg[domain]
		if c.op == opRead {
			s.info("%s: %d,%s", c.name, n, m.regText(domain, n))
			return ok
		}
		return setting(s, c, &s.set.reg[domain], seq(0, 2))
	}
}

func cops(m *Modem, s *session, c command) answer {
	switch c.op {
	case opTest:
		m.pause(m.net.opt.ScanDelay, s.gone)
		s.info(`+COPS: (2,"SimNet","Sim","99999",7),(3,"Other","Oth","99998",2),,(0,1,2,3,4),(0,1,2)`)
	case opSet:
		mode, good := c.num(0, 0)
		format, goodFormat := c.num(1, s.set.copsFormat)
		if !good || !goodFormat || mode > 4 || format > 2 {
			return cme(50)
		}
		if s.set.copsFormat = format; mode == 2 && m.radio.on {
			m.radio.on = false
			m.registrationChanged()
		} else if mode == 0 && !m.radio.on {
			m.radio.on = true
			m.registrationChanged()
		}
	default:
		if !m.registered() {
			s.info("+COPS: 0")
			return ok
		}
		name := [3]string{"SimNet", "Sim", "99999"}[s.set.copsFormat]
		s.info(`+COPS: 0,%d,"%s",7`, s.set.copsFormat, name)
	}
	return ok
}

func csq(m *Modem, s *session, c command) answer {
	if c.op == opTest {
		s.info("+CSQ: (0-31,99),(0-7,99)")
		return ok
	}
	signal := m.radio.signal
	if !m.radio.on || m.under(FaultNoNetwork) {
		signal = 99
	}
	s.info("+CSQ: %d,99", signal)
	return ok
}

// cesq is +CESQ, 3GPP TS 27.007 §8.69: the received power as <rsrp> of LTE.
func cesq(m *Modem, s *session, c command) answer {
	if c.op == opTest {
		s.info("+CESQ: (0-63,99),(0-7,99),(0-96,255),(0-49,255),(0-34,255),(0-97,255)")
		return ok
	}
	rsrp := 255
	if m.radio.on && !m.under(FaultNoNetwork) {
		rsrp = m.radio.rsrp
	}
	s.info("+CESQ: 99,99,255,255,255,%d", rsrp)
	return ok
}

func cgatt(m *Modem, s *session, c command) answer {
	if c.op == opRead {
		attached := 0
		if m.registered() {
			attached = 1
		}
		s.info("+CGATT: %d", attached)
	}
	return ok
}

// cfun is +CFUN: 0 and 4 put the radio off, 1,1 restarts.
func cfun(m *Modem, s *session, c command) answer {
	switch c.op {
	case opTest:
		s.info("+CFUN: (0,1,4),(0,1)")
	case opRead:
		on := 4
		if m.radio.on {
			on = 1
		}
		s.info("+CFUN: %d", on)
	default:
		fun, good := c.num(0, 1)
		restart, goodRestart := c.num(1, 0)
		if !good || !goodRestart || fun != 0 && fun != 1 && fun != 4 {
			return cme(50)
		}
		if restart == 1 {
			return m.restartSoon()
		}
		if on := fun == 1; on != m.radio.on {
			m.radio.on = on
			m.registrationChanged()
		}
	}
	return ok
}

// restartSoon answers a command that restarts the modem.
func (m *Modem) restartSoon() answer {
	m.ready = time.Now().Add(m.net.opt.BootDelay) // and is put off when it restarts
	m.later(m.net.opt.BootDelay/2, m.reboot)
	return ok
}

// reboot is the restart that a command starts.
func (m *Modem) reboot() {
	switch {
	case m.prof.becomesCD:
		m.detach()
	case m.prof.reenum:
		m.detach()
		m.later(m.net.opt.BootDelay, func() { _ = m.plug() })
	default:
		m.restart()
	}
}

func cpas(_ *Modem, s *session, _ command) answer {
	s.info("+CPAS: 0")
	return ok
}

func cnum(m *Modem, s *session, c command) answer {
	if c.op == opRun {
		s.info(`+CNUM: "","%s",145`, m.number)
	}
	return ok
}

func cclk(_ *Modem, s *session, c command) answer {
	if c.op == opRead {
		s.info(`+CCLK: "%s"`, timeText(time.Now()))
	}
	return ok
}

func cscs(_ *Modem, s *session, c command) answer {
	switch c.op {
	case opTest:
		s.info(`+CSCS: ("GSM","IRA","UCS2")`)
	case opRead:
		s.info(`+CSCS: "%s"`, s.set.cscs)
	default:
		set := strings.ToUpper(c.arg(0))
		if set != "GSM" && set != "IRA" && set != "UCS2" {
			return cme(50)
		}
		s.set.cscs = set
	}
	return ok
}

// dial knows voice calls that nobody answers, and the data call that does not
// exist.
func dial(_ *Modem, s *session, c command) answer {
	if strings.HasSuffix(c.raw, ";") {
		return ok
	}
	return answer{kind: answerText, text: "NO CARRIER"}
}

func hangUp(*Modem, *session, command) answer { return ok }

// Call lets the modem ring n times, with +CLIP as the host asked for it.
func (m *Modem) Call(from string, n int) {
	m.call(func() {
		for range n {
			m.unsolicited("RING")
			if m.sess != nil && m.sess.set.clip == 1 {
				m.unsolicited(fmt.Sprintf(`+CLIP: "%s",145`, from))
			}
		}
	})
}

// Emit writes octets to the host at once, wherever the dialogue is: noise, NULs,
// half a line.
func (m *Modem) Emit(octets string) {
	m.call(func() {
		if m.sess != nil {
			m.put(m.sess, []byte(octets))
		}
	})
}

// Unsolicited sends an unsolicited result code, such as `^RSSI:17`.
func (m *Modem) Unsolicited(text string) { m.call(func() { m.unsolicited(text) }) }
