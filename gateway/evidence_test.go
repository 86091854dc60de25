package gateway_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/modemgate/modemgate/driver/sim"
	"github.com/modemgate/modemgate/gateway"
	"github.com/modemgate/modemgate/gateway/store"
)

func TestReportInHandSettlesWhatHasNoAnswer(t *testing.T) {
	for _, policy := range []string{"hold", "resend", "fail"} {
		t.Run(policy, func(t *testing.T) {
			r := newHastyRig(t, nil, nil)
			r.net.Modems()[0].Inject(sim.Fault{Kind: sim.FaultMissing, Match: "+CMGS"})
			m := r.post(gateway.NewMessage{To: alice, Text: "the report is here, the answer is not", OnUnknown: policy})
			r.await(m.ID, store.Delivered)
			if n := r.submitted(alice); n != 1 {
				t.Fatalf("submitted %d times", n)
			}
		})
	}
}

// A report that was there before the message was handed over is another's.
func TestOlderReportSettlesNothing(t *testing.T) {
	r := newHastyRig(t, nil, nil)
	r.lineState("modem0", "up")
	l, err := r.g.Line(t.Context(), admin, "modem0")
	if err != nil {
		t.Fatal(err)
	}
	now := r.now()
	err = r.st.Update(t.Context(), "test", func(tx store.Tx) error {
		return tx.AddReport(store.Report{Line: "modem0", ICCID: l.ICCID, MR: 200, Recipient: alice, SentAt: now.Add(-time.Minute), ReceivedAt: now.Add(-time.Second)})
	})
	if err != nil {
		t.Fatal(err)
	}
	modem := r.net.Modems()[0]
	modem.Inject(sim.Fault{Kind: sim.FaultNoReport})
	silence(modem)
	m := r.post(gateway.NewMessage{To: alice, Text: "no report of its own"})
	if m = r.await(m.ID, store.Unknown); !m.Final {
		t.Fatalf("held as %+v", m)
	}
}

func TestLateAnswerSettlesTheUnknown(t *testing.T) {
	for _, policy := range []string{"hold", "resend"} {
		t.Run(policy, func(t *testing.T) {
			r := newHastyRig(t, nil, nil)
			modem := r.net.Modems()[0]
			modem.Inject(sim.Fault{Kind: sim.FaultNoReport})
			modem.Inject(sim.Fault{Kind: sim.FaultLate, Match: "+CMGS", Delay: 3 * time.Second})
			m := r.post(gateway.NewMessage{To: alice, Text: "late", OnUnknown: policy})
			r.await(m.ID, store.Unknown)
			r.until("the late answer has made it sent", func() bool {
				v, err := r.g.Message(t.Context(), admin, m.ID, gateway.Wait{})
				return err == nil && v.State == store.Sent
			})
			if n := r.submitted(alice); n != 1 {
				t.Fatalf("submitted %d times", n)
			}
		})
	}
}

func TestLateAnswerOfAPartLetsTheRestFollow(t *testing.T) {
	r := newHastyRig(t, nil, nil)
	modem := r.net.Modems()[0]
	modem.Inject(sim.Fault{Kind: sim.FaultLate, Match: "+CMGS", Skip: 1, Delay: 3 * time.Second})
	modem.Inject(sim.Fault{Kind: sim.FaultNoReport, Times: -1})
	text := strings.Repeat("long ", 100)
	m := r.post(gateway.NewMessage{To: alice, Text: text})
	r.await(m.ID, store.Unknown)
	r.until("the rest has followed", func() bool {
		v, err := r.g.Message(t.Context(), admin, m.ID, gateway.Wait{})
		return err == nil && v.State == store.Sent
	})
	if got := r.texts(alice, 1); got[0].Text != text {
		t.Fatal("the text arrived damaged")
	}
	if n := r.submitted(alice); n != len(m.Parts) {
		t.Fatalf("%d parts were submitted for %d", n, len(m.Parts))
	}
}

