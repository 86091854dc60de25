package api

import (
	"bytes"
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/modemgate/modemgate/gateway"
)

// post sends a body through the whole handler and wants what is promised for
// any body: the wanted status, or a refusal of the request as a problem.
func post(t *testing.T, s *Server, path string, body []byte, want int) (accepted bool) {
	t.Helper()
	req := httptest.NewRequest("POST", path, bytes.NewReader(body))
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+goodToken)
	req.Header.Set("X-Request-Id", "fuzz") // a made one is random
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, req)
	if w.Code == want {
		return true
	}
	p := reply{w.Code, w.Header(), w.Body.String()}.problem(t)
	if p.Code != gateway.InvalidRequest || w.Code != 400 || !utf8.Valid(w.Body.Bytes()) {
		t.Errorf("%q: %d %s", body, w.Code, w.Body)
	}
	return false
}

// again writes what was understood as a body and reads that: it must mean the
// same.
func again(t *testing.T, body []byte, meant map[string]any, into any, words func() any, first any) {
	t.Helper()
	for name, v := range meant {
		required := name == "to" || name == "text"
		if empty := asJSON(t, v); !required && (empty == `""` || empty == "null") {
			delete(meant, name)
		}
	}
	written := []byte(asJSON(t, meant))
	if f := decode(written, into); len(f) > 0 {
		t.Fatalf("%q was accepted, but %s is not: %v", body, written, f)
	}
	if got, want := asJSON(t, words()), asJSON(t, first); got != want {
		t.Errorf("%q meant %s, but %s means %s", body, want, written, got)
	}
	var plain map[string]any
	if err := json.Unmarshal(body, &plain); err != nil {
		t.Fatalf("%q was accepted: %v", body, err)
	}
	for name := range plain {
		if _, kept := meant[name]; !kept && plain[name] != "" {
			t.Errorf("%q: the member %q is lost", body, name)
		}
	}
}

// shape writes a duration in the form of the API.
func shape(d time.Duration) string {
	if d == 0 {
		return ""
	}
	h, m, s, ms := d/time.Hour, d/time.Minute%60, d/time.Second%60, d/time.Millisecond%1000
	b := new(strings.Builder)
	for _, u := range []struct {
		n    time.Duration
		unit string
	}{{h, "h"}, {m, "m"}, {s, "s"}, {ms, "ms"}} {
		if u.n > 0 {
			b.WriteString(asInt(u.n) + u.unit)
		}
	}
	return b.String()
}

func asInt(d time.Duration) string { b, _ := json.Marshal(int64(d)); return string(b) }

func FuzzMessageBody(f *testing.F) {
	for _, seed := range []string{
		`{"to":"+447700900123","text":"Hi","via":["a","b"],"priority":"low","ttl":"1h30m","send_at":"2026-05-01T09:30:00.5+02:00","on_unknown":"hold","report":false,"ref":"r","metadata":{"a":[1,{"b":null}]}}`,
		`{"to":"1","text":"\ud83d\ude00","via":"a"}`, `{"to":1}`, `{"to":"1","text":"x","to":"2"}`, `[]`, `{`, "{\"to\":\"\xff\"}", `{"text":"\ud800"}`,
		`{"to":"1","text":"x","ttl":"0h00001ms"}`,
	} {
		f.Add([]byte(seed))
	}
	fake := newFake()
	s := New(Options{Gateway: fake})
	f.Fuzz(func(t *testing.T, body []byte) {
		fake.calls = nil
		if !post(t, s, "/v1/messages", body, 202) {
			if len(fake.calls) > 0 {
				t.Errorf("%q: refused, but the gateway was asked", body)
			}
			return
		}
		first := fake.last().args[0].(gateway.NewMessage)
		meant := map[string]any{
			"to": first.To, "text": first.Text, "via": first.Via, "priority": first.Priority, "ttl": shape(first.TTL),
			"on_unknown": first.OnUnknown, "ref": first.Ref, "metadata": first.Metadata,
		}
		if first.Report != nil {
			meant["report"] = *first.Report
		}
		if !first.SendAt.IsZero() {
			meant["send_at"] = first.SendAt.Format(time.RFC3339Nano)
		}
		var in newMessage
		again(t, body, meant, &in, func() any { return in.words() }, first)
	})
}

func FuzzOTPBody(f *testing.F) {
	for _, seed := range []string{
		`{"to":"+447700900123","ttl":"3m","length":6,"purpose":"login","ref":"r","metadata":{}}`,
		`{"to":"1","length":6.0}`, `{"to":"1","length":1e1}`, `{"to":"1","length":"6"}`, `{"to":"1","length":99999999999999999999}`, `{"to":null}`,
	} {
		f.Add([]byte(seed))
	}
	fake := newFake()
	s := New(Options{Gateway: fake})
	f.Fuzz(func(t *testing.T, body []byte) {
		fake.calls = nil
		if !post(t, s, "/v1/otp", body, 201) {
			return
		}
		first := fake.last().args[0].(gateway.NewOTP)
		meant := map[string]any{"to": first.To, "ttl": shape(first.TTL), "purpose": first.Purpose, "ref": first.Ref, "metadata": first.Metadata}
		if first.Length != 0 {
			meant["length"] = first.Length
		}
		var in newOTP
		again(t, body, meant, &in, func() any { return in.words() }, first)
	})
}
