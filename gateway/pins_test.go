package gateway_test

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/modemgate/modemgate/driver"
	"github.com/modemgate/modemgate/driver/sim"
	"github.com/modemgate/modemgate/gateway"
	"github.com/modemgate/modemgate/gateway/store"
)

// withPIN gives all lines of a rig a PIN to enter.
func withPIN(pin *atomic.Value) func(*gateway.Options) {
	return func(o *gateway.Options) {
		guard := gateway.NewPINs(o.Store, o.Secrets)
		for i := range o.Lines {
			port := o.Lines[i].Port
			o.Lines[i].Open = func(ctx context.Context) (gateway.Modem, error) {
				m, err := driver.Open(ctx, driver.Options{
					Port: port, CommandTimeout: 2 * time.Second, Log: slog.New(slog.DiscardHandler),
					PIN: &driver.PIN{Read: func() (string, error) { return pin.Load().(string), nil }, Guard: guard},
				})
				if err != nil {
					return nil, err
				}
				return m, nil
			}
		}
	}
}

// pinsEntered counts the PINs that were written to a modem.
func pinsEntered(m *sim.Modem) (n int) {
	for _, line := range m.Transcript() {
		if strings.HasPrefix(line, "> AT+CPIN=") {
			n++
		}
	}
	return n
}

// opened counts how often a modem was brought up as far as its SIM.
func opened(m *sim.Modem) (n int) {
	for _, line := range m.Transcript() {
		if line == "> AT+CPINR" {
			n++
		}
	}
	return n
}

func TestAWrongPINIsNeverTriedTwice(t *testing.T) {
	var pin atomic.Value
	pin.Store("0007")
	r := newRig(t, withPIN(&pin), nil)
	m := r.net.Modems()[0]
	r.lineState("modem0", "up")
	m.SetSIM(sim.SIMPIN, "73914628")
	m.Restart()
	r.lineState("modem0", "sim-pin")
	for range 2 {
		before := opened(m)
		r.until("the modem was opened again", func() bool { return opened(m) >= before+2 })
		r.restart()
	}
	if _, left := m.SIM(); pinsEntered(m) != 1 || left != 2 {
		t.Fatalf("entered %d times, %d tries left", pinsEntered(m), left)
	}
	r.until("the line says what to do", func() bool {
		l, err := r.g.Line(t.Context(), admin, "modem0")
		return err == nil && strings.Contains(l.Detail, "refused the PIN in pin_file (tries left: 2)") && strings.Contains(l.Detail, "put the right PIN into that file")
	})

	// The right PIN, and then it is entered at each power-up.
	pin.Store("73914628")
	r.lineState("modem0", "up")
	for n := 3; n <= 4; n++ {
		m.Restart()
		r.until("the PIN was entered again", func() bool { return pinsEntered(m) == n })
		r.lineState("modem0", "up")
	}
	r.post(gateway.NewMessage{To: "+447700900001", Text: "unlocked"})
	r.texts("+447700900001", 1)
	if !r.nothingHolds("73914628") {
		t.Error("the PIN is in the data directory")
	}
}

