package usb_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"

	"github.com/modemgate/modemgate/driver/usb"
	"github.com/modemgate/modemgate/driver/usb/usbtest"
)

func tree(b *usbtest.Bus) usb.Tree { return usb.Tree{Sys: b.Sys, Dev: b.Dev} }

// quectel is a four-port modem on ttyUSBn and up.
func quectel(path string, first int) usbtest.Device {
	d := usbtest.Device{Path: path, ID: "2c7c:0125", Maker: "Quectel", Name: "EC25"}
	for i := range 4 {
		d.Interfaces = append(d.Interfaces, usbtest.Interface{Number: i, TTY: fmt.Sprintf("ttyUSB%d", first+i)})
	}
	d.Interfaces = append(d.Interfaces, usbtest.Interface{Number: 4, Driver: "qmi_wwan"})
	return d
}

func scan(t *testing.T, tr usb.Tree) []usb.Device {
	t.Helper()
	devices, err := tr.Scan()
	if err != nil {
		t.Fatal(err)
	}
	return devices
}

func TestScanReadsWhatTheKernelShows(t *testing.T) {
	b := usbtest.New(t)
	b.Plug(quectel("1-1.10", 4))
	b.Plug(usbtest.Device{Path: "1-1.2", ID: "1e2d:0061", Serial: "42", Interfaces: []usbtest.Interface{
		{Number: 0, Class: "02/02/01", Driver: "cdc_acm", TTY: "ttyACM0"},
		{Number: 1, Class: "0a/00/00", Driver: "cdc_acm"},
		{Number: 2, Class: "02/02/01", Driver: "cdc_acm", TTY: "ttyACM1"},
	}})
	b.Plug(usbtest.Device{Path: "1-3", ID: "046d:c31c", Name: "a keyboard", Interfaces: []usbtest.Interface{{Class: "03/01/01", Driver: "usbhid"}}})
	got := scan(t, tree(b))
	if len(got) != 2 || got[0].Path != "1-1.2" || got[1].Path != "1-1.10" {
		t.Fatalf("scan: %+v", got)
	}
	acm, stick := got[0], got[1]
	if acm.ID() != "1e2d:0061" || acm.Serial != "42" || acm.Mode != usb.Modem || acm.Number != 2 || len(acm.Ports) != 2 {
		t.Errorf("cdc_acm: %+v", acm)
	}
	if p := acm.Ports[1]; p.Name != "ttyACM1" || p.Interface != 2 || p.Role != usb.AT || p.Driver != "cdc_acm" || p.Class != "02/02/01" {
		t.Errorf("AT port: %+v", p)
	}
	var roles []usb.Role
	for _, p := range stick.Ports {
		roles = append(roles, p.Role)
	}
	if !slices.Equal(roles, []usb.Role{usb.Diag, usb.NMEA, usb.AT, usb.Secondary}) {
		t.Errorf("roles: %v", roles)
	}
	at := stick.Ports[2]
	if at.Node != filepath.Join(b.Dev, "ttyUSB6") || len(at.Links) != 1 || !strings.HasSuffix(at.Links[0], "serial/by-path/usb-0:1-1.10:1.2-port0") {
		t.Errorf("AT port: %+v", at)
	}
	if ports, known := stick.Candidates(); !known || len(ports) != 2 || ports[0].Name != "ttyUSB6" || ports[1].Name != "ttyUSB7" {
		t.Errorf("candidates: %v %v", ports, known)
	}
}

func TestMachineWithoutUSB(t *testing.T) {
	if got, err := (usb.Tree{Sys: t.TempDir(), Dev: t.TempDir()}).Scan(); err != nil || len(got) != 0 {
		t.Errorf("%v, %v", got, err)
	}
}

// faulty fails on what fail names, and calls step before each operation.
type faulty struct {
	fs.FS
	step func()
	fail func(name string) error
}

func (f faulty) check(op, name string) error {
	f.step()
	if err := f.fail(name); err != nil {
		return &fs.PathError{Op: op, Path: name, Err: err}
	}
	return nil
}

func (f faulty) Open(name string) (fs.File, error) {
	if err := f.check("open", name); err != nil {
		return nil, err
	}
	return f.FS.Open(name)
}

func (f faulty) ReadLink(name string) (string, error) {
	if err := f.check("readlink", name); err != nil {
		return "", err
	}
	return fs.ReadLink(f.FS, name)
}

func (f faulty) Lstat(name string) (fs.FileInfo, error) { return fs.Lstat(f.FS, name) }

// TestVanishingDeviceSpoilsNothing unplugs a device after every single
// operation of a scan.
func TestVanishingDeviceSpoilsNothing(t *testing.T) {
	whole, part := 0, 0
	for at := 0; ; at++ {
		m := memory{fstest.MapFS{}}
		for i := range 3 {
			m.plug(i, ports(fmt.Sprintf("1-%d", i+1), "2c7c:0125", "ff/ff/ff", "option", 4, 4*i))
		}
		steps := 0
		got := scan(t, m.tree(func(sys fs.FS) fs.FS {
			return faulty{sys, func() {
				if steps == at {
					m.unplug("1-2")
				}
				steps++
			}, func(string) error { return nil }}
		}))
		var others []string
		for _, d := range got {
			if d.Path != "1-2" {
				others = append(others, fmt.Sprint(d.Path, " ", len(d.Ports), " ", d.Ports[2].Role))
			} else if len(d.Ports) == 4 {
				whole++
			} else {
				part++
			}
		}
		if !slices.Equal(others, []string{"1-1 4 at", "1-3 4 at"}) {
			t.Fatalf("after %d operations: %v", at, others)
		}
		if steps <= at {
			break
		}
	}
	if whole == 0 || part == 0 {
		t.Errorf("the device was seen %d times as a whole and %d times in part", whole, part)
	}
}

func TestUnreadableDeviceSpoilsNothing(t *testing.T) {
	b := usbtest.New(t)
	b.Plug(quectel("1-1", 0))
	b.Plug(quectel("1-2", 4))
	for _, errno := range []error{syscall.EIO, syscall.ENODEV, syscall.EACCES} {
		got := scan(t, tree(b).WithFS(func(dir string) fs.FS {
			return faulty{os.DirFS(dir), func() {}, func(name string) error {
				if strings.Contains(name, "1-1") {
					return errno
				}
				return nil
			}}
		}))
		if len(got) != 1 || got[0].Path != "1-2" || len(got[0].Ports) != 4 {
			t.Errorf("%v: %+v", errno, got)
		}
	}
	broken := tree(b).WithFS(func(dir string) fs.FS {
		return faulty{os.DirFS(dir), func() {}, func(string) error { return syscall.EIO }}
	})
	if _, err := broken.Scan(); !errors.Is(err, syscall.EIO) {
		t.Errorf("an unreadable list: %v", err)
	}
}

func TestScanTellsWhatIsSwitchedOff(t *testing.T) {
	b := usbtest.New(t)
	b.Plug(usbtest.Device{Path: "1-1", ID: "2c7c:0125"})
	if err := os.WriteFile(b.Authorized("1-1"), []byte("0\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	got := scan(t, tree(b))
	if len(got) != 1 || !got[0].Off || !strings.HasSuffix(got[0].Words(), "echo 1 | sudo tee /sys/bus/usb/devices/1-1/authorized switches it on") {
		t.Errorf("%+v: %s", got, got[0].Words())
	}
}
