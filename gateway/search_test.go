package gateway_test

import (
	"context"
	"testing"
	"time"

	"github.com/modemgate/modemgate/gateway"
	"github.com/modemgate/modemgate/gateway/store"
)

// slowSearch holds every search until it is let go, as a million rows would.
type slowSearch struct {
	store.Store
	begun chan struct{}
	goOn  chan struct{}
}

func (s slowSearch) Search(ctx context.Context, fn func(tx store.Tx) error) error {
	s.begun <- struct{}{}
	select {
	case <-s.goOn:
	case <-ctx.Done():
		return ctx.Err()
	}
	return s.Store.Search(ctx, fn)
}

// However many lists a key asks for at once, one is looked through at a time,
// and who looks for something else waits for none of them.
func TestListsOfOneKeyHoldUpNobody(t *testing.T) {
	slow := slowSearch{begun: make(chan struct{}, 100), goOn: make(chan struct{})}
	r := newRig(t, func(o *gateway.Options) { slow.Store = o.Store; o.Store = slow }, nil)
	const many = 20
	ended := make(chan error, many)
	for range many {
		go func() {
			_, err := r.g.ListMessages(t.Context(), app, gateway.MessageFilter{Via: "nobody", Limit: 10})
			ended <- err
		}()
	}
	<-slow.begun
	m := r.post(gateway.NewMessage{To: alice, Text: "goes out meanwhile"})
	r.await(m.ID, store.Delivered)
	if _, err := r.g.Status(t.Context(), admin); err != nil {
		t.Error(err)
	}
	if n := len(slow.begun); n != 0 {
		t.Errorf("%d more are looked through beside the first", n)
	}
	go func() { _, _ = r.g.ListMessages(t.Context(), admin, gateway.MessageFilter{Limit: 10}) }()
	select {
	case <-slow.begun:
	case <-time.After(deadline):
		t.Error("another key waits for the lists of the first")
	}
	close(slow.goOn)
	for range many {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}
