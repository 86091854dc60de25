package main

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/modemgate/modemgate/configs"
	"github.com/modemgate/modemgate/driver/usb"
)

// byID points a link as udev's to a port, in one step.
func (r *usbRig) byID(link, tty string) {
	r.t.Helper()
	path := filepath.Join(r.bus.Dev, "serial/by-id", link)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		r.t.Fatal(err)
	}
	if err := os.Symlink("../../"+tty, path+".new"); err != nil {
		r.t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		r.t.Fatal(err)
	}
}

// seen waits until the daemon knows what is plugged in, with its ports, which
// come after it.
func (r *usbRig) seen(paths ...string) {
	r.t.Helper()
	cfg, _, err := configs.Load(r.file, []string{}, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	c := socketClient(cfg, filepath.Join(cfg.DataDir, socketName))
	waitUntil(r.t, "the daemon sees "+strings.Join(paths, " "), func() bool {
		var all struct {
			Items []struct{ Path, Problem string }
		}
		if _, err := c.do(r.t.Context(), call{method: http.MethodGet, path: "/v1/modems"}, &all); err != nil {
			r.t.Fatal(err)
		}
		var got []string
		for _, m := range all.Items {
			if strings.Contains(m.Problem, "no serial port") {
				m.Path += " without ports"
			}
			got = append(got, m.Path)
		}
		return strings.Join(got, " ") == strings.Join(paths, " ")
	})
}

// TestSharedLinkThatMovesToAnotherModem has two modems without serial number,
// whose by-id link goes to the one that is left: nothing is sent by the other SIM.
func TestSharedLinkThatMovesToAnotherModem(t *testing.T) {
	const link = "usb-Stick-if02-port0"
	r := newUSBRig(t, 2, "  auto: false\n  list: [{name: front, port: DEV/serial/by-id/"+link+"}]\n")
	r.plug(0, "1-1", 0)
	r.byID(link, "ttyUSB2")
	r.in("front", "up", "")
	r.send("front", "one")
	r.arrives(1, 0, "one")
	r.plug(1, "1-2", 4)
	r.seen("1-1", "1-2")
	r.unplug(0, "1-1")
	r.byID(link, "ttyUSB6")
	mine, other := r.net.Modems()[0].IMEI(), r.net.Modems()[1].IMEI()
	words := "leads to the modem …" + other[11:] + " now, and the line had …" + mine[11:]
	if l := r.in("front", "modem-wrong", words); !strings.Contains(l.Detail, "put usb_path: 1-2, or its imei, in the place of port") {
		t.Errorf("detail: %s", l.Detail)
	}
	r.send("front", "two") // waits for it
	r.stop()
	r.start()
	r.in("front", "modem-wrong", words)
	if out := modemgate(t, []string{"MODEMGATE_CONFIG=" + r.file}, "", "doctor"); !strings.Contains(out.out, "is modem-wrong: ") || !strings.Contains(out.out, "usb_path: 1-2") {
		t.Errorf("doctor:\n%s", out.out)
	}
	r.unplug(1, "1-2")
	r.plug(0, "1-1", 0)
	r.byID(link, "ttyUSB2")
	r.arrives(2, 0, "two")
	r.stop()
}

// What a line is told to name its device by is a name that can be used for it.
func TestNameInsteadOfASharedOne(t *testing.T) {
	port := usb.Port{Node: "/dev/ttyUSB0"}
	for want, d := range map[string]usb.Device{
		"usb_path: 1-1, or its imei,":        {Path: "1-1", Mode: usb.Modem, Ports: []usb.Port{{Node: "/dev/ttyUSB2", Role: usb.AT}}},
		"usb_path: 1-2":                      {Path: "1-2", Mode: usb.Adapter, Ports: []usb.Port{port}},
		"its link below /dev/serial/by-path": {Path: "1-3", Mode: usb.Adapter, Ports: []usb.Port{port, {Node: "/dev/ttyUSB1"}}},
	} {
		if got := ownName(d); got != want {
			t.Errorf("%s: %q, want %q", d.Path, got, want)
		}
	}
	if got := ownName(usb.Device{}); got != "its link below /dev/serial/by-path" {
		t.Errorf("a device that cannot be found: %q", got)
	}
}

// TestExchangedModemOnItsPortIsTaken has ports that name one modem at a time: the
// new one is meant.
func TestExchangedModemOnItsPortIsTaken(t *testing.T) {
	for name, c := range map[string]struct {
		port   string
		shared bool // both are plugged in together
	}{
		"a plain port":               {"DEV/ttyUSB2", true},
		"a link to the socket":       {"DEV/serial/by-path/usb-0:1-1:1.2-port0", true},
		"a by-id link of one device": {"DEV/serial/by-id/usb-Stick-if02-port0", false},
	} {
		t.Run(name, func(t *testing.T) {
			r := newUSBRig(t, 2, "  auto: false\n  list: [{name: front, port: \""+c.port+"\"}]\n")
			r.plug(0, "1-1", 0)
			r.byID("usb-Stick-if02-port0", "ttyUSB2")
			r.in("front", "up", "")
			if c.shared {
				r.plug(1, "1-2", 4)
				r.seen("1-1", "1-2")
				r.unplug(1, "1-2")
			}
			r.unplug(0, "1-1")
			r.seen()
			r.plug(1, "1-1", 0)
			r.send("front", "by the new one")
			r.arrives(1, 1, "by the new one")
			r.stop()
		})
	}
}
