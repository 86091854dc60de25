package gateway_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/modemgate/modemgate/driver"
	"github.com/modemgate/modemgate/driver/sim"
	"github.com/modemgate/modemgate/gateway"
	"github.com/modemgate/modemgate/gateway/store"
)

const deadline = time.Minute // of what must happen; a failure, never a measure

// rig is a gateway with its real store over real drivers on the ptys of a
// simulated network, which outlives restarts of the gateway.
type rig struct {
	t    *testing.T
	net  *sim.Network
	dir  string
	tune func(*gateway.Options)
	wall atomic.Int64 // added to the clock, ns

	patience driver.Options // its time-outs

	g    *gateway.Gateway
	st   store.Store
	stop func()
}

// newRig makes a rig and starts it. tune and simTune may be nil.
func newRig(t *testing.T, tune func(*gateway.Options), simTune func(*sim.Options)) *rig {
	t.Helper()
	t.Parallel()
	return newRigHere(t, tune, simTune)
}

// newHastyRig is newRig for a test of a modem that gives no answer: its driver
// soon gives up waiting.
func newHastyRig(t *testing.T, tune func(*gateway.Options), simTune func(*sim.Options)) *rig {
	t.Helper()
	t.Parallel()
	return rigFor(t, tune, simTune, hasty)
}

// patience is time-outs that no stall of the machine reaches, hasty those that
// a test can wait for.
var (
	patience = driver.Options{CommandTimeout: 30 * time.Second, PromptTimeout: 30 * time.Second, SubmitTimeout: 30 * time.Second}
	hasty    = driver.Options{CommandTimeout: 3 * time.Second, PromptTimeout: 3 * time.Second, SubmitTimeout: 1500 * time.Millisecond}
)

// newRigHere is newRig for a test that makes several, or is not parallel.
func newRigHere(t *testing.T, tune func(*gateway.Options), simTune func(*sim.Options)) *rig {
	t.Helper()
	return rigFor(t, tune, simTune, patience)
}

func rigFor(t *testing.T, tune func(*gateway.Options), simTune func(*sim.Options), patience driver.Options) *rig {
	t.Helper()
	o := sim.Options{Modems: 1, RetryInterval: 50 * time.Millisecond}
	if simTune != nil {
		simTune(&o)
	}
	n, err := sim.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Close() })
	r := &rig{t: t, net: n, dir: t.TempDir(), tune: tune, patience: patience}
	r.start()
	t.Cleanup(func() { r.halt() })
	return r
}

// start opens the store and runs a gateway on it.
func (r *rig) start() {
	r.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	secrets, err := gateway.LoadSecrets(r.dir, store.FileName)
	if err != nil {
		r.t.Fatal(err)
	}
	var late atomic.Pointer[gateway.Gateway]
	st, err := store.OpenSQLite(ctx, store.Options{Dir: r.dir, SealKey: secrets.Seal, Notify: func(ids []string) {
		if g := late.Load(); g != nil {
			g.Notify(ids)
		}
	}})
	if err != nil {
		r.t.Fatal(err)
	}
	o := r.options()
	o.Store, o.Secrets = st, secrets
	if r.tune != nil {
		r.tune(&o)
	}
	g, err := gateway.New(ctx, o)
	if err != nil {
		st.Close()
		r.t.Fatal(err)
	}
	late.Store(g)
	done := make(chan error, 1)
	go func() { done <- g.Run(ctx) }()
	r.g, r.st = g, st
	r.stop = func() {
		cancel()
		if err := <-done; err != nil {
			r.t.Errorf("run: %v", err)
		}
		if err := st.Close(); err != nil {
			r.t.Errorf("close store: %v", err)
		}
	}
}

