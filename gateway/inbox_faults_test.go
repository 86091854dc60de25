package gateway_test

import (
	"strings"
	"testing"
	"time"

	"github.com/modemgate/modemgate/driver/sim"
	"github.com/modemgate/modemgate/gateway"
	"github.com/modemgate/modemgate/gateway/store"
)

func TestStoredSMSThatCannotBeDeletedStopsNothing(t *testing.T) {
	r := newRig(t, nil, nil)
	r.net.Modems()[0].Inject(sim.Fault{Kind: sim.FaultError, Match: "+CMGD", Code: 13, Times: -1})
	r.to0("first", sim.SendOptions{})
	r.to0("second", sim.SendOptions{})
	r.inbound(2)
	m := r.post(gateway.NewMessage{To: alice, Text: "the line sends on"})
	r.await(m.ID, store.Delivered)
	l, err := r.g.Line(t.Context(), admin, "modem0")
	if err != nil || l.Restarts != 0 {
		t.Fatalf("the line was restarted %d times: %v", l.Restarts, err)
	}
	r.inbound(2)
	for _, text := range []string{"third", "fourth"} {
		r.pass(80 * 24 * time.Hour)
		if err := r.g.Tidy(t.Context()); err != nil { // the kept SMS are gone, what is on the SIM is known
			t.Fatal(err)
		}
		r.to0(text, sim.SendOptions{})
		r.until("the SIM was read again", func() bool {
			page, err := r.g.ListInbound(t.Context(), admin, gateway.InboundFilter{Limit: 10})
			return err == nil && len(page.Items) > 0 && page.Items[0].Text == text
		})
		r.inbound(1)
	}
	r.net.Modems()[0].ClearFaults()
	r.empty()
}

func TestSIMThatCannotBeReadStopsNoSending(t *testing.T) {
	r := newRig(t, nil, nil)
	for _, cmd := range []string{"+CMGL", "+CMGR"} {
		r.net.Modems()[0].Inject(sim.Fault{Kind: sim.FaultError, Match: cmd, Code: 13, Times: -1})
	}
	r.to0("unread", sim.SendOptions{})
	m := r.post(gateway.NewMessage{To: alice, Text: "the line sends on"})
	r.await(m.ID, store.Delivered)
	r.net.Modems()[0].ClearFaults()
	r.inbound(1)
	r.empty()
}

// sets reads the sets of long SMS that the store holds.
func (r *rig) sets(from string, ref int, total int) []*store.Set {
	r.t.Helper()
	l, err := r.g.Line(r.t.Context(), admin, "modem0")
	if err != nil {
		r.t.Fatal(err)
	}
	var sets []*store.Set
	err = r.st.View(r.t.Context(), func(tx store.Tx) (err error) {
		sets, err = tx.FindSets(store.SetKey{ICCID: l.ICCID, From: "international:" + from, Reference: ref, Total: total})
		return err
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return sets
}

func TestSetWhoseRestNeverComesIsForgottenWithTheSMS(t *testing.T) {
	r := newRig(t, nil, nil)
	r.to0(strings.Repeat("never whole ", 30), sim.SendOptions{Ref: new(9), Order: []int{1, 2}})
	r.empty()
	r.pass(61 * time.Second)
	if in := r.inbound(1)[0]; !in.Incomplete {
		t.Fatalf("published as %+v", in)
	}
	if n := len(r.sets(alice, 9, 3)); n != 1 {
		t.Fatalf("%d sets", n)
	}
	r.pass(time.Hour + time.Minute)
	r.until("the set is forgotten", func() bool {
		if err := r.g.Tidy(t.Context()); err != nil {
			t.Fatal(err)
		}
		return len(r.sets(alice, 9, 3)) == 0
	})
	r.inbound(0)
}

func TestEraseClearsPartsOfLongSMS(t *testing.T) {
	r := newRig(t, nil, nil)
	r.to0(strings.Repeat("in parts ", 40), sim.SendOptions{Ref: new(9), Order: []int{1, 2}})
	r.empty()
	if n := len(r.sets(alice, 9, 3)); n != 1 {
		t.Fatalf("%d sets", n)
	}
	rep, err := r.g.Erase(t.Context(), local, alice)
	if err != nil || rep.Parts == 0 || len(r.sets(alice, 9, 3)) != 0 {
		t.Fatalf("erased %+v, left %d: %v", rep, len(r.sets(alice, 9, 3)), err)
	}
}

func TestClassZeroIsKeptUntilTheStoreTakesIt(t *testing.T) {
	f := &faultyStore{}
	full := make(chan struct{})
	f.fail = func(step string) error {
		select {
		case <-full:
			return nil
		default:
		}
		if step == "inbound" {
			return store.ErrFull
		}
		return nil
	}
	r := newRig(t, faulty(f), nil)
	r.lineState("modem0", "up")
	r.to0("on the screen only", sim.SendOptions{Class: new(0)})
	time.Sleep(100 * time.Millisecond)
	close(full)
	if got := r.inbound(1)[0]; got.Text != "on the screen only" {
		t.Fatalf("stored as %+v", got)
	}
}

func TestSIMIsPolledWhileALongQueueIsSent(t *testing.T) {
	r := newHastyRig(t, func(o *gateway.Options) { o.Poll = 100 * time.Millisecond }, nil)
	if _, err := r.g.PauseLine(t.Context(), admin, "modem0"); err != nil {
		t.Fatal(err)
	}
	var last gateway.MessageView
	for range 12 {
		last = r.post(gateway.NewMessage{To: alice, Text: "one of many"})
	}
	r.lineState("modem0", "paused")
	modem := r.net.Modems()[0]
	modem.Inject(sim.Fault{Kind: sim.FaultLate, Match: "+CMGS", Delay: 100 * time.Millisecond, Times: -1})
	modem.Inject(sim.Fault{Kind: sim.FaultNoReport, Times: -1})
	sent, polls := 0, 0
	modem.OnPoint(func(o sim.Occasion) {
		switch {
		case o.Point == sim.PointAccepted:
			sent++
		case o.Point == sim.PointCommand && strings.HasPrefix(o.Command, "+CMGL") && sent > 0 && sent < 12:
			polls++
		}
	})
	if _, err := r.g.ResumeLine(t.Context(), admin, "modem0"); err != nil {
		t.Fatal(err)
	}
	r.await(last.ID, store.Sent, store.Delivered)
	modem.OnPoint(nil)
	if polls < 3 {
		t.Fatalf("the SIM was read %d times while 12 messages were sent", polls)
	}
}
