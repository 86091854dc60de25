package usb_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/modemgate/modemgate/driver/usb"
	"github.com/modemgate/modemgate/driver/usb/usbtest"
)

// plugged scans one device with a port on each interface up to 12.
func plugged(t *testing.T, id, class, driver string) usb.Device {
	t.Helper()
	m := memory{fstest.MapFS{}}
	m.plug(1, ports("1-1", id, class, driver, 13, 0))
	got := scan(t, m.tree(nil))
	if len(got) != 1 {
		t.Fatalf("%s: %+v", id, got)
	}
	return got[0]
}

// TestTable holds the facts: the AT port and what else is known of each model.
// "?" has to be probed.
func TestTable(t *testing.T) {
	for _, x := range []struct{ ids, want string }{
		{"12d1:1001", "0ppp 1audio 2at"},
		{"12d1:140c 12d1:140b 12d1:1c07", "2audio 3at"},
		{"12d1:1436 12d1:14ac", "3audio 4at"},
		{"12d1:1506", "2audio 3at"},
		{"12d1:1406 12d1:1442 12d1:1573 12d1:15c1 12d1:ffff", "?"},
		{"19d2:0031", "1at-secondary 3at"},
		{"19d2:0117", "1at-secondary 2at"},
		{"19d2:0063", "3at"},
		{"19d2:0016", "2at"},
		{"05c6:9000 1e0e:9003 1e0e:9205 1e0e:9206", "?"},
		{"1e0e:9001", "0diag 1nmea 2at 3at-secondary 4audio 5net 6net"},
		{"1e0e:9011", "2ignore 4at 5ppp"},
		{"2c7c:0121 2c7c:0125 2c7c:0191 2c7c:0195 2c7c:0296 2c7c:0306 2c7c:0800", "0diag 1nmea 2at 3at-secondary 4net"},
		{"2c7c:0128", "3diag 4nmea 5at"},
		{"2c7c:0801 2c7c:6002 2c7c:6005 2c7c:6026 2c7c:0901 05c6:9003 05c6:9090", "?"},
		{"05c6:9215", "0diag 1nmea 2at 3ppp"},
		{"1199:68c0 1199:9071 1199:9079 1199:9091", "0diag 2nmea 3at 8net 10net"},
		{"1199:6890 114f:1234", "?"},
		{"1546:1102 1546:1104", "0at 2at-secondary 4at-secondary 6ignore 7ignore 8ignore 9ignore 10ignore 11ignore 12ignore"},
		{"1546:1107 1546:110a 05c6:90b2 1546:1311 1546:1312 1546:1313", "?"},
		{"1bc7:1031", "1at 2at-secondary"},
		{"1bc7:1040", "4at 5at-secondary"},
		{"1bc7:1200 1bc7:1201 1bc7:1203 1bc7:1204 1bc7:1206", "?"},
		{"0681:0034 1e2d:0059 1e2d:0058 1e2d:0053 06e0:f111 06e0:f112", "?"},
		{"1e2d:0061", "0ppp 2at"},
	} {
		for id := range strings.FieldsSeq(x.ids) {
			d := plugged(t, id, "ff/ff/ff", "option")
			var have []string
			for _, p := range d.Ports {
				if p.Role != usb.Unknown {
					have = append(have, fmt.Sprint(p.Interface, p.Role))
				}
			}
			candidates, known := d.Candidates()
			got := strings.Join(have, " ")
			if got == "" {
				got = "?"
			}
			if got != x.want || d.Mode != usb.Modem || d.Words() != "" || known != (x.want != "?") || len(candidates) == 0 {
				t.Errorf("%s: %s, want %s; mode %s, %d candidates, known %v, %q", id, got, x.want, d.Mode, len(candidates), known, d.Words())
			}
			for _, p := range candidates {
				if known && p.Role != usb.AT && p.Role != usb.Secondary || !known && p.Role != usb.Unknown {
					t.Errorf("%s: %s of role %s is a candidate", id, p.Name, p.Role)
				}
			}
		}
	}
}

func TestAdapterThatBrlttyHasTaken(t *testing.T) {
	b := usbtest.New(t)
	b.Plug(usbtest.Device{Path: "1-1", ID: "1a86:7523", Interfaces: []usbtest.Interface{{Class: "ff/01/02", Driver: "usbfs"}}})
	if got := scan(t, tree(b)); len(got) != 1 || !strings.Contains(got[0].Words(), "brltty") {
		t.Errorf("%v", got)
	}
}