// nothingHolds says whether no file of the data directory has the text in it.
func (r *rig) nothingHolds(text string) bool {
	r.t.Helper()
	files, err := filepath.Glob(filepath.Join(r.dir, "*"))
	if err != nil || len(files) == 0 {
		r.t.Fatal(len(files), err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err == nil && strings.Contains(string(b), text) {
			return false
		}
	}
	return true
}

// What a process leaves behind that dies between a claim and its end.
func TestPINRecordsOverRestarts(t *testing.T) {
	const iccid, right, wrong = "8999900000000000014", "73914628", "0007"
	r := newRig(t, nil, nil)
	try := func(pin string, left int) driver.PINTry { return driver.PINTry{SIM: iccid, PIN: pin, Left: left} }
	pins := func() *gateway.PINs {
		r.restart()
		secrets, err := gateway.LoadSecrets(r.dir, store.FileName)
		if err != nil {
			t.Fatal(err)
		}
		return gateway.NewPINs(r.st, secrets)
	}
	claim := func(step, pin string, left int, want bool) {
		t.Helper()
		if err := pins().Claim(t.Context(), try(pin, left)); (err == nil) != want {
			t.Errorf("%s: %v", step, err)
		}
	}
	settle := func(pin string, good bool) {
		t.Helper()
		if err := pins().Settle(t.Context(), try(pin, 3), good); err != nil {
			t.Fatal(err)
		}
	}
	claim("first try", wrong, 3, true)
	claim("the process died: not again", wrong, 3, false)
	settle(wrong, false)
	claim("refused: not again", wrong, 3, false)
	claim("nor when the counter is full", wrong, 10, false)
	claim("blind after a failure", right, -1, false)
	claim("another PIN", right, 2, true)
	settle(right, true)
	claim("it was right: again", right, 3, true)
	claim("died, and the SIM has not refused it", right, 3, true)
	claim("died, and a try is gone", right, 2, false)
	claim("died, and nobody counts", right, -1, false)
	settle(right, true)
	claim("right again", right, -1, true)
	settle(right, false)
	claim("somebody has changed the PIN", right, 3, false)
	if err := pins().Claim(t.Context(), driver.PINTry{SIM: iccid[:len(iccid)-1], PIN: wrong, Left: 3}); err == nil {
		t.Error("tried again in a modem that leaves out the check digit")
	}
	other := driver.PINTry{SIM: "8999900000000000022", PIN: wrong, Left: -1}
	if err := pins().Claim(t.Context(), other); err != nil {
		t.Errorf("another SIM: %v", err)
	}
}

// A SIM whose number can be read at one power-up and not at the next is the
// same SIM: the PIN that it refused is not entered under another name.
func TestAWrongPINIsNotTriedAgainUnderAnotherName(t *testing.T) {
	hide := func(m *sim.Modem) {
		for _, cmd := range []string{"+CCID", "+CRSM"} {
			m.Inject(sim.Fault{Kind: sim.FaultError, Match: cmd, Code: 13, Times: -1})
		}
	}
	for name, steps := range map[string][2]func(*sim.Modem){
		"number unknown first": {hide, (*sim.Modem).ClearFaults},
		"number known first":   {(*sim.Modem).ClearFaults, hide},
	} {
		t.Run(name, func(t *testing.T) {
			var pin atomic.Value
			pin.Store("0007")
			r := newRig(t, withPIN(&pin), nil)
			m := r.net.Modems()[0]
			r.lineState("modem0", "up")
			steps[0](m)
			m.SetSIM(sim.SIMPIN, "73914628")
			m.Restart()
			r.until("the PIN was refused", func() bool { _, left := m.SIM(); return left == 2 })
			steps[1](m)
			m.Restart()
			r.until("the line says what to do", func() bool {
				l, err := r.g.Line(t.Context(), admin, "modem0")
				return err == nil && l.State == "sim-pin" && strings.Contains(l.Detail, "on a SIM in this modem that may be this one") &&
					strings.Contains(l.Detail, "put the right PIN into that file")
			})
			if _, left := m.SIM(); pinsEntered(m) != 1 || left != 2 {
				t.Errorf("entered %d times, %d tries left", pinsEntered(m), left)
			}
			pin.Store("73914628")
			r.lineState("modem0", "up")
		})
	}
}

// Which tries in a modem count for which SIM.
func TestPINRecordsOfSIMsInAModem(t *testing.T) {
	const a, b, unknown = "8999900000000000014", "8999900000000000022", ""
	type step struct {
		sim, pin string
		left     int
		ends     string // right, wrong or open; "" where the PIN is to be kept back
	}
	for name, steps := range map[string][]step{
		"unknown, then known":            {{unknown, "1111", 3, "wrong"}, {a, "1111", 3, ""}, {a, "2222", 2, "right"}},
		"open while unknown, then known": {{unknown, "1111", 3, "open"}, {a, "1111", 3, ""}},
		"known, then unknown":            {{a, "1111", 3, "wrong"}, {unknown, "1111", 3, ""}, {unknown, "2222", 2, "right"}},
		"open while known, then unknown": {{a, "1111", 3, "open"}, {unknown, "1111", 3, ""}},
		"another known SIM":              {{a, "1111", 3, "wrong"}, {b, "1111", 3, "right"}, {b, "1111", 3, "right"}},
		"the first again, unknown": {{a, "1111", 3, "wrong"}, {b, "1111", 3, "right"}, {unknown, "1111", 3, ""},
			{b, "1111", 3, "right"}, {a, "1111", 3, ""}},
		"right under both names":  {{a, "1111", 3, "right"}, {unknown, "1111", 3, "right"}, {a, "1111", 3, "right"}},
		"no longer right":         {{a, "1111", 3, "right"}, {unknown, "1111", 3, "wrong"}, {a, "1111", 3, ""}},
		"blind, unknown first":    {{unknown, "1111", -1, "wrong"}, {a, "2222", -1, ""}},
		"blind, known first":      {{a, "1111", -1, "wrong"}, {unknown, "2222", -1, ""}, {b, "2222", -1, "right"}},
		"blind, no longer hidden": {{unknown, "1111", -1, "right"}, {a, "1111", -1, "right"}, {unknown, "1111", -1, "right"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, nil, nil)
			secrets, err := gateway.LoadSecrets(r.dir, store.FileName)
			if err != nil {
				t.Fatal(err)
			}
			pins := gateway.NewPINs(r.st, secrets)
			for i, s := range steps {
				try := driver.PINTry{SIM: s.sim, IMEI: "350000000000006", PIN: s.pin, Left: s.left}
				if err := pins.Claim(t.Context(), try); (err == nil) != (s.ends != "") {
					t.Fatalf("step %d: %v", i, err)
				}
				if s.ends == "right" || s.ends == "wrong" {
					if err := pins.Settle(t.Context(), try, s.ends == "right"); err != nil {
						t.Fatal(err)
					}
				}
			}
			elsewhere := driver.PINTry{IMEI: "350000000000014", PIN: "1111", Left: 3}
			if err := pins.Claim(t.Context(), elsewhere); err != nil {
				t.Errorf("an unknown SIM in another modem: %v", err)
			}
		})
	}
}

