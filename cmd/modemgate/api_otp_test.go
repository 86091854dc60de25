package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/modemgate/modemgate/driver/sim"
)

// verify tries a code.
func (s *station) verify(id, code string) body {
	s.t.Helper()
	return s.ask(s.admin, "POST", "/v1/otp/"+id+"/verify", fmt.Sprintf(`{"code":%q}`, code))
}

// verdict fails the test unless a try is answered so.
func (b body) verdict(t *testing.T, valid bool, state string, left int) {
	t.Helper()
	b.want(t, 200, "")
	if b.flag("valid") != valid || b.text("state") != state || b.int("attempts_left") != left {
		t.Fatalf("got %s, want valid %v, %s, %d left", b.raw, valid, state, left)
	}
}

// ended fails the test unless a try is 410 for the reason.
func (b body) ended(t *testing.T, reason string) {
	t.Helper()
	if b.want(t, 410, "otp-ended"); b.text("reason") != reason {
		t.Fatalf("the reason is %s, want %s", b.text("reason"), reason)
	}
}

func otpMembers(s *station) {
	to := number()
	o := s.otp(s.admin, to, `"ttl":"90s"`, `"length":8`, `"purpose":"login"`, `"ref":"cart"`, `"metadata":{"a":1}`)
	for path, want := range map[string]any{
		"rev": 1.0, "final": false, "state": "pending", "to": to, "attempts_left": 5.0, "sends_left": 2.0, "delivery.state": "queued",
		"delivery.error": nil, "purpose": "login", "ref": "cart", "metadata.a": 1.0, "simulated": true, "reused": nil,
	} {
		if got := o.at(path); got != want {
			s.t.Errorf("%s is %v, want %v", path, got, want)
		}
	}
	made := o.moment(s, "created_at")
	if d := o.moment(s, "expires_at").Sub(made); d != 90*time.Second {
		s.t.Errorf("it expires after %s", d)
	}
	if d := o.moment(s, "resend_at").Sub(made); d != 30*time.Second {
		s.t.Errorf("a resend is due after %s", d)
	}
	if o.header.Get("Location") != "/v1/otp/"+o.text("id") || !strings.HasPrefix(o.text("message_id"), "msg_") {
		s.t.Errorf("%v %s", o.header, o.raw)
	}
	code := s.code(to, 1)
	s.until("the OTP is delivered", func() bool {
		o = s.ask(s.admin, "GET", "/v1/otp/"+o.text("id"), "")
		return o.text("delivery.state") == "delivered"
	})
	if len(code) != 8 || strings.Contains(o.raw, code) || o.text("state") != "pending" || o.text("delivery.at") == "" {
		s.t.Errorf("a code of %d; %s", len(code), o.raw)
	}
	s.verify(o.text("id"), code).verdict(s.t, true, "approved", 4)
	if got := s.ask(s.admin, "GET", "/v1/otp/"+o.text("id"), ""); got.text("state") != "approved" || !got.flag("final") || got.text("ended_at") == "" {
		s.t.Errorf("%s", got.raw)
	}
}

func otpMessageWithoutText(s *station) {
	s.pause()
	to := number()
	id := s.otp(s.admin, to).text("message_id")
	for range 2 {
		m := s.ask(s.admin, "GET", "/v1/messages/"+id, "").want(s.t, 200, "")
		if m.has("text") || m.text("priority") != "otp" || m.text("to") != to {
			s.t.Errorf("%s", m.raw)
		}
		if page := s.ask(s.admin, "GET", "/v1/messages?to="+to, ""); page.at("items.0.id") != id || page.at("items.0.text") != nil {
			s.t.Errorf("%s", page.raw)
		}
		s.resume()
		s.reaches("/v1/messages/"+id, "delivered")
	}
}

