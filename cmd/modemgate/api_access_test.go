package main

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// asker is who asks in the table of routes.
type asker struct {
	name   string   // of its key
	scopes []string // none: not authenticated
	secret string
	things map[string][]string // what it made itself and has not used, by kind
	made   []string            // messages it made itself
}

func (a *asker) has(scopes ...string) bool {
	return slices.ContainsFunc(append(scopes, "admin"), func(s string) bool { return slices.Contains(a.scopes, s) })
}

func (a *asker) hasInbound(line string) bool {
	return a.has("inbound", "inbound:"+line)
}

// readsInbound says whether it may list received SMS of any line.
func (a *asker) readsInbound() bool {
	return a.has("inbound") || slices.ContainsFunc(a.scopes, func(s string) bool { return strings.HasPrefix(s, "inbound:") })
}

// verdictOf is what a caller must get: a status, and a code if it is a
// refusal.
type verdictOf struct {
	status int
	code   string
}

var (
	scopeMissing = verdictOf{403, "scope-missing"}
	notThere     = verdictOf{404, "not-found"}
	done         = verdictOf{status: 204}
	fine         = verdictOf{status: 200}
)

// rule says what one route answers to whom. kind is the thing in the path,
// own whether the asker made it; for inbound own means line modem0, the other
// is of modem1.
type rule struct {
	kind  string
	path  string // with %s for the thing; empty: the route
	body  func() string
	want  func(a *asker, own bool) verdictOf
	check func(t *testing.T, a *asker, b body)
}

// note remembers what an asker made in a row of the table.
func (a *asker) note(b body) {
	for _, name := range []string{"id", "message_id"} {
		if id := b.text(name); strings.HasPrefix(id, "msg_") {
			a.made = append(a.made, id)
		}
	}
}

func says(s string) func() string { return func() string { return s } }

// withScope is for routes that one scope opens.
func withScope(scope string, ok verdictOf) func(*asker, bool) verdictOf {
	return func(a *asker, _ bool) verdictOf {
		if a.has(scope) {
			return ok
		}
		return scopeMissing
	}
}

func anyKey(ok verdictOf) func(*asker, bool) verdictOf {
	return func(*asker, bool) verdictOf { return ok }
}

// changesMessage is for routes that change a message.
func changesMessage(ok verdictOf) func(*asker, bool) verdictOf {
	return func(a *asker, own bool) verdictOf {
		switch {
		case own || a.has():
			return ok
		case a.has("messages"):
			return scopeMissing
		}
		return notThere
	}
}

// ownOrAdmin is for OTPs, which nobody else sees.
func ownOrAdmin(ok verdictOf) func(*asker, bool) verdictOf {
	return func(a *asker, own bool) verdictOf {
		if own || a.has() {
			return ok
		}
		return notThere
	}
}

// otpScope is for what spends or risks something of an OTP.
func otpScope(ok verdictOf) func(*asker, bool) verdictOf {
	return func(a *asker, own bool) verdictOf {
		if !a.has("otp") {
			return scopeMissing
		}
		return ownOrAdmin(ok)(a, own)
	}
}

