package store

import (
	"context"
	"math"
	"slices"
	"sync"
)

// Bounds of what is kept of each stream in memory.
const (
	recentEvents = 1024
	recentOctets = 1 << 20 // of payloads
)

// recent holds the latest unpublished events of each stream, in the order of
// their commits, so that the publisher need not read back what was written a
// moment ago. The rows stay the truth: whatever is older than these is read
// from them.
type recent struct {
	mu      sync.Mutex
	streams map[string]*recentStream
}

// recentStream has every unpublished event with a seq of at least from.
type recentStream struct {
	events []*Event
	from   int64
	octets int
}

// committed takes over what a durable commit has changed. The writer calls
// it, so the order of the calls is that of the commits.
func (r *recent) committed(e *effects) {
	if len(e.events)+len(e.gone)+len(e.marks) == 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range r.streams {
		for _, about := range e.gone {
			s.remove(func(ev *Event) bool { return ev.About == about })
		}
	}
	for _, ev := range e.events {
		r.stream(ev.Stream).add(ev)
	}
	for _, m := range e.marks {
		r.stream(m.stream).drop(m.upTo)
	}
}

func (r *recent) stream(name string) *recentStream {
	s := r.streams[name]
	if s == nil {
		if r.streams == nil {
			r.streams = make(map[string]*recentStream)
		}
		s = &recentStream{from: math.MaxInt64}
		r.streams[name] = s
	}
	return s
}

// after lists events with a seq above after; false when some of them may be
// in the rows only.
func (r *recent) after(stream string, after int64, limit int) ([]*Event, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.streams[stream]
	if s == nil || s.from > after+1 {
		return nil, false
	}
	i, _ := slices.BinarySearchFunc(s.events, after+1, func(e *Event, seq int64) int { return int(e.Seq - seq) })
	return slices.Clone(s.events[i:min(len(s.events), i+limit)]), true
}

func (s *recentStream) add(e *Event) {
	s.from = min(s.from, e.Seq)
	s.events = append(s.events, e)
	s.octets += len(e.Payload)
	if len(s.events) <= recentEvents && s.octets <= recentOctets {
		return
	}
	// The older half goes, not one at a time: nobody takes them.
	s.drop(s.events[len(s.events)/2].Seq)
	s.from = e.Seq + 1
	if len(s.events) > 0 {
		s.from = s.events[0].Seq
	}
}

// drop forgets the events up to a seq.
func (s *recentStream) drop(upTo int64) {
	s.remove(func(e *Event) bool { return e.Seq <= upTo })
}

func (s *recentStream) remove(match func(*Event) bool) {
	s.events = slices.DeleteFunc(s.events, func(e *Event) bool {
		if !match(e) {
			return false
		}
		s.octets -= len(e.Payload)
		return true
	})
}

// Unpublished lists the unpublished events of a stream behind a seq; see
// [Store].
func (s *sqliteStore) Unpublished(ctx context.Context, stream string, after int64, limit int) ([]*Event, error) {
	if events, ok := s.recent.after(stream, after, limit); ok {
		return events, ctx.Err()
	}
	var out []*Event
	err := s.View(ctx, func(t Tx) (err error) {
		out, err = t.PendingEvents(stream, after, limit)
		return err
	})
	return out, err
}
