package main_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/modemgate/modemgate/driver/sim"
)

// kills is how often the daemon is killed under load: MODEMGATE_KILLS, 20 if
// that is not set.
func kills(t *testing.T) int {
	t.Helper()
	s := os.Getenv("MODEMGATE_KILLS")
	if s == "" {
		return 20
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 {
		t.Fatalf("MODEMGATE_KILLS=%q: give a number", s)
	}
	return n
}

// load is what goes through the gateway until stop is closed.
type load struct {
	*rig
	stop chan struct{}
	wg   sync.WaitGroup
	rare int // times as long between two of all; 0 is 1
}

func (l *load) pause(d time.Duration) bool {
	select {
	case <-l.stop:
		return false
	case <-time.After(d):
		return true
	}
}

// post sends messages and codes, each until it is answered.
func (l *load) post(rng *rand.Rand) {
	for l.pause(time.Duration(rng.IntN(40)*max(l.rare, 1)) * time.Millisecond) {
		var p *post
		switch rng.IntN(6) {
		case 0:
			p = l.books.code()
		case 1:
			p = l.books.message(long("lots # of it"), "resend", 3)
		case 2:
			p = l.books.message("hold #", "hold", 1)
		case 3:
			p = l.books.message("fail #", "fail", 1)
		default:
			p = l.books.message("resend # ½", "resend", 1)
		}
		for !l.send(p) {
			if !l.pause(5 * time.Millisecond) {
				return
			}
		}
	}
}

// text sends SMS to the lines.
func (l *load) text(rng *rand.Rand) {
	modems := l.net.Modems()
	for l.pause(time.Duration(rng.IntN(30)*max(l.rare, 1)) * time.Millisecond) {
		text := "hello #"
		if rng.IntN(5) == 0 {
			text = long("a longer hello # ")
		}
		x := l.books.letter(modems[rng.IntN(len(modems))].Number(), text)
		if err := l.net.Phone(x.from).Send(x.to, x.text); err != nil {
			l.Error(err)
		}
	}
}

// follow reads the events as they come, over every death.
func (l *load) follow() {
	for l.pause(5 * time.Millisecond) {
		s, err := l.subscribe()
		if err != nil {
			continue
		}
		for err == nil && l.pause(5*time.Millisecond) {
			_, err = s.take(l.books)
		}
		s.nc.Close()
	}
}

func (l *load) begin(seed uint64) {
	for i, work := range []func(*rand.Rand){l.post, l.post, l.text} {
		rng := rand.New(rand.NewPCG(seed, uint64(i)))
		l.wg.Go(func() { work(rng) })
	}
	l.wg.Go(l.follow)
}

// SIGKILL at random moments, at a third of which a modem loses power too, while SMS go both ways over two lines.
func TestKillAtRandomUnderLoad(t *testing.T) {
	t.Parallel()
	n, seed := kills(t), rand.Uint64()
	r := newRig(t, rigOptions{modems: 2, sim: sim.Options{SubmitDelay: 15 * time.Millisecond, DeliverDelay: 2 * time.Millisecond}})
	l := &load{rig: r, stop: make(chan struct{})}
	rng := rand.New(rand.NewPCG(seed, 99))
	r.serving()
	l.begin(seed)
	for i := range n {
		d := r.now()
		r.must("there is load", func() bool { // on a slow machine a life can be short
			l.books.mu.Lock()
			defer l.books.mu.Unlock()
			return len(l.books.posts) > i && len(l.books.letters) > i
		})
		time.Sleep(time.Duration(rng.IntN(500)) * time.Millisecond) // the moment of death is random
		d.kill()
		if m := r.net.Modems()[i%2]; rng.IntN(3) == 0 { // what it was about to say is lost
			m.Unplug()
			m.Plug()
		}
		if i < n-1 {
			r.serving()
		}
	}
	close(l.stop)
	l.wg.Wait()
	r.serving()
	r.checkAll()
	t.Logf("%d kills, seed %d: %s", n, seed, l.sum())
	r.quit()
}

// sum tells what went through, in figures.
func (l *load) sum() string {
	states, copies := map[string]int{}, 0
	for _, p := range l.books.posts {
		states[p.state]++
	}
	for _, parts := range submissions(l.net.Journal()) {
		for _, times := range parts {
			copies += times - 1
		}
	}
	return fmt.Sprintf("%d messages and codes %v, %d copies of parts by policy; %d SMS in; %d and %d events", len(l.books.posts), states,
		copies, len(l.books.letters), len(l.books.events["SMS_STATUS"]), len(l.books.events["SMS_INBOUND"]))
}