var accessRules = map[string]rule{
	"GET /healthz":      {},
	"GET /readyz":       {},
	"GET /openapi.yaml": {},

	"GET /metrics":                {want: withScope("status", fine)},
	"GET /v1/status":              {want: withScope("status", fine)},
	"GET /v1/lines":               {want: withScope("status", fine)},
	"GET /v1/modems":              {want: withScope("status", fine)},
	"GET /v1/lines/{name}":        {path: "/v1/lines/modem1", want: withScope("status", fine)},
	"GET /v1/queue":               {want: withScope("status", fine)},
	"POST /v1/lines/{name}/pause": {path: "/v1/lines/modem1/pause", want: withScope("admin", fine)},
	"POST /v1/lines/{name}/reset": {
		path: "/v1/lines/modem1/reset", body: says(`{"step":"radio"}`), want: withScope("admin", verdictOf{status: 202}),
	},
	"POST /v1/lines/{name}/resume": {path: "/v1/lines/modem1/resume", want: withScope("admin", fine)},

	"POST /v1/lines/{name}/at":   {path: "/v1/lines/modem0/at", body: says(`{"command":"AT+CSQ"}`), want: withScope("admin", fine)},
	"GET /v1/lines/{name}/trace": {path: "/v1/lines/modem0/trace", want: withScope("admin", fine)},
	"POST /v1/lines/{name}/ussd": {path: "/v1/lines/modem0/ussd", body: says(`{"code":"*100#"}`), want: withScope("admin", fine)},

	"POST /v1/messages": {
		want: withScope("send", verdictOf{status: 202}),
		body: func() string { return fmt.Sprintf(`{"to":%q,"text":"hello","via":"modem0"}`, number()) },
	},
	"GET /v1/messages": {want: anyKey(fine), check: seesMessages},
	"GET /v1/messages/{id}": {kind: "message", path: "/v1/messages/%s", want: func(a *asker, own bool) verdictOf {
		if own || a.has("messages") {
			return fine
		}
		return notThere
	}},
	"DELETE /v1/messages/{id}":      {kind: "ended", path: "/v1/messages/%s", want: changesMessage(done)},
	"POST /v1/messages/{id}/cancel": {kind: "message", path: "/v1/messages/%s/cancel", want: changesMessage(fine)},
	"POST /v1/messages/{id}/resolve": {
		kind: "message", path: "/v1/messages/%s/resolve", body: says(`{"as":"failed"}`), want: changesMessage(verdictOf{409, "not-cancelable"}),
	},

	"POST /v1/otp": {
		want: withScope("otp", verdictOf{status: 201}), body: func() string { return fmt.Sprintf(`{"to":%q}`, number()) },
	},
	"POST /v1/otp/verify": {
		want: withScope("otp", fine), body: func() string { return fmt.Sprintf(`{"to":%q,"code":"123456"}`, number()) },
	},
	"GET /v1/otp/{id}":         {kind: "otp", path: "/v1/otp/%s", want: ownOrAdmin(fine)},
	"POST /v1/otp/{id}/verify": {kind: "otp", path: "/v1/otp/%s/verify", body: says(`{"code":"000000"}`), want: otpScope(fine)},
	"POST /v1/otp/{id}/resend": {kind: "otp", path: "/v1/otp/%s/resend", want: otpScope(verdictOf{429, "limit-exceeded"})},
	"POST /v1/otp/{id}/cancel": {kind: "otp", path: "/v1/otp/%s/cancel", want: ownOrAdmin(fine)},
	"POST /v1/numbers/{e164}/unlock": {
		path: "/v1/numbers/+447700900000/unlock", want: withScope("admin", done),
	},

	"GET /v1/inbound":        {want: readsSome, check: seesInbound},
	"GET /v1/inbound/cursor": {want: readsSome},
	"GET /v1/inbound/{id}": {kind: "inbound", path: "/v1/inbound/%s", want: func(a *asker, own bool) verdictOf {
		switch {
		case a.hasInbound(map[bool]string{true: "modem0", false: "modem1"}[own]):
			return fine
		case a.readsInbound():
			return notThere
		}
		return scopeMissing
	}},
	"DELETE /v1/inbound/{id}": {kind: "waste", path: "/v1/inbound/%s", want: withScope("admin", done)},

	"GET /v1/sim/phones/{number}": {path: "/v1/sim/phones/+447700900000", want: anyKey(fine)},
	"POST /v1/sim/phones/{number}/send": {
		path: "/v1/sim/phones/+447700900000/send", body: says(`{"text":"hello","line":"modem1"}`), want: func(a *asker, _ bool) verdictOf {
			if a.has("send") || a.hasInbound("modem1") {
				return verdictOf{status: 202}
			}
			return scopeMissing
		},
	},

	"GET /v1/admin/keys":           {want: anyKey(notThere)},
	"POST /v1/admin/keys":          {want: anyKey(notThere), body: says(`{"name":"thief","scopes":["admin"]}`)},
	"DELETE /v1/admin/keys/{name}": {path: "/v1/admin/keys/maker", want: anyKey(notThere)},
	"POST /v1/admin/backup":        {want: anyKey(notThere), body: says(`{"path":"/nowhere/backup"}`)},
	"POST /v1/admin/erase":         {want: anyKey(notThere), body: says(`{"number":"+447700900000"}`)},
	"POST /v1/admin/queue/drop":    {want: anyKey(notThere)},
	"POST /v1/admin/queue/release": {want: anyKey(notThere)},
}

