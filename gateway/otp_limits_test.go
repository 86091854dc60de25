package gateway_test

import (
	"sync"
	"testing"
	"time"

	"github.com/modemgate/modemgate/gateway"
	"github.com/modemgate/modemgate/gateway/store"
)

// S12: two POSTs at once for the same key, purpose and number make one OTP
// and send one SMS; a flood of them, by several keys, one each.
func TestS12ParallelPostsSendOne(t *testing.T) {
	r := newRig(t, nil, nil)
	for i, n := range []int{2, 2, 2, 2, 100} {
		var mu sync.Mutex
		var all sync.WaitGroup
		ids, fresh := map[string]bool{}, 0
		gate := make(chan struct{})
		for range n {
			all.Go(func() {
				<-gate
				v, a, err := r.g.CreateOTP(t.Context(), app, gateway.NewOTP{To: number(i), Purpose: "p"})
				mu.Lock()
				defer mu.Unlock()
				if err != nil || a.Replayed || v.Reused != (a.Status == 200) {
					t.Errorf("%+v %+v %v", v, a, err)
				}
				if ids[v.ID] = true; !v.Reused {
					fresh++
				}
			})
		}
		close(gate)
		all.Wait()
		if len(ids) != 1 || fresh != 1 {
			t.Fatalf("%d parallel POSTs made %d OTPs, %d of them new", n, len(ids), fresh)
		}
	}
	r.quiet()
	for i := range 5 {
		if n := len(r.net.Phone(number(i)).Received()); n != 1 {
			t.Fatalf("phone %d has %d SMS, want 1", i, n)
		}
	}
}

// S12: the budgets of a number count creates and resends of all keys and
// purposes; the refusal says exactly when the next may follow; a flood
// reaches the phone no more often than that.
func TestS12NumberBudget(t *testing.T) {
	r := stillRig(t, func(o *gateway.Options) { o.OTP.PerHour, o.OTP.PerDay = 5, 10 }, nil)
	to, begin, sent := number(1), r.g.Now(), 0
	pass := func(d time.Duration) { // once all is out that is paid for
		t.Helper()
		r.texts(to, sent)
		r.pass(d)
	}
	v := r.create(app, gateway.NewOTP{To: to, Purpose: "a"}) // 0:00
	sent++
	pass(time.Minute)
	if _, _, err := r.g.ResendOTP(t.Context(), app, v.ID); err != nil { // 0:01
		t.Fatal(err)
	}
	r.create(app2, gateway.NewOTP{To: to, Purpose: "a"}) // 0:01
	sent += 2
	pass(time.Minute)
	if got := r.create(app, gateway.NewOTP{To: to, Purpose: "a"}); !got.Reused || got.SendsLeft != 0 { // 0:02
		t.Fatalf("a POST that is due as a resend: %+v", got)
	}
	r.create(admin, gateway.NewOTP{To: to, Purpose: "b"}) // 0:02: five
	sent += 2
	flood := func(limit string, at time.Time) {
		t.Helper()
		for i := range 30 {
			_, _, err := r.g.CreateOTP(t.Context(), req(string(rune('a'+i%7)), gateway.ScopeOTP), gateway.NewOTP{To: to, Purpose: string(rune('A' + i))})
			if e := refusal(t, err, gateway.LimitExceeded); e.Limit != limit || !e.RetryAt.Equal(at) {
				t.Fatalf("refused by %s until %s, want %s until %s", e.Limit, e.RetryAt, limit, at)
			}
		}
	}
	flood("per_number.hour", begin.Add(time.Hour))
	r.restart()
	flood("per_number.hour", begin.Add(time.Hour))
	pass(58*time.Minute - time.Microsecond)
	flood("per_number.hour", begin.Add(time.Hour))
	pass(time.Microsecond)
	r.create(app, gateway.NewOTP{To: to, Purpose: "c"}) // 1:00
	sent++
	flood("per_number.hour", begin.Add(time.Hour+time.Minute))
	pass(2 * time.Hour) // 3:00
	for i := range 4 {
		r.create(app, gateway.NewOTP{To: to, Purpose: string(rune('0' + i))})
		sent++
	}
	flood("per_number.day", begin.Add(24*time.Hour))
	pass(21*time.Hour - time.Microsecond)
	flood("per_number.day", begin.Add(24*time.Hour))
	pass(time.Microsecond)
	r.create(app, gateway.NewOTP{To: to, Purpose: "d"}) // 24:00
	r.quiet()
	if n := r.submitted(to); n != 11 {
		t.Fatalf("%d SMS to the number in 24 h, want 11", n)
	}
}

