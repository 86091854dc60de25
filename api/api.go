// Package api is the REST door of the gateway: it decodes requests, asks the
// gateway, and encodes what it says. No rule of the product lives here; what
// does live here is the promise of the wire: names and shapes of JSON,
// status codes, problems (RFC 9457), strictness, time-outs and TLS.
//
// The same routes are served on two doors: over TCP to holders of an API key,
// and on a socket in the data directory (admin.sock, mode 0600) to the
// operator, who acts as [gateway.LocalCaller] and has the routes below
// /v1/admin besides.
//
// openapi.yaml describes all of it and is served at /openapi.yaml; tests hold
// every route, example and response to it.
package api

import (
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/modemgate/modemgate/gateway"
)

// Gateway is what the API needs of *gateway.Gateway, told resource by
// resource.
type Gateway interface {
	Auth
	Messages
	OTPs
	Inbox
	Lines
	Operators
	Phones
	Health
	Admin
}

var _ Gateway = (*gateway.Gateway)(nil)

// Options is what a server needs. Zero values of the numbers take the
// defaults given here.
type Options struct {
	Gateway Gateway

	Listen   string // host:port; port 0 picks a free one; "" serves the socket only
	CertFile string // TLS when set, with KeyFile; both are read again when they change
	KeyFile  string
	AddrFile string // file that gets the address listened on; "" none

	SocketPath string // admin.sock; its directory must be private; "" none

	MaxWaits int           // long polls of one key at a time; 64
	MaxConns int           // TCP connections at a time, half of them for one other machine; 512
	Drain    time.Duration // for requests under way at the end; 10 s

	Log *slog.Logger
}

// Defaults of [Options] and limits of the server. A long poll takes at most
// maxWait, so the time-out of writing must be above it.
const (
	defaultWaits = 64
	defaultConns = 512
	socketConns  = 64
	defaultDrain = 10 * time.Second

	maxBody   = 16 << 10 // octets
	maxHeader = 16 << 10 // octets
	maxWait   = 55 * time.Second
)

// timeouts bound what a client can draw out; recheck is how often the files
// of a certificate are looked at, at most.
type timeouts struct{ header, body, write, idle, recheck time.Duration }

var defaultTimeouts = timeouts{
	header: 5 * time.Second, body: 10 * time.Second, write: 75 * time.Second, idle: 90 * time.Second, recheck: time.Second,
}

// Server serves the API. Make it with [New]; it must not be copied.
type Server struct {
	o       Options
	log     *slog.Logger
	gw      Gateway
	times   timeouts
	tcp     http.Handler
	local   http.Handler
	metrics http.Handler
	waits   waits
	closing chan struct{} // closed when the server begins to drain

	mu        sync.Mutex
	listening bool
	doors     []door
	addr      net.Addr
}

// New makes a server. It opens nothing before [Server.Listen] or [Server.Run].
func New(o Options) *Server {
	if o.MaxWaits <= 0 {
		o.MaxWaits = defaultWaits
	}
	if o.MaxConns <= 0 {
		o.MaxConns = defaultConns
	}
	if o.Drain <= 0 {
		o.Drain = defaultDrain
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	s := &Server{o: o, log: o.Log, gw: o.Gateway, times: defaultTimeouts, closing: make(chan struct{})}
	s.waits = waits{most: o.MaxWaits, open: map[string]int{}}
	s.metrics = metricsHandler(o.Gateway, o.Log)
	s.tcp = s.serve(false)
	s.local = s.serve(true)
	return s
}

// Handler answers as over TCP; for tests.
func (s *Server) Handler() http.Handler { return s.tcp }

// LocalHandler answers as on admin.sock, without its protection; for tests.
func (s *Server) LocalHandler() http.Handler { return s.local }

// serve builds the handler of one door.
func (s *Server) serve(local bool) http.Handler {
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	e.HTTPErrorHandler = s.fail
	e.Use(s.identify, s.observe, s.recover, wholeSegments)
	var auth echo.MiddlewareFunc = s.authenticate
	if local {
		auth = s.trust
	}
	for _, r := range s.routes() {
		switch {
		case r.access == adminSocket && !local:
			continue
		case r.access == open:
			e.Add(r.method, r.path, r.handle)
		default:
			e.Add(r.method, r.path, r.handle, auth, s.audit(r.audit))
		}
	}
	return s.wire(e)
}

// wholeSegments keeps a parameter at the end of a path from taking further
// segments, as echo lets it.
func wholeSegments(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		for _, v := range c.ParamValues() {
			if strings.Contains(v, "/") {
				return echo.ErrNotFound
			}
		}
		return next(c)
	}
}

