package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// Whatever is wrong with the values of a body is told at once, each with its
// place, as what is wrong with its shape is.
func TestAllValueFaultsAtOnce(t *testing.T) {
	t.Parallel()
	s := newStation(t)
	long := strings.Repeat("x", 200)
	for path, c := range map[string]struct {
		body   string
		status int
		code   string
		places []string
	}{
		"/v1/messages": {
			fmt.Sprintf(`{"to":"12","text":"","via":["nowhere","modem0","elsewhere"],"priority":"soon","ttl":"99999h","send_at":"2099-01-01T00:00:00Z","on_unknown":"pray","ref":%q}`, long),
			422, "number-invalid",
			[]string{"/to", "/text", "/via/0", "/via/2", "/priority", "/on_unknown", "/ttl", "/send_at", "/ref"},
		},
		"/v1/otp": {
			fmt.Sprintf(`{"to":"12","ttl":"1s","length":3,"purpose":%q,"ref":%q,"metadata":{"x":%q}}`, long, long, strings.Repeat("y", 5000)),
			422, "number-invalid", []string{"/to", "/length", "/ttl", "/purpose", "/ref", "/metadata"},
		},
	} {
		b := s.ask(s.admin, "POST", path, c.body).want(t, c.status, c.code)
		var places []string
		for _, e := range b.list("errors") {
			places = append(places, e.text("pointer"))
			if e.text("detail") == "" {
				t.Errorf("%s: no word about %s", path, e.text("pointer"))
			}
		}
		if !slices.Equal(places, c.places) || !strings.Contains(b.text("detail"), fmt.Sprintf("(and %d more, see errors)", len(places)-1)) {
			t.Errorf("%s: %v, want %v: %s", path, places, c.places, b.raw)
		}
	}
	one := s.ask(s.admin, "POST", "/v1/messages", `{"to":"+447700900123","text":"x","ttl":"99999h"}`).want(t, 400, "invalid-request")
	if len(one.list("errors")) != 1 || strings.Contains(one.text("detail"), "more") {
		t.Errorf("%s", one.raw)
	}
}
