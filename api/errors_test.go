package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/modemgate/modemgate/gateway"
)

// statuses is the table of the contract.
var statuses = map[gateway.Code]int{
	"invalid-request": 400, "unauthenticated": 401, "scope-missing": 403, "destination-blocked": 403, "not-found": 404,
	"idempotency-in-progress": 409, "not-cancelable": 409, "otp-ended": 410, "number-invalid": 422, "text-too-long": 422,
	"no-such-line": 422, "idempotency-key-reused": 422, "limit-exceeded": 429, "number-locked": 429, "no-line": 503,
	"clock-not-set": 503, "no-entropy": 503, "line-busy": 409, "modem-timeout": 504, "storage-full": 507, "internal": 500,
}

func TestEachCodeHasItsProblem(t *testing.T) {
	if len(kinds) != len(statuses) {
		t.Errorf("%d codes, want %d", len(kinds), len(statuses))
	}
	f := newFake()
	b := start(t, f)
	for code, status := range statuses {
		f.refuse(fmt.Errorf("deep inside: %w", &gateway.Error{
			Code: code, Detail: "what to do", Fields: []gateway.FieldError{{Pointer: "/to", Detail: "wrong"}}, Err: errors.New("SECRET"),
		}))
		// A POST of a message may end in most ways.
		method, path, body := "POST", "/v1/messages", `{"to":"1","text":"x"}`
		switch code {
		case "not-found", "not-cancelable":
			path, body = "/v1/messages/msg_1/cancel", ""
		case "line-busy", "modem-timeout":
			path, body = "/v1/lines/front/at", `{"command":"AT"}`
		case "otp-ended":
			path, body = "/v1/otp/otp_1/verify", `{"code":"1"}`
		}
		r := b.do(method, path, body)
		p := r.problem(t)
		if r.status != status || p.Code != code || p.Title == "" || p.Type != problemType+string(code) {
			t.Errorf("%s: %d %s", code, r.status, r.body)
		}
		if strings.Contains(r.body, "SECRET") {
			t.Errorf("%s tells its cause: %s", code, r.body)
		}
		if code != "internal" && (p.Detail != "what to do" || len(p.Errors) != 1 || p.Errors[0].Pointer != "/to") {
			t.Errorf("%s: %s", code, r.body)
		}
	}
}

func TestProblemsSayWhenToTryAgain(t *testing.T) {
	f := newFake()
	b := start(t, f)
	at := time.Now().Add(89500 * time.Millisecond)
	f.refuse(&gateway.Error{Code: gateway.NumberLocked, Detail: "wait", Limit: "verify-failures", RetryAt: at})
	r := b.do("POST", "/v1/otp", `{"to":"1"}`)
	p := r.problem(t)
	if r.header.Get("Retry-After") != "90" && r.header.Get("Retry-After") != "89" || p.Limit != "verify-failures" ||
		!p.RetryAt.Equal(at.Truncate(time.Millisecond)) {
		t.Errorf("%v %s", r.header, r.body)
	}
	f.refuse(&gateway.Error{Code: gateway.NumberLocked, Detail: "only unlock helps", Limit: "verify-failures"})
	if r := b.do("POST", "/v1/otp", `{"to":"1"}`); r.header.Get("Retry-After") != "" || strings.Contains(r.body, "retry_at") {
		t.Errorf("%v %s", r.header, r.body)
	}
	f.refuse(&gateway.Error{Code: gateway.OTPEnded, Detail: "it ended", Reason: "expired"})
	if p := b.do("POST", "/v1/otp/otp_1/verify", `{"code":"1"}`).problem(t); p.Reason != "expired" {
		t.Errorf("%+v", p)
	}
	now := time.Now()
	for d, want := range map[time.Duration]string{-time.Hour: "1", 0: "1", time.Millisecond: "1", 1001 * time.Millisecond: "2", time.Minute: "60"} {
		if got := retryAfter(now.Add(d), now); got != want {
			t.Errorf("retry after %s: %s, want %s", d, got, want)
		}
	}
}

