package api

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"
)

// document reads openapi.yaml once.
var document = sync.OnceValues(func() (*openapi3.T, error) {
	doc, err := openapi3.NewLoader().LoadFromData(OpenAPI)
	if err != nil {
		return nil, err
	}
	return doc, doc.Validate(context.Background())
})

var router = sync.OnceValues(func() (routers.Router, error) {
	doc, err := document()
	if err != nil {
		return nil, err
	}
	return legacy.NewRouter(doc)
})

// box is a real server with the fake behind it and clients for both doors.
type box struct {
	t      testing.TB
	f      *fake
	s      *Server
	logs   *safeBuffer
	tcp    *http.Client
	socket *http.Client
	stop   context.CancelFunc
	done   chan error
}

// safeBuffer is a buffer that the server may write while a test reads.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// start runs a server until the test ends.
func start(t testing.TB, f *fake, change ...func(*Options)) *box {
	t.Helper()
	dir := privateDir(t)
	b := &box{t: t, f: f, logs: &safeBuffer{}, done: make(chan error, 1)}
	o := Options{
		Gateway: f, Listen: "127.0.0.1:0", SocketPath: filepath.Join(dir, "admin.sock"), AddrFile: filepath.Join(dir, "api.addr"),
		Log: slog.New(slog.NewTextHandler(b.logs, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	for _, c := range change {
		c(&o)
	}
	b.s = New(o)
	if f.times != (timeouts{}) {
		b.s.times = f.times
	}
	if err := b.s.Listen(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	b.stop = cancel
	go func() { b.done <- b.s.Run(ctx) }()
	b.tcp = &http.Client{Timeout: patience, Transport: &http.Transport{}}
	b.socket = &http.Client{Timeout: patience, Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", o.SocketPath)
		},
	}}
	t.Cleanup(func() {
		b.tcp.CloseIdleConnections()
		b.socket.CloseIdleConnections()
		b.end()
	})
	return b
}

// end stops the server and wants a clean end; it may be called twice.
func (b *box) end() {
	b.t.Helper()
	b.stop()
	select {
	case err := <-b.done:
		b.done <- nil
		if err != nil {
			b.t.Errorf("Run: %v", err)
		}
	case <-time.After(patience):
		b.t.Error("the server does not end")
	}
}

// privateDir is short, because the path of a socket must be.
func privateDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "mg")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// reply is a whole response.
type reply struct {
	status int
	header http.Header
	body   string
}

// problem decodes the body as a problem.
func (r reply) problem(t testing.TB) problem {
	t.Helper()
	var p problem
	if got := r.header.Get("Content-Type"); got != "application/problem+json" {
		t.Fatalf("content type %q of %d %s", got, r.status, r.body)
	}
	if err := json.Unmarshal([]byte(r.body), &p); err != nil {
		t.Fatalf("%v: %s", err, r.body)
	}
	if p.Status != r.status || p.RequestID != r.header.Get("X-Request-Id") || p.Errors == nil {
		t.Errorf("problem disagrees with its response %d: %s", r.status, r.body)
	}
	return p
}

// do asks over TCP with a good key; headers are pairs of name and value.
func (b *box) do(method, path, body string, headers ...string) reply {
	b.t.Helper()
	return b.ask(b.tcp, method, path, body, append([]string{"Authorization", "Bearer " + goodToken}, headers...)...)
}

// local asks on the socket.
func (b *box) local(method, path, body string, headers ...string) reply {
	b.t.Helper()
	return b.ask(b.socket, method, path, body, headers...)
}

// ask sends a request and holds the response, and the request when it was
// accepted, to openapi.yaml.
func (b *box) ask(c *http.Client, method, path, body string, headers ...string) reply {
	b.t.Helper()
	req, err := http.NewRequest(method, "http://"+b.s.Addr().String()+path, strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header[http.CanonicalHeaderKey(headers[i])] = nil
		if headers[i+1] != "" {
			req.Header.Add(headers[i], headers[i+1])
		}
	}
	res, err := c.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	got, err := io.ReadAll(res.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	r := reply{res.StatusCode, res.Header, string(got)}
	hold(b.t, req, body, r)
	return r
}

// hold validates against openapi.yaml.
func hold(t testing.TB, req *http.Request, body string, r reply) {
	t.Helper()
	if req.Method == http.MethodHead || strings.HasSuffix(req.URL.Path, "/") {
		return // the document has no HEAD, and its router drops a slash at the end
	}
	find, err := router()
	if err != nil {
		t.Fatal(err)
	}
	req = req.Clone(context.Background())
	req.URL.Scheme, req.URL.Host = "", ""
	route, params, err := find.FindRoute(req)
	if err != nil { // no such route or method: these are problems
		if p := r.problem(t); p.Code != "not-found" && r.status != http.StatusMethodNotAllowed {
			t.Errorf("%s %s is not in openapi.yaml and answers %d %s", req.Method, req.URL.Path, r.status, r.body)
		}
		return
	}
	if strings.HasPrefix(route.Path, "/v1/admin/") && r.status == http.StatusNotFound {
		return // over TCP
	}
	in := &openapi3filter.RequestValidationInput{Request: req, PathParams: params, Route: route, Options: &openapi3filter.Options{
		AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, IncludeResponseStatus: true, MultiError: true,
	}}
	out := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: in, Status: r.status, Header: r.header, Options: in.Options,
		Body: io.NopCloser(strings.NewReader(r.body)),
	}
	if err := openapi3filter.ValidateResponse(context.Background(), out); err != nil {
		t.Errorf("%s %s: the response is not what openapi.yaml says: %v\n%d %s", req.Method, req.URL.Path, err, r.status, r.body)
	}
	if r.status >= 300 {
		return
	}
	req.Body = io.NopCloser(strings.NewReader(body))
	query := req.URL.Query() // without what the description of the document allows besides
	for name, v := range query {
		if query[name] = []string{strings.Replace(v[0], " ", "+", 1)}; v[0] == "" {
			delete(query, name)
		}
	}
	req.URL.RawQuery = query.Encode()
	if err := openapi3filter.ValidateRequest(context.Background(), in); err != nil {
		t.Errorf("%s %s: accepted, but openapi.yaml says no: %v", req.Method, req.URL, err)
	}
}
