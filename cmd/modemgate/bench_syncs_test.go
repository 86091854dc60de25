package main

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/modemgate/modemgate/driver/sim"
	"github.com/modemgate/modemgate/gateway"
)

// syncLog counts what the program syncs, at its own points: each commit of the
// store is one sync of its log, each event one sync of its stream.
type syncLog struct {
	mu      sync.Mutex
	steps   map[string]int // commits by step, the marks of events left out
	total   int
	marks   int
	events  int
	deleted int // SMS taken from a SIM
}

func (l *syncLog) note(point string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	step, after := strings.CutSuffix(point, ":after")
	switch {
	case point == "inbox:deleted":
		l.deleted++
	case !after:
	case strings.HasPrefix(step, "publish:"):
		l.events++
	case step == "commit:mark-events":
		l.marks++
	case strings.HasPrefix(step, "commit:"):
		l.steps[step]++
		l.total++
	}
}

// commits is the number of commits so far, without marks.
func (l *syncLog) commits() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.total
}

func (l *syncLog) read(n *int) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return *n
}

// BenchmarkSyncs counts the synced writes of each journey. Journeys run one at
// a time, so that none shares a commit with another.
func BenchmarkSyncs(b *testing.B) {
	l := &syncLog{steps: map[string]int{}}
	before := hook
	hook = l.note
	defer func() { hook = before }()
	a := newBenchApp(b, b.TempDir(), 1, nil)
	defer a.end()
	for b.Loop() {
		a.messageSyncs(b, l)
		a.otpSyncs(b, l)
		a.inboundSyncs(b, l)
		a.eventSyncs(b, l)
	}
}

const syncRounds = 20

// perRound reports the mean number of syncs of a journey.
func perRound(b *testing.B, syncs int, unit, want string) {
	goal(b, float64(syncs)/syncRounds, "syncs/"+unit, want)
}

func (t *benchApp) messageSyncs(b *testing.B, l *syncLog) {
	body := make(chan int, 1)
	t.sim.Modems()[0].OnPoint(func(o sim.Occasion) {
		if o.Point == sim.PointBody {
			body <- l.commits()
		}
	})
	defer t.sim.Modems()[0].OnPoint(nil)
	out, done := 0, 0
	for range syncRounds {
		began := l.commits()
		id := t.post()
		ctrlZ := <-body
		t.settled(id)
		out += ctrlZ - began
		done += l.commits() - ctrlZ
	}
	perRound(b, out, "message-to-Ctrl-Z", "2")
	perRound(b, done, "CMGS-to-done", "1")
}

// otpSyncs pauses the line, so that the sending of the codes is not counted.
func (t *benchApp) otpSyncs(b *testing.B, l *syncLog) {
	r, name := gateway.Request{Caller: gateway.LocalCaller()}, t.sim.Modems()[0].Name()
	if _, err := t.gw.PauseLine(b.Context(), r, name); err != nil {
		b.Fatal(err)
	}
	create, verify := 0, 0
	for i := range syncRounds {
		began := l.commits()
		var o struct {
			ID string `json:"id"`
		}
		if s := t.call("POST", "/v1/otp", map[string]any{"to": fmt.Sprintf("+99956%07d", i+int(time.Now().UnixNano()%1e6))}, &o); s != http.StatusCreated {
			b.Fatal(s)
		}
		created := l.commits()
		t.call("POST", "/v1/otp/"+o.ID+"/verify", map[string]any{"code": "0000000000"}, nil)
		create += created - began
		verify += l.commits() - created
		t.call("POST", "/v1/otp/"+o.ID+"/cancel", nil, nil)
	}
	perRound(b, create, "OTP-create", "1")
	perRound(b, verify, "OTP-verify", "1")
	if _, err := t.gw.ResumeLine(b.Context(), r, name); err != nil {
		b.Fatal(err)
	}
}

func (t *benchApp) inboundSyncs(b *testing.B, l *syncLog) {
	m, syncs := t.sim.Modems()[0], 0
	for i := range syncRounds {
		began, deleted := l.commits(), l.read(&l.deleted)
		if err := t.sim.Phone("+999555001").Send(m.Number(), fmt.Sprint("sync ", i)); err != nil {
			b.Fatal(err)
		}
		for l.read(&l.deleted) == deleted {
			time.Sleep(100 * time.Microsecond)
		}
		syncs += l.commits() - began
	}
	perRound(b, syncs, "inbound-to-deletion", "1")
}

// eventSyncs counts the events of a burst of OTPs, with their marks.
func (t *benchApp) eventSyncs(b *testing.B, l *syncLog) {
	events, marks := l.read(&l.events), l.read(&l.marks)
	t.otpRate(times(200))
	t.published()
	events, marks = l.read(&l.events)-events, l.read(&l.marks)-marks
	goal(b, 1+float64(marks)/float64(events), "syncs/event-with-mark", "1+")
}
