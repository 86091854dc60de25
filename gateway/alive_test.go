package gateway_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/modemgate/modemgate/gateway"
)

// A loop that stands still is told to the watchdog of the service manager; one
// that goes round again is not.
func TestAliveAsLongAsTheLoopsGoRound(t *testing.T) {
	for loop, tc := range map[string]struct {
		step string // in which it stands still
		age  func(g *gateway.Gateway)
		says string
	}{
		"sweeper": {"expire", func(g *gateway.Gateway) { g.AgeSweeper(31 * time.Second) }, "nothing has been looked after"},
		"line":    {"claim", func(g *gateway.Gateway) { g.AgeLine("modem0", 16*time.Minute) }, "line modem0 has not moved"},
	} {
		t.Run(loop, func(t *testing.T) {
			f := &faultyStore{}
			r := newRig(t, faulty(f), nil)
			stands, goOn := make(chan struct{}), make(chan struct{})
			release := sync.OnceFunc(func() { close(goOn) })
			t.Cleanup(release)
			r.lineState("modem0", "up")
			if err := r.g.Alive(); err != nil {
				t.Fatal(err)
			}
			var once sync.Once
			f.set(func() {
				f.before = func(step string) {
					if step == tc.step {
						once.Do(func() { close(stands) })
						<-goOn
					}
				}
			})
			if loop == "sweeper" { // something is to expire
				if _, err := r.g.PauseLine(t.Context(), admin, "modem0"); err != nil {
					t.Fatal(err)
				}
			}
			r.post(gateway.NewMessage{To: alice, Text: "wakes the loop", TTL: time.Minute})
			if loop == "sweeper" {
				r.pass(2 * time.Minute)
			}
			select {
			case <-stands:
			case <-time.After(deadline):
				t.Fatalf("the step %q is not taken", tc.step)
			}
			tc.age(r.g)
			if err := r.g.Alive(); err == nil || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("it stands still: %v", err)
			}
			release()
			r.until("it is well again", func() bool { return r.g.Alive() == nil })
		})
	}
}
