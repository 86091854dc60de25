package main

import (
	"strings"
	"testing"
)

// phone reads a simulated phone as a key sees it.
func (s *station) phone(key, number string) (texts []string) {
	s.t.Helper()
	for _, i := range s.ask(key, "GET", "/v1/sim/phones/"+number, "").want(s.t, 200, "").list("items") {
		texts = append(texts, i.text("text"))
	}
	return texts
}

// A simulated phone is read over the API by the keys of several programs: what
// one of them sent there, a code above all, is not for the others.
func TestPhoneShowsAKeyOnlyItsOwn(t *testing.T) {
	t.Parallel()
	s := newStation(t)
	to := number()
	victim, rival := s.someKey("otp,send"), s.someKey("otp,send,inbound,status")
	reader := s.someKey("messages")
	s.otp(victim, to)
	code := s.code(to, 1)
	for _, key := range []string{rival, reader} {
		if got := s.phone(key, to); len(got) != 0 {
			t.Errorf("another key reads %d texts before it sent anything", len(got))
		}
	}
	own := "a tab\tand a long text: " + strings.Repeat("äöü€ ", 60)
	s.reaches("/v1/messages/"+s.message(rival, to, own).text("id"), "delivered")
	if got := s.phone(rival, to); len(got) != 1 || got[0] != strings.ReplaceAll(own, "\t", " ") {
		t.Errorf("a key sees %d texts, want the one that it sent", len(got))
	}
	if got := s.phone(reader, to); len(got) != 1 || strings.Contains(got[0], code) {
		t.Errorf("messages sees %d texts, want the one that is no OTP", len(got))
	}
	if got := s.phone(victim, to); len(got) != 1 || !strings.HasPrefix(got[0], code) {
		t.Errorf("the maker of a code sees %d texts, want its own", len(got))
	}
	if got := s.phone(s.admin, to); len(got) != 2 {
		t.Errorf("admin sees %d texts, want both", len(got))
	}
}

// The wait is for a text that the key may see.
func TestPhoneWaitsForAnOwnText(t *testing.T) {
	t.Parallel()
	s := newStation(t)
	to := number()
	key := s.someKey("send")
	s.reaches("/v1/messages/"+s.message(s.admin, to, "of another").text("id"), "delivered")
	got := make(chan body, 1)
	go func() { got <- s.ask(key, "GET", "/v1/sim/phones/"+to+"?wait=50s", "") }()
	s.until("the request waits", func() bool { return strings.Contains(stacks(), "sim.(*Phone).Wait(") })
	s.message(key, to, "mine")
	if items := (<-got).want(t, 200, "").list("items"); len(items) != 1 || items[0].text("text") != "mine" {
		t.Errorf("%d texts", len(items))
	}
}
