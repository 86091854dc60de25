package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/modemgate/modemgate/configs"
)

var update = flag.Bool("update", false, "write the golden files anew")

// answers are what a fake daemon says, by "METHOD /path?query", in turn; the
// last is repeated. A body that begins with {"type" is a problem.
type answers map[string][]string

// fake is a daemon that answers from a table and keeps what it was asked.
type fake struct {
	dir  string // data_dir
	mu   sync.Mutex
	log  strings.Builder
	last string
	say  answers
}

// newFake listens on admin.sock. Its directory has a short path: that of a
// socket holds 107 octets.
func newFake(t *testing.T, say answers) *fake {
	t.Helper()
	dir, err := os.MkdirTemp("", "mg")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	f := &fake{dir: dir, say: say}
	l, err := net.Listen("unix", filepath.Join(dir, socketName))
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: f}
	go s.Serve(l)
	t.Cleanup(func() { s.Close() })
	return f
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	body, _ := io.ReadAll(r.Body)
	what := r.Method + " " + waits.ReplaceAllString(r.URL.RequestURI(), "wait=W")
	if strings.Contains(what, "wait=W") && what == f.last {
		f.log.WriteString("  and again\n")
	} else {
		fmt.Fprintf(&f.log, "%s %s\n", what, body)
	}
	f.last = what
	if key := r.Header.Get("Authorization"); key != "" {
		fmt.Fprintf(&f.log, "  Authorization: %s\n", key)
	}
	if r.Header.Get("Idempotency-Key") != "" {
		fmt.Fprintln(&f.log, "  with an Idempotency-Key")
	}
	list := f.say[what]
	if list == nil {
		list = []string{`{"type":"x","status":404,"code":"not-found","detail":"the test knows no such route","request_id":"req_1"}`}
	}
	if len(list) > 1 {
		f.say[what] = list[1:]
	}
	switch {
	case list[0] == "hang up":
		panic(http.ErrAbortHandler)
	case strings.HasPrefix(list[0], `{"type"`):
		w.Header().Set("Content-Type", "application/problem+json")
		status := 400
		if _, rest, ok := strings.Cut(list[0], `"status":`); ok {
			fmt.Sscan(rest[:3], &status)
		}
		w.WriteHeader(status)
	default:
		w.Header().Set("Content-Type", "application/json")
	}
	fmt.Fprintln(w, list[0])
}

// waits depend on the clock.
var waits = regexp.MustCompile(`wait=[0-9]+m?s`)

// asked is what the fake was asked.
func (f *fake) asked() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return strings.ReplaceAll(f.log.String(), "  and again\n", "")
}

// env is an environment with the data directory and without a file.
func (f *fake) env(more ...string) []string {
	return append([]string{"MODEMGATE_DATA_DIR=" + f.dir, "MODEMGATE_CONFIG=/dev/null"}, more...)
}

// result is what a command left.
type result struct {
	code     int
	out, err string
}

// modemgate runs a command in this process.
func modemgate(t *testing.T, env []string, in string, args ...string) result {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	var out, errs bytes.Buffer
	code := run(ctx, system{in: strings.NewReader(in), out: &out, err: &errs, env: env}, args)
	return result{code, out.String(), errs.String()}
}

// golden compares with a file; the data directory is written DATA in it.
func golden(t *testing.T, name, got, dir string) {
	t.Helper()
	got = strings.ReplaceAll(got, dir, "DATA")
	path := filepath.Join("testdata", "client", name+".txt")
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v (go test -update writes it)", err)
	}
	if got != string(want) {
		t.Errorf("%s:\ngot:\n%s\nwant:\n%s", path, got, want)
	}
}

func TestCommands(t *testing.T) {
	for _, c := range commandCases {
		t.Run(c.name, func(t *testing.T) {
			say := answers{}
			for what, list := range c.say {
				say[what] = list
			}
			f := newFake(t, say)
			r := modemgate(t, f.env(), c.in, c.args...)
			if r.code != c.code {
				t.Errorf("exit %d, want %d", r.code, c.code)
			}
			golden(t, c.name, fmt.Sprintf("$ modemgate %s\nexit %d\n--- out\n%s--- err\n%s--- asked\n%s",
				strings.Join(c.args, " "), r.code, r.out, r.err, f.asked()), f.dir)
		})
	}
}