// A backup does not know what was tried after it: a PIN is entered only on a SIM
// that says that no try has failed.
func TestPINRecordsFromABackup(t *testing.T) {
	r := newRig(t, nil, nil)
	secrets, err := gateway.LoadSecrets(r.dir, store.FileName)
	if err != nil {
		t.Fatal(err)
	}
	pins := gateway.NewPINs(r.st, secrets)
	const iccid = "8999900000000000014"
	claim := func(step, iccid, pin string, left int, want bool) {
		t.Helper()
		try := driver.PINTry{SIM: iccid, IMEI: "350000000000006", PIN: pin, Left: left}
		err := pins.Claim(t.Context(), try)
		if (err == nil) != want {
			t.Errorf("%s: %v", step, err)
		}
		if err == nil {
			if err := pins.Settle(t.Context(), try, pin == "1111"); err != nil {
				t.Fatal(err)
			}
		}
	}
	claim("before", iccid, "1111", -1, true)
	claim("before", "", "1111", -1, true)
	for n := range 2 {
		if _, _, err := gateway.AfterRestore(t.Context(), r.st, time.Now().Add(time.Duration(n)*time.Hour)); err != nil {
			t.Fatal(err)
		}
		claim("nobody counts", iccid, "1111", -1, false)
		claim("nobody counts, unknown SIM", "", "1111", -1, false)
		claim("a try is gone", iccid, "1111", 2, false)
		claim("all are left", iccid, "1111", 3, true)
		claim("and from then on", iccid, "1111", 2, true)
		claim("another SIM", "8999900000000000022", "3333", 2, false)
	}
	claim("wrong", iccid, "2222", 3, true)
	claim("put right", iccid, "1111", 2, true)
}

// impatient waits a second for a SIM that is busy.
func impatient(o *gateway.Options) {
	for i := range o.Lines {
		port := o.Lines[i].Port
		o.Lines[i].Open = func(ctx context.Context) (gateway.Modem, error) {
			m, err := driver.Open(ctx, driver.Options{Port: port, CommandTimeout: 500 * time.Millisecond})
			if err != nil {
				return nil, err
			}
			return m, nil
		}
	}
}

