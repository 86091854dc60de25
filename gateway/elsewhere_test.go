package gateway_test

import (
	"testing"
	"time"

	"github.com/modemgate/modemgate/driver/sim"
	"github.com/modemgate/modemgate/gateway"
	"github.com/modemgate/modemgate/gateway/store"
)

// unsure makes every send of a modem fail for no clear reason.
func unsure(m *sim.Modem) { m.Inject(sim.Fault{Kind: sim.FaultCMS, Code: 500, Times: 1000}) }

func twoModems(o *sim.Options) { o.Modems = 2 }

// failsOnce posts messages that the line modem0 has failed with once.
func (r *rig) failsOnce(n int, via ...string) (ids []string) {
	r.t.Helper()
	if _, err := r.g.PauseLine(r.t.Context(), admin, "modem1"); err != nil {
		r.t.Fatal(err)
	}
	unsure(r.net.Modems()[0])
	for range n {
		ids = append(ids, r.post(gateway.NewMessage{To: alice, Text: "by another modem", Via: via}).ID)
	}
	for _, id := range ids {
		r.until("modem0 has failed with "+id, func() bool {
			v, err := r.g.Message(r.t.Context(), admin, id, gateway.Wait{})
			return err == nil && v.State == store.Queued && v.Error == "cms-500"
		})
	}
	if _, err := r.g.ResumeLine(r.t.Context(), admin, "modem1"); err != nil {
		r.t.Fatal(err)
	}
	r.lineState("modem1", "up")
	return ids
}

func TestAfterAnUnclearErrorAnotherLineTries(t *testing.T) {
	r := newHastyRig(t, func(o *gateway.Options) { o.Poll = 20 * time.Millisecond }, twoModems)
	ids := r.failsOnce(5)
	// The line that has failed is faster at looking for work.
	r.net.Modems()[1].Inject(sim.Fault{Kind: sim.FaultLate, Match: "+CMGS", Delay: 100 * time.Millisecond, Times: 1000})
	r.pass(6 * time.Second)
	for _, id := range ids {
		if v := r.await(id, store.Delivered); v.Line != "modem1" || v.Attempts != 2 {
			t.Errorf("delivered by %s after %d tries, want the other line at the second", v.Line, v.Attempts)
		}
	}
}

// The other line is a preference: where there is none that is up, the same
// line tries again, and ends it.
func TestAfterAnUnclearErrorTheOnlyLineTriesAgain(t *testing.T) {
	for name, tc := range map[string]struct {
		via   []string
		spoil func(r *rig)
	}{
		"it is the only one of the route": {via: []string{"modem0"}, spoil: func(*rig) {}},
		"the other one is unplugged": {spoil: func(r *rig) {
			r.net.Modems()[1].Unplug()
			r.lineState("modem1", "absent")
		}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, nil, twoModems)
			id := r.failsOnce(1, tc.via...)[0]
			tc.spoil(r)
			for try := 1; try < 3; try++ {
				r.until("the next try is over", func() bool {
					v, err := r.g.Message(t.Context(), admin, id, gateway.Wait{})
					return err == nil && v.Attempts == try && v.State == store.Queued
				})
				r.pass(20 * time.Second)
			}
			if v := r.await(id, store.Failed); v.Line != "modem0" || v.Attempts != 3 {
				t.Errorf("%s by %s after %d tries", v.State, v.Line, v.Attempts)
			}
		})
	}
}

// Clients name lines in via, in any combination: what nothing waits on any
// more costs the lines nothing.
func TestRoutesAreForgottenWithTheirMessages(t *testing.T) {
	r := newRig(t, func(o *gateway.Options) { o.Sweep = time.Hour }, func(o *sim.Options) { o.Modems = 3 }) // only we tidy
	var last gateway.MessageView
	for _, via := range [][]string{{"modem0"}, {"modem1"}, {"modem0", "modem1"}, {"modem2", "modem0"}} {
		no := false
		last = r.post(gateway.NewMessage{To: alice, Text: "hello", Via: via, Report: &no})
		r.await(last.ID, store.Sent)
	}
	r.post(gateway.NewMessage{To: alice, Text: "later", Via: []string{"modem1", "modem2"}, SendAt: r.now().Add(time.Minute)})
	if n := r.g.Routes(); n != 6 {
		t.Fatalf("%d routes are known, want those of the messages and the one of any line", n)
	}
	if err := r.g.Tidy(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := r.g.Routes(); n != 2 {
		t.Errorf("%d routes are known, want that of what waits and the one of any line", n)
	}
	r.pass(time.Minute)
	v := r.post(gateway.NewMessage{To: alice, Text: "a route that was forgotten", Via: []string{"modem0"}})
	r.await(v.ID, store.Delivered)
	r.texts(alice, 6)
}
