package main

import (
	"context"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"

	"github.com/modemgate/modemgate/api"
)

// body is a response of the API.
type body struct {
	status int
	header http.Header
	raw    string
	value  any // of JSON
}

// want fails the test unless the response has the status and, if it is a
// problem, the code.
func (b body) want(t *testing.T, status int, code string) body {
	t.Helper()
	if b.status != status || b.text("code") != code {
		t.Fatalf("got %d %s, want %d %s: %s", b.status, b.text("code"), status, code, b.raw)
	}
	return b
}

// at finds a value by a path such as delivery.state or items.0.id.
func (b body) at(path string) any {
	v := b.value
	for name := range strings.SplitSeq(path, ".") {
		switch in := v.(type) {
		case map[string]any:
			v = in[name]
		case []any:
			i, err := strconv.Atoi(name)
			if err != nil || i >= len(in) {
				return nil
			}
			v = in[i]
		default:
			return nil
		}
	}
	return v
}

func (b body) text(path string) string {
	v, _ := b.at(path).(string)
	return v
}

func (b body) int(path string) int {
	v, _ := b.at(path).(float64)
	return int(v)
}

func (b body) flag(path string) bool {
	v, _ := b.at(path).(bool)
	return v
}

// has says whether a member is there, also when it is null.
func (b body) has(name string) bool {
	m, _ := b.value.(map[string]any)
	_, ok := m[name]
	return ok
}

func (b body) list(path string) []body {
	in, _ := b.at(path).([]any)
	out := make([]body, len(in))
	for i := range in {
		out[i] = body{value: in[i]}
	}
	return out
}

// ids are those of the items of a page.
func (b body) ids() []string {
	var out []string
	for _, item := range b.list("items") {
		out = append(out, item.text("id"))
	}
	return out
}

var document = sync.OnceValues(func() (*openapi3.T, error) {
	doc, err := openapi3.NewLoader().LoadFromData(api.OpenAPI)
	if err != nil {
		return nil, err
	}
	return doc, doc.Validate(context.Background())
})

var documentRoutes = sync.OnceValues(func() (routers.Router, error) {
	doc, err := document()
	if err != nil {
		return nil, err
	}
	return legacy.NewRouter(doc)
})

// holdToDocument holds a real response to openapi.yaml and to what is true of
// every response.
func holdToDocument(t *testing.T, req *http.Request, b body) {
	t.Helper()
	holdStamps(t, "", b.value)
	if b.status >= 400 {
		holdProblem(t, b)
	}
	find, err := documentRoutes()
	if err != nil {
		t.Fatal(err)
	}
	ours := req.Clone(context.Background())
	ours.URL.Scheme, ours.URL.Host = "", ""
	route, params, err := find.FindRoute(ours)
	if err != nil || strings.HasPrefix(route.Path, "/v1/admin/") && b.status == http.StatusNotFound {
		return // no such route, or over TCP
	}
	in := &openapi3filter.RequestValidationInput{Request: ours, PathParams: params, Route: route, Options: &openapi3filter.Options{
		AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, IncludeResponseStatus: true, MultiError: true,
	}}
	out := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: in, Status: b.status, Header: b.header, Options: in.Options, Body: io.NopCloser(strings.NewReader(b.raw)),
	}
	if err := openapi3filter.ValidateResponse(context.Background(), out); err != nil {
		t.Errorf("%s %s is not what openapi.yaml says: %v\n%d %s", req.Method, req.URL.Path, err, b.status, b.raw)
	}
}

// holdProblem holds an error to RFC 9457 and the members that every error has.
func holdProblem(t *testing.T, b body) {
	t.Helper()
	if b.header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("%d has the content type %s", b.status, b.header.Get("Content-Type"))
		return
	}
	for _, name := range []string{"type", "title", "status", "detail", "code", "request_id", "errors"} {
		if !b.has(name) {
			t.Errorf("a problem without %s: %s", name, b.raw)
		}
	}
	if b.int("status") != b.status || b.text("request_id") != b.header.Get("X-Request-Id") {
		t.Errorf("the problem disagrees with its response, %d: %s", b.status, b.raw)
	}
	if (b.header.Get("Retry-After") != "") != b.has("retry_at") {
		t.Errorf("Retry-After is %q beside %s", b.header.Get("Retry-After"), b.raw)
	}
}

var stampForm = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$`)

// holdStamps holds every member that ends in _at to RFC 3339 in UTC, and
// every stamp to a name that ends in _at, or to at.
func holdStamps(t *testing.T, name string, v any) {
	t.Helper()
	switch v := v.(type) {
	case map[string]any:
		for k, v := range v {
			if name == "metadata" {
				return
			}
			holdStamps(t, k, v)
		}
	case []any:
		for _, v := range v {
			holdStamps(t, name, v)
		}
	case string:
		if at := name == "at" || strings.HasSuffix(name, "_at"); at != stampForm.MatchString(v) {
			t.Errorf("%s is %q", name, v)
		}
	}
}
