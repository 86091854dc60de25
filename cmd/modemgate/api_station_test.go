package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/modemgate/modemgate/configs"
	"github.com/modemgate/modemgate/gateway"
)

// limit bounds every wait of these tests; reaching it means a hang.
const limit = 60 * time.Second

// station is the whole program in this process: simulated modems on ptys, the
// API over TCP and on admin.sock, the embedded NATS server.
type station struct {
	t *testing.T
	*life
	cfg    configs.Config
	admin  string // secret of the key admin
	tcp    *http.Client
	socket *http.Client
}

// life is the present run of the program on the data directory of a station.
type life struct {
	*app
	end func()
}

// newStation starts the program with two simulated modems, or with what change
// makes of the configuration.
func newStation(t *testing.T, change ...func(*configs.Config)) *station {
	t.Helper()
	cfg := configs.Default()
	cfg.DataDir, cfg.API.Listen, cfg.NATS.Listen = filepath.Join(shortDir(t), "d"), "127.0.0.1:0", "127.0.0.1:0"
	cfg.Site, cfg.Storage.Reserve = "lab", 1<<20
	cfg.Modems.Simulate = 2
	for _, c := range change {
		c(&cfg)
	}
	s := &station{t: t, life: &life{}, cfg: cfg, tcp: &http.Client{Timeout: limit, Transport: &http.Transport{}}}
	s.socket = &http.Client{Timeout: limit, Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", filepath.Join(cfg.DataDir, socketName))
		},
	}}
	s.begin()
	t.Cleanup(func() { s.stop() })
	s.admin = s.key("admin", "admin")
	return s
}

// begin starts a life and waits until its lines are up and NATS clients are
// let in.
func (s *station) begin() {
	s.t.Helper()
	s.start()
	if err := s.bus.AwaitStreams(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
	s.linesUp()
}

// start starts a life; more changes what the gateway is told.
func (s *station) start(more ...func(*gateway.Options)) {
	s.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	a, err := build(ctx, s.cfg, slog.New(slog.DiscardHandler), nil, more...)
	if err != nil {
		cancel()
		s.t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- a.run(ctx) }()
	s.life.app, s.life.end = a, func() {
		cancel()
		if err := <-done; err != nil {
			s.t.Errorf("the daemon ends with %v", err)
		}
	}
}

func (s *station) linesUp() {
	s.t.Helper()
	if len(s.cfg.Modems.Names()) == 0 {
		return
	}
	s.until("lines are up", func() bool {
		for _, l := range s.local("GET", "/v1/lines", "").list("items") {
			if state := l.text("state"); state != "up" && state != "paused" {
				return false
			}
		}
		return true
	})
}

func (s *station) stop() {
	s.tcp.CloseIdleConnections()
	s.socket.CloseIdleConnections()
	if s.life.end != nil {
		s.life.end()
		s.life.end = nil
	}
}

// restart ends the program and starts it anew on the same data directory.
func (s *station) restart() {
	s.t.Helper()
	s.stop()
	s.begin()
}

// in is the same station for a subtest.
func (s *station) in(t *testing.T) *station {
	c := *s
	c.t = t
	return &c
}

// key makes an API key over admin.sock and gives its secret; more are members
// of the request, such as `"to":["+44"]`.
func (s *station) key(name, scopes string, more ...string) string {
	s.t.Helper()
	list, _ := json.Marshal(strings.Split(scopes, ","))
	r := s.local("POST", "/v1/admin/keys", fmt.Sprintf(`{%s}`, strings.Join(append([]string{
		fmt.Sprintf(`"name":%q,"scopes":%s`, name, list),
	}, more...), ",")))
	r.want(s.t, http.StatusCreated, "")
	return r.text("secret")
}

var keys, numbers atomic.Int64

// someKey makes a key under a name of its own.
func (s *station) someKey(scopes string, more ...string) string {
	s.t.Helper()
	return s.key(fmt.Sprintf("key-%d", keys.Add(1)), scopes, more...)
}

// number is a number that no test has used.
func number() string { return fmt.Sprintf("+4477009%05d", numbers.Add(1)) }

// ask sends a request over TCP with a key; headers are pairs of name and value.
func (s *station) ask(key, method, path, body string, headers ...string) body {
	s.t.Helper()
	if key != "" {
		headers = append(headers, "Authorization", "Bearer "+key)
	}
	return s.send(s.tcp, "http://"+s.api.Addr().String(), method, path, body, headers...)
}

// local sends a request on admin.sock.
func (s *station) local(method, path, body string, headers ...string) body {
	s.t.Helper()
	return s.send(s.socket, "http://modemgate", method, path, body, headers...)
}

func (s *station) send(c *http.Client, base, method, path, content string, headers ...string) body {
	s.t.Helper()
	req, err := http.NewRequest(method, base+path, strings.NewReader(content))
	if err != nil {
		s.t.Fatal(err)
	}
	if content != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Add(headers[i], headers[i+1])
	}
	resp, err := c.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	b := body{status: resp.StatusCode, header: resp.Header, raw: string(raw)}
	if strings.Contains(resp.Header.Get("Content-Type"), "json") {
		if err := json.Unmarshal(raw, &b.value); err != nil {
			s.t.Fatalf("%s %s: %v in %s", method, path, err, raw)
		}
	}
	holdToDocument(s.t, req, b)
	return b
}

// until waits for a condition.
func (s *station) until(what string, ok func() bool) {
	s.t.Helper()
	waitUntil(s.t, what, ok)
}

func waitUntil(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(limit); !ok(); <-tick.C {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}

// message posts a message and gives its answer, which must be 202.
func (s *station) message(key, to, text string, more ...string) body {
	s.t.Helper()
	fields := append([]string{fmt.Sprintf(`"to":%q,"text":%q`, to, text)}, more...)
	return s.ask(key, "POST", "/v1/messages", "{"+strings.Join(fields, ",")+"}").want(s.t, http.StatusAccepted, "")
}

// otp posts a one-time password, which must be new.
func (s *station) otp(key, to string, more ...string) body {
	s.t.Helper()
	fields := append([]string{fmt.Sprintf(`"to":%q`, to)}, more...)
	return s.ask(key, "POST", "/v1/otp", "{"+strings.Join(fields, ",")+"}").want(s.t, http.StatusCreated, "")
}

// reaches waits until a message or an OTP is in a state.
func (s *station) reaches(path, state string) body {
	s.t.Helper()
	b := s.ask(s.admin, "GET", path, "")
	for end := time.Now().Add(limit); b.text("state") != state; {
		if b.flag("final") || time.Now().After(end) {
			s.t.Fatalf("%s is %s, want %s: %s", path, b.text("state"), state, b.raw)
		}
		b = s.ask(s.admin, "GET", fmt.Sprintf("%s?wait=5s&after=%d", path, b.int("rev")), "")
	}
	return b
}

// code waits for the n-th code on a simulated phone.
func (s *station) code(to string, n int) string {
	s.t.Helper()
	var codes []string
	s.until(fmt.Sprintf("%d codes on %s", n, to), func() bool {
		codes = nil
		for _, text := range s.sim.Phone(to).Received() {
			if code := codeForm.FindString(text.Text); code != "" {
				codes = append(codes, code)
			}
		}
		return len(codes) >= n
	})
	return codes[n-1]
}

var codeForm = regexp.MustCompile(`^\d{4,10}\b`)

// stacks are those of all goroutines.
func stacks() string {
	b := make([]byte, 4<<20)
	return string(b[:runtime.Stack(b, true)])
}

// other is a code that is not this one.
func other(code string) string {
	return string('0'+(code[0]-'0'+1)%10) + code[1:]
}
