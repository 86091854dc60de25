package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/modemgate/modemgate/driver/sim"
	"github.com/modemgate/modemgate/driver/usb"
	"github.com/modemgate/modemgate/driver/usb/usbtest"
)

// patient is an examination of a machine that the test has made.
type patientRig struct {
	t    *testing.T
	bus  *usbtest.Bus
	dir  string
	file string
	x    *examination
}

func newPatient(t *testing.T, config string) *patientRig {
	t.Helper()
	p := &patientRig{t: t, bus: usbtest.New(t), dir: shortDir(t)}
	p.file = filepath.Join(p.dir, "c.yaml")
	data := filepath.Join(p.dir, "d")
	if err := os.Mkdir(data, 0o700); err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf("data_dir: %s\napi: {listen: 127.0.0.1:0}\nnats: {listen: \"127.0.0.1:0\"}\n%s", data, config)
	if err := os.WriteFile(p.file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p.x = &examination{place: place{usb: usb.Tree{Sys: p.bus.Sys, Dev: p.bus.Dev}, proc: filepath.Join(p.dir, "proc"), etc: []string{filepath.Join(p.dir, "rules")}}}
	return p
}

// runs makes a process of a name appear.
func (p *patientRig) runs(pid, name string) {
	p.t.Helper()
	dir := filepath.Join(p.dir, "proc", pid)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "comm"), []byte(name+"\n"), 0o600); err != nil {
		p.t.Fatal(err)
	}
}

func (p *patientRig) examine() string {
	p.t.Helper()
	p.x.found = nil
	p.x.examine(p.t.Context(), system{env: []string{}}, p.file)
	var b bytes.Buffer
	p.x.show(&b)
	return b.String()
}

// finds wants findings, each by level, check and a word of it.
func (p *patientRig) finds(want ...string) {
	p.t.Helper()
	out := p.examine()
	for _, w := range want {
		level, text, _ := strings.Cut(w, " ")
		found := false
		for line := range strings.Lines(out) {
			found = found || strings.HasPrefix(line, fmt.Sprintf("%-4s  ", level)) && strings.Contains(line, text)
		}
		if !found {
			p.t.Errorf("no %q in\n%s", w, out)
		}
	}
}