func TestEachStateOfASIMIsALineState(t *testing.T) {
	for state, c := range map[string]struct{ line, words string }{
		sim.SIMPIN:     {"sim-pin", "name the file that holds it in pin_file"},
		sim.SIMPUK:     {"sim-puk", "enter its PUK"},
		sim.SIMAbsent:  {"sim-absent", "insert it"},
		sim.SIMFailure: {"sim-failure", "replace it"},
		sim.SIMBusy:    {"sim-busy", "the line waits for it"},
	} {
		t.Run(state, func(t *testing.T) {
			r := newRig(t, impatient, func(o *sim.Options) { o.Modems = 2 })
			m := r.net.Modems()[0]
			r.lineState("modem0", "up")
			m.SetSIM(state, "73914628")
			m.Restart()
			r.lineState("modem0", c.line)
			l, err := r.g.Line(t.Context(), admin, "modem0")
			if err != nil || !strings.Contains(l.Detail, c.words) {
				t.Errorf("%q, %v", l.Detail, err)
			}
			s, err := r.g.Status(t.Context(), admin)
			if err != nil || s.Healthy || !strings.Contains(strings.Join(s.Problems, "\n"), c.words) {
				t.Errorf("problems %q, %v", s.Problems, err)
			}
			v := r.post(gateway.NewMessage{To: "+447700900001", Text: "the other line sends"})
			if v = r.await(v.ID, gateway.State("sent"), gateway.State("delivered")); v.Line != "modem1" {
				t.Errorf("sent by %s", v.Line)
			}
			m.SetSIM(sim.SIMReady, "") // inserted, unlocked in a phone, replaced
			r.lineState("modem0", "up")
		})
	}
}

// A modem that says so is asked at once, not only when something is sent.
func TestSIMTakenOutWithAWord(t *testing.T) {
	for _, profile := range []string{"quectel", "huawei"} {
		t.Run(profile, func(t *testing.T) {
			r := newRig(t, nil, func(o *sim.Options) { o.Profile = profile })
			r.lineState("modem0", "up")
			r.net.Modems()[0].SetSIM(sim.SIMAbsent, "")
			r.lineState("modem0", "sim-absent")
			r.net.Modems()[0].SetSIM(sim.SIMReady, "")
			r.lineState("modem0", "up")
		})
	}
}

// A SIM that is taken out of a running modem, and put back.
func TestSIMTakenOutAndPutBack(t *testing.T) {
	r := newRig(t, nil, nil)
	m := r.net.Modems()[0]
	r.lineState("modem0", "up")
	m.SetSIM(sim.SIMAbsent, "")
	v := r.post(gateway.NewMessage{To: "+447700900001", Text: "waits for the SIM"})
	r.lineState("modem0", "sim-absent")
	m.SetSIM(sim.SIMReady, "")
	r.lineState("modem0", "up")
	r.await(v.ID, gateway.State("sent"), gateway.State("delivered"))
}

// Another SIM in a modem that stays on: it is noticed, and budgets start anew.
func TestSIMSwappedWhileTheModemIsOn(t *testing.T) {
	r := newRig(t, nil, func(o *sim.Options) { o.Profile = "quectel" })
	m := r.net.Modems()[0]
	r.lineState("modem0", "up")
	r.await(r.post(gateway.NewMessage{To: alice, Text: "by the first"}).ID, store.Sent, store.Delivered)
	m.InsertSIM("8999900000000009993", "999990000000999")
	m.Unsolicited("+CPIN: NOT READY")
	r.until("the change is told", func() bool { return slices.Contains(r.told("modem0"), "sim-changed") })
	r.lineState("modem0", "up")
	l, err := r.g.Line(t.Context(), admin, "modem0")
	if err != nil || l.ICCID != "8999900000000009993" || l.PartsToday != 0 {
		t.Errorf("%s, %d parts today, %v", l.ICCID, l.PartsToday, err)
	}
}