func readsSome(a *asker, _ bool) verdictOf {
	if a.readsInbound() {
		return fine
	}
	return scopeMissing
}

// seesMessages holds a list to what its reader may see: its own, all with
// messages, and never the text of an OTP.
func seesMessages(t *testing.T, a *asker, b body) {
	own := 0
	for _, m := range b.list("items") {
		if slices.Contains(a.made, m.text("id")) {
			own++
		} else if !a.has("messages") {
			t.Errorf("sees %s, which another key made", m.text("id"))
		}
		if m.text("priority") == "otp" && m.has("text") {
			t.Errorf("sees the text of an OTP")
		}
		if shown := !strings.ContainsAny(m.text("to"), "•…"); m.text("priority") == "otp" && shown != (a.has() || slices.Contains(a.made, m.text("id"))) {
			t.Errorf("the number of the OTP message %s is shown: %v", m.text("id"), shown)
		}
	}
	if n := len(b.list("items")); a.has("messages") && n != 50 || own == 0 && !a.has("messages") {
		t.Errorf("sees %d messages, %d of its own", n, own)
	}
}

func seesInbound(t *testing.T, a *asker, b body) {
	lines := map[string]bool{}
	for _, in := range b.list("items") {
		lines[in.text("line")] = true
	}
	for _, line := range []string{"modem0", "modem1"} {
		if lines[line] != a.hasInbound(line) {
			t.Errorf("SMS of %s seen: %v", line, lines[line])
		}
	}
}

func TestEveryRouteScopeOwner(t *testing.T) {
	t.Parallel()
	doc, err := document()
	if err != nil {
		t.Fatal(err)
	}
	g := newGrounds(t)
	seen := 0
	for path, item := range doc.Paths.Map() {
		for method := range item.Operations() {
			name := method + " " + path
			r, ok := accessRules[name]
			if !ok {
				t.Errorf("%s has no row", name)
				continue
			}
			seen++
			if r.path == "" {
				r.path = path
			}
			t.Run(strings.ReplaceAll(name, "/", "."), func(t *testing.T) { g.try(t, method, r) })
		}
	}
	if seen != len(accessRules) {
		t.Errorf("%d of %d rows are routes", seen, len(accessRules))
	}
}

// try asks one route as everybody, for what is theirs and what is not.
func (g *grounds) try(t *testing.T, method string, r rule) {
	for _, a := range g.askers {
		for _, own := range []bool{true, false} {
			if !own && r.kind == "" {
				continue
			}
			g.tryAs(t, method, r, a, own)
		}
	}
}

func (g *grounds) tryAs(t *testing.T, method string, r rule, a *asker, own bool) {
	t.Helper()
	want := fine
	switch {
	case r.want == nil: // open to everybody
	case strings.HasPrefix(r.path, "/v1/admin/"):
		want = notThere
	case len(a.scopes) == 0:
		want = verdictOf{http.StatusUnauthorized, "unauthenticated"}
	default:
		want = r.want(a, own)
	}
	path, content := r.path, ""
	if r.kind != "" {
		path = fmt.Sprintf(r.path, g.subject(a, r.kind, own, want))
	}
	if r.body != nil {
		content = r.body()
	}
	b := g.in(t).ask(a.secret, method, path, content)
	if b.status != want.status || b.text("code") != want.code {
		t.Errorf("%s %v, own %v: %s %s gives %d %s, want %d %s", a.name, a.scopes, own, method, path, b.status, b.text("code"), want.status, want.code)
		return
	}
	if method == http.MethodPost && r.kind == "" {
		a.note(b)
	}
	if r.check != nil && b.status == http.StatusOK {
		r.check(t, a, b)
	}
}

