package sim

import (
	"fmt"
	"slices"
	"time"
)

// receipt is what a modem tells the service centre of a delivery.
type receipt int

const (
	receiptTaken  receipt = iota
	receiptFull           // memory capacity exceeded: the centre waits for space
	receiptAbsent         // not reachable: the centre waits for the modem
	receiptBusy           // a direct delivery waits for +CNMA first
)

// directDelivery is a +CMT or +CDS that waits for +CNMA.
type directDelivery struct {
	rec   *record
	class int
}

const ackTime = 15 * time.Second // for +CNMA; then the modem stores and stops direct routing

// receive takes a message from the network.
func (m *Modem) receive(msg *message) receipt {
	if m.sess == nil || !m.registered() {
		return receiptAbsent
	}
	r := &record{state: stateUnread, sca: centreNumber, tpdu: msg.tpdu, raw: msg.raw, length: msg.rawLength}
	if msg.pid == pidSilent {
		return receiptTaken
	}
	if msg.report {
		return m.receiveReport(r)
	}
	if m.replace(r, msg) {
		return receiptTaken
	}
	if m.routed(msg.class) {
		if len(m.pending) > 0 {
			return receiptBusy
		}
		m.indicate(m.directText("+CMT", r))
		m.awaitAck(directDelivery{r, msg.class})
		return receiptTaken
	}
	if !m.keep(r, msg.class) {
		return receiptFull
	}
	if m.take(FaultDuplicate, "") != nil || m.prof.twice {
		twin := *r
		m.keep(&twin, msg.class)
	}
	return receiptTaken
}

const (
	pidSilent   = 0x40 // short message type 0: acknowledged and dropped, 23.040 §9.2.3.9
	reportClass = -2   // of a directDelivery: it is a status report
)

// replace puts a message of a replace type into the slot of the one it
// replaces (23.040 §9.2.3.9: TP-PID 0x41-0x47 and the same sender).
func (m *Modem) replace(r *record, msg *message) bool {
	if msg.pid < 0x41 || msg.pid > 0x47 {
		return false
	}
	for _, y := range []*memory{m.sim.mem, m.phoneMem} {
		for i, old := range y.slots {
			if old == nil || old.state > stateRead {
				continue
			}
			if f := old.fields(); f.number == msg.from && f.pid == msg.pid {
				y.slots[i] = r
				m.announce(y.name, i+y.first)
				return true
			}
		}
	}
	return false
}

// routed tells whether +CNMI <mt> routes a message to the host: 2 all but
// those for the SIM, 3 class 3; flash messages (class 0) also under 1, as most
// modems do.
func (m *Modem) routed(class int) bool {
	mt := m.sess.set.cnmi[1]
	return mt == 2 && class != 2 || mt == 3 && class == 3 || mt > 0 && class == 0
}

func (m *Modem) directText(code string, r *record) string {
	s := m.sess
	if s.set.cmgf == 0 {
		pdu, length := r.pdu()
		if code == "+CMT" {
			return fmt.Sprintf("+CMT: ,%d\r\n%s", length, pdu)
		}
		if m.prof.cdsComma {
			return fmt.Sprintf("%s: ,%d\r\n%s", code, length, pdu)
		}
		return fmt.Sprintf("%s: %d\r\n%s", code, length, pdu)
	}
	f := r.fields()
	if p := f.report; p != nil {
		return fmt.Sprintf(`%s: %d,%d,"%s",%d,"%s","%s",%d`, code, f.fo, p.mr, m.toHost(s, p.to), p.toa, timeText(p.sent),
			timeText(p.done), p.status)
	}
	return fmt.Sprintf("%s: \"%s\",,\"%s\"\r\n%s", code, m.toHost(s, f.number), timeText(f.at), m.bodyToHost(s, f))
}

