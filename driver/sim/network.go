package sim

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// centreNumber is the address of the service centre.
const centreNumber = "+999000000"

// Options set up a [Network]. The zero value is one generic modem without
// delays in a temporary directory.
type Options struct {
	Modems         int           // 0: one
	Dir            string        // of the links modem0, …; made if missing; empty: a temporary one, removed by Close
	Profile        string        // one of Profiles, or several with commas, which the modems take in turn; empty: generic
	Replay         string        // a file that modemgate trace has printed: every modem answers as the one in it; empty: none
	SubmitDelay    time.Duration // time the radio takes for a submission
	LinkHold       time.Duration // what a submission over a link held by +CMMS takes less
	DeliverDelay   time.Duration // from acceptance to delivery
	ReportDelay    time.Duration // from delivery to status report
	ScanDelay      time.Duration // of AT+COPS=?
	BootDelay      time.Duration // of AT+CFUN=1,1; 0: 500 ms
	SIMDelay       time.Duration // time a SIM is busy after its PIN is in
	RetryInterval  time.Duration // of the service centre for held messages, besides their being woken; 0: 10 s
	Baud           int           // octets take their time at this speed, ten bits each; 0: none
	Slots          int           // of each SIM; 0: 30
	Seed           int64         // of chatter, garbling, background noise and chaos
	Noise          time.Duration // mean time between unsolicited codes of each modem; 0: none
	Chaos          float64       // random faults a minute of each modem, on average; 0: none
	ResetReference bool          // TP-MR starts from 0 at each power-on
	JournalSize    int           // entries kept; 0: 100,000, negative: none

	ChaosTold func(modem string, f Fault) // called before each random fault; it must not wait for a modem; nil: nobody is told
}

// Network is a simulated network: modems, phones and the service centre
// between them.
type Network struct {
	opt     Options
	dir     string
	ownDir  bool
	modems  []*Modem
	sched   *scheduler
	readers sync.WaitGroup
	journal journal
	closed  sync.Once
	closes  *closes
	record  *recording // of Options.Replay, nil: none

	mu     sync.Mutex // guards what follows; no modem is waited for under it
	phones map[string]*Phone
	lastID uint64
	lanes  map[laneKey]*lane
}

// New starts a network. Close ends it.
func New(o Options) (*Network, error) {
	profs, err := findProfiles(o.Profile)
	if err != nil {
		return nil, err
	}
	if o.Modems < 0 || o.Modems > 900 || o.Slots < 0 || o.Slots > 10000 || o.Baud < 0 {
		return nil, errors.New("simulated network: modems must be 0 to 900, slots 0 to 10000, baud not negative")
	}
	o.fillDefaults()
	n := &Network{
		opt: o, dir: o.Dir, sched: newScheduler(), closes: newCloses(), journal: journal{max: max(o.JournalSize, 0)},
		phones: map[string]*Phone{}, lanes: map[laneKey]*lane{},
	}
	if err := n.start(profs); err != nil {
		return nil, errors.Join(err, n.Close())
	}
	return n, nil
}

func (o *Options) fillDefaults() {
	setDefault(&o.Modems, 1)
	setDefault(&o.Slots, 30)
	setDefault(&o.JournalSize, 100_000)
	setDefault(&o.BootDelay, 500*time.Millisecond)
	setDefault(&o.RetryInterval, 10*time.Second)
}

func setDefault[T comparable](v *T, to T) {
	if *v == *new(T) {
		*v = to
	}
}

func (n *Network) start(profs []profile) (err error) {
	if n.opt.Replay != "" {
		if n.record, err = readRecording(n.opt.Replay); err != nil {
			return err
		}
	}
	if n.dir == "" {
		if n.dir, err = os.MkdirTemp("", "modems-"); err != nil {
			return err
		}
		n.ownDir = true
	}
	if n.dir, err = filepath.Abs(n.dir); err != nil {
		return err
	}
	if err := os.MkdirAll(n.dir, 0o755); err != nil {
		return fmt.Errorf("directory for the links of simulated modems: %w", err)
	}
	for i := range n.opt.Modems {
		m, err := newModem(n, i, profs[i%len(profs)])
		if err != nil {
			return err
		}
		n.modems = append(n.modems, m)
	}
	for i, m := range n.modems {
		n.startNoise(m)
		n.startChaos(m, i)
	}
	return nil
}

// startNoise lets a modem chatter at random times.
func (n *Network) startNoise(m *Modem) {
	mean := n.opt.Noise
	if mean <= 0 || len(m.prof.chatter) == 0 {
		return
	}
	var tick func()
	tick = func() {
		if text := m.prof.chatter[m.rng.IntN(len(m.prof.chatter))]; m.sess != nil && !m.sess.set.silenced {
			m.unsolicited(text)
		}
		m.later(time.Duration(m.rng.Int64N(int64(2*mean)))+1, tick)
	}
	m.later(mean, tick)
}

// Close ends the modems, removes their links and waits for all goroutines.
func (n *Network) Close() error {
	var err error
	n.closed.Do(func() {
		for _, m := range n.modems {
			m.close()
		}
		n.sched.close()
		n.readers.Wait()
		n.closes.close()
		if n.ownDir {
			err = os.RemoveAll(n.dir)
		}
	})
	return err
}

// Modems gives the modems in the order of their numbers.
func (n *Network) Modems() []*Modem { return append([]*Modem(nil), n.modems...) }

// Modem finds a modem by name or number, nil if there is none.
func (n *Network) Modem(nameOrNumber string) *Modem {
	for _, m := range n.modems {
		if m.name == nameOrNumber {
			return m
		}
	}
	return n.modemAt(nameOrNumber)
}

// modemAt finds the modem with a number, with or without its '+'.
func (n *Network) modemAt(number string) *Modem {
	i := 0
	digits, mine := strings.CutPrefix(strings.TrimPrefix(number, "+"), "999")
	if !mine || len(digits) != 6 {
		return nil
	}
	for _, r := range digits {
		if r < '0' || r > '9' {
			return nil
		}
		i = i*10 + int(r-'0')
	}
	if i < 1 || i > len(n.modems) {
		return nil
	}
	return n.modems[i-1]
}

// Phone gives the phone with a number (`+4479…`, `12345`) or, for sending
// only, an alphanumeric name. It is made on first use.
func (n *Network) Phone(number string) *Phone {
	key := strings.TrimPrefix(number, "+")
	n.mu.Lock()
	defer n.mu.Unlock()
	p := n.phones[key]
	if p == nil {
		p = newPhone(n, number)
		n.phones[key] = p
	}
	return p
}

// Phones gives the phones used so far, in no order.
func (n *Network) Phones() []*Phone {
	n.mu.Lock()
	defer n.mu.Unlock()
	list := make([]*Phone, 0, len(n.phones))
	for _, p := range n.phones {
		list = append(list, p)
	}
	return list
}
