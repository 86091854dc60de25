package store_test

import (
	"context"
	"sync"
	"testing"

	"github.com/modemgate/modemgate/gateway/store"
	"github.com/modemgate/modemgate/gateway/store/storetest"
)

// open opens a store in dir and closes it with the test.
func open(t *testing.T, o store.Options) store.Store {
	t.Helper()
	if o.SealKey == nil {
		o.SealKey = testKey
	}
	s, err := store.OpenSQLite(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestSQLiteKeepsTheContract(t *testing.T) {
	var mu sync.Mutex
	dirs := make(map[*testing.T]string)
	storetest.Run(t, func(t *testing.T) store.Store {
		mu.Lock()
		defer mu.Unlock()
		if dirs[t] == "" {
			dirs[t] = t.TempDir()
		}
		return open(t, store.Options{Dir: dirs[t]})
	})
}
