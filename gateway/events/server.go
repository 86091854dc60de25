package events

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// gatewayAccount owns the streams. Only the in-process connection is in it.
const gatewayAccount = "MODEMGATE"

// Bounds of what one client may cost.
const (
	// maxConnections is of all keys together, and of those who have shown none
	// yet. With the connections of the API it stays well below the 1,024
	// descriptors that the service has.
	maxConnections   = 256
	maxSubscriptions = 256     // of one connection
	maxPayload       = 1 << 20 // bytes of one message, in and out
	maxPending       = 8 << 20 // bytes that wait for a slow client before it is cut off
	readyTimeout     = time.Minute
)

// embedded is the NATS server inside the process. It can be started again:
// a server whose disk was full answers only after that.
type embedded struct {
	opts  Options
	auth  server.Authentication
	certs *certificates
	log   *serverLog

	mu      sync.Mutex
	coming  *server.Server                // listens, and waits for restore
	srv     *server.Server                // runs with its streams
	heard   atomic.Pointer[server.Server] // the last that listened
	host    string
	port    int // what it listens on; kept over restarts
	stopped bool
}

func newEmbedded(o Options, auth server.Authentication, broken func(error)) (*embedded, error) {
	e := &embedded{opts: o, auth: auth, log: &serverLog{log: o.Log, broken: broken}}
	if o.Listen != "" {
		host, port, err := net.SplitHostPort(o.Listen)
		if err != nil {
			return nil, fmt.Errorf("nats listen address %q: %w", o.Listen, err)
		}
		if e.port, err = strconv.Atoi(port); err != nil || e.port < 0 || e.port > 65535 {
			return nil, fmt.Errorf("nats listen address %q: the port is not a number from 0 to 65535", o.Listen)
		}
		e.host = host
	}
	if o.TLSCert != "" || o.TLSKey != "" {
		certs, err := newCertificates(o.TLSCert, o.TLSKey, o.Log)
		if err != nil {
			return nil, err
		}
		e.certs = certs
	}
	return e, nil
}

func (e *embedded) options() *server.Options {
	so := &server.Options{
		ServerName:   "modemgate",
		DontListen:   e.opts.Listen == "",
		Host:         e.host,
		Port:         e.port,
		NoSigs:       true, // signals belong to main
		NoLog:        true, // ours is set below
		JetStream:    true,
		StoreDir:     e.opts.Dir,
		SyncAlways:   !e.opts.lazySync, // an acknowledged event is on the disk
		JetStreamKey: hex.EncodeToString(e.opts.Key),
		// The streams have limits of their own; these only must not be in
		// their way, and must not follow the free memory and disk of the day.
		JetStreamMaxStore:  1 << 50,
		JetStreamMaxMemory: 16 << 20,
		Accounts:           []*server.Account{server.NewAccount(gatewayAccount)},

		CustomClientAuthentication: e.auth,
		AuthTimeout:                5, // seconds
		MaxConn:                    maxConnections,
		MaxSubs:                    maxSubscriptions,
		MaxPayload:                 maxPayload,
		MaxPending:                 maxPending,
		DisableShortFirstPing:      true,
	}
	if so.Port == 0 {
		so.Port = server.RANDOM_PORT
	}
	if e.certs != nil {
		so.TLS = true
		so.TLSConfig = e.certs.config()
		so.TLSTimeout = 5 // seconds
	}
	return so
}

// start brings a server up with its streams.
func (e *embedded) start(ctx context.Context) error {
	if err := e.listen(ctx); err != nil {
		return err
	}
	return e.restore()
}

// listen brings a server up that listens and has no streams yet: nobody,
// ourselves included, is let in before restore.
func (e *embedded) listen(ctx context.Context) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.stopped {
		return ErrClosed
	}
	if err := e.checkAddress(); err != nil {
		return err
	}
	e.log.fatal.Store(nil)
	srv, err := server.NewServer(e.options())
	if err != nil {
		return fmt.Errorf("embedded nats server: %w", err)
	}
	srv.SetLoggerV2(e.log, false, false, false)
	e.heard.Store(srv)
	srv.Start()
	if err := e.ready(ctx, srv); err != nil {
		srv.Shutdown()
		srv.WaitForShutdown()
		return err
	}
	if a, ok := srv.Addr().(*net.TCPAddr); ok {
		e.port = a.Port
	}
	e.coming = srv
	return nil
}