// Wrong command lines end before anybody is asked.
func TestUsage(t *testing.T) {
	for _, args := range []string{
		"send", "send +44", "send +44 a b", "send --nonsense +44 hi", "send --ttl 5 +44 hi", "send --ttl=-5s +44 hi",
		"send --wait 0s +44 hi", "send --send-at soon +44 hi", "send --via , +44 hi", "otp", "otp send", "otp sent +44",
		"otp verify", "otp verify otp_1", "otp verify --to +44", "otp verify --to +44 otp_1 123456",
		"otp verify --purpose x otp_1 123456", "otp send --length six +44", "inbox now", "inbox --since yesterday",
		"inbox --limit -1", "explain", "explain 12", "explain msg", "resolve msg_1", "resolve msg_1 done", "queue empty",
		"status now", "key", "key new", "key new shop", "key new --scopes otp a b", "key new shop --scopes otp --per-day 0",
		"key new shop --scopes otp --from old", "key new shop --scopes otp --expires never", "key revoke", "key list all",
		"doctor now", "modems all", "at", "at front", "at front AT+CPIN=1234", "at front AT ATZ", "at front AT --timeout soon", "trace", "trace a b", "ussd front",
		"ussd front *1# --cancel", "ussd front --reply 1 --cancel",
		"backup", "backup .", "restore", "erase", "erase 1 2",
		"line", "line front", "line pause", "line pause a b", "line pause a --step usb", "line reset a --step x", "cancel", "cancel 12", "messages now",
		"messages --limit 0", "inbox --limit 0", "messages --state x", "otp resend", "otp unlock", "otp unlock 1 2",
	} {
		t.Run(args, func(t *testing.T) {
			f := newFake(t, answers{})
			r := modemgate(t, f.env(), "", strings.Fields(args)...)
			if r.code != exitUsage || r.out != "" || !strings.HasPrefix(r.err, "modemgate: ") {
				t.Errorf("exit %d, out %q, err %q", r.code, r.out, r.err)
			}
			if asked := f.asked(); asked != "" {
				t.Errorf("asked %s", asked)
			}
		})
	}
}

func TestHelpOfEveryClientCommand(t *testing.T) {
	for _, name := range []string{"send", "otp", "inbox", "explain", "resolve", "queue", "line", "messages", "cancel", "status", "modems", "doctor", "at", "ussd", "trace", "key", "backup", "restore", "erase"} {
		r := modemgate(t, nil, "", name, "--help")
		if r.code != exitOK || !strings.HasPrefix(r.out, "usage: modemgate "+name) || !strings.Contains(r.out, "  modemgate "+name) {
			t.Errorf("%s --help: exit %d\n%s", name, r.code, r.out)
		}
		for line := range strings.Lines(r.out) {
			if len([]rune(strings.TrimSpace(line))) > 110 {
				t.Errorf("%s --help has a long line: %s", name, line)
			}
		}
	}
}

func TestNoDaemon(t *testing.T) {
	dir := t.TempDir()
	env := []string{"MODEMGATE_DATA_DIR=" + dir, "MODEMGATE_CONFIG=/dev/null"}
	for _, args := range []string{"status", "send +447700900123 hi", "inbox", "queue release", "erase +447700900123", "explain msg_1", "line show front", "messages", "cancel msg_1", "otp unlock +447700900123"} {
		r := modemgate(t, env, "", strings.Fields(args)...)
		if r.code != exitUnreachable || !strings.Contains(r.err, filepath.Join(dir, socketName)) || !strings.Contains(r.err, "modemgate serve") {
			t.Errorf("%s: exit %d, err %s", args, r.code, r.err)
		}
	}
	// A socket that a daemon left behind when it was killed.
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(shortDir(t), socketName)})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
	r := modemgate(t, []string{"MODEMGATE_DATA_DIR=" + filepath.Dir(l.Addr().String()), "MODEMGATE_CONFIG=/dev/null"}, "", "status")
	if r.code != exitUnreachable || !strings.Contains(r.err, "connection refused") {
		t.Errorf("stale socket: exit %d, err %s", r.code, r.err)
	}
}

