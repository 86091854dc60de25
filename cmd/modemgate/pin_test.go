package main_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/modemgate/modemgate/driver/sim"
)

const simPIN = "73914628" // eight digits that stand nowhere by chance

// withPIN gives the only line of the rig a pin_file, a service centre and the
// leave to roam, and the log every detail.
func (r *rig) withPIN() (pinFile string) {
	r.Helper()
	pinFile = filepath.Join(r.dir, "pin")
	if err := os.WriteFile(pinFile, []byte(simPIN+"\n"), 0o600); err != nil {
		r.Fatal(err)
	}
	b, err := os.ReadFile(r.config)
	if err != nil {
		r.Fatal(err)
	}
	text := strings.Replace(string(b), "{name: line0,", fmt.Sprintf("{name: line0, pin_file: %s, smsc: \"+999000000\", roaming: true,", pinFile), 1) + "log: {level: debug}\n"
	if err := os.WriteFile(r.config, []byte(text), 0o600); err != nil {
		r.Fatal(err)
	}
	return pinFile
}

// line reads the state of the only line and what the API says about it.
func (r *rig) line() (state, detail string) {
	var l struct{ State, Detail string }
	if !r.get("/v1/lines/line0", &l) {
		return "", ""
	}
	return l.State, l.Detail
}

func (r *rig) inState(want string) (detail string) {
	r.Helper()
	r.must("line0 is "+want, func() (ok bool) {
		var state string
		state, detail = r.line()
		return state == want
	})
	return detail
}

func pinsEntered(m *sim.Modem) (n int) {
	for _, line := range m.Transcript() {
		if strings.HasPrefix(line, "> AT+CPIN=") {
			n++
		}
	}
	return n
}

// The process dies when the PIN is on its way to the SIM: nobody knows whether
// it was right, and no later life may try it again.
func TestPINIsNotTriedAgainAfterAKill(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{})
	r.withPIN()
	m := r.net.Modems()[0]
	m.SetSIM(sim.SIMPIN, "00070007")
	killed := make(chan struct{})
	m.OnPoint(func(o sim.Occasion) {
		if o.Point == sim.PointCommand && strings.HasPrefix(o.Command, "+CPIN=") {
			m.OnPoint(nil)
			m.Unplug() // the SIM never sees it: only the record says that it was tried
			r.must("the daemon is there to be killed", func() bool { return r.now() != nil })
			r.now().kill()
			close(killed)
		}
	})
	r.start()
	<-killed
	m.Plug()
	for range 2 {
		r.serving()
		detail := r.inState("sim-pin")
		if !strings.Contains(detail, "not tried again") {
			t.Errorf("detail %q", detail)
		}
		r.quit()
	}
	if n := pinsEntered(m); n != 1 {
		t.Errorf("the PIN was entered %d times", n)
	}
}

// A pin_file end to end: refused while others may read it, then used, at each
// power-up, and found nowhere else than in that file.
func TestPINFileUnlocksTheSIM(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{})
	pinFile := r.withPIN()
	if err := os.Chmod(pinFile, 0o640); err != nil {
		t.Fatal(err)
	}
	m := r.net.Modems()[0]
	m.SetSIM(sim.SIMPIN, simPIN)
	m.SetSMSC("")                     // the line is up all the same: smsc is configured,
	m.SetRegistration(sim.RegRoaming) // and roaming is allowed
	d := r.serving()
	if detail := r.inState("sim-pin"); !strings.Contains(detail, "chmod 600") || pinsEntered(m) != 0 {
		t.Errorf("detail %q, the PIN was entered %d times", detail, pinsEntered(m))
	}
	if err := os.Chmod(pinFile, 0o600); err != nil {
		t.Fatal(err)
	}
	r.inState("up")
	m.Unplug()
	m.Plug()
	r.must("it is entered at the next power-up too", func() bool { return pinsEntered(m) == 2 })
	r.inState("up")
	r.quit()
	if strings.Contains(d.all(), simPIN) {
		t.Error("the log holds the PIN")
	}
	if err := filepath.WalkDir(r.data, func(path string, e os.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(path)
		if strings.Contains(string(b), simPIN) {
			t.Errorf("%s holds the PIN", path)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
}
