package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/modemgate/modemgate/configs"
	"github.com/modemgate/modemgate/gateway"
)

const (
	// defaultPatience is how long an answer may take beyond what was asked to
	// wait.
	defaultPatience = 15 * time.Second
	// longPoll is asked for at a time; the API waits 55 s at most.
	longPoll = 50 * time.Second
	// leastPoll keeps a daemon that does not wait, such as one that stops,
	// from being asked without a break.
	leastPoll = 200 * time.Millisecond
	// maxAnswer bounds an answer, octets: a page of 200 long SMS is far below.
	maxAnswer = 64 << 20
	// maxTries is how often a request with an Idempotency-Key is sent.
	maxTries = 4
)

// failure is an error for people: what went wrong, what to do, and the exit
// code that stands for it.
type failure struct {
	code  int
	text  string
	hints []string
	usage bool // the command line is wrong: the right form is told too
}

func (f *failure) Error() string { return f.text }

// report prints an error with its hints and returns its exit code.
func report(s system, err error) int {
	f := &failure{}
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &f):
	case errors.Is(err, context.Canceled):
		f = &failure{code: exitFailed, text: "interrupted"}
	default:
		f = &failure{code: exitFailed, text: err.Error()}
	}
	fmt.Fprintf(s.err, "modemgate: %s\n", clean(f.text))
	if f.usage && s.usage != "" {
		fmt.Fprintf(s.err, "  %s\n", s.usage)
	}
	for _, h := range f.hints {
		fmt.Fprintf(s.err, "  %s\n", clean(h))
	}
	return f.code
}

// client talks to one daemon.
type client struct {
	http  *http.Client
	base  string // URL without a final slash
	key   string // API key; "" on the socket
	place string // what people know the daemon by
	local bool   // by admin.sock, or with no daemon at all
	cfg   configs.Config
	end   func() error

	patience time.Duration // 0: defaultPatience
}

// close lets go of what the client holds.
func (c *client) close() error {
	c.http.CloseIdleConnections()
	if c.end == nil {
		return nil
	}
	return c.end()
}

// call is one request.
type call struct {
	method string
	path   string
	query  url.Values
	body   any           // JSON; nil for none
	once   bool          // carries an Idempotency-Key: a lost answer is asked for again
	wait   time.Duration // of a long poll
	long   bool          // takes as long as there is data: no time-out
}

// do sends the request and decodes the answer into out, if that is not nil.
// It returns the answer as it came. All errors but those of ctx are a
// *failure; a refusal by the gateway is a *refusal too.
func (c *client) do(ctx context.Context, r call, out any) ([]byte, error) {
	var key string
	if r.once {
		key = "cli-" + strings.ToLower(rand.Text())
	}
	limit := cmp.Or(c.patience, defaultPatience) + r.wait
	if !r.long {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, limit, errTooLate)
		defer cancel()
	}
	for try := 1; ; try++ {
		answer, err := c.try(ctx, r, key)
		if err == nil {
			return answer, decode(answer, out)
		}
		var lost *lostError
		switch {
		case !errors.As(err, &lost):
			return nil, err
		case errors.Is(context.Cause(ctx), errTooLate):
			return nil, c.tooLate(r, limit)
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case !r.once || try == maxTries:
			return nil, c.lost(r, lost.err)
		}
		pause(ctx, time.Duration(try)*300*time.Millisecond)
	}
}

// errTooLate marks the time-out of a request, not of the command.
var errTooLate = errors.New("no answer in time")

// lostError is a request that got no answer.
type lostError struct{ err error }

func (e *lostError) Error() string { return e.err.Error() }

func (c *client) try(ctx context.Context, r call, once string) ([]byte, error) {
	req, err := c.request(ctx, r, once)
	if err != nil {
		return nil, err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err // the URL is in what people are told anyway
		}
		return nil, &lostError{err}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return nil, &lostError{err}
	}
	if resp.StatusCode < 300 {
		return body, nil
	}
	return nil, c.refused(resp, body)
}

func (c *client) request(ctx context.Context, r call, once string) (*http.Request, error) {
	var body io.Reader
	if r.body != nil {
		b, err := json.Marshal(r.body)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(b)
	}
	target := c.base + r.path
	if len(r.query) > 0 {
		target += "?" + r.query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, r.method, target, body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", "modemgate/"+fullVersion())
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.key != "" {
		req.Header.Set("Authorization", "Bearer "+c.key)
	}
	if once != "" {
		req.Header.Set("Idempotency-Key", once)
	}
	return req, nil
}

func decode(answer []byte, out any) error {
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return &failure{code: exitFailed, text: "the answer cannot be read: " + err.Error(), hints: []string{"are modemgate here and the daemon of one version?"}}
	}
	return nil
}

