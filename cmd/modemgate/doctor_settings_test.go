package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/modemgate/modemgate/configs"
	"github.com/modemgate/modemgate/driver/sim"
)

// doctorOf is a patient whose daemon has one line that is up, and answers AT
// commands in the order in which the doctor gives them: CPINR, CMGF, CNMI, CSCS.
func doctorOf(t *testing.T, inbound string, at ...string) *patientRig {
	t.Helper()
	p := newPatient(t, "modems: {simulate: 1}\n")
	said := []string{}
	for _, text := range at {
		said = append(said, fmt.Sprintf(`{"line":"front","lines":[%s],"result":"OK","took_ms":1}`, text))
	}
	f := newFake(t, answers{
		"GET /v1/status": {`{"version":"1","site":"b","healthy":true,"problems":[],"clock":"ok","lines":[{"name":"front","state":"up","identity":{"smsc":"+447785016005"},
"registration":"home","signal_dbm":-71,"storage":[],"counters":{}}],"queue":{},"nats":{"connected":true},"store":{"writable":true}}`},
		"POST /v1/lines/front/at":            said,
		"GET /v1/inbound?limit=5&line=front": {`{"items":[` + inbound + `],"next_cursor":null}`},
	})
	if err := os.WriteFile(p.file, []byte("data_dir: "+f.dir+"\nmodems: {simulate: 1}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(f.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestDoctorReadsTheSettingsBack(t *testing.T) {
	for name, c := range map[string]struct{ cmgf, cnmi, cscs, want string }{
		"as set":        {`"+CMGF: 0"`, `"+CNMI: 2,1,0,1,0"`, `"+CSCS: \"GSM\""`, `ok settings front: as the daemon left them: PDU mode, received SMS and status reports announced (+CNMI: 2,1,0,1,0), character set GSM`},
		"no reports":    {`"+CMGF: 0"`, `"+CNMI: 2,1,0,0,0"`, ``, `ok settings front: as the daemon left them: PDU mode, received SMS announced, status reports not`},
		"text mode":     {`"+CMGF: 1"`, `"+CNMI: 2,1,0,1,0"`, `"+CSCS: \"GSM\""`, `FAIL settings front: the modem is in text mode`},
		"not announced": {`"+CMGF: 0"`, `"+CNMI: 2,0,0,1,0"`, `"+CSCS: \"GSM\""`, `warn settings front: the modem does not announce received SMS (+CNMI: 2,0,0,1,0)`},
		"kept back":     {`"+CMGF: 0"`, `"+CNMI: 0,1,0,1,0"`, `"+CSCS: \"GSM\""`, `warn settings front: the modem does not announce received SMS`},
		"handed out":    {`"+CMGF: 0"`, `"+CNMI: 2,2,0,1,0"`, `"+CSCS: \"GSM\""`, `warn settings front: the modem hands received SMS out without storing them`},
		"odd charset":   {`"+CMGF: 0"`, `"+CNMI: 2,1,0,1,0"`, `"+CSCS: \"KLINGON\""`, `warn settings front: the modem has the unusual character set KLINGON`},
	} {
		t.Run(name, func(t *testing.T) {
			p := doctorOf(t, "", `"+CPINR: SIM PIN,3,3"`, c.cmgf, c.cnmi, c.cscs)
			p.finds(c.want)
		})
	}
	// A modem that says nothing of itself is not judged.
	if out := doctorOf(t, "", "", "", "", "").examine(); strings.Contains(out, "settings") {
		t.Errorf("it judges what it does not know:\n%s", out)
	}
}

func TestDoctorComparesTheNetworksClock(t *testing.T) {
	sms := func(takes ...time.Duration) string {
		var all []string
		at := time.Date(2026, 5, 1, 9, 30, 0, 0, time.UTC)
		for _, d := range takes {
			stamp := `null`
			if d != 0 {
				stamp = `"` + at.Add(-d).Format(time.RFC3339) + `"`
			}
			all = append(all, fmt.Sprintf(`{"id":"in_1","from":"+44","received_at":%q,"smsc_at":%s}`, at.Format(time.RFC3339), stamp))
			at = at.Add(-time.Hour)
		}
		return strings.Join(all, ",")
	}
	for name, c := range map[string]struct {
		takes []time.Duration
		want  string
	}{
		"agree":       {[]time.Duration{4 * time.Hour, 3 * time.Second, 9 * time.Second}, "ok network time front: the service centre's clock and this one agree: an SMS was here 3s after"},
		"one is late": {[]time.Duration{4 * time.Hour}, "ok network time front: "},
		"behind":      {[]time.Duration{9 * time.Second, -7 * time.Minute}, "warn network time front: an SMS was here 7m0s before its service centre stamped it"},
		"zone":        {[]time.Duration{-2*time.Hour + 5*time.Second}, "warn network time front: an SMS was here 1h59m55s before"},
		"ahead":       {[]time.Duration{20 * time.Minute, 25 * time.Minute}, "warn network time front: none of the last 2 SMS was here within 20m0s"},
	} {
		t.Run(name, func(t *testing.T) {
			p := doctorOf(t, sms(c.takes...), "", "", "", "")
			p.finds(c.want)
			if zone := strings.Contains(p.examine(), "wrong time zone"); zone != (name == "zone") {
				t.Errorf("it speaks of a time zone: %v", zone)
			}
		})
	}
	for name, p := range map[string]*patientRig{"no SMS": doctorOf(t, "", "", "", "", ""), "no stamp": doctorOf(t, sms(0), "", "", "", "")} {
		if out := p.examine(); strings.Contains(out, "network time") {
			t.Errorf("%s: it compares nothing:\n%s", name, out)
		}
	}
}

// TestDoctorOfARunningDaemon is the real program with a modem on a USB: what it
// set is read back.
func TestDoctorOfARunningDaemon(t *testing.T) {
	r := newUSBRig(t, 1, "  list: [{name: front, imei: IMEI0}]\n")
	r.plug(0, "1-1")
	r.in("front", "up", "")
	p := newPatient(t, "")
	p.file, p.x.place.usb.Sys, p.x.place.usb.Dev = r.file, r.bus.Sys, r.bus.Dev
	p.finds(
		"ok daemon: it runs", "ok ports: ttyUSB0 diag, ttyUSB1 nmea, ttyUSB2 at, ttyUSB3", "ok line front: is up",
		"ok settings front: as the daemon left them: PDU mode, received SMS and status reports announced",
	)
	r.unplug(0, "1-1")
	r.in("front", "absent", "")
	if out := p.examine(); !strings.Contains(out, "FAIL  line front: is absent") || strings.Contains(out, "settings") || strings.Contains(out, "signal") {
		t.Errorf("it judges a modem that is away:\n%s", out)
	}
}

// TestDoctorOfAModemThatAnnouncesNothing is the real program with a modem that
// is set on purpose, or by what it takes, so that its memory is listed.
func TestDoctorOfAModemThatAnnouncesNothing(t *testing.T) {
	t.Parallel()
	n, err := sim.New(sim.Options{Modems: 1, Profile: "e3531"})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	p := newPatient(t, fmt.Sprintf("modems: {list: [{name: front, port: %q}]}\n", n.Modems()[0].Path()))
	launch(t, nil, "serve", "--config", p.file).says("modemgate is ready")
	waitUntil(t, "the line is up", func() bool { return strings.Contains(p.examine(), "ok    line front: is up") })
	p.finds("ok settings front: as the daemon left them: PDU mode, received SMS found by listing, since this modem announces none (+CNMI: 2,0,0,2,1)",
		"ok sim front: its PIN has 3 tries left") // by a command of its vendor
}

// TestDoctorLetsALineTextItself sends one real SMS through a running daemon.
func TestDoctorLetsALineTextItself(t *testing.T) {
	t.Parallel()
	p := newPatient(t, "modems: {simulate: 1}\n")
	launch(t, nil, "serve", "--config", p.file).says("modemgate is ready")
	waitUntil(t, "the line is up", func() bool { return strings.Contains(p.examine(), "ok    line modem0: is up") })
	p.x.loop = "modem0"
	p.finds("ok loop modem0: the line texted itself: taken by the network after", "ok ; a +CMTI was seen meanwhile")
	p.x.loop = ""
	p.finds("ok network time modem0: the service centre's clock and this one agree")
	p.x.loop = "back"
	p.finds("FAIL loop back: there is no such line")
}

// TestDoctorTakesTheLoopBack leaves no message behind that would be sent, and
// paid for, when nobody waits for it any more.
func TestDoctorTakesTheLoopBack(t *testing.T) {
	const canceled, begun = `{"id":"msg_1","state":"canceled"}`, `{"type":"x","status":409,"detail":"a line has begun to send it","code":"not-cancelable","request_id":"req_1","errors":[]}`
	for name, c := range map[string]struct {
		state, cancel string
		interrupt     bool
		want          []string
	}{
		"given up":    {queuedMessage, canceled, false, []string{"the message was queued after ", " and is taken back; modemgate explain msg_1"}},
		"begun":       {sendingMessage, begun, false, []string{"the message was sending after ", " and cannot be taken back (a line has begun to send it); "}},
		"interrupted": {queuedMessage, canceled, true, []string{"the message msg_1 was queued after ", " and is taken back: context canceled"}},
		"failed":      {failedMessage, "", false, []string{"the message was failed after "}},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t, answers{
				"GET /v1/inbound/cursor":                {`{"cursor":"7"}`},
				"GET /v1/lines/front/trace?after=0":     {someTrace},
				"POST /v1/messages":                     {queuedMessage},
				"GET /v1/messages/msg_1?after=1&wait=W": {c.state},
				"GET /v1/messages/msg_1?after=2&wait=W": {c.state},
				"POST /v1/messages/msg_1/cancel":        {c.cancel},
			})
			x := &examination{daemon: socketClient(configs.Config{}, filepath.Join(f.dir, socketName)), loop: "front", loopSend: 50 * time.Millisecond}
			defer x.daemon.close()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if c.interrupt {
				x.loopSend = time.Hour
				go func() {
					for !strings.Contains(f.asked(), "GET /v1/messages/msg_1") && ctx.Err() == nil {
						time.Sleep(time.Millisecond)
					}
					cancel()
				}()
			}
			_, err := x.loopText(ctx, "+447700900001")
			for _, w := range c.want {
				if err == nil || !strings.Contains(err.Error(), w) {
					t.Errorf("got %v, want %s", err, w)
				}
			}
			if asked := strings.Contains(f.asked(), "POST /v1/messages/msg_1/cancel"); asked != (c.cancel != "") {
				t.Errorf("asked to take it back: %v", asked)
			}
		})
	}
}

func TestDoctorPrintsTheUdevRules(t *testing.T) {
	rules, err := os.ReadFile(filepath.Join("..", "..", "systemd", udevRules))
	if err != nil {
		t.Fatal(err)
	}
	if out := modemgate(t, nil, "", "doctor", "--udev-rules"); out.code != exitOK || out.out != string(rules) || !strings.Contains(out.out, "ID_MM_DEVICE_IGNORE") {
		t.Errorf("exit %d: %s", out.code, out.out)
	}
}
