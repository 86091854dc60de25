package sim

import (
	"slices"
	"time"
)

// message is a short message, or a status report, in the service centre.
type message struct {
	id        uint64
	from, to  string
	d         deliver
	tpdu      []byte
	raw       string // listed by the modem instead of tpdu
	rawLength int
	report    bool
	pid       byte
	class     int
	expires   time.Time
	held      bool // a first attempt failed

	// Of a submission by a modem.
	sender    *Modem
	mr        int
	wantsNews bool // TP-SRR
	sentAt    time.Time
}

// TP-Status of reports, 23.040 §9.2.3.15.
const (
	StatusDelivered = 0x00 // received by the recipient
	StatusPending   = 0x22 // no response, the centre still tries
	StatusExpired   = 0x46 // validity period expired
)

const (
	defaultValidity = 48 * time.Hour
	reportsHeld     = 1000 // status reports that wait for a modem; older ones are dropped
)

// laneKey names a queue to a modem; reports do not wait behind messages that
// find no slot.
type laneKey struct {
	modem  *Modem
	report bool
}

type lane struct {
	queue []*message
	busy  bool // the first is on its way
	armed bool // a retry is scheduled
}

// accept takes a SUBMIT from a modem into the network.
func (n *Network) accept(m *Modem, sub submit, reports bool) {
	now := time.Now()
	d := deliver{from: m.number, udhi: sub.first&tpUDHI != 0, pid: sub.pid, dcs: sub.dcs, at: now.Truncate(time.Second),
		udl: sub.udl, ud: slices.Clone(sub.ud)}
	msg := n.newMessage(m.number, sub.to, d)
	msg.sender, msg.mr, msg.sentAt = m, int(sub.mr), now
	msg.wantsNews = sub.first&tpReport != 0 && reports
	if v := sub.validity(now); v > 0 {
		msg.expires = now.Add(v)
	}
	if n.journal.max > 0 {
		e := msg.entry(JournalSubmitted)
		e.Modem, e.PDU = m.name, upperHex(sub.encode())
		n.journal.add(e)
	}
	n.route(msg)
}

func (n *Network) refused(m *Modem, sub submit, code int) {
	d := deliver{from: m.number, udhi: sub.first&tpUDHI != 0, dcs: sub.dcs, udl: sub.udl, ud: slices.Clone(sub.ud)}
	e := n.newMessage(m.number, sub.to, d).entry(JournalRefused)
	e.Modem, e.Code, e.PDU = m.name, code, upperHex(sub.encode())
	n.journal.add(e)
}

func (n *Network) newMessage(from, to string, d deliver) *message {
	n.mu.Lock()
	n.lastID++
	id := n.lastID
	n.mu.Unlock()
	return &message{id: id, from: from, to: to, d: d, mr: -1, pid: d.pid, class: classOf(d.dcs),
		expires: time.Now().Add(defaultValidity)}
}

func (msg *message) entry(kind string) Entry {
	e := Entry{Kind: kind, ID: msg.id, From: msg.from, To: msg.to, Reference: msg.mr}
	var c *concat
	if e.Text, c = userData(msg.d.dcs, msg.d.udhi, msg.d.udl, msg.d.ud); c != nil {
		e.Ref, e.Part, e.Parts = c.ref, c.seq, c.total
	}
	return e
}

// route sends a message on to its recipient.
func (n *Network) route(msg *message) {
	if n.opt.DeliverDelay > 0 {
		n.sched.after(n.opt.DeliverDelay, func() { n.deliver(msg) })
		return
	}
	n.deliver(msg)
}

func (n *Network) deliver(msg *message) {
	if m := n.modemAt(msg.to); m != nil {
		if msg.tpdu == nil {
			msg.tpdu = msg.d.encode()
		}
		n.enqueue(m, msg)
		return
	}
	n.Phone(msg.to).offer(msg)
}

