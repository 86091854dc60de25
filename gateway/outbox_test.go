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

const alice = "+999555001"

func TestMessageIsSentAndDelivered(t *testing.T) {
	r := newRig(t, nil, nil)
	m := r.post(gateway.NewMessage{To: alice, Text: "hello", Ref: "r1"})
	if m.State != store.Queued || m.Final || len(m.Parts) != 1 || m.Encoding != "gsm7" {
		t.Fatalf("accepted as %+v", m)
	}
	m = r.await(m.ID, store.Delivered)
	if !m.Final || m.Line != "modem0" || m.Ref != "r1" || m.Text != "hello" {
		t.Fatalf("delivered as %+v", m)
	}
	got := r.texts(alice, 1)
	if got[0].Text != "hello" || got[0].From != r.net.Modems()[0].Number() {
		t.Fatalf("the phone has %+v", got)
	}
	var states []string
	for _, h := range m.History {
		states = append(states, string(h.State))
	}
	if s := strings.Join(states, " "); s != "queued sending sent delivered" && s != "queued sending delivered" {
		t.Fatalf("history: %s", s)
	}
}

func TestLongMessageArrivesWholeWithItsOwnReference(t *testing.T) {
	r := newRig(t, nil, nil)
	first, second := strings.Repeat("first long text ", 30), strings.Repeat("zweiter länger текст ", 12)
	a := r.post(gateway.NewMessage{To: alice, Text: first})
	b := r.post(gateway.NewMessage{To: alice, Text: second})
	r.await(a.ID, store.Delivered)
	r.await(b.ID, store.Delivered)
	got := r.texts(alice, 2)
	if got[0].Text != first || got[1].Text != second {
		t.Fatalf("the phone has %q and %q", got[0].Text, got[1].Text)
	}
	if got[0].Ref == got[1].Ref {
		t.Fatalf("both long texts have the reference %d", got[0].Ref)
	}
	r.restart()
	c := r.post(gateway.NewMessage{To: alice, Text: first})
	r.await(c.ID, store.Delivered)
	if got = r.texts(alice, 3); got[2].Ref == got[1].Ref || got[2].Ref == got[0].Ref {
		t.Fatal("the reference is not remembered over a restart")
	}
}

func TestOTPGoesBeforeTheRestOfALongMessage(t *testing.T) {
	r := newRig(t, nil, nil)
	posted := make(chan struct{})
	once := false
	r.net.Modems()[0].OnPoint(func(o sim.Occasion) {
		if o.Point == sim.PointAccepted && !once {
			once = true
			if _, _, err := r.g.CreateOTP(t.Context(), app, gateway.NewOTP{To: "+999555002"}); err != nil {
				t.Error(err)
			}
			close(posted)
		}
	})
	m := r.post(gateway.NewMessage{To: alice, Text: strings.Repeat("x", 600)})
	<-posted
	r.await(m.ID, store.Delivered, store.Sent)
	order := ""
	for _, e := range r.net.Journal() {
		if e.Kind == sim.JournalSubmitted {
			order += map[bool]string{true: "L", false: "O"}[e.To == alice]
		}
	}
	if order != "LOLLL" {
		t.Fatalf("sent in the order %s, want the OTP right after the part under way", order)
	}
}

func TestMessageExpiresWithoutALine(t *testing.T) {
	r := newRig(t, nil, nil)
	r.net.Modems()[0].Unplug()
	r.lineState("modem0", "absent")
	m := r.post(gateway.NewMessage{To: alice, Text: "late", TTL: time.Minute})
	r.pass(61 * time.Second)
	if m = r.await(m.ID, store.Expired); m.Error != "expired" {
		t.Fatalf("ended with %q", m.Error)
	}
	r.net.Modems()[0].Plug()
	r.lineState("modem0", "up")
	if n := r.submitted(alice); n != 0 {
		t.Fatalf("an expired message was submitted %d times", n)
	}
}

