package gateway_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/modemgate/modemgate/driver"
	"github.com/modemgate/modemgate/driver/sim"
	"github.com/modemgate/modemgate/gateway"
	"github.com/modemgate/modemgate/gateway/store"
)

// hurry lets the waits between two tries pass until what is going on has an
// end.
func (r *rig) hurry(what string, ok func() bool) {
	r.t.Helper()
	r.until(what, func() bool {
		r.pass(time.Second)
		r.g.Notify([]string{"queue"})
		return ok()
	})
}

// posts accepts n messages to numbers of their own.
func (r *rig) posts(n int) (ids []string) {
	for i := range n {
		ids = append(ids, r.post(gateway.NewMessage{To: fmt.Sprintf("+9995550%02d", 10+i), Text: "out"}).ID)
	}
	return ids
}

func (r *rig) delivered(ids []string) bool {
	return !slices.ContainsFunc(ids, func(id string) bool {
		m, err := r.g.Message(r.t.Context(), admin, id, gateway.Wait{})
		return err != nil || m.State != store.Delivered
	})
}

// A modem that answers and cannot send is no silent one: its radio is cycled,
// no message is given up for it, and the next send proves the cure.
func TestModemThatCannotSend(t *testing.T) {
	s := &means{usb: nothing}
	r := ladderRig(t, s, "generic", func(o *gateway.Options) { o.Recovery.Return = 10 * time.Second })
	modem := r.net.Modems()[0]
	modem.OnPoint(func(o sim.Occasion) {
		if o.Command == "+CFUN=4" {
			o.Modem.ClearFaults()
		}
	})
	modem.Inject(sim.Fault{Kind: sim.FaultCMS, Code: 500, Times: -1})
	ids := r.posts(3)
	r.hurry("all are delivered", func() bool { return r.delivered(ids) })
	r.tells("radio answers", "radio cured")
	if s.usbs.Load() > 0 {
		t.Error("a step was taken after the cure")
	}
	l, _ := r.g.Line(t.Context(), admin, "modem0")
	if l.Recovery.Cause != "" || l.Recovery.Incidents[0].Cause != gateway.CauseMute {
		t.Errorf("recovery: %+v", l.Recovery)
	}
}

// A modem that never asks for the text is opened anew each time and answers:
// it is no silent one either.
func TestModemThatNeverPrompts(t *testing.T) {
	r := ladderRig(t, &means{usb: nothing}, "generic", func(o *gateway.Options) {
		o.Recovery.Return = 10 * time.Second
		quick(o)
	})
	modem := r.net.Modems()[0]
	modem.OnPoint(func(o sim.Occasion) {
		if o.Command == "+CFUN=4" {
			o.Modem.ClearFaults()
		}
	})
	modem.Inject(sim.Fault{Kind: sim.FaultNoPrompt, Times: -1})
	ids := r.posts(3)
	r.hurry("all are delivered", func() bool { return r.delivered(ids) })
	r.tells("radio answers", "radio cured")
}

// One that answers and hangs on a command that every session needs: the radio
// is tried, for it can be told.
func TestModemThatHangsOnAListing(t *testing.T) {
	r := ladderRig(t, &means{}, "generic", func(o *gateway.Options) {
		o.Recovery.Return = 10 * time.Second
		quick(o)
	})
	modem := r.net.Modems()[0]
	modem.OnPoint(func(o sim.Occasion) {
		if o.Command == "+CFUN=4" {
			o.Modem.ClearFaults()
		}
	})
	modem.Inject(sim.Fault{Kind: sim.FaultMissing, Match: "+CMGL", Times: -1})
	r.tells("reopen in-vain", "radio cured")
	if err := r.net.Phone(alice).Send(modem.Number(), "are you there?"); err != nil {
		t.Fatal(err)
	}
	r.inbound(1)
}

// quick gives all lines little patience with a prompt.
func quick(o *gateway.Options) {
	for i, l := range o.Lines {
		o.Lines[i].Open = func(ctx context.Context) (gateway.Modem, error) {
			m, err := driver.Open(ctx, driver.Options{Port: l.Port, CommandTimeout: time.Second, PromptTimeout: 500 * time.Millisecond})
			if err != nil {
				return nil, err
			}
			return m, nil
		}
	}
}

