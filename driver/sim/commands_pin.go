package sim

// pinCounters are the commands that tell how many tries of PIN and PUK are
// left, with their answers; a modem has one of them.
var pinCounters = map[string]func(s *session, c *simCard){
	"+CPINR": func(s *session, c *simCard) { // 3GPP TS 27.007 §8.65
		s.info("+CPINR: SIM PIN,%d,3", c.pinTries)
		s.more("+CPINR: SIM PUK,%d,10", c.pukTries)
	},
	"^CPIN": func(s *session, c *simCard) {
		code, _ := c.cpin()
		s.info("^CPIN: %s,,%d,%d,10,3", code, c.pukTries, c.pinTries)
	},
	"+QPINC": func(s *session, c *simCard) {
		s.info(`+QPINC: "SC",%d,%d`, c.pinTries, c.pukTries)
		s.more(`+QPINC: "P2",3,10`)
	},
	"+SPIC":    func(s *session, c *simCard) { s.info("+SPIC: %d,%d,3,10", c.pinTries, c.pukTries) },
	"^SPIC":    func(s *session, c *simCard) { s.info("^SPIC: %d", c.askedTries()) },
	"#PCT":     func(s *session, c *simCard) { s.info("#PCT: %d", c.askedTries()) },
	"+UPINCNT": func(s *session, c *simCard) { s.info("+UPINCNT: %d,3,%d,10", c.pinTries, c.pukTries) },
	"+CPINC":   func(s *session, c *simCard) { s.info("+CPINC: %d,3,%d,10", c.pinTries, c.pukTries) },
	"+ZPINPUK": func(s *session, c *simCard) { s.info("+ZPINPUK: %d,%d", c.pinTries, c.pukTries) },
}

// askedTries are the tries left of what the SIM asks for.
func (c *simCard) askedTries() int {
	if c.state == SIMPUK {
		return c.pukTries
	}
	return c.pinTries
}

// pinCounter answers the command of the profile; +CPINR where it names none.
func pinCounter(m *Modem, s *session, c command) answer {
	own := m.prof.pinCounter
	if own == "" {
		own = "+CPINR"
	}
	if c.name != own || c.op == opSet {
		return unknown
	}
	if c.op == opTest && own != "+ZPINPUK" { // it answers only this form
		return ok
	}
	if m.sim.state == SIMAbsent {
		return cme(10)
	}
	pinCounters[own](s, &m.sim)
	return ok
}

// SIM tells the state of the SIM and how many tries of its PIN are left.
func (m *Modem) SIM() (state string, pinTries int) {
	m.call(func() { state, pinTries = m.sim.state, m.sim.pinTries })
	return state, pinTries
}

// SetPINTries sets how many tries of the PIN are left.
func (m *Modem) SetPINTries(n int) { m.call(func() { m.sim.pinTries = n }) }

// SetSMSC writes the service centre's address into the SIM; "" takes it out,
// and a submission that names none is refused with +CMS ERROR: 330.
func (m *Modem) SetSMSC(number string) { m.call(func() { m.sim.smsc = number }) }

// InsertSIM makes the modem tell the numbers of another SIM, as if one had been
// put in while it was on. Subscriber and messages stay those of its own.
func (m *Modem) InsertSIM(iccid, imsi string) {
	m.call(func() { m.sim.iccid, m.sim.imsi = iccid, imsi })
}
