package gateway_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/modemgate/modemgate/driver/sim"
	"github.com/modemgate/modemgate/gateway"
	"github.com/modemgate/modemgate/gateway/store"
)

// overdue ends what has passed its time, now and not at the next sweep.
func (r *rig) overdue() {
	r.t.Helper()
	if err := r.g.Overdue(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
}

// gone says whether reading something finds nothing.
func (r *rig) gone(read func(tx store.Tx) error) bool {
	r.t.Helper()
	err := r.st.View(r.t.Context(), read)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		r.t.Fatal(err)
	}
	return err != nil
}

func TestTextIsKeptForKeepTextAndTheRestForKeep(t *testing.T) {
	r := newRig(t, nil, nil) // an hour, and 24
	m := r.await(r.post(gateway.NewMessage{To: alice, Text: "for an hour"}).ID, store.Delivered)
	otp, right := r.sentCode(app, gateway.NewOTP{To: number(1)}, 0)
	r.approve(app, otp.ID, right)
	pending := r.create(app, gateway.NewOTP{To: number(2)})
	readMessage := func(tx store.Tx) error { _, err := tx.Message(m.ID); return err }
	readOTP := func(tx store.Tx) error { _, err := tx.OTP(otp.ID); return err }

	r.pass(55 * time.Minute)
	r.overdue()
	if v := r.message(m.ID); !v.HasText || v.Text != "for an hour" {
		t.Fatalf("before keep_text is over: %+v", v)
	}
	r.pass(6 * time.Minute)
	r.overdue()
	if v := r.message(m.ID); v.HasText || v.Text != "" {
		t.Fatalf("after keep_text: %+v", v)
	}
	r.pass(22*time.Hour + 50*time.Minute)
	r.overdue()
	r.tidy()
	if r.gone(readMessage) || r.gone(readOTP) {
		t.Fatal("what ended is forgotten before keep is over")
	}
	r.pass(12 * time.Minute)
	r.tidy()
	if !r.gone(readMessage) || !r.gone(readOTP) {
		t.Fatal("what ended is remembered longer than keep")
	}
	if r.read(pending.ID).State != store.OTPExpired {
		t.Fatal("the OTP that ended later is not kept")
	}
}

func TestWhatIsPastItsRetentionGoesSoonAfterAStart(t *testing.T) {
	r := newRig(t, nil, nil)
	m := r.await(r.post(gateway.NewMessage{To: alice, Text: "yesterday"}).ID, store.Delivered)
	r.halt()
	r.pass(25 * time.Hour)
	r.start()
	r.until("the message of yesterday is purged", func() bool {
		return r.gone(func(tx store.Tx) error { _, err := tx.Message(m.ID); return err })
	})
}

func TestSentIsFinalWhenNoReportCameInADay(t *testing.T) {
	r := newRig(t, nil, nil)
	r.net.Modems()[0].Inject(sim.Fault{Kind: sim.FaultNoReport})
	m := r.await(r.post(gateway.NewMessage{To: alice, Text: "no report"}).ID, store.Sent)
	r.pass(23*time.Hour + 55*time.Minute)
	r.overdue()
	if m = r.message(m.ID); m.Final {
		t.Fatal("it is final before a day has passed")
	}
	r.pass(6 * time.Minute)
	r.overdue()
	if m = r.message(m.ID); !m.Final || m.State != store.Sent {
		t.Fatalf("after a day it is %s, final %t", m.State, m.Final)
	}
}

func TestReportsThatMatchNothingAreKeptADay(t *testing.T) {
	r := newRig(t, nil, nil)
	add := func() {
		err := r.st.Update(t.Context(), "test", func(tx store.Tx) error {
			return tx.AddReport(store.Report{Line: "modem0", ICCID: "spare", MR: 7, Recipient: alice, ReceivedAt: r.now()})
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	count := func() (n int) {
		r.gone(func(tx store.Tx) error {
			kept, err := tx.Reports("spare", -1)
			n = len(kept)
			return err
		})
		return n
	}
	add()
	r.pass(time.Hour)
	add()
	for _, c := range []struct {
		wait time.Duration
		left int
	}{{22*time.Hour + 55*time.Minute, 2}, {10 * time.Minute, 1}, {time.Hour, 0}} {
		r.pass(c.wait)
		r.tidy()
		if n := count(); n != c.left {
			t.Fatalf("%d reports are kept, want %d", n, c.left)
		}
	}
}

func TestIntentsWithoutAnswerAreForgotten(t *testing.T) {
	r := newHastyRig(t, nil, nil)
	m := r.held("no answer ever")
	count := func() (n int) {
		r.gone(func(tx store.Tx) error {
			open, err := tx.OpenIntents(m.Parts[0].ICCID, time.Time{})
			n = len(open)
			return err
		})
		return n
	}
	r.tidy()
	if count() != 1 {
		t.Fatalf("%d intents are open, want the one without an answer", count())
	}
	r.pass(16 * time.Minute) // no answer comes as late as this
	r.tidy()
	if count() != 0 {
		t.Fatal("the intent is remembered although no answer can come")
	}
}

func TestIdempotencyKeysAreKeptADay(t *testing.T) {
	r := newRig(t, nil, nil)
	caller := app
	caller.Path, caller.Body, caller.IdempotencyKey = "/v1/messages", []byte("{}"), "once"
	if _, _, err := r.g.CreateMessage(t.Context(), caller, gateway.NewMessage{To: alice, Text: "once"}); err != nil {
		t.Fatal(err)
	}
	name := r.g.IdempotencyName(caller)
	read := func(tx store.Tx) error {
		_, err := tx.IdempotencyRecord(caller.Caller.Key, caller.Path, name)
		return err
	}
	r.pass(23*time.Hour + 55*time.Minute)
	r.tidy()
	if r.gone(read) {
		t.Fatal("the key is forgotten before a day has passed")
	}
	r.pass(6 * time.Minute)
	r.tidy()
	if !r.gone(read) {
		t.Fatal("the key is remembered longer than a day")
	}
}

func TestReceivedIsKeptForInboundKeep(t *testing.T) {
	r := newRig(t, nil, nil) // an hour
	r.lineState("modem0", "up")
	if err := r.net.Phone(alice).Send(r.net.Modems()[0].Number(), "for an hour"); err != nil {
		t.Fatal(err)
	}
	id := r.inbound(1)[0].ID
	read := func(tx store.Tx) error { _, err := tx.Inbound(id); return err }
	r.pass(55 * time.Minute)
	if r.tidy(); r.gone(read) {
		t.Fatal("it is forgotten before inbound.keep is over")
	}
	r.pass(6 * time.Minute)
	if r.tidy(); !r.gone(read) {
		t.Fatal("it is remembered longer than inbound.keep")
	}
}

func TestSubmissionsHaveACeiling(t *testing.T) {
	r := newRig(t, lasting, nil)
	r.net.Modems()[0].Inject(sim.Fault{Kind: sim.FaultCMS, Code: 42, Times: 25})
	m := r.later(r.post(gateway.NewMessage{To: alice, Text: "congested for ever"}).ID)
	last := m.History[len(m.History)-1]
	if m.State != store.Failed || m.Error != "cms-42" || m.Attempts != 20 || !strings.Contains(last.Note, "attempts") {
		t.Fatalf("%s with %q at attempt %d, want failed with cms-42 at 20", m.State, m.Error, m.Attempts)
	}
}