// wire does for every request what must be done before routing: HEAD is
// answered as GET (RFC 9110 §9.3.2; net/http leaves the body out), and a body
// must come in time, also one that nobody reads.
func (s *Server) wire(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodHead {
			get := *r
			get.Method = http.MethodGet
			r = &get
		}
		if r.Body != nil && r.Body != http.NoBody {
			_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(s.times.body))
		}
		next.ServeHTTP(w, r)
	})
}

// access says who may use a route.
type access int

const (
	withKey     access = iota // an API key, or the operator on the socket
	open                      // anybody
	adminSocket               // the operator on the socket; 404 over TCP
)

// route is one line of the table of routes; audit names the action in the
// audit log, "" when the route only reads.
type route struct {
	method, path string
	handle       echo.HandlerFunc
	audit        string
	access       access
}

func (s *Server) routes() []route {
	const get, post, del = http.MethodGet, http.MethodPost, http.MethodDelete
	return []route{
		{get, "/healthz", s.getHealth, "", open},
		{get, "/readyz", s.getReady, "", open},
		{get, "/openapi.yaml", s.getOpenAPI, "", open},
		{get, "/metrics", s.getMetrics, "", withKey},

		{post, "/v1/messages", s.postMessage, "message.create", withKey},
		{get, "/v1/messages", s.listMessages, "", withKey},
		{get, "/v1/messages/:id", s.getMessage, "", withKey},
		{del, "/v1/messages/:id", s.deleteMessage, "message.delete", withKey},
		{post, "/v1/messages/:id/cancel", s.cancelMessage, "message.cancel", withKey},
		{post, "/v1/messages/:id/resolve", s.resolveMessage, "message.resolve", withKey},

		{post, "/v1/otp", s.postOTP, "otp.create", withKey},
		{post, "/v1/otp/verify", s.verifyNumber, "otp.verify", withKey},
		{get, "/v1/otp/:id", s.getOTP, "", withKey},
		{post, "/v1/otp/:id/verify", s.verifyOTP, "otp.verify", withKey},
		{post, "/v1/otp/:id/resend", s.resendOTP, "otp.resend", withKey},
		{post, "/v1/otp/:id/cancel", s.cancelOTP, "otp.cancel", withKey},
		{post, "/v1/numbers/:e164/unlock", s.unlockNumber, "number.unlock", withKey},

		{get, "/v1/inbound", s.listInbound, "", withKey},
		{get, "/v1/inbound/cursor", s.getCursor, "", withKey},
		{get, "/v1/inbound/:id", s.getInbound, "", withKey},
		{del, "/v1/inbound/:id", s.deleteInbound, "inbound.delete", withKey},

		{get, "/v1/status", s.getStatus, "", withKey},
		{get, "/v1/lines", s.listLines, "", withKey},
		{get, "/v1/lines/:name", s.getLine, "", withKey},
		{post, "/v1/lines/:name/pause", s.pauseLine, "line.pause", withKey},
		{post, "/v1/lines/:name/resume", s.resumeLine, "line.resume", withKey},
		{post, "/v1/lines/:name/reset", s.resetLine, "line.reset", withKey},
		{post, "/v1/lines/:name/at", s.postCommand, "line.at", withKey},
		{get, "/v1/lines/:name/trace", s.getTrace, "", withKey},
		{post, "/v1/lines/:name/ussd", s.postUSSD, "line.ussd", withKey},
		{get, "/v1/modems", s.listModems, "", withKey},
		{get, "/v1/queue", s.getQueue, "", withKey},

		{get, "/v1/sim/phones/:number", s.getPhone, "", withKey},
		{post, "/v1/sim/phones/:number/send", s.sendFromPhone, "sim.send", withKey},

		{get, "/v1/admin/keys", s.listKeys, "", adminSocket},
		{post, "/v1/admin/keys", s.postKey, "key.new", adminSocket},
		{del, "/v1/admin/keys/:name", s.revokeKey, "key.revoke", adminSocket},
		{post, "/v1/admin/backup", s.postBackup, "backup", adminSocket},
		{post, "/v1/admin/erase", s.postErase, "erase", adminSocket},
		{post, "/v1/admin/queue/drop", s.dropQueue, "queue.drop", adminSocket},
		{post, "/v1/admin/queue/release", s.releaseQueue, "queue.release", adminSocket},
	}
}

// request is what the gateway is told about the present request.
func request(c echo.Context) gateway.Request {
	caller, _ := c.Get(callerKey).(gateway.Caller)
	return gateway.Request{Caller: caller, ID: requestID(c), Path: c.Request().URL.Path}
}