func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "mg")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// Without a socket the URL counts, with its key; with one it does not.
func TestRemote(t *testing.T) {
	f := &fake{say: answers{"GET /v1/queue": {`{"otp":0,"high":0,"normal":2,"low":0,"held":0,"oldest_at":null}`}}}
	s := httptest.NewServer(f)
	defer s.Close()
	none := []string{"MODEMGATE_DATA_DIR=" + t.TempDir(), "MODEMGATE_CONFIG=/dev/null"}
	r := modemgate(t, append(none, "MODEMGATE_URL="+s.URL+"/", "MODEMGATE_KEY=mg_secret"), "", "queue")
	if r.code != exitOK || r.out != "2 messages wait to be sent: 2 normal\n" {
		t.Errorf("exit %d, out %q, err %q", r.code, r.out, r.err)
	}
	if want := "GET /v1/queue \n  Authorization: Bearer mg_secret\n"; f.asked() != want {
		t.Errorf("asked %q, want %q", f.asked(), want)
	}
	here := newFake(t, answers{"GET /v1/queue": {`{"otp":1,"high":0,"normal":0,"low":0,"held":0,"oldest_at":null}`}})
	r = modemgate(t, here.env("MODEMGATE_URL="+s.URL, "MODEMGATE_KEY=mg_secret"), "", "queue")
	if r.out != "1 message waits to be sent: 1 one-time password\n" || strings.Contains(here.asked(), "Authorization") {
		t.Errorf("out %q, asked %q", r.out, here.asked())
	}
	for name, c := range map[string]struct {
		env  []string
		args string
		code int
		want string
	}{
		"no key":        {[]string{"MODEMGATE_URL=" + s.URL}, "queue", exitUsage, "MODEMGATE_KEY is not set"},
		"no URL":        {[]string{"MODEMGATE_URL=sms.example.org", "MODEMGATE_KEY=mg_secret"}, "queue", exitUsage, "MODEMGATE_URL: must be a URL"},
		"password":      {[]string{"MODEMGATE_URL=http://me:mg_secret@127.0.0.1", "MODEMGATE_KEY=k"}, "queue", exitUsage, "MODEMGATE_URL: holds credentials"},
		"nobody there":  {[]string{"MODEMGATE_URL=http://127.0.0.1:1", "MODEMGATE_KEY=mg_secret"}, "queue", exitUnreachable, "http://127.0.0.1:1 does not answer"},
		"operator only": {[]string{"MODEMGATE_URL=" + s.URL, "MODEMGATE_KEY=mg_secret"}, "key list", exitUnreachable, "on the machine of the daemon itself"},
	} {
		t.Run(name, func(t *testing.T) {
			r := modemgate(t, append(none, c.env...), "", strings.Fields(c.args)...)
			if r.code != c.code || !strings.Contains(r.err, c.want) || strings.Contains(r.err, "mg_secret") {
				t.Errorf("exit %d, err %s", r.code, r.err)
			}
		})
	}
}

// What answers at the address and is not the API is told as what it is.
func TestRemoteIsSomethingElse(t *testing.T) {
	plain := httptest.NewServer(&fake{say: answers{}})
	defer plain.Close()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			fmt.Fprintf(conn, "INFO %s\r\n", strings.Repeat("x", 1000))
			go func() {
				defer conn.Close()
				_, _ = io.Copy(io.Discard, conn)
			}()
		}
	}()
	for place, want := range map[string]string{
		strings.Replace(plain.URL, "http:", "https:", 1): "has no TLS\n  write http://", "http://" + l.Addr().String(): "is no API: another program",
	} {
		r := modemgate(t, []string{"MODEMGATE_DATA_DIR=" + t.TempDir(), "MODEMGATE_CONFIG=/dev/null", "MODEMGATE_URL=" + place, "MODEMGATE_KEY=mg_x"}, "", "queue")
		if r.code != exitUnreachable || !strings.Contains(r.err, want) || len(r.err) > 400 {
			t.Errorf("exit %d, err %s, want %s", r.code, r.err, want)
		}
	}
}

