package api

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/modemgate/modemgate/gateway"
)

func TestEveryClosedRouteWantsAKey(t *testing.T) {
	f := newFake()
	b := start(t, f)
	bodies := map[string]string{} // by header: the same on every route
	asked := 0
	for _, r := range b.s.routes() {
		if r.access != withKey {
			continue
		}
		path := regexp.MustCompile(`:\w+`).ReplaceAllString(r.path, "x_1")
		headers := []string{"", "Bearer mg_wrong"}
		if r.path == "/v1/queue" {
			headers = append(headers, "Bearer", "Bearer ", "Basic "+goodToken, goodToken, "Bearer "+goodToken+" x")
		}
		for _, header := range headers {
			got := b.ask(b.tcp, r.method, path, "", "Authorization", header, "X-Request-Id", "same")
			if got.status != http.StatusUnauthorized || got.header.Get("WWW-Authenticate") == "" {
				t.Errorf("%s %s with %q: %d %s", r.method, path, header, got.status, got.body)
			}
			if asked++; bodies[header] == "" {
				bodies[header] = got.body
			}
			if got.body != bodies[header] {
				t.Fatalf("refusals differ: %s\n%s", got.body, bodies[header])
			}
		}
	}
	if asked < 2*25 || len(f.calls) > 0 {
		t.Errorf("%d refusals, calls %v", asked, f.calls)
	}
	for header, words := range map[string]string{
		"": "there is no API key", "Bearer": "not of the scheme Bearer", "Bearer ": "not of the scheme Bearer",
		"Basic " + goodToken: "not of the scheme Bearer", goodToken: "not of the scheme Bearer", "Bearer mg_wrong": "no live key",
	} {
		if !strings.Contains(bodies[header], words) || strings.Contains(bodies[header], goodToken) {
			t.Errorf("%q is answered with %s, want %q", header, bodies[header], words)
		}
	}
	if strings.Contains(b.logs.String(), "mg_wrong") {
		t.Error("a token is in the log")
	}
}

