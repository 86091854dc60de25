package usb

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"
)

// Want says which modem a line is. Exactly one of the first four is set.
type Want struct {
	Port  string // a device node or a link to one
	Path  string // the USB socket: "1-1.2"
	IMEI  string
	ICCID string

	Adopted bool // ICCID was adopted: what is configured goes first
}

// Options are what a [Finder] needs.
type Options struct {
	Tree Tree
	// Ask asks the modem on a port who it is. careful means that the port is
	// not known to be one for AT commands.
	Ask func(ctx context.Context, port string, careful bool) (Identity, error)
	// Auto has every known modem asked, not only while a line looks for one.
	Auto  bool
	Every time.Duration // between two looks at sysfs, 0: 1 s
	Log   *slog.Logger  // nil for silence
}

// How long what is new is looked at more closely, in rounds: so that udev's links
// to its ports, which come 0.6 to 1.2 s after a plug, are noticed when they come.
const (
	linksAfter = 5 // links are looked for
	quickAfter = 2 // there are so many looks in a round:
	quickLooks = 4
)

// settleAfter is how long the device of a new port without links may turn out to
// be the one that a configured link leads to.
func (f *Finder) settleAfter() time.Duration { return f.o.Every * 3 / 2 }

// Finder keeps an eye on what is plugged in and knows which modem is which.
// It asks a modem once per plug and remembers the answer until the modem
// vanishes. [Finder.Run] does the work; all methods are safe for concurrent
// use.
type Finder struct {
	o    Options
	log  *slog.Logger
	sem  chan struct{}
	kick chan struct{}

	mu      sync.Mutex
	looked  bool // the first scan is done
	err     error
	devices []*known
	wants   map[string]Want   // by line
	leads   map[string]string // what the ports of lines led to at the last look
	astray  bool              // one of them led nowhere
	shared  map[string]bool   // what two devices called themselves alike
	changed chan struct{}     // closed at the next change
}

// known is a device that is plugged in. Guarded by Finder.mu.
type known struct {
	Device
	port  string // node of the port that answered
	id    Identity
	was   []string  // ICCIDs of SIMs that have left it
	since time.Time // when it, or the last of its ports, appeared
	owner string    // the line that uses it
	nodes []string  // what its nodes led to at the last look

	steady        bool // all its ports were there at the last look already
	links, linked bool // udev had made links to each port at the last look, and at the one before
	asking, asked bool
	err           error // why the last question was not answered
	tries         int
	next          time.Time // not to be asked before
}

// Found is a device with what is known of it.
type Found struct {
	Device
	Identity Identity
	Answers  string // node of the port it was asked on, "" if it was not
	Line     string // that uses it, "" if none
	Err      error  // why it could not be asked
}

// NewFinder makes a finder for lines by name; [Finder.Add] adds more.
func NewFinder(o Options, lines map[string]Want) *Finder {
	if o.Every == 0 {
		o.Every = time.Second
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	f := &Finder{
		o: o, log: o.Log, sem: make(chan struct{}, askTogether), kick: make(chan struct{}, 1),
		wants: map[string]Want{}, shared: map[string]bool{}, changed: make(chan struct{}),
	}
	for name, w := range lines {
		f.wants[name] = w
	}
	return f
}

// Add makes the wish of another line known.
func (f *Finder) Add(line string, w Want) {
	f.mu.Lock()
	f.wants[line] = w
	f.resolve()
	f.mu.Unlock()
	f.poke()
}

// Changed is closed at the next change of what is plugged in or known of it.
func (f *Finder) Changed() <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.changed
}

// Devices lists what is plugged in, by path, and the error of the last scan.
func (f *Finder) Devices() ([]Found, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := make([]Found, 0, len(f.devices))
	for _, k := range f.devices {
		d := Found{Device: k.Device, Identity: k.id, Answers: k.port, Line: k.owner, Err: k.err}
		if d.Line == "" {
			d.Line = f.reservedBy(k)
		}
		d.Ports = slices.Clone(k.Ports)
		out = append(out, d)
	}
	return out, f.err
}

// Adoptable lists the SIMs in modems that answer and that no configured line
// claims.
func (f *Finder) Adoptable() []Found {
	all, _ := f.Devices()
	return slices.DeleteFunc(all, func(d Found) bool { return d.Identity.ICCID == "" || d.Line != "" })
}

// Run looks after the devices until ctx ends.
func (f *Finder) Run(ctx context.Context) error {
	var asks sync.WaitGroup
	defer asks.Wait()
	tick := time.NewTimer(f.o.Every)
	defer tick.Stop()
	var seen string
	var since time.Time
	for {
		if now := f.o.Tree.trace(); now != seen || since.IsZero() {
			seen, since = now, time.Now()
		}
		if time.Since(since) <= linksAfter*f.o.Every {
			f.look()
		} else {
			f.follow()
		}
		for _, k := range f.due(time.Now()) {
			asks.Go(func() { f.ask(ctx, k) })
		}
		if tick.Reset(f.o.Every); time.Since(since) <= quickAfter*f.o.Every {
			tick.Reset(f.o.Every / quickLooks)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		case <-f.kick:
		}
	}
}

func (f *Finder) poke() {
	select {
	case f.kick <- struct{}{}:
	default:
	}
}

// tell wakes whoever waits for a change. The caller holds mu.
func (f *Finder) tell() {
	close(f.changed)
	f.changed = make(chan struct{})
}

// look scans and takes over what is known of the devices that are still there.
func (f *Finder) look() {
	devices, err := f.o.Tree.Scan()
	f.mu.Lock()
	defer f.mu.Unlock()
	if err != nil && (f.err == nil || f.err.Error() != err.Error()) {
		f.log.Warn("cannot look for USB modems", "err", err)
	}
	if f.err = err; err != nil {
		return // what was known stays so
	}
	first := !f.looked
	f.looked = true
	namesakes(devices, f.shared)
	old := map[string]*known{}
	for _, k := range f.devices {
		old[k.key()] = k
	}
	fresh := make([]*known, 0, len(devices))
	different := len(devices) != len(f.devices)
	for _, d := range devices {
		k := old[d.key()]
		delete(old, d.key())
		if k == nil {
			k = &known{since: time.Now()}
			different = true
			f.log.Info("USB device appeared", "device", d.String(), "mode", d.Mode, "ports", len(d.Ports), "note", d.Words())
		} else if !slices.EqualFunc(k.Ports, d.Ports, func(a, b Port) bool { return a.Name == b.Name && a.Role == b.Role }) || k.Off != d.Off {
			different, k.steady, k.links, k.since = true, false, false, time.Now()
			if !k.asked {
				k.tries, k.next = 0, time.Time{} // its ports come one by one
			}
		} else {
			k.steady = true
		}
		k.Device = d
		k.links, k.linked = len(d.Ports) > 0 && !slices.ContainsFunc(d.Ports, func(p Port) bool { return len(p.Links) == 0 }), k.links
		fresh = append(fresh, k)
	}
	for _, k := range old {
		different = true
		f.log.Info("USB device vanished", "device", k.String(), "line", k.owner)
	}
	f.devices = fresh
	f.resolve()
	if different || first {
		f.tell()
	}
}
