package main

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/modemgate/modemgate/driver/sim"
	"github.com/modemgate/modemgate/driver/usb/usbtest"
)

// unsure plugs in a modem of which the table names no port: the first is one
// that says nothing, the second the modem's.
func (r *usbRig) unsure(path string) {
	r.net.Modems()[1].Inject(sim.Fault{Kind: sim.FaultMissing, Times: -1})
	r.bus.Plug(usbtest.Device{Path: path, ID: "1bc7:1201", Interfaces: []usbtest.Interface{
		{Number: 0, TTY: "ttyUSB0", Target: r.net.Modems()[1].Path()}, {Number: 2, TTY: "ttyUSB2", Target: r.net.Modems()[0].Path()},
	}})
}

// tapped says what a port that does not answer was sent beyond AT.
func (r *usbRig) tapped() {
	r.t.Helper()
	var sent []string
	for _, line := range r.net.Modems()[1].Transcript() {
		if strings.HasPrefix(line, "> ") {
			sent = append(sent, line)
		}
	}
	if len(sent) == 0 || len(sent)%2 != 0 || slices.ContainsFunc(sent, func(s string) bool { return s != "> AT" }) {
		r.t.Errorf("a port that is not known to take commands was sent %q", sent)
	}
}

// run runs a command on the bus of the rig.
func (r *usbRig) run(args ...string) (int, string) {
	r.t.Helper()
	return launch(r.t, []string{"TEST_USB_SYS=" + r.bus.Sys, "TEST_USB_DEV=" + r.bus.Dev}, append(args, "--config", r.file)...).exits()
}

func TestPortsAreTappedBeforeTheyAreSpokenTo(t *testing.T) {
	r := newUSBRig(t, 2, "  auto: false\n  list: [{name: front, usb_path: 1-1}]\n")
	r.stop()
	r.unsure("1-1")
	code, out := r.run("modems", "--json")
	var got struct{ Items []modemJSON }
	if err := json.Unmarshal([]byte(out), &got); err != nil || code != exitOK || len(got.Items) != 1 {
		t.Fatalf("exit %d, %v: %s", code, err, out)
	}
	m := r.net.Modems()[0]
	if d := got.Items[0]; d.Port != filepath.Join(r.bus.Dev, "ttyUSB2") || d.IMEI != m.IMEI() || d.ICCID != m.ICCID() || d.Problem != "" {
		t.Errorf("%+v", d)
	}
	r.tapped()
	if code, out := r.run("at", "front", "AT+CGSN"); code != exitOK || !strings.Contains(out, m.IMEI()) {
		t.Errorf("exit %d: %s", code, out)
	}
	r.tapped()
	m.Inject(sim.Fault{Kind: sim.FaultMissing, Times: -1})
	if code, out := r.run("modems"); code != exitOK || !strings.Contains(out, "! it is not known which port of Telit LE910 (1bc7:1201) at 1-1 takes AT commands") {
		t.Errorf("exit %d: %s", code, out)
	}
	r.tapped()
}
