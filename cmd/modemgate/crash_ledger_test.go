package main_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/modemgate/modemgate/driver/sim"
)

// ledger is what the world outside did and saw: what it asked for, what it
// was answered, what it texted in, and which events it read.
type ledger struct {
	mu      sync.Mutex
	posts   []*post
	letters []*letter
	events  map[string]map[uint64]event // by stream and sequence
	faults  []string
}

func newLedger() *ledger {
	l := &ledger{events: map[string]map[uint64]event{}}
	for _, s := range streams {
		l.events[s] = map[uint64]event{}
	}
	return l
}

// post is one message or one-time password that was asked for.
type post struct {
	path, to, body, idempotency string

	text   string // "" for an OTP
	parts  int
	policy string // on_unknown

	answered bool // 201 or 202 was seen
	replayed bool // by a later answer than the first
	id       string
	message  string // id of the message; for an OTP another than id

	tried    bool // a verify may have been counted
	approved bool // a verify was answered valid
	made     time.Time
	state    string
}

func (p *post) otp() bool { return p.path == "/v1/otp" }

// letter is an SMS that a phone sent to a line.
type letter struct {
	from, to, text string
}

// long is a text of three parts in the alphabet of its first rune.
func long(s string) string { return s + strings.Repeat(" ~"+s, 330/(len(s)+2)) }

// message notes a message to a phone of its own.
func (l *ledger) message(text, policy string, parts int) *post {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := len(l.posts) + 1
	p := &post{
		path: "/v1/messages", to: fmt.Sprintf("+4479%08d", n), idempotency: fmt.Sprintf("m-%d", n), policy: policy, parts: parts,
		text: strings.ReplaceAll(text, "#", fmt.Sprint(n)),
	}
	p.body = fmt.Sprintf(`{"to":%q,"text":%s,"on_unknown":%q}`, p.to, quote(p.text), policy)
	l.posts = append(l.posts, p)
	return p
}

// code notes a one-time password for a phone of its own.
func (l *ledger) code() *post {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := len(l.posts) + 1
	p := &post{path: "/v1/otp", to: fmt.Sprintf("+4479%08d", n), idempotency: fmt.Sprintf("o-%d", n), policy: "resend", parts: 1, made: time.Now()}
	p.body = fmt.Sprintf(`{"to":%q}`, p.to)
	l.posts = append(l.posts, p)
	return p
}

// letter notes an SMS to a line.
func (l *ledger) letter(to, text string) *letter {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := len(l.letters) + 1
	x := &letter{from: fmt.Sprintf("+4478%08d", n), to: to, text: strings.ReplaceAll(text, "#", fmt.Sprint(n))}
	l.letters = append(l.letters, x)
	return x
}

// text lets a phone of its own text to the first line.
func (r *rig) text(text string) {
	r.Helper()
	r.textTo(r.net.Modems()[0], text)
}

func (r *rig) textTo(m *sim.Modem, text string) {
	r.Helper()
	x := r.books.letter(m.Number(), text)
	if err := r.net.Phone(x.from).Send(x.to, x.text); err != nil {
		r.Fatal(err)
	}
}

// event notes an event that was read. One that is delivered again because its
// acknowledgement was lost has the same place in the stream.
func (l *ledger) event(stream string, e event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if old, again := l.events[stream][e.seq]; again && old.id != e.id {
		l.faults = append(l.faults, fmt.Sprintf("%s %d was %s and is %s", stream, e.seq, old.id, e.id))
	}
	l.events[stream][e.seq] = e
}

// send makes the request of a post; false when no answer came. An answer to a
// repeat must be the first one's.
func (r *rig) send(p *post) bool {
	r.Helper()
	var a struct {
		ID      string
		Message string `json:"message_id"`
		Reused  bool
	}
	status, h, err := r.call(http.MethodPost, p.path, p.body, p.idempotency, &a)
	if err != nil {
		return false
	}
	want := http.StatusAccepted
	if p.otp() {
		want = http.StatusCreated
	} else {
		a.Message = a.ID
	}
	if status != want || a.Reused {
		r.Errorf("POST %s for %s: status %d, reused %v", p.path, p.to, status, a.Reused)
		return true
	}
	p.replayed = h.Get("Idempotency-Replayed") == "true"
	if p.answered && (p.id != a.ID || !p.replayed) {
		r.Errorf("POST %s for %s again: was %s and is %s, replayed %v", p.path, p.to, p.id, a.ID, p.replayed)
	}
	p.answered, p.id, p.message = true, a.ID, a.Message
	return true
}

