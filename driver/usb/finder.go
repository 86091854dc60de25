package usb

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"
)

// Identity is what a modem said of itself and its SIM. Any field may be "".
type Identity struct {
	IMEI  string // of the modem
	ICCID string // of the SIM
	Model string
}

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

// Limits of asking.
const (
	askTogether = 8 // modems at once
	askTimeout  = time.Minute
	askFirst    = 500 * time.Millisecond // after the first failure: udev may not have set the rights yet
	askMax      = time.Minute
	askAgain    = 30 * time.Second // a modem whose SIM is not the one somebody looks for, or tells nothing
)

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
	wants   map[string]Want // by line
	changed chan struct{}   // closed at the next change
}

// known is a device that is plugged in. Guarded by Finder.mu.
type known struct {
	Device
	port  string // node of the port that answered
	id    Identity
	was   []string // ICCIDs of SIMs that have left it
	owner string   // the line that uses it

	steady        bool // all its ports were there at the last look already
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
		wants: map[string]Want{}, changed: make(chan struct{}),
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
	tick := time.NewTicker(f.o.Every)
	defer tick.Stop()
	seen, again := "", true
	for {
		now := f.o.Tree.trace()
		if now != seen || again {
			again = now != seen // links come a moment later
			seen = now
			f.look()
		}
		for _, k := range f.due(time.Now()) {
			asks.Go(func() { f.ask(ctx, k) })
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
			k = &known{}
			different = true
			f.log.Info("USB device appeared", "device", d.String(), "mode", d.Mode, "ports", len(d.Ports), "note", d.Words())
		} else if !slices.EqualFunc(k.Ports, d.Ports, func(a, b Port) bool { return a.Name == b.Name && a.Role == b.Role }) {
			different, k.steady = true, false
			if !k.asked {
				k.tries, k.next = 0, time.Time{} // its ports come one by one
			}
		} else {
			k.steady = true
		}
		k.Device = d
		fresh = append(fresh, k)
	}
	for _, k := range old {
		different = true
		f.log.Info("USB device vanished", "device", k.String(), "line", k.owner)
	}
	f.devices = fresh
	if different || first {
		f.tell()
	}
}

// due lists the devices to be asked now, and marks them.
func (f *Finder) due(now time.Time) []*known {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []*known
	for _, k := range f.devices {
		if k.owner != "" || k.asking || now.Before(k.next) || !f.curious(k) {
			continue
		}
		k.asking = true
		out = append(out, k)
	}
	return out
}

// curious says whether somebody wants to know who this is.
func (f *Finder) curious(k *known) bool {
	ports, named := k.Candidates()
	if len(ports) == 0 || !named && !k.steady {
		return false
	}
	if line := f.reservedBy(k); line != "" {
		w := f.wants[line]
		return w.Path != "" && !named && k.port == "" // which of its ports is it?
	}
	if !k.asked {
		return f.o.Auto || f.missing(func(Want) bool { return true })
	}
	if k.id.ICCID == "" {
		return f.o.Auto || f.missing(func(w Want) bool { return w.ICCID != "" })
	}
	return f.missing(func(w Want) bool {
		return slices.ContainsFunc(k.was, func(s string) bool { return SameICCID(s, w.ICCID) })
	})
}

// missing says whether a line of such a kind looks for a modem by IMEI or SIM.
func (f *Finder) missing(kind func(Want) bool) bool {
	for line, w := range f.wants {
		if w.IMEI == "" && w.ICCID == "" || !kind(w) {
			continue
		}
		if !slices.ContainsFunc(f.devices, func(k *known) bool { return k.owner == line || w.fits(k) }) {
			return true
		}
	}
	return false
}

// fits says whether a device is known to be the wanted one.
func (w Want) fits(k *known) bool {
	return w.Path != "" && w.Path == k.Path || w.IMEI != "" && SameIMEI(w.IMEI, k.id.IMEI) || w.ICCID != "" && SameICCID(w.ICCID, k.id.ICCID)
}

// reservedBy is the configured line that a device belongs to by its place or
// by what is known of it; "" for none.
func (f *Finder) reservedBy(k *known) string {
	for line, w := range f.wants {
		if w.Adopted {
			continue
		}
		if w.fits(k) || w.Port != "" && f.leadsTo(w.Port, k) {
			return line
		}
	}
	return ""
}

// leadsTo says whether a configured port is one of the device's at present.
func (f *Finder) leadsTo(port string, k *known) bool {
	return slices.ContainsFunc(k.Ports, func(p Port) bool { return p.Node == port || slices.Contains(p.Links, port) })
}

// ask asks a device on its ports, best first, until one answers.
func (f *Finder) ask(ctx context.Context, k *known) {
	f.sem <- struct{}{}
	defer func() { <-f.sem }()
	f.mu.Lock()
	ports, named := k.Candidates()
	f.mu.Unlock()
	var failures []string
	for _, p := range ports {
		one, cancel := context.WithTimeout(ctx, askTimeout)
		id, err := f.o.Ask(one, p.Node, !named)
		cancel()
		if ctx.Err() != nil {
			f.answer(k, "", Identity{}, ctx.Err())
			return
		}
		if err == nil {
			f.answer(k, p.Node, id, nil)
			return
		}
		failures = append(failures, err.Error())
	}
	f.answer(k, "", Identity{}, fmt.Errorf("%s does not say who it is: %s", k.Device, strings.Join(failures, "; ")))
}

// answer notes what a question has brought.
func (f *Finder) answer(k *known, port string, id Identity, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	k.asking = false
	now := time.Now()
	if err != nil {
		if k.err == nil || k.err.Error() != err.Error() {
			f.log.Warn("cannot ask a USB modem who it is; trying again", "err", err)
		}
		k.err = err
		k.next = now.Add(min(askFirst<<min(k.tries, 10), askMax))
		k.tries++
	} else {
		k.asked, k.err, k.tries, k.port, k.next = true, nil, 0, port, now.Add(askAgain)
		k.learn(id)
		f.log.Info("USB modem known", "device", k.Device.String(), "port", port, "imei", Masked(k.id.IMEI), "iccid", Masked(k.id.ICCID))
	}
	f.tell()
}

// learn takes over what a device said of itself.
func (k *known) learn(id Identity) {
	if id.IMEI != "" {
		k.id.IMEI = id.IMEI
	}
	if id.Model != "" {
		k.id.Model = id.Model
	}
	if id.ICCID == "" || SameICCID(id.ICCID, k.id.ICCID) {
		return
	}
	if k.id.ICCID != "" {
		k.was = append(k.was, k.id.ICCID)
	}
	k.id.ICCID = id.ICCID
	k.was = slices.DeleteFunc(k.was, func(s string) bool { return SameICCID(s, id.ICCID) })
	k.was = k.was[max(0, len(k.was)-8):]
}

// SameIMEI compares the fourteen digits that name the modem (3GPP TS 23.003
// §6.2): what follows is a check digit, or the version of its software.
func SameIMEI(a, b string) bool { return len(a) >= 14 && len(b) >= 14 && a[:14] == b[:14] }

// SameICCID compares two numbers of a SIM, of which either may lack its check
// digit (ITU-T E.118).
func SameICCID(a, b string) bool {
	n := min(len(a), len(b))
	return n >= 18 && max(len(a), len(b))-n <= 1 && a[:n] == b[:n]
}

// Masked keeps the last four characters of an IMEI or ICCID.
func Masked(s string) string {
	if len(s) <= 4 {
		return s
	}
	return "…" + s[len(s)-4:]
}