// S12: when hour and day are both used up, retry_at is the later of the two:
// then, and not before, it is accepted.
func TestS12RetryAtIsExact(t *testing.T) {
	r := stillRig(t, func(o *gateway.Options) { o.OTP.PerHour, o.OTP.PerDay = 2, 3 }, nil)
	begin := r.g.Now()
	r.create(app, gateway.NewOTP{To: number(1), Purpose: "a"})
	r.pass(2 * time.Hour)
	r.create(app, gateway.NewOTP{To: number(1), Purpose: "b"})
	r.create(app, gateway.NewOTP{To: number(1), Purpose: "c"})
	_, _, err := r.g.CreateOTP(t.Context(), app, gateway.NewOTP{To: number(1), Purpose: "d"})
	e := refusal(t, err, gateway.LimitExceeded)
	if !e.RetryAt.Equal(begin.Add(24 * time.Hour)) {
		t.Fatalf("%s until %s, want %s", e.Limit, e.RetryAt, begin.Add(24*time.Hour))
	}
	r.pass(e.RetryAt.Sub(r.g.Now()))
	r.create(app, gateway.NewOTP{To: number(1), Purpose: "d"})
}

// A POST that could not send, because of the key's own budget, charges the
// number nothing, whether it finds a pending OTP or not.
func TestS12RefusedChargesNothing(t *testing.T) {
	r := stillRig(t, func(o *gateway.Options) { o.OTP.PerHour, o.KeyMinute = 3, 2 }, nil)
	// A whole minute begins, the window of the key's budget.
	r.pass(r.g.Now().Truncate(time.Minute).Add(time.Minute).Sub(r.g.Now()))
	v := r.create(app, gateway.NewOTP{To: number(1)})
	r.create(app, gateway.NewOTP{To: number(2)})
	r.pass(30 * time.Second) // a resend is due, the key has no budget
	for range 5 {
		got := r.create(app, gateway.NewOTP{To: number(1)})
		if !got.Reused || got.ID != v.ID || got.SendsLeft != v.SendsLeft {
			t.Fatalf("%+v", got)
		}
		_, _, err := r.g.ResendOTP(t.Context(), app, v.ID)
		refusal(t, err, gateway.LimitExceeded)
	}
	// The number has had one of its three.
	r.create(app2, gateway.NewOTP{To: number(1), Purpose: "x"})
	r.create(app2, gateway.NewOTP{To: number(1), Purpose: "y"})
	_, _, err := r.g.CreateOTP(t.Context(), req("app3", gateway.ScopeOTP), gateway.NewOTP{To: number(1), Purpose: "z"})
	if e := refusal(t, err, gateway.LimitExceeded); e.Limit != "per_number.hour" {
		t.Fatalf("refused by %s", e.Limit)
	}
	// And the other way round: what the number refuses costs the key nothing.
	r.pass(30 * time.Second) // a new minute; the resend of number 1 is refused by the number
	for range 5 {
		if got := r.create(app, gateway.NewOTP{To: number(1)}); !got.Reused || got.SendsLeft != v.SendsLeft {
			t.Fatalf("%+v", got)
		}
	}
	r.create(app, gateway.NewOTP{To: number(3)})
	r.create(app, gateway.NewOTP{To: number(4)})
	r.texts(number(3), 1)
	r.texts(number(4), 1)
	if n := r.submitted(number(1)); n != 3 {
		t.Fatalf("%d SMS, want 3", n)
	}
}