// Nothing helps: the line sends nothing for a while and goes on receiving; no
// message is lost for it.
func TestModemThatCannotSendStillReceives(t *testing.T) {
	r := ladderRig(t, &means{}, "generic", func(o *gateway.Options) { o.Recovery.Return, o.Recovery.Rest = 10*time.Second, 2*time.Minute })
	modem := r.net.Modems()[0]
	modem.Inject(sim.Fault{Kind: sim.FaultCMS, Code: 500, Times: -1})
	ids := r.posts(3)
	r.hurry("the line rests", func() bool {
		story := r.story()
		return len(story) > 0 && story[len(story)-1] == "out-of-service open"
	})
	if err := r.net.Phone(alice).Send(modem.Number(), "hello?"); err != nil {
		t.Fatal(err)
	}
	r.inbound(1)
	r.lineState("modem0", "out-of-service")
	l, _ := r.g.Line(t.Context(), admin, "modem0")
	if l.Recovery.Step != gateway.StepNone || !strings.Contains(l.Detail, "cannot send") {
		t.Errorf("the line says %q, %+v", l.Detail, l.Recovery)
	}
	modem.ClearFaults()
	r.hurry("all are delivered", func() bool { return r.delivered(ids) })
	if l, _ = r.g.Line(t.Context(), admin, "modem0"); l.Recovery.Cause != "" || l.Recovery.Step != "" {
		t.Errorf("recovery: %+v", l.Recovery)
	}
}

// One number that always fails is the number's fault, and so is what the
// network says.
func TestFailuresThatAreNotTheModems(t *testing.T) {
	for name, fault := range map[string]sim.Fault{
		"one number":  {Kind: sim.FaultCMS, Code: 500, Times: -1},
		"the network": {Kind: sim.FaultCMS, Code: 111, Times: -1},
	} {
		t.Run(name, func(t *testing.T) {
			r := ladderRig(t, &means{}, "generic", func(o *gateway.Options) { o.Recovery.Strikes = 1 })
			r.net.Modems()[0].Inject(fault)
			n := map[string]int{"one number": 1, "the network": 3}[name]
			ids := r.posts(n)
			r.hurry("all have failed", func() bool {
				return !slices.ContainsFunc(ids, func(id string) bool {
					m, err := r.g.Message(r.t.Context(), admin, id, gateway.Wait{})
					return err != nil || m.State != store.Failed
				})
			})
			if story := r.story(); len(story) > 0 {
				t.Errorf("the ladder did %q", story)
			}
		})
	}
}

func TestResetByHandWaitsForTheAnswer(t *testing.T) {
	r := newRig(t, nil, func(o *sim.Options) { o.SubmitDelay, o.Profile = 500*time.Millisecond, "quectel" })
	modem := r.net.Modems()[0]
	taken := make(chan struct{}, 1)
	modem.OnPoint(func(o sim.Occasion) {
		if o.Point == sim.PointBody {
			select {
			case taken <- struct{}{}:
			default:
			}
		}
	})
	m := r.post(gateway.NewMessage{To: alice, Text: "in the air"})
	<-taken
	l, err := r.g.ResetLine(t.Context(), admin, "modem0", "")
	if err != nil || l.Name != "modem0" {
		t.Fatalf("got %+v, %v", l, err)
	}
	r.await(m.ID, store.Delivered)
	r.until("the reset is done", func() bool { return within(r.story(), []string{"reset cured"}) })
	log := strings.Join(modem.Transcript(), "\n")
	if sent, reset := strings.Index(log, "+CMGS: "), strings.Index(log, "+CFUN=1,1"); sent < 0 || reset < sent {
		t.Errorf("the answer came at %d, the reset at %d:\n%s", sent, reset, log)
	}
	r.lineState("modem0", "up")
	r.await(r.post(gateway.NewMessage{To: alice, Text: "after it"}).ID, store.Delivered)
	if r.submitted(alice) != 2 {
		t.Errorf("%d were submitted", r.submitted(alice))
	}
}

