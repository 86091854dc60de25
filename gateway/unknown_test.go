package gateway_test

import (
	"strings"
	"testing"
	"time"

	"github.com/modemgate/modemgate/driver/sim"
	"github.com/modemgate/modemgate/gateway"
	"github.com/modemgate/modemgate/gateway/store"
)

// silence makes the modem hang after the network has taken the next message,
// and lose its memory of it by a power cycle.
func silence(m *sim.Modem) {
	m.Inject(sim.Fault{Kind: sim.FaultHang, Point: sim.PointAccepted})
}

func TestUnknownIsHeldAndResolvedByHand(t *testing.T) {
	for _, as := range []string{"sent", "failed", "resend"} {
		t.Run(as, func(t *testing.T) {
			r := newHastyRig(t, nil, nil)
			modem := r.net.Modems()[0]
			modem.Inject(sim.Fault{Kind: sim.FaultNoReport, Times: 1})
			silence(modem)
			m := r.post(gateway.NewMessage{To: alice, Text: "is it out?"})
			m = r.await(m.ID, store.Unknown)
			if !m.Final || !m.HasText {
				t.Fatalf("held as %+v", m)
			}
			modem.ClearFaults()
			modem.Restart()
			v, err := r.g.ResolveMessage(t.Context(), app, m.ID, as)
			if err != nil {
				t.Fatal(err)
			}
			switch as {
			case "resend":
				if v = r.await(m.ID, store.Delivered); !v.PossibleDuplicate {
					t.Fatal("a resent message is not marked")
				}
				if n := r.submitted(alice); n != 2 {
					t.Fatalf("submitted %d times", n)
				}
			default:
				if string(v.State) != as || !v.Final {
					t.Fatalf("resolved as %+v", v)
				}
				if n := r.submitted(alice); n != 1 {
					t.Fatalf("submitted %d times", n)
				}
			}
		})
	}
}

func TestUnknownIsResentOnceWhereThePolicySaysSo(t *testing.T) {
	r := newHastyRig(t, nil, nil)
	modem := r.net.Modems()[0]
	modem.Inject(sim.Fault{Kind: sim.FaultNoReport, Times: 2})
	silence(modem)
	m := r.post(gateway.NewMessage{To: alice, Text: "copy me", OnUnknown: "resend"})
	v := r.await(m.ID, store.Unknown)
	if v.Final {
		t.Fatal("unknown is final while a resend is open")
	}
	modem.ClearFaults()
	modem.Restart()
	silence(modem)
	r.pass(6 * time.Second)
	r.until("the copy is unknown too", func() bool {
		v, err := r.g.Message(t.Context(), admin, m.ID, gateway.Wait{})
		return err == nil && v.State == store.Unknown && v.Final
	})
	modem.ClearFaults()
	modem.Restart()
	r.lineState("modem0", "up")
	r.pass(time.Minute)
	if n := r.submitted(alice); n != 2 {
		t.Fatalf("submitted %d times, want the message and one copy", n)
	}
}

func TestUnknownFailsWhereThePolicySaysSo(t *testing.T) {
	r := newHastyRig(t, nil, nil)
	r.net.Modems()[0].Inject(sim.Fault{Kind: sim.FaultNoReport})
	silence(r.net.Modems()[0])
	m := r.post(gateway.NewMessage{To: alice, Text: "fail me", OnUnknown: "fail"})
	if m = r.await(m.ID, store.Failed); m.Error != "outcome-unknown" {
		t.Fatalf("failed with %q", m.Error)
	}
}

func TestReportResolvesUnknown(t *testing.T) {
	r := newHastyRig(t, nil, nil)
	modem := r.net.Modems()[0]
	r.net.Phone(alice).SetPower(false)
	silence(modem)
	m := r.post(gateway.NewMessage{To: alice, Text: "the report tells"})
	r.await(m.ID, store.Unknown)
	modem.ClearFaults()
	modem.Restart()
	r.until("the line is up again", func() bool {
		l, err := r.g.Line(t.Context(), admin, "modem0")
		return err == nil && l.State == "up" && l.Restarts > 0
	})
	r.net.Phone(alice).SetPower(true)
	r.until("the report has made it delivered", func() bool {
		v, err := r.g.Message(t.Context(), admin, m.ID, gateway.Wait{})
		return err == nil && v.State == store.Delivered
	})
	if n := r.submitted(alice); n != 1 {
		t.Fatalf("submitted %d times", n)
	}
}

