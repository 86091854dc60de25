package gateway_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/modemgate/modemgate/driver/sim"
	"github.com/modemgate/modemgate/gateway"
	"github.com/modemgate/modemgate/gateway/store"
)

// empty waits until the SIM holds nothing.
func (r *rig) empty() {
	r.t.Helper()
	r.until("the SIM is empty", func() bool { return len(r.net.Modems()[0].Stored()) == 0 })
}

// to0 texts the first modem.
func (r *rig) to0(text string, o sim.SendOptions) {
	r.t.Helper()
	if err := r.net.Phone(alice).SendWith(r.net.Modems()[0].Number(), text, o); err != nil {
		r.t.Fatal(err)
	}
}

func TestInboundIsStoredThenDeleted(t *testing.T) {
	r := newRig(t, nil, nil)
	r.to0("Your code is 123456", sim.SendOptions{})
	got := r.inbound(1)[0]
	if got.Text != "Your code is 123456" || got.From != alice || got.FromType != "international" || got.Line != "modem0" ||
		got.To != r.net.Modems()[0].Number() || got.Parts != 1 || got.Incomplete || len(got.Raw) != 1 || got.SMSCAt.IsZero() || !got.Simulated {
		t.Fatalf("stored as %+v", got)
	}
	r.empty()
}

func TestWhatCameWhileNobodyListenedIsReadFirst(t *testing.T) {
	r := newRig(t, nil, nil)
	r.lineState("modem0", "up")
	r.halt()
	for range 3 {
		r.to0("while away", sim.SendOptions{})
	}
	r.until("the SIM has them", func() bool { return len(r.net.Modems()[0].Stored()) == 3 })
	r.start()
	r.inbound(3)
	r.empty()
}

func TestEqualPDUsInTwoSlotsAreTwoMessages(t *testing.T) {
	r := newRig(t, nil, nil)
	r.lineState("modem0", "up")
	r.halt()
	at := time.Now().Add(-time.Minute)
	r.to0("same", sim.SendOptions{Timestamp: at, Copies: 2})
	r.until("the SIM has both", func() bool { return len(r.net.Modems()[0].Stored()) == 2 })
	r.start()
	r.inbound(2)
	r.empty()
	// The same PDU again is the service centre's repeat of one of them.
	r.to0("same", sim.SendOptions{Timestamp: at})
	r.empty()
	r.to0("a later one", sim.SendOptions{})
	r.until("the later one is stored", func() bool {
		page, err := r.g.ListInbound(t.Context(), admin, gateway.InboundFilter{Limit: 10})
		return err == nil && len(page.Items) > 0 && page.Items[0].Text == "a later one"
	})
	r.inbound(3)
}

func TestLongInboundOutOfOrderInterleavedAndDoubled(t *testing.T) {
	r := newRig(t, nil, nil)
	a, b := strings.Repeat("the first of two long texts ", 12), strings.Repeat("второй длинный текст 😀 ", 8)
	r.to0(a, sim.SendOptions{Ref: new(7), Order: []int{3, 1}})
	r.to0(b, sim.SendOptions{Ref: new(7), Wide: true, Order: []int{2, 1, 1, 3}})
	r.to0(a, sim.SendOptions{Ref: new(7), Order: []int{1, 2}})
	r.until("both are whole", func() bool {
		page, err := r.g.ListInbound(t.Context(), admin, gateway.InboundFilter{Limit: 10})
		return err == nil && len(page.Items) >= 2
	})
	r.empty()
	texts := map[string]bool{}
	for _, in := range r.inbound(2) {
		texts[in.Text] = true
		if in.Incomplete || in.Amends != "" {
			t.Errorf("published as %+v", in)
		}
	}
	if !texts[a] || !texts[b] {
		t.Fatalf("got %v", texts)
	}
}