func TestResetByHandRefused(t *testing.T) {
	r := newRig(t, nil, nil)
	for _, row := range []struct {
		who        gateway.Request
		line, step string
		want       gateway.Code
	}{
		{app, "modem0", "", gateway.ScopeMissing},
		{admin, "modem7", "", gateway.NotFound},
		{admin, "modem0", "hammer", gateway.InvalidRequest},
		{admin, "modem0", "reset", gateway.InvalidRequest},
		{admin, "modem0", "usb", gateway.InvalidRequest},
		{admin, "modem0", "power", gateway.InvalidRequest},
		{admin, "modem0", "radio", ""},
	} {
		if _, err := r.g.ResetLine(t.Context(), row.who, row.line, row.step); code(err) != row.want {
			t.Errorf("%s %q: %v", row.line, row.step, err)
		}
	}
	r.until("the radio was cycled", func() bool { return within(r.story(), []string{"radio cured"}) })
}

// A submission that the session did not outlive may still be answered: until
// then the modem is opened and not reset.
func TestNoResetWhileAnAnswerIsPossible(t *testing.T) {
	const possible = 5 * time.Second
	var reset atomic.Int64
	s := &means{usb: func(m *sim.Modem) error { reset.CompareAndSwap(0, time.Now().UnixNano()); m.Restart(); return nil }}
	r := ladderRig(t, s, "quectel", func(o *gateway.Options) {
		o.Recovery.Answer, o.Recovery.Return, o.Recovery.Rest = possible, 2*time.Second, 50*time.Millisecond
	})
	var submitted time.Time
	var once sync.Once
	r.net.Modems()[0].OnPoint(func(o sim.Occasion) {
		if o.Point == sim.PointBody {
			once.Do(func() {
				submitted = time.Now()
				o.Modem.Inject(sim.Fault{Kind: sim.FaultReboot})
				o.Modem.Inject(sim.Fault{Kind: sim.FaultHang})
			})
		}
	})
	m := r.post(gateway.NewMessage{To: alice, Text: "in whose hands?", OnUnknown: "hold"})
	r.until("the modem is reset", func() bool { return reset.Load() > 0 })
	if early := submitted.Add(possible).Sub(time.Unix(0, reset.Load())); early > 2*time.Second {
		t.Errorf("reset %s before the answer was out of the question", early)
	}
	r.lineState("modem0", "up")
	if v := r.await(m.ID, store.Unknown); r.submitted(alice) > 1 {
		t.Errorf("submitted %d times: %+v", r.submitted(alice), v.History)
	}
}

// A u-blox may take 190 s to confirm an SMS, where others have 150 s.
func TestNoStepWhileTheFamilyMayStillAnswer(t *testing.T) {
	for profile, least := range map[string]time.Duration{"ublox": 190 * time.Second, "quectel": 150 * time.Second} {
		t.Run(profile, func(t *testing.T) {
			r := ladderRig(t, &means{}, profile, func(o *gateway.Options) { o.Recovery.Answer = 0 })
			var submitted atomic.Int64
			r.net.Modems()[0].OnPoint(func(o sim.Occasion) {
				if o.Point == sim.PointBody && submitted.CompareAndSwap(0, time.Now().UnixNano()) {
					o.Modem.Inject(sim.Fault{Kind: sim.FaultUnplug, Delay: 50 * time.Millisecond})
				}
			})
			m := r.post(gateway.NewMessage{To: alice, Text: "in whose hands?", OnUnknown: "hold"})
			r.await(m.ID, store.Unknown)
			r.halt()
			at := time.Unix(0, submitted.Load())
			if waits := r.g.AnsweredUntil("modem0").Sub(at); waits < least-time.Second || waits > least+time.Minute {
				t.Errorf("steps are held back for %s, want %s", waits, least)
			}
		})
	}
}

