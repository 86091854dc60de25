// Package storetest is the contract of [store.Store]: what every back end must
// do, whatever data base is below it.
package storetest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/modemgate/modemgate/gateway/store"
)

// Open opens a store for a test. Called again by the same test, after a
// Close, it opens the same data again. It is called by several at a time.
type Open func(t *testing.T) store.Store

// Run holds a back end to the contract. Each test gets an empty store.
func Run(t *testing.T, open Open) {
	groups := []struct {
		name  string
		tests map[string]func(t *testing.T, open Open)
	}{
		{"commit", commitTests},
		{"message", messageTests},
		{"list", listTests},
		{"queue", queueTests},
		{"part", partTests},
		{"otp", otpTests},
		{"limit", limitTests},
		{"key", keyTests},
		{"inbox", inboxTests},
		{"set", setTests},
		{"event", eventTests},
		{"line", lineTests},
		{"rewind", rewindTests},
		{"known", knownTests},
		{"race", raceTests},
	}
	for _, g := range groups {
		t.Run(g.name, func(t *testing.T) {
			for name, test := range g.tests {
				t.Run(name, func(t *testing.T) {
					t.Parallel() // they wait for the disk
					test(t, open)
				})
			}
		})
	}
}

// base is the time the tests begin at; store times have microseconds.
var base = time.Date(2026, 3, 1, 12, 0, 0, 123456000, time.UTC)

// at is base plus seconds.
func at(seconds int) time.Time { return base.Add(time.Duration(seconds) * time.Second) }

func ptr[T any](v T) *T { return &v }

// update runs fn in an update that must succeed.
func update(t *testing.T, s store.Store, fn func(tx store.Tx) error) {
	t.Helper()
	if err := s.Update(context.Background(), "test", fn); err != nil {
		t.Fatalf("update: %v", err)
	}
}

// view reads by fn in a view that must succeed.
func view[T any](t *testing.T, s store.Store, fn func(tx store.Tx) (T, error)) T {
	t.Helper()
	var out T
	err := s.View(context.Background(), func(tx store.Tx) (err error) {
		out, err = fn(tx)
		return err
	})
	if err != nil {
		t.Fatalf("view: %v", err)
	}
	return out
}

// change makes one change that returns a value.
func change[T any](t *testing.T, s store.Store, fn func(tx store.Tx) (T, error)) T {
	t.Helper()
	var out T
	update(t, s, func(tx store.Tx) (err error) {
		out, err = fn(tx)
		return err
	})
	return out
}

// fails runs fn in an update and wants it to fail with target.
func fails(t *testing.T, s store.Store, target error, fn func(tx store.Tx) error) {
	t.Helper()
	if err := s.Update(context.Background(), "test", fn); !errors.Is(err, target) {
		t.Errorf("got error %v, want %v", err, target)
	}
}

func equal(t *testing.T, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s:\n got %s\nwant %s", what, show(got), show(want))
	}
}

func show(v any) string {
	if r := reflect.ValueOf(v); r.Kind() == reflect.Pointer && !r.IsNil() {
		return fmt.Sprintf("%+v", r.Elem())
	}
	return fmt.Sprintf("%+v", v)
}

// message is a queued message with n parts, created i seconds after base.
func message(i, parts int) *store.Message {
	m := &store.Message{
		ID: fmt.Sprintf("msg_%04d", i), Key: "shop", To: "+447700900001", Text: "hello", Encoding: "gsm7",
		Priority: store.PriorityNormal, State: store.Queued, OnUnknown: "hold",
		CreatedAt: at(i), NotBefore: at(i), DeadlineAt: at(i + 3600),
	}
	for n := range parts {
		m.Parts = append(m.Parts, store.Part{Index: n + 1, State: store.Queued, Reference: -1, Status: -1})
	}
	return m
}

func insert(t *testing.T, s store.Store, ms ...*store.Message) {
	t.Helper()
	update(t, s, func(tx store.Tx) error {
		for _, m := range ms {
			if err := tx.InsertMessage(m); err != nil {
				return err
			}
		}
		return nil
	})
}

func get(t *testing.T, s store.Store, id string) *store.Message {
	t.Helper()
	return view(t, s, func(tx store.Tx) (*store.Message, error) { return tx.Message(id) })
}

func ids(ms []*store.Message) []string {
	var out []string
	for _, m := range ms {
		out = append(out, m.ID)
	}
	return out
}