func otpReused(s *station) {
	key, to := s.someKey("otp"), number()
	o := s.otp(key, to, `"ref":"first"`)
	code := s.code(to, 1)
	again := s.ask(key, "POST", "/v1/otp", fmt.Sprintf(`{"to":%q,"ref":"second","ttl":"60s","length":9}`, to)).want(s.t, 200, "")
	if again.text("id") != o.text("id") || !again.flag("reused") || again.text("ref") != "first" || again.text("expires_at") != o.text("expires_at") ||
		again.int("sends_left") != 2 || again.text("message_id") != o.text("message_id") {
		s.t.Errorf("%s, then %s", o.raw, again.raw)
	}
	s.verify(o.text("id"), code).verdict(s.t, true, "approved", 4)
	s.reaches("/v1/messages/"+o.text("message_id"), "delivered")
	if n := len(s.sim.Phone(to).Received()); n != 1 {
		s.t.Errorf("the phone has %d texts", n)
	}
	if fresh := s.otp(key, to); fresh.text("id") == o.text("id") {
		s.t.Error("an approved OTP is reused")
	}
}

func otpPerPurpose(s *station) {
	s.pause()
	a, b, to := s.someKey("otp"), s.someKey("otp"), number()
	ids := map[string]bool{}
	ids[s.otp(a, to).text("id")] = true
	ids[s.otp(a, to, `"purpose":"pay"`).text("id")] = true
	ids[s.otp(b, to).text("id")] = true
	if len(ids) != 3 {
		s.t.Errorf("%d OTPs, want 3", len(ids))
	}
	s.ask(a, "POST", "/v1/otp", fmt.Sprintf(`{"to":%q,"purpose":"pay"}`, to)).want(s.t, 200, "")
}

func otpApproved(s *station) {
	to := number()
	id := s.otp(s.admin, to).text("id")
	code := s.code(to, 1)
	s.ask(s.admin, "POST", "/v1/otp/"+id+"/verify", `{"code":123456}`).want(s.t, 400, "invalid-request")
	s.verify(id, "12a456").want(s.t, 400, "invalid-request")
	s.verify(id, code[:3]+" "+code[3:4]+"-"+code[4:]).verdict(s.t, true, "approved", 4)
	s.verify(id, code).ended(s.t, "approved")
	s.ask(s.admin, "POST", "/v1/otp/"+id+"/resend", "").ended(s.t, "approved")
	s.ask(s.admin, "POST", "/v1/otp/"+id+"/cancel", "").ended(s.t, "approved")
}

func otpBlocked(s *station) {
	to := number()
	id := s.otp(s.admin, to).text("id")
	code := s.code(to, 1)
	for left := 4; left > 0; left-- {
		s.verify(id, other(code)).verdict(s.t, false, "pending", left)
	}
	s.verify(id, other(code)).verdict(s.t, false, "blocked", 0)
	s.verify(id, code).ended(s.t, "blocked")
}

func otpLastTryRight(s *station) {
	to := number()
	id := s.otp(s.admin, to).text("id")
	code := s.code(to, 1)
	for left := 4; left > 0; left-- {
		s.verify(id, other(code)).verdict(s.t, false, "pending", left)
	}
	s.verify(id, code).verdict(s.t, true, "approved", 0)
}

func otpByNumber(s *station) {
	key, to := s.someKey("otp"), number()
	try := func(key, code, purpose string) body {
		return s.ask(key, "POST", "/v1/otp/verify", fmt.Sprintf(`{"to":%q,"code":%q,"purpose":%q}`, to, code, purpose)).want(s.t, 200, "")
	}
	nothing := try(key, "123456", "")
	if nothing.flag("valid") || nothing.at("state") != nil || nothing.int("attempts_left") != 0 {
		s.t.Errorf("nothing pending gives %s", nothing.raw)
	}
	s.otp(key, to, `"purpose":"pay"`)
	code := s.code(to, 1)
	for name, got := range map[string]body{"another purpose": try(key, code, ""), "another key": try(s.admin, code, "pay")} {
		if got.raw != nothing.raw {
			s.t.Errorf("%s gives %s", name, got.raw)
		}
	}
	try(key, other(code), "pay").verdict(s.t, false, "pending", 4)
	try(key, code, "pay").verdict(s.t, true, "approved", 3)
	if again := try(key, code, "pay"); again.raw != nothing.raw {
		s.t.Errorf("after the end: %s", again.raw)
	}
}

