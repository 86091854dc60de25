package usb

import (
	"cmp"
	"path"
	"path/filepath"
	"strings"
)

// byID is the directory of links that udev names by what a device calls itself.
const byID = "serial/by-id"

// calls is what udev makes the by-id names of a device from. Devices that tell no
// serial number, or all the same one, share their names, and each link leads to
// the one that came last, or is left.
func (d Device) calls() string {
	id, product, _ := strings.Cut(d.ID(), ":")
	return cmp.Or(d.Maker, id) + "\n" + cmp.Or(d.Name, product) + "\n" + d.Serial
}

// namesakes adds what two devices with serial ports call themselves alike.
func namesakes(devices []Device, all map[string]bool) {
	seen := map[string]bool{}
	for _, d := range devices {
		if len(d.Ports) == 0 {
			continue
		}
		if seen[d.calls()] {
			all[d.calls()] = true
		}
		seen[d.calls()] = true
	}
}

// ByID says whether a port is one of udev's by-id links.
func (f *Finder) ByID(port string) bool {
	return filepath.Dir(port) == path.Clean(f.o.Tree.node(byID))
}

// Shared says whether a port is a by-id link that has led, or can lead, to another
// device than it does now: two that share their names are plugged in, or were since
// the start. The device is the one of now.
func (f *Finder) Shared(port string) (d Device, shared bool) {
	if !f.ByID(port) {
		return Device{}, false
	}
	devices := f.scan()
	f.mu.Lock()
	defer f.mu.Unlock()
	namesakes(devices, f.shared)
	for _, d := range devices {
		if d.portOf(port) != "" {
			return d, f.shared[d.calls()]
		}
	}
	return Device{}, false
}
