package gateway_test

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/modemgate/modemgate/driver"
	"github.com/modemgate/modemgate/driver/sim"
	"github.com/modemgate/modemgate/gateway"
)

// Alerts that tell of a line, "" for none.
const (
	alertDown  = "ModemgateLineDown"
	alertStill = "ModemgateLineDoesNotSend"
)

// standing is how a line comes into a state, and what is told of it there.
type standing struct {
	state string
	alert string
	open  bool // its modem is open, so that signal and registration are of now
	tune  func(*gateway.Options)
	bring func(*rig, *sim.Modem)
}

// again opens the modem anew after a change that is seen then.
func again(change func(*sim.Modem)) func(*rig, *sim.Modem) {
	return func(_ *rig, m *sim.Modem) { change(m); m.Unplug(); m.Plug() }
}

func simIs(state string) func(*rig, *sim.Modem) {
	return again(func(m *sim.Modem) { m.SetSIM(state, "1234") })
}

func registered(how string) func(*rig, *sim.Modem) {
	return again(func(m *sim.Modem) { m.SetRegistration(how) })
}

// mismatch lets the first session be one with the right modem, and no other.
func mismatch(state string) func(*gateway.Options) {
	return func(o *gateway.Options) {
		open, opened := o.Lines[0].Open, false
		o.Lines[0].Open = func(ctx context.Context) (gateway.Modem, error) {
			if opened {
				return nil, &gateway.MismatchError{State: state, Detail: "it is another one"}
			}
			opened = true
			return open(ctx)
		}
	}
}

func ladder(o *gateway.Options) {
	o.Recovery = gateway.RecoveryOptions{Strikes: 2, Return: time.Second, Rest: 24 * time.Hour}
	quick(o)
}

// hangingStep is a ladder with a step that does not come to its end.
func hangingStep(o *gateway.Options) {
	ladder(o)
	o.Recovery.Return = deadline
	o.Lines[0].Rescue = gateway.Rescue{
		Plug: func() string { return driver.Plug(o.Lines[0].Port) },
		USB:  func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() },
	}
}

// onePart allows one part a day, on a day that does not end meanwhile.
func onePart(o *gateway.Options) {
	now, shift := o.Now, time.Until(time.Date(2030, 5, 15, 12, 0, 0, 0, time.UTC))
	o.Now, o.Lines[0].PerDay = func() time.Time { return now().Add(shift) }, 1
}

func injecting(f sim.Fault) func(*rig, *sim.Modem) {
	return func(_ *rig, m *sim.Modem) { m.Inject(f) }
}

// failing refuses what is posted.
func failing(code, n int) func(*rig, *sim.Modem) {
	return func(r *rig, m *sim.Modem) {
		m.Inject(sim.Fault{Kind: sim.FaultCMS, Code: code, Times: -1})
		r.posts(n)
	}
}

func pause(r *rig, _ *sim.Modem) {
	if _, err := r.g.PauseLine(r.t.Context(), admin, "modem0"); err != nil {
		r.t.Fatal(err)
	}
}

