package main_test

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/modemgate/modemgate/driver/sim"
)

// soakTime is how long the soak lasts: MODEMGATE_SOAK, a few seconds if that
// is not set.
func soakTime(t *testing.T) time.Duration {
	t.Helper()
	s := os.Getenv("MODEMGATE_SOAK")
	if s == "" {
		return 3 * time.Second
	}
	d, err := time.ParseDuration(s)
	if err != nil || d < time.Second {
		t.Fatalf("MODEMGATE_SOAK=%q: give a duration, such as 10m", s)
	}
	return d
}

// What may be left over: connections of the store, which opens them as they are
// needed, two descriptors each, and of HTTP that are kept for the next request. A
// leak of one for each fault or message is far more.
const (
	spareGoroutines  = 8
	spareDescriptors = 24
)

// soakProfiles are the families of the eight modems.
const soakProfiles = "generic,huawei,zte,sim800,quectel,siemens,wavecom,sim7600"

// Eight modems of eight families under load in both directions, with random
// faults, hangs that only power ends among them. In the end every message is
// accounted for, and the daemon is as it was in the beginning.
func TestSoak(t *testing.T) {
	t.Parallel()
	d, seed := soakTime(t), rand.Uint64()
	dir := t.TempDir()
	asked := filepath.Join(dir, "power")
	r := newRig(t, rigOptions{
		modems: 8, power: []string{"sh", "-c", `echo "$MODEMGATE_LINE" >>"$0"`, asked},
		sim: sim.Options{
			Profile: soakProfiles, SubmitDelay: 15 * time.Millisecond, DeliverDelay: 2 * time.Millisecond, Noise: 200 * time.Millisecond,
			Seed: int64(seed), JournalSize: 10_000_000,
		},
	})
	r.serving("MODEMGATE_PATIENCE=1500ms")
	r.must("all lines up", r.allUp)
	warm := &load{rig: r, stop: make(chan struct{})}
	warm.begin(seed + 1)
	warm.pause(time.Second)
	close(warm.stop)
	warm.wg.Wait()
	r.drain()
	before := r.vitals()
	l := &load{rig: r, stop: make(chan struct{}), rare: 1 + int(d/time.Minute)}
	l.begin(seed)
	f := &trouble{rig: r, stop: l.stop, power: asked, struck: map[sim.FaultKind]int{}}
	for i, m := range r.net.Modems() {
		rng := rand.New(rand.NewPCG(seed, uint64(100+i)))
		l.wg.Go(func() { f.make(m, rng) })
	}
	l.wg.Go(f.supply)
	var watched []vitals
	for end := time.Now().Add(d); time.Now().Before(end); {
		l.pause(max(d/40, 200*time.Millisecond))
		watched = append(watched, r.vitals())
	}
	close(l.stop)
	l.wg.Wait()
	f.end()
	r.must("all lines up", r.allUp)
	r.checkAll()
	r.givesBack(before)
	t.Logf("%s, seed %d: %s; %s; %s", d, seed, l.sum(), f.sum(), memory(watched, before, r.vitals()))
	if grown := growth(watched); d >= time.Minute && grown > mostGrowth {
		t.Errorf("the daemon's memory grew by %d MiB between the second and the last quarter", grown>>20)
	}
	if len(r.books.posts) < 20 || len(r.books.letters) < 20 || len(f.struck) < 5 {
		t.Error("there was hardly any load or trouble")
	}
	r.quit()
}

// allUp says whether every line works.
func (r *rig) allUp() bool {
	var page struct{ Items []struct{ State string } }
	status, _, err := r.call("GET", "/v1/lines", "", "", &page)
	return err == nil && status == 200 && len(page.Items) > 0 &&
		!slices.ContainsFunc(page.Items, func(l struct{ State string }) bool { return l.State != "up" })
}

// supply is the hub that the power command switches: what it asks for is done.
func (f *trouble) supply() {
	for done := 0; f.pause(50 * time.Millisecond); {
		done = f.switchPower(done)
	}
}

// switchPower restarts the modems that were asked for since the first done.
func (f *trouble) switchPower(done int) int {
	b, _ := os.ReadFile(f.power)
	lines := strings.Fields(string(b))
	for _, name := range lines[min(done, len(lines)):] {
		for i, m := range f.net.Modems() {
			if name == lineName(i) {
				m.Restart()
				f.note("power")
			}
		}
	}
	return len(lines)
}
