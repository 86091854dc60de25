package gateway

import (
	"context"
	"sync"

	"github.com/modemgate/modemgate/gateway/store"
)

// turns lets each API key look through lists one request at a time: a page that
// few rows fit reads many, and no key may take the disk from all others.
type turns struct{ keys sync.Map } // chan struct{} by key

// search runs fn on a snapshot when it is the key's turn; see
// [store.Store].Search.
func (g *Gateway) search(ctx context.Context, key string, fn func(tx store.Tx) error) error {
	turn, _ := g.turns.keys.LoadOrStore(key, make(chan struct{}, 1))
	select {
	case turn.(chan struct{}) <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-turn.(chan struct{}) }()
	return g.st.Search(ctx, fn)
}