func TestTwoKeysAreNone(t *testing.T) {
	b := start(t, newFake())
	req, err := http.NewRequest("GET", "http://"+b.s.Addr().String()+"/v1/queue", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header["Authorization"] = []string{"Bearer " + goodToken, "Bearer " + plainToken}
	res, err := b.tcp.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if res.StatusCode != http.StatusUnauthorized {
		t.Errorf("%d", res.StatusCode)
	}
}

func TestOpenRoutesWantNone(t *testing.T) {
	b := start(t, newFake())
	for _, r := range b.s.routes() {
		if r.access == open {
			if got := b.ask(b.tcp, r.method, r.path, ""); got.status != http.StatusOK {
				t.Errorf("%s: %d", r.path, got.status)
			}
		}
	}
}

func TestCallerArrives(t *testing.T) {
	f := newFake()
	b := start(t, f)
	for _, token := range []string{"Bearer " + goodToken, "bearer  " + goodToken} {
		if r := b.ask(b.tcp, "GET", "/v1/queue", "", "Authorization", token, "X-Request-Id", "trace.7"); r.status != 200 || r.header.Get("X-Request-Id") != "trace.7" {
			t.Errorf("%d %v", r.status, r.header)
		}
		got := f.last().r
		if got.Caller.Key != "shop" || got.Caller.Generation != 7 || got.Caller.Local || got.ID != "trace.7" || got.Path != "/v1/queue" {
			t.Errorf("%+v", got)
		}
	}
	b.local("GET", "/v1/queue", "")
	if got := f.last().r.Caller; got.Key != "local" || !got.Local || !got.Has("admin") {
		t.Errorf("%+v", got)
	}
}

func TestBrokenAuthenticationIsNotARefusal(t *testing.T) {
	b := start(t, newFake())
	if r := b.ask(b.tcp, "GET", "/v1/queue", "", "Authorization", "Bearer "+brokeToken); r.status != 500 {
		t.Errorf("%d %s", r.status, r.body)
	}
}

func TestRequestIDs(t *testing.T) {
	b := start(t, newFake())
	for _, id := range []string{"", "a b", "a\"b", strings.Repeat("x", 65), "é", "a,b"} {
		r := b.do("GET", "/healthz", "", "X-Request-Id", id)
		if got := r.header.Get("X-Request-Id"); got == id || !strings.HasPrefix(got, "req_") {
			t.Errorf("%q became %q", id, got)
		}
	}
}

func TestMetricsNeedTheScopeStatus(t *testing.T) {
	b := start(t, newFake())
	if r := b.do("GET", "/metrics", ""); r.status != 200 || !strings.Contains(r.body, "modemgate_test_up 1") {
		t.Errorf("%d %s", r.status, r.body)
	}
	r := b.ask(b.tcp, "GET", "/metrics", "", "Authorization", "Bearer "+plainToken)
	if r.status != 403 || r.problem(t).Code != gateway.ScopeMissing {
		t.Errorf("%d %s", r.status, r.body)
	}
}

func TestIdempotencyKey(t *testing.T) {
	f := newFake()
	b := start(t, f)
	const long = 255
	table := []struct{ header, want string }{
		{"abc", "abc"}, {`"abc"`, "abc"}, {`"`, `"`}, {`a"b`, `a"b`}, {strings.Repeat("x", long), strings.Repeat("x", long)},
		{`"` + strings.Repeat("x", long) + `"`, strings.Repeat("x", long)},
	}
	posts := map[string]string{
		"/v1/messages": `{"to":"1","text":"x"}`, "/v1/otp": `{"to":"1"}`, "/v1/otp/otp_1/resend": "", "/v1/sim/phones/1/send": `{"text":"x","line":"a"}`,
	}
	for path, body := range posts {
		for _, row := range table {
			if r := b.do("POST", path, body, "Idempotency-Key", row.header); r.status >= 300 {
				t.Fatalf("%s %q: %d %s", path, row.header, r.status, r.body)
			}
			if got := f.last().r; got.IdempotencyKey != row.want || string(got.Body) != body || got.Path != path {
				t.Errorf("%s %q: the gateway got %+v", path, row.header, got)
			}
		}
		for _, bad := range []string{`""`, "a b", "é", strings.Repeat("x", long+1)} {
			r := b.do("POST", path, body, "Idempotency-Key", bad)
			if r.status != 400 || r.problem(t).Errors[0].Pointer != "Idempotency-Key" {
				t.Errorf("%s %q: %d %s", path, bad, r.status, r.body)
			}
		}
	}
}

func TestReplays(t *testing.T) {
	f := newFake()
	b := start(t, f)
	if r := b.do("POST", "/v1/otp", `{"to":"1"}`, "Idempotency-Key", "a"); r.header.Get("Idempotency-Replayed") != "" {
		t.Errorf("%v", r.header)
	}
	f.answer = gateway.Answer{Status: 201, Replayed: true}
	f.reused = true
	if r := b.do("POST", "/v1/otp", `{"to":"1"}`, "Idempotency-Key", "a"); r.status != 201 || r.header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("%d %v", r.status, r.header)
	}
	if log := b.logs.String(); !strings.Contains(log, "result=replayed") {
		t.Errorf("log: %s", log)
	}
}

