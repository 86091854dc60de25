package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/modemgate/modemgate/driver/sim"
	"github.com/modemgate/modemgate/driver/usb/usbtest"
)

const someone = "+447700900123"

// usbRig is the program in a process of its own, with a USB that the test
// plugs simulated modems into.
type usbRig struct {
	t    *testing.T
	bus  *usbtest.Bus
	net  *sim.Network
	file string
	p    *process
	free int // first free ttyUSB
}

func newUSBRig(t *testing.T, modems int, lines string) *usbRig {
	t.Helper()
	t.Parallel()
	n, err := sim.New(sim.Options{Modems: modems})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Close() })
	r := &usbRig{t: t, bus: usbtest.New(t), net: n, file: filepath.Join(t.TempDir(), "c.yaml")}
	for i, m := range n.Modems() {
		lines = strings.ReplaceAll(lines, fmt.Sprintf("IMEI%d", i), m.IMEI())
		lines = strings.ReplaceAll(lines, fmt.Sprintf("ICCID%d", i), m.ICCID())
	}
	lines = strings.ReplaceAll(lines, "DEV", r.bus.Dev)
	text := fmt.Sprintf("data_dir: %s\napi: {listen: \"127.0.0.1:0\"}\nnats: {listen: \"127.0.0.1:0\"}\ndefault_region: GB\nstorage: {reserve: 1MiB}\nmodems:\n%s",
		filepath.Join(shortDir(t), "d"), lines)
	if err := os.WriteFile(r.file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	r.start()
	return r
}

func (r *usbRig) start() {
	r.t.Helper()
	r.p = launch(r.t, []string{"TEST_USB_SYS=" + r.bus.Sys, "TEST_USB_DEV=" + r.bus.Dev}, "serve", "--config", r.file)
	r.p.says("modemgate is ready")
}

func (r *usbRig) stop() {
	r.t.Helper()
	_ = r.p.cmd.Process.Signal(syscall.SIGTERM)
	if code, out := r.p.exits(); code != exitOK {
		r.t.Fatalf("a clean stop is exit %d:\n%s", code, out)
	}
}

// plug plugs a modem into a socket as an EC25 on the next ttyUSBs, or on those
// from first on.
func (r *usbRig) plug(modem int, path string, first ...int) {
	at := r.free
	if len(first) > 0 {
		at = first[0]
	}
	r.free = max(r.free, at+4)
	d := usbtest.Device{Path: path, ID: "2c7c:0125"}
	for i := range 4 {
		d.Interfaces = append(d.Interfaces, usbtest.Interface{Number: i, TTY: fmt.Sprintf("ttyUSB%d", at+i)})
	}
	d.Interfaces[2].Target = r.net.Modems()[modem].Path()
	r.net.Modems()[modem].Plug()
	r.bus.Plug(d)
}

func (r *usbRig) unplug(modem int, path string) {
	r.net.Modems()[modem].Unplug()
	r.bus.Unplug(path)
}

// usbLine is what is shown of a line.
type usbLine struct {
	Name, State, Detail, Port, IMEI, ICCID string
}

func (r *usbRig) lines() map[string]usbLine {
	r.t.Helper()
	var s struct{ Lines []usbLine }
	out := modemgate(r.t, []string{"MODEMGATE_CONFIG=" + r.file}, "", "status", "--json").out
	if err := json.Unmarshal([]byte(out), &s); err != nil {
		r.t.Fatalf("%v: %s\n%s", err, out, r.p.errs.String())
	}
	all := map[string]usbLine{}
	for _, l := range s.Lines {
		all[l.Name] = l
	}
	return all
}

// in waits until a line is in a state, with such words in its detail.
func (r *usbRig) in(line, state, words string) usbLine {
	r.t.Helper()
	var l usbLine
	defer func() {
		if r.t.Failed() {
			r.t.Logf("line %s is %s: %s\n%s", line, l.State, l.Detail, r.p.errs.String())
		}
	}()
	waitUntil(r.t, fmt.Sprintf("line %s is %s (%s)", line, state, words), func() bool {
		l = r.lines()[line]
		return l.State == state && strings.Contains(l.Detail, words)
	})
	return l
}

func (r *usbRig) send(via, text string) {
	r.t.Helper()
	if out := modemgate(r.t, []string{"MODEMGATE_CONFIG=" + r.file}, "", "send", someone, text, "--via", via); out.code != exitOK {
		r.t.Fatalf("send: exit %d: %s", out.code, out.err)
	}
}

