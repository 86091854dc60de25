package main

import (
	"fmt"
	"sync"
	"testing"

	"github.com/modemgate/modemgate/configs"
)

// repeatables are the requests that may carry an Idempotency-Key.
type repeatable struct {
	name   string
	path   func(s *station, key string) string
	body   string // with %s for a number
	other  string
	bad    string // a body that is refused with 4xx
	status int
	texts  func(s *station, to string) int // what has gone out
}

func phoneTexts(s *station, to string) int { return len(s.sim.Phone(to).Received()) }

var repeatables = []repeatable{
	{
		name: "messages", path: func(*station, string) string { return "/v1/messages" }, status: 202,
		body: `{"to":%q,"text":"hello"}`, other: `{"to":%q,"text":"other"}`, bad: `{"to":%q,"text":"hello","via":"nowhere"}`, texts: phoneTexts,
	},
	{
		name: "otp", path: func(*station, string) string { return "/v1/otp" }, status: 201,
		body: `{"to":%q}`, other: `{"to":%q,"ref":"other"}`, bad: `{"to":%q,"ttl":"1s"}`, texts: phoneTexts,
	},
	{
		name: "sim send", path: func(*station, string) string { return "/v1/sim/phones/%s/send" }, status: 202,
		body: `{"text":"hello","line":"modem0"}`, other: `{"text":"other","line":"modem0"}`, bad: `{"text":"hello","line":"nowhere"}`,
		texts: func(s *station, to string) int {
			return len(s.ask(s.admin, "GET", "/v1/inbound?from="+to, "").list("items"))
		},
	},
}

// filled puts the number in.
func filled(form, to string) string {
	for i := range len(form) - 1 {
		if form[i] == '%' {
			return fmt.Sprintf(form, to)
		}
	}
	return form
}

func TestIdempotency(t *testing.T) {
	t.Parallel()
	s := newStation(t, func(c *configs.Config) { c.OTP.ResendAfter = 1 })
	for _, r := range repeatables {
		t.Run(r.name, func(t *testing.T) { r.try(s.in(t)) })
	}
	t.Run("otp resend", func(t *testing.T) { repeatedResend(s.in(t)) })
	t.Run("malformed", func(t *testing.T) {
		s := s.in(t)
		body := fmt.Sprintf(`{"to":%q,"text":"x"}`, number())
		for _, key := range []string{"", `""`, "two words", "späß", fmt.Sprintf("%0256d", 0)} {
			s.ask(s.admin, "POST", "/v1/messages", body, "Idempotency-Key", key).want(t, 400, "invalid-request")
		}
		s.ask(s.admin, "POST", "/v1/messages", body, "Idempotency-Key", "a", "Idempotency-Key", "b").want(t, 400, "invalid-request")
	})
}

func (r repeatable) try(s *station) {
	t, to, key := s.t, number(), s.someKey("otp,send")
	path := filled(r.path(s, key), to)
	post := func(key, form, idempotency string) body {
		return s.ask(key, "POST", path, filled(form, to), "Idempotency-Key", idempotency)
	}
	if b := post(key, r.bad, "k-1"); b.status < 400 || b.status >= 500 {
		t.Fatalf("the bad body gives %d", b.status)
	}
	first := post(key, r.body, "k-1").want(t, r.status, "") // what was refused is not kept
	if first.header.Get("Idempotency-Replayed") != "" {
		t.Error("the first says that it is a repeat")
	}
	s.until("it is out", func() bool { return r.texts(s, to) == 1 })
	replay := func(idempotency string) {
		t.Helper()
		again := post(key, r.body, idempotency).want(t, r.status, "")
		if again.text("id") != first.text("id") || again.header.Get("Idempotency-Replayed") != "true" ||
			again.header.Get("Location") != first.header.Get("Location") || again.int("rev") < first.int("rev") {
			t.Errorf("the repeat is %v %s", again.header, again.raw)
		}
	}
	replay("k-1")
	replay(`"k-1"`)
	post(key, r.other, "k-1").want(t, 422, "idempotency-key-reused")
	s.restart()
	replay("k-1")
	post(key, r.other, "k-1").want(t, 422, "idempotency-key-reused")
	if n := r.texts(s, to); n > 1 {
		t.Errorf("%d texts went out", n)
	}
	// Another API key is another space.
	if b := post(s.admin, r.body, "k-1").want(t, r.status, ""); b.header.Get("Idempotency-Replayed") != "" {
		t.Error("it is replayed to another key")
	}
}

