package sim

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
)

// SetSIM puts the SIM into a state, such as SIMAbsent. A PIN makes SIMPIN
// come back at every power-on until +CLCK switches it off; an empty pin keeps
// the present one, 0000 at first. The PUK is 12345678.
func (m *Modem) SetSIM(state, pin string) {
	if !validSIMState(state) {
		panic(fmt.Sprintf("SIM state %q is unknown: use ready, pin, puk, absent, failure or busy", state))
	}
	m.call(func() {
		m.sim.state = state
		if pin != "" {
			m.sim.pin = pin
		}
		m.sim.locked = state == SIMPIN || state == SIMPUK
		m.tellSIM()
		m.registrationChanged()
	})
}

// tellSIM says what becomes of the SIM, as far as the modem says at power-on
// that it is there.
func (m *Modem) tellSIM() {
	gone := m.sim.state == SIMAbsent
	for there, away := range map[string]string{"+CPIN: READY": "+CPIN: NOT READY", "^SIMST:1": "^SIMST:255"} {
		switch {
		case !slices.Contains(m.prof.boot, there):
		case gone:
			m.unsolicited(away)
		case m.sim.state == SIMReady:
			m.unsolicited(there)
		}
	}
}

func validSIMState(s string) bool {
	return slices.Contains([]string{SIMReady, SIMPIN, SIMPUK, SIMAbsent, SIMFailure, SIMBusy}, s)
}

// cpin is +CPIN, 3GPP TS 27.007 §8.3.
func cpin(m *Modem, s *session, c command) answer {
	switch c.op {
	case opRead:
		text, a := m.sim.cpin()
		if a != ok {
			return a
		}
		s.info("+CPIN: %s", text)
		if m.prof.cpinNoOK {
			return silent
		}
		return ok
	case opSet:
		return m.enterPIN(c.arg(0), c.arg(1))
	}
	return ok
}

const wrongPassword = 16

func (m *Modem) enterPIN(code, fresh string) answer {
	card := &m.sim
	switch card.state {
	case SIMPIN:
		if code != card.pin {
			return card.wrongPIN()
		}
	case SIMPUK:
		if code != card.puk || !validPIN(fresh) {
			if card.pukTries--; card.pukTries == 0 {
				card.state = SIMFailure
			}
			return cme(wrongPassword)
		}
		card.pin, card.pukTries = fresh, 10
	case SIMReady:
		return cme(3)
	default:
		return card.refusal(false)
	}
	card.state, card.pinTries = SIMReady, 3
	if d := m.net.opt.SIMDelay; d > 0 {
		card.state = SIMBusy
		m.later(d, func() {
			if card.state == SIMBusy {
				card.state = SIMReady
				m.registrationChanged()
			}
		})
	}
	m.registrationChanged()
	return ok
}

func (c *simCard) wrongPIN() answer {
	if c.pinTries--; c.pinTries > 0 {
		return cme(wrongPassword)
	}
	c.state = SIMPUK
	return cme(12)
}

func validPIN(s string) bool {
	return len(s) >= 4 && len(s) <= 8 && strings.Trim(s, "0123456789") == ""
}

// clck is +CLCK for the SIM lock, 3GPP TS 27.007 §7.4.
func clck(m *Modem, s *session, c command) answer {
	if c.op == opTest {
		s.info(`+CLCK: ("SC")`)
		return ok
	}
	mode, good := c.num(1, 0)
	if c.op != opSet || c.arg(0) != "SC" || !good {
		return cme(4)
	}
	if a := m.sim.refusal(false); a != ok {
		return a
	}
	if mode == 2 {
		locked := 0
		if m.sim.locked {
			locked = 1
		}
		s.info("+CLCK: %d", locked)
		return ok
	}
	if c.arg(2) != m.sim.pin {
		return m.sim.wrongPIN()
	}
	m.sim.locked = mode == 1
	return ok
}

// crsm reads EF_ICCID, the last resort for the number of a SIM.
func crsm(m *Modem, s *session, c command) answer {
	if c.arg(0) != "176" || c.arg(1) != "12258" {
		return cme(4)
	}
	if m.sim.state == SIMAbsent {
		return cme(10)
	}
	s.info(`+CRSM: 144,0,"%s"`, strings.ToUpper(hex.EncodeToString(packDigits(m.sim.iccid))))
	return ok
}

func cpbs(m *Modem, s *session, c command) answer {
	switch c.op {
	case opTest:
		s.info(`+CPBS: ("SM")`)
	case opRead:
		s.info(`+CPBS: "SM",0,%d`, len(m.sim.phonebook))
	default:
		if c.arg(0) != "SM" {
			return cme(4)
		}
	}
	return ok
}

func cpbr(m *Modem, s *session, c command) answer {
	if c.op == opTest {
		s.info("+CPBR: (1-%d),40,14", len(m.sim.phonebook))
		return ok
	}
	if n, good := c.num(0, 0); !good || n < 1 || n > len(m.sim.phonebook) {
		return cme(21)
	}
	return ok
}

// ussdMenu answers USSD requests; keys below a menu are the replies to it.
var ussdMenu = map[string]struct {
	text string
	menu bool
}{
	"*100#": {text: "Your balance is 9.90"},
	"*123#": {text: "SimNet\r\n1 Balance\r\n2 Number\r\n0 Exit", menu: true},
	"1":     {text: "Your balance is 9.90"},
	"2":     {text: "You are a simulated line"},
	"0":     {text: "Bye"},
}

// cusd is +CUSD, 3GPP TS 27.007 §7.15: the answer comes unsolicited.
func cusd(m *Modem, s *session, c command) answer {
	switch c.op {
	case opRead:
		s.info("+CUSD: 1")
		return ok
	case opTest:
		s.info("+CUSD: (0-2)")
		return ok
	}
	n, good := c.num(0, 0)
	if !good || n > 2 {
		return cme(50)
	}
	if n == 2 {
		s.ussd = false
	}
	if n != 1 || c.arg(1) == "" {
		return ok
	}
	if !m.registered() {
		return cme(30)
	}
	request := m.ussdText(c.arg(1))
	m.later(m.net.opt.SubmitDelay/4, func() {
		if m.sess == s {
			m.ussdAnswer(s, request)
		}
	})
	return ok
}

func (m *Modem) ussdText(arg string) string {
	if b, err := hex.DecodeString(arg); m.prof.ussdPacked && err == nil {
		return strings.TrimRight(gsm7Decode(gsm7Unpack(b, 0, len(b)*8/7)), "\r@")
	}
	return arg
}

func (m *Modem) ussdAnswer(s *session, request string) {
	reply, known := ussdMenu[request]
	inMenu := len(request) == 1
	if !known || inMenu != s.ussd {
		s.ussd = false
		m.unsolicited("+CUSD: 4")
		return
	}
	s.ussd = reply.menu
	more := 0
	if reply.menu {
		more = 1
	}
	text := reply.text
	if m.prof.ussdPacked {
		septets, _ := gsm7Encode(text)
		text = upperHex(gsm7Pack(septets, 0))
	}
	m.unsolicited(fmt.Sprintf(`+CUSD: %d,"%s",15`, more, text))
}