// A resend voids the code before it, keeps the tries that are left, begins a
// new life, and takes the old message out of the queue if no line has it.
func TestS7ResendVoidsTheOldCode(t *testing.T) {
	r := stillRig(t, nil, nil)
	v, old := r.sentCode(app, gateway.NewOTP{To: number(1), TTL: time.Minute}, 0)
	if v.SendsLeft != 2 || v.AttemptsLeft != 5 || !v.ResendAt.Equal(r.g.Now().Add(30*time.Second)) {
		t.Fatalf("created as %+v", v)
	}
	r.wrong(app, v.ID)
	r.pass(30*time.Second - time.Microsecond)
	_, _, err := r.g.ResendOTP(t.Context(), app, v.ID)
	if e := refusal(t, err, gateway.LimitExceeded); e.Limit != "resend_after" || !e.RetryAt.Equal(v.ResendAt) {
		t.Fatalf("too early: %+v", e)
	}
	r.pass(time.Microsecond)
	w, fresh := r.resend(app, v, 1)
	if w.ID != v.ID || w.AttemptsLeft != 4 || w.SendsLeft != 1 || !w.ExpiresAt.Equal(r.g.Now().Add(time.Minute)) || w.MessageID == v.MessageID {
		t.Fatalf("after a resend: %+v", w)
	}
	if fresh != old { // one in a million is the same
		if got, err := r.try(app, v.ID, old); err != nil || got.Valid || got.AttemptsLeft != 3 {
			t.Fatalf("the old code: %+v, %v", got, err)
		}
	}
	r.pass(59 * time.Second) // the first life would be over
	r.approve(app, v.ID, fresh)

	r.pause()
	v = r.create(app, gateway.NewOTP{To: number(2)})
	for i := range 2 {
		r.pass(30 * time.Second)
		w, _, err := r.g.ResendOTP(t.Context(), app, v.ID)
		if err != nil || w.SendsLeft != 1-i {
			t.Fatalf("%+v, %v", w, err)
		}
		if m := r.await(v.MessageID, store.Canceled); m.HasText {
			t.Fatal("the text of a canceled OTP message is kept")
		}
		v = w
	}
	r.pass(30 * time.Second)
	_, _, err = r.g.ResendOTP(t.Context(), app, v.ID)
	if e := refusal(t, err, gateway.LimitExceeded); e.Limit != "max_sends" {
		t.Fatalf("a fourth send: %+v", e)
	}
	r.unpause()
	got := r.texts(number(2), 1)
	r.quiet()
	if n := r.submitted(number(2)); n != 1 {
		t.Fatalf("%d SMS, want only the newest", n)
	}
	r.approve(app, v.ID, codeIn(t, got[0].Text))
}

// A request may narrow what the configuration allows and never widen it.
func TestS2RequestNarrowsNeverWidens(t *testing.T) {
	r := stillRig(t, func(o *gateway.Options) { o.OTP.Length, o.OTP.TTL = 7, 2*time.Minute }, nil)
	for _, bad := range []gateway.NewOTP{
		{Length: 6}, {Length: 4}, {Length: 1}, {Length: -1}, {Length: 11}, {Length: 1 << 40},
		{TTL: 2*time.Minute + 1}, {TTL: time.Hour}, {TTL: 29 * time.Second}, {TTL: 1}, {TTL: -time.Minute}, {TTL: -1 << 63},
		{Purpose: "a\nb"}, {Purpose: "\x00"}, {Purpose: "\x7f"}, {Purpose: string(make([]byte, 65))},
		{Metadata: []byte(`[1]`)}, {Metadata: []byte(`null`)}, {Ref: string(make([]byte, 129))},
	} {
		bad.To = number(1)
		v, _, err := r.g.CreateOTP(t.Context(), app, bad)
		if code(err) != gateway.InvalidRequest {
			t.Errorf("%+v gave %+v, %v", bad, v, err)
		}
	}
	v, c := r.sentCode(app, gateway.NewOTP{To: number(1), Length: 9, TTL: 31 * time.Second}, 0)
	if len(c) != 9 || v.ExpiresAt.Sub(r.g.Now()) != 31*time.Second {
		t.Fatalf("code of %d digits, %+v", len(c), v)
	}
	// A resend, and a second POST that asks for something else, keep both.
	r.pass(30 * time.Second)
	w := r.create(app, gateway.NewOTP{To: number(1), Length: 7, TTL: 2 * time.Minute})
	if c = codeIn(t, r.texts(number(1), 2)[1].Text); !w.Reused || w.ID != v.ID || len(c) != 9 || w.ExpiresAt.Sub(r.g.Now()) != 31*time.Second {
		t.Fatalf("code of %d digits, %+v", len(c), w)
	}
	r.approve(app, v.ID, c)
	if _, c := r.sentCode(app, gateway.NewOTP{To: number(2)}, 0); len(c) != 7 {
		t.Fatalf("the default gives %d digits", len(c))
	}
}