// A key that would cross a network in the clear is warned of, one that stays
// on the machine is not.
func TestRemoteInTheClear(t *testing.T) {
	s := httptest.NewServer(&fake{say: answers{"GET /v1/queue": {"{}", "{}"}}})
	defer s.Close()
	_, port, _ := strings.Cut(strings.TrimPrefix(s.URL, "http://"), ":")
	for host, warned := range map[string]bool{"127.0.0.1": false, "0.0.0.0": true} { // which the kernel takes for this machine
		r := modemgate(t, []string{
			"MODEMGATE_DATA_DIR=" + t.TempDir(), "MODEMGATE_CONFIG=/dev/null", "MODEMGATE_URL=http://" + host + ":" + port, "MODEMGATE_KEY=mg_x",
		}, "", "queue")
		if got := strings.Contains(r.err, "MODEMGATE_URL is http:// to another machine"); r.code != exitOK || got != warned {
			t.Errorf("%s: exit %d, warned %v: %s", host, r.code, got, r.err)
		}
	}
}

// The key stays at the address it is meant for.
func TestRedirectIsNotFollowed(t *testing.T) {
	other := &fake{say: answers{}}
	to := httptest.NewServer(other)
	defer to.Close()
	from := httptest.NewServer(http.RedirectHandler(to.URL, http.StatusTemporaryRedirect))
	defer from.Close()
	r := modemgate(t, []string{"MODEMGATE_DATA_DIR=" + t.TempDir(), "MODEMGATE_CONFIG=/dev/null", "MODEMGATE_URL=" + from.URL, "MODEMGATE_KEY=mg_x"}, "", "queue")
	if r.code != exitUnreachable || !strings.Contains(r.err, "not as modemgate does") || other.asked() != "" {
		t.Errorf("exit %d, err %q, the other was asked %q", r.code, r.err, other.asked())
	}
}

// A wrong configuration is told with all its faults, and nobody is asked.
func TestWrongConfiguration(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c.yaml")
	if err := os.WriteFile(path, []byte("otp: {length: 3}\nsit: x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := modemgate(t, nil, "", "status", "--config", path)
	if r.code != exitUsage || !strings.Contains(r.err, "otp.length") || !strings.Contains(r.err, "sit") {
		t.Errorf("exit %d, err %s", r.code, r.err)
	}
}

// A daemon that takes the connection and says nothing is a time-out.
func TestNoAnswer(t *testing.T) {
	path := filepath.Join(shortDir(t), socketName)
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for method, want := range map[string]string{http.MethodGet: "nothing was changed", http.MethodPost: "whether it was done is not known"} {
		c := socketClient(configs.Default(), path)
		c.patience = 50 * time.Millisecond
		_, err := c.do(context.Background(), call{method: method, path: "/v1/queue"}, nil)
		var f *failure
		if !errors.As(err, &f) || f.code != exitTimeout || !strings.Contains(strings.Join(f.hints, "\n"), want) {
			t.Errorf("%s: %+v", method, err)
		}
	}
}

// Ctrl-C ends a command at once.
func TestInterrupted(t *testing.T) {
	f := newFake(t, answers{"POST /v1/messages": {queuedMessage}, "GET /v1/messages/msg_1": {queuedMessage}, "GET /v1/messages/msg_1?after=1&wait=W": {queuedMessage}})
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	w := &watched{want: "msg_1 queued", seen: cancel}
	var errs bytes.Buffer
	code := run(ctx, system{in: strings.NewReader(""), out: w, err: &errs, env: f.env()}, []string{"send", "--wait", "1h", "+447700900123", "Hello"})
	if code != exitFailed || errs.String() != "modemgate: interrupted\n" {
		t.Errorf("exit %d, err %s", code, errs.String())
	}
}
