package sim

import (
	"container/heap"
	"sync"
	"time"
)

// mailbox carries work to the goroutine that owns a modem. It is unbounded:
// posting never blocks, so two modems can post to each other.
type mailbox struct {
	mu    sync.Mutex
	queue []func()
	wake  chan struct{}
}

func newMailbox() *mailbox { return &mailbox{wake: make(chan struct{}, 1)} }

func (b *mailbox) post(f func()) {
	b.mu.Lock()
	b.queue = append(b.queue, f)
	b.mu.Unlock()
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// run does the work that waits, in order, also when called from within it.
func (b *mailbox) run() {
	for {
		b.mu.Lock()
		if len(b.queue) == 0 {
			b.queue = nil
			b.mu.Unlock()
			return
		}
		f := b.queue[0]
		b.queue = b.queue[1:]
		b.mu.Unlock()
		f()
	}
}

// scheduler calls functions at their times, from one goroutine.
type scheduler struct {
	mu    sync.Mutex
	jobs  jobHeap
	seq   uint64
	wake  chan struct{}
	quit  chan struct{}
	ended chan struct{}
}

type job struct {
	at  time.Time
	seq uint64
	do  func()
}

type jobHeap []job

func (h jobHeap) Len() int { return len(h) }
func (h jobHeap) Less(i, j int) bool {
	if h[i].at.Equal(h[j].at) {
		return h[i].seq < h[j].seq
	}
	return h[i].at.Before(h[j].at)
}
func (h jobHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *jobHeap) Push(x any)   { *h = append(*h, x.(job)) }
func (h *jobHeap) Pop() any {
	old := *h
	last := old[len(old)-1]
	old[len(old)-1] = job{}
	*h = old[:len(old)-1]
	return last
}

func newScheduler() *scheduler {
	s := &scheduler{wake: make(chan struct{}, 1), quit: make(chan struct{}), ended: make(chan struct{})}
	go s.run()
	return s
}

func (s *scheduler) after(d time.Duration, do func()) {
	s.mu.Lock()
	s.seq++
	heap.Push(&s.jobs, job{time.Now().Add(d), s.seq, do})
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (s *scheduler) run() {
	defer close(s.ended)
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		timer.Reset(s.runDue())
		select {
		case <-s.quit:
			return
		case <-s.wake:
		case <-timer.C:
		}
	}
}

// runDue does what is due and gives the time until the next job.
func (s *scheduler) runDue() time.Duration {
	for {
		s.mu.Lock()
		if len(s.jobs) == 0 {
			s.mu.Unlock()
			return time.Hour
		}
		if wait := time.Until(s.jobs[0].at); wait > 0 {
			s.mu.Unlock()
			return wait
		}
		j := heap.Pop(&s.jobs).(job)
		s.mu.Unlock()
		j.do()
	}
}

func (s *scheduler) close() {
	close(s.quit)
	<-s.ended
}
