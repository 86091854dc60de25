package usb

import (
	"fmt"
	"slices"
	"strings"
)

// AbsentError says in words why there is no modem for a line now.
type AbsentError struct{ Text string }

func (e *AbsentError) Error() string { return e.Text }

// MismatchError says that a modem is not the one, or holds not the SIM, that
// the line is for. Nothing may be sent on it.
type MismatchError struct {
	SIM  bool // the SIM is wrong; else the modem
	Text string
}

func (e *MismatchError) Error() string { return e.Text }

// Words say what keeps devices that are plugged in from being lines: a known
// modem in a mode in which it is none, or one that does not say who it is.
func (f *Finder) Words() (all []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil {
		all = append(all, f.err.Error())
	}
	for _, k := range f.devices {
		switch words := k.Words(); {
		case k.Mode == Other || k.Mode == Adapter:
		case words != "":
			all = append(all, words)
		case k.err != nil:
			all = append(all, k.err.Error())
		case k.asked && k.id.ICCID == "" && k.owner == "":
			all = append(all, fmt.Sprintf("%s has no SIM that can be read", k.Device))
		}
	}
	return all
}

// Claim is the use of a modem by one line. While it lasts nobody asks the
// modem anything on its other ports.
type Claim struct {
	Port   string // node to open
	Device Device // as it was then
	f      *Finder
	k      *known
	line   string
	want   Want
}

// Claim finds the modem of a line and reserves it. The line must be known by
// [NewFinder] or [Finder.Add], and not be one by port. Errors are
// [*AbsentError] and [*MismatchError].
func (f *Finder) Claim(line string) (*Claim, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	w := f.wants[line]
	k, err := f.wanted(w)
	if err != nil {
		return nil, err
	}
	if k.owner != "" && k.owner != line {
		return nil, absent("%s is used by line %s", k.Device, k.owner)
	}
	if first := f.reservedBy(k); w.Adopted && first != "" {
		return nil, absent("the SIM %s is in the modem of line %s", Masked(w.ICCID), first)
	}
	if k.asking {
		return nil, absent("%s is being asked who it is", k.Device)
	}
	port, err := k.choose()
	if only, ok := k.OnlyPort(); ok && w.Path != "" {
		port, err = only, nil // whoever names the socket names the adapter
	}
	if err != nil {
		return nil, err
	}
	k.owner = line
	return &Claim{Port: port, Device: k.Device, f: f, k: k, line: line, want: w}, nil
}

// Adopter is the adopted line that uses the modem which the port of a line
// leads to at this moment, "" for none.
func (f *Finder) Adopter(line string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.resolve()
	to, ok := f.leads[line]
	if !ok {
		return ""
	}
	for _, k := range f.devices {
		if slices.Contains(k.nodes, to) && f.wants[k.owner].Adopted {
			return k.owner
		}
	}
	return ""
}

// Port is where the modem of a line is plugged in now; "" if it is not, or if
// that is not known.
func (f *Finder) Port(line string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	k, err := f.wanted(f.wants[line])
	if err != nil {
		return ""
	}
	port, _ := k.choose()
	return port
}

// Sibling is [Device.Sibling] of the device that a port, or a link to one, leads to
// at this moment.
func (f *Finder) Sibling(port string) string {
	for _, d := range f.scan() {
		if node := d.portOf(port); node != "" {
			return d.Sibling(node)
		}
	}
	return ""
}

// scan is what is plugged in at this moment; nothing if that cannot be read.
func (f *Finder) scan() []Device {
	devices, err := f.o.Tree.Scan()
	if err != nil {
		return nil
	}
	return devices
}

// portOf is the node of the port that a path, or a link, leads to; "" if it is none
// of the device.
func (d Device) portOf(path string) string {
	to, there := target(path)
	for _, p := range d.Ports {
		if node, _ := target(p.Node); there && node == to {
			return p.Node
		}
	}
	return ""
}

// choose is the port to open: the one that answered, else the table's.
func (k *known) choose() (string, error) {
	ports, named := k.Candidates()
	for _, p := range ports {
		if p.Node == k.port || k.port == "" && named {
			return p.Node, nil
		}
	}
	switch words := k.Words(); {
	case words != "":
		return "", absent("%s", words)
	case k.err != nil:
		return "", absent("%s", k.err)
	}
	return "", absent("%s is being asked which of its ports takes AT commands", k.Device)
}

