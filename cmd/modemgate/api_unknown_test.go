package main

import (
	"fmt"
	"slices"
	"time"

	"github.com/modemgate/modemgate/driver/sim"
)

// cut lets the network take the next text of each modem and unplugs it for a
// moment before it can answer. No report tells what became of it.
func (s *station) cut() {
	for _, m := range s.sim.Modems() {
		m.Inject(sim.Fault{Kind: sim.FaultUnplug, Point: sim.PointAccepted, Delay: 20 * time.Millisecond})
		m.Inject(sim.Fault{Kind: sim.FaultNoReport, Times: -1})
	}
}

// lost posts a message whose outcome stays unknown.
func (s *station) lost(to string, more ...string) body {
	s.t.Helper()
	probe := s.message(s.admin, number(), "the line is there", `"via":"modem0"`)
	s.until("a text goes out", func() bool { return s.ask(s.admin, "GET", "/v1/messages/"+probe.text("id"), "").int("parts_sent") == 1 })
	s.cut()
	return s.message(s.admin, to, "hello", append(more, `"via":"modem0"`)...)
}

func unknownHeld(s *station) {
	for as, want := range map[string]string{"sent": "sent", "failed": "failed", "resend": "sent"} {
		to := number()
		id := s.lost(to).text("id")
		held := s.reaches("/v1/messages/"+id, "unknown")
		if !held.flag("final") || held.text("text") != "hello" {
			s.t.Errorf("held is %s", held.raw)
		}
		s.settle()
		s.ask(s.admin, "POST", "/v1/messages/"+id+"/resolve", `{"as":"maybe"}`).want(s.t, 400, "invalid-request")
		got := s.ask(s.admin, "POST", "/v1/messages/"+id+"/resolve", fmt.Sprintf(`{"as":%q}`, as)).want(s.t, 200, "")
		if as == "resend" {
			if got.text("state") == "unknown" || !got.flag("possible_duplicate") {
				s.t.Errorf("resend gives %s", got.raw)
			}
			s.until("the copy is delivered", func() bool { return s.ask(s.admin, "GET", "/v1/messages/"+id, "").text("state") == "delivered" })
			if n := len(s.sim.Phone(to).Received()); n != 2 {
				s.t.Errorf("the phone has %d texts", n)
			}
			continue
		}
		if got.text("state") != want || !got.flag("final") {
			s.t.Errorf("resolve as %s gives %s", as, got.raw)
		}
		s.ask(s.admin, "POST", "/v1/messages/"+id+"/resolve", `{"as":"sent"}`).want(s.t, 409, "not-cancelable")
	}
}

func unknownFails(s *station) {
	id := s.lost(number(), `"on_unknown":"fail"`).text("id")
	if m := s.reaches("/v1/messages/"+id, "failed"); m.text("error") != "outcome-unknown" {
		s.t.Errorf("%s", m.raw)
	}
}

// unknownCopies loses a message on one line and an OTP on the other.
func unknownCopies(s *station) {
	to, code := number(), number()
	id := s.lost(to, `"on_unknown":"resend"`).text("id")
	s.until("a line has it", func() bool { return s.ask(s.admin, "GET", "/v1/messages/"+id, "").text("state") != "queued" })
	s.ask(s.admin, "POST", "/v1/lines/modem0/pause", "").want(s.t, 200, "")
	o := s.otp(s.admin, code)
	s.until("both were taken", func() bool { return len(s.sim.Phone(to).Received())+len(s.sim.Phone(code).Received()) == 2 })
	s.ask(s.admin, "POST", "/v1/lines/modem0/resume", "").want(s.t, 200, "")

	s.until("one copy is sent", func() bool { return s.ask(s.admin, "GET", "/v1/messages/"+id, "").text("state") == "sent" })
	m := s.ask(s.admin, "GET", "/v1/messages/"+id, "")
	var states []string
	for _, h := range m.list("history") {
		states = append(states, h.text("state"))
	}
	if want := []string{"queued", "sending", "unknown", "queued", "sending", "sent"}; !slices.Equal(states, want) || !m.flag("possible_duplicate") {
		s.t.Errorf("%v, want %v; %s", states, want, m.raw)
	}
	if n := len(s.sim.Phone(to).Received()); n != 2 {
		s.t.Errorf("the phone has %d texts", n)
	}
	first, second := s.code(code, 1), s.code(code, 2)
	got := s.ask(s.admin, "GET", "/v1/otp/"+o.text("id"), "").want(s.t, 200, "")
	if first != second || got.int("sends_left") != o.int("sends_left") || got.text("state") != "pending" {
		s.t.Errorf("codes equal: %v, %s", first == second, got.raw)
	}
	s.verify(o.text("id"), first).verdict(s.t, true, "approved", 4)
}
