package gateway_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/modemgate/modemgate/gateway"
	"github.com/modemgate/modemgate/gateway/store"
)

// damagedStore is a real store in which the texts of some messages cannot be
// opened any more.
type damagedStore struct {
	store.Store
	damaged *sync.Map // ids of messages
}

type damagedTx struct {
	store.Tx
	damaged *sync.Map
}

func (s damagedStore) Update(ctx context.Context, step string, fn func(tx store.Tx) error) error {
	return s.Store.Update(ctx, step, func(tx store.Tx) error { return fn(damagedTx{tx, s.damaged}) })
}

func (s damagedStore) View(ctx context.Context, fn func(tx store.Tx) error) error {
	return s.Store.View(ctx, func(tx store.Tx) error { return fn(damagedTx{tx, s.damaged}) })
}

func (tx damagedTx) MessageText(id string) (string, error) {
	if _, is := tx.damaged.Load(id); is {
		return "", fmt.Errorf("text of message %s: %w", id, store.ErrUnreadable)
	}
	return tx.Tx.MessageText(id)
}

// One text that cannot be read ends its message, in words, and holds up
// neither the line nor what waits behind it.
func TestAnUnreadableTextEndsItsMessageOnly(t *testing.T) {
	var damaged sync.Map
	r := newRig(t, func(o *gateway.Options) { o.Store = damagedStore{o.Store, &damaged} }, nil)
	if _, err := r.g.PauseLine(t.Context(), admin, "modem0"); err != nil {
		t.Fatal(err)
	}
	lost := r.post(gateway.NewMessage{To: alice, Text: "nobody can read this"})
	damaged.Store(lost.ID, true)
	behind := r.post(gateway.NewMessage{To: alice, Text: "behind it"})
	if _, err := r.g.ResumeLine(t.Context(), admin, "modem0"); err != nil {
		t.Fatal(err)
	}
	r.await(behind.ID, store.Delivered)
	v := r.await(lost.ID, store.Failed)
	if v.Error != "text-unreadable" || v.HasText || r.submitted(alice) != 1 {
		t.Errorf("%s (%s), %d submitted", v.State, v.Error, r.submitted(alice))
	}
	if l, err := r.g.Line(t.Context(), admin, "modem0"); err != nil || l.State != "up" || l.Restarts > 0 {
		t.Errorf("the line is %s after %d restarts, %v", l.State, l.Restarts, err)
	}
	page, err := r.g.ListMessages(t.Context(), admin, gateway.MessageFilter{Limit: 10})
	if err != nil || len(page.Items) != 2 {
		t.Errorf("the list has %d messages, %v", len(page.Items), err)
	}
}
