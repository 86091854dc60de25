package driver_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/modemgate/modemgate/driver"
	"github.com/modemgate/modemgate/driver/sim"
)

// families names the row of the table of quirks that each profile must be
// found in.
var families = map[string]string{
	"generic": "unknown", "bare": "unknown", "huawei": "Huawei", "e3531": "Huawei E3531", "e1752": "Huawei E1752", "zte": "ZTE",
	"mu736": "Huawei MU736", "mf626": "ZTE MF626", "novatel": "Novatel",
	"sim800": "SIMCom SIM800, SIM900", "sim7000": "SIMCom SIM7000", "sim7600": "SIMCom SIM7600", "a7670": "SIMCom A7670",
	"quectel": "Quectel", "sierra": "Sierra EM, MC", "ublox": "u-blox", "telit": "Telit", "siemens": "Siemens",
	"cinterion": "Cinterion", "wavecom": "Wavecom", "multitech": "MultiTech",
}

// contract is what every modem has to do, whatever its family. Each item gets
// a network of its own.
var contract = map[string]func(t *testing.T, r *station){
	"in one session": inOneSession,
	"full storage":   losesNothingWhenFull, "chatter": standsChatter, "restart": noticesRestart,
	"own restart": restartsItself, "abandoned prompt": leavesPrompt,
}

func TestContractOfAllProfiles(t *testing.T) {
	for _, profile := range sim.Profiles() {
		t.Run(profile, func(t *testing.T) {
			t.Parallel()
			for name, test := range contract {
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					test(t, newStation(t, profile))
				})
			}
		})
	}
}

// inOneSession is what a modem does from one bring-up on.
func inOneSession(t *testing.T, r *station) {
	m := dial(t, r.sim)
	for _, item := range []struct {
		name string
		test func(*testing.T, *station, *driver.Modem)
	}{
		{"comes up", comesUp}, {"sends", sendsTexts}, {"reports", reportsDelivery}, {"receives", receivesTexts},
		{"joins parts", joinsParts}, {"deletes one", deletesOne}, {"flash", takesFlash}, {"replace", seesReplacement},
	} {
		if !t.Run(item.name, func(t *testing.T) { item.test(t, r, m) }) {
			return
		}
	}
}

// station is a simulated modem with a phone to talk to.
type station struct {
	profile string
	net     *sim.Network
	sim     *sim.Modem
	phone   *sim.Phone
	seen    map[string]bool // PDUs taken before, as the gateway remembers them
}

const phoneNumber = "+999777000001"

func newStation(t *testing.T, profile string) *station {
	t.Helper()
	n, err := sim.New(sim.Options{Profile: profile, Dir: t.TempDir(), Seed: 1, Slots: 5, BootDelay: 100 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Close() })
	s := n.Modems()[0]
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the modem saw:\n%s", strings.Join(s.Transcript(), "\n"))
		}
	})
	return &station{profile: profile, net: n, sim: s, phone: n.Phone(phoneNumber), seen: make(map[string]bool)}
}

// reports tells whether the modem can be asked for status reports: bare has no
// +CNMI, and an MF626 none that asks for them.
func (r *station) reports() bool { return r.profile != "bare" && r.profile != "mf626" }

// text lets the phone text the modem.
func (r *station) text(t *testing.T, body string, o ...sim.SendOptions) {
	t.Helper()
	if err := r.phone.SendWith(r.sim.Number(), body, append(o, sim.SendOptions{})[0]); err != nil {
		t.Fatal(err)
	}
}

// arrived waits for one more text on the phone, the n-th.
func (r *station) arrived(t *testing.T, n int, want string) {
	t.Helper()
	ctx, cancel := within(t)
	defer cancel()
	got, err := r.phone.Wait(ctx, n)
	if err != nil || got[n-1].Text != want || got[n-1].From != r.sim.Number() {
		t.Fatalf("the phone shows %+v, %v; want %q", got, err, want)
	}
}

// send submits a text part by part.
func (r *station) send(t *testing.T, m *driver.Modem, body string) []int {
	t.Helper()
	var references []int
	all := parts(t, phoneNumber, body)
	for i, tpdu := range all {
		mr, err := m.Send(t.Context(), driver.Submission{TPDU: tpdu, More: i+1 < len(all)})
		if err != nil {
			t.Fatalf("part %d of %d: %v", i+1, len(all), err)
		}
		references = append(references, mr)
	}
	return references
}

