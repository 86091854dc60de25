package main_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/nats-io/nats.go"
)

// witness is a site whose every word is kept: the whole log of the program at
// level debug, the bodies of all answers, the payloads of all events.
type witness struct {
	*rig
	logFile string
	env     []string                     // of the daemon, with that of the test
	texts   func(number string) []string // what a phone has

	mu       sync.Mutex
	secret   map[string]string // what must not be seen, and what it is
	number   map[string]bool   // must not be in logs
	bodies   []answer
	dialogue []answer            // with the modems
	payloads map[string][]byte   // by subject and sequence
	needles  map[string][][]byte // the forms of each secret
}

// answer is one answer of the API.
type answer struct {
	what   string
	status int
	body   string
}

func newWitness(t *testing.T, lines string) *witness {
	t.Helper()
	w := &witness{rig: newRig(t, rigOptions{modems: 2}), secret: map[string]string{}, number: map[string]bool{}, payloads: map[string][]byte{}}
	w.logFile = filepath.Join(w.dir, "log")
	if lines == "" {
		lines = "auto: false, list: ["
		for i, m := range w.net.Modems() {
			lines += fmt.Sprintf("{name: line%d, port: %s, number: %q, limits: {per_minute: 100000, per_day: 100000}},", i, m.Path(), m.Number())
			w.phoneNumber(m.Number())
		}
		lines += "]"
	}
	text := fmt.Sprintf(`data_dir: %s
site: lab
api: {listen: "127.0.0.1:0"}
nats: {listen: "127.0.0.1:0"}
modems: {%s}
limits: {allow: ["+4"]}
storage: {max: 1GiB, reserve: 1MiB}
otp: {length: 10, resend_after: 1s, brand: Zanzibar, per_number: {hour: 100, day: 100}}
log: {level: debug}
`, w.data, lines)
	if err := os.WriteFile(w.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	w.hide("the API key", w.key)
	return w
}

// hide notes something that must be seen nowhere.
func (w *witness) hide(what, secret string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.secret[secret] = what
	return secret
}

// phoneNumber notes a number that must be whole in no log.
func (w *witness) phoneNumber(n string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.number[n] = true
	return n
}

// up starts a life with its log in the file, and reads its events.
func (w *witness) up() {
	w.Helper()
	log, err := os.OpenFile(w.logFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		w.Fatal(err)
	}
	defer log.Close()
	for _, name := range []string{"api.addr", "nats.addr"} {
		os.Remove(filepath.Join(w.data, name))
	}
	d := &daemon{cmd: exec.Command(w.binary, "serve", "--config", w.config), ready: make(chan struct{}), done: make(chan struct{})}
	d.cmd.Env = append(append(os.Environ(), "MODEMGATE_GRACE="+graceForTests), w.env...)
	d.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	d.cmd.Stdout, d.cmd.Stderr = log, log
	if err := d.cmd.Start(); err != nil {
		w.Fatal(err)
	}
	go func() { d.cmd.Wait(); close(d.done) }()
	w.rig.mu.Lock()
	w.d = d
	w.rig.mu.Unlock()
	w.must("the daemon listens", func() bool {
		api, e1 := os.ReadFile(filepath.Join(w.data, "api.addr"))
		_, e2 := os.Stat(filepath.Join(w.data, "nats.addr"))
		d.api = strings.TrimSpace(string(api))
		return e1 == nil && e2 == nil
	})
	w.must("two lines are up", func() bool { return strings.Count(w.ask("GET", "/v1/lines", "").body, `"state":"up"`) == 2 })
}

// ask makes a request with the key and keeps the answer; headers are pairs.
func (w *witness) ask(method, path, body string, headers ...string) answer {
	w.Helper()
	req, err := http.NewRequest(method, "http://"+w.now().api+path, strings.NewReader(body))
	if err != nil {
		w.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+w.key)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := web.Do(req)
	if err != nil {
		w.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		w.Fatal(err)
	}
	a := answer{method + " " + path, resp.StatusCode, string(b)}
	w.mu.Lock()
	w.bodies = append(w.bodies, a)
	w.mu.Unlock()
	return a
}

// wants demands a status.
func (a answer) wants(t *testing.T, status int) answer {
	t.Helper()
	if a.status != status {
		t.Fatalf("%s: %d %s, want %d", a.what, a.status, a.body, status)
	}
	return a
}

func (a answer) member(name string) string {
	var v map[string]any
	_ = json.Unmarshal([]byte(a.body), &v)
	s, _ := v[name].(string)
	return s
}

// codeInText finds the code of an OTP, or what the tests make look like one.
var codeInText = regexp.MustCompile(`\b[0-9]{10}\b`)

// onPhones are the texts that a phone of the simulated network has.
func (w *witness) onPhones(number string) (list []string) {
	for _, text := range w.net.Phone(number).Received() {
		list = append(list, text.Text)
	}
	return list
}

// logged is the log up to now.
func (w *witness) logged() string {
	w.Helper()
	log, err := os.ReadFile(w.logFile)
	if err != nil {
		w.Fatal(err)
	}
	return string(log)
}

// code waits for the n-th text of a phone, hides it, and gives its code.
func (w *witness) code(number string, n int) string {
	w.Helper()
	var got []string
	w.must("an OTP is on the phone", func() bool { got = w.texts(number); return len(got) >= n })
	c := codeInText.FindString(got[n-1])
	if c == "" {
		w.Fatalf("no code in %q", got[n-1])
	}
	w.hide("the text of an OTP", got[n-1])
	return w.hide("a code", c)
}

// settled waits until a message or an OTP's message has left the queue.
func (w *witness) settled(path string) {
	w.Helper()
	w.must(path+" is settled", func() bool {
		switch w.ask("GET", path, "").member("state") {
		case "queued", "sending", "pending":
			return false
		}
		return true
	})
}

// events reads all that the streams hold, into payloads.
func (w *witness) events() {
	w.Helper()
	w.must("all events published", w.published)
	s, err := w.subscribe()
	if err != nil {
		w.Fatal(err)
	}
	defer s.nc.Close()
	for stream, c := range s.cons {
		for {
			batch, err := c.FetchNoWait(500)
			if err != nil {
				w.Fatal(err)
			}
			n := 0
			for m := range batch.Messages() {
				meta, err := m.Metadata()
				if err != nil {
					w.Fatal(err)
				}
				w.payloads[fmt.Sprintf("%s %d %s", stream, meta.Sequence.Stream, m.Subject())] = withHeaders(m.Data(), m.Headers())
				if err := m.DoubleAck(context.Background()); err != nil {
					w.Fatal(err)
				}
				n++
			}
			if n == 0 {
				break
			}
		}
	}
}

// withHeaders is a payload with its headers, as it goes over the wire.
func withHeaders(data []byte, h nats.Header) []byte {
	var b bytes.Buffer
	_ = http.Header(h).Write(&b)
	return append(b.Bytes(), data...)
}

// S21: a whole life at level debug, of every client action, every error,
// hostile inputs and failing modems, leaves no code, text, key or PDU in the
// log, the events, the errors or the files, and no whole number in the log.
// The same grep finds all of them where they are not masked.
func TestS21NothingLeaks(t *testing.T) {
	t.Parallel()
	t.Run("modems", func(t *testing.T) {
		t.Parallel()
		w := newWitness(t, "")
		w.texts = w.onPhones
		w.up()
		w.clients()
		w.operator()
		w.intruders()
		w.failures()
		w.traces()
		w.inboundTexts(func(number, text string) {
			if err := w.net.Phone(number).Send(w.net.Modems()[1].Number(), text); err != nil {
				w.Fatal(err)
			}
		})
		w.house()
		w.judge()
		w.control()
	})
	t.Run("simulate", func(t *testing.T) {
		t.Parallel()
		w := newWitness(t, "simulate: 2")
		w.texts = func(number string) (list []string) {
			var page struct{ Items []struct{ Text string } }
			if status, _, err := w.call("GET", "/v1/sim/phones/"+number, "", "", &page); err != nil || status != 200 {
				w.Fatalf("%d %v", status, err)
			}
			for _, text := range page.Items {
				list = append(list, text.Text)
			}
			return list
		}
		w.up()
		w.clients()
		w.operator()
		w.intruders()
		w.inboundTexts(func(number, text string) {
			w.ask("POST", "/v1/sim/phones/"+number+"/send", fmt.Sprintf(`{"text":%q,"line":"modem1"}`, text)).wants(t, 202)
		})
		w.house()
		w.judge()
	})
}