// subject is the thing of a request: one of the asker's, or one of the
// maker's, made when the request will use it up.
func (g *grounds) subject(a *asker, kind string, own bool, want verdictOf) string {
	from := g.maker
	if own {
		from = a
	} else if len(from.things[kind]) < 2 && kind != "inbound" && kind != "waste" {
		g.make(from, 2)
	}
	if used := want.status < 300 && kind != "inbound"; !used {
		return from.things[kind][len(from.things[kind])-1]
	}
	return g.thing(from, kind)
}

func TestAdminRoutesWorkOnTheSocket(t *testing.T) {
	t.Parallel()
	s := newStation(t)
	s.local("POST", "/v1/admin/keys", `{"name":"shop","scopes":["otp"]}`).want(t, 201, "")
	if got := s.local("GET", "/v1/admin/keys", "").want(t, 200, "").list("items"); len(got) != 2 {
		t.Errorf("%d keys, want admin and shop", len(got))
	}
	s.local("DELETE", "/v1/admin/keys/shop", "").want(t, 204, "")
	s.local("DELETE", "/v1/admin/keys/nobody", "").want(t, 404, "not-found")
	s.local("POST", "/v1/admin/backup", fmt.Sprintf(`{"path":%q}`, shortDir(t)+"/backup.db")).want(t, 200, "")
	s.local("POST", "/v1/admin/erase", `{"number":"+447700900000"}`).want(t, 200, "")
	s.local("POST", "/v1/admin/queue/drop", "").want(t, 200, "")
	s.local("POST", "/v1/admin/queue/release", "").want(t, 200, "")
	if id := s.local("POST", "/v1/messages", `{"to":"+447700900000","text":"hello"}`).want(t, 202, "").text("id"); id == "" {
		t.Error("the operator cannot send")
	}
}

// A refusal says what the client got wrong, and of a token that could be a key
// not whether it ever was one.
func TestTokensThatAreNone(t *testing.T) {
	t.Parallel()
	s := newStation(t)
	good := s.someKey("status")
	revoked := s.key("gone", "status")
	s.local("DELETE", "/v1/admin/keys/gone", "").want(t, 204, "")
	const scheme, checksum, unknown = "scheme Bearer", "checksum is wrong", "unknown, expired or revoked"
	for name, c := range map[string]struct {
		headers []string
		words   string
	}{
		"none":             {nil, "there is no API key"},
		"another scheme":   {[]string{"Authorization", "Basic " + good}, scheme},
		"no scheme":        {[]string{"Authorization", good}, scheme},
		"two of them":      {[]string{"Authorization", "Bearer " + good, "Authorization", "Bearer " + good}, "2 headers"},
		"a wrong checksum": {[]string{"Authorization", "Bearer " + good[:len(good)-2] + other(good[len(good)-2:])}, checksum},
		"cut short":        {[]string{"Authorization", "Bearer " + good[:40]}, checksum},
		"another prefix":   {[]string{"Authorization", "Bearer gm_" + good[3:]}, checksum},
		"never a key":      {[]string{"Authorization", "Bearer " + checksummed(make([]byte, 32))}, unknown},
		"revoked":          {[]string{"Authorization", "Bearer " + revoked}, unknown},
	} {
		b := s.ask("", "GET", "/v1/status", "", c.headers...).want(t, 401, "unauthenticated")
		if b.header.Get("WWW-Authenticate") == "" || strings.Contains(b.raw, good[3:12]) || !strings.Contains(b.text("detail"), c.words) {
			t.Errorf("%s: %v %s", name, b.header, b.raw)
		}
	}
	s.ask(good, "GET", "/v1/status", "").want(t, 200, "")
	s.ask("", "GET", "/v1/status", "", "Authorization", "bearer  "+good).want(t, 200, "")
}