// awaitAck waits for +CNMA under +CSMS=1. Without it the modem keeps the
// message and ends direct routing, as several manuals say.
func (m *Modem) awaitAck(d directDelivery) {
	s := m.sess
	if s.set.csms == 0 {
		return
	}
	m.pending = append(m.pending, d)
	m.later(ackTime, func() {
		if m.sess != s {
			return
		}
		i := slices.IndexFunc(m.pending, func(p directDelivery) bool { return p.rec == d.rec })
		if i < 0 {
			return
		}
		m.pending = slices.Delete(m.pending, i, i+1)
		s.set.cnmi[1], s.set.cnmi[3] = 0, 0
		if d.class != reportClass {
			m.keep(d.rec, d.class)
		}
		m.net.reachable(m)
	})
}

// cnma is +CNMA, 3GPP TS 27.005 §3.4.4: 0 or nothing takes, 1 takes with an
// acknowledgement PDU, 2 refuses; a refused message is kept.
func cnma(m *Modem, s *session, c command) answer {
	if c.op == opTest {
		s.info("+CNMA: (0-2)")
		return ok
	}
	n, good := c.num(0, 0)
	if !good || n > 2 {
		return cms(302)
	}
	if len(m.pending) == 0 {
		return cms(340)
	}
	d := m.pending[0]
	m.pending = m.pending[1:]
	if n == 2 && d.class != reportClass {
		m.keep(d.rec, d.class)
	}
	m.net.reachable(m)
	return ok
}

// keep stores a received message and announces it. Class 2 goes to the SIM.
func (m *Modem) keep(r *record, class int) bool {
	name := m.receiveMemory()
	if class == 2 {
		name = "SM"
	}
	if s := m.sess; m.prof.mustBind && s != nil && s.set.mem[2] != s.set.mem[0] {
		return true // taken from the network and nowhere to be found
	}
	index, stored := 0, false
	if !m.under(FaultStorageFull) {
		y := m.memory(name)
		if name == "MT" {
			y = m.sim.mem
			if index, stored = y.add(r); !stored {
				y = m.phoneMem
			}
			name = y.name
		}
		if !stored {
			index, stored = y.add(r)
		}
	}
	if !stored {
		if m.prof.full != "" {
			m.unsolicited(fmt.Sprintf(m.prof.full, name))
		}
		return false
	}
	m.announce(name, index)
	return true
}

// announce says where a message was stored, if +CNMI asks for it.
func (m *Modem) announce(name string, index int) {
	switch s := m.sess; {
	case s == nil || s.set.cnmi[1] == 0:
	case m.prof.cmti != "":
		m.indicate(m.prof.cmti)
	default:
		m.indicate(fmt.Sprintf(`+CMTI: "%s",%d`, name, index))
	}
}

func (m *Modem) receiveMemory() string {
	if m.prof.into != "" {
		return m.prof.into
	}
	if m.sess != nil {
		return m.sess.set.mem[2]
	}
	return m.prof.mem[2]
}

// receiveReport takes a status report: +CNMI <ds> 1 routes it, 2 stores it in
// "SR"; 0 drops it. A report waits for the first +CNMI after power-on: a real
// modem needs seconds to register, and its host has set +CNMI by then.
func (m *Modem) receiveReport(r *record) receipt {
	switch m.sess.set.cnmi[3] {
	case 0:
		if !m.sess.cnmiSet {
			return receiptBusy
		}
	case 1:
		if len(m.pending) > 0 {
			return receiptBusy
		}
		m.indicate(m.directText("+CDS", r))
		m.awaitAck(directDelivery{r, reportClass})
	case 2:
		if m.prof.reportIn == "" {
			m.indicate(`+CDSI: "SM",0`)
			return receiptTaken
		}
		index, stored := m.memory(m.prof.reportIn).add(r)
		if !stored {
			return receiptFull
		}
		m.indicate(fmt.Sprintf(`+CDSI: %q,%d`, m.prof.reportIn, index))
	}
	return receiptTaken
}

// memoryFreed tells the service centre that there is space again.
func (m *Modem) memoryFreed() { m.net.reachable(m) }