// TestTrapS12PartsOfTwoMessagesNeverMakeOne is the wrong-code message of the
// library's collector: part 1 of one message, part 2 of the next one with the
// same reference.
func TestTrapS12PartsOfTwoMessagesNeverMakeOne(t *testing.T) {
	r := newRig(t, nil, nil)
	pad := strings.Repeat(".", 150)
	first, second := "Your code is 111"+pad+", valid 5 min", "Your code is 222"+pad+", valid 5 min"
	r.to0(first, sim.SendOptions{Ref: new(9), Order: []int{1}, Timestamp: time.Now().Add(-30 * time.Second)})
	r.empty()
	r.to0(second, sim.SendOptions{Ref: new(9)})
	if got := r.inbound(1)[0]; got.Text != second {
		t.Fatalf("published %q", got.Text)
	}
	r.pass(2 * time.Minute)
	got := r.inbound(2)[1]
	if !got.Incomplete || !strings.HasPrefix(got.Text, "Your code is 111") || strings.Contains(got.Text, "222") {
		t.Fatalf("the rest was published as %+v", got)
	}
}

func TestIncompleteIsPublishedAndAmendedOnce(t *testing.T) {
	r := newRig(t, nil, nil)
	text, sent := strings.Repeat("0123456789", 40), time.Now()
	r.to0(text, sim.SendOptions{Ref: new(3), Order: []int{1}, Timestamp: sent})
	r.empty()
	r.pass(61 * time.Second)
	first := r.inbound(1)[0]
	if !first.Incomplete || first.Amends != "" || first.Parts != 3 || !strings.HasSuffix(first.Text, "[…] ") {
		t.Fatalf("published as %+v", first)
	}
	r.to0(text, sim.SendOptions{Ref: new(3), Order: []int{3, 2}, Timestamp: sent})
	got := r.inbound(2)[1]
	if got.Incomplete || got.Amends != first.ID || got.Text != text {
		t.Fatalf("amended as %+v", got)
	}
	r.to0(text, sim.SendOptions{Ref: new(3), Order: []int{2}, Timestamp: sent}) // a late copy
	r.empty()
	r.pass(5 * time.Minute)
	r.inbound(2)
}

func TestAmendedAfterOneReassemblyEvenIfStillIncomplete(t *testing.T) {
	r := newRig(t, nil, nil)
	text := strings.Repeat("0123456789", 40)
	r.to0(text, sim.SendOptions{Ref: new(3), Order: []int{1}})
	r.empty()
	r.pass(61 * time.Second)
	first := r.inbound(1)[0]
	r.to0(text, sim.SendOptions{Ref: new(3), Order: []int{3}})
	r.empty()
	r.pass(61 * time.Second)
	got := r.inbound(2)[1]
	if !got.Incomplete || got.Amends != first.ID || len(got.Raw) != 2 {
		t.Fatalf("amended as %+v", got)
	}
}

func TestUndecodableIsKeptWithItsPDU(t *testing.T) {
	r := newRig(t, nil, nil)
	r.lineState("modem0", "up")
	const pdu = "07918997990900F0FFFFFFFFFF"
	if !r.net.Modems()[0].StorePDU(pdu, -1) {
		t.Fatal("the SIM did not take it")
	}
	if got := r.inbound(1)[0]; got.Text != "" || len(got.Raw) != 1 || got.Raw[0] != pdu {
		t.Fatalf("stored as %+v", got)
	}
	r.empty()
}

func TestType0IsDroppedAndFlashIsTaken(t *testing.T) {
	r := newRig(t, nil, nil)
	r.lineState("modem0", "up")
	r.to0("silent", sim.SendOptions{PID: 0x40})
	r.to0("flash", sim.SendOptions{Flash: true})
	if got := r.inbound(1)[0]; got.Text != "flash" {
		t.Fatalf("stored %q", got.Text)
	}
	r.empty()
}

func TestFullSIMIsEmptiedAndTheRestFollows(t *testing.T) {
	r := newRig(t, nil, func(o *sim.Options) { o.Slots = 4 })
	r.lineState("modem0", "up")
	r.halt()
	for i := range 10 {
		r.to0(fmt.Sprintf("more than it holds, %d", i), sim.SendOptions{})
	}
	r.start()
	r.inbound(10)
	r.empty()
}

