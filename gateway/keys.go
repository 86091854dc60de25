package gateway

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/modemgate/modemgate/gateway/events"
	"github.com/modemgate/modemgate/gateway/store"
)

// keyPrefix marks our secrets, so that scanners for leaked keys find them.
const keyPrefix = "mg_"

// secretLength is how many characters follow the prefix: 36 octets in base64url.
const secretLength = 48

// newSecret makes a key of 256 random bits with a checksum, so that a
// mistyped one is told from a wrong one without asking the store.
func newSecret() string {
	b := make([]byte, 32, 36)
	rand.Read(b)
	sum := crc32.ChecksumIEEE(b)
	b = append(b, byte(sum>>24), byte(sum>>16), byte(sum>>8), byte(sum))
	return keyPrefix + base64.RawURLEncoding.EncodeToString(b)
}

// wellFormed says whether the checksum of a secret is right.
func wellFormed(secret string) bool {
	rest, ok := strings.CutPrefix(secret, keyPrefix)
	if !ok || len(rest) != secretLength {
		return false
	}
	b, err := base64.RawURLEncoding.DecodeString(rest)
	if err != nil {
		return false
	}
	sum := crc32.ChecksumIEEE(b[:32])
	want := []byte{byte(sum >> 24), byte(sum >> 16), byte(sum >> 8), byte(sum)}
	return subtle.ConstantTimeCompare(b[32:], want) == 1
}

func hashSecret(secret string) []byte {
	h := sha256.Sum256([]byte(secret))
	return h[:]
}

// keyring holds all keys in memory: each request needs one. It is read from
// the store at the start and after each change.
type keyring struct {
	loading sync.Mutex // so that no older reading replaces a newer one

	mu     sync.RWMutex
	byHash map[[sha256.Size]byte]*Key
	byName map[string]*Key
}

func loadKeys(ctx context.Context, g *Gateway) (*keyring, error) {
	r := &keyring{}
	return r, r.reload(ctx, g.st)
}

func (r *keyring) reload(ctx context.Context, st store.Store) error {
	r.loading.Lock()
	defer r.loading.Unlock()
	var keys []*Key
	err := st.View(ctx, func(tx store.Tx) (err error) {
		keys, err = tx.ListKeys()
		return err
	})
	if err != nil {
		return fmt.Errorf("read keys: %w", err)
	}
	byHash, byName := map[[sha256.Size]byte]*Key{}, map[string]*Key{}
	for _, k := range keys {
		byName[k.Name] = k
		if len(k.Hash) == sha256.Size {
			byHash[[sha256.Size]byte(k.Hash)] = k
		}
	}
	r.mu.Lock()
	r.byHash, r.byName = byHash, byName
	r.mu.Unlock()
	return nil
}

// find returns the live key of a secret.
func (r *keyring) find(secret string, now time.Time) (*Key, bool) {
	if !wellFormed(secret) {
		return nil, false
	}
	sum := sha256.Sum256([]byte(secret))
	r.mu.RLock()
	k := r.byHash[sum]
	r.mu.RUnlock()
	if k == nil || !liveKey(k, now) {
		return nil, false
	}
	return k, true
}

// liveKey says whether the key is neither revoked nor expired.
func liveKey(k *Key, now time.Time) bool {
	return k.RevokedAt.IsZero() && (k.ExpiresAt.IsZero() || now.Before(k.ExpiresAt))
}

// Authenticate turns a secret into its caller. The error is the same for
// every well-formed secret that is not a live key.
func (g *Gateway) Authenticate(secret string) (Caller, error) {
	if !wellFormed(secret) {
		return Caller{}, refuse(Unauthenticated, "this is no whole API key, its checksum is wrong: copy all of it, %s and %d characters", keyPrefix, secretLength)
	}
	k, ok := g.keys.find(secret, g.clock.now())
	if !ok {
		return Caller{}, refuse(Unauthenticated, "the API key is unknown, expired or revoked: modemgate key list on the machine of the daemon tells which; modemgate key new NAME --scopes … makes another")
	}
	return Caller{Key: k.Name, Scopes: k.Scopes, Generation: k.Generation, to: k.To, perMinute: k.PerMinute, perDay: k.PerDay, createdAt: k.CreatedAt}, nil
}

// Grant says what a connection with the secret may do on NATS; it is the
// authenticator of the embedded server.
func (g *Gateway) Grant(secret string) (events.Grant, bool) {
	k, ok := g.keys.find(secret, g.clock.now())
	if !ok {
		return events.Grant{}, false
	}
	return grantOf(k), true
}

func grantOf(k *Key) events.Grant {
	c := Caller{Key: k.Name, Scopes: k.Scopes}
	all, lines := c.inboundLines()
	return events.Grant{
		Key: k.Name, Generation: k.Generation, Inbound: all || len(lines) > 0, InboundLines: lines,
		Status: c.Has(ScopeStatus), AllMessages: c.Has(ScopeMessages), Messages: true,
		InboundFrom: uint64(k.InboundFrom), StatusFrom: k.StatusFrom, ExpiresAt: k.ExpiresAt,
	}
}

