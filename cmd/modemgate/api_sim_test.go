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

// Whoever reads all outbound messages learns nothing of OTPs but that there
// are some: neither the number, nor by trying whether one got any.
func TestMessagesScopeLearnsNoNumberOfAnOTP(t *testing.T) {
	t.Parallel()
	s := newStation(t)
	to := number()
	maker, reader := s.someKey("otp"), s.someKey("messages")
	id := s.otp(maker, to).text("message_id")
	for key, want := range map[string]struct {
		full  bool
		found int
	}{maker: {true, 1}, reader: {false, 0}, s.admin: {true, 1}} {
		one := s.ask(key, "GET", "/v1/messages/"+id, "").want(t, 200, "")
		if got := one.text("to") == to; got != want.full || strings.Contains(one.raw, to[5:len(to)-2]) != want.full {
			t.Errorf("the number is shown: %v, want %v", got, want.full)
		}
		if got := s.ask(key, "GET", "/v1/messages?to="+to, "").want(t, 200, "").ids(); len(got) != want.found {
			t.Errorf("found %d by number, want %d", len(got), want.found)
		}
	}
	if b := s.ask(reader, "POST", "/v1/messages/"+id+"/cancel", "").want(t, 403, "scope-missing"); strings.Contains(b.raw, to[1:]) {
		t.Error("a refusal tells the number")
	}
}
