package gateway

import (
	"context"
	"sync"
	"time"
)

// Topics that are not ids of things.
const (
	topicQueue   = "queue"          // something may be claimed
	topicInbound = "inbound"        // an SMS was stored
	topicEvents  = "events:"        // + stream: an event waits
	maxWait      = 55 * time.Second // longest long poll
)

// watchers wakes who waits for a thing to change. A wake says only "look
// again": whoever waits reads the store before and after.
type watchers struct {
	mu   sync.Mutex
	subs map[string]map[chan struct{}]struct{}
}

func newWatchers() *watchers { return &watchers{subs: map[string]map[chan struct{}]struct{}{}} }

// watch returns a channel that gets a value after each notice for id, and
// the function that ends the watch. Notices may merge.
func (w *watchers) watch(id string) (<-chan struct{}, func()) {
	ch := make(chan struct{}, 1)
	return ch, w.wake(id, ch)
}

// wake is watch with a channel of the caller's own, which others may use too.
func (w *watchers) wake(id string, ch chan struct{}) (end func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.subs[id] == nil {
		w.subs[id] = map[chan struct{}]struct{}{}
	}
	w.subs[id][ch] = struct{}{}
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.subs[id], ch)
		if len(w.subs[id]) == 0 {
			delete(w.subs, id)
		}
	}
}

// notify wakes the watchers of the ids. It never blocks.
func (w *watchers) notify(ids []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, id := range ids {
		for ch := range w.subs[id] {
			select {
			case ch <- struct{}{}:
			default:
			}
		}
	}
}

// await calls read until it says done, each time after a notice for id, at
// the latest when d has passed or the gateway stops; then the last reading
// stands.
func (g *Gateway) await(ctx context.Context, id string, d time.Duration, read func() (done bool, err error)) error {
	if d <= 0 {
		_, err := read()
		return err
	}
	ch, end := g.watch.watch(id)
	defer end()
	timer := time.NewTimer(min(d, maxWait))
	defer timer.Stop()
	for {
		if done, err := read(); done || err != nil {
			return err
		}
		select {
		case <-ch:
		case <-timer.C:
			return nil
		case <-g.stopping:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Notify is what the store calls after each commit; see [store.Options].
func (g *Gateway) Notify(ids []string) { g.watch.notify(ids) }
