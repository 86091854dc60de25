package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/rogpeppe/go-internal/testscript"
)

// TestScripts runs the program as its user meets it. $DATA is a data_dir
// with a path short enough for a socket; $MODEMGATE_CONFIG names c.yaml.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: filepath.Join("testdata", "script"),
		Setup: func(env *testscript.Env) error {
			base, err := os.MkdirTemp("", "mg")
			env.Defer(func() { os.RemoveAll(base) })
			env.Setenv("DATA", filepath.Join(base, "d"))
			env.Setenv("MODEMGATE_DATA_DIR", filepath.Join(base, "d"))
			env.Setenv("MODEMGATE_CONFIG", filepath.Join(env.WorkDir, "c.yaml"))
			return err
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"ready": ready, "capture": capture, "code": code, "text": text, "event": event, "seen": seen,
		},
	})
}

// local speaks to the daemon of the script.
func local(ts *testscript.TestScript, method, path string, body any, out any) int {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", filepath.Join(ts.Getenv("DATA"), socketName))
	}
	c := http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}, Timeout: limit}
	var in io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		ts.Check(err)
		in = bytes.NewReader(b)
	}
	req, err := http.NewRequest(method, "http://modemgate"+path, in)
	ts.Check(err)
	req.Header.Set("Content-Type", "application/json")
	resp, err := c.Do(req)
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	if out != nil {
		ts.Check(json.NewDecoder(resp.Body).Decode(out))
	}
	return resp.StatusCode
}

// ready waits until the daemon answers, a line can send and NATS clients are
// let in.
func ready(ts *testscript.TestScript, _ bool, _ []string) {
	var s statusJSON
	sends := func() bool { return local(ts, http.MethodGet, "/readyz?sending=1", nil, nil) == http.StatusOK }
	connected := func() bool {
		return local(ts, http.MethodGet, "/v1/status", nil, &s) == http.StatusOK && s.NATS.Connected
	}
	for end := time.Now().Add(limit); !sends() || !connected(); {
		if time.Now().After(end) {
			ts.Fatalf("the daemon does not get ready")
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// capture NAME REGEXP sets a variable from the standard output of the last
// command: to the first group, or the whole match.
func capture(ts *testscript.TestScript, _ bool, args []string) {
	out := ts.ReadFile("stdout")
	m := regexp.MustCompile(args[1]).FindStringSubmatch(out)
	if m == nil {
		ts.Fatalf("no %s in %s", args[1], out)
	}
	ts.Setenv(args[0], m[len(m)-1])
}

// code NUMBER sets $CODE to the code in the newest text on a simulated phone.
func code(ts *testscript.TestScript, _ bool, args []string) {
	var page struct {
		Items []struct{ Text string }
	}
	local(ts, http.MethodGet, "/v1/sim/phones/"+url.PathEscape(args[0])+"?wait=30s", nil, &page)
	if len(page.Items) == 0 {
		ts.Fatalf("nothing on the phone %s", args[0])
	}
	m := regexp.MustCompile(`\b\d{6}\b`).FindString(page.Items[len(page.Items)-1].Text)
	if m == "" {
		ts.Fatalf("no code on the phone %s", args[0])
	}
	ts.Setenv("CODE", m)
}

// text NUMBER TEXT sends from a simulated phone and waits until it is stored.
func text(ts *testscript.TestScript, _ bool, args []string) {
	var at struct{ Cursor string }
	local(ts, http.MethodGet, "/v1/inbound/cursor", nil, &at)
	body := map[string]string{"text": args[1], "line": "modem0"}
	if status := local(ts, http.MethodPost, "/v1/sim/phones/"+url.PathEscape(args[0])+"/send", body, nil); status != http.StatusAccepted {
		ts.Fatalf("texting: status %d", status)
	}
	var page struct{ Items []json.RawMessage }
	local(ts, http.MethodGet, "/v1/inbound?order=asc&wait=30s&after="+at.Cursor, nil, &page)
	if len(page.Items) == 0 {
		ts.Fatalf("the text was not received")
	}
}

// event URL SECRET STREAM KEY WANT reads the next event of a key's consumer, the way
// key new says.
func event(ts *testscript.TestScript, _ bool, args []string) {
	nc, err := nats.Connect(args[0], nats.Timeout(time.Minute), nats.Token(args[1]))
	ts.Check(err)
	defer nc.Close()
	js, err := jetstream.NewWithAPIPrefix(nc, "modemgate.API")
	ts.Check(err)
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	c, err := js.Consumer(ctx, args[2], args[3])
	ts.Check(err)
	m, err := c.Next(jetstream.FetchMaxWait(limit))
	ts.Check(err)
	ts.Check(m.Ack())
	if !strings.Contains(string(m.Data()), args[4]) {
		ts.Fatalf("the event lacks %s", args[4])
	}
}

// seen FILE TEXT waits until a file holds a text.
func seen(ts *testscript.TestScript, _ bool, args []string) {
	for end := time.Now().Add(limit); ; time.Sleep(20 * time.Millisecond) {
		b, _ := os.ReadFile(ts.MkAbs(args[0]))
		if strings.Contains(string(b), args[1]) {
			return
		}
		if time.Now().After(end) {
			ts.Fatalf("%s does not hold %s: %s", args[0], args[1], b)
		}
	}
}