func repeatedResend(s *station) {
	t, to := s.t, number()
	o := s.otp(s.admin, to)
	s.code(to, 1)
	path := "/v1/otp/" + o.text("id") + "/resend"
	first := s.ask(s.admin, "POST", path, "", "Idempotency-Key", "r").want(t, 202, "")
	code := s.code(to, 2)
	for range 2 {
		again := s.ask(s.admin, "POST", path, "", "Idempotency-Key", "r").want(t, 202, "")
		if again.text("id") != o.text("id") || again.int("sends_left") != 1 || again.header.Get("Idempotency-Replayed") != "true" ||
			again.text("message_id") != first.text("message_id") {
			t.Errorf("%v %s", again.header, again.raw)
		}
		s.restart()
	}
	s.ask(s.admin, "POST", path, "{}", "Idempotency-Key", "r").want(t, 422, "idempotency-key-reused")
	s.verify(o.text("id"), code).verdict(t, true, "approved", 4)
	if b := s.ask(s.admin, "POST", path, "", "Idempotency-Key", "r").want(t, 202, ""); b.text("state") != "approved" {
		t.Errorf("the repeat after the end is %s", b.raw)
	}
	if n := len(s.sim.Phone(to).Received()); n > 2 {
		t.Errorf("%d texts went out", n)
	}
	// The same key on another path is another request.
	s.ask(s.admin, "POST", "/v1/otp/"+o.text("id")+"/resend?", "", "Idempotency-Key", "r2").want(t, 410, "otp-ended")
}

// What was made may be deleted before the repeat: nothing is sent anew.
func TestRepeatOfWhatWasDeleted(t *testing.T) {
	t.Parallel()
	s := newStation(t)
	to := number()
	post := func() body {
		return s.ask(s.admin, "POST", "/v1/messages", fmt.Sprintf(`{"to":%q,"text":"x"}`, to), "Idempotency-Key", "gone")
	}
	id := post().want(t, 202, "").text("id")
	s.reaches("/v1/messages/"+id, "delivered")
	s.ask(s.admin, "DELETE", "/v1/messages/"+id, "").want(t, 204, "")
	post().want(t, 404, "not-found")
	o := func() body {
		return s.ask(s.admin, "POST", "/v1/otp", fmt.Sprintf(`{"to":%q}`, to), "Idempotency-Key", "gone")
	}
	o().want(t, 201, "")
	s.code(to, 1)
	s.local("POST", "/v1/admin/erase", fmt.Sprintf(`{"number":%q}`, to)).want(t, 200, "")
	o().want(t, 404, "not-found")
	if n := len(s.sim.Phone(to).Received()); n != 2 {
		t.Errorf("the phone has %d texts", n)
	}
}

// A repeat while the first is being answered is 409; the commit of the first
// is held at its hook.
func TestRepeatWhileRunning(t *testing.T) {
	reached, release := make(chan struct{}), make(chan struct{})
	var once sync.Once
	hook = func(point string) {
		if point == "commit:accept-message:before" {
			once.Do(func() {
				close(reached)
				<-release
			})
		}
	}
	defer func() { hook = nil }()
	s := newStation(t)
	defer s.stop() // before the hook goes
	body := fmt.Sprintf(`{"to":%q,"text":"x"}`, number())
	var id string
	var wg sync.WaitGroup
	wg.Go(func() {
		id = s.ask(s.admin, "POST", "/v1/messages", body, "Idempotency-Key", "k").want(t, 202, "").text("id")
	})
	<-reached
	s.ask(s.admin, "POST", "/v1/messages", body, "Idempotency-Key", "k").want(t, 409, "idempotency-in-progress")
	close(release)
	wg.Wait()
	if again := s.ask(s.admin, "POST", "/v1/messages", body, "Idempotency-Key", "k").want(t, 202, ""); again.text("id") != id {
		t.Errorf("%s, then %s", id, again.text("id"))
	}
}
