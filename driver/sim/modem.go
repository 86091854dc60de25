package sim

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"
)

// Modem is one simulated modem with its SIM. All methods are safe for
// concurrent use, also from a hook of the same modem.
type Modem struct {
	net                       *Network
	index                     int
	name, link                string
	number, iccid, imsi, imei string
	prof                      profile
	replay                    *replay // nil: none
	box                       *mailbox
	quit, ended               chan struct{}
	afterEnd                  sync.Mutex
	hook                      atomic.Pointer[func(Occasion)]

	// Owned by the modem's goroutine.
	rng      *rand.Rand
	sess     *session // nil while unplugged
	spare    *port    // the pty of the next Plug
	faults   []*Fault
	hung     bool
	second   *port // of HangUntilPoked
	unpoked  bool  // nothing has come on it yet
	deaf     bool
	sim      simCard
	phoneMem *memory // "ME"
	reports  *memory // "SR"
	radio    radio
	log      transcript
	pending  []directDelivery // +CMT and +CDS that wait for +CNMA
	ready    time.Time        // of a restart: the SIM can be used
	unasked  []string         // unsolicited codes that +CNMI mode 0 keeps back
}

// Occasion is what a hook is told.
type Occasion struct {
	Modem   *Modem
	Point   Point
	Command string // the command line without AT
}

func newModem(n *Network, index int, prof profile) (*Modem, error) {
	serial := index + 1
	m := &Modem{
		net: n, index: index, prof: prof, name: fmt.Sprintf("modem%d", index),
		number: fmt.Sprintf("+999%06d", serial),
		iccid:  withLuhn(fmt.Sprintf("89999%013d", serial)),
		imsi:   fmt.Sprintf("99999%010d", serial),
		imei:   withLuhn(fmt.Sprintf("00101%09d", serial)),
		box:    newMailbox(), quit: make(chan struct{}), ended: make(chan struct{}),
		rng: rand.New(rand.NewPCG(uint64(n.opt.Seed), uint64(index))),
		log: transcript{max: 2000},
	}
	if n.record != nil {
		m.replay = &replay{rec: n.record, told: map[string]int{}}
		if len(n.record.boot) > 0 {
			m.prof.boot = n.record.boot
		}
	}
	m.link = filepath.Join(n.dir, m.name)
	m.sim = newSIM(n.opt.Slots, prof.firstIndex)
	m.sim.iccid, m.sim.imsi = m.iccid, m.imsi
	m.phoneMem = newMemory("ME", prof.memSlots, prof.firstIndex)
	m.reports = newMemory("SR", 20, prof.firstIndex)
	m.radio = radio{on: true, stat: [3]int{1, 1, 1}, cell: [2]string{"1A2B", fmt.Sprintf("0001B2C%d", index%10)}, signal: 21, rsrp: 50}
	p, err := n.openPort()
	if err != nil {
		return nil, err
	}
	if err := m.attach(p); err != nil {
		return nil, err
	}
	go m.run()
	return m, nil
}

// withLuhn appends the Luhn check digit (ISO/IEC 7812-1 annex B).
func withLuhn(digits string) string {
	sum := 0
	for i := range len(digits) {
		d := int(digits[len(digits)-1-i] - '0')
		if i%2 == 0 {
			d *= 2
		}
		sum += d/10 + d%10
	}
	return digits + string(rune('0'+(10-sum%10)%10))
}

// Name is the name of the modem: modem0, modem1, …
func (m *Modem) Name() string { return m.name }

// Path is the link to open; it stays the same over unplug and plug.
func (m *Modem) Path() string { return m.link }

// Number is the MSISDN of the line, +999000001 and up.
func (m *Modem) Number() string { return m.number }

// ICCID is the number of the modem's own SIM, 19 digits from 89999 with a check digit.
func (m *Modem) ICCID() string { return m.iccid }

// IMSI is the subscriber identity, 15 digits from 99999.
func (m *Modem) IMSI() string { return m.imsi }

// IMEI is the identity of the modem, 15 digits of the test range 00101.
func (m *Modem) IMEI() string { return m.imei }

// OnPoint sets the function called at each [Point], nil for none. The modem
// stands still until it returns, but serves deliveries, Inject, Unplug, ….
func (m *Modem) OnPoint(f func(Occasion)) {
	if f == nil {
		m.hook.Store(nil)
		return
	}
	m.hook.Store(&f)
}

// call runs f on the modem's goroutine and waits for it; after Close it runs
// f here.
func (m *Modem) call(f func()) {
	done := make(chan struct{})
	m.box.post(func() { f(); close(done) })
	select {
	case <-done:
	case <-m.ended:
		m.afterEnd.Lock()
		defer m.afterEnd.Unlock()
		select {
		case <-done:
		default:
			f()
		}
	}
}

func (m *Modem) run() {
	defer close(m.ended)
	for {
		var in <-chan []byte
		s := m.sess
		if s != nil && !m.deaf {
			in = s.in
		}
		select {
		case <-m.quit:
			m.detach()
			if m.spare != nil {
				m.spare.close()
			}
			if m.second != nil {
				m.second.close()
			}
			return
		case <-m.box.wake:
			m.box.run()
		case chunk := <-in:
			m.feed(s, chunk)
		}
	}
}

// pause waits for d (negative: without end) or until done, and serves the
// mailbox meanwhile.
func (m *Modem) pause(d time.Duration, done <-chan struct{}) {
	var end <-chan time.Time
	if d >= 0 {
		timer := time.NewTimer(d)
		defer timer.Stop()
		end = timer.C
	}
	for {
		select {
		case <-m.box.wake:
			m.box.run()
		case <-end:
			return
		case <-done:
			return
		case <-m.quit:
			return
		}
	}
}

// later posts f to the modem after d.
func (m *Modem) later(d time.Duration, f func()) {
	m.net.sched.after(d, func() { m.box.post(f) })
}

// at passes a point: faults strike, the hook runs.
func (m *Modem) at(point Point, line string) {
	hook := m.hook.Load()
	if hook == nil && len(m.faults) == 0 {
		return
	}
	if m.sess != nil && (point == PointPrompt || point == PointAnswered || point == PointListed) {
		m.drain(m.sess)
	}
	for _, kind := range pointFaults {
		if f := m.takeAt(kind, line, point); f != nil {
			m.strike(*f)
		}
	}
	if hook != nil {
		done := make(chan struct{})
		go func() {
			defer close(done)
			(*hook)(Occasion{Modem: m, Point: point, Command: line})
		}()
		m.pause(-1, done)
	}
}

// strike makes a fault of the whole modem act.
func (m *Modem) strike(f Fault) {
	switch f.Kind {
	case FaultHang:
		m.hung = true
	case FaultStopReading:
		m.deaf = true
		if m.sess != nil {
			m.sess.port.flow(false)
		}
	case FaultReboot:
		m.restart()
		return
	case FaultUnplug:
		m.detach()
		if f.Delay > 0 {
			m.later(f.Delay, func() { _ = m.plug() })
		}
		return
	}
	if f.Delay > 0 {
		m.later(f.Delay, m.wakeUp)
	}
}

func (m *Modem) wakeUp() {
	m.hung = m.unpoked
	if m.deaf {
		m.deaf = false
		if m.sess != nil {
			m.sess.port.flow(true)
		}
	}
}

func (m *Modem) close() {
	close(m.quit)
	<-m.ended
}

func (m *Modem) closing() bool {
	select {
	case <-m.quit:
		return true
	default:
		return false
	}
}
