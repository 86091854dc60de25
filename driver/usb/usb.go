// Package usb finds modems on the USB of this machine by reading sysfs.
//
// Nothing is opened to list it: what a port is for follows from the ids of
// the device and the number of the interface, see models.go. Only where that
// does not say it, and for ids of known modems alone, a [Finder] has ports
// asked. A device that vanishes while it is read is left out and spoils
// nothing else.
//
// A name such as ttyUSB2 is never an identity: it goes to whichever modem is
// plugged in next. A modem is its IMEI, a line its SIM's ICCID, a place the
// path of the USB socket ("1-1.2").
package usb

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Tree is where the kernel shows its devices. The zero value is /sys and /dev.
type Tree struct {
	Sys string // the root of sysfs, "" for /sys
	Dev string // the directory of device nodes, "" for /dev

	open func(dir string) fs.FS // nil: os.DirFS
}

func (t Tree) sys() fs.FS { return t.dir(t.Sys, "/sys") }
func (t Tree) dev() fs.FS { return t.dir(t.Dev, "/dev") }

func (t Tree) dir(dir, usual string) fs.FS {
	if dir == "" {
		dir = usual
	}
	if t.open != nil {
		return t.open(dir)
	}
	return os.DirFS(dir)
}

// node is the path of a device node.
func (t Tree) node(name string) string {
	if t.Dev == "" {
		return "/dev/" + name
	}
	return filepath.Join(t.Dev, name)
}

// Role is what a serial port of a modem is for.
type Role string

// Roles of ports.
const (
	AT        Role = "at"           // commands: the port to use
	Secondary Role = "at-secondary" // commands too
	PPP       Role = "ppp"          // data calls; answers commands on some modems
	Diag      Role = "diag"         // Qualcomm's binary protocol
	NMEA      Role = "nmea"         // positions
	Audio     Role = "audio"        // PCM of voice calls
	Net       Role = "net"          // QMI, MBIM, RNDIS …
	Ignore    Role = "ignore"       // of no use
	Unknown   Role = "unknown"      // the table does not say
)

// Mode is what a device is at present. Sticks change it by leaving the bus
// and coming back under another product id.
type Mode string

// Modes of devices.
const (
	Modem    Mode = "modem"    // a known modem
	Storage  Mode = "storage"  // a known modem that shows its drivers on a disk
	Network  Mode = "network"  // a known modem that shows a network card and no AT port
	Firmware Mode = "firmware" // a known modem that waits for its firmware
	Adapter  Mode = "adapter"  // a serial adapter: what is wired to it is not known
	Other    Mode = "other"    // serial ports of a device that the table does not have
)

// Device is one USB device that is a modem, or has serial ports.
type Device struct {
	Path   string // of the socket: "1-1.2"
	Bus    int
	Number int // new with each plug

	Vendor, Product uint16
	Maker, Name     string // as the device calls itself
	Serial          string // often "", or the same for all of a kind

	Mode  Mode
	Model string // by the table, "" if it is not there
	Off   bool   // somebody has taken its drivers away: `authorized` is 0
	Ports []Port // by interface
}

// Port is one serial port of a device.
type Port struct {
	Name      string // ttyUSB2
	Node      string // /dev/ttyUSB2
	Interface int    // bInterfaceNumber
	Class     string // class, subclass and protocol of the interface: "ff/01/02"
	Driver    string // of the kernel: option, cdc_acm …
	Role      Role
	Links     []string // in /dev/serial and /dev/modemgate
}

// ID is vendor and product as lsusb prints them: "12d1:1506".
func (d Device) ID() string { return fmt.Sprintf("%04x:%04x", d.Vendor, d.Product) }

// key changes with each plug.
func (d Device) key() string { return fmt.Sprintf("%s/%d/%d", d.Path, d.Bus, d.Number) }

