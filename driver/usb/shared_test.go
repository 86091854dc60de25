package usb_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/modemgate/modemgate/driver/usb"
	"github.com/modemgate/modemgate/driver/usb/usbtest"
)

// A by-id link is shared by two devices that call themselves alike, and stays so
// when one has gone; no other port is.
func TestSharedLinks(t *testing.T) {
	for name, c := range map[string]struct {
		change func(other *usbtest.Device)
		want   bool
	}{
		"two of one kind":           {func(*usbtest.Device) {}, true},
		"one has a serial number":   {func(d *usbtest.Device) { d.Serial = "42" }, false},
		"another product":           {func(d *usbtest.Device) { d.Name = "EG25" }, false},
		"another id, the same name": {func(d *usbtest.Device) { d.ID = "2c7c:0121" }, true},
		"no ports yet":              {func(d *usbtest.Device) { d.Interfaces = nil }, false},
	} {
		t.Run(name, func(t *testing.T) {
			b := usbtest.New(t)
			b.Plug(quectel("1-1", 0))
			link := filepath.Join(b.Dev, "serial/by-id/usb-Quectel_EC25-if02-port0")
			if err := os.MkdirAll(filepath.Dir(link), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink("../../ttyUSB2", link); err != nil {
				t.Fatal(err)
			}
			f := usb.NewFinder(usb.Options{Tree: tree(b)}, nil)
			if d, shared := f.Shared(link); shared || d.Path != "1-1" {
				t.Errorf("alone: %v, %s", shared, d.Path)
			}
			other := quectel("1-2", 4)
			c.change(&other)
			b.Plug(other)
			for _, when := range []string{"together", "alone again"} {
				if d, shared := f.Shared(link); shared != c.want || d.Path != "1-1" {
					t.Errorf("%s: %v at %s, want %v", when, shared, d.Path, c.want)
				}
				if when == "together" {
					b.Unplug("1-2")
				}
			}
			for _, port := range []string{filepath.Join(b.Dev, "ttyUSB2"), filepath.Join(b.Dev, "serial/by-path/usb-0:1-1:1.2-port0"), link + "x"} {
				if _, shared := f.Shared(port); shared {
					t.Errorf("%s is shared", port)
				}
			}
		})
	}
}