func TestHuaweiMarksPortsByProtocol(t *testing.T) {
	for _, id := range []string{"12d1:1506", "12d1:1573", "12d1:9999"} {
		b := usbtest.New(t)
		b.Plug(usbtest.Device{Path: "1-1", ID: id, Interfaces: []usbtest.Interface{
			{Number: 0, Class: "ff/02/01", TTY: "ttyUSB0"}, {Number: 1, Class: "ff/02/02", TTY: "ttyUSB1"},
			{Number: 2, Class: "ff/02/12", TTY: "ttyUSB2"}, {Number: 3, Class: "ff/02/06", TTY: "ttyUSB3"},
		}})
		d := scan(t, tree(b))[0]
		if candidates, known := d.Candidates(); !known || len(candidates) != 1 || candidates[0].Name != "ttyUSB1" {
			t.Errorf("%s: %+v", id, d.Ports)
		}
	}
}

func TestNothingIsAskedOfWhatIsNoKnownModem(t *testing.T) {
	for _, x := range []struct {
		id, class, driver string
		mode              usb.Mode
		words             string
	}{
		{"12d1:1446", "08/06/50", "usb-storage", usb.Storage, "mass storage mode: install usb-modeswitch"},
		{"12d1:14fe", "08/06/50", "usb-storage", usb.Storage, "mass storage"},
		{"12d1:1f01", "08/06/50", "usb-storage", usb.Storage, "mass storage"},
		{"12d1:155e", "08/06/50", "usb-storage", usb.Storage, "mass storage"}, // any stick of the vendor
		{"19d2:2000", "08/06/50", "usb-storage", usb.Storage, "mass storage"},
		{"19d2:0083", "08/06/50", "usb-storage", usb.Storage, "mass storage"},
		{"12d1:14db", "02/06/00", "cdc_ether", usb.Network, "HiLink"},
		{"12d1:14dc", "02/06/00", "cdc_ether", usb.Network, "HiLink"},
		{"06e0:f108", "ff/ff/ff", "ti_usb_3410_5052", usb.Firmware, "firmware"},
		{"1a86:7523", "ff/01/02", "ch341", usb.Adapter, "nothing is sent unasked"},
		{"10c4:ea60", "ff/00/00", "cp210x", usb.Adapter, "serial adapter"},
		{"0403:6001", "ff/ff/ff", "ftdi_sio", usb.Adapter, "serial adapter"},
		{"067b:2303", "ff/00/00", "pl2303", usb.Adapter, "serial adapter"},
		{"10c4:ea71", "ff/00/00", "cp210x", usb.Adapter, "serial adapter"}, // by its driver
		{"2341:0043", "02/02/01", "cdc_acm", usb.Other, "not known to be a modem"},
		{"1234:5678", "ff/ff/ff", "option", usb.Other, "not known to be a modem"},
	} {
		d := plugged(t, x.id, x.class, x.driver)
		asked, _ := d.Candidates()
		if d.Mode != x.mode || !strings.Contains(d.Words(), x.words) || len(asked) != 0 {
			t.Errorf("%s: mode %s, %d candidates, %q", x.id, d.Mode, len(asked), d.Words())
		}
	}
}

func TestModemWithoutPortsIsSaid(t *testing.T) {
	b := usbtest.New(t)
	b.Plug(usbtest.Device{Path: "1-1", ID: "1199:9071", Interfaces: []usbtest.Interface{{Number: 12, Class: "02/0e/00", Driver: "cdc_mbim"}}})
	b.Plug(usbtest.Device{Path: "1-2", ID: "2c7c:0125", Interfaces: []usbtest.Interface{{Number: 0, TTY: "ttyUSB0"}}})
	got := scan(t, tree(b))
	if len(got) != 2 || !strings.Contains(got[0].Words(), "no serial port") || !strings.Contains(got[1].Words(), "no port for AT commands") {
		t.Errorf("%q %q", got[0].Words(), got[1].Words())
	}
}

var udevRow = regexp.MustCompile(`ATTRS\{idVendor\}=="(\w+)", ATTRS\{idProduct\}=="([\w|]+)", ENV\{MODEMGATE_AT\}="(\w+)"`)