// String names the device for people: "Huawei E173 (12d1:140c) at 1-1.2".
func (d Device) String() string {
	name := d.Model
	if name == "" {
		name = strings.TrimSpace(printable(d.Maker) + " " + printable(d.Name))
	}
	return strings.TrimSpace(fmt.Sprintf("%s (%s) at %s", name, d.ID(), d.Path))
}

// printable is a text that a device has chosen, fit for a terminal and a log.
func printable(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return -1
		}
		return r
	}, s)
	return s[:min(len(s), 60)]
}

// probed are the kernel drivers behind which a port may be asked who it is.
var probed = map[string]bool{"option": true, "qcserial": true, "sierra": true, "cdc_acm": true, "ti_usb_3410_5052": true}

// Candidates are the ports to talk AT on, best first. Where the table names
// them they are those of role [AT], then [Secondary]; known is then true.
// Else they are the ports of unknown role in the order of their interfaces,
// to be probed with care; a device that is not in mode [Modem] has none.
func (d Device) Candidates() (ports []Port, known bool) {
	if d.Mode != Modem {
		return nil, false
	}
	for _, r := range []Role{AT, Secondary} {
		for _, p := range d.Ports {
			if p.Role == r {
				ports = append(ports, p)
			}
		}
	}
	if len(ports) > 0 {
		return ports, true
	}
	for _, p := range d.Ports {
		if p.Role == Unknown && probed[p.Driver] {
			ports = append(ports, p)
		}
	}
	return ports, false
}

// OnlyPort is the port of a serial adapter, or of a device that is not known, with
// one port. Nothing is sent there unless the configuration says so.
func (d Device) OnlyPort() (node string, ok bool) {
	if (d.Mode != Adapter && d.Mode != Other) || len(d.Ports) != 1 {
		return "", false
	}
	return d.Ports[0].Node, true
}

// Sibling is the port that the AT port of a modem may wait for: some models hang
// on one until something comes on the other. It is "" for all other ports and
// models.
func (d Device) Sibling(node string) string {
	row := find(d.Vendor, d.Product)
	if d.Mode != Modem || row == nil || !row.hangs {
		return ""
	}
	at := slices.IndexFunc(d.Ports, func(p Port) bool { return p.Node == node && p.Role == AT })
	other := slices.IndexFunc(d.Ports, func(p Port) bool { return p.Role == Secondary })
	if at < 0 || other < 0 {
		return ""
	}
	return d.Ports[other].Node
}

// Words say what keeps the device from being used as a modem and what to do;
// "" if nothing does.
func (d Device) Words() string {
	if d.Off {
		return d.String() + " is switched off on USB: unless a reset is under way, " + d.SwitchOn() + " switches it on"
	}
	switch d.Mode {
	case Storage:
		return d.String() + " is in mass storage mode: install usb-modeswitch and plug it in again"
	case Network:
		return d.String() + " is in network mode (HiLink) and has no AT port: it needs its firmware for sticks, or another modem"
	case Firmware:
		return d.String() + " waits for its firmware: install the one for " + firmwareDriver + " and plug it in again"
	case Adapter:
		if len(d.Ports) == 0 {
			return d.String() + " is a serial adapter without a port: load its kernel module, or remove brltty, which takes such adapters for Braille displays"
		}
		return d.String() + " is a serial adapter, and nothing is sent unasked to what is wired to it: if that is a modem, list it with its port"
	case Other:
		return d.String() + " is not known to be a modem, and nothing is sent to it unasked: if it is one, list it with its port"
	}
	if len(d.Ports) == 0 {
		return d.String() + " has no serial port: load the kernel module option (modprobe option), or change its USB mode"
	}
	if ports, _ := d.Candidates(); len(ports) == 0 {
		return d.String() + " has no port for AT commands among its " + fmt.Sprint(len(d.Ports)) + ": change its USB mode, or list it with its port"
	}
	return ""
}

// SwitchOn is the command that gives a device that is off its drivers back.
func (d Device) SwitchOn() string {
	return "echo 1 | sudo tee /sys/" + usbDevices + "/" + d.Path + "/authorized"
}

const firmwareDriver = "ti_usb_3410_5052"
