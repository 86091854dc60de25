package gateway

import (
	"bytes"
	"context"
	"errors"
	"time"

	"github.com/modemgate/modemgate/gateway/store"
)

// idempotencyKeep is how long a repeat is recognised.
const idempotencyKeep = 24 * time.Hour

// errForgotten answers a repeat whose thing was deleted since: nothing is sent
// anew for it.
var errForgotten = refuse(NotFound, "what the first request with this Idempotency-Key made has been deleted: use a new key for a new request")

// begin notes that a repeatable request is under way, and refuses a second
// one with the same key at the same time. The returned function ends it.
func (g *Gateway) begin(r Request) (func(), error) {
	if r.IdempotencyKey == "" {
		return func() {}, nil
	}
	id := r.Caller.Key + "\x00" + r.Path + "\x00" + r.IdempotencyKey
	g.running.Lock()
	defer g.running.Unlock()
	if _, busy := g.running.m[id]; busy {
		return nil, refuse(IdempotencyInProgress, "a request with this Idempotency-Key is being answered: repeat it in a moment")
	}
	g.running.m[id] = struct{}{}
	return func() {
		g.running.Lock()
		delete(g.running.m, id)
		g.running.Unlock()
	}, nil
}

// replay finds what the first request with this key made; nil when this is
// the first.
func (g *Gateway) replay(tx store.Tx, r Request, now time.Time) (*store.IdempotencyRecord, error) {
	if r.IdempotencyKey == "" {
		return nil, nil
	}
	rec, err := tx.IdempotencyRecord(r.Caller.Key, r.Path, g.idempotencyID(r))
	if errors.Is(err, store.ErrNotFound) || (err == nil && now.Sub(rec.At) > idempotencyKeep) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(rec.Fingerprint, g.fingerprint(r)) {
		return nil, refuse(IdempotencyKeyReused, "this Idempotency-Key was used with another body: use a new key for a new request")
	}
	return rec, nil
}

// repeated answers a repeat while nothing new is accepted: it writes nothing,
// so it needs neither room nor a clock. Anything else is refused for the
// reason why.
func (g *Gateway) repeated(ctx context.Context, r Request, why error, answer func(tx store.Tx, rec *store.IdempotencyRecord) error) error {
	return g.st.View(ctx, func(tx store.Tx) error {
		rec, err := g.replay(tx, r, g.clock.now())
		if err != nil {
			return err
		}
		if rec == nil {
			return why
		}
		return answer(tx, rec)
	})
}

// remember keeps the answer for repeats, in the commit of the change itself.
func (g *Gateway) remember(tx store.Tx, r Request, status int, resource string, now time.Time) error {
	if r.IdempotencyKey == "" {
		return nil
	}
	return tx.PutIdempotency(store.IdempotencyRecord{
		Key: r.Caller.Key, Path: r.Path, ID: g.idempotencyID(r), Fingerprint: g.fingerprint(r),
		Status: status, Resource: resource, At: now,
	})
}

// forget undoes remember where what was to follow the commit has failed, so
// that a repeat is answered as a first request.
func (g *Gateway) forget(tx store.Tx, r Request) error {
	if r.IdempotencyKey == "" {
		return nil
	}
	return tx.DeleteIdempotency(r.Caller.Key, r.Path, g.idempotencyID(r))
}

func (g *Gateway) idempotencyID(r Request) string {
	return string(idAlphabet.EncodeToString(g.o.Secrets.mac("idempotency", r.IdempotencyKey)))
}

func (g *Gateway) fingerprint(r Request) []byte { return g.o.Secrets.mac("body", string(r.Body)) }