// What a session was asked for and has done does not wake a line that rests.
func TestResetThatIsDoneEndsNoRest(t *testing.T) {
	r := ladderRig(t, &means{}, "generic", func(o *gateway.Options) { o.Recovery.Strikes = 1 })
	if _, err := r.g.ResetLine(t.Context(), admin, "modem0", "radio"); err != nil {
		t.Fatal(err)
	}
	r.tells("radio cured")
	r.lineState("modem0", "up")
	r.net.Modems()[0].Inject(sim.Fault{Kind: sim.FaultHang})
	rests := func() bool {
		l, err := r.g.Line(t.Context(), admin, "modem0")
		return err == nil && l.State == gateway.StepNone && l.Recovery.Step == gateway.StepNone
	}
	r.until("the line rests", rests)
	for range 30 {
		if story := r.story(); !rests() || within(story, []string{"out-of-service open", "out-of-service open"}) {
			t.Fatalf("it has gone on: %q", story)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// What the modem says while a step is taken and judged it says only once.
func TestNothingSaidDuringAStepIsLost(t *testing.T) {
	r := ladderRig(t, &means{}, "generic", func(o *gateway.Options) { o.Recovery.Return = 20 * time.Second })
	modem := r.net.Modems()[0]
	var once sync.Once
	sent := make(chan error, 1)
	modem.OnPoint(func(o sim.Occasion) {
		if o.Command == "+CFUN=4" {
			once.Do(func() {
				go func() {
					sent <- r.net.Phone(alice).SendWith(modem.Number(), "shown at once", sim.SendOptions{Flash: true})
				}()
			})
		}
	})
	if _, err := r.g.ResetLine(t.Context(), admin, "modem0", "radio"); err != nil {
		t.Fatal(err)
	}
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
	if got := r.inbound(1); got[0].Text != "shown at once" {
		t.Errorf("got %q", got[0].Text)
	}
}

// Once a line can send again, a number that always fails is the number's fault.
func TestBadNumberAfterALadderInVain(t *testing.T) {
	r := ladderRig(t, &means{}, "generic", func(o *gateway.Options) { o.Recovery.Return, o.Recovery.Rest = 10*time.Second, 2*time.Minute })
	modem := r.net.Modems()[0]
	modem.Inject(sim.Fault{Kind: sim.FaultCMS, Code: 500, Times: -1})
	ids := r.posts(3)
	r.hurry("the line rests", func() bool { return within(r.story(), []string{"out-of-service open"}) })
	modem.ClearFaults()
	r.hurry("all are delivered", func() bool { return r.delivered(ids) })
	before := len(r.story())
	modem.Inject(sim.Fault{Kind: sim.FaultCMS, Code: 500, Times: -1})
	bad := r.posts(1)[0]
	r.hurry("it has failed", func() bool {
		m, err := r.g.Message(t.Context(), admin, bad, gateway.Wait{})
		return err == nil && m.State == store.Failed
	})
	if story := r.story(); len(story) > before {
		t.Errorf("the ladder went on: %q", story)
	}
}

// What an earlier run submitted may still be answered too.
func TestNoResetAfterARestartWhileAnAnswerIsPossible(t *testing.T) {
	s := &means{usb: nothing}
	r := ladderRig(t, s, "generic", func(o *gateway.Options) { o.Recovery.Strikes = 1 })
	submitted := make(chan struct{}, 1)
	r.net.Modems()[0].OnPoint(func(o sim.Occasion) {
		if o.Point == sim.PointBody {
			o.Modem.Inject(sim.Fault{Kind: sim.FaultHang})
			submitted <- struct{}{}
		}
	})
	r.post(gateway.NewMessage{To: alice, Text: "in the air"})
	<-submitted
	r.restart()
	failed := func() bool {
		l, err := r.g.Line(t.Context(), admin, "modem0")
		return err == nil && l.Restarts > 1
	}
	r.until("it was opened in vain", failed)
	if _, err := r.g.ResetLine(t.Context(), admin, "modem0", "usb"); err != nil {
		t.Fatal(err)
	}
	l, _ := r.g.Line(t.Context(), admin, "modem0")
	r.until("it was opened once more", func() bool {
		now, err := r.g.Line(t.Context(), admin, "modem0")
		return err == nil && now.Restarts > l.Restarts
	})
	if s.usbs.Load() > 0 {
		t.Error("the modem was reset while its answer was possible")
	}
	r.pass(200 * time.Second)
	r.restart()
	r.until("it is reset", func() bool { return s.usbs.Load() > 0 })
}
