package gateway

import (
	"sync"
	"time"

	"github.com/modemgate/modemgate/gateway/store"
)

// queueBound is an upper bound of the number of queued messages. Counting
// them takes time that grows with their number, so they are counted only when
// the bound reaches the limit, and who made them only when the queue is full,
// once in keysEvery. It is owned by the commits that accept.
type queueBound struct {
	mu    sync.Mutex
	known bool
	most  int

	byKey  map[string]int // upper bounds too, by the key that made them
	keysAt time.Time      // when they were counted
}

const keysEvery = time.Second

// checkQueue refuses when too much waits already, else it counts one more.
// What others have queued or scheduled keeps nobody out: a full queue still
// takes OTPs until that many OTPs wait, and messages of a key that has less in
// it than its share, the limit divided by all who may send. So less than three
// times the limit ever waits.
func (g *Gateway) checkQueue(tx store.Tx, key string, priority int, now time.Time) error {
	q := &g.queued
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.known && q.most < g.o.MaxQueued {
		q.add(key)
		return nil
	}
	by, err := tx.CountQueued()
	if err != nil {
		return err
	}
	q.known, q.most = true, by[0]+by[1]+by[2]+by[3]
	if q.most < g.o.MaxQueued || priority == store.PriorityOTP && by[store.PriorityOTP] < g.o.MaxQueued {
		q.add(key)
		return nil
	}
	if q.byKey == nil || now.Sub(q.keysAt) >= keysEvery {
		if q.byKey, err = tx.CountQueuedByKey(); err != nil {
			return err
		}
		q.keysAt = now
	}
	if share := max(1, g.o.MaxQueued/g.senderKeys(now)); q.byKey[key] >= share {
		return limited("queued", now.Add(time.Minute),
			"%d messages are queued already (limits.queued), and of the key %s its share of %d: wait until lines have sent some", q.most, key, share)
	}
	q.add(key)
	return nil
}

// senderKeys counts those who can queue anything: the live keys with such a
// scope and the operator.
func (g *Gateway) senderKeys(now time.Time) int {
	g.keys.mu.RLock()
	defer g.keys.mu.RUnlock()
	n := 1
	for _, k := range g.keys.byName {
		c := Caller{Scopes: k.Scopes}
		if liveKey(k, now) && (c.Has(ScopeSend) || c.Has(ScopeOTP)) {
			n++
		}
	}
	return n
}

func (q *queueBound) add(key string) {
	q.most++
	if q.byKey != nil {
		q.byKey[key]++
	}
}
