package gateway_test

import (
	"slices"
	"testing"
	"time"

	"github.com/modemgate/modemgate/driver/sim"
	"github.com/modemgate/modemgate/gateway"
	"github.com/modemgate/modemgate/gateway/store"
)

func TestMessagesOfALineThatIsGone(t *testing.T) {
	lines, to := 2, "modem1"
	r := newRig(t, func(o *gateway.Options) {
		o.Lines = o.Lines[:lines]
		o.Routes = []gateway.Route{{Prefix: "+99955501", Via: []string{to}}}
	}, func(o *sim.Options) { o.Modems = 2 })
	for _, name := range []string{"modem0", "modem1"} {
		if _, err := r.g.PauseLine(t.Context(), admin, name); err != nil {
			t.Fatal(err)
		}
	}
	asked := r.post(gateway.NewMessage{To: alice, Text: "by that line or not at all", Via: []string{"modem1"}})
	either := r.post(gateway.NewMessage{To: alice, Text: "by one of two", Via: []string{"modem1", "modem0"}})
	routed := r.post(gateway.NewMessage{To: "+999555010", Text: "by the route"})
	if !slices.Equal(routed.Via, []string{"modem1"}) {
		t.Fatalf("routed by %v", routed.Via)
	}
	lines, to = 1, "modem0"
	r.restart()
	if asked = r.await(asked.ID, store.Failed); asked.Error != "no-such-line" || asked.History[len(asked.History)-1].Note == "" {
		t.Fatalf("ended as %+v", asked)
	}
	if _, err := r.g.ResumeLine(t.Context(), admin, "modem0"); err != nil {
		t.Fatal(err)
	}
	r.await(either.ID, store.Delivered)
	if routed = r.await(routed.ID, store.Delivered); routed.Line != "modem0" || !slices.Equal(routed.Via, []string{"modem0"}) {
		t.Fatalf("sent as %+v", routed)
	}
}

func TestErrorsThatSayNothingAreCountedByThemselves(t *testing.T) {
	r := newRig(t, lasting, nil)
	modem := r.net.Modems()[0]
	modem.Inject(sim.Fault{Kind: sim.FaultCMS, Code: 42, Times: 3})
	modem.Inject(sim.Fault{Kind: sim.FaultCMS, Code: 500, Times: 3})
	m := r.post(gateway.NewMessage{To: alice, Text: "busy, busy, busy, what?"})
	if m = r.later(m.ID); m.State != store.Failed || m.Error != "cms-500" || m.Attempts != 6 {
		t.Fatalf("%s with %q at attempt %d, want failed with cms-500 at 6", m.State, m.Error, m.Attempts)
	}
}

func TestEraseClearsKeptReports(t *testing.T) {
	r := newRig(t, nil, nil)
	r.lineState("modem0", "up")
	l, err := r.g.Line(t.Context(), admin, "modem0")
	if err != nil {
		t.Fatal(err)
	}
	err = r.st.Update(t.Context(), "test", func(tx store.Tx) error {
		for _, to := range []string{alice, "+999555002"} {
			if err := tx.AddReport(store.Report{Line: "modem0", ICCID: l.ICCID, MR: 200, Recipient: to, ReceivedAt: r.now()}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.g.Erase(t.Context(), local, alice); err != nil {
		t.Fatal(err)
	}
	var left []store.Report
	err = r.st.View(t.Context(), func(tx store.Tx) (err error) {
		left, err = tx.Reports(l.ICCID, -1)
		return err
	})
	if err != nil || len(left) != 1 || left[0].Recipient != "+999555002" {
		t.Fatalf("left %+v %v", left, err)
	}
}

func TestUnknownHasItsGraceAfterAStart(t *testing.T) {
	r := newHastyRig(t, nil, nil)
	modem := r.net.Modems()[0]
	modem.Inject(sim.Fault{Kind: sim.FaultNoReport, Times: -1})
	silence(modem)
	m := r.post(gateway.NewMessage{To: alice, Text: "copied once, in good time", OnUnknown: "resend"})
	r.await(m.ID, store.Unknown)
	r.restart()
	modem.ClearFaults()
	modem.Restart()
	r.lineState("modem0", "up")
	r.pass(30 * time.Second)
	for range 3 { // rounds of the sweeper
		r.pass(time.Second)
		time.Sleep(300 * time.Millisecond)
	}
	if n := r.submitted(alice); n != 1 {
		t.Fatalf("submitted %d times within the grace", n)
	}
	r.pass(time.Minute)
	if m = r.await(m.ID, store.Sent, store.Delivered); !m.PossibleDuplicate || r.submitted(alice) != 2 {
		t.Fatalf("submitted %d times: %+v", r.submitted(alice), m)
	}
}