func TestInboundFeedMissesNothing(t *testing.T) {
	r := newRig(t, nil, nil)
	r.lineState("modem0", "up")
	from, err := r.g.InboundCursor(t.Context(), app)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for range 20 {
			_ = r.net.Phone(alice).Send(r.net.Modems()[0].Number(), "feed")
		}
	}()
	seen := map[string]bool{}
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	for len(seen) < 20 {
		page, err := r.g.ListInbound(ctx, app, gateway.InboundFilter{Limit: 3, Ascending: true, Cursor: from, Wait: 10 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		for _, in := range page.Items {
			if seen[in.ID] {
				t.Fatalf("%s came twice", in.ID)
			}
			seen[in.ID] = true
		}
		from = page.NextCursor
	}
}

func TestReadingIsNarrowedToLines(t *testing.T) {
	r := newRig(t, nil, func(o *sim.Options) { o.Modems = 2 })
	r.to0("for line 0", sim.SendOptions{})
	in := r.inbound(1)[0]
	other := req("other", "inbound:modem1")
	if page, err := r.g.ListInbound(t.Context(), other, gateway.InboundFilter{Limit: 10}); err != nil || len(page.Items) != 0 {
		t.Fatalf("%+v %v", page, err)
	}
	if _, err := r.g.Inbound(t.Context(), other, in.ID); code(err) != gateway.NotFound {
		t.Fatalf("got %v", err)
	}
	if _, err := r.g.ListInbound(t.Context(), req("none", gateway.ScopeSend), gateway.InboundFilter{Limit: 10}); code(err) != gateway.ScopeMissing {
		t.Fatalf("got %v", err)
	}
}

func TestEraseClearsANumber(t *testing.T) {
	r := newRig(t, nil, nil)
	m := r.post(gateway.NewMessage{To: alice, Text: "erase me"})
	r.await(m.ID, store.Delivered)
	r.to0("and me", sim.SendOptions{})
	r.inbound(1)
	local := gateway.Request{Caller: gateway.LocalCaller()}
	rep, err := r.g.Erase(t.Context(), local, alice)
	if err != nil || rep.Messages != 1 || rep.Inbound != 1 {
		t.Fatalf("%+v %v", rep, err)
	}
	if _, err := r.g.Message(t.Context(), admin, m.ID, gateway.Wait{}); code(err) != gateway.NotFound {
		t.Fatalf("got %v", err)
	}
	r.inbound(0)
	if _, err := r.g.Erase(t.Context(), admin, alice); code(err) != gateway.ScopeMissing {
		t.Fatalf("erase over the network: %v", err)
	}
}

func TestRepeatOfWhatWasErasedIsNotFound(t *testing.T) {
	r := newRig(t, nil, nil)
	again := app
	again.IdempotencyKey, again.Path, again.Body = "once", "/v1/messages", []byte("{}")
	m, _, err := r.g.CreateMessage(t.Context(), again, gateway.NewMessage{To: alice, Text: "erase me"})
	if err != nil {
		t.Fatal(err)
	}
	r.await(m.ID, store.Delivered)
	otp := app
	otp.IdempotencyKey, otp.Path, otp.Body = "once", "/v1/otp", []byte("{}")
	if _, _, err := r.g.CreateOTP(t.Context(), otp, gateway.NewOTP{To: alice}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.g.Erase(t.Context(), gateway.Request{Caller: gateway.LocalCaller()}, alice); err != nil {
		t.Fatal(err)
	}
	if _, _, err := r.g.CreateMessage(t.Context(), again, gateway.NewMessage{To: alice, Text: "erase me"}); code(err) != gateway.NotFound {
		t.Errorf("the message: %v", err)
	}
	if _, _, err := r.g.CreateOTP(t.Context(), otp, gateway.NewOTP{To: alice}); code(err) != gateway.NotFound {
		t.Errorf("the OTP: %v", err)
	}
}
