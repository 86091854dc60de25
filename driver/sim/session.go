package sim

import "time"

type phase int

const (
	phaseIdle    phase = iota
	phaseCommand       // a command line runs
	phasePrompt        // the body of +CMGS or +CMGW is awaited
	phaseRadio         // a submission is on the air
)

// session is the time between a plug and an unplug, with all that a power
// cycle resets.
type session struct {
	port    *port
	in      chan []byte
	gone    chan struct{}
	out     []byte
	resting bool          // a flush is scheduled
	backoff time.Duration // of a host that does not read
	set     settings
	phase   phase
	line    []byte // of the command being typed
	started bool   // "AT" was seen
	last    string // for A/
	resp    []byte // the answer being made
	reply   *reply // the recorded answer to the command that runs, nil: none
	held    [][]byte
	send    sendState
	ussd    bool // a USSD menu is open
	passed  []passage
	cnmiSet bool // the host has set +CNMI since power-on
	life    int  // power-ons so far: what was under way at the last one is lost
}

// passage is a point that the command line passes with its answer.
type passage struct {
	point Point
	line  string
}

// attach makes a port the modem's own and links it.
func (m *Modem) attach(p *port) error {
	if err := replaceLink(p.path, m.link); err != nil {
		p.close()
		return err
	}
	m.sess = &session{port: p, in: make(chan []byte), gone: make(chan struct{})}
	m.powerOn()
	m.net.readers.Add(1)
	go m.sess.read(&m.net.readers)
	return nil
}

// powerOn resets what does not survive without power.
func (m *Modem) powerOn() {
	s := m.sess
	s.life++
	s.set = m.startSettings()
	s.phase, s.line, s.started, s.held, s.send, s.cnmiSet = phaseIdle, nil, false, nil, sendState{}, false
	m.hung, m.unasked, m.pending = m.unpoked, nil, nil
	m.radio.on, m.radio.linkUntil = true, time.Time{}
	if m.net.opt.ResetReference {
		m.sim.reference = 0
	}
	m.sim.powerOn()
	m.radio.told = [3]int{m.stat(0), m.stat(1), m.stat(2)}
	for _, urc := range m.prof.boot {
		m.unsolicited(urc)
	}
}

// detach is an unplug: what was written and not yet read is lost.
func (m *Modem) detach() {
	if m.sess == nil {
		return
	}
	s := m.sess
	m.sess, m.deaf = nil, false
	// The pty of the next plug is opened before this one is given back, so
	// that it gets another name.
	if m.spare == nil && !m.closing() {
		m.spare, _ = m.net.openPort()
	}
	removeLink(s.port.path, m.link)
	close(s.gone)
	s.port.close()
	m.log.add("-- unplugged")
}

func (m *Modem) plug() error {
	if m.sess != nil {
		return nil
	}
	p := m.spare
	m.spare = nil
	if p == nil {
		var err error
		if p, err = m.net.openPort(); err != nil {
			return err
		}
	}
	m.log.add("-- plugged")
	m.ready = time.Now().Add(m.net.opt.BootDelay)
	if err := m.attach(p); err != nil {
		return err
	}
	m.net.reachable(m)
	return nil
}

// restart is a power cycle of a modem that keeps its port.
func (m *Modem) restart() {
	if m.sess == nil {
		return
	}
	m.log.add("-- restarted")
	m.ready = time.Now().Add(m.net.opt.BootDelay)
	m.wakeUp()
	m.powerOn()
	m.net.reachable(m)
}

// Unplug takes the modem from its port: an opener's Read ends, its Write
// gives EIO, the link is gone. SIM and memories keep their content.
func (m *Modem) Unplug() { m.call(m.detach) }

// Plug brings the modem back under another pty, with volatile settings reset,
// and points the link to it. It panics if no pty can be had.
func (m *Modem) Plug() {
	var err error
	m.call(func() { err = m.plug() })
	if err != nil {
		panic(err)
	}
}

// Restart is a power cycle that keeps the port, as of a modem behind a UART.
func (m *Modem) Restart() { m.call(m.restart) }

