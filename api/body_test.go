package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/modemgate/modemgate/gateway"
)

func TestBodyIsReadStrictly(t *testing.T) {
	const to = `"to":"+447700900123","text":"Hi"`
	table := []struct {
		name, body string
		want       []string // pointers; nil: accepted
	}{
		{"all members", `{` + to + `,"via":"front","priority":"low","ttl":"1h30m","send_at":"2026-05-01T09:30:00+02:00","on_unknown":"hold","report":false,"ref":"","metadata":{}}`, nil},
		{"a list of lines", `{` + to + `,"via":["front","back"]}`, nil},
		{"white space around it", " \n{" + to + "}\r\n\t", nil},
		{"a surrogate pair in escapes", `{"to":"1","text":"\ud83d\ude00 \\ud800"}`, nil},
		{"no object", `[1]`, []string{""}},
		{"null", `null`, []string{""}},
		{"no JSON", `{"to":`, []string{""}},
		{"a byte order mark", "\ufeff{" + to + "}", []string{""}},
		{"trailing data", `{` + to + `}{}`, []string{""}},
		{"not UTF-8", "{\"to\":\"1\",\"text\":\"\xff\"}", []string{""}},
		{"half a surrogate pair", `{"to":"1","text":"\ud83d"}`, []string{""}},
		{"the wrong half", `{"to":"1","text":"\ude00"}`, []string{""}},
		{"two first halves", `{"to":"1","text":"\ud83d\ud83d"}`, []string{""}},
		{"missing members", `{}`, []string{"/to", "/text"}},
		{"an unknown member", `{` + to + `,"txt":"Hi"}`, []string{"/txt"}},
		{"another case is another member", `{"TO":"1","text":"Hi"}`, []string{"/to", "/TO"}},
		{"a member with odd characters", `{` + to + `,"a/b~c":1}`, []string{"/a~1b~0c"}},
		{"a member said twice", `{` + to + `,"to":"2"}`, []string{"/to"}},
		{"said twice further down", `{` + to + `,"metadata":{"a":[{"b":1,"b":2}]}}`, []string{"/metadata/a/0/b"}},
		{"a number for a string", `{"to":447700900123,"text":"Hi"}`, []string{"/to"}},
		{"null for a string", `{"to":null,"text":"Hi"}`, []string{"/to"}},
		{"null for what may be left out", `{` + to + `,"report":null,"ttl":null,"metadata":null,"via":null,"ref":null}`, []string{"/via", "/ttl", "/report", "/ref", "/metadata"}},
		{"a number for a duration", `{` + to + `,"ttl":90}`, []string{"/ttl"}},
		{"a duration without unit", `{` + to + `,"ttl":"90"}`, []string{"/ttl"}},
		{"no duration at all", `{` + to + `,"ttl":"0s"}`, []string{"/ttl"}},
		{"less than none", `{` + to + `,"ttl":"-5m"}`, []string{"/ttl"}},
		{"too long for any clock", `{` + to + `,"ttl":"99999999999h"}`, []string{"/ttl"}},
		{"a time without zone", `{` + to + `,"send_at":"2026-05-01T09:30:00"}`, []string{"/send_at"}},
		{"the zero time", `{` + to + `,"send_at":"0001-01-01T00:00:00Z"}`, []string{"/send_at"}},
		{"a string for a boolean", `{` + to + `,"report":"yes"}`, []string{"/report"}},
		{"no lines", `{` + to + `,"via":[]}`, []string{"/via"}},
		{"a line without name", `{` + to + `,"via":["front",""]}`, []string{"/via/1"}},
		{"a line that is a number", `{` + to + `,"via":["front",7]}`, []string{"/via/1"}},
		{"an empty word", `{` + to + `,"priority":""}`, []string{"/priority"}},
		{"a list for an object", `{` + to + `,"metadata":[1]}`, []string{"/metadata"}},
		{"nested too deeply", `{` + to + `,"metadata":` + strings.Repeat(`{"a":`, 9) + `1` + strings.Repeat(`}`, 9) + `}`, []string{"/metadata" + strings.Repeat("/a", 7)}},
		{"all faults at once", `{"to":1,"text":2,"x":3}`, []string{"/to", "/text", "/x"}},
	}
	f := newFake()
	b := start(t, f)
	for _, row := range table {
		t.Run(row.name, func(t *testing.T) {
			b.t = t
			before := len(f.calls)
			r := b.do("POST", "/v1/messages", row.body)
			if row.want == nil {
				if r.status != http.StatusAccepted {
					t.Errorf("%d %s", r.status, r.body)
				}
				return
			}
			p := r.problem(t)
			var got []string
			for _, e := range p.Errors {
				got = append(got, e.Pointer)
			}
			if p.Status != 400 || p.Code != gateway.InvalidRequest || fmt.Sprint(got) != fmt.Sprint(row.want) {
				t.Errorf("pointers %q, want %q: %s", got, row.want, r.body)
			}
			if len(f.calls) != before {
				t.Error("the gateway was asked all the same")
			}
		})
	}
}