// A part known too late leaves no message unknown for ever.
func TestEvidenceAfterTheDeadlineOfTheRest(t *testing.T) {
	r := newHastyRig(t, nil, nil)
	modem := r.net.Modems()[0]
	r.net.Phone(alice).SetPower(false)
	modem.Inject(sim.Fault{Kind: sim.FaultHang, Point: sim.PointAccepted, Skip: 1})
	m := r.post(gateway.NewMessage{To: alice, Text: strings.Repeat("long ", 100), TTL: time.Minute})
	r.await(m.ID, store.Unknown)
	modem.ClearFaults()
	modem.Restart()
	r.until("the line is up again", func() bool {
		l, err := r.g.Line(t.Context(), admin, "modem0")
		return err == nil && l.State == "up" && l.Restarts > 0
	})
	r.pass(61 * time.Second)
	r.net.Phone(alice).SetPower(true)
	r.until("the rest is given up", func() bool {
		v, err := r.g.Message(t.Context(), admin, m.ID, gateway.Wait{})
		return err == nil && v.State == store.Expired && v.Final
	})
}

func TestStatusesOfReports(t *testing.T) {
	r := newRig(t, nil, nil)
	r.lineState("modem0", "up")
	l, err := r.g.Line(t.Context(), admin, "modem0")
	if err != nil {
		t.Fatal(err)
	}
	modem := r.net.Modems()[0]
	modem.Inject(sim.Fault{Kind: sim.FaultNoReport, Times: -1})
	for i, c := range []struct {
		status int // TP-ST
		want   gateway.State
	}{
		{0x00, store.Delivered}, {0x01, store.Delivered}, {0x02, store.Delivered}, {0x1f, store.Delivered}, // completed
		{0x20, store.Sent}, {0x30, store.Sent}, {0x3f, store.Sent}, // still trying
		{0x40, store.Undelivered}, {0x46, store.Undelivered}, {0x60, store.Undelivered}, {0x7f, store.Undelivered},
		{0x80, store.Sent}, {0xff, store.Sent}, // reserved, and cut before it
	} {
		modem.Inject(sim.Fault{Kind: sim.FaultReference, Code: 100 + i})
		err := r.st.Update(t.Context(), "test", func(tx store.Tx) error {
			return tx.AddReport(store.Report{Line: "modem0", ICCID: l.ICCID, MR: 100 + i, Recipient: alice, Status: c.status, ReceivedAt: r.now().Add(time.Minute)})
		})
		if err != nil {
			t.Fatal(err)
		}
		m := r.post(gateway.NewMessage{To: alice, Text: "reported"})
		r.until("it is out", func() bool {
			v, err := r.g.Message(t.Context(), admin, m.ID, gateway.Wait{})
			return err == nil && v.State != store.Queued && v.State != store.Sending
		})
		if v, err := r.g.Message(t.Context(), admin, m.ID, gateway.Wait{}); err != nil || v.State != c.want {
			t.Errorf("status %#x makes it %s, want %s: %v", c.status, v.State, c.want, err)
		}
	}
}

// An answer whose reference is taken belongs to the submission that has it.
func TestStaleAnswerSettlesNothing(t *testing.T) {
	r := newHastyRig(t, nil, nil)
	modem := r.net.Modems()[0]
	first := r.post(gateway.NewMessage{To: alice, Text: "settled"})
	first = r.await(first.ID, store.Delivered)
	modem.Inject(sim.Fault{Kind: sim.FaultHang, Point: sim.PointBody})
	m := r.post(gateway.NewMessage{To: alice, Text: "never taken"})
	r.await(m.ID, store.Unknown)
	modem.ClearFaults()
	modem.Restart()
	r.until("the line is up again", func() bool {
		l, err := r.g.Line(t.Context(), admin, "modem0")
		return err == nil && l.State == "up" && l.Restarts > 0
	})
	modem.Emit(fmt.Sprintf("\r\n+CMGS: %d\r\n\r\nOK\r\n", first.Parts[0].Reference))
	modem.Emit("\r\n+CMGS: 77\r\n\r\nOK\r\n")
	r.until("the answer of its own is taken", func() bool {
		v, err := r.g.Message(t.Context(), admin, m.ID, gateway.Wait{})
		return err == nil && v.State == store.Sent && v.Parts[0].Reference == 77
	})
}

