package gateway_test

import (
	"context"
	"errors"
	"fmt"
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

// means are the steps of a ladder that a test offers, and how often each was
// taken.
type means struct {
	usb, power   func(m *sim.Modem) error
	usbs, powers atomic.Int32
}

// ladderRig is a rig whose first line has means and little patience.
func ladderRig(t *testing.T, s *means, profile string, tune func(*gateway.Options)) *rig {
	t.Helper()
	var r *rig
	first := func() *sim.Modem { return r.net.Modems()[0] }
	r = rigWith(t, func(o *gateway.Options) {
		lasting(o)
		o.Recovery = gateway.RecoveryOptions{Strikes: 2, Return: 2 * time.Second, Rest: time.Hour}
		for i, l := range o.Lines {
			do := driver.Options{Port: l.Port, CommandTimeout: 1500 * time.Millisecond, PromptTimeout: 2 * time.Second, SubmitTimeout: 2 * time.Second, Log: o.Log}
			rescue := gateway.Rescue{
				Plug:  func() string { return driver.Plug(l.Port) },
				Reset: func(ctx context.Context, id driver.Identity) error { return driver.ResetSilent(ctx, do, id) },
			}
			if s.usb != nil {
				rescue.USB = func(context.Context) error { s.usbs.Add(1); return s.usb(first()) }
			}
			if s.power != nil {
				rescue.Power = func(context.Context) error { s.powers.Add(1); return s.power(first()) }
			}
			o.Lines[i].Rescue = rescue
			o.Lines[i].Open = func(ctx context.Context) (gateway.Modem, error) {
				m, err := driver.Open(ctx, do)
				if err != nil {
					return nil, err
				}
				return m, nil
			}
		}
		if tune != nil {
			tune(o)
		}
	}, func(o *sim.Options) { o.Profile = profile })
	r.lineState("modem0", "up")
	return r
}

// rigWith is newRig, for callers whose options need the rig.
func rigWith(t *testing.T, tune func(*gateway.Options), simTune func(*sim.Options)) *rig {
	t.Helper()
	return newRig(t, tune, simTune)
}

func nothing(*sim.Modem) error { return nil }

// story is what the ladder of the first line did, oldest first.
func (r *rig) story() (steps []string) {
	r.t.Helper()
	l, err := r.g.Line(r.t.Context(), admin, "modem0")
	if err != nil {
		r.t.Fatal(err)
	}
	for _, i := range slices.Backward(l.Recovery.Incidents) {
		steps = append(steps, i.Step+" "+i.Result)
	}
	return steps
}

// within says whether the steps of want were taken in that order. On a machine
// that stalls a modem may have been found silent at other times too.
func within(story, want []string) bool {
	for _, step := range story {
		if len(want) > 0 && step == want[0] {
			want = want[1:]
		}
	}
	return len(want) == 0
}

// tells waits until the story has these steps, and demands that each is told
// by metric and event as well.
func (r *rig) tells(want ...string) {
	r.t.Helper()
	r.until(fmt.Sprintf("the ladder has done %q", want), func() bool { return within(r.story(), want) })
	steps := len(r.story())
	r.until("each step is counted and told", func() bool { return r.counted() >= steps && r.recoveryEvents() >= steps })
}

// counted is what the metric says of all steps.
func (r *rig) counted() int {
	families, err := r.g.Metrics().Gather()
	if err != nil {
		r.t.Fatal(err)
	}
	n := 0.0
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == "modemgate_recovery_total" {
				n += m.GetCounter().GetValue()
			}
		}
	}
	return int(n)
}

// recoveryEvents counts the events about steps.
func (r *rig) recoveryEvents() (n int) {
	if err := r.st.View(r.t.Context(), func(tx store.Tx) error {
		rows, err := tx.PendingEvents("status", 0, 1000)
		for _, e := range rows {
			if e.Subject == "modem.modem0.recovery" && strings.Contains(string(e.Payload), `"step":"`) {
				n++
			}
		}
		return err
	}); err != nil {
		r.t.Fatal(err)
	}
	return n
}

func TestSilentModemIsTakenStepByStep(t *testing.T) {
	s := &means{usb: nothing, power: func(m *sim.Modem) error { m.Restart(); return nil }}
	r := ladderRig(t, s, "quectel", func(o *gateway.Options) {
		o.Recovery.Return, o.Recovery.Rest = time.Second, 50*time.Millisecond
	})
	r.net.Modems()[0].Inject(sim.Fault{Kind: sim.FaultHang})
	m := r.post(gateway.NewMessage{To: alice, Text: "on the other side of a hang", OnUnknown: "resend"})
	r.until("the power was cycled", func() bool { return s.powers.Load() > 0 })
	r.await(m.ID, store.Delivered)
	r.tells("reopen in-vain", "reset in-vain", "usb in-vain", "power cured")
	l, err := r.g.Line(t.Context(), admin, "modem0")
	if err != nil || l.State != "up" || l.Recovery.Cause != "" || l.Recovery.Step != "" {
		t.Errorf("the line is %+v, %v", l, err)
	}
	if r.submitted(alice) != 1 {
		t.Errorf("submitted %d times", r.submitted(alice))
	}
}