func TestFaultsAreNotEndless(t *testing.T) {
	var members []string
	for i := range 500 {
		members = append(members, fmt.Sprintf(`"m%03d":1`, i))
	}
	b := start(t, newFake())
	p := b.do("POST", "/v1/otp", `{`+strings.Join(members, ",")+`}`).problem(t)
	if len(p.Errors) != maxFaults {
		t.Errorf("%d faults", len(p.Errors))
	}
}

func TestBodySizeAndKind(t *testing.T) {
	b := start(t, newFake())
	body := func(n int) string {
		const frame = `{"to":"1","text":""}`
		return `{"to":"1","text":"` + strings.Repeat("x", n-len(frame)) + `"}`
	}
	table := []struct {
		name, body string
		headers    []string
		want       int
	}{
		{"16 KiB", body(maxBody), nil, 202},
		{"one octet more", body(maxBody + 1), nil, 400},
		{"far more", body(50 * maxBody), nil, 400},
		{"none", "", nil, 400},
		{"with a charset", `{"to":"1","text":"x"}`, []string{"Content-Type", "Application/JSON; charset=utf-8"}, 202},
		{"a form", `to=1`, []string{"Content-Type", "application/x-www-form-urlencoded"}, 400},
		{"of no kind", `{"to":"1","text":"x"}`, []string{"Content-Type", ""}, 400},
	}
	for _, row := range table {
		t.Run(row.name, func(t *testing.T) {
			b.t = t
			if r := b.do("POST", "/v1/messages", row.body, row.headers...); r.status != row.want {
				t.Errorf("%d %s", r.status, r.body)
			}
		})
	}
}

func TestRoutesWithoutMembers(t *testing.T) {
	b := start(t, newFake())
	for _, path := range []string{"/v1/messages/msg_1/cancel", "/v1/otp/otp_1/cancel", "/v1/otp/otp_1/resend", "/v1/lines/front/pause", "/v1/numbers/1/unlock"} {
		if r := b.do("POST", path, `{}`); r.status >= 300 {
			t.Errorf("%s {}: %d %s", path, r.status, r.body)
		}
		if r := b.do("POST", path, `{"at":1}`); r.status != 400 || r.problem(t).Errors[0].Pointer != "/at" {
			t.Errorf("%s: %d %s", path, r.status, r.body)
		}
	}
}

func TestBodyThatMayBeLeftOut(t *testing.T) {
	f := newFake()
	b := start(t, f)
	for body, step := range map[string]string{"": "", "{}": "", `{"step":"power"}`: "power"} {
		f.mu.Lock()
		f.calls = nil
		f.mu.Unlock()
		if r := b.do("POST", "/v1/lines/front/reset", body); r.status != 202 {
			t.Fatalf("%s: %d %s", body, r.status, r.body)
		}
		if got := f.last(); got.method != "ResetLine" || got.args[0] != "front" || got.args[1] != step {
			t.Errorf("%s: %+v", body, got)
		}
	}
	for _, body := range []string{`{"step":1}`, `{"stop":"usb"}`, `{"step":null}`, `[]`} {
		if r := b.do("POST", "/v1/lines/front/reset", body); r.status != 400 {
			t.Errorf("%s: %d %s", body, r.status, r.body)
		}
	}
}

func TestBodiesArriveWhole(t *testing.T) {
	f := newFake()
	b := start(t, f)
	yes := true
	table := []struct {
		path, body string
		want       any
	}{
		{"/v1/messages", `{"to":"1","text":"a","via":"front","priority":"high","ttl":"90s","send_at":"2026-05-01T09:30:00Z","on_unknown":"fail","report":true,"ref":"r","metadata":{"a": 1}}`,
			gateway.NewMessage{To: "1", Text: "a", Via: []string{"front"}, Priority: "high", TTL: 90 * time.Second,
				SendAt: time.Date(2026, 5, 1, 9, 30, 0, 0, time.UTC), OnUnknown: "fail", Report: &yes, Ref: "r", Metadata: json.RawMessage(`{"a": 1}`)}},
		{"/v1/otp", `{"to":"1","ttl":"3m","length":6,"purpose":"login","ref":"r","metadata":{}}`,
			gateway.NewOTP{To: "1", TTL: 3 * time.Minute, Length: 6, Purpose: "login", Ref: "r", Metadata: json.RawMessage(`{}`)}},
		{"/v1/admin/keys", `{"name":"shop","scopes":["otp"],"to":["+44"],"per_minute":1,"per_day":2,"expires":"24h","from":"all","inherit":true}`,
			gateway.NewKey{Name: "shop", Scopes: []string{"otp"}, To: []string{"+44"}, PerMinute: 1, PerDay: 2, Expires: 24 * time.Hour, FromAll: true, Inherit: true}},
	}
	for _, row := range table {
		if r := b.local("POST", row.path, row.body); r.status >= 300 {
			t.Fatalf("%s: %d %s", row.path, r.status, r.body)
		}
		got, want := asJSON(t, f.last().args[0]), asJSON(t, row.want)
		if got != want {
			t.Errorf("%s: the gateway got\n%s, want\n%s", row.path, got, want)
		}
	}
	c := f.last()
	if c.r.Caller.Key != "local" || !c.r.Caller.Local || c.r.Path != "/v1/admin/keys" || c.r.ID == "" {
		t.Errorf("request %+v", c.r)
	}
}

func asJSON(t testing.TB, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
