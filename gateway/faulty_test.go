package gateway_test

import (
	"context"
	"sync"
	"time"

	"github.com/modemgate/modemgate/driver"
	"github.com/modemgate/modemgate/gateway"
	"github.com/modemgate/modemgate/gateway/store"
)

// faultyStore is a real store that fails or pauses where a test says so.
type faultyStore struct {
	store.Store

	mu     sync.Mutex
	before func(step string)
	fail   func(step string) error // after the step has run, instead of its commit
	after  func(step string)
	check  func(ctx context.Context) // instead of a checkpoint
}

// faulty puts a faultyStore before the rig's store.
func faulty(f *faultyStore) func(o *gateway.Options) {
	return func(o *gateway.Options) { f.Store, o.Store = o.Store, f }
}

func (f *faultyStore) set(fn func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	fn()
}

func (f *faultyStore) Update(ctx context.Context, step string, fn func(tx store.Tx) error) error {
	f.mu.Lock()
	before, fail, after := f.before, f.fail, f.after
	f.mu.Unlock()
	if before != nil {
		before(step)
	}
	err := f.Store.Update(ctx, step, func(tx store.Tx) error {
		err := fn(tx)
		if err == nil && fail != nil {
			err = fail(step)
		}
		return err
	})
	if err == nil && after != nil {
		after(step)
	}
	return err
}

func (f *faultyStore) Checkpoint(ctx context.Context) error {
	f.mu.Lock()
	check := f.check
	f.mu.Unlock()
	if check != nil {
		check(ctx)
		return ctx.Err()
	}
	return f.Store.Checkpoint(ctx)
}

// patient gives all lines another time-out of a submission.
func patient(o *gateway.Options, d time.Duration) {
	for i, l := range o.Lines {
		o.Lines[i].Open = func(ctx context.Context) (gateway.Modem, error) {
			m, err := driver.Open(ctx, driver.Options{
				Port: l.Port, CommandTimeout: 30 * time.Second, PromptTimeout: 30 * time.Second, SubmitTimeout: d,
			})
			if err != nil {
				return nil, err
			}
			return m, nil
		}
	}
}