func TestDeadlineIsLookedAtAgainAtThePrompt(t *testing.T) {
	r := newRig(t, nil, nil)
	r.net.Modems()[0].OnPoint(func(o sim.Occasion) {
		if o.Point == sim.PointCommand && strings.HasPrefix(o.Command, "+CMGS") {
			r.pass(2 * time.Minute)
		}
	})
	m := r.post(gateway.NewMessage{To: alice, Text: "late", TTL: time.Minute})
	r.await(m.ID, store.Expired)
	if n := r.submitted(alice); n != 0 {
		t.Fatalf("submitted %d times after its deadline", n)
	}
}

func TestRefusedIsFinalAndBlocksNobody(t *testing.T) {
	r := newRig(t, nil, nil)
	r.net.Modems()[0].Inject(sim.Fault{Kind: sim.FaultCMS, Code: 1})
	bad := r.post(gateway.NewMessage{To: alice, Text: "nobody has this number"})
	good := r.post(gateway.NewMessage{To: "+999555002", Text: "next"})
	if bad = r.await(bad.ID, store.Failed); bad.Error != "cms-1" {
		t.Fatalf("failed with %q", bad.Error)
	}
	r.await(good.ID, store.Delivered)
}

func TestTemporaryErrorIsRetriedWithBackoff(t *testing.T) {
	r := newRig(t, lasting, nil)
	r.net.Modems()[0].Inject(sim.Fault{Kind: sim.FaultCMS, Code: 42, Times: 2})
	m := r.post(gateway.NewMessage{To: alice, Text: "busy"})
	r.until("the message waits for its retry", func() bool {
		v, err := r.g.Message(t.Context(), admin, m.ID, gateway.Wait{})
		return err == nil && v.State == store.Queued && v.Attempts == 1
	})
	if m = r.later(m.ID); m.State != store.Delivered || m.Attempts != 3 {
		t.Fatalf("%s at attempt %d, want delivered at 3", m.State, m.Attempts)
	}
}

func TestRefusedLineLeavesItsMessagesToOthers(t *testing.T) {
	r := newRig(t, nil, func(o *sim.Options) { o.Modems = 2 })
	r.lineState("modem0", "up")
	r.lineState("modem1", "up")
	r.net.Modems()[0].Inject(sim.Fault{Kind: sim.FaultCMS, Code: 8, Times: -1})
	for range 4 {
		m := r.post(gateway.NewMessage{To: alice, Text: "barred on one SIM"})
		if m = r.await(m.ID, store.Delivered); m.Line != "modem1" {
			t.Fatalf("sent by %s", m.Line)
		}
	}
}

func TestViaIsStrict(t *testing.T) {
	r := newRig(t, nil, func(o *sim.Options) { o.Modems = 2 })
	for range 3 {
		m := r.post(gateway.NewMessage{To: alice, Text: "by one", Via: []string{"modem1"}})
		if m = r.await(m.ID, store.Delivered); m.Line != "modem1" {
			t.Fatalf("sent by %s", m.Line)
		}
	}
	_, _, err := r.g.CreateMessage(t.Context(), app, gateway.NewMessage{To: alice, Text: "x", Via: []string{"nowhere"}})
	if code(err) != gateway.NoSuchLine {
		t.Fatalf("got %v", err)
	}
}

func TestPauseSurvivesARestartAndResumes(t *testing.T) {
	r := newRig(t, nil, nil)
	if _, err := r.g.PauseLine(t.Context(), admin, "modem0"); err != nil {
		t.Fatal(err)
	}
	m := r.post(gateway.NewMessage{To: alice, Text: "waits"})
	if err := r.net.Phone(alice).Send(r.net.Modems()[0].Number(), "a paused line receives"); err != nil {
		t.Fatal(err)
	}
	r.inbound(1)
	r.restart()
	r.lineState("modem0", "paused")
	if n := r.submitted(alice); n != 0 {
		t.Fatal("a paused line has sent")
	}
	if _, err := r.g.ResumeLine(t.Context(), admin, "modem0"); err != nil {
		t.Fatal(err)
	}
	r.await(m.ID, store.Delivered)
}