func TestDoctorWithoutADaemon(t *testing.T) {
	n, err := sim.New(sim.Options{Modems: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	good, bad := n.Modems()[0], n.Modems()[1]
	bad.SetSIM("puk", "")
	p := newPatient(t, fmt.Sprintf("modems: {list: [{name: front, port: %q}, {name: back, port: %q}, {name: gone, port: /dev/serial/by-id/none}]}\n", good.Path(), bad.Path()))
	p.bus.Plug(usbtest.Device{Path: "1-1", ID: "12d1:1446", Maker: "HUAWEI", Name: "Mobile"})
	p.runs("77", "ModemManager")
	p.finds(
		"ok configuration: "+p.file, "warn daemon: none runs", "ok data_dir: ", "ok disk: ", "warn other programs ModemManager: runs (pid 77)",
		"FAIL usb 1-1: ", "FAIL port /dev/serial/by-id/none: is not there", "ok addresses: ",
		"ok modem line front: Simulated", "ok IMEI "+good.IMEI(), "ok sim line front: is ready, ICCID "+good.ICCID(), "ok network line front: it is at home",
		"ok signal line front: ", "ok smsc line front: ", "ok storage line front: ", "FAIL sim line back: ",
	)
	if out := p.examine(); !strings.Contains(out, "mass storage mode") || !strings.Contains(out, "usb-modeswitch") || !strings.Contains(out, "PUK") {
		t.Errorf("it does not say what to do:\n%s", out)
	}
	if commands := strings.Join(bad.Transcript(), "\n"); strings.Contains(commands, "AT+CPIN=") {
		t.Error("it tried a PIN")
	}
	// The state of the network is judged too.
	good.SetRegistration(sim.RegDenied)
	p.finds("FAIL network line front: the network refuses the SIM")
	good.SetRegistration(sim.RegRoaming)
	p.finds("warn network line front: it is abroad")
	// With our rules ModemManager does no harm.
	if err := os.MkdirAll(p.x.place.etc[0], 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(p.x.place.etc[0], udevRules), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(p.dir, "d"), 0o755); err != nil {
		t.Fatal(err)
	}
	p.finds("ok other programs ModemManager: runs", "FAIL data_dir: ")
}

func TestDoctorOfSimulatedLines(t *testing.T) {
	p := newPatient(t, "modems: {simulate: 1}\n")
	p.finds("ok usb: not looked at, the lines are simulated")
	if out := p.examine(); strings.Contains(out, "no modem is plugged in") {
		t.Errorf("it wants a modem where none is used:\n%s", out)
	}
}

// TestDoctorWithoutADataDirectory tells a directory that the first start makes
// from one that this user cannot make.
func TestDoctorWithoutADataDirectory(t *testing.T) {
	p := newPatient(t, "modems: {simulate: 1}\n")
	data := filepath.Join(p.dir, "d")
	if err := os.Remove(data); err != nil {
		t.Fatal(err)
	}
	p.finds("warn data_dir: " + data + " does not exist yet")
	if os.Geteuid() == 0 {
		return // root may write everywhere
	}
	if err := os.Chmod(p.dir, 0o500); err != nil {
		t.Fatal(err)
	}
	defer os.Chmod(p.dir, 0o700)
	p.finds("FAIL data_dir: " + data + " does not exist, and this user cannot make it in " + p.dir)
}

func TestDoctorOfAWrongConfiguration(t *testing.T) {
	p := newPatient(t, "otp: {length: 3}\nlimits: {queued: 0}\n")
	p.finds("FAIL configuration: "+p.file+":4: otp.length", "FAIL configuration: "+p.file+":5: limits.queued")
	r := modemgate(t, nil, "", "doctor", "--json", "--config", p.file)
	var out struct {
		Healthy bool
		Checks  []finding
	}
	if err := json.Unmarshal([]byte(r.out), &out); err != nil || r.code != exitFailed || out.Healthy || len(out.Checks) != 2 {
		t.Errorf("exit %d, %+v, %v", r.code, out, err)
	}
}

const doctorStatus = `{"version":"1","site":"berlin","started_at":"2026-05-01T09:00:00.000Z","healthy":false,"problems":["x"],"clock":"ok","lines":[
{"name":"front","state":"up","since_at":"2026-05-01T09:00:03.000Z","identity":{"smsc":"+447785016005"},"registration":"home","operator":"Net","signal_dbm":-109,"storage":[{"memory":"SM","used":30,"total":30},{"memory":"ME","used":90,"total":100}],"counters":{},"balance":{"amount":9.9,"low":false}},
{"name":"back","state":"sim-puk","since_at":null,"detail":"sim is blocked and needs its PUK: unblock it in a phone","identity":{},"storage":[],"counters":{}},
{"name":"side","state":"up","since_at":null,"identity":{},"registration":"searching","storage":[],"counters":{}}],
"queue":{"held":2},"nats":{"connected":false,"waiting":7,"error":"connection refused"},"store":{"bytes":1,"free_bytes":2,"writable":true}}`

// TestDoctorAsksTheDaemon opens nothing: all it knows of the lines comes from
// the daemon that holds their ports.
func TestDoctorAsksTheDaemon(t *testing.T) {
	p := newPatient(t, "modems: {simulate: 2}\n")
	f := newFake(t, answers{
		"GET /v1/status":          {doctorStatus},
		"POST /v1/lines/front/at": {`{"line":"front","lines":["+CPINR: SIM PIN,1"],"result":"OK","took_ms":1}`},
		"POST /v1/lines/side/at":  {`{"line":"side","lines":[],"result":"error","took_ms":1}`},
	})
	if err := os.WriteFile(p.file, []byte("data_dir: "+f.dir+"\nmodems: {simulate: 2}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(f.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	p.finds(
		"ok daemon: it runs", "ok line front: is up", "warn sim front: its PIN has 1 try left", "warn signal front: -109 dBm is weak", "ok smsc front: +447785016005",
		"FAIL storage front: SM is full", "warn storage front: ME is 90 of 100", "ok credit front: 9.9", "FAIL line back: is sim-puk", "FAIL network side: it has no network (searching)",
		"FAIL smsc side: ", "FAIL broker: NATS is not connected", "warn queue: 2 messages are held",
	)
	if out := p.examine(); !strings.Contains(out, "is sim-puk: sim is blocked and needs its PUK: unblock it in a phone\n") {
		t.Errorf("it does not say what to do, in the words of the line:\n%s", out)
	}
}

func TestModems(t *testing.T) {
	bus := usbtest.New(t)
	bus.Plug(usbtest.Device{Path: "1-1", ID: "2c7c:0125", Maker: "Quectel", Name: "EC25", Interfaces: []usbtest.Interface{
		{Number: 0, TTY: "ttyUSB0"}, {Number: 2, TTY: "ttyUSB2"}, {Number: 3, TTY: "ttyUSB3"},
	}})
	bus.Plug(usbtest.Device{Path: "1-2", ID: "12d1:1446", Maker: "HUAWEI", Name: "Mobile"})
	all, err := plugged(usb.Tree{Sys: bus.Sys, Dev: bus.Dev})
	if err != nil || len(all) != 2 {
		t.Fatalf("got %+v, %v", all, err)
	}
	tree := usb.Tree{Sys: bus.Sys, Dev: bus.Dev}
	if port, err := portAt(t.Context(), tree, "1-1"); err != nil || port != filepath.Join(bus.Dev, "ttyUSB2") {
		t.Errorf("the port at 1-1 is %s, %v", port, err)
	}
	for path, want := range map[string]string{"1-2": "mass storage mode", "1-9": "nothing is plugged in"} {
		if port, err := portAt(t.Context(), tree, path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the port at %s is %s, %v", path, port, err)
		}
	}
	all = withLines(all, []lineJSON{
		{Name: "front", State: "up", Port: filepath.Join(bus.Dev, "ttyUSB2"), Operator: "Net", SignalDBM: -71},
		{Name: "modem0", State: "up", Simulated: true, Port: "/dev/pts/9"},
	})
	var b bytes.Buffer
	showModems(&b, all)
	out := strings.ReplaceAll(b.String(), bus.Dev, "/dev")
	for _, want := range []string{"PORT", "/dev/ttyUSB2", "2c7c:0125", "front", "-71 dBm", "  /dev/ttyUSB0", "diag", "/dev/pts/9", "simulated", "! ", "mass storage mode"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	f := newFake(t, answers{"GET /v1/lines": {`{"items":[{"name":"modem0","state":"up","simulated":true,"port":"/dev/pts/9","identity":{"imei":"869999000000017"},"storage":[],"counters":{}}],"next_cursor":null}`}, "GET /v1/modems": {`{"items":[],"next_cursor":null}`}})
	r := modemgate(t, f.env(), "", "modems", "--json")
	if r.code != exitOK || !strings.Contains(r.out, `"line": "modem0"`) || !strings.Contains(r.out, `"imei": "869999000000017"`) {
		t.Errorf("exit %d, out %s, err %s", r.code, r.out, r.err)
	}
}

// A line that is listed by modem, SIM or socket is looked for in what is
// plugged in.
func TestDoctorLooksForTheModemsOfLines(t *testing.T) {
	n, err := sim.New(sim.Options{Modems: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	m := n.Modems()[0]
	p := newPatient(t, fmt.Sprintf(`modems: {list: [{name: front, imei: %q}, {name: card, iccid: %q}, {name: socket, usb_path: 1-3},
  {name: back, imei: "490154203237518"}, {name: side, usb_path: 9-9}, {name: none, iccid: "89490000000000000004"}]}
`, m.IMEI(), m.ICCID()))
	d := usbtest.Device{Path: "1-3", ID: "2c7c:0125"}
	for i := range 4 {
		d.Interfaces = append(d.Interfaces, usbtest.Interface{Number: i, TTY: fmt.Sprintf("ttyUSB%d", i)})
	}
	d.Interfaces[2].Target = m.Path()
	p.bus.Plug(d)
	p.finds(
		"ok line front: its modem is at 1-3", "ok line card: its modem is at 1-3", "ok line socket: its modem is at 1-3",
		"FAIL line back: no modem with the IMEI 490154203237518", "FAIL line side: no modem in the USB socket 9-9",
		"FAIL line none: no SIM with the ICCID 89490000000000000004",
	)
}

// Who holds a port is the daemon when it is its process, under whatever name.
func TestDoctorKnowsTheDaemonByItsProcess(t *testing.T) {
	x := examination{}
	x.cfg.DataDir = t.TempDir()
	if !x.ours("modemgate (pid 7)") || x.ours("minicom (pid 7)") {
		t.Error("where the process is not known it goes by the name")
	}
	if err := os.WriteFile(filepath.Join(x.cfg.DataDir, "lock"), []byte("1234\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for holder, want := range map[string]bool{"mg (pid 1234)": true, "modemgate (pid 99)": false, "mg (pid 12345)": false, "mg (pid 1234) (lock file /var/lock/LCK..ttyUSB0)": true} {
		if x.ours(holder) != want {
			t.Errorf("%s: %v", holder, !want)
		}
	}
}