func (n *Network) enqueue(m *Modem, msg *message) {
	key := laneKey{m, msg.report}
	n.mu.Lock()
	l := n.lanes[key]
	if l == nil {
		l = &lane{}
		n.lanes[key] = l
	}
	if msg.report && len(l.queue) >= reportsHeld {
		l.queue = slices.Delete(l.queue, 1, 2) // the oldest that is not on its way
	}
	l.queue = append(l.queue, msg)
	first := len(l.queue) == 1
	n.mu.Unlock()
	if first { // others wait behind one that is on its way or held
		n.push(key)
	}
}

// push tries the first message of a lane.
func (n *Network) push(key laneKey) {
	n.mu.Lock()
	defer n.mu.Unlock()
	l := n.lanes[key]
	if l == nil || l.busy || len(l.queue) == 0 {
		return
	}
	l.busy = true
	msg := l.queue[0]
	key.modem.box.post(func() { n.attempted(key, msg, key.modem.receive(msg)) })
}

// reachable wakes what waits for a modem.
func (n *Network) reachable(m *Modem) {
	n.push(laneKey{m, true})
	n.push(laneKey{m, false})
}

// attempted acts on the outcome of a delivery to a modem.
func (n *Network) attempted(key laneKey, msg *message, r receipt) {
	n.mu.Lock()
	l := n.lanes[key]
	l.busy = false
	if r == receiptTaken {
		l.queue = l.queue[1:]
		n.mu.Unlock()
		if !msg.report {
			n.delivered(msg, key.modem.name)
		}
		n.push(key)
		return
	}
	first := !msg.held && r != receiptBusy
	msg.held = msg.held || first
	if !l.armed {
		l.armed = true
		n.sched.after(n.opt.RetryInterval, func() {
			n.mu.Lock()
			l.armed = false
			n.mu.Unlock()
			n.push(key)
		})
	}
	n.mu.Unlock()
	if first {
		n.hold(msg, key.modem.name, func() bool { return n.withdraw(key, msg) })
	}
}

// withdraw takes a held message out of its lane; false while it is on its way
// or when it is gone.
func (n *Network) withdraw(key laneKey, msg *message) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	l := n.lanes[key]
	i := slices.Index(l.queue, msg)
	if i < 0 || i == 0 && l.busy {
		return false
	}
	l.queue = slices.Delete(l.queue, i, i+1)
	return true
}

// hold notes that a message waits, and ends it when its validity does.
func (n *Network) hold(msg *message, modem string, withdraw func() bool) {
	if msg.report {
		return
	}
	e := msg.entry(JournalHeld)
	e.Modem = modem
	n.journal.add(e)
	n.report(msg, StatusPending)
	n.sched.after(time.Until(msg.expires), func() {
		if withdraw() {
			n.journal.add(msg.entry(JournalExpired))
			n.report(msg, StatusExpired)
		}
	})
}

func (n *Network) delivered(msg *message, modem string) {
	if n.journal.max > 0 {
		e := msg.entry(JournalDelivered)
		e.Modem = modem
		n.journal.add(e)
	}
	n.report(msg, StatusDelivered)
}

// report sends a status report to the modem that asked for one.
func (n *Network) report(msg *message, status byte) {
	if !msg.wantsNews {
		return
	}
	now := time.Now()
	tpdu := statusReport{mr: byte(msg.mr), to: msg.to, sent: msg.sentAt, done: now, status: status}.encode()
	r := &message{id: msg.id, report: true, tpdu: tpdu, expires: now.Add(defaultValidity)}
	send := func() {
		n.enqueue(msg.sender, r)
		n.journal.add(Entry{Kind: JournalReport, ID: msg.id, Modem: msg.sender.name, From: msg.to, To: msg.from,
			Reference: msg.mr, Status: int(status), PDU: upperHex(tpdu)})
	}
	if n.opt.ReportDelay > 0 {
		n.sched.after(n.opt.ReportDelay, send)
		return
	}
	send()
}
