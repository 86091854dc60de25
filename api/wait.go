package api

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/modemgate/modemgate/gateway"
)

// waits counts the long polls of each key.
type waits struct {
	most int
	mu   sync.Mutex
	open map[string]int
}

// enter takes a place; the returned function gives it back.
func (w *waits) enter(key string) (leave func(), err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.open[key] >= w.most {
		e := refuse(gateway.LimitExceeded, "this key has %d requests waiting already: let one end first", w.most)
		e.Limit, e.RetryAt = "waits", time.Now().Add(time.Second)
		return nil, e
	}
	w.open[key]++
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.open[key]--; w.open[key] == 0 {
			delete(w.open, key)
		}
	}, nil
}

// poll calls ask, which may wait as long as d. The wait ends early when the
// client goes away or the server begins to drain; in the second case ask is
// called once more without waiting, so that the client gets its answer.
func (s *Server) poll(c echo.Context, d time.Duration, ask func(ctx context.Context, d time.Duration) error) error {
	ctx := c.Request().Context()
	if d <= 0 {
		return ask(ctx, 0)
	}
	leave, err := s.waits.enter(request(c).Caller.Key)
	if err != nil {
		return err
	}
	defer leave()
	waiting, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		select {
		case <-s.closing:
			cancel()
		case <-stop:
		}
	}()
	err = ask(waiting, d)
	if errors.Is(err, context.Canceled) && ctx.Err() == nil {
		return ask(ctx, 0)
	}
	return err
}