// problem is the body of an error (RFC 9457).
type problem struct {
	Detail    string     `json:"detail"`
	Code      string     `json:"code"`
	RequestID string     `json:"request_id"`
	RetryAt   *time.Time `json:"retry_at"`
	Errors    []struct {
		Pointer string `json:"pointer"`
		Detail  string `json:"detail"`
	} `json:"errors"`
}

// refusal is an answer of the gateway that says no.
type refusal struct {
	failure
	problem
	status int
}

func (r *refusal) Error() string { return r.text }

func (r *refusal) As(target any) bool {
	if f, ok := target.(**failure); ok {
		*f = &r.failure
		return true
	}
	return false
}

func (c *client) refused(resp *http.Response, body []byte) error {
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	r := &refusal{status: resp.StatusCode}
	if kind != "application/problem+json" || json.Unmarshal(body, &r.problem) != nil || r.Detail == "" {
		return &failure{
			code: exitUnreachable, text: fmt.Sprintf("%s answers %s, and not as modemgate does", c.place, resp.Status),
			hints: []string{"is MODEMGATE_URL the address of modemgate itself? A proxy may stand before it"},
		}
	}
	r.failure = failure{code: exitFailed, text: r.words(c), hints: r.advice(c)}
	return r
}

// words are the detail as it is true for who asks here: the faults of a request
// are listed below it, and to the operator no key's things are hidden.
func (r *refusal) words(c *client) string {
	switch {
	case len(r.Errors) > 1:
		return fmt.Sprintf("%d things are wrong with this request", len(r.Errors))
	case c.local && r.Code == "not-found":
		return strings.TrimSuffix(r.Detail, gateway.OrAnotherKeys)
	}
	return r.Detail
}

// advice is what to do about a refusal, beyond what its detail says.
func (r *refusal) advice(c *client) []string {
	var out []string
	if len(r.Errors) > 1 {
		for _, e := range r.Errors {
			name := strings.TrimPrefix(e.Pointer, "/")
			if strings.HasPrefix(e.Detail, name+" ") { // it is named already
				name = ""
			}
			out = append(out, strings.TrimSpace(name+" "+e.Detail))
		}
	}
	switch {
	case r.Code == "unauthenticated" && !c.local:
		out = append(out, "set MODEMGATE_KEY to a secret that modemgate key new printed on the machine of the daemon")
	case r.Code == "not-found" && strings.HasPrefix(r.Detail, gateway.NoSuchMessage):
		out = append(out, "modemgate messages lists the newest")
	case r.Code == "no-line":
		out = append(out, "modemgate status says what the lines lack")
	case r.Code == "internal":
		out = append(out, "the request id is "+r.RequestID)
	}
	if r.RetryAt != nil {
		out = append(out, "try again at "+when(*r.RetryAt))
	}
	return out
}

func (c *client) tooLate(r call, limit time.Duration) error {
	return &failure{
		code: exitTimeout, text: fmt.Sprintf("%s gives no answer within %v", c.place, limit),
		hints: []string{doubt(r), "is its disk full or its machine overloaded? The log of the daemon says more"},
	}
}

func (c *client) lost(r call, err error) error {
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "dial" {
		f := &failure{code: exitUnreachable, text: fmt.Sprintf("%s does not answer: %v", c.place, op.Err)}
		if !c.local {
			f.hints = []string{"is the daemon running, and is MODEMGATE_URL its address?"}
		}
		return f
	}
	f := &failure{code: exitUnreachable, text: fmt.Sprintf("%s gave no answer: %.200v", c.place, err), hints: []string{doubt(r)}}
	switch why := err.Error(); {
	case strings.Contains(why, "x509: "):
		f.hints = []string{"for a certificate of your own authority set SSL_CERT_FILE to its PEM file"}
	case strings.Contains(why, "server gave HTTP response to HTTPS client"):
		f.text, f.hints = c.place+" has no TLS", []string{"write http:// in MODEMGATE_URL, or set api.tls in the configuration of the daemon"}
	case strings.Contains(why, "malformed HTTP"), strings.Contains(why, "readLoopPeekFail"), errors.Is(err, net.ErrClosed): // it spoke first
		f.text, f.hints = c.place+" is no API: another program or the NATS port answers", []string{"is MODEMGATE_URL the address that modemgate serve calls api in its log?"}
	}
	return f
}

// doubt says what a lost answer means.
func doubt(r call) string {
	if r.method == http.MethodGet {
		return "nothing was changed"
	}
	return "whether it was done is not known: modemgate status, queue or key list show it"
}

// pause waits, or less when ctx ends.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