func TestReportBeforeTheResult(t *testing.T) {
	r := newRig(t, nil, nil)
	r.net.Modems()[0].Inject(sim.Fault{Kind: sim.FaultReportFirst})
	m := r.post(gateway.NewMessage{To: alice, Text: "early report"})
	r.await(m.ID, store.Delivered)
}

func TestUnpluggedBeforeTheTextIsNotSent(t *testing.T) {
	for _, p := range []sim.Point{sim.PointCommand, sim.PointPrompt} {
		t.Run(string(p), func(t *testing.T) {
			r := newRig(t, lasting, nil)
			modem := r.net.Modems()[0]
			modem.Inject(sim.Fault{Kind: sim.FaultUnplug, Match: "+CMGS", Point: p, Delay: 100 * time.Millisecond})
			m := r.post(gateway.NewMessage{To: alice, Text: "again"})
			r.until("it was retried", func() bool {
				r.pass(time.Second)
				r.g.Notify([]string{"queue"})
				v, err := r.g.Message(t.Context(), admin, m.ID, gateway.Wait{})
				return err == nil && (v.State == store.Delivered || v.State == store.Unknown)
			})
			v, err := r.g.Message(t.Context(), admin, m.ID, gateway.Wait{})
			if err != nil {
				t.Fatal(err)
			}
			if p == sim.PointCommand && v.State != store.Delivered {
				t.Fatalf("it is %s", v.State)
			}
			if v.State == store.Delivered && r.submitted(alice) != 1 {
				t.Fatalf("submitted %d times", r.submitted(alice))
			}
		})
	}
}

func TestLongMessageGoesOnWithItsMissingParts(t *testing.T) {
	r := newRig(t, nil, nil)
	modem := r.net.Modems()[0]
	modem.Inject(sim.Fault{Kind: sim.FaultCMS, Code: 42, Skip: 2})
	text := strings.Repeat("parts go on where they stopped. ", 20)
	m := r.post(gateway.NewMessage{To: alice, Text: text})
	r.until("it waits for its retry", func() bool {
		v, err := r.g.Message(t.Context(), admin, m.ID, gateway.Wait{})
		return err == nil && v.State == store.Queued && v.Attempts == 1
	})
	r.pass(time.Minute)
	r.g.Notify([]string{"queue"})
	r.await(m.ID, store.Delivered)
	if got := r.texts(alice, 1); got[0].Text != text {
		t.Fatal("the text arrived damaged")
	}
	if n := r.submitted(alice); n != len(m.Parts) {
		t.Fatalf("%d parts were submitted for %d", n, len(m.Parts))
	}
}

func TestIntentWithoutResultIsUnknownAfterARestart(t *testing.T) {
	r := newHastyRig(t, func(o *gateway.Options) { o.ShutdownWait = 50 * time.Millisecond }, nil)
	modem := r.net.Modems()[0]
	modem.Inject(sim.Fault{Kind: sim.FaultNoReport})
	silence(modem)
	reached := make(chan struct{})
	modem.OnPoint(func(o sim.Occasion) {
		if o.Point == sim.PointAccepted {
			close(reached)
		}
	})
	m := r.post(gateway.NewMessage{To: alice, Text: "stopped while in the air"})
	<-reached
	modem.OnPoint(nil)
	r.restart()
	v := r.await(m.ID, store.Unknown)
	if v.Final {
		t.Fatal("it is final before the grace is over")
	}
	r.pass(61 * time.Second)
	r.until("the grace is over", func() bool {
		v, err := r.g.Message(t.Context(), admin, m.ID, gateway.Wait{})
		return err == nil && v.Final && v.State == store.Unknown
	})
	if n := r.submitted(alice); n != 1 {
		t.Fatalf("submitted %d times", n)
	}
}
