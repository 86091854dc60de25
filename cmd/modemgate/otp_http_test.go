package main

import (
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/modemgate/modemgate/configs"
)

// S5: over real connections too, 16 right answers at once on one OTP, by id
// and by number, give exactly one valid:true.
func TestS5OneApprovalOverHTTP(t *testing.T) {
	t.Parallel()
	const rounds, tries = 50, 16
	s := newStation(t)
	s.tcp.Transport.(*http.Transport).MaxIdleConnsPerHost = tries
	key := s.key("app", "otp")
	for range rounds {
		to := number()
		id := s.otp(key, to).text("id")
		code := s.code(to, 1)
		var mu sync.Mutex
		var all sync.WaitGroup
		valid, late, nothing := 0, 0, 0
		gate := make(chan struct{})
		for n := range tries {
			path, content := "/v1/otp/"+id+"/verify", fmt.Sprintf(`{"code":%q}`, code)
			if n%2 == 1 {
				path, content = "/v1/otp/verify", fmt.Sprintf(`{"to":%q,"code":%q}`, to, code)
			}
			all.Go(func() {
				<-gate
				b := s.ask(key, "POST", path, content)
				mu.Lock()
				defer mu.Unlock()
				switch {
				case b.status == 200 && b.flag("valid"):
					valid++
				case b.status == 410 && b.text("reason") == "approved":
					late++
				case b.status == 200 && b.at("state") == nil:
					nothing++
				default:
					t.Errorf("%d %s", b.status, b.raw)
				}
			})
		}
		close(gate)
		all.Wait()
		if valid != 1 || late+nothing != tries-1 {
			t.Fatalf("%d approvals, %d late, %d with nothing pending", valid, late, nothing)
		}
	}
}

// S6: a number that must wait is 429 number-locked on every door, with the
// moment and the seconds until it, before anything else is looked at.
func TestS6LockedNumberOverHTTP(t *testing.T) {
	t.Parallel()
	s := newStation(t, func(c *configs.Config) { c.OTP.PerNumber = configs.NumberLimits{Hour: 50, Day: 50} })
	key, to := s.key("app", "otp"), number()
	var id, code string
	for i := range 3 {
		v := s.ask(key, "POST", "/v1/otp", fmt.Sprintf(`{"to":%q,"purpose":"p%d"}`, to, i)).want(t, 201, "")
		if id, code = v.text("id"), s.code(to, i+1); i == 2 {
			break
		}
		for range 4 {
			s.ask(key, "POST", "/v1/otp/"+id+"/verify", fmt.Sprintf(`{"code":%q}`, other(code))).want(t, 200, "")
		}
	}
	for range 2 { // nine and ten
		s.ask(key, "POST", "/v1/otp/"+id+"/verify", fmt.Sprintf(`{"code":%q}`, other(code))).want(t, 200, "")
	}
	for _, r := range [][2]string{
		{"/v1/otp/" + id + "/verify", fmt.Sprintf(`{"code":%q}`, code)},
		{"/v1/otp/" + id + "/verify", `{"code":"no digits"}`},
		{"/v1/otp/verify", fmt.Sprintf(`{"to":%q,"code":%q,"purpose":"p2"}`, to, code)},
		{"/v1/otp/verify", fmt.Sprintf(`{"to":%q,"code":"no digits"}`, to)},
		{"/v1/otp", fmt.Sprintf(`{"to":%q}`, to)},
		{"/v1/otp", fmt.Sprintf(`{"to":%q,"length":1,"ttl":"1s"}`, to)},
		{"/v1/otp/" + id + "/resend", ""},
	} {
		b := s.ask(key, "POST", r[0], r[1]).want(t, 429, "number-locked")
		seconds, err := strconv.Atoi(b.header.Get("Retry-After"))
		at, err2 := time.Parse(time.RFC3339, b.text("retry_at"))
		if err != nil || err2 != nil || seconds < 1 || seconds > 31 || time.Until(at) > 31*time.Second || b.text("limit") != "failures" {
			t.Fatalf("%s: Retry-After %q, %s", r[0], b.header.Get("Retry-After"), b.raw)
		}
	}
	s.ask(key, "POST", "/v1/numbers/"+to+"/unlock", "").want(t, 403, "scope-missing")
	s.ask(s.admin, "POST", "/v1/numbers/"+to+"/unlock", "").want(t, 204, "")
	if b := s.ask(key, "POST", "/v1/otp/"+id+"/verify", fmt.Sprintf(`{"code":%q}`, code)).want(t, 200, ""); !b.flag("valid") {
		t.Fatal(b.raw)
	}
}
