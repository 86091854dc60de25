package driver_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/modemgate/modemgate/driver"
	"github.com/modemgate/modemgate/driver/sim"
)

func within(t *testing.T) (context.Context, context.CancelFunc) {
	t.Helper()
	return context.WithTimeout(t.Context(), hangs)
}

// losesNothingWhenFull sends more than the memories of a SIM hold.
func losesNothingWhenFull(t *testing.T, r *station) {
	m := dial(t, r.sim)
	var want []string
	for i := range 12 {
		want = append(want, fmt.Sprintf("message %02d", i))
		r.text(t, want[i])
	}
	if got := textsOf(r.collect(t, m, len(want))); !slices.Equal(got, want) {
		t.Errorf("received %q", got)
	}
}

func deletesOne(t *testing.T, r *station, m *driver.Modem) {
	for i := range 2 {
		r.text(t, fmt.Sprintf("message %d", i))
	}
	var list []driver.Stored
	eventually(t, "both are stored", func() bool {
		var err error
		if list, err = m.List(t.Context()); err != nil {
			t.Fatal(err)
		}
		list = slices.DeleteFunc(list, func(st driver.Stored) bool { return st.Copy })
		return len(list) == 2
	})
	if err := m.Delete(t.Context(), list[0].Slot); err != nil {
		t.Fatal(err)
	}
	if err := m.Delete(t.Context(), list[0].Slot); err != nil {
		t.Errorf("a slot that is empty already: %v", err)
	}
	left, err := m.List(t.Context())
	if err != nil || !slices.ContainsFunc(left, func(st driver.Stored) bool { return st.Slot == list[1].Slot && st.PDU == list[1].PDU }) ||
		slices.ContainsFunc(left, func(st driver.Stored) bool { return st.Slot == list[0].Slot }) {
		t.Errorf("left %+v, %v", left, err)
	}
	r.seen[list[0].PDU] = true // of an a7670 there is one more
	r.drain(t, m)
}

// eventually waits for a condition of a modem.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(hangs); !holds(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

// standsChatter has the family's own chatter at every place of every answer,
// bring-up included.
func standsChatter(t *testing.T, r *station) {
	for _, where := range []string{sim.WhereBefore, sim.WhereInside, sim.WhereAfter} {
		r.sim.Inject(sim.Fault{Kind: sim.FaultChatter, Where: where, Times: -1})
	}
	m := dial(t, r.sim)
	for i := range 3 {
		body := fmt.Sprintf("message %d", i)
		if mr := r.send(t, m, body)[0]; mr != i {
			t.Errorf("reference %d, want %d", mr, i)
		}
		r.arrived(t, i+1, body)
		r.text(t, body)
	}
	got := r.collect(t, m, 3)
	for r.reports() && len(got) < 6 { // three texts and three reports
		got = append(got, r.collect(t, m, 1)...)
	}
}

// noticesRestart restarts the modem without a word to the driver: nothing may
// go out as a text of hex digits, and the next session works.
func noticesRestart(t *testing.T, r *station) {
	m := dial(t, r.sim)
	r.sim.Restart()
	for n := 0; ; n++ {
		_, err := m.Send(t.Context(), driver.Submission{TPDU: parts(t, phoneNumber, "in between")[0]})
		if err != nil {
			break
		}
		if n > 100 {
			t.Fatal("the restart was never noticed")
		}
	}
	select {
	case <-m.Done():
	case <-time.After(hangs):
		t.Fatal("the session goes on")
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	again := dial(t, r.sim)
	r.text(t, "after the restart")
	for _, d := range r.collect(t, again, 1) {
		if d.Kind == driver.Deliver && d.Text != "after the restart" {
			t.Errorf("received %+v", d)
		}
	}
	for _, got := range r.phone.Received() {
		if got.Text != "in between" {
			t.Errorf("a PDU went out as a text: %q", got.Text)
		}
	}
	r.send(t, again, "sent again")
}

// restarts are the commands that restart each family, as the makers' manuals
// and ModemManager have them; "" is none that is known, or none that is safe.
var restarts = map[string]string{
	"generic": "", "bare": "", "zte": "", "mf626": "", "novatel": "",
	"huawei": "", "e3531": "", "e1752": "", // it comes back as a CD
	"mu736": "AT+CFUN=16", "ublox": "AT+CFUN=16",
	"sim800": "AT+CFUN=1,1", "quectel": "AT+CFUN=1,1", "siemens": "AT+CFUN=1,1", "cinterion": "AT+CFUN=1,1",
	"sim7000": "AT+CRESET", "sim7600": "AT+CRESET", "a7670": "AT+CRESET",
	"sierra": "AT!RESET", "telit": "AT#REBOOT", "wavecom": "AT+CFUN=1", "multitech": "AT+CFUN=1",
}

func restartsItself(t *testing.T, r *station) {
	want, known := restarts[r.profile]
	if !known {
		t.Fatal("nobody has said how it restarts")
	}
	m := dial(t, r.sim)
	if can := driver.CanReset(m.Identity()); can != (want != "") {
		t.Errorf("it can be restarted: %v", can)
	}
	before := len(r.sim.Transcript())
	err := m.Reset(t.Context())
	if want == "" {
		if !errors.Is(err, driver.ErrNoReset) || len(r.sim.Transcript()) != before {
			t.Errorf("%v, and it was sent %q", err, r.sim.Transcript()[before:])
		}
		r.send(t, m, "goes on")
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	if log := r.sim.Transcript()[before:]; !slices.Contains(log, "> "+want) {
		t.Errorf("it was sent %q, want %s", log, want)
	}
	select {
	case <-m.Done():
	case <-time.After(hangs):
		t.Fatal("the session goes on")
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	var again *driver.Modem
	eventually(t, "the modem is back", func() bool {
		again, err = driver.Open(t.Context(), driver.Options{Port: r.sim.Path(), CommandTimeout: 2 * time.Second})
		if err != nil {
			return false
		}
		_, err = again.Send(t.Context(), driver.Submission{TPDU: parts(t, phoneNumber, "back again")[0]})
		if err != nil {
			again.Close()
		}
		return err == nil
	})
	if err := again.Close(); err != nil {
		t.Error(err)
	}
}

func leavesPrompt(t *testing.T, r *station) {
	m := dial(t, r.sim)
	_, err := m.Send(t.Context(), driver.Submission{
		TPDU: parts(t, phoneNumber, "abandoned")[0], AtPrompt: func() error { go m.Close(); <-m.Done(); return nil },
	})
	var e *driver.SendError
	if !errors.As(err, &e) || e.Fate != driver.NotSent {
		t.Fatalf("got %v", err)
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	r.send(t, dial(t, r.sim), "whole")
	r.arrived(t, 1, "whole")
}

func takesFlash(t *testing.T, r *station, m *driver.Modem) {
	r.text(t, "look here", sim.SendOptions{Flash: true})
	if d := r.collect(t, m, 1)[0]; d.Text != "look here" || d.Class != 0 {
		t.Errorf("received %+v", d)
	}
}

// seesReplacement: a message of a replace type takes the slot of its
// predecessor (3GPP TS 23.040 §9.2.3.9).
func seesReplacement(t *testing.T, r *station, m *driver.Modem) {
	for _, body := range []string{"code 111", "code 222"} {
		r.text(t, body, sim.SendOptions{PID: 0x41})
	}
	var got []string
	for !slices.Contains(got, "code 222") {
		got = append(got, textsOf(r.collect(t, m, 1))...)
	}
	if slices.Index(got, "code 111") > slices.Index(got, "code 222") {
		t.Errorf("the replaced message came last: %q", got)
	}
}
