package main_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/modemgate/modemgate/driver/sim"
)

// outbound asks for a one-time password, a long and a short message, and
// waits for them to come to their ends; false when the daemon died meanwhile.
func (r *rig) outbound() bool {
	otp := r.books.code()
	lengthy := r.books.message(long("long # €{}"), "resend", 3)
	short := r.books.message("short # ½ 🙂", "hold", 1)
	for _, p := range []*post{otp, lengthy, short} {
		if !r.send(p) {
			return false
		}
	}
	if !r.settle() || !r.verify(otp) {
		return false
	}
	reported := func() bool {
		for _, p := range []*post{otp, lengthy, short} {
			var v view
			if _, _, err := r.call("GET", "/v1/messages/"+p.message+"?wait=1s", "", "", &v); err != nil || v.State == "sent" {
				return false
			}
		}
		return true
	}
	return r.until("status reports", reported) && r.until("all events published", r.published)
}

// inbound texts a short, a long and an emoji SMS in.
func (r *rig) inbound() bool {
	r.text("first #")
	r.text(long("second # ~"))
	r.text("third # ½ 🙂")
	return r.arrived() && r.until("all events published", r.published)
}

// crash is one moment of death.
type crash struct {
	point  string
	nth    int
	late   bool // the modem answers the send only after it: the next life hears that
	replug bool // the modem loses power after it: what it was about to say is lost
}

func (c crash) String() string {
	s := fmt.Sprintf("%s@%d", c.point, c.nth)
	if c.late {
		s += ", late answer"
	}
	if c.replug {
		s += ", replug"
	}
	return s
}

// points lists the moments of death that a trace shows: each named point at
// the first time it is passed, and with twice those of sending, recording and
// deleting also at the second, when something is done already.
func points(t *testing.T, trace string, twice bool) (all []crash) {
	t.Helper()
	b, err := os.ReadFile(trace)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	for point := range strings.Lines(string(b)) {
		point = strings.TrimSpace(point)
		seen[point]++
		again := twice && seen[point] == 2 && !strings.Contains(point, "mark") && !strings.HasPrefix(point, "publish:status")
		if seen[point] == 1 || again {
			all = append(all, crash{point: point, nth: seen[point]})
		}
	}
	slices.SortFunc(all, func(a, b crash) int { return strings.Compare(a.String(), b.String()) })
	return all
}

// atOnce is how many sites are tested at the same time: most of their time
// they wait.
const atOnce = 16

// each runs test for every series of crashes, several at a time.
func each(t *testing.T, all [][]crash, test func(*testing.T, []crash)) {
	t.Helper()
	var wg sync.WaitGroup
	defer wg.Wait()
	slots := make(chan struct{}, atOnce)
	for _, c := range all {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			t.Run(strings.Trim(fmt.Sprint(c), "[]"), func(t *testing.T) { test(t, c) })
		})
	}
}

// journey is one way through the gateway, to be made until the daemon dies.
type journey func(*rig) bool

// trace makes the journey in a life that notes every point, after a life that
// was killed at first, and lists the points.
func trace(t *testing.T, way journey, twice bool, first ...crash) []crash {
	t.Helper()
	r := newRig(t, rigOptions{})
	r.mustDie(way, first...)
	file := filepath.Join(r.dir, "points")
	r.serving("MODEMGATE_POINTS=" + file)
	if len(first) == 0 && !way(r) {
		t.Fatalf("the daemon died in the traced run:\n%s", r.now().tail())
	}
	r.checkAll()
	all := points(t, file, twice)
	if len(first) > 0 {
		// What was accepted in the first life is repeated in the next: whether that
		// changes anything depends on whose commit notes the time.
		all = slices.DeleteFunc(all, func(c crash) bool { return strings.HasPrefix(c.point, "commit:accept-") })
	}
	return all
}