// An answer may be about a submission that was given up meanwhile: with two
// that nothing was heard of it settles neither.
func TestLateAnswerOfOneGivenUp(t *testing.T) {
	for _, policy := range []string{"fail", "hold"} {
		t.Run(policy, func(t *testing.T) {
			r := newHastyRig(t, nil, nil)
			modem := r.net.Modems()[0]
			lose := func(text, policy string) gateway.MessageView {
				restarts := uint64(0)
				if l, err := r.g.Line(t.Context(), admin, "modem0"); err == nil {
					restarts = l.Restarts
				}
				modem.Inject(sim.Fault{Kind: sim.FaultHang, Point: sim.PointBody})
				m := r.post(gateway.NewMessage{To: alice, Text: text, OnUnknown: policy})
				m = r.await(m.ID, store.Unknown, store.Failed)
				modem.ClearFaults()
				modem.Restart()
				r.until("the line is up again", func() bool {
					l, err := r.g.Line(t.Context(), admin, "modem0")
					return err == nil && l.State == "up" && l.Restarts > restarts
				})
				return m
			}
			lose("given up", policy)
			m := lose("never taken", "hold")
			modem.Emit("\r\n+CMGS: 55\r\n\r\nOK\r\n")
			if err := r.net.Phone(number(7)).Send(modem.Number(), "signals are taken in order"); err != nil {
				t.Fatal(err)
			}
			r.inbound(1)
			if v, err := r.g.Message(t.Context(), admin, m.ID, gateway.Wait{}); err != nil || v.State != store.Unknown {
				t.Errorf("the answer of the other made it %s: %v", v.State, err)
			}
		})
	}
}

// A modem that was reset gives its references again: the stamp of a report
// tells a message of long ago from one whose answer was lost.
func TestReportUnderAReferenceGivenTwice(t *testing.T) {
	for name, c := range map[string]struct {
		apart, stamp  time.Duration // of the second message and of the report, from the first message
		first, second gateway.State
		answered      bool // the second is, with the same reference
	}{
		"of the lost one":                 {3 * time.Hour, 3*time.Hour + time.Second, store.Sent, store.Delivered, false},
		"of the first":                    {3 * time.Hour, time.Second, store.Delivered, store.Unknown, false},
		"of the first, just before":       {20 * time.Second, time.Second, store.Delivered, store.Unknown, false},
		"of the first, clocks differ":     {20 * time.Second, 30 * time.Second, store.Delivered, store.Unknown, false},
		"between the two":                 {8 * time.Minute, 6 * time.Minute, store.Sent, store.Unknown, false},
		"of a zone that is none of both":  {3 * time.Hour, 2 * time.Hour, store.Sent, store.Unknown, false},
		"with the clock of another month": {3 * time.Hour, 700 * time.Hour, store.Sent, store.Unknown, false},
		"of the first of two answered":    {3 * time.Hour, time.Second, store.Delivered, store.Sent, true},
		"of the second of two answered":   {3 * time.Hour, 3*time.Hour + time.Second, store.Sent, store.Delivered, true},
		"between two answered":            {3 * time.Hour, 90 * time.Minute, store.Sent, store.Sent, true},
	} {
		t.Run(name, func(t *testing.T) {
			r := newHastyRig(t, nil, nil)
			modem := r.net.Modems()[0]
			modem.Inject(sim.Fault{Kind: sim.FaultNoReport, Times: -1})
			modem.Inject(sim.Fault{Kind: sim.FaultReference, Code: 1})
			began := r.now()
			first := r.post(gateway.NewMessage{To: alice, Text: "the phone is off"})
			r.until("the first is sent", func() bool { return r.stateOf(first.ID) == store.Sent })
			r.pass(c.apart)
			l, err := r.g.Line(t.Context(), admin, "modem0")
			if err != nil {
				t.Fatal(err)
			}
			err = r.st.Update(t.Context(), "test", func(tx store.Tx) error {
				return tx.AddReport(store.Report{Line: "modem0", ICCID: l.ICCID, MR: 1, Recipient: alice, SentAt: began.Add(c.stamp), ReceivedAt: r.now().Add(time.Minute)})
			})
			if err != nil {
				t.Fatal(err)
			}
			if c.answered {
				modem.Inject(sim.Fault{Kind: sim.FaultReference, Code: 1})
			} else {
				silence(modem)
			}
			second := r.post(gateway.NewMessage{To: alice, Text: "after a reset"})
			r.until("the second is out", func() bool { s := r.stateOf(second.ID); return s != store.Queued && s != store.Sending })
			if one, two := r.stateOf(first.ID), r.stateOf(second.ID); one != c.first || two != c.second {
				t.Errorf("the first is %s, want %s; the second %s, want %s", one, c.first, two, c.second)
			}
		})
	}
}

