package sim_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/modemgate/modemgate/driver/sim"
)

// chaosOf lists the first n faults of a modem under a seed.
func chaosOf(t *testing.T, seed int64, n int) (faults []string) {
	t.Helper()
	var mu sync.Mutex
	enough := make(chan struct{})
	net, err := sim.New(sim.Options{Seed: seed, Chaos: 60_000, ChaosTold: func(modem string, f sim.Fault) {
		mu.Lock()
		defer mu.Unlock()
		if len(faults) < n {
			if faults = append(faults, fmt.Sprintf("%s %+v", modem, f)); len(faults) == n {
				close(enough)
			}
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer net.Close()
	select {
	case <-enough:
	case <-time.After(time.Minute):
		t.Fatal("chaos does not come")
	}
	mu.Lock()
	defer mu.Unlock()
	return slices.Clone(faults)
}

// The same seed makes the same faults, another one others, and in time there
// is every kind.
func TestChaosFollowsItsSeed(t *testing.T) {
	t.Parallel()
	first := chaosOf(t, 7, 300)
	if again := chaosOf(t, 7, 300); !slices.Equal(first, again) {
		t.Error("the same seed made other faults")
	}
	if other := chaosOf(t, 8, 300); slices.Equal(first, other) {
		t.Error("another seed made the same faults")
	}
	for _, kind := range sim.FaultKinds() {
		if !slices.ContainsFunc(first, func(f string) bool { return len(f) > 0 && containsKind(f, kind) }) {
			t.Errorf("no %s in %d faults", kind, len(first))
		}
	}
}

func containsKind(fault string, kind sim.FaultKind) bool {
	var name string
	_, _ = fmt.Sscanf(fault, "modem0 {Kind:%s", &name)
	return name == string(kind)
}

// Without chaos there is no fault.
func TestNoChaosUnasked(t *testing.T) {
	t.Parallel()
	net, err := sim.New(sim.Options{Seed: 7, ChaosTold: func(_ string, f sim.Fault) { t.Errorf("%+v", f) }})
	if err != nil {
		t.Fatal(err)
	}
	defer net.Close()
	if f := net.Modems()[0].Faults(); len(f) != 0 {
		t.Errorf("faults: %+v", f)
	}
}
