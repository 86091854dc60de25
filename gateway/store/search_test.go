package store_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/modemgate/modemgate/gateway/store"
)

// Searches that take for ever keep no view waiting, nor the measure of the
// size, and end when those who asked have left.
func TestSearchesKeepNobodyWaiting(t *testing.T) {
	s := open(t, store.Options{Dir: t.TempDir()})
	update(t, s, put("a", "1"))
	size := s.Size()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	const many = 20
	begun, ended := make(chan struct{}, many), make(chan error, many)
	for range many {
		go func() {
			ended <- s.Search(ctx, func(tx store.Tx) error {
				begun <- struct{}{}
				return store.CountTo(tx, 1<<60)
			})
		}()
	}
	<-begun
	if setting(t, s, "a") != "1" {
		t.Error("the view does not see what is there")
	}
	update(t, s, put("a", "2"))
	if now := s.Size(); now < size || now > 100*size {
		t.Errorf("%d octets, %d before", now, size)
	}
	cancel()
	for range many {
		select {
		case err := <-ended:
			if !errors.Is(err, context.Canceled) {
				t.Errorf("a search ended with %v", err)
			}
		case <-time.After(time.Minute):
			t.Fatal("a search goes on although nobody waits for it")
		}
	}
	var one int64
	if err := s.Search(context.Background(), func(tx store.Tx) error { one++; return store.CountTo(tx, 10) }); err != nil || one != 1 {
		t.Errorf("a search after them: %v", err)
	}
}