func otpResendTooEarly(s *station) {
	o := s.otp(s.admin, number())
	b := s.ask(s.admin, "POST", "/v1/otp/"+o.text("id")+"/resend", "").want(s.t, 429, "limit-exceeded")
	if b.text("limit") != "resend_after" || b.text("retry_at") != o.text("resend_at") || b.header.Get("Retry-After") == "" {
		s.t.Errorf("%v %s", b.header, b.raw)
	}
}

func otpCanceled(s *station) {
	s.pause()
	to := number()
	o := s.otp(s.admin, to)
	for range 2 {
		if got := s.ask(s.admin, "POST", "/v1/otp/"+o.text("id")+"/cancel", "").want(s.t, 200, ""); got.text("state") != "canceled" {
			s.t.Errorf("%s", got.raw)
		}
	}
	s.verify(o.text("id"), "123456").ended(s.t, "canceled")
	if m := s.ask(s.admin, "GET", "/v1/messages/"+o.text("message_id"), ""); m.text("state") != "canceled" {
		s.t.Errorf("its message is %s", m.text("state"))
	}
}

func otpFailed(s *station) {
	for _, m := range s.sim.Modems() {
		m.Inject(sim.Fault{Kind: sim.FaultCMS, Code: 1})
	}
	id := s.otp(s.admin, number()).text("id")
	o := s.reaches("/v1/otp/"+id, "failed")
	if o.text("delivery.state") != "failed" || o.text("delivery.error") != "cms-1" {
		s.t.Errorf("%s", o.raw)
	}
	s.verify(id, "123456").ended(s.t, "failed")
}

func otpNarrows(s *station) {
	s.pause()
	for _, more := range []string{`"length":10`, `"ttl":"30s"`, `"ttl":"5m"`} {
		s.otp(s.admin, number(), more)
	}
	for pointer, bad := range map[string][]string{
		"/length":  {`"length":5`, `"length":11`, `"length":0`, `"length":-6`},
		"/ttl":     {`"ttl":"29s"`, `"ttl":"301s"`},
		"/purpose": {`"purpose":"` + strings.Repeat("x", 65) + `"`},
	} {
		for _, more := range bad {
			b := s.ask(s.admin, "POST", "/v1/otp", fmt.Sprintf(`{"to":%q,%s}`, number(), more)).want(s.t, 400, "invalid-request")
			if b.text("errors.0.pointer") != pointer {
				s.t.Errorf("%s: %s", more, b.raw)
			}
		}
	}
}

func otpNumberLocked(s *station) {
	to := number()
	key := s.someKey("otp")
	var id string
	for range 2 {
		id = s.otp(key, to).text("id")
		for range 5 {
			s.ask(key, "POST", "/v1/otp/"+id+"/verify", `{"code":"0000000000"}`).want(s.t, 200, "")
		}
	}
	for path, content := range map[string]string{
		"/v1/otp":                      fmt.Sprintf(`{"to":%q,"length":99}`, to),
		"/v1/otp/verify":               fmt.Sprintf(`{"to":%q,"code":"not a code"}`, to),
		"/v1/otp/" + id + "/verify":    `{"code":"123456"}`,
		"/v1/otp/" + id + "/verify?x=": `{"code":"not a code"}`,
	} {
		b := s.ask(key, "POST", path, content).want(s.t, 429, "number-locked")
		if b.text("limit") == "" || b.text("retry_at") == "" || b.header.Get("Retry-After") == "" {
			s.t.Errorf("%s: %v %s", path, b.header, b.raw)
		}
	}
	s.ask(key, "POST", "/v1/numbers/"+to+"/unlock", "").want(s.t, 403, "scope-missing")
	s.ask(s.admin, "POST", "/v1/numbers/"+to+"/unlock", "").want(s.t, 204, "")
	s.ask(key, "POST", "/v1/otp/"+id+"/verify", `{"code":"123456"}`).ended(s.t, "blocked")
	s.otp(key, to)
}