// arrives waits until the n-th text is there and has come from a modem.
func (r *usbRig) arrives(n, modem int, text string) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), limit)
	defer cancel()
	got, err := r.net.Phone(someone).Wait(ctx, n)
	if err != nil {
		r.t.Fatalf("%d texts: %v\n%s", len(got), err, r.p.errs.String())
	}
	if last := got[n-1]; last.Text != text || last.From != r.net.Modems()[modem].Number() || len(got) != n {
		r.t.Fatalf("text %d is %q from %s, want %q from %s", n, last.Text, last.From, text, r.net.Modems()[modem].Number())
	}
}

func TestUSBModemsExchangeTheirNames(t *testing.T) {
	r := newUSBRig(t, 2, "  list: [{name: front, imei: \"IMEI0\"}, {name: back, usb_path: 1-2}]\n")
	r.in("front", "absent", "no modem with the IMEI …"+r.net.Modems()[0].IMEI()[11:]+" is plugged in")
	r.in("back", "absent", "nothing is plugged into the USB socket 1-2")
	r.plug(0, "1-1", 0)
	r.plug(1, "1-2", 4)
	if l := r.in("front", "up", ""); l.Port != r.bus.Dev+"/ttyUSB2" {
		t.Errorf("front is on %s", l.Port)
	}
	r.in("back", "up", "")
	r.send("front", "one")
	r.arrives(1, 0, "one")
	r.unplug(0, "1-1")
	r.unplug(1, "1-2")
	r.in("front", "absent", "")
	r.in("back", "absent", "")
	r.send("front", "two") // waits for it
	r.plug(1, "1-2", 0)    // with the names that the other had
	r.plug(0, "1-3", 4)    // and in another socket
	r.arrives(2, 0, "two")
	if l := r.in("front", "up", ""); l.Port != r.bus.Dev+"/ttyUSB6" {
		t.Errorf("front is on %s", l.Port)
	}
	r.in("back", "up", "")
	r.send("back", "three")
	r.arrives(3, 1, "three")
	if len(r.lines()) != 2 {
		t.Errorf("lines: %v", r.lines())
	}
	r.stop()
}

func TestUSBModemsAreAdopted(t *testing.T) {
	r := newUSBRig(t, 2, "  list: []\n")
	if len(r.lines()) != 0 {
		t.Errorf("lines: %v", r.lines())
	}
	r.bus.Plug(usbtest.Device{Path: "1-4", ID: "12d1:1446", Interfaces: []usbtest.Interface{{Class: "08/06/50", Driver: "usb-storage"}}})
	r.bus.Plug(usbtest.Device{Path: "1-5", ID: "1a86:7523", Interfaces: []usbtest.Interface{{Class: "ff/01/02", Driver: "ch341", TTY: "ttyUSB90", Target: r.net.Modems()[1].Path()}}})
	waitUntil(t, "the status tells of the stick that is a disk", func() bool {
		return strings.Contains(modemgate(t, []string{"MODEMGATE_CONFIG=" + r.file}, "", "status").out, "mass storage mode: install usb-modeswitch")
	})
	r.plug(0, "1-1")
	iccid := r.net.Modems()[0].ICCID()
	name := "m-" + iccid[len(iccid)-6:]
	r.in(name, "up", "")
	r.send(name, "adopted")
	r.arrives(1, 0, "adopted")
	r.stop()
	r.unplug(0, "1-1")
	r.start()
	r.in(name, "absent", "no modem with the SIM …"+iccid[len(iccid)-4:]+" is plugged in")
	r.send(name, "later")
	r.plug(0, "1-2")
	r.arrives(2, 0, "later")
	if got := r.lines(); len(got) != 1 {
		t.Errorf("lines: %v", got)
	}
	if lines := r.net.Modems()[1].Transcript(); len(lines) != 0 {
		t.Errorf("the adapter was sent %q", lines)
	}
	r.stop()
}

func TestUSBModemWithAnotherSIM(t *testing.T) {
	r := newUSBRig(t, 1, "  auto: false\n  list: [{name: front, iccid: \"ICCID0\"}]\n")
	m := r.net.Modems()[0]
	own, another := m.ICCID(), "8999900000000009993"
	r.plug(0, "1-1")
	r.in("front", "up", "")
	m.InsertSIM(another, "999990000000999")
	m.Unsolicited("RDY") // most restart when the SIM is changed
	r.in("front", "sim-wrong", "holds the SIM …9993 now, and the line is for the SIM …"+own[len(own)-4:]+": nothing is sent")
	r.send("front", "by my SIM alone")
	for _, line := range m.Transcript() {
		if strings.Contains(line, "+CMGS") {
			t.Errorf("sent by the wrong SIM: %s", line)
		}
	}
	r.unplug(0, "1-1")
	r.in("front", "absent", "")
	m.InsertSIM(own, m.IMSI())
	r.plug(0, "1-1")
	r.arrives(1, 0, "by my SIM alone")
	r.stop()
}