func TestUnknownErrorsStayInside(t *testing.T) {
	f := newFake()
	b := start(t, f)
	f.refuse(errors.New("table messages: SECRET"))
	r := b.do("GET", "/v1/queue", "", "X-Request-Id", "trace-7")
	if r.status != 500 || r.problem(t).Code != "internal" || strings.Contains(r.body, "SECRET") {
		t.Errorf("%d %s", r.status, r.body)
	}
	if !slices.ContainsFunc(strings.Split(b.logs.String(), "\n"), func(l string) bool {
		return strings.Contains(l, "level=ERROR") && strings.Contains(l, "SECRET") && strings.Contains(l, "trace-7") && strings.Contains(l, "/v1/queue")
	}) {
		t.Errorf("the log does not have it: %s", b.logs)
	}
	f.refuse(&gateway.Error{Code: "brand-new", Detail: "SECRET"})
	if r := b.do("GET", "/v1/queue", ""); r.status != 500 || strings.Contains(r.body, "SECRET") {
		t.Errorf("%d %s", r.status, r.body)
	}
}

func TestPanicIsAnswered(t *testing.T) {
	f := newFake()
	f.wait = func(context.Context, time.Duration) error { panic("SECRET text") }
	b := start(t, f)
	r := b.do("GET", "/v1/messages/msg_1?wait=1s", "")
	if r.status != 500 || r.problem(t).Code != "internal" {
		t.Errorf("%d %s", r.status, r.body)
	}
	if log := b.logs.String(); !strings.Contains(log, "panic (string)") || strings.Contains(log, "SECRET text") {
		t.Errorf("log: %s", log)
	}
	if r := b.do("GET", "/v1/queue", ""); r.status != 200 {
		t.Errorf("after the panic: %d", r.status)
	}
}

func TestUnknownRoutesAndMethods(t *testing.T) {
	b := start(t, newFake())
	for _, path := range []string{"/", "/v1", "/v2/messages", "/v1/messages/", "/v1/leases", "/v1/extract", "/v1/sticks", "/v1/admin/at", "/v1/admin/keys", "/v1/inbound/in_1/x", "/v1/lines/front/x"} {
		if r := b.do("GET", path, ""); r.status != 404 || r.problem(t).Code != "not-found" {
			t.Errorf("GET %s: %d %s", path, r.status, r.body)
		}
	}
	for _, path := range []string{"/v1/messages/msg_1/resend"} {
		if r := b.do("POST", path, ""); r.status != 404 {
			t.Errorf("POST %s: %d %s", path, r.status, r.body)
		}
	}
	r := b.do("PUT", "/v1/messages", "")
	if r.status != http.StatusMethodNotAllowed || r.problem(t).Code != "invalid-request" ||
		!strings.Contains(r.header.Get("Allow"), "POST") || !strings.Contains(r.header.Get("Allow"), "GET") {
		t.Errorf("%d %v %s", r.status, r.header, r.body)
	}
	if r := b.do("DELETE", "/healthz", ""); r.status != 405 {
		t.Errorf("%d %s", r.status, r.body)
	}
}

func TestHeadIsGetWithoutBody(t *testing.T) {
	b := start(t, newFake())
	if r := b.do("HEAD", "/healthz", ""); r.status != 200 || r.body != "" || r.header.Get("Content-Length") == "" {
		t.Errorf("%d %v %q", r.status, r.header, r.body)
	}
}

func TestReadiness(t *testing.T) {
	f := newFake()
	b := start(t, f)
	get := func(path string) reply { return b.ask(b.tcp, "GET", path, "") }
	f.sending = &gateway.Error{Code: gateway.NoLine, Detail: "no line is up"}
	if r := get("/readyz"); r.status != 200 {
		t.Errorf("%d %s", r.status, r.body)
	}
	if r := get("/readyz?sending=1"); r.status != 503 || r.problem(t).Code != "no-line" {
		t.Errorf("%d %s", r.status, r.body)
	}
	for _, err := range []error{&gateway.Error{Code: gateway.StorageFull, Detail: "free space"}, &gateway.Error{Code: gateway.ClockNotSet}, errors.New("x")} {
		f.ready = err
		if r := get("/readyz"); r.status != 503 || r.problem(t).Status != 503 {
			t.Errorf("%v: %d %s", err, r.status, r.body)
		}
	}
	if r := get("/healthz"); r.status != 200 {
		t.Errorf("%d %s", r.status, r.body)
	}
}
