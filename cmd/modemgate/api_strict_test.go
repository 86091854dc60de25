package main

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// bodies are the routes that take members, with a body each takes.
func bodies(s *station) map[string]string {
	o := s.otp(s.admin, number()).text("id")
	return map[string]string{
		"/v1/messages":                      fmt.Sprintf(`{"to":%q,"text":"hello"}`, number()),
		"/v1/messages/msg_x/resolve":        `{"as":"sent"}`,
		"/v1/otp":                           fmt.Sprintf(`{"to":%q}`, number()),
		"/v1/otp/verify":                    fmt.Sprintf(`{"to":%q,"code":"123456"}`, number()),
		"/v1/otp/" + o + "/verify":          `{"code":"123456"}`,
		"/v1/sim/phones/+447700900123/send": `{"text":"hello","line":"modem0"}`,
	}
}

func unknownMembers(s *station) {
	s.pause()
	for path, good := range bodies(s) {
		b := s.ask(s.admin, "POST", path, good[:len(good)-1]+`,"colour":"red"}`).want(s.t, 400, "invalid-request")
		if b.text("errors.0.pointer") != "/colour" {
			s.t.Errorf("%s: %s", path, b.raw)
		}
		if b := s.ask(s.admin, "POST", path, good); b.status == 400 {
			s.t.Errorf("%s is refused without it: %s", path, b.raw)
		}
	}
	for _, path := range []string{"/v1/messages/msg_x/cancel", "/v1/otp/otp_x/cancel", "/v1/otp/otp_x/resend", "/v1/lines/modem0/pause"} {
		s.ask(s.admin, "POST", path, `{"colour":"red"}`).want(s.t, 400, "invalid-request")
	}
}

func wrongTypes(s *station) {
	for path, bad := range map[string][]string{
		"/v1/messages": {
			`{"to":447700900123,"text":"x"}`, `{"to":"+447700900123","text":5}`, `{"to":null,"text":"x"}`, `{"to":"+447700900123","text":"x","metadata":[]}`,
			`{"to":"+447700900123","text":"x","report":"yes"}`, `{"to":"+447700900123","text":"x","via":[]}`, `{"to":"+447700900123","text":"x","via":[1]}`,
			`{"to":"+447700900123","text":"x","priority":"urgent"}`, `{"to":"+447700900123","text":"x","on_unknown":"guess"}`,
			`{"to":"+447700900123","text":"x","text":"y"}`, `{"to":"+447700900123","text":"\ud83d"}`, `{"to":"+447700900123","text":"x","To":"y"}`,
			`{"to":"+447700900123"}`, `[]`, `"x"`, `null`, `{`, ``, `{} {}`, `{"to":"+447700900123","text":"` + "\xff" + `"}`,
		},
		"/v1/otp":        {`{"to":447700900123}`, `{"to":"+447700900123","length":"6"}`, `{"to":"+447700900123","ttl":300}`, `{"to":"+447700900123","ref":7}`},
		"/v1/otp/verify": {`{"to":"+447700900123","code":123456}`, `{"to":"+447700900123","code":null}`, `{"code":"123456"}`},
	} {
		for _, b := range bad {
			s.ask(s.admin, "POST", path, b).want(s.t, 400, "invalid-request")
		}
	}
	good := fmt.Sprintf(`{"to":%q,"text":"x"}`, number())
	for _, kind := range []string{"text/plain", "application/x-www-form-urlencoded", "nonsense", "multipart/form-data; boundary=x"} {
		req, err := http.NewRequest("POST", "http://"+s.api.Addr().String()+"/v1/messages", strings.NewReader(good))
		if err != nil {
			s.t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+s.admin)
		req.Header.Set("Content-Type", kind)
		resp, err := s.tcp.Do(req)
		if err != nil {
			s.t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != 400 {
			s.t.Errorf("%s is taken: %d", kind, resp.StatusCode)
		}
	}
}

func tooLargeBody(s *station) {
	s.pause()
	fill := func(n int) string {
		b := fmt.Sprintf(`{"to":%q,"text":"hello"`, number())
		return b + strings.Repeat(" ", n-len(b)-1) + "}"
	}
	s.ask(s.admin, "POST", "/v1/messages", fill(16<<10)).want(s.t, 202, "")
	s.ask(s.admin, "POST", "/v1/messages", fill(16<<10+1)).want(s.t, 400, "invalid-request")
}

func allFaults(s *station) {
	b := s.ask(s.admin, "POST", "/v1/messages", `{"to":1,"ttl":"x","via":[],"report":"no","a/b":1}`).want(s.t, 400, "invalid-request")
	var at []string
	for _, f := range b.list("errors") {
		at = append(at, f.text("pointer"))
	}
	slices.Sort(at)
	if want := []string{"/a~1b", "/report", "/text", "/to", "/ttl", "/via"}; !slices.Equal(at, want) {
		s.t.Errorf("faults at %v, want %v", at, want)
	}
}

func problemMembers(s *station) {
	b := s.ask(s.admin, "GET", "/v1/messages/msg_x", "", "X-Request-Id", "mine-7").want(s.t, 404, "not-found")
	if b.text("request_id") != "mine-7" || !strings.HasSuffix(b.text("type"), "#not-found") || b.text("title") == "" || b.text("detail") == "" {
		s.t.Errorf("%s", b.raw)
	}
	b = s.ask(s.admin, "GET", "/v1/messages/msg_x", "", "X-Request-Id", "not mine\t")
	if id := b.text("request_id"); !strings.HasPrefix(id, "req_") {
		s.t.Errorf("the request id is %q", id)
	}
	if b.header.Get("Cache-Control") != "no-store" {
		s.t.Errorf("%v", b.header)
	}
	key := s.someKey("send", `"per_minute":1`)
	s.message(key, number(), "hello")
	b = s.ask(key, "POST", "/v1/messages", fmt.Sprintf(`{"to":%q,"text":"x"}`, number()))
	if b.status == 202 { // the minute was over
		b = s.ask(key, "POST", "/v1/messages", fmt.Sprintf(`{"to":%q,"text":"x"}`, number()))
	}
	b.want(s.t, 429, "limit-exceeded")
	var seconds int
	_, err := fmt.Sscan(b.header.Get("Retry-After"), &seconds)
	if until := time.Until(b.moment(s, "retry_at")); err != nil || seconds < 1 || seconds > 60 || until > time.Minute || b.text("limit") != "per_key.minute" {
		s.t.Errorf("%q %s", b.header.Get("Retry-After"), b.raw)
	}
}

func unknownRoutes(s *station) {
	for _, path := range []string{"/", "/v1", "/v1/leases", "/v1/messages/a/b", "/v2/messages", "/v1/lines/modem0/reboot"} {
		s.ask(s.admin, "GET", path, "").want(s.t, 404, "not-found")
		s.ask("", "GET", path, "").want(s.t, 404, "not-found")
	}
	b := s.ask(s.admin, "PUT", "/v1/messages", "")
	if b.status != 405 || b.header.Get("Allow") == "" || b.text("code") != "invalid-request" {
		s.t.Errorf("%d %v %s", b.status, b.header, b.raw)
	}
	head, err := s.tcp.Head("http://" + s.api.Addr().String() + "/healthz")
	if err != nil {
		s.t.Fatal(err)
	}
	head.Body.Close()
	if head.StatusCode != 200 {
		s.t.Errorf("HEAD gives %d", head.StatusCode)
	}
}