// TestReportOfALostCopy: the reference of a submission without an answer is not
// known. Its report, which comes when a copy has long been delivered, settles
// no other message that has the same one.
func TestReportOfALostCopy(t *testing.T) {
	for name, c := range map[string]struct {
		stamp time.Duration // of the report, from the first message
		want  gateway.State // of the first
	}{
		"of the lost one": {3*time.Hour + time.Second, store.Sent},
		"of the first":    {time.Second, store.Delivered},
		"of no known one": {time.Hour, store.Delivered}, // the service centre's zone is another
	} {
		t.Run(name, func(t *testing.T) {
			r := newHastyRig(t, nil, nil)
			modem := r.net.Modems()[0]
			modem.Inject(sim.Fault{Kind: sim.FaultNoReport, Times: -1})
			modem.Inject(sim.Fault{Kind: sim.FaultReference, Code: 1})
			began := r.now()
			first := r.post(gateway.NewMessage{To: alice, Text: "the phone is off"})
			r.until("the first is sent", func() bool { return r.stateOf(first.ID) == store.Sent })
			r.pass(3 * time.Hour)
			silence(modem)
			second := r.post(gateway.NewMessage{To: alice, Text: "in two copies"})
			r.await(second.ID, store.Unknown)
			modem.ClearFaults()
			modem.Inject(sim.Fault{Kind: sim.FaultNoReport, Times: -1})
			modem.Inject(sim.Fault{Kind: sim.FaultReference, Code: 77})
			modem.Restart()
			if _, err := r.g.ResolveMessage(t.Context(), app, second.ID, "resend"); err != nil {
				t.Fatal(err)
			}
			r.until("the copy is sent", func() bool { return r.stateOf(second.ID) == store.Sent })
			l, err := r.g.Line(t.Context(), admin, "modem0")
			if err != nil {
				t.Fatal(err)
			}
			r.pass(time.Hour)
			add := func(tx store.Tx) error {
				return tx.AddReport(store.Report{Line: "modem0", ICCID: l.ICCID, MR: 1, Recipient: alice, SentAt: began.Add(c.stamp), ReceivedAt: r.now()})
			}
			if err := r.st.Update(t.Context(), "test", add); err != nil {
				t.Fatal(err)
			}
			modem.Inject(sim.Fault{Kind: sim.FaultReference, Code: 1})
			third := r.post(gateway.NewMessage{To: alice, Text: "under its reference, so that it is looked at again"})
			r.until("the third is sent", func() bool { return r.stateOf(third.ID) == store.Sent })
			if one, two := r.stateOf(first.ID), r.stateOf(second.ID); one != c.want || two != store.Sent {
				t.Errorf("the first is %s, want %s; the second %s, want sent", one, c.want, two)
			}
		})
	}
}

func (r *rig) stateOf(id string) gateway.State {
	r.t.Helper()
	v, err := r.g.Message(r.t.Context(), admin, id, gateway.Wait{})
	if err != nil {
		r.t.Fatal(err)
	}
	return v.State
}