func TestUSBPortHeldByAnother(t *testing.T) {
	r := newUSBRig(t, 1, "  list: [{name: front, usb_path: 1-1}]\n")
	m := r.net.Modems()[0]
	port, err := os.OpenFile(m.Path(), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	holder := exec.Command("sleep", "300")
	holder.ExtraFiles = []*os.File{port}
	if err := holder.Start(); err != nil {
		t.Fatal(err)
	}
	port.Close()
	defer func() { _ = holder.Process.Kill() }()
	before := len(m.Transcript())
	d := usbtest.Device{Path: "1-1", ID: "2c7c:0125", Interfaces: []usbtest.Interface{{Number: 2, TTY: "ttyUSB2", Target: m.Path()}}}
	r.bus.Plug(d)
	r.in("front", "failed", fmt.Sprintf("(pid %d): stop that, or give this line another port", holder.Process.Pid))
	if now := m.Transcript(); len(now) != before {
		t.Errorf("sent beside the other: %q", now[before:])
	}
	_ = holder.Process.Kill()
	_ = holder.Wait()
	r.in("front", "up", "")
	r.stop()
}

// TestUSBModemWithALooseContact comes and goes faster than anybody can look.
func TestUSBModemWithALooseContact(t *testing.T) {
	r := newUSBRig(t, 2, "  list: [{name: front, imei: \"IMEI0\"}, {name: back, port: DEV/ttyUSB102}]\n")
	r.plug(1, "1-2", 100)
	r.in("back", "up", "")
	for i := range 10 {
		r.plug(0, "1-1", 4*(i%3))
		r.unplug(0, "1-1")
	}
	r.send("back", "not impressed")
	r.arrives(1, 1, "not impressed")
	r.plug(0, "1-1", 8)
	r.in("front", "up", "")
	r.send("front", "at last")
	r.arrives(2, 0, "at last")
	r.in("back", "up", "")
	if got := r.lines(); len(got) != 2 {
		t.Errorf("lines: %v", got)
	}
	r.stop()
}

// TestUSBAdoptedModemIsGivenSettings lists an adopted line under its own name:
// it is the same line, with what is written there.
func TestUSBAdoptedModemIsGivenSettings(t *testing.T) {
	r := newUSBRig(t, 1, "  auto: true\n")
	r.plug(0, "1-1")
	iccid := r.net.Modems()[0].ICCID()
	name := "m-" + iccid[len(iccid)-6:]
	r.in(name, "up", "")
	r.send(name, "before")
	r.arrives(1, 0, "before")
	r.unplug(0, "1-1")
	r.in(name, "absent", "")
	waiting := modemgate(t, []string{"MODEMGATE_CONFIG=" + r.file}, "", "send", someone, "between", "--via", name)
	if waiting.code != exitOK {
		t.Fatalf("send: exit %d: %s", waiting.code, waiting.err)
	}
	r.stop()
	text, err := os.ReadFile(r.file)
	if err != nil {
		t.Fatal(err)
	}
	entry := fmt.Sprintf("  list: [{name: %s, iccid: %q, labels: [uk], limits: {per_day: 7}, balance: {code: \"*100#\", pattern: \"([0-9.,]+)\"}, keep_alive: 30d}]\n", name, iccid)
	if err := os.WriteFile(r.file, append(text, entry...), 0o600); err != nil {
		t.Fatal(err)
	}
	r.start()
	r.plug(0, "1-1")
	r.in(name, "up", "")
	r.arrives(2, 0, "between")
	var l struct {
		Labels []string
		Limits struct {
			PerDay int `json:"per_day"`
		}
		Counters struct {
			PartsToday int `json:"parts_today"`
		}
	}
	out := modemgate(t, []string{"MODEMGATE_CONFIG=" + r.file}, "", "line", "show", name, "--json").out
	if err := json.Unmarshal([]byte(out), &l); err != nil || len(l.Labels) != 1 || l.Limits.PerDay != 7 || l.Counters.PartsToday != 2 {
		t.Errorf("%v: %s", err, out)
	}
	if all := r.lines(); len(all) != 1 {
		t.Errorf("there are the lines %v", all)
	}
}
