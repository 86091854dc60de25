package usb

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

const usbDevices = "bus/usb/devices"

// Scan lists the modems and whatever else has serial ports, in the order of
// their paths. It opens no port. What cannot be read is left out: a device
// that is being unplugged looks like that. The error says that the kernel's
// list itself cannot be read; a machine without USB has an empty one.
func (t Tree) Scan() ([]Device, error) {
	sys := t.sys()
	entries, err := fs.ReadDir(sys, usbDevices)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil && len(entries) == 0 {
		return nil, fmt.Errorf("list USB devices: %w", err)
	}
	interfaces := map[string][]string{} // of each device
	var paths []string
	for _, e := range entries {
		device, _, is := strings.Cut(e.Name(), ":")
		if is {
			interfaces[device] = append(interfaces[device], e.Name())
		} else if strings.Contains(device, "-") { // usb1 … are the root hubs
			paths = append(paths, device)
		}
	}
	links := t.links()
	var out []Device
	for _, p := range paths {
		if d, ok := t.device(sys, p, interfaces[p], links); ok {
			out = append(out, d)
		}
	}
	slices.SortFunc(out, func(a, b Device) int { return comparePaths(a.Path, b.Path) })
	return out, nil
}

// device reads one device; false if it is of no interest or has gone.
func (t Tree) device(sys fs.FS, name string, interfaces []string, links map[string][]string) (Device, bool) {
	dir := path.Join(usbDevices, name)
	vendor, ok1 := hex(attribute(sys, dir, "idVendor"))
	product, ok2 := hex(attribute(sys, dir, "idProduct"))
	if !ok1 || !ok2 {
		return Device{}, false
	}
	d := Device{
		Path: name, Vendor: uint16(vendor), Product: uint16(product), Mode: Other,
		Off:   attribute(sys, dir, "authorized") == "0",
		Maker: attribute(sys, dir, "manufacturer"), Name: attribute(sys, dir, "product"), Serial: attribute(sys, dir, "serial"),
	}
	d.Bus, _ = strconv.Atoi(attribute(sys, dir, "busnum"))
	d.Number, _ = strconv.Atoi(attribute(sys, dir, "devnum"))
	row := find(d.Vendor, d.Product)
	disk := len(interfaces) > 0
	for _, i := range interfaces {
		ports, class := t.ports(sys, i, row, links)
		d.Ports = append(d.Ports, ports...)
		disk = disk && strings.HasPrefix(class, "08/")
	}
	slices.SortStableFunc(d.Ports, func(a, b Port) int { return cmp.Compare(a.Interface, b.Interface) })
	switch {
	case disk && switching[d.Vendor]:
		d.Mode, d.Model = Storage, nameOf(row)
	case row != nil && strings.HasSuffix(row.ids, ":*") && len(d.Ports) == 0:
		return d, false // a phone or a card reader of that vendor
	case row != nil:
		d.Mode, d.Model = row.mode, row.name
	case slices.ContainsFunc(d.Ports, func(p Port) bool { return adapters[p.Driver] }):
		d.Mode = Adapter
	}
	return d, row != nil || d.Mode == Storage || len(d.Ports) > 0
}

func nameOf(row *model) string {
	if row == nil {
		return ""
	}
	return row.name
}

// ports reads the serial ports of one interface ("1-1.2:1.3") and its class.
func (t Tree) ports(sys fs.FS, name string, row *model, links map[string][]string) (ports []Port, class string) {
	dir := path.Join(usbDevices, name)
	class = attribute(sys, dir, "bInterfaceClass") + "/" + attribute(sys, dir, "bInterfaceSubClass") + "/" + attribute(sys, dir, "bInterfaceProtocol")
	number, ok := hex(attribute(sys, dir, "bInterfaceNumber"))
	if !ok {
		return nil, class
	}
	driver := ""
	if to, err := fs.ReadLink(sys, path.Join(dir, "driver")); err == nil {
		driver = path.Base(to)
	}
	role := Unknown
	if row != nil {
		role = row.role(number, class)
	}
	for _, tty := range ttys(sys, dir) {
		ports = append(ports, Port{
			Name: tty, Node: t.node(tty), Interface: number, Class: class, Driver: driver, Role: role, Links: links[tty],
		})
	}
	return ports, class
}

// ttys are the names below an interface: ttyUSB0 as an entry of its own for
// serial drivers of the kernel, tty/ttyACM0 for a class device.
func ttys(sys fs.FS, dir string) []string {
	var names []string
	entries, _ := fs.ReadDir(sys, dir)
	for _, e := range entries {
		if e.Name() != "tty" {
			if strings.HasPrefix(e.Name(), "tty") {
				names = append(names, e.Name())
			}
			continue
		}
		below, _ := fs.ReadDir(sys, path.Join(dir, "tty"))
		for _, b := range below {
			names = append(names, b.Name())
		}
	}
	return names
}

// attribute reads one short file of sysfs; "" if it cannot be read.
func attribute(sys fs.FS, dir, name string) string {
	b, err := fs.ReadFile(sys, path.Join(dir, name))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

// linkDirs are where udev makes links to serial ports.
var linkDirs = []string{"serial/by-id", "serial/by-path", "modemgate"}

// links lists the links to each tty.
func (t Tree) links() map[string][]string {
	all := map[string][]string{}
	dev := t.dev()
	for _, dir := range linkDirs {
		entries, _ := fs.ReadDir(dev, dir)
		for _, e := range entries {
			name := path.Join(dir, e.Name())
			if to, err := fs.ReadLink(dev, name); err == nil {
				all[path.Base(to)] = append(all[path.Base(to)], t.node(name))
			}
		}
	}
	return all
}

// comparePaths orders 1-1.2 before 1-1.10.
func comparePaths(a, b string) int {
	split := func(s string) []string {
		return strings.FieldsFunc(s, func(r rune) bool { return r == '-' || r == '.' })
	}
	return slices.CompareFunc(split(a), split(b), func(x, y string) int {
		m, err1 := strconv.Atoi(x)
		n, err2 := strconv.Atoi(y)
		if err1 != nil || err2 != nil {
			return strings.Compare(x, y)
		}
		return cmp.Compare(m, n)
	})
}

// trace is a cheap digest of what is plugged in: as long as it stays the same
// no [Tree.Scan] can show anything new but links.
func (t Tree) trace() string {
	sys := t.sys()
	var b strings.Builder
	entries, _ := fs.ReadDir(sys, usbDevices)
	for _, e := range entries {
		b.WriteString(e.Name())
		if !strings.Contains(e.Name(), ":") {
			b.WriteString("#" + attribute(sys, path.Join(usbDevices, e.Name()), "devnum"))
		}
		b.WriteByte(' ')
	}
	ttys, _ := fs.ReadDir(sys, "class/tty")
	for _, e := range ttys {
		if n := e.Name(); strings.HasPrefix(n, "ttyUSB") || strings.HasPrefix(n, "ttyACM") {
			b.WriteString(n + " ")
		}
	}
	return b.String()
}
