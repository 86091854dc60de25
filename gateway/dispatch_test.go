package gateway_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/modemgate/modemgate/driver/sim"
	"github.com/modemgate/modemgate/gateway"
	"github.com/modemgate/modemgate/gateway/store"
)

var local = gateway.Request{Caller: gateway.LocalCaller()}

// taken closes its channel when the network has taken the n-th part.
func taken(m *sim.Modem, n int) <-chan struct{} {
	ch := make(chan struct{})
	m.OnPoint(func(o sim.Occasion) {
		if o.Point == sim.PointAccepted {
			if n--; n == 0 {
				close(ch)
			}
		}
	})
	return ch
}

func TestShutdownLeavesASilentModemAfterTheWait(t *testing.T) {
	r := newRig(t, func(o *gateway.Options) {
		patient(o, time.Hour)
		o.ShutdownWait = 300 * time.Millisecond
	}, nil)
	modem := r.net.Modems()[0]
	modem.Inject(sim.Fault{Kind: sim.FaultNoReport})
	out := taken(modem, 1)
	silence(modem)
	m := r.post(gateway.NewMessage{To: alice, Text: "no answer comes"})
	<-out
	stopped := make(chan struct{})
	go func() { defer close(stopped); r.halt() }()
	select {
	case <-stopped:
	case <-time.After(deadline):
		modem.Unplug() // so that the test ends
		<-stopped
		t.Fatal("the shutdown waits for a modem that does not answer")
	}
	modem.ClearFaults()
	r.start()
	r.await(m.ID, store.Unknown)
}

func TestShutdownWaitsForTheAnswer(t *testing.T) {
	r := newRig(t, func(o *gateway.Options) { patient(o, time.Hour); o.ShutdownWait = deadline }, nil)
	modem := r.net.Modems()[0]
	out := taken(modem, 1)
	modem.Inject(sim.Fault{Kind: sim.FaultLate, Match: "+CMGS", Delay: 700 * time.Millisecond})
	m := r.post(gateway.NewMessage{To: alice, Text: "the answer comes", OnUnknown: "resend"})
	<-out
	r.restart()
	r.await(m.ID, store.Sent, store.Delivered)
	if n := r.submitted(alice); n != 1 {
		t.Fatalf("submitted %d times", n)
	}
}

func TestClaimedAtTheShutdownIsNotUnknown(t *testing.T) {
	var stop atomic.Pointer[func()]
	f := &faultyStore{after: func(step string) {
		if p := stop.Load(); p != nil && step == "claim" {
			(*p)()
		}
	}}
	r := newRig(t, faulty(f), nil)
	r.lineState("modem0", "up")
	began, once := make(chan struct{}), false
	halt := func() {
		if !once {
			once = true
			go func() { defer close(began); r.halt() }()
			r.until("the gateway stops", func() bool { return r.g.Stopping() })
		}
	}
	stop.Store(&halt)
	m := r.post(gateway.NewMessage{To: alice, Text: "never handed to the modem"})
	<-began
	stop.Store(nil)
	r.start()
	r.await(m.ID, store.Delivered)
}

func TestOneRefusedAfterAnotherStopsNobody(t *testing.T) {
	r := newRig(t, func(o *gateway.Options) { o.Poll = time.Hour }, nil)
	if _, err := r.g.PauseLine(t.Context(), admin, "modem0"); err != nil {
		t.Fatal(err)
	}
	r.net.Modems()[0].Inject(sim.Fault{Kind: sim.FaultCMS, Code: 1, Times: 4})
	var last gateway.MessageView
	for range 5 {
		last = r.post(gateway.NewMessage{To: alice, Text: "next"})
	}
	r.lineState("modem0", "paused")
	began := time.Now()
	if _, err := r.g.ResumeLine(t.Context(), admin, "modem0"); err != nil {
		t.Fatal(err)
	}
	r.await(last.ID, store.Delivered)
	if d := time.Since(began); d > 4*time.Second { // the next look at the status is after 5 s
		t.Fatalf("the messages behind refused ones waited %s", d)
	}
}

