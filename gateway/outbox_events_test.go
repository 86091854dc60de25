package gateway_test

import (
	"context"
	"testing"

	"github.com/modemgate/modemgate/gateway"
	"github.com/modemgate/modemgate/gateway/events"
	"github.com/modemgate/modemgate/gateway/store"
)

// markingBus takes every event at once, and asks for a wake before each round
// as the publishers do.
type markingBus struct{ gateway.Bus }

func (markingBus) State() events.State { return events.State{Connected: true} }

func (markingBus) Run(ctx context.Context, src events.Source) error {
	for {
		wakes, marked := map[string]<-chan struct{}{}, false
		for _, stream := range []string{"status", "inbound"} {
			wakes[stream] = src.Wake(stream)
			pending, err := src.Pending(ctx, stream, 0, 1)
			if err == nil && len(pending) > 0 {
				src.Acknowledged(pending[0])
				marked = src.Mark(ctx, stream, pending[0].Seq, 1) == nil
			}
		}
		if marked {
			continue
		}
		select {
		case <-wakes["status"]:
		case <-wakes["inbound"]:
		case <-ctx.Done():
			return nil
		}
	}
}

func TestPublishingLeavesNoWatchesBehind(t *testing.T) {
	r := newRig(t, func(o *gateway.Options) { o.Bus = markingBus{} }, nil)
	r.lineState("modem0", "up")
	before := r.g.Watches()
	for range 20 {
		m := r.post(gateway.NewMessage{To: alice, Text: "many events"})
		r.await(m.ID, store.Delivered)
	}
	r.until("all events are published", func() bool {
		waiting := 0
		err := r.st.View(t.Context(), func(tx store.Tx) error {
			n, err := tx.CountEvents()
			waiting = n["status"]
			return err
		})
		return err == nil && waiting == 0
	})
	if after := r.g.Watches(); after > before {
		t.Fatalf("%d watches after 20 messages, %d before", after, before)
	}
}