// die lives one life for each crash, and dies of it: the first in the
// journey, the others while the life before is made good. It returns false
// when a point is not reached.
func (r *rig) die(way journey, crashes []crash) bool {
	r.Helper()
	for i, c := range crashes {
		if c.late {
			r.net.Modems()[0].Inject(sim.Fault{Kind: sim.FaultLate, Match: "+CMGS", Delay: 100 * time.Millisecond})
		}
		d := r.start(fmt.Sprintf("MODEMGATE_CRASH=%s@%d", c.point, c.nth))
		alive := true
		for n := 0; alive && n < 3; n++ {
			if i == 0 {
				alive = way(r)
			} else {
				alive = r.again() && r.settle() && r.verifyAll() && r.arrived() && r.until("all events published", r.published)
			}
		}
		if alive {
			return false
		}
		select {
		case <-d.done:
		case <-time.After(patience):
			r.Fatalf("after %s the daemon is alive and does not answer:\n%s", c, d.tail())
		}
		if status := d.cmd.ProcessState.String(); status != "signal: killed" {
			r.Fatalf("at %s the daemon ended by itself (%s):\n%s", c, status, d.tail())
		}
		if c.replug {
			r.net.Modems()[0].Unplug()
			r.net.Modems()[0].Plug()
		}
	}
	return true
}

// mustDie is die where a point that is not reached is a failure.
func (r *rig) mustDie(way journey, crashes ...crash) {
	r.Helper()
	if !r.die(way, crashes) {
		r.Fatalf("%v was never reached", crashes)
	}
}

// wants demands that the traces hold the points that make the test one.
func wants(t *testing.T, have []crash, must []string) {
	t.Helper()
	for _, point := range must {
		for _, side := range []string{":before", ":after"} {
			if !slices.ContainsFunc(have, func(c crash) bool { return c.point == point+side }) {
				t.Errorf("no trace holds %s%s", point, side)
			}
		}
	}
}

// killAtEvery kills a site of its own at each point of a journey, then others
// at each point of the start after a first kill.
func killAtEvery(t *testing.T, way journey, first crash, must ...string) {
	t.Helper()
	powerless := first
	powerless.late, powerless.replug = false, true
	var all, after, dark []crash
	var wg sync.WaitGroup
	wg.Go(func() { t.Run("trace", func(t *testing.T) { all = trace(t, way, true) }) })
	wg.Go(func() { t.Run("trace after a kill", func(t *testing.T) { after = trace(t, way, false, first) }) })
	wg.Go(func() {
		t.Run("trace after a kill, replug", func(t *testing.T) { dark = trace(t, way, false, powerless) })
	})
	wg.Wait()
	if t.Failed() {
		return
	}
	wants(t, slices.Concat(all, after, dark), must)
	var series [][]crash
	for _, c := range all {
		series = append(series, []crash{c})
	}
	for _, c := range dark {
		series = append(series, []crash{powerless, c})
	}
	for _, c := range after {
		if !slices.Contains(dark, c) { // such as the commit of a late answer
			series = append(series, []crash{first, c})
		}
	}
	t.Logf("%d moments: %v", len(series), series)
	each(t, series, func(t *testing.T, c []crash) {
		for range 3 { // what a kill leaves can be settled in more than one way
			r := newRig(t, rigOptions{})
			if r.die(way, c) {
				r.serving()
				r.checkAll()
				return
			}
			r.checkAll()
			r.stop()
		}
		t.Error("never reached")
	})
}

// SIGKILL at each commit and each write of the way out.
func TestKillAtEveryPointOutbound(t *testing.T) {
	t.Parallel()
	killAtEvery(t, (*rig).outbound, crash{point: "driver:pdu:after", nth: 1, late: true},
		"commit:accept-otp", "commit:accept-message", "commit:claim", "driver:cmgs", "driver:pdu", "driver:result", "commit:result",
		"commit:report", "commit:verify", "publish:status", "mark:status", "commit:mark-events",
		"commit:recover", "commit:settle", "commit:late-result")
}

// SIGKILL at each commit and each write of the way in.
func TestKillAtEveryPointInbound(t *testing.T) {
	t.Parallel()
	killAtEvery(t, (*rig).inbound, crash{point: "driver:delete:before", nth: 2},
		"commit:inbound", "driver:delete", "publish:inbound", "mark:inbound", "commit:mark-events", "commit:recover")
}