// TestUdevRulesAgree compares the links that the shipped udev rules make with
// the ports that the table gives.
func TestUdevRulesAgree(t *testing.T) {
	rules, err := os.ReadFile("../../systemd/60-modemgate.rules")
	if err != nil {
		t.Fatal(err)
	}
	rows := udevRow.FindAllStringSubmatch(string(rules), -1)
	if len(rows) < 20 {
		t.Fatalf("only %d rows were read", len(rows))
	}
	inRules := map[string]bool{}
	for _, r := range rows {
		for product := range strings.SplitSeq(r[2], "|") {
			id := r[1] + ":" + product
			inRules[id] = true
			d := plugged(t, id, "ff/ff/ff", "option")
			at := "any"
			for _, p := range d.Ports {
				if p.Role == usb.AT {
					at = fmt.Sprintf("%02x", p.Interface)
				}
			}
			if r[3] != at && !(r[3] == "proto" && at == "any") {
				t.Errorf("%s: the rules say %s, the table %s", id, r[3], at)
			}
		}
	}
	for _, id := range usb.Rows() {
		if inRules[id] {
			continue
		}
		if vendor, product, _ := strings.Cut(id, ":"); strings.HasSuffix(id, "*") {
			known := fmt.Sprintf(`ATTRS{idVendor}==%q, ATTRS{idProduct}==%q, ENV{MODEMGATE_AT}=`, vendor, product)
			if product == "*" { // told by the interfaces
				known = fmt.Sprintf(`ATTRS{idVendor}==%q, ENV{ID_USB_INTERFACES}==`, vendor)
			}
			if !strings.Contains(string(rules), known) {
				t.Errorf("%s is not in the udev rules", id)
			}
			continue
		}
		if d := plugged(t, id, "ff/ff/ff", "option"); d.Mode == usb.Modem {
			t.Errorf("%s is not in the udev rules", id)
		}
	}
}

func TestWhatADeviceCallsItselfIsHarmless(t *testing.T) {
	b := usbtest.New(t)
	b.Plug(usbtest.Device{Path: "1-1", ID: "1234:5678", Name: "evil\x1b[2J\rline" + strings.Repeat("x", 500), Interfaces: []usbtest.Interface{{TTY: "ttyUSB0"}}})
	if s := scan(t, tree(b))[0].String(); len(s) > 100 || strings.ContainsAny(s, "\x1b\r\n") {
		t.Errorf("%q", s)
	}
}

// Of one model the AT port is known to wait for the other one, of no other.
func TestSiblings(t *testing.T) {
	for id, want := range map[string]string{"1e0e:9001": "/dev/ttyUSB3", "2c7c:0125": "", "1e0e:9011": "", "1bc7:1031": "", "0403:6001": ""} {
		for _, p := range plugged(t, id, "ff/ff/ff", "option").Ports {
			got := plugged(t, id, "ff/ff/ff", "option").Sibling(p.Node)
			if p.Role != usb.AT && got != "" || p.Role == usb.AT && got != want {
				t.Errorf("%s: the sibling of %s (%s) is %q, want %q", id, p.Node, p.Role, got, want)
			}
		}
	}
}

func TestSiblingOfAPort(t *testing.T) {
	b := usbtest.New(t)
	real := filepath.Join(t.TempDir(), "pts0")
	if err := os.WriteFile(real, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	d := quectel("1-1", 0)
	d.ID, d.Interfaces[2].Target = "1e0e:9001", real
	b.Plug(d)
	f := usb.NewFinder(usb.Options{Tree: tree(b)}, nil)
	link := filepath.Join(b.Dev, "serial/by-path/usb-0:1-1:1.2-port0")
	for port, want := range map[string]string{
		real: "ttyUSB3", link: "ttyUSB3", filepath.Join(b.Dev, "ttyUSB2"): "ttyUSB3",
		filepath.Join(b.Dev, "ttyUSB3"): "", filepath.Join(b.Dev, "ttyUSB9"): "", "": "",
	} {
		if want != "" {
			want = filepath.Join(b.Dev, want)
		}
		if got := f.Sibling(port); got != want {
			t.Errorf("%s: %q, want %q", port, got, want)
		}
	}
	b.Unplug("1-1")
	if got := f.Sibling(real); got != "" {
		t.Errorf("of a modem that has gone: %q", got)
	}
}
