package main

import (
	"encoding/json"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/modemgate/modemgate/configs"
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
	r := newUSBRig(t, 2, "  auto: false\n  list: [{name: front, usb_path: 1-1}, {name: back, imei: IMEI0}]\n")
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
	if code, out := r.run("at", "back", "AT+CGSN"); code != exitFailed || !strings.Contains(out, "it is not known which port of Telit LE910 (1bc7:1201) at 1-1 takes AT commands") {
		t.Errorf("exit %d: %s", code, out)
	}
	r.tapped()
	if code, out := r.run("modems"); code != exitOK || !strings.Contains(out, "! it is not known which port of Telit LE910 (1bc7:1201) at 1-1 takes AT commands") {
		t.Errorf("exit %d: %s", code, out)
	}
	r.tapped()
}

// TestModemsTellsOfThoseThatAreNoLine: their IMEI is what a line is made from.
func TestModemsTellsOfThoseThatAreNoLine(t *testing.T) {
	r := newUSBRig(t, 3, "  auto: false\n  list: [{name: front, imei: IMEI0}]\n")
	r.plug(1, "1-2")
	cfg, _, err := configs.Load(r.file, []string{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	c := socketClient(cfg, filepath.Join(cfg.DataDir, socketName))
	second, third := r.net.Modems()[1], r.net.Modems()[2]
	var got struct{ Items []modemJSON }
	waitUntil(t, "the daemon has asked the second while it looked for the first", func() bool {
		if _, err := c.do(t.Context(), call{method: http.MethodGet, path: "/v1/modems"}, &got); err != nil {
			t.Fatal(err)
		}
		return len(got.Items) == 1 && got.Items[0].IMEI == second.IMEI() && got.Items[0].ICCID == second.ICCID()
	})
	r.plug(0, "1-1")
	r.in("front", "up", "")
	r.plug(2, "1-3") // of no interest to the daemon
	want := []modemJSON{
		{Path: "1-1", Line: "front", State: "up", IMEI: r.net.Modems()[0].IMEI()}, {Path: "1-2", IMEI: second.IMEI()}, {Path: "1-3", IMEI: third.IMEI()},
	}
	code, out := r.run("modems", "--json")
	got.Items = nil
	if err := json.Unmarshal([]byte(out), &got); err != nil || code != exitOK || len(got.Items) != len(want) {
		t.Fatalf("exit %d, %v: %s", code, err, out)
	}
	for i, w := range want {
		if m := got.Items[i]; m.Path != w.Path || m.Line != w.Line || m.State != w.State || m.IMEI != w.IMEI || m.Problem != "" {
			t.Errorf("modem %d is %+v, want %+v", i, m, w)
		}
	}
	r.stop()
}
