package sim

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

type handler func(m *Modem, s *session, c command) answer

// handlers are the commands by name; those of a profile's own ICCID form are
// found in dispatch.
var handlers map[string]handler

func init() {
	handlers = map[string]handler{
		"E": flag(func(s *settings) *bool { return &s.echo }),
		"Q": flag(func(s *settings) *bool { return &s.quiet }),
		"V": flag(func(s *settings) *bool { return &s.verbose }),
		"Z": reset, "&F": reset, "&K": accept, "&C": accept, "&D": accept, "&W": accept, "&S": accept, "X": accept,
		"L": accept, "M": accept, "S": sRegister, "I": identify, "D": dial, "H": hangUp, "O": accept,
		"+GMI": identity, "+CGMI": identity, "+GMM": identity, "+CGMM": identity, "+GMR": identity, "+CGMR": identity,
		"+GSN": identity, "+CGSN": identity, "+CIMI": imsi, "+GCAP": gcap, "+IPR": ipr, "+IFC": acceptSet, "+ICF": acceptSet,
		"+CMEE": cmee, "+CFUN": cfun, "+CPIN": cpin, "+CPINR": pinCounter, "+CLCK": clck, "+CPAS": cpas,
		"+CREG": registration(0), "+CGREG": registration(1), "+CEREG": registration(2), "+COPS": cops, "+CSQ": csq,
		"+CGATT": cgatt, "+CLIP": clip, "+CNUM": cnum, "+CPBS": cpbs, "+CPBR": cpbr, "+CCLK": cclk, "+CHUP": hangUp,
		"^CPIN": pinCounter, "+QPINC": pinCounter, "+SPIC": pinCounter, "^SPIC": pinCounter, "#PCT": pinCounter,
		"+UPINCNT": pinCounter, "+CPINC": pinCounter, "+ZPINPUK": pinCounter, "+CESQ": cesq,
		"+CUSD": cusd, "+CRSM": crsm, "+CSCS": cscs, "+CLAC": clac,
		"+CSCA": csca, "+CSMS": csms, "+CPMS": cpms, "+CMGF": cmgf, "+CMGS": cmgs, "+CMGW": cmgw, "+CMSS": cmss,
		"+CMGL": cmgl, "+CMGR": cmgr, "+CMGD": cmgd, "+CNMI": cnmi, "+CNMA": cnma, "+CMMS": cmms, "+CSMP": csmp, "+CSDH": csdh,
	}
}

// needsSIM are the commands that a locked or missing SIM refuses.
var needsSIM = []string{"+CIMI", "+CNUM", "+CPBS", "+CPBR", "+CSCA", "+CPMS", "+CMGS", "+CMGW", "+CMSS", "+CMGL", "+CMGR",
	"+CMGD", "+CNMI", "+CUSD"}

func (m *Modem) dispatch(s *session, c command) answer {
	lacks := m.prof.lacks(c.name) || m.under(FaultUnsupported) && slices.Contains(optionalCommands, c.name)
	if !lacks && m.isICCID(c) {
		return iccid(m, s)
	}
	if a, own := m.ownCommand(s, c); own && !lacks {
		return a
	}
	h, known := handlers[c.name]
	if !known || lacks {
		return unknown
	}
	if slices.Contains(needsSIM, c.name) {
		if a := m.sim.refusal(strings.HasPrefix(c.name, "+CMG") || c.name == "+CMSS" || c.name == "+CPMS" || c.name == "+CNMI"); a != ok {
			return a
		}
	}
	return h(m, s, c)
}

// ownCommand answers what only this family knows.
func (m *Modem) ownCommand(s *session, c command) (a answer, own bool) {
	text := c.name
	if c.op == opSet {
		text += "=" + c.raw
	}
	switch {
	case m.starting() && (slices.Contains(needsSIM, c.name) || c.name == "+CPIN"):
		return cme(m.prof.startCode), true
	case m.prof.reset != "" && text == m.prof.reset:
		return m.restartSoon(), true
	case m.prof.silenced != "" && text == m.prof.silenced:
		s.set.silenced = true
	case c.name == "^USSDMODE" && m.prof.ussdMode && c.op == opSet:
		return setting(s, c, &s.set.ussdMode, seq(0, 1)), true
	case c.name == "+CUSD" && s.set.ussdMode == 1:
		return failed, true
	case slices.Contains(m.prof.accepts, c.name):
	default:
		return ok, false
	}
	return ok, true
}

// starting tells whether the modem is still busy with its start.
func (m *Modem) starting() bool { return m.prof.startCode > 0 && time.Now().Before(m.ready) }