// restore enables JetStream for the gateway's account: the server reads the
// streams from the disk, which takes seconds when they are large and were not
// closed in order. It cannot be interrupted.
func (e *embedded) restore() error {
	e.mu.Lock()
	srv := e.coming
	e.coming = nil
	e.mu.Unlock()
	if srv == nil {
		return ErrClosed
	}
	e.opts.Hook("restore:before")
	acc, _ := srv.LookupOrRegisterAccount(gatewayAccount)
	err := acc.EnableJetStream(nil, nil)
	if err != nil {
		err = fmt.Errorf("embedded nats server: open the streams: %w", err)
	}
	e.mu.Lock()
	if e.stopped && err == nil {
		err = ErrClosed
	}
	if err == nil {
		e.srv = srv
	}
	e.mu.Unlock()
	if err != nil {
		srv.Shutdown()
		srv.WaitForShutdown()
	}
	return err
}

// checkAddress finds out whether the port is free, so that the error is a
// typed one; the server only logs it.
func (e *embedded) checkAddress() error {
	if e.opts.Listen == "" {
		return nil
	}
	l, err := net.Listen("tcp", net.JoinHostPort(e.host, strconv.Itoa(e.port)))
	if err != nil {
		return fmt.Errorf("embedded nats server: %w", err)
	}
	return l.Close()
}

func (e *embedded) ready(ctx context.Context, srv *server.Server) error {
	deadline := time.Now().Add(readyTimeout)
	for !srv.ReadyForConnections(20 * time.Millisecond) {
		if text := e.log.fatal.Load(); text != nil {
			return fmt.Errorf("embedded nats server: %s", *text)
		}
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("embedded nats server: %w", err)
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("embedded nats server: not ready in %v; its log is at debug level", readyTimeout)
		}
	}
	if !srv.JetStreamEnabled() {
		return fmt.Errorf("embedded nats server: the streams in %s cannot be opened; its log is at debug level",
			filepath.Join(e.opts.Dir, server.JetStreamStoreDir))
	}
	return nil
}

// stop ends the server for good and waits for it, at most until ctx ends. One
// that still restores its streams ends itself when it has.
func (e *embedded) stop(ctx context.Context) error {
	e.mu.Lock()
	e.stopped = true
	e.mu.Unlock()
	return e.halt(ctx)
}

func shutdown(ctx context.Context, srv *server.Server) error {
	if srv == nil {
		return nil
	}
	done := make(chan struct{})
	go func() {
		srv.Shutdown()
		srv.WaitForShutdown()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("stop the embedded nats server: %w", ctx.Err())
	}
}

// restart replaces the server by a new one on the same address and streams.
func (e *embedded) restart(ctx context.Context) error {
	if err := e.halt(ctx); err != nil {
		return err
	}
	return e.start(ctx)
}

// halt ends the server; another may be started.
func (e *embedded) halt(ctx context.Context) error {
	e.mu.Lock()
	srv := cmp.Or(e.srv, e.coming)
	e.srv, e.coming = nil, nil
	e.mu.Unlock()
	return shutdown(ctx, srv)
}

// current is the running server; nil while there is none with its streams.
func (e *embedded) current() *server.Server {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.srv
}

// hangUp ends a connection to the server without telling the client why.
func (e *embedded) hangUp(id uint64) { _ = e.heard.Load().DisconnectClientByID(id) }

func (e *embedded) addr() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.opts.Listen == "" || e.port == 0 {
		return ""
	}
	return net.JoinHostPort(e.host, strconv.Itoa(e.port))
}

// InProcessConn connects to the running server; nats.go calls it for each
// connection and reconnection.
func (e *embedded) InProcessConn() (net.Conn, error) {
	srv := e.current()
	if srv == nil {
		return nil, errors.New("the embedded nats server is not running")
	}
	return srv.InProcessConn()
}