// NewKey makes an API key. Its secret is returned once and never kept.
func (g *Gateway) NewKey(ctx context.Context, r Request, n NewKey) (string, Key, error) {
	if err := g.checkNewKey(r, &n); err != nil {
		return "", Key{}, err
	}
	now := g.clock.now()
	secret := newSecret()
	k := &Key{
		Name: n.Name, Hash: hashSecret(secret), Scopes: n.Scopes, To: n.To, PerMinute: n.PerMinute, PerDay: n.PerDay,
		Generation: 1, CreatedAt: now,
	}
	if n.Expires > 0 {
		k.ExpiresAt = now.Add(n.Expires)
	}
	err := g.update(ctx, "new-key", func(tx store.Tx) error {
		old, err := tx.Key(n.Name)
		switch {
		case errors.Is(err, store.ErrNotFound):
		case err != nil:
			return err
		case old.RevokedAt.IsZero() && (old.ExpiresAt.IsZero() || now.Before(old.ExpiresAt)):
			return invalid("/name", "the key %s exists: choose another name; or revoke it, and make it anew with --inherit", n.Name)
		case !n.Inherit:
			return invalid("/name", "the name %s was used before: what that key made would belong to the new one; choose another name, or say --inherit", n.Name)
		default:
			k.Generation = old.Generation + 1
		}
		if !n.FromAll {
			k.StatusFrom = now
			if k.InboundFrom, err = tx.LastInboundSeq(); err != nil {
				return err
			}
		}
		return tx.PutKey(k)
	})
	if err != nil {
		return "", Key{}, err
	}
	if err := g.keysChanged(ctx); err != nil {
		return "", Key{}, err
	}
	if g.o.Bus != nil {
		if err := g.o.Bus.Provision(ctx, grantOf(k)); err != nil {
			g.log.Warn("the key has no NATS consumers yet; they are made when it connects", "key", k.Name, "err", err)
		}
	}
	return secret, *k, nil
}

func (g *Gateway) checkNewKey(r Request, n *NewKey) error {
	if !r.Caller.Local {
		return refuse(ScopeMissing, "keys are made on the machine itself: modemgate key new")
	}
	if !validName(n.Name) {
		return invalid("/name", "a key name is 1 to 32 of a-z, 0-9 and -")
	}
	if n.Name == localKey || n.Name == systemKey {
		return invalid("/name", "the names local and system are reserved: choose another")
	}
	if len(n.Scopes) == 0 {
		return invalid("/scopes", "a key needs a scope: otp, send, messages, inbound, inbound:LINE, status or admin")
	}
	for i, s := range n.Scopes {
		if l, ok := strings.CutPrefix(s, ScopeInbound+":"); ok && !validName(l) {
			return invalid(fmt.Sprintf("/scopes/%d", i), "%q names no line: a line is 1 to 32 of a-z, 0-9 and -", s)
		}
		if !validScope(s) {
			return invalid(fmt.Sprintf("/scopes/%d", i), "%q is no scope: otp, send, messages, inbound, inbound:LINE, status or admin", s)
		}
	}
	for i, p := range n.To {
		if !validPrefix(p) {
			return invalid(fmt.Sprintf("/to/%d", i), "a prefix is + and digits, such as +44")
		}
	}
	if n.PerDay < 0 || n.PerMinute < 0 || n.Expires < 0 {
		return invalid("/per_day", "limits and expiry cannot be negative")
	}
	slices.Sort(n.Scopes)
	n.Scopes = slices.Compact(n.Scopes)
	return nil
}

// Keys lists all keys, also revoked ones, without their hashes.
func (g *Gateway) Keys(ctx context.Context, r Request) ([]Key, error) {
	if !r.Caller.Local {
		return nil, refuse(ScopeMissing, "keys are listed on the machine itself: modemgate key list")
	}
	var out []Key
	err := g.st.View(ctx, func(tx store.Tx) error {
		keys, err := tx.ListKeys()
		for _, k := range keys {
			k.Hash = nil
			out = append(out, *k)
		}
		return err
	})
	return out, err
}

// RevokeKey ends a key: its requests are refused at once, its NATS
// connections and consumers are ended.
func (g *Gateway) RevokeKey(ctx context.Context, r Request, name string) error {
	if !r.Caller.Local {
		return refuse(ScopeMissing, "keys are revoked on the machine itself: modemgate key revoke")
	}
	now := g.clock.now()
	err := g.update(ctx, "revoke-key", func(tx store.Tx) error {
		k, err := tx.Key(name)
		if errors.Is(err, store.ErrNotFound) {
			return refuse(NotFound, "there is no key %s: modemgate key list shows all", name)
		}
		if err != nil || !k.RevokedAt.IsZero() {
			return err
		}
		k.RevokedAt = now
		return tx.PutKey(k)
	})
	if err != nil {
		return err
	}
	if err := g.keysChanged(ctx); err != nil {
		return err
	}
	if g.o.Bus != nil {
		g.o.Bus.Revoke(name)
	}
	return nil
}

func (g *Gateway) keysChanged(ctx context.Context) error { return g.keys.reload(ctx, g.st) }

// validPrefix says whether p is + and 1 to 15 digits.
func validPrefix(p string) bool {
	d, ok := strings.CutPrefix(p, "+")
	return ok && len(d) >= 1 && len(d) <= 15 && strings.Trim(d, "0123456789") == ""
}