func flag(of func(*settings) *bool) handler {
	return func(_ *Modem, s *session, c command) answer {
		switch c.raw {
		case "", "0":
			*of(&s.set) = false
		case "1":
			*of(&s.set) = true
		default:
			return failed
		}
		return ok
	}
}

func accept(*Modem, *session, command) answer { return ok }

// acceptSet takes a setting without effect on a simulated line.
func acceptSet(*Modem, *session, command) answer { return ok }

func reset(m *Modem, s *session, _ command) answer {
	s.set = m.startSettings()
	return ok
}

// sRegister is ATSn? and ATSn=v, V.250 §5.3.2.
func sRegister(_ *Modem, s *session, c command) answer {
	number, value, set := strings.Cut(strings.TrimSuffix(c.raw, "?"), "=")
	n, err := strconv.Atoi(number)
	if err != nil {
		return failed
	}
	chars := map[int]*byte{3: &s.set.s3, 4: &s.set.s4, 5: &s.set.s5}
	if !set {
		v := s.set.registers[n]
		if p := chars[n]; p != nil {
			v = int(*p)
		}
		s.info("%03d", v)
		return ok
	}
	v, err := strconv.Atoi(value)
	if err != nil || v < 0 || v > 255 {
		return failed
	}
	if p := chars[n]; p == nil {
		s.set.registers[n] = v
	} else if v < 128 {
		*p = byte(v)
	} else {
		return failed
	}
	return ok
}

func identify(m *Modem, s *session, c command) answer {
	s.info("Manufacturer: %s", m.prof.manufacturer)
	s.more("Model: %s", m.prof.model)
	s.more("Revision: %s", m.prof.revision)
	s.more("IMEI: %s", m.imei)
	s.more("+GCAP: +CGSM,+DS,+ES")
	return ok
}

func identity(m *Modem, s *session, c command) answer {
	if c.op == opTest {
		return ok
	}
	switch c.name {
	case "+GMI", "+CGMI":
		s.info("%s", m.prof.manufacturer)
	case "+GMM", "+CGMM":
		s.info("%s", m.prof.model)
	case "+GMR", "+CGMR":
		s.info("%s", m.prof.revision)
	default:
		s.info("%s", m.imei)
	}
	return ok
}

func imsi(m *Modem, s *session, c command) answer {
	if c.op == opRun {
		s.info("%s", m.sim.imsi)
	}
	return ok
}

func (m *Modem) isICCID(c command) bool {
	want, query := strings.CutSuffix(m.prof.iccid, "?")
	return c.name == want && (c.op == opRun || c.op == opRead && (query || c.name == "+CCID"))
}

func iccid(m *Modem, s *session) answer {
	if m.sim.state == SIMAbsent {
		return cme(10)
	}
	s.info(m.prof.iccidAnswer, m.sim.iccid)
	return ok
}

func gcap(_ *Modem, s *session, _ command) answer {
	s.info("+GCAP: +CGSM,+DS,+ES")
	return ok
}

func ipr(m *Modem, s *session, c command) answer {
	switch c.op {
	case opRead:
		s.info("+IPR: %d", m.net.opt.Baud)
	case opTest:
		s.info("+IPR: (0,1200,2400,4800,9600,19200,38400,57600,115200)")
	}
	return ok
}

// setting handles the read, test and set forms of one number.
func setting(s *session, c command, value *int, allowed []int) answer {
	switch c.op {
	case opRead:
		s.info("%s: %d", c.name, *value)
	case opTest:
		s.info("%s: %s", c.name, ranges(allowed))
	default:
		v, good := c.num(0, 0)
		if !good || !slices.Contains(allowed, v) {
			return cme(50)
		}
		*value = v
	}
	return ok
}

// ranges gives values as test commands show them, such as (0-2) or (0,2).
func ranges(values []int) string {
	if n := len(values); n > 2 && values[n-1]-values[0] == n-1 {
		return "(" + strconv.Itoa(values[0]) + "-" + strconv.Itoa(values[n-1]) + ")"
	}
	texts := make([]string, len(values))
	for i, v := range values {
		texts[i] = strconv.Itoa(v)
	}
	return "(" + strings.Join(texts, ",") + ")"
}

func cmee(_ *Modem, s *session, c command) answer { return setting(s, c, &s.set.cmee, seq(0, 2)) }

func clip(_ *Modem, s *session, c command) answer {
	if c.op == opRead {
		s.info("+CLIP: %d,1", s.set.clip)
		return ok
	}
	return setting(s, c, &s.set.clip, seq(0, 1))
}

func clac(m *Modem, s *session, _ command) answer {
	names := make([]string, 0, len(handlers))
	for name := range handlers {
		if !m.prof.lacks(name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	s.info("AT%s", names[0])
	for _, name := range names[1:] {
		s.more("AT%s", name)
	}
	return ok
}