var standings = []standing{
	{"up", "", true, nil, func(*rig, *sim.Modem) {}},
	{"paused", alertStill, true, nil, pause},
	{"limited", alertStill, true, onePart, func(r *rig, _ *sim.Modem) { r.posts(1) }},
	{"refused", alertStill, true, nil, failing(34, 1)},
	{"out-of-service", alertDown, true, ladder, failing(500, 3)},
	{"out-of-service", alertDown, false, ladder, injecting(sim.Fault{Kind: sim.FaultHang})},
	{"recovering", alertDown, false, hangingStep, injecting(sim.Fault{Kind: sim.FaultHang})},
	{"absent", alertDown, false, nil, func(_ *rig, m *sim.Modem) { m.Unplug() }},
	{"failed", alertDown, false, nil, again(func(m *sim.Modem) { m.Inject(sim.Fault{Kind: sim.FaultError, Match: "+CMGF", Times: -1}) })},
	{"no-network", alertDown, true, nil, registered(sim.RegNone)},
	{"denied", alertDown, true, nil, registered(sim.RegDenied)},
	{"roaming", alertDown, true, nil, registered(sim.RegRoaming)},
	{"no-smsc", alertDown, true, nil, again(func(m *sim.Modem) { m.SetSMSC("") })},
	{"sim-pin", alertDown, false, nil, simIs(sim.SIMPIN)},
	{"sim-puk", alertDown, false, nil, simIs(sim.SIMPUK)},
	{"sim-absent", alertDown, false, nil, simIs(sim.SIMAbsent)},
	{"sim-failure", alertDown, false, nil, simIs(sim.SIMFailure)},
	{"sim-busy", alertDown, false, nil, simIs(sim.SIMBusy)},
	{"sim-wrong", alertDown, false, mismatch(gateway.WrongSIM), again(func(*sim.Modem) {})},
	{"modem-wrong", alertDown, false, mismatch(gateway.WrongModem), again(func(*sim.Modem) {})},
}

// TestEachStateIsToldAlike brings a line into each state and holds status,
// metrics, readiness and alert rules to one another: only a line that is up
// sends, and what is told of its network is of now.
func TestEachStateIsToldAlike(t *testing.T) {
	works, still := alertStates(t, alertDown), alertStates(t, alertStill)
	for _, c := range standings {
		t.Run(c.state, func(t *testing.T) {
			r := newHastyRig(t, c.tune, nil)
			m := r.net.Modems()[0]
			r.lineState("modem0", "up")
			r.until("the modem was asked for its state", func() bool { return len(r.line("modem0").Storage) > 0 })
			c.bring(r, m)
			r.hurry("line modem0 is "+c.state, func() bool {
				l := r.line("modem0")
				return l.State == c.state && (l.Registration != "") == c.open
			})
			r.toldAlike(c)
			alert := ""
			if c.state != "up" && !slices.Contains(works, c.state) {
				alert = alertDown
			}
			if slices.Contains(still, c.state) {
				alert += alertStill
			}
			if alert != c.alert {
				t.Errorf("%q is told by the alert %q, want %q", c.state, alert, c.alert)
			}
		})
	}
}

// toldAlike looks at all that tells of a line in its present state.
func (r *rig) toldAlike(c standing) {
	r.t.Helper()
	up := 0.0
	if c.state == "up" {
		up = 1
	}
	line := map[string]string{"line": "modem0"}
	here := map[string]string{"line": "modem0", "state": c.state}
	if r.total("modemgate_line_state", here) != 1 || r.total("modemgate_line_state", line) != 1 || r.total("modemgate_line_up", line) != up {
		r.t.Errorf("the metrics say otherwise of %s", c.state)
	}
	if err := r.g.ReadyToSend(r.t.Context()); (err == nil) != (up == 1) {
		r.t.Errorf("ready to send: %v", err)
	}
	l, m := r.line("modem0"), r.net.Modems()[0]
	if (l.Detail == "") != (up == 1) {
		r.t.Errorf("detail %q", l.Detail)
	}
	if l.ICCID != m.ICCID() || l.IMEI != m.IMEI() || l.ReadAt.IsZero() {
		r.t.Errorf("who it was is forgotten: %+v", l)
	}
	if !c.open && (l.Operator != "" || l.SignalDBM != 0 || len(l.Storage) > 0 || l.InboundBy != "") {
		r.t.Errorf("what is past is told as present: %q, %d dBm, %v", l.Operator, l.SignalDBM, l.Storage)
	}
	if signal := r.total("modemgate_line_signal_dbm", line); (signal != 0) != (l.SignalDBM != 0) {
		r.t.Errorf("the signal is %d dBm in the status and %v in the metrics", l.SignalDBM, signal)
	}
}