// TestAuditLog wants one line for each action, which says who did what to
// which thing and how it ended, and never a text, a code or a number.
func TestAuditLog(t *testing.T) {
	f := newFake()
	b := start(t, f)
	table := []struct{ method, path, body, want string }{
		{"POST", "/v1/messages", `{"to":"+447700900123","text":"SECRETTEXT"}`, "audit=message.create key=local id=msg_1 result=ok"},
		{"POST", "/v1/messages/msg_1/cancel", "", "audit=message.cancel key=local id=msg_1 result=ok"},
		{"POST", "/v1/messages/msg_1/resolve", `{"as":"failed"}`, "audit=message.resolve key=local id=msg_1 result=ok"},
		{"DELETE", "/v1/messages/+447700900123", "", `audit=message.delete key=local id=? result=ok`},
		{"POST", "/v1/otp", `{"to":"+447700900123","ref":"SECRETTEXT"}`, "audit=otp.create key=local id=otp_1 result=ok"},
		{"POST", "/v1/otp/otp_1/verify", `{"code":"987654"}`, `audit=otp.verify key=local id=otp_1 result="valid=true"`},
		{"POST", "/v1/otp/verify", `{"to":"+447700900123","code":"987654"}`, `audit=otp.verify key=local id=+4477•••••23 result="valid=true"`},
		{"POST", "/v1/otp/otp_1/resend", "", "audit=otp.resend key=local id=otp_1 result=ok"},
		{"POST", "/v1/otp/otp_1/cancel", "", "audit=otp.cancel key=local id=otp_1 result=ok"},
		{"POST", "/v1/numbers/+447700900123/unlock", "", "audit=number.unlock key=local id=+4477•••••23 result=ok"},
		{"DELETE", "/v1/inbound/in_1", "", "audit=inbound.delete key=local id=in_1 result=ok"},
		{"POST", "/v1/lines/front/pause", "", "audit=line.pause key=local id=front result=ok"},
		{"POST", "/v1/lines/front/resume", "", "audit=line.resume key=local id=front result=ok"},
		{"POST", "/v1/lines/front/reset", `{"step":"usb"}`, "audit=line.reset key=local id=front result=ok"},
		{"POST", "/v1/lines/front/at", `{"command":"AT+CPIN=987654 SECRETTEXT"}`, "audit=line.at key=local id=front result=OK"},
		{"POST", "/v1/lines/front/ussd", `{"code":"SECRETTEXT"}`, "audit=line.ussd key=local id=front result=reply-expected"},
		{"POST", "/v1/sim/phones/+999100000001/send", `{"text":"SECRETTEXT","line":"front"}`, "audit=sim.send key=local id=+9991•••••01 result=ok"},
		{"POST", "/v1/admin/keys", `{"name":"shop","scopes":["otp"]}`, "audit=key.new key=local id=shop result=ok"},
		{"DELETE", "/v1/admin/keys/shop", "", "audit=key.revoke key=local id=shop result=ok"},
		{"POST", "/v1/admin/backup", `{"path":"/b"}`, `audit=backup key=local id="" result=ok`},
		{"POST", "/v1/admin/erase", `{"number":"+447700900123"}`, "audit=erase key=local id=+4477•••••23 result=ok"},
		{"POST", "/v1/admin/queue/drop", "", `audit=queue.drop key=local id="" result=ok`},
		{"POST", "/v1/admin/queue/release", "", `audit=queue.release key=local id="" result=ok`},
	}
	for _, row := range table {
		// What is no whole id is not logged; a resend logs the id of its answer.
		if strings.Contains(row.path, "_1") && !strings.HasSuffix(row.path, "/resend") {
			row.path, row.want = strings.ReplaceAll(row.path, "_1", someID), strings.ReplaceAll(row.want, "_1", someID)
		}
		if r := b.local(row.method, row.path, row.body, "X-Request-Id", "trace-7"); r.status >= 300 {
			t.Errorf("%s %s: %d %s", row.method, row.path, r.status, r.body)
		}
		if log := b.logs.String(); !strings.Contains(log, row.want+" request=trace-7") {
			t.Errorf("%s %s: no line %s", row.method, row.path, row.want)
		}
	}
	actions := 0
	for _, r := range b.s.routes() {
		if r.audit != "" {
			actions++
		}
	}
	if actions != len(table) {
		t.Errorf("%d audited routes, %d tested", actions, len(table))
	}
	f.refuse(&gateway.Error{Code: gateway.NumberLocked, Detail: "x"})
	b.do("POST", "/v1/otp/verify", `{"to":"07700900123","code":"987654"}`)
	f.refuse(nil)
	b.do("GET", "/v1/messages?to=+447700900123", "")
	b.do("GET", "/v1/sim/phones/+447700900123", "")
	log := b.logs.String()
	if !strings.Contains(log, "audit=otp.verify key=shop id=07•••••23 result=number-locked") {
		t.Error("a refusal is not audited")
	}
	for _, secret := range []string{"SECRETTEXT", "987654", "7700900123", "100000001", "mg_new", goodToken} {
		if strings.Contains(log, secret) {
			t.Errorf("the log has %s", secret)
		}
	}
	if !strings.Contains(log, "level=DEBUG msg=request method=GET route=/v1/messages status=200") {
		t.Errorf("no access log: %s", log)
	}
}

// someID is an id behind its prefix.
const someID = "_06h045kwj18y14crwtbj68e52r"

func TestSafeID(t *testing.T) {
	const id = "msg" + someID
	for in, want := range map[string]string{id: id, "otp_123456": "?", "+447700900123": "?", "msg_+44": "?", "key" + id[3:]: "?", id + "1": "?"} {
		if got := safeID(in); got != want {
			t.Errorf("safeID(%q) = %q, want %q", in, got, want)
		}
	}
}