// lost tells whether what was begun in a life of the modem has no end: it was
// unplugged or restarted since, or it does nothing at present.
func (m *Modem) lost(s *session, life int) bool {
	return s.dead() || m.hung || m.deaf || s.life != life
}

func (s *session) dead() bool {
	select {
	case <-s.gone:
		return true
	default:
		return false
	}
}

// read passes what the host writes to the owner. The two buffers alternate:
// the channel has no room, so when the next chunk is taken the last is done.
func (s *session) read(group interface{ Done() }) {
	defer group.Done()
	var bufs [2][4096]byte
	for i := 0; ; i++ {
		buf := bufs[i%2][:]
		n, err := s.port.master.Read(buf)
		if n > 0 {
			select {
			case s.in <- buf[:n]:
			case <-s.gone:
				return
			}
		}
		if err != nil {
			return
		}
	}
}

const outLimit = 64 << 10 // octets kept for a host that does not read; more is lost

// put sends octets to the host, after those that wait.
func (m *Modem) put(s *session, b []byte) {
	m.queue(s, b)
	m.flush(s)
}

// queue adds octets to those that the next flush sends.
func (m *Modem) queue(s *session, b []byte) {
	if !m.hung && !s.dead() && len(s.out)+len(b) <= outLimit {
		s.out = append(s.out, b...)
	}
}

// flush writes what the host and the speed of the line take at once, and
// comes back for the rest. It never waits.
func (m *Modem) flush(s *session) {
	if s.resting || len(s.out) == 0 || s.dead() {
		return
	}
	chunk, rest := s.out, time.Duration(0)
	if baud := m.net.opt.Baud; baud > 0 {
		chunk = chunk[:min(len(chunk), max(baud/2500, 1))] // 4 ms
		rest = m.lineTime(len(chunk))
	}
	n := s.port.write(chunk)
	s.out = append(s.out[:0], s.out[n:]...)
	switch {
	case n == 0: // the host does not read
		s.backoff = min(max(2*s.backoff, time.Millisecond), 50*time.Millisecond)
		rest = s.backoff
	default:
		s.backoff = 0
	}
	if rest == 0 && len(s.out) > 0 {
		rest = time.Millisecond
	}
	if rest > 0 {
		s.resting = true
		m.later(rest, func() {
			s.resting = false
			m.flush(s)
		})
	}
}

// drain waits until the host has read all that was written for it; for a host
// that does not read, not long.
func (m *Modem) drain(s *session) {
	for (len(s.out) > 0 || s.resting) && !s.dead() && !m.closing() {
		m.pause(time.Millisecond, s.gone)
	}
	for tries, empty := 100, 0; tries > 0 && empty < 2 && !s.dead() && !m.closing(); tries-- {
		if empty++; s.port.unread() > 0 {
			empty = 0
		}
		m.pause(time.Millisecond, s.gone)
	}
}

// lineTime is the time n octets take on the line, ten bits each.
func (m *Modem) lineTime(n int) time.Duration {
	return time.Duration(n) * 10 * time.Second / time.Duration(m.net.opt.Baud)
}

// unsolicited sends an unsolicited result code, or keeps it until the command
// that runs has its answer.
func (m *Modem) unsolicited(text string) {
	s := m.sess
	if s == nil || m.hung {
		return
	}
	b := []byte("\r\n" + text + m.prof.lineEnd)
	if s.phase == phaseCommand || s.phase == phasePrompt {
		s.held = append(s.held, b)
		return
	}
	m.log.add("< " + text)
	m.put(s, b)
}

// idle ends a command: what was held back follows its answer.
func (m *Modem) idle(s *session) {
	s.phase = phaseIdle
	m.release(s)
}

// release sends the unsolicited codes that were held back.
func (m *Modem) release(s *session) {
	for _, b := range s.held {
		m.log.add("< " + string(b[2:len(b)-len(m.prof.lineEnd)]))
		m.put(s, b)
	}
	s.held = nil
}