// wanted finds the device; the caller holds mu.
func (f *Finder) wanted(w Want) (*known, error) {
	switch fit := f.fitting(w); len(fit) {
	case 0:
	case 1:
		return fit[0], nil
	default:
		return nil, absent("%s and %s call themselves the same, and nobody can tell which is meant: use usb_path: %s or %s for the line",
			fit[0].Device, fit[1].Device, fit[0].Path, fit[1].Path)
	}
	switch {
	case !f.looked && f.err != nil:
		return nil, absent("%s", f.err)
	case !f.looked:
		return nil, absent("the USB has not been looked at yet")
	case w.Path != "":
		return nil, absent("nothing is plugged into the USB socket %s%s", w.Path, f.others())
	case w.IMEI != "":
		return nil, absent("no modem with the IMEI %s is plugged in%s", Masked(w.IMEI), f.others())
	}
	for _, k := range f.devices {
		for _, s := range k.was {
			if SameICCID(s, w.ICCID) {
				return nil, k.wrongSIM(w)
			}
		}
	}
	return nil, absent("no modem with the SIM %s is plugged in%s", Masked(w.ICCID), f.others())
}

// fitting lists the devices that are known to be the wanted one. Sticks of the
// cheapest kind share one IMEI.
func (f *Finder) fitting(w Want) (fit []*known) {
	for _, k := range f.devices {
		if w.fits(k) {
			fit = append(fit, k)
		}
	}
	return fit
}

// others says what else is there, and why it does not count.
func (f *Finder) others() string {
	var parts []string
	for _, k := range f.devices {
		switch words := k.Words(); {
		case k.Mode == Other || k.Mode == Adapter:
		case words != "":
			parts = append(parts, words)
		case k.owner != "":
			parts = append(parts, fmt.Sprintf("%s is line %s", k.Device, k.owner))
		case k.err != nil:
			parts = append(parts, k.err.Error())
		case !k.asked:
			parts = append(parts, fmt.Sprintf("%s has not said yet who it is", k.Device))
		default:
			parts = append(parts, fmt.Sprintf("%s has IMEI %s and %s", k.Device, Masked(k.id.IMEI), simName(k.id.ICCID)))
		}
	}
	if len(parts) == 0 {
		return ": plug it in"
	}
	const most = 4
	if len(parts) > most {
		parts = append(parts[:most], fmt.Sprintf("and %d more", len(parts)-most))
	}
	return "; " + strings.Join(parts, "; ")
}

func simName(iccid string) string {
	if iccid == "" {
		return "no SIM that can be read"
	}
	return "the SIM " + Masked(iccid)
}

func (k *known) wrongSIM(w Want) error {
	return &MismatchError{SIM: true, Text: fmt.Sprintf(
		"%s holds %s now, and the line is for the SIM %s: nothing is sent; put that SIM back, or change iccid in the configuration",
		k.Device, simName(k.id.ICCID), Masked(w.ICCID))}
}

// Check compares what the opened modem says with what the line is for, and
// remembers it: once when the modem has told its IMEI, if it does, and again
// when its SIM has been read. Errors are [*AbsentError] and [*MismatchError].
func (c *Claim) Check(id Identity, sim bool) error {
	if !sim && !c.there() {
		return absent("%s was unplugged just now", c.Device)
	}
	c.f.mu.Lock()
	defer c.f.mu.Unlock()
	before := c.k.id
	c.k.learn(id)
	if c.k.id != before {
		c.k.asked = true
		c.f.tell()
	}
	switch w := c.want; {
	case w.IMEI != "" && !SameIMEI(w.IMEI, id.IMEI):
		if id.IMEI == "" {
			return &MismatchError{Text: fmt.Sprintf("%s does not tell its IMEI: set usb_path: %s instead of imei", c.Device, c.k.Path)}
		}
		return &MismatchError{Text: fmt.Sprintf("%s has the IMEI %s, and the line is for %s: nothing is sent", c.Device, Masked(id.IMEI), Masked(w.IMEI))}
	case w.ICCID != "" && sim && id.ICCID == "":
		return &MismatchError{SIM: true, Text: fmt.Sprintf("%s does not tell the ICCID of its SIM, and the line is for %s: nothing is sent", c.Device, Masked(w.ICCID))}
	case w.ICCID != "" && id.ICCID != "" && !SameICCID(w.ICCID, id.ICCID):
		return c.k.wrongSIM(w)
	}
	return nil
}

// there says whether the port that was opened is still one of the device that
// was claimed: between the two its name may have gone to another.
func (c *Claim) there() bool {
	devices, err := c.f.o.Tree.Scan()
	if err != nil {
		return true // then only what it says of itself counts
	}
	for _, d := range devices {
		if d.key() == c.Device.key() {
			return slices.ContainsFunc(d.Ports, func(p Port) bool { return p.Node == c.Port })
		}
	}
	return false
}

// Release lets go of the modem.
func (c *Claim) Release() {
	c.f.mu.Lock()
	if c.k.owner == c.line {
		c.k.owner = ""
	}
	c.f.tell()
	c.f.mu.Unlock()
	c.f.poke()
}

func absent(format string, a ...any) error { return &AbsentError{fmt.Sprintf(format, a...)} }