func TestResetThatOnlyTheModemHears(t *testing.T) {
	s := &means{usb: nothing}
	r := ladderRig(t, s, "quectel", func(o *gateway.Options) { o.Recovery.Return = 20 * time.Second })
	modem := r.net.Modems()[0]
	modem.OnPoint(func(o sim.Occasion) {
		if o.Command == "+CFUN=1,1" {
			o.Modem.ClearFaults()
		}
	})
	modem.Inject(sim.Fault{Kind: sim.FaultMissing, Times: -1})
	r.tells("reopen in-vain", "reset cured")
	r.lineState("modem0", "up")
	if s.usbs.Load() != 0 {
		t.Error("a step was taken after the cure")
	}
}

// What is plugged in where the modem was and does not answer may be another,
// which the restart command of the first would harm.
func TestNoResetOfWhatMayBeAnotherModem(t *testing.T) {
	r := ladderRig(t, &means{}, "quectel", nil)
	modem := r.net.Modems()[0]
	modem.Unplug()
	r.lineState("modem0", "absent")
	modem.Inject(sim.Fault{Kind: sim.FaultMissing, Times: -1})
	modem.Plug()
	r.lineState("modem0", "out-of-service")
	for _, line := range modem.Transcript() {
		if strings.Contains(line, "CFUN=") {
			t.Errorf("it was told to restart: %s", line)
		}
	}
}

func TestNoResetIntoMassStorage(t *testing.T) {
	s := &means{power: func(m *sim.Modem) error { m.Restart(); return nil }}
	r := ladderRig(t, s, "huawei", func(o *gateway.Options) { o.Recovery.Return = 20 * time.Second })
	modem := r.net.Modems()[0]
	modem.Inject(sim.Fault{Kind: sim.FaultMissing, Times: -1})
	r.until("the power was cycled", func() bool { return s.powers.Load() > 0 })
	modem.ClearFaults()
	r.lineState("modem0", "up")
	for _, line := range modem.Transcript() {
		if strings.HasPrefix(line, "> AT+CFUN=") {
			t.Errorf("the stick was told to restart: %s", line)
		}
	}
	if _, err := r.g.ResetLine(t.Context(), admin, "modem0", "reset"); code(err) != gateway.InvalidRequest {
		t.Errorf("by hand: %v", err)
	}
}

func TestOutOfServiceUntilPluggedAnew(t *testing.T) {
	r := ladderRig(t, &means{}, "generic", nil)
	modem := r.net.Modems()[0]
	modem.Inject(sim.Fault{Kind: sim.FaultHang})
	r.lineState("modem0", "out-of-service")
	r.tells("reopen in-vain", "out-of-service open")
	l, _ := r.g.Line(t.Context(), admin, "modem0")
	if wait := l.Recovery.RetryAt.Sub(r.now()); wait < 29*time.Minute ||
		!strings.Contains(l.Detail, "did not help; no restart command of it is known and safe, it is no USB device, no power_cycle is set for it: unplug it") ||
		!strings.HasPrefix(l.Detail, "opening it ") || !strings.Contains(l.Detail, "tried again at") {
		t.Errorf("again in %s: %s", wait, l.Detail)
	}
	st, err := r.g.Status(t.Context(), admin)
	if err != nil || st.Healthy {
		t.Errorf("status: healthy %v, %v", st.Healthy, err)
	}
	modem.Unplug()
	modem.Plug()
	r.lineState("modem0", "up")
}

func TestBreakerLetsOneTryThrough(t *testing.T) {
	s := &means{usb: nothing}
	r := ladderRig(t, s, "generic", func(o *gateway.Options) { o.Recovery.Rest = 50 * time.Millisecond })
	modem := r.net.Modems()[0]
	modem.Inject(sim.Fault{Kind: sim.FaultHang})
	r.until("the second rest", func() bool { return s.usbs.Load() >= 2 })
	modem.ClearFaults()
	r.lineState("modem0", "up")
	r.await(r.post(gateway.NewMessage{To: alice, Text: "back"}).ID, store.Delivered)
}