func TestErasedWhileItIsSent(t *testing.T) {
	for _, text := range []string{"short", strings.Repeat("long ", 100)} {
		r := newRigHere(t, nil, nil)
		modem := r.net.Modems()[0]
		erased := make(chan error, 1)
		first := true
		modem.OnPoint(func(o sim.Occasion) {
			if o.Point == sim.PointAccepted && first {
				first = false
				_, err := r.g.Erase(context.Background(), local, alice)
				erased <- err
			}
		})
		r.post(gateway.NewMessage{To: alice, Text: text})
		if err := <-erased; err != nil {
			t.Fatal(err)
		}
		m := r.post(gateway.NewMessage{To: "+999555002", Text: "the line goes on"})
		r.await(m.ID, store.Delivered)
		l, err := r.g.Line(t.Context(), admin, "modem0")
		if err != nil || l.Restarts != 0 {
			t.Fatalf("the line was restarted %d times: %v %v", l.Restarts, l.LastError, err)
		}
	}
}

func TestPausedBetweenPartsExpiresInTime(t *testing.T) {
	r := newHastyRig(t, nil, nil)
	out := taken(r.net.Modems()[0], 1)
	r.net.Modems()[0].Inject(sim.Fault{Kind: sim.FaultLate, Match: "+CMGS", Delay: 500 * time.Millisecond})
	m := r.post(gateway.NewMessage{To: alice, Text: strings.Repeat("long ", 100), TTL: time.Minute})
	<-out
	if _, err := r.g.PauseLine(t.Context(), admin, "modem0"); err != nil {
		t.Fatal(err)
	}
	r.until("the line waits between two parts", func() bool {
		v, err := r.g.Message(t.Context(), admin, m.ID, gateway.Wait{})
		return err == nil && v.Parts[0].State != store.Queued && v.Parts[0].State != store.Sending
	})
	r.pass(61 * time.Second)
	m = r.await(m.ID, store.Expired)
	for _, p := range m.Parts[1:] {
		if p.State != store.Expired {
			t.Errorf("part %d of an expired message is %s", p.Index, p.State)
		}
	}
}

func TestBudgetBetweenPartsExpiresInTime(t *testing.T) {
	r := newRig(t, func(o *gateway.Options) { o.Lines[0].PerDay = 2 }, nil)
	m := r.post(gateway.NewMessage{To: alice, Text: strings.Repeat("long ", 100), TTL: time.Minute})
	r.texts(alice, 0)
	r.until("the budget is used up", func() bool { return r.submitted(alice) == 2 })
	r.pass(61 * time.Second)
	r.await(m.ID, store.Expired)
}

// A claim that did not reach the disk forgets nothing: the rest of a long
// message follows.
func TestRestOfALongMessageOutlivesAFailedCommit(t *testing.T) {
	f := &faultyStore{}
	r := newRig(t, faulty(f), nil)
	r.lineState("modem0", "up")
	failed := 0
	f.set(func() {
		f.fail = func(step string) error {
			if step == "claim" && r.submitted(alice) > 0 && failed < 2 {
				failed++
				return store.ErrFull
			}
			return nil
		}
	})
	// An SMS that came meanwhile makes the line read the SIM between two parts
	// and claim anew.
	once := false
	r.net.Modems()[0].OnPoint(func(o sim.Occasion) {
		if o.Point == sim.PointAccepted && !once {
			once = true
			if err := r.net.Phone("+999555002").Send(r.net.Modems()[0].Number(), "hello"); err != nil {
				t.Error(err)
			}
			r.until("the line knows of the SMS", func() bool { return len(r.net.Modems()[0].Stored()) > 0 })
			time.Sleep(50 * time.Millisecond)
		}
	})
	m := r.post(gateway.NewMessage{To: alice, Text: strings.Repeat("long ", 100)})
	r.await(m.ID, store.Delivered)
	if failed == 0 {
		t.Fatal("no claim failed between the parts")
	}
}