// collect lists and deletes, as the gateway does, until n messages or reports
// came that it has not seen, from a memory or past it.
func (r *station) collect(t *testing.T, m *driver.Modem, n int) []driver.Decoded {
	t.Helper()
	var got []driver.Decoded
	for end := time.Now().Add(hangs); len(got) < n; {
		got = append(got, r.drain(t, m)...)
		if len(got) >= n {
			break
		}
		select {
		case s := <-m.Signals():
			if s.PDU != "" {
				got = append(got, driver.Decode(s.PDU, s.Length))
			}
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(end) {
			t.Fatalf("%d messages came, want %d", len(got), n)
		}
	}
	return got
}

func (r *station) drain(t *testing.T, m *driver.Modem) []driver.Decoded {
	t.Helper()
	list, err := m.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var got []driver.Decoded
	for _, st := range list {
		if !st.Copy && !r.seen[st.PDU] {
			got = append(got, driver.Decode(st.PDU, st.Length))
		}
		r.seen[st.PDU] = true
		if err := m.Delete(t.Context(), st.Slot); err != nil {
			t.Fatalf("delete %+v: %v", st.Slot, err)
		}
	}
	return got
}

func textsOf(all []driver.Decoded) []string {
	var list []string
	for _, d := range all {
		list = append(list, d.Text)
	}
	slices.Sort(list)
	return list
}

func comesUp(t *testing.T, r *station, m *driver.Modem) {
	id := m.Identity()
	if id.IMEI != r.sim.IMEI() {
		t.Errorf("IMEI %q, want %q", id.IMEI, r.sim.IMEI())
	}
	if want, known := families[r.profile]; !known || m.Family() != want {
		t.Errorf("taken for %q, want %q", m.Family(), want)
	}
	if r.profile == "bare" {
		return
	}
	if id.ICCID != r.sim.ICCID() || id.IMSI != r.sim.IMSI() || id.Number != r.sim.Number() || id.SMSC == "" {
		t.Errorf("identity %+v, want ICCID %s, IMSI %s, number %s and a service centre", id, r.sim.ICCID(), r.sim.IMSI(), r.sim.Number())
	}
	st, err := m.Status(t.Context())
	if err != nil || st.Registration != "home" || st.Operator != "SimNet" || st.SignalDBM == 0 || len(st.Storage) == 0 {
		t.Errorf("status %+v, %v", st, err)
	}
	if want := (driver.Cell{Area: "1A2B", ID: "0001B2C0", Radio: "lte"}); st.Cell != want {
		t.Errorf("cell %+v, want %+v", st.Cell, want)
	}
	if m.Announces() == (r.profile == "e3531") {
		t.Errorf("announces new messages: %v", m.Announces())
	}
}

func sendsTexts(t *testing.T, r *station, m *driver.Modem) {
	texts := []string{"short, 5 € [ok]", "Привет, 你好 👋🏽", strings.Repeat("A long text that 160 characters cannot hold. ", 9),
		strings.Repeat("Долгий текст 👨‍👩‍👧 ", 12)}
	last := -1
	for i, body := range texts {
		for _, mr := range r.send(t, m, body) {
			if mr != last+1 {
				t.Errorf("reference %d after %d", mr, last)
			}
			last = mr
		}
		r.arrived(t, i+1, body)
	}
	if r.reports() {
		r.collect(t, m, last+1)
	}
}

func receivesTexts(t *testing.T, r *station, m *driver.Modem) {
	want := []string{"hello € {1}", "same", "same", "Ω 你好 👩‍🚀"}
	for i, body := range want {
		r.text(t, body, sim.SendOptions{Timestamp: time.Date(2026, 1, 2, 3, 4, i, 0, time.UTC)})
	}
	got := r.collect(t, m, len(want))
	for _, d := range got {
		if d.Kind != driver.Deliver || d.From.Value != phoneNumber || d.From.Type != driver.AddressInternational || d.SentAt.IsZero() {
			t.Errorf("received %+v", d)
		}
	}
	slices.Sort(want)
	if !slices.Equal(textsOf(got), want) {
		t.Errorf("received %q, want %q", textsOf(got), want)
	}
	if again := r.drain(t, m); len(again) != 0 {
		t.Errorf("after the deletion there is still %q", textsOf(again))
	}
}

func joinsParts(t *testing.T, r *station, m *driver.Modem) {
	body := strings.Repeat("Ein Text in drei Teilen, außer der Reihe. ", 10)
	r.text(t, body, sim.SendOptions{Order: []int{3, 1, 2}})
	got := r.collect(t, m, 3)
	slices.SortFunc(got, func(a, b driver.Decoded) int { return a.Concat.Seq - b.Concat.Seq })
	if joined := driver.Join(got...); joined != body {
		t.Errorf("joined %q", joined)
	}
}

func reportsDelivery(t *testing.T, r *station, m *driver.Modem) {
	if !r.reports() {
		return
	}
	for range 3 { // a lost acknowledgement would hold back the second
		mr := r.send(t, m, "report, please")[0]
		d := r.collect(t, m, 1)[0]
		if d.Kind != driver.Report || d.Report.MR != mr || d.Report.Outcome() != driver.Delivered || d.Report.Recipient.Value != phoneNumber {
			t.Fatalf("after reference %d came %+v %+v", mr, d, d.Report)
		}
	}
}

// README names every family and its profile, so that nobody has to read the
// table of quirks.
func TestREADMENamesEveryProfile(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, profile := range sim.Profiles() {
		if profile != "generic" && profile != "bare" && !strings.Contains(string(text), "`"+profile+"`") {
			t.Errorf("README.md says nothing of %s", profile)
		}
	}
}