// A line that rested for its modem, which could not send, and is then refused by
// the network is refused: nothing that is told of it is of the rest.
func TestRefusalAfterARestIsToldAsOne(t *testing.T) {
	r := newHastyRig(t, ladder, nil)
	m := r.net.Modems()[0]
	r.lineState("modem0", "up")
	failing(500, 3)(r, m)
	r.hurry("the line rests", func() bool { return r.line("modem0").State == gateway.StepNone })
	if ok, why := r.g.Works("modem0"); ok || !strings.Contains(why, "cannot send, and nothing helped") {
		t.Errorf("while it rests: %v, %q", ok, why)
	}
	m.ClearFaults()
	m.Inject(sim.Fault{Kind: sim.FaultCMS, Code: 34, Times: -1})
	r.pass(24 * time.Hour)
	r.posts(1)
	r.hurry("the network has refused it", func() bool {
		l := r.line("modem0")
		return l.LastError == "cms-34" && l.State != "up"
	})
	r.toldAlike(standing{state: "refused", open: true})
	if l := r.line("modem0"); !strings.Contains(l.Detail, "cms-34: the SIM is out of credit") {
		t.Errorf("detail %q", l.Detail)
	}
	if ok, why := r.g.Works("modem0"); ok || why != "the network refuses it, cms-34" {
		t.Errorf("told by SMS: %v, %q", ok, why)
	}
}

// alertStates are the states that the expression of an alert names.
func alertStates(t *testing.T, alert string) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "configs", "monitoring", "modemgate.rules.yml"))
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`(?s)alert: ` + alert + `\n.*?expr: [^\n]*modemgate_line_state\{state=~"([a-z|-]+)"\} == 1`).FindSubmatch(text)
	if m == nil {
		t.Fatalf("no rule %s names states", alert)
	}
	return strings.Split(string(m[1]), "|")
}

// A line that is started with its modem away tells who it was, and when that was said.
func TestIdentityOfALineThatIsAwayHasItsTime(t *testing.T) {
	r := newRig(t, func(o *gateway.Options) { o.Lines[0].Number = "" }, nil)
	r.lineState("modem0", "up")
	before := r.line("modem0")
	r.net.Modems()[0].Unplug()
	r.pass(time.Hour)
	r.restart()
	r.lineState("modem0", "absent")
	pause(r, nil)
	r.restart()
	r.lineState("modem0", "absent")
	l := r.line("modem0")
	if l.Number != before.Number || l.ICCID != before.ICCID || l.IMEI != before.IMEI || l.ReadAt.Sub(before.ReadAt).Abs() > time.Second {
		t.Errorf("before %s %s %s at %s, now %s %s %s at %s", before.Number, before.ICCID, before.IMEI, before.ReadAt, l.Number, l.ICCID, l.IMEI, l.ReadAt)
	}
}

// A line that has rested says so at once, not only when it has something to send.
func TestRestThatIsOver(t *testing.T) {
	r := ladderRig(t, &means{}, "generic", func(o *gateway.Options) { o.Recovery.Return, o.Recovery.Rest = 10*time.Second, 2*time.Minute })
	r.net.Modems()[0].Inject(sim.Fault{Kind: sim.FaultCMS, Code: 500, Times: -1})
	ids := r.posts(3)
	r.hurry("the line rests", func() bool { return within(r.story(), []string{"out-of-service open"}) })
	for _, id := range ids {
		if _, err := r.g.CancelMessage(t.Context(), app, id); err != nil {
			t.Fatal(err)
		}
	}
	r.lineState("modem0", "out-of-service")
	if l := r.line("modem0"); l.Recovery.Step != gateway.StepNone || l.Recovery.RetryAt.IsZero() {
		t.Errorf("while it rests: %+v", l.Recovery)
	}
	r.pass(2 * time.Minute)
	if l := r.line("modem0"); l.State != "up" || l.Recovery.Step != "" || !l.Recovery.RetryAt.IsZero() || l.Recovery.Cause != gateway.CauseMute {
		t.Errorf("afterwards it is %s, %+v", l.State, l.Recovery)
	}
}