func TestHeartBeatsWhileAResultCannotBeWritten(t *testing.T) {
	f := &faultyStore{}
	var tries atomic.Int32
	var free atomic.Bool
	var second atomic.Int64 // when the second try failed
	f.fail = func(step string) error {
		if step == "result" && !free.Load() {
			if tries.Add(1) == 2 {
				second.Store(time.Now().UnixNano())
			}
			return store.ErrFull
		}
		return nil
	}
	r := newRig(t, faulty(f), nil)
	m := r.post(gateway.NewMessage{To: alice, Text: "the only copy"})
	r.until("it was tried five times", func() bool { return tries.Load() >= 5 })
	if d := r.g.LineSilence("modem0"); d >= time.Since(time.Unix(0, second.Load())) {
		t.Errorf("the line has not shown its heart for %s: the watchdog would kill the only copy of the result", d)
	}
	free.Store(true)
	r.await(m.ID, store.Delivered)
	var l gateway.LineStatus
	r.until("the part is counted", func() (ok bool) {
		var err error
		l, err = r.g.Line(t.Context(), admin, "modem0")
		return err == nil && l.Sent > 0
	})
	if l.Sent != 1 {
		t.Fatalf("%d parts are counted as sent, want 1", l.Sent)
	}
}

func TestPauseIsNotUndoneByALineThatComesUp(t *testing.T) {
	f := &faultyStore{}
	r := newRig(t, faulty(f), nil)
	r.lineState("modem0", "up")
	paused := make(chan error, 1)
	f.set(func() {
		f.before = func(step string) {
			if step == "line-up" && len(paused) == 0 {
				_, err := r.g.PauseLine(context.Background(), admin, "modem0")
				paused <- err
			}
		}
	})
	r.net.Modems()[0].Restart()
	r.until("the line has come up again", func() bool { return len(paused) > 0 })
	if err := <-paused; err != nil {
		t.Fatal(err)
	}
	f.set(func() { f.before = nil })
	r.lineState("modem0", "paused")
	r.restart()
	r.lineState("modem0", "paused")
}

func TestExpiryDoesNotWaitForACheckpoint(t *testing.T) {
	f := &faultyStore{}
	entered := make(chan struct{}, 1)
	f.check = func(ctx context.Context) {
		select {
		case entered <- struct{}{}:
		default:
		}
		<-ctx.Done() // as a backup in the making keeps it
	}
	r := newRig(t, faulty(f), nil)
	if _, _, err := r.g.CreateOTP(t.Context(), app, gateway.NewOTP{To: "+999555002"}); err != nil {
		t.Fatal(err)
	}
	<-entered // the text of the code is to go
	if _, err := r.g.PauseLine(t.Context(), admin, "modem0"); err != nil {
		t.Fatal(err)
	}
	m := r.post(gateway.NewMessage{To: alice, Text: "late", TTL: time.Minute})
	r.pass(61 * time.Second)
	r.await(m.ID, store.Expired)
}

func TestResentByHandWhenItsLineIsGone(t *testing.T) {
	keep := 2
	r := newHastyRig(t, func(o *gateway.Options) { o.Lines = o.Lines[:keep] }, func(o *sim.Options) { o.Modems = 2 })
	modem := r.net.Modems()[1]
	modem.Inject(sim.Fault{Kind: sim.FaultNoReport})
	silence(modem)
	m := r.post(gateway.NewMessage{To: alice, Text: "held", Via: []string{"modem1"}})
	r.await(m.ID, store.Unknown)
	keep = 1
	r.restart()
	v, err := r.g.ResolveMessage(t.Context(), app, m.ID, "resend")
	if code(err) != gateway.NotCancelable {
		t.Fatalf("a message whose line is gone waits for ever: %+v %v", v.State, err)
	}
	if v, err = r.g.ResolveMessage(t.Context(), app, m.ID, "failed"); err != nil || v.State != store.Failed {
		t.Fatalf("%+v %v", v, err)
	}
}
