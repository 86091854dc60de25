package main

import (
	"bytes"
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"
)

// watched is a writer that calls when a text has been written.
type watched struct {
	mu   sync.Mutex
	b    bytes.Buffer
	want string
	seen func()
}

func (w *watched) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n, err := w.b.Write(b)
	if strings.Contains(w.b.String(), w.want) {
		w.seen()
	}
	return n, err
}

func (w *watched) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.b.String()
}

func page(cursor string, items ...string) string {
	return `{"items":[` + strings.Join(items, ",") + `],"next_cursor":"` + cursor + `"}`
}

// followed runs inbox --follow until the output holds want.
func followed(t *testing.T, f *fake, want string, args ...string) (code int, out, errs string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	w := &watched{want: want, seen: cancel}
	var e bytes.Buffer
	code = run(ctx, system{in: strings.NewReader(""), out: w, err: &e, env: f.env()}, append([]string{"inbox", "--follow"}, args...))
	if !strings.Contains(w.String(), want) {
		t.Fatalf("exit %d without %q, err %s", code, want, e.String())
	}
	return code, w.String(), e.String()
}

// What comes between the cursor and the list of the newest is in both, and
// printed once; a lost connection costs no SMS and prints none twice.
func TestInboxFollowLosesNothing(t *testing.T) {
	third := strings.ReplaceAll(firstSMS, "in_1", "in_3")
	feed := "GET /v1/inbound?after="
	f := newFake(t, answers{
		"GET /v1/inbound/cursor":                     {`{"cursor":"1"}`},
		"GET /v1/inbound?limit=20":                   {page("", secondSMS, firstSMS)},
		feed + "1&limit=200&order=asc&wait=W":        {page("2", secondSMS)},
		feed + "2&limit=200&order=asc&wait=W":        {page("2"), "hang up"},
		feed + "2&limit=200&order=asc":               {page("3", third)},
		feed + "3&limit=200&order=asc&wait=W":        {page("3")},
		"GET /v1/inbound?after=&limit=200&order=asc": nil,
	})
	code, out, errs := followed(t, f, "in_3")
	if code != exitOK {
		t.Errorf("exit %d", code)
	}
	for _, id := range []string{"in_1", "in_2", "in_3"} {
		if n := strings.Count(out, id); n != 1 {
			t.Errorf("%s is printed %d times:\n%s", id, n, out)
		}
	}
	if !strings.Contains(errs, "waiting for it") || !strings.Contains(errs, "the daemon is back") {
		t.Errorf("err %s", errs)
	}
}

// A key that is revoked meanwhile ends the feed in words.
func TestInboxFollowEndsWhenRefused(t *testing.T) {
	f := newFake(t, answers{
		"GET /v1/inbound/cursor":                             {`{"cursor":"1"}`},
		"GET /v1/inbound?limit=20":                           {page("", firstSMS)},
		"GET /v1/inbound?after=1&limit=200&order=asc&wait=W": {`{"type":"x","status":401,"detail":"give a valid API key","code":"unauthenticated","request_id":"r","errors":[]}`},
	})
	r := modemgate(t, f.env(), "", "inbox", "--follow")
	if r.code != exitFailed || !strings.Contains(r.err, "give a valid API key") {
		t.Errorf("exit %d, err %s", r.code, r.err)
	}
}

// --since begins with all since then and goes on from there.
func TestInboxFollowSince(t *testing.T) {
	since := "since=2026-05-01T09%3A30%3A00Z"
	f := newFake(t, answers{
		"GET /v1/inbound?limit=200&order=asc&" + since:                                      {page("1", firstSMS)},
		"GET /v1/inbound?after=1&limit=200&order=asc&since=2026-05-01T09%3A30%3A00Z&wait=W": {page("2", secondSMS)},
		"GET /v1/inbound?after=2&limit=200&order=asc&since=2026-05-01T09%3A30%3A00Z&wait=W": {page("2")},
	})
	code, out, _ := followed(t, f, `"in_2"`, "--json", "--since", "2026-05-01T09:30:00Z")
	if want := firstSMS + "\n" + secondSMS + "\n"; code != exitOK || out != want {
		t.Errorf("exit %d, out %s", code, out)
	}
}

func TestPassing(t *testing.T) {
	for status, want := range map[int]bool{
		http.StatusUnauthorized: false, http.StatusNotFound: false, http.StatusTooManyRequests: true, http.StatusServiceUnavailable: true,
	} {
		if got := passing(&refusal{status: status}); got != want {
			t.Errorf("status %d: passing is %v", status, got)
		}
	}
}
