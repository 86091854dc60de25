package gateway_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/modemgate/modemgate/gateway"
	"github.com/modemgate/modemgate/gateway/store"
)

// person has a number that real lines may send to.
const person = "+447700900123"

// TestAttackSimulatedMessageLeavesByARealLine holds that nothing accepted for
// the simulator, where every number is allowed, is sent when real lines follow.
func TestAttackSimulatedMessageLeavesByARealLine(t *testing.T) {
	realLines := false
	r := newRig(t, func(o *gateway.Options) {
		if realLines {
			o.Allow = []string{"+44"}
			for i := range o.Lines {
				o.Lines[i].Simulated = false
			}
		}
	}, nil)
	const premium, toy = "+79990001122", "+999123456"
	later := r.now().Add(time.Hour)
	var ids []string
	for _, to := range []string{premium, toy} {
		ids = append(ids, r.post(gateway.NewMessage{To: to, Text: "rehearsal", SendAt: later, TTL: 2 * time.Hour}).ID)
	}
	r.halt()
	realLines = true
	r.pass(time.Hour + time.Minute)
	r.start()
	for _, id := range ids {
		if m := r.await(id, store.Failed); m.Error != "simulated" {
			t.Errorf("it ended as %q", m.Error)
		}
	}
	r.await(r.post(gateway.NewMessage{To: person, Text: "real"}).ID, store.Delivered)
	for _, to := range []string{premium, toy} {
		if n := r.submitted(to); n != 0 {
			t.Errorf("%d submitted to %s", n, to)
		}
	}
	if _, _, err := r.g.CreateMessage(t.Context(), app, gateway.NewMessage{To: toy, Text: "x"}); code(err) != gateway.DestinationBlocked {
		t.Errorf("a number of the simulator on real lines: %v", err)
	}
}

// TestAttackRealMessageIsSwallowedByTheSimulator holds that what waits for a
// real line is not told as delivered when somebody starts with simulated ones.
func TestAttackRealMessageIsSwallowedByTheSimulator(t *testing.T) {
	simulated := false
	r := newRig(t, func(o *gateway.Options) {
		o.Allow = []string{"+44"}
		for i := range o.Lines {
			o.Lines[i].Simulated = simulated
		}
	}, nil)
	m := r.post(gateway.NewMessage{To: person, Text: "real", SendAt: r.now().Add(time.Hour), TTL: 48 * time.Hour})
	r.halt()
	simulated = true
	r.pass(time.Hour + time.Minute)
	r.start()
	r.until("it is held", func() bool {
		v, err := r.g.Message(t.Context(), admin, m.ID, gateway.Wait{})
		return err == nil && v.Held && v.State == store.Queued
	})
	r.await(r.post(gateway.NewMessage{To: person, Text: "rehearsal"}).ID, store.Delivered)
	r.halt()
	simulated = false
	r.start()
	if n, err := r.g.ReleaseQueue(t.Context(), local); n != 1 || err != nil {
		t.Fatalf("%d released: %v", n, err)
	}
	if v := r.await(m.ID, store.Delivered); v.Simulated {
		t.Error("it counts as simulated")
	}
}

// TestAttackScheduledMessagesKeepOTPsOut holds that a key that may only send
// cannot stop the one-time passwords of others by filling the queue.
func TestAttackScheduledMessagesKeepOTPsOut(t *testing.T) {
	const most = 20
	r := newRig(t, func(o *gateway.Options) { o.MaxQueued = most }, nil)
	r.lineState("modem0", "up")
	for i := range most {
		r.post(gateway.NewMessage{To: fmt.Sprintf("+4477009%05d", i), Text: "x", SendAt: r.now().Add(29 * 24 * time.Hour)})
	}
	if _, _, err := r.g.CreateMessage(t.Context(), app, gateway.NewMessage{To: alice, Text: "x"}); code(err) != gateway.LimitExceeded {
		t.Errorf("one message more: %v", err)
	}
	otp := req("bank", gateway.ScopeOTP)
	for i := range 3 {
		v, _, err := r.g.CreateOTP(t.Context(), otp, gateway.NewOTP{To: fmt.Sprintf("+44770091%04d", i)})
		if err != nil {
			t.Fatal(err)
		}
		r.await(v.MessageID, store.Delivered)
	}
	if _, err := r.g.PauseLine(t.Context(), admin, "modem0"); err != nil {
		t.Fatal(err)
	}
	for i := range most + 1 {
		_, _, err := r.g.CreateOTP(t.Context(), otp, gateway.NewOTP{To: fmt.Sprintf("+44770092%04d", i)})
		if (i < most) != (err == nil) {
			t.Fatalf("OTP %d that waits: %v", i, err)
		}
	}
}

// TestAttackOtherDataInTheSamePlace holds that a second message of binary data
// under the reference of a first is not dropped as a late copy of it.
func TestAttackOtherDataInTheSamePlace(t *testing.T) {
	r := newRig(t, nil, nil)
	part := func(pid, data string) {
		t.Helper()
		// SMS-DELIVER of alice: 8-bit data, part 1 of 2 under reference 7, all of one second.
		pdu := "00440C91447700090010" + pid + "04" + "62112221000000" + "0A" + "050003070201" + data
		if err := r.net.Phone(alice).SendPDU(r.net.Modems()[0].Number(), pdu, len(pdu)/2-1); err != nil {
			t.Fatal(err)
		}
	}
	part("00", "CAFE0001")
	part("20", "CAFE0001") // a late copy, its header changed on the way
	part("00", "BEEF0002")
	r.empty()
	r.pass(61 * time.Second)
	var held []string
	for _, in := range r.inbound(2) {
		held = append(held, in.Raw[0][len(in.Raw[0])-8:])
	}
	if got := strings.Join(held, " "); got != "CAFE0001 BEEF0002" && got != "BEEF0002 CAFE0001" {
		t.Errorf("published %s", got)
	}
}

// TestAttackRepeatsFillTheStore holds that a key cannot fill the store with
// Idempotency-Keys of requests that send nothing and so cost it nothing.
func TestAttackRepeatsFillTheStore(t *testing.T) {
	const most = 5
	r := newRig(t, func(o *gateway.Options) {
		o.KeyMinute = most
		o.OTP.ResendAfter = 5 * time.Minute
	}, nil)
	r.pass(time.Until(time.Now().Truncate(time.Minute).Add(time.Minute + time.Second))) // all in one minute
	create := func(key string) error {
		by := req("flood", gateway.ScopeOTP)
		by.Path, by.IdempotencyKey = "/v1/otp", key
		_, _, err := r.g.CreateOTP(t.Context(), by, gateway.NewOTP{To: alice})
		return err
	}
	if err := create("first"); err != nil {
		t.Fatal(err)
	}
	for i := range most + 1 {
		if err := create(fmt.Sprint("repeat ", i)); (i < most) != (err == nil) || err != nil && code(err) != gateway.LimitExceeded {
			t.Errorf("repeat %d: %v", i, err)
		}
	}
	for range 2 * most {
		if err := create("first"); err != nil {
			t.Errorf("a repeat of what is remembered: %v", err)
		}
		if err := create(""); err != nil {
			t.Errorf("a repeat that is not remembered: %v", err)
		}
	}
	r.pass(time.Minute)
	if err := create("next minute"); err != nil {
		t.Error(err)
	}
}
