package usb

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Limits of asking.
const (
	askTogether = 8 // modems at once
	askTimeout  = time.Minute
	askFirst    = 500 * time.Millisecond // after the first failure: udev may not have set the rights yet
	askMax      = time.Minute
	askAgain    = 30 * time.Second // a modem whose SIM is not the one somebody looks for, or tells nothing
)

// due lists the devices to be asked now, and marks them.
func (f *Finder) due(now time.Time) []*known {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []*known
	for _, k := range f.devices {
		if k.owner != "" || k.asking || now.Before(k.next) || !f.curious(k) || f.unsettled(k, now) {
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
		if w.fits(k) || w.Port != "" && slices.Contains(k.nodes, f.leads[line]) {
			return line
		}
	}
	return ""
}

// resolve follows the links to the ports of lines and of devices, and tells if
// one of a line leads elsewhere than before. The caller holds mu.
func (f *Finder) resolve() {
	before := f.leads
	f.leads, f.astray = map[string]string{}, false
	for line, w := range f.wants {
		if w.Port != "" {
			to, there := target(w.Port)
			f.leads[line], f.astray = to, f.astray || !there
		}
	}
	for _, k := range f.devices {
		k.nodes = nil
		for _, p := range k.Ports {
			node, _ := target(p.Node)
			k.nodes = append(k.nodes, node)
		}
	}
	if !maps.Equal(before, f.leads) {
		f.tell()
	}
}

// target is where a port leads to, or the port itself if that is nowhere.
func target(port string) (to string, there bool) {
	to, err := filepath.EvalSymlinks(port)
	if err != nil {
		return port, false
	}
	return to, true
}

// follow looks whether a configured link that led nowhere leads somewhere now.
func (f *Finder) follow() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.astray {
		f.resolve()
	}
}

// unsettled says whether a new device may be that of a configured link which
// leads nowhere yet. It is not once udev is done with it.
func (f *Finder) unsettled(k *known, now time.Time) bool {
	return f.astray && !(k.links && k.linked) && now.Sub(k.since) <= f.settleAfter()
}

// ask asks a device on its ports, best first, until one answers.
func (f *Finder) ask(ctx context.Context, k *known) {
	f.sem <- struct{}{}
	defer func() { <-f.sem }()
	f.mu.Lock()
	ports, named := k.Candidates()
	device := k.Device
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
	f.answer(k, "", Identity{}, fmt.Errorf("%s does not say who it is: %s", device, strings.Join(failures, "; ")))
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
