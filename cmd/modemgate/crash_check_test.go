package main_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// codeLife is how long a code is valid; what is older has expired by right.
const codeLife = 5 * time.Minute

// verify tries the code that the phone shows; false when no answer came. Who
// had an approval already is told so.
func (r *rig) verify(p *post) bool {
	r.Helper()
	shown := r.net.Phone(p.to).Received()
	if len(shown) == 0 {
		if p.state != "unknown" {
			r.Errorf("%s: no code came", p.id)
		}
		return true
	}
	code, _, _ := strings.Cut(shown[0].Text, " ")
	var v struct{ Valid bool }
	status, _, err := r.call(http.MethodPost, "/v1/otp/"+p.id+"/verify", fmt.Sprintf(`{"code":%q}`, code), "", &v)
	switch {
	case err != nil:
		p.tried = true
		return false
	case status == http.StatusOK && v.Valid && !p.approved:
		p.approved = true
	case status == http.StatusGone && (p.approved || p.tried || time.Since(p.made) > codeLife):
	default:
		r.Errorf("verify %s: %d, valid %v, approved before %v, tried before %v", p.id, status, v.Valid, p.approved, p.tried)
	}
	return true
}

// verifyAll tries every code, and each a second time, which must not count.
func (r *rig) verifyAll() bool {
	for _, p := range r.books.posts {
		for range 2 {
			if p.otp() && p.answered && !r.verify(p) {
				return false
			}
		}
	}
	return true
}

// texted is a received SMS as the API shows it.
type texted struct {
	ID, From, Text, Line, Amends string
	Parts                        int
	Incomplete                   bool
}

// empty says whether no SIM holds anything.
func (r *rig) empty() bool {
	for _, m := range r.net.Modems() {
		if len(m.Stored()) > 0 {
			return false
		}
	}
	return true
}

// arrived waits until the SIMs are empty and as much was received as was
// texted; false when the daemon died first.
func (r *rig) arrived() bool {
	r.Helper()
	return r.until("all SMS received", func() bool {
		var page struct{ Items []texted }
		want := len(r.books.letters)
		q := fmt.Sprintf("/v1/inbound?limit=200&order=asc&after=%d", max(0, want-200))
		status, _, err := r.call(http.MethodGet, q, "", "", &page)
		return err == nil && status == http.StatusOK && len(page.Items) >= min(want, 200) && r.empty()
	})
}

// checkIn demands every SMS texted in exactly once over REST.
func (r *rig) checkIn() {
	r.Helper()
	count := map[string]int{}
	all, _ := pages[texted](r, "/v1/inbound", url.Values{"order": {"asc"}})
	for _, in := range all {
		count[in.From+" "+in.Text]++
		if in.Incomplete || in.Amends != "" {
			r.Errorf("%s of %s is in pieces", in.ID, in.From)
		}
	}
	for _, x := range r.books.letters {
		if n := count[x.from+" "+x.text]; n != 1 {
			r.Errorf("the SMS of %s is in /v1/inbound %d times", x.from, n)
		}
		delete(count, x.from+" "+x.text)
	}
	for x := range count {
		r.Errorf("nobody sent %.60q", x)
	}
	if !r.empty() {
		r.Error("a SIM is not empty")
	}
}

// checkEvents demands every event once: no id in two places of a stream, and
// each SMS on NATS exactly once.
func (r *rig) checkEvents() {
	r.Helper()
	l := r.books
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, f := range l.faults {
		r.Error(f)
	}
	inbound := map[string]int{}
	for _, stream := range streams {
		seen := map[string]uint64{}
		for seq, e := range l.events[stream] {
			if other, twice := seen[e.id]; twice {
				r.Errorf("%s holds %s twice, at %d and %d", stream, e.id, other, seq)
			}
			seen[e.id] = seq
			if stream == "SMS_INBOUND" {
				inbound[e.body.From+" "+e.body.Text]++
			}
		}
	}
	for _, x := range l.letters {
		if n := inbound[x.from+" "+x.text]; n != 1 {
			r.Errorf("the SMS of %s is on NATS %d times", x.from, n)
		}
		delete(inbound, x.from+" "+x.text)
	}
	for x := range inbound {
		r.Errorf("nobody sent what is on NATS: %.60q", x)
	}
}

// lastWords are the disagreements between the last event about each message
// and OTP and what the API says of it now.
func (r *rig) lastWords() (wrong []string) {
	r.Helper()
	now := map[string]string{}
	for _, p := range r.books.posts {
		for _, about := range []string{"/v1/messages/" + p.message, p.path + "/" + p.id} {
			var v struct{ ID, State string }
			r.get(about, &v)
			now[v.ID] = v.State
		}
	}
	r.drain()
	r.books.mu.Lock()
	defer r.books.mu.Unlock()
	last := map[string]event{}
	for seq, e := range r.books.events["SMS_STATUS"] {
		if seq > last[e.body.ID].seq {
			last[e.body.ID] = e
		}
	}
	for id, state := range now {
		if got := last[id].body.State; got != state {
			wrong = append(wrong, fmt.Sprintf("the last event of %s says %q, the API %q", id, got, state))
		}
	}
	return wrong
}

// checkAll waits until everything is quiet and checks both directions.
func (r *rig) checkAll() {
	r.Helper()
	if !r.again() || !r.settle() || !r.verifyAll() || !r.arrived() {
		r.Fatalf("the daemon died of nothing:\n%s", r.now().tail())
	}
	r.checkOut()
	r.checkIn()
	r.must("the last events to say what the API says", func() bool { return len(r.lastWords()) == 0 })
	r.checkEvents()
}