func otpPerNumber(s *station) {
	s.pause()
	to := number()
	for i := range 5 {
		s.otp(s.someKey("otp"), to, fmt.Sprintf(`"purpose":"p%d"`, i))
	}
	b := s.ask(s.someKey("otp"), "POST", "/v1/otp", fmt.Sprintf(`{"to":%q}`, to)).want(s.t, 429, "limit-exceeded")
	if b.text("limit") != "per_number.hour" || b.header.Get("Retry-After") == "" {
		s.t.Errorf("%v %s", b.header, b.raw)
	}
}

func otpReusedResends(s *station) {
	to := number()
	o := s.otp(s.admin, to)
	first := s.code(to, 1)
	again := s.ask(s.admin, "POST", "/v1/otp", fmt.Sprintf(`{"to":%q}`, to)).want(s.t, 200, "")
	if again.text("id") != o.text("id") || !again.flag("reused") || again.int("sends_left") != 1 || again.text("message_id") == o.text("message_id") {
		s.t.Errorf("%s", again.raw)
	}
	second := s.code(to, 2)
	if first != second {
		s.verify(o.text("id"), first).verdict(s.t, false, "pending", 4)
	}
	if v := s.verify(o.text("id"), second).want(s.t, 200, ""); !v.flag("valid") {
		s.t.Errorf("%s", v.raw)
	}
}

func otpResend(s *station) {
	to := number()
	o := s.otp(s.admin, to)
	first := s.code(to, 1)
	s.verify(o.text("id"), other(first)).verdict(s.t, false, "pending", 4)
	r := s.ask(s.admin, "POST", "/v1/otp/"+o.text("id")+"/resend", "").want(s.t, 202, "")
	if r.text("id") != o.text("id") || r.int("attempts_left") != 4 || r.int("sends_left") != 1 || !r.moment(s, "expires_at").After(o.moment(s, "expires_at")) {
		s.t.Errorf("%s, then %s", o.raw, r.raw)
	}
	second, left := s.code(to, 2), 4
	if first != second {
		left--
		s.verify(o.text("id"), first).verdict(s.t, false, "pending", left)
	}
	s.verify(o.text("id"), second).verdict(s.t, true, "approved", left-1)
}

func otpResendCancels(s *station) {
	s.pause()
	to := number()
	o := s.otp(s.admin, to)
	s.ask(s.admin, "POST", "/v1/otp/"+o.text("id")+"/resend", "").want(s.t, 202, "")
	if m := s.ask(s.admin, "GET", "/v1/messages/"+o.text("message_id"), ""); m.text("state") != "canceled" {
		s.t.Errorf("the old message is %s", m.text("state"))
	}
	s.resume()
	code := s.code(to, 1)
	s.verify(o.text("id"), code).verdict(s.t, true, "approved", 4)
	if n := len(s.sim.Phone(to).Received()); n != 1 {
		s.t.Errorf("the phone has %d texts", n)
	}
}

func otpSendsUsed(s *station) {
	s.pause()
	o := s.otp(s.admin, number())
	for left := 1; left >= 0; left-- {
		if r := s.ask(s.admin, "POST", "/v1/otp/"+o.text("id")+"/resend", "").want(s.t, 202, ""); r.int("sends_left") != left {
			s.t.Errorf("%s", r.raw)
		}
	}
	b := s.ask(s.admin, "POST", "/v1/otp/"+o.text("id")+"/resend", "").want(s.t, 429, "limit-exceeded")
	if b.text("limit") != "max_sends" || b.header.Get("Retry-After") == "" {
		s.t.Errorf("%v %s", b.header, b.raw)
	}
	again := s.ask(s.admin, "POST", "/v1/otp", fmt.Sprintf(`{"to":%q}`, o.text("to"))).want(s.t, 200, "")
	if again.text("id") != o.text("id") || !again.flag("reused") || again.int("sends_left") != 0 {
		s.t.Errorf("%s", again.raw)
	}
}
