// Package usbtest builds a sysfs and a /dev as the kernel shows them for USB
// serial devices, in a directory of a test.
package usbtest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// Bus is a USB with nothing plugged in.
type Bus struct {
	t        testing.TB
	Sys, Dev string
	mu       sync.Mutex
	number   int // of the last device
	plugged  map[string]Device
}

// Device is what is plugged in.
type Device struct {
	Path       string // "1-1.2"
	ID         string // "12d1:1506"
	Maker      string
	Name       string
	Serial     string
	Interfaces []Interface
}

// Interface is one USB interface.
type Interface struct {
	Number int
	Class  string // "ff/ff/ff" if empty
	Driver string // "option" if empty
	TTY    string // ttyUSB0; "" for none
	Target string // what the node leads to; "" for an empty file
}

// New makes the trees below a directory of the test.
func New(t testing.TB) *Bus {
	t.Helper()
	dir := t.TempDir()
	b := &Bus{t: t, Sys: filepath.Join(dir, "sys"), Dev: filepath.Join(dir, "dev"), plugged: map[string]Device{}}
	for _, d := range []string{b.Sys + "/bus/usb/devices", b.Sys + "/class/tty", b.Sys + "/devices", b.Sys + "/bus/usb/drivers", b.Dev} {
		b.must(os.MkdirAll(d, 0o755))
	}
	return b
}

func (b *Bus) must(err error) {
	if err != nil {
		b.t.Helper()
		b.t.Error(err)
	}
}

// Plug makes a device appear, piece by piece as the kernel does.
func (b *Bus) Plug(d Device) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.number++
	b.plugged[d.Path] = d
	dir := b.home(d.Path)
	vendor, product, _ := strings.Cut(d.ID, ":")
	b.files(dir, map[string]string{
		"idVendor": vendor, "idProduct": product, "busnum": "1", "devnum": fmt.Sprint(b.number), "authorized": "1",
		"manufacturer": d.Maker, "product": d.Name, "serial": d.Serial,
	})
	b.link(filepath.Join("../../../devices", d.Path), filepath.Join(b.Sys, "bus/usb/devices", d.Path))
	for _, i := range d.Interfaces {
		b.plugInterface(d, i)
	}
}

// PlugInterface adds an interface to a device that is plugged in.
func (b *Bus) PlugInterface(path string, i Interface) {
	b.mu.Lock()
	defer b.mu.Unlock()
	d := b.plugged[path]
	b.plugInterface(d, i)
	d.Interfaces = append(d.Interfaces, i)
	b.plugged[path] = d
}

func (b *Bus) home(path string) string { return filepath.Join(b.Sys, "devices", path) }

func (b *Bus) plugInterface(d Device, i Interface) {
	name := fmt.Sprintf("%s:1.%d", d.Path, i.Number)
	dir := filepath.Join(b.home(d.Path), name)
	class := i.Class
	if class == "" {
		class = "ff/ff/ff"
	}
	driver := i.Driver
	if driver == "" {
		driver = "option"
	}
	part := strings.Split(class, "/")
	b.files(dir, map[string]string{
		"bInterfaceNumber": fmt.Sprintf("%02x", i.Number), "bInterfaceClass": part[0], "bInterfaceSubClass": part[1], "bInterfaceProtocol": part[2],
	})
	b.link("../../../bus/usb/drivers/"+driver, filepath.Join(dir, "driver"))
	b.link(filepath.Join("../../../devices", d.Path, name), filepath.Join(b.Sys, "bus/usb/devices", name))
	if i.TTY == "" {
		return
	}
	if i.Target == "" {
		b.must(os.WriteFile(filepath.Join(b.Dev, i.TTY), nil, 0o600))
	} else {
		b.link(i.Target, filepath.Join(b.Dev, i.TTY))
	}
	home := filepath.Join(dir, i.TTY, "tty", i.TTY)
	if driver == "cdc_acm" {
		home = filepath.Join(dir, "tty", i.TTY)
	}
	b.files(home, map[string]string{"dev": "188:0"})
	b.link("../..", filepath.Join(home, "device"))
	b.link(home, filepath.Join(b.Sys, "class/tty", i.TTY))
	b.link("../../"+i.TTY, filepath.Join(b.Dev, "serial/by-path", fmt.Sprintf("usb-0:%s:1.%d-port0", d.Path, i.Number)))
}

// Authorized is the file that switches a device off and on; nothing but its
// content changes.
func (b *Bus) Authorized(path string) string { return filepath.Join(b.home(path), "authorized") }

// Unplug makes a device vanish, its ports first.
func (b *Bus) Unplug(path string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	d := b.plugged[path]
	delete(b.plugged, path)
	for _, i := range d.Interfaces {
		if i.TTY != "" {
			b.must(os.Remove(filepath.Join(b.Sys, "class/tty", i.TTY)))
			b.must(os.Remove(filepath.Join(b.Dev, i.TTY)))
			b.must(os.Remove(filepath.Join(b.Dev, "serial/by-path", fmt.Sprintf("usb-0:%s:1.%d-port0", path, i.Number))))
		}
		b.must(os.Remove(filepath.Join(b.Sys, "bus/usb/devices", fmt.Sprintf("%s:1.%d", path, i.Number))))
	}
	b.must(os.Remove(filepath.Join(b.Sys, "bus/usb/devices", path)))
	b.must(os.RemoveAll(b.home(path)))
}

func (b *Bus) files(dir string, content map[string]string) {
	b.must(os.MkdirAll(dir, 0o755))
	for name, text := range content {
		if text != "" {
			b.must(os.WriteFile(filepath.Join(dir, name), []byte(text+"\n"), 0o644))
		}
	}
}

func (b *Bus) link(to, at string) {
	b.must(os.MkdirAll(filepath.Dir(at), 0o755))
	b.must(os.Symlink(to, at))
}