func TestStatesThatAreNoIllness(t *testing.T) {
	bad := func(*sim.Modem) error { return errors.New("taken") }
	for name, do := range map[string]struct {
		ail   func(*sim.Modem)
		state string
	}{
		"absent":     {(*sim.Modem).Unplug, "absent"},
		"locked":     {func(m *sim.Modem) { m.SetSIM("pin", "1234"); m.Restart() }, "sim-pin"},
		"denied":     {func(m *sim.Modem) { m.SetRegistration(sim.RegDenied); m.Restart() }, "denied"},
		"no network": {func(m *sim.Modem) { m.Inject(sim.Fault{Kind: sim.FaultNoNetwork}); m.Restart() }, "no-network"},
	} {
		t.Run(name, func(t *testing.T) {
			s := &means{usb: bad, power: bad}
			r := ladderRig(t, s, "quectel", func(o *gateway.Options) { o.Recovery.Strikes = 1 })
			do.ail(r.net.Modems()[0])
			r.lineState("modem0", do.state)
			r.post(gateway.NewMessage{To: alice, Text: "waits"})
			time.Sleep(300 * time.Millisecond) // in which a ladder would have begun
			for _, i := range r.story() {
				if !strings.HasPrefix(i, gateway.StepReopen) {
					t.Errorf("a step was taken: %s", i)
				}
			}
			if s.usbs.Load()+s.powers.Load() > 0 {
				t.Error("a step was taken")
			}
		})
	}
}

// usbTree makes a sysfs for the modem's present port, and does to the modem
// what the kernel does: authorized 0 takes it off the bus, 1 brings it back
// under another name.
func usbTree(t *testing.T, m *sim.Modem) (root string) {
	t.Helper()
	root = t.TempDir()
	node, err := filepath.EvalSymlinks(m.Path())
	if err != nil {
		t.Fatal(err)
	}
	device, tty := filepath.Join(root, "devices/usb1/1-1"), filepath.Join(root, "class/tty", filepath.Base(node))
	port := filepath.Join(device, "1-1:1.2", filepath.Base(node))
	authorized := filepath.Join(device, "authorized")
	for _, err := range []error{
		os.MkdirAll(port, 0o755), os.MkdirAll(tty, 0o755), os.Symlink(port, filepath.Join(tty, "device")),
		os.WriteFile(filepath.Join(device, "idVendor"), []byte("2c7c\n"), 0o600), os.WriteFile(authorized, []byte("1\n"), 0o600),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	stop, done := make(chan struct{}), make(chan struct{})
	t.Cleanup(func() { close(stop); <-done })
	go func() {
		defer close(done)
		for was := "1"; ; {
			b, _ := os.ReadFile(authorized)
			switch now := strings.TrimSpace(string(b)); {
			case now == "0" && was == "1":
				m.Unplug()
				was = now
			case now == "1" && was == "0":
				m.Plug()
				was = now
			}
			select {
			case <-stop:
				return
			case <-time.After(5 * time.Millisecond):
			}
		}
	}()
	return root
}

func TestUSBResetBringsTheModemBackUnderAnotherName(t *testing.T) {
	var root atomic.Value
	r := ladderRig(t, &means{}, "generic", func(o *gateway.Options) {
		o.Recovery.Return = 20 * time.Second
		o.Lines[0].Rescue.USB = func(ctx context.Context) error {
			return (&driver.USBSwitch{Sys: root.Load().(string)}).Reset(ctx, o.Lines[0].Port)
		}
	})
	modem := r.net.Modems()[0]
	root.Store(usbTree(t, modem))
	was := driver.Plug(modem.Path())
	modem.Inject(sim.Fault{Kind: sim.FaultHang})
	m := r.post(gateway.NewMessage{To: alice, Text: "over the bus", OnUnknown: "resend"})
	r.tells("reopen in-vain", "usb cured")
	r.await(m.ID, store.Delivered)
	if now := driver.Plug(modem.Path()); now == was || now == "" {
		t.Errorf("the port was %q and is %q", was, now)
	}
}

// A modem that cannot read its SIM for once still has the one it had.
func TestSIMThatIsNotReadForOnce(t *testing.T) {
	r := ladderRig(t, &means{}, "generic", nil)
	modem := r.net.Modems()[0]
	modem.Unplug()
	r.lineState("modem0", "absent")
	modem.Inject(sim.Fault{Kind: sim.FaultUnsupported})
	modem.Plug()
	r.lineState("modem0", "up")
	l, err := r.g.Line(t.Context(), admin, "modem0")
	if err != nil || l.Model != "" || l.ICCID != modem.ICCID() {
		t.Errorf("the line has model %q and SIM %q, want none and %q: %v", l.Model, l.ICCID, modem.ICCID(), err)
	}
}