// again repeats all requests after a start: one that was not answered exists
// whole or not at all, and none makes a second message.
func (r *rig) again() bool {
	r.Helper()
	for _, p := range r.books.posts {
		was := p.answered
		there, ok := r.messagesTo(p.to)
		if !ok || !r.send(p) {
			return false
		}
		switch {
		case was && len(there) != 1:
			r.Errorf("%s was answered and the store has %d of it", p.id, len(there))
		case !was && (len(there) > 1 || len(there) == 1 && there[0].ID != p.message || p.replayed != (len(there) == 1)):
			r.Errorf("not answered, %s was there %d times (%v); the repeat was replayed: %v, message %s", p.path, len(there), there, p.replayed, p.message)
		}
	}
	return true
}

// view is a message as the API shows it.
type view struct {
	ID, State, To, Text string
	Final               bool
	Parts               int
	PartsSent           int  `json:"parts_sent"`
	PossibleDuplicate   bool `json:"possible_duplicate"`
	Error               string
	History             []struct{ State, Note, Error string }
}

func (v view) was(state string) bool {
	for _, h := range v.History {
		if h.State == state {
			return true
		}
	}
	return false
}

func (r *rig) messagesTo(number string) ([]view, bool) {
	return pages[view](r, "/v1/messages", url.Values{"to": {number}})
}

// settled says whether nothing will happen to a message any more but a report.
func (v view) settled() bool {
	switch v.State {
	case "queued", "sending":
		return false
	case "unknown":
		return v.Final
	}
	return true
}

// settle waits until every message has its outcome; false when the daemon
// died first.
func (r *rig) settle() bool {
	r.Helper()
	for _, p := range r.books.posts {
		if !p.answered {
			continue
		}
		var v view
		path := "/v1/messages/" + p.message
		if !r.until(p.message+" to settle", func() bool {
			status, _, err := r.call(http.MethodGet, path, "", "", &v)
			path = "/v1/messages/" + p.message + "?wait=1s"
			return err == nil && status == http.StatusOK && v.settled()
		}) {
			return false
		}
		p.state = v.State
	}
	return true
}

// submissions counts, by recipient and part, what the network took.
func submissions(journal []sim.Entry) map[string]map[int]int {
	all := map[string]map[int]int{}
	for _, e := range journal {
		if e.Kind != sim.JournalSubmitted || e.Modem == "" {
			continue
		}
		if all[e.To] == nil {
			all[e.To] = map[int]int{}
		}
		all[e.To][max(e.Part, 1)]++
	}
	return all
}

// checkOut holds what phones and network saw against what the API says.
func (r *rig) checkOut() {
	r.Helper()
	taken := submissions(r.net.Journal())
	for _, p := range r.books.posts {
		there, _ := r.messagesTo(p.to)
		if len(there) != 1 || there[0].ID != p.message {
			r.Errorf("%s: the store has %d messages to %s", p.message, len(there), p.to)
			continue
		}
		var v view
		r.get("/v1/messages/"+p.message, &v)
		if err := p.judge(v, taken[p.to], r.net.Phone(p.to).Received()); err != nil {
			r.Errorf("%s (%s, on_unknown %s): %v\nthe network took %v, history %+v", p.message, v.State, p.policy, err, taken[p.to], v.History)
		}
		p.state = v.State
	}
}

// judge applies the promise: nothing accepted is lost, nothing is submitted
// twice but where history says unknown and the policy says resend.
func (p *post) judge(v view, taken map[int]int, shown []sim.Text) error {
	most := 1
	if v.PossibleDuplicate {
		if most = 2; p.policy != "resend" || !v.was("unknown") {
			return fmt.Errorf("a copy was sent against the policy")
		}
	}
	for part, n := range taken {
		if n > most {
			return fmt.Errorf("part %d was submitted %d times", part, n)
		}
	}
	switch v.State {
	case "sent", "delivered":
		for part := 1; part <= p.parts; part++ {
			if taken[part] == 0 {
				return fmt.Errorf("part %d was never submitted", part)
			}
		}
		if len(shown) == 0 {
			return fmt.Errorf("the phone shows nothing")
		}
	case "unknown":
		if !v.was("unknown") || p.policy == "resend" && !v.PossibleDuplicate {
			return fmt.Errorf("it may not stay unknown")
		}
	case "failed":
		if p.policy != "fail" || v.Error != "outcome-unknown" {
			return fmt.Errorf("it failed: %s", v.Error)
		}
	default:
		return fmt.Errorf("lost")
	}
	for _, t := range shown {
		if p.text != "" && t.Text != p.text || p.otp() && t.Text != shown[0].Text {
			return fmt.Errorf("the phone shows %q", t.Text)
		}
	}
	if p.otp() && v.Text != "" {
		return fmt.Errorf("the API shows the text of a one-time password")
	}
	return nil
}
