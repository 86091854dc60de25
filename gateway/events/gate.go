package events

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

const (
	// maxKeyConnections is how many connections one key may have at a time.
	maxKeyConnections = 32
	// provisionTimeout is how long a connecting client waits for its
	// consumers; after it the connection stands and they follow.
	provisionTimeout = 1500 * time.Millisecond
)

// gate lets clients into the embedded server: it knows each key's account
// and connections. It is the server's [server.Authentication].
type gate struct {
	log          *slog.Logger
	names        names
	authenticate func(token string) (Grant, bool)
	provision    func(ctx context.Context, g Grant) error // makes the consumers
	later        func(g Grant)                            // goes on trying to
	current      func() *server.Server                    // the running server, or nil
	hangUp       func(id uint64)                          // ends a connection without a word
	own          string                                   // token of the gateway itself
	refused      throttle                                 // of the log

	mu     sync.Mutex
	opened bool
	ready  chan struct{} // closed while opened
	keys   map[string]*member
	locks  map[string]*keyLock
	closed bool
}

// member is one key that has been let in or provisioned.
type member struct {
	grant   Grant
	account *server.Account
	clients map[uint64]struct{}
	expiry  *time.Timer

	provisioned string // account name of the grant that the consumers fit
	retrying    bool   // somebody goes on trying to make them
}

func newGate(o Options, n names) *gate {
	var secret [32]byte
	rand.Read(secret[:])
	return &gate{
		log: o.Log, names: n, authenticate: o.Authenticate,
		own: hex.EncodeToString(secret[:]), ready: make(chan struct{}), keys: map[string]*member{}, locks: map[string]*keyLock{},
	}
}

// open lets clients in; shut keeps new ones waiting and forgets what was
// registered with the server that is about to go.
func (a *gate) open() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.opened {
		a.opened = true
		close(a.ready)
	}
}

func (a *gate) isOpen() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.opened
}

func (a *gate) shut() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.opened {
		a.opened = false
		a.ready = make(chan struct{})
	}
	for _, m := range a.keys {
		m.account, m.clients, m.provisioned = nil, map[uint64]struct{}{}, ""
	}
}

func (a *gate) close() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.closed = true
	for _, m := range a.keys {
		m.stopExpiry()
	}
}

// Check implements server.Authentication: it maps the connection to the
// account of its key, or refuses it.
func (a *gate) Check(c server.ClientAuthentication) bool {
	token := c.GetOpts().Token
	if c.Kind() != server.CLIENT || token == "" {
		return false
	}
	if subtle.ConstantTimeCompare([]byte(token), []byte(a.own)) == 1 {
		return a.admitGateway(c)
	}
	if err := a.admit(c, token); err != nil {
		if ok, more := a.refused.allow(time.Now()); ok {
			a.log.Info("nats client refused", "remote", fmt.Sprint(c.RemoteAddress()), "err", err, "unlogged", more)
		}
		if errors.Is(err, errNotReady) {
			// A client that is told twice that its key is wrong gives up for
			// good; one whose connection ends comes again.
			a.hangUp(c.GetID())
		}
		return false
	}
	return true
}

// admitGateway lets our own connection in. It may come before the server is
// ready for others.
func (a *gate) admitGateway(c server.ClientAuthentication) bool {
	if addr := c.RemoteAddress(); addr != nil && addr.Network() != "pipe" {
		return false
	}
	srv := a.current()
	if srv == nil {
		return false
	}
	acc, _ := srv.LookupOrRegisterAccount(gatewayAccount)
	c.RegisterUser(&server.User{Username: "gateway", Account: acc})
	return true
}

var (
	errToken    = errors.New("unknown, revoked or expired API key; connect with the token option")
	errTooMany  = fmt.Errorf("the key has %d connections already", maxKeyConnections)
	errNotReady = errors.New("the server is starting")
)

// admit lets a client in with its key: consumers first, so that they are
// there when the client asks, then the account and the connection in one step
// that a revoke cannot come between.
func (a *gate) admit(c server.ClientAuthentication, token string) error {
	g, ok := a.authenticate(token)
	if !ok {
		return errToken
	}
	if err := g.check(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), provisionTimeout)
	defer cancel()
	if !a.wait(ctx) {
		return errNotReady
	}
	if err := a.provision(ctx, g); err != nil {
		a.log.Warn("the consumers of a key are not ready; they follow", "key", g.Key, "err", err)
		a.later(g)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if now, ok := a.authenticate(token); !ok || now.account() != g.account() {
		return errToken
	}
	return a.register(c, g)
}