func TestCanceledIsNeverSent(t *testing.T) {
	r := newRig(t, nil, nil)
	if _, err := r.g.PauseLine(t.Context(), admin, "modem0"); err != nil {
		t.Fatal(err)
	}
	m := r.post(gateway.NewMessage{To: alice, Text: "no"})
	if v, err := r.g.CancelMessage(t.Context(), app, m.ID); err != nil || v.State != store.Canceled || !v.Final {
		t.Fatalf("%+v %v", v, err)
	}
	if _, err := r.g.ResumeLine(t.Context(), admin, "modem0"); err != nil {
		t.Fatal(err)
	}
	other := r.post(gateway.NewMessage{To: alice, Text: "yes"})
	r.await(other.ID, store.Delivered)
	if _, err := r.g.CancelMessage(t.Context(), app, other.ID); code(err) != gateway.NotCancelable {
		t.Fatalf("a sent message can be canceled: %v", err)
	}
	if got := r.texts(alice, 1); got[0].Text != "yes" {
		t.Fatalf("the phone has %+v", got)
	}
}

// A repeat says what the first request said, also when its time has come and
// gone meanwhile.
func TestRepeatOfWhatWasForLater(t *testing.T) {
	r := newRig(t, nil, nil)
	later := gateway.NewMessage{To: alice, Text: "later", SendAt: r.now().Add(time.Hour)}
	req := admin
	req.Path, req.IdempotencyKey, req.Body = "/v1/messages", "k", []byte("later")
	first, _, err := r.g.CreateMessage(t.Context(), req, later)
	if err != nil {
		t.Fatal(err)
	}
	r.pass(2 * time.Hour)
	again, answer, err := r.g.CreateMessage(t.Context(), req, later)
	if err != nil || !answer.Replayed || again.ID != first.ID {
		t.Errorf("%v, %+v, %v", again.ID, answer, err)
	}
	req.IdempotencyKey = "other"
	var refused *gateway.Error
	if _, _, err := r.g.CreateMessage(t.Context(), req, later); !errors.As(err, &refused) || refused.Code != gateway.InvalidRequest || refused.Fields[0].Pointer != "/send_at" {
		t.Errorf("a new one for two hours ago: %v", err)
	}
}

func TestSendAtIsKept(t *testing.T) {
	r := newRig(t, nil, nil)
	m := r.post(gateway.NewMessage{To: alice, Text: "later", SendAt: r.now().Add(time.Hour), TTL: time.Minute})
	now := r.post(gateway.NewMessage{To: alice, Text: "now"})
	r.await(now.ID, store.Delivered)
	if v, err := r.g.Message(t.Context(), admin, m.ID, gateway.Wait{}); err != nil || v.State != store.Queued {
		t.Fatalf("%+v %v", v, err)
	}
	r.pass(time.Hour + time.Second)
	r.g.Notify([]string{"queue"})
	r.await(m.ID, store.Delivered)
}

// messages.ttl is for requests that give none; what an SMS can live bounds the
// others (3GPP TS 23.040 §9.2.3.12).
func TestTTLIsTheRequestsWithinWhatAnSMSCanLive(t *testing.T) {
	r := newRig(t, nil, nil) // messages.ttl is an hour
	const longest = 63 * 7 * 24 * time.Hour
	for ttl, want := range map[time.Duration]time.Duration{0: time.Hour, time.Second: time.Second, 8000 * time.Hour: 8000 * time.Hour, longest: longest} {
		m := r.post(gateway.NewMessage{To: alice, Text: "for so long", TTL: ttl, SendAt: r.now().Add(time.Hour)})
		if got := m.DeadlineAt.Sub(m.NotBefore); got != want {
			t.Errorf("ttl %s: the deadline is %s after send_at, want %s", ttl, got, want)
		}
	}
	for _, ttl := range []time.Duration{longest + time.Second, time.Second - 1, -time.Hour} {
		_, _, err := r.g.CreateMessage(t.Context(), app, gateway.NewMessage{To: alice, Text: "for so long", TTL: ttl})
		var e *gateway.Error
		if !errors.As(err, &e) || e.Code != gateway.InvalidRequest || e.Fields[0].Pointer != "/ttl" {
			t.Errorf("ttl %s: %v", ttl, err)
		}
	}
}