func (r *rig) options() gateway.Options {
	log := slog.New(slog.DiscardHandler)
	if os.Getenv("MODEMGATE_TEST_LOG") != "" {
		log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	o := gateway.Options{
		Version: "test", Site: "test", KeyMinute: 1e6, KeyDay: 1e6, MaxQueued: 10000, TTL: time.Hour, Keep: 24 * time.Hour,
		KeepText: time.Hour, MaxParts: 10, OnUnknown: "hold", Report: true, InboundKeep: time.Hour, Reassembly: time.Minute,
		Phones: nil, Log: log, Now: func() time.Time { return time.Now().Add(time.Duration(r.wall.Load())) },
		ShutdownWait: 2 * time.Second, Poll: 500 * time.Millisecond, Offline: 200 * time.Millisecond, Sweep: 100 * time.Millisecond,
		OTP: gateway.OTPOptions{
			Length: 6, TTL: 5 * time.Minute, MaxAttempts: 5, MaxSends: 3, ResendAfter: 30 * time.Second, OnUnknown: "resend",
			PerHour: 1000, PerDay: 1000, Brand: "Test", Template: "{{code}} is your {{brand}} code, valid {{ttl_minutes}} min.",
		},
	}
	for _, m := range r.net.Modems() {
		trace := new(driver.Trace)
		o.Lines = append(o.Lines, gateway.LineOptions{
			Name: m.Name(), Port: m.Path(), Number: m.Number(), PerMinute: 1e6, PerDay: 1e6, Simulated: true, Trace: trace,
			Open: func(ctx context.Context) (gateway.Modem, error) {
				do := r.patience
				do.Port, do.Log, do.Trace = m.Path(), log, trace
				d, err := driver.Open(ctx, do)
				if err != nil {
					return nil, err
				}
				return d, nil
			},
		})
	}
	return o
}

// halt stops the gateway; restart starts it again on the same data.
func (r *rig) halt() {
	if r.stop != nil {
		r.stop()
		r.stop = nil
	}
}

func (r *rig) restart() {
	r.t.Helper()
	r.halt()
	r.start()
}

// pass lets time go by.
func (r *rig) pass(d time.Duration) { r.wall.Add(int64(d)) }

// lasting is for messages that wait while much time passes.
func lasting(o *gateway.Options) { o.TTL = 10_000 * time.Hour }

// later lets minutes pass until a message is at its end. It does so again and
// again: what a line waits for may begin only after some have passed.
func (r *rig) later(id string) (m gateway.MessageView) {
	r.t.Helper()
	for end := time.Now().Add(deadline); !m.Final && time.Now().Before(end); {
		r.pass(time.Minute)
		r.g.Notify([]string{"queue"})
		var err error
		if m, err = r.g.Message(r.t.Context(), admin, id, gateway.Wait{For: 20 * time.Millisecond, After: m.Rev}); err != nil {
			r.t.Fatal(err)
		}
	}
	return m
}

func (r *rig) now() time.Time { return time.Now().Add(time.Duration(r.wall.Load())) }

// req is a request of a key with scopes.
func req(key string, scopes ...string) gateway.Request {
	return gateway.Request{Caller: gateway.Caller{Key: key, Scopes: scopes}}
}

var (
	app   = req("app", gateway.ScopeSend, gateway.ScopeOTP, gateway.ScopeInbound, gateway.ScopeStatus)
	admin = req("root", gateway.ScopeAdmin)
)

// post accepts a message or fails the test.
func (r *rig) post(in gateway.NewMessage) gateway.MessageView {
	r.t.Helper()
	v, _, err := r.g.CreateMessage(r.t.Context(), app, in)
	if err != nil {
		r.t.Fatal(err)
	}
	return v
}

// await waits until the message is in one of the states.
func (r *rig) await(id string, want ...gateway.State) gateway.MessageView {
	r.t.Helper()
	end := time.Now().Add(deadline)
	var v gateway.MessageView
	for rev := int64(0); time.Now().Before(end); rev = v.Rev {
		var err error
		if v, err = r.g.Message(r.t.Context(), admin, id, gateway.Wait{For: time.Second, After: rev}); err != nil {
			r.t.Fatal(err)
		}
		for _, s := range want {
			if v.State == s {
				return v
			}
		}
		if v.Final {
			break
		}
	}
	r.t.Fatalf("message is %s (%s), want %v; history %+v", v.State, v.Error, want, v.History)
	return v
}

// texts waits until a phone has n texts.
func (r *rig) texts(number string, n int) []sim.Text {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), deadline)
	defer cancel()
	got, err := r.net.Phone(number).Wait(ctx, n)
	if err != nil {
		r.t.Fatalf("phone has %d texts, want %d: %v", len(got), n, err)
	}
	return got
}

// inbound waits until n SMS are stored, oldest first.
func (r *rig) inbound(n int) []gateway.Inbound {
	r.t.Helper()
	var got []gateway.Inbound
	r.until("enough SMS are stored", func() bool {
		page, err := r.g.ListInbound(r.t.Context(), admin, gateway.InboundFilter{Limit: 200, Ascending: true})
		if err != nil {
			r.t.Fatal(err)
		}
		got = page.Items
		return len(got) >= n
	})
	if len(got) > n {
		r.t.Fatalf("%d SMS are stored, want %d: %+v", len(got), n, got)
	}
	return got
}

// until waits for a condition.
func (r *rig) until(what string, ok func() bool) {
	r.t.Helper()
	end := time.Now().Add(deadline)
	for !ok() {
		if time.Now().After(end) {
			r.t.Fatalf("waited in vain until %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// submitted counts what the network took from modems for a number.
func (r *rig) submitted(to string) int {
	n := 0
	for _, e := range r.net.Journal() {
		if e.Kind == sim.JournalSubmitted && e.To == to && e.Modem != "" {
			n++
		}
	}
	return n
}

// lineState waits until a line is in a state.
func (r *rig) lineState(name, want string) {
	r.t.Helper()
	r.until("line "+name+" is "+want, func() bool {
		l, err := r.g.Line(r.t.Context(), admin, name)
		return err == nil && l.State == want
	})
}

// code of the API error, or "".
func code(err error) gateway.Code {
	var e *gateway.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}