func (a *gate) wait(ctx context.Context) bool {
	a.mu.Lock()
	ready := a.ready
	a.mu.Unlock()
	select {
	case <-ready:
		return true
	case <-ctx.Done():
		return false
	}
}

// register puts the connection into the account of its key; a.mu is held.
func (a *gate) register(c server.ClientAuthentication, g Grant) error {
	srv := a.current()
	if srv == nil || !a.opened || a.closed {
		return errNotReady
	}
	m := a.enter(g)
	for id := range m.clients {
		if srv.GetClient(id) == nil {
			delete(m.clients, id)
		}
	}
	if len(m.clients) >= maxKeyConnections {
		return errTooMany
	}
	if m.account == nil {
		acc, err := a.account(srv, g)
		if err != nil {
			return err
		}
		m.account = acc
	}
	c.RegisterUser(&server.User{
		Username: g.Key, Account: m.account,
		Permissions:        a.permissions(g),
		ConnectionDeadline: g.ExpiresAt,
	})
	m.clients[c.GetID()] = struct{}{}
	return nil
}

// enter notes the grant of a key. Other rights than before end the
// connections made with those: they come back with the new ones. a.mu is held.
func (a *gate) enter(g Grant) *member {
	m := a.keys[g.Key]
	if m != nil && m.grant.account() != g.account() {
		a.disconnect(m)
		m.account, m.retrying = nil, false
	}
	if m == nil {
		m = &member{clients: map[uint64]struct{}{}}
		a.keys[g.Key] = m
	}
	m.grant = g
	return m
}

// disconnect ends the connections of a key; a.mu is held.
func (a *gate) disconnect(m *member) {
	if srv := a.current(); srv != nil {
		for id := range m.clients {
			srv.DisconnectClientByID(id) // fails only when it is gone already
		}
	}
	m.clients = map[uint64]struct{}{}
}

// grant notes a key and arranges for expire to run when it expires.
func (a *gate) grant(g Grant, expire func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	m := a.enter(g)
	m.stopExpiry()
	if !g.ExpiresAt.IsZero() && !a.closed {
		m.expiry = time.AfterFunc(time.Until(g.ExpiresAt), expire)
	}
}

func (m *member) stopExpiry() {
	if m.expiry != nil {
		m.expiry.Stop()
		m.expiry = nil
	}
}

// revoke forgets a key and ends its connections.
func (a *gate) revoke(key string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if m := a.keys[key]; m != nil {
		m.stopExpiry()
		a.disconnect(m)
		delete(a.keys, key)
	}
}

// granted says what the key may do as the gate knows it.
func (a *gate) granted(key string) (Grant, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if m := a.keys[key]; m != nil {
		return m.grant, true
	}
	return Grant{}, false
}

// lock makes the steps that change the consumers of one key follow each
// other; unlock ends it.
func (a *gate) lock(key string) {
	a.mu.Lock()
	l := a.locks[key]
	if l == nil {
		l = &keyLock{}
		a.locks[key] = l
	}
	l.users++
	a.mu.Unlock()
	l.Lock()
}

func (a *gate) unlock(key string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	l := a.locks[key]
	if l.users--; l.users == 0 {
		delete(a.locks, key)
	}
	l.Unlock()
}

type keyLock struct {
	sync.Mutex
	users int
}

// provisioned says whether the consumers of the key fit the grant.
func (a *gate) provisioned(g Grant) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	m := a.keys[g.Key]
	return m != nil && m.provisioned == g.account()
}

func (a *gate) setProvisioned(g Grant) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if m := a.keys[g.Key]; m != nil && m.grant.account() == g.account() {
		m.provisioned, m.retrying = g.account(), false
	}
}

// retry says whether the caller is to go on trying to make the consumers of
// the grant; false when the key has other rights by now or somebody does.
func (a *gate) retry(g Grant, start bool) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	m := a.keys[g.Key]
	if m == nil || m.grant.account() != g.account() || start && m.retrying {
		return false
	}
	m.retrying = true
	return true
}
