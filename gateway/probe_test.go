package gateway_test

import (
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/modemgate/modemgate/driver/sim"
	"github.com/modemgate/modemgate/gateway"
	"github.com/modemgate/modemgate/gateway/store"
)

// probeRig has two lines that probe each other once an hour.
func probeRig(t *testing.T, perDay int) *rig {
	t.Helper()
	r := newRig(t, func(o *gateway.Options) {
		lasting(o)
		o.Probe = gateway.ProbeOptions{Every: time.Hour, PerDay: perDay, Objective: time.Minute, Look: 10 * time.Millisecond}
	}, twoModems)
	for _, name := range []string{"modem0", "modem1"} {
		r.lineState(name, "up")
	}
	return r
}

// toldOf says whether a line had an event.
func (r *rig) toldOf(line, event string) bool {
	return slices.ContainsFunc(r.told(line), func(e string) bool { return strings.HasPrefix(e, event+" ") })
}

func way(from, to string) map[string]string { return map[string]string{"from": from, "to": to} }

// probed waits for what became of n probes in all.
func (r *rig) probed(result string, n int) {
	r.t.Helper()
	r.until("enough probes were "+result, func() bool {
		return r.total("modemgate_probe_total", map[string]string{"result": result}) >= float64(n)
	})
}

// hidden says that nobody but the metrics of probes knows of them.
func (r *rig) hidden() {
	r.t.Helper()
	in, err := r.g.ListInbound(r.t.Context(), admin, gateway.InboundFilter{Limit: 10})
	if err != nil || len(in.Items) > 0 {
		r.t.Errorf("received: %+v, %v", in.Items, err)
	}
	out, err := r.g.ListMessages(r.t.Context(), admin, gateway.MessageFilter{Limit: 10})
	if err != nil || len(out.Items) > 0 {
		r.t.Errorf("messages: %+v, %v", out.Items, err)
	}
	if n := r.total("modemgate_inbound_total", nil) + r.total("modemgate_messages_total", nil); n != 0 {
		r.t.Errorf("%v are counted", n)
	}
	if err := r.st.View(r.t.Context(), func(tx store.Tx) error {
		for _, stream := range []string{"inbound", "status"} {
			rows, err := tx.PendingEvents(stream, 0, 1000)
			if err != nil {
				return err
			}
			for _, e := range rows {
				if !strings.HasPrefix(e.Subject, "modem.") || strings.Contains(string(e.Payload), "modemgate probe") {
					r.t.Errorf("published %s %s", e.Subject, e.Payload)
				}
			}
		}
		return nil
	}); err != nil {
		r.t.Fatal(err)
	}
	for _, m := range r.net.Modems() {
		r.until("the SIM is empty", func() bool { return len(m.Stored()) == 0 })
	}
}

func TestLinesProbeEachOther(t *testing.T) {
	r := probeRig(t, 3)
	r.pass(61 * time.Second)
	r.probed("in-time", 1)
	r.pass(time.Hour)
	r.probed("in-time", 2)
	for _, w := range []map[string]string{way("modem0", "modem1"), way("modem1", "modem0")} {
		if r.total("modemgate_probe_seconds", w) != 1 || r.total("modemgate_probe_arrival_seconds", w) != 1 || r.total("modemgate_probe_success_ratio", w) != 1 {
			t.Errorf("the way %v was not probed once and well", w)
		}
	}
	r.hidden()
	// What others send is no probe, whatever it looks like.
	texts := []string{"modemgate probe", "modemgate probe 00112233445566778899aabbccddeeff"}
	for i, text := range texts {
		if err := r.net.Phone("+999555002").Send(r.net.Modems()[0].Number(), text); err != nil {
			t.Fatal(err)
		}
		if in := r.inbound(i + 1); in[i].Text != text {
			t.Errorf("received %q", in[i].Text)
		}
	}
}

func TestProbesHaveABudget(t *testing.T) {
	r := probeRig(t, 1)
	r.pass(61 * time.Second)
	r.probed("in-time", 1)
	r.restart()
	for _, name := range []string{"modem0", "modem1"} {
		r.lineState(name, "up")
	}
	if start := r.now(); start.Truncate(24*time.Hour) != start.Add(62*time.Second).Truncate(24*time.Hour) {
		t.Skip("a new day begins")
	}
	r.pass(61 * time.Second)
	v := r.post(gateway.NewMessage{To: alice, Text: "the lines are not idle"})
	r.await(v.ID, store.Delivered)
	n := 0
	for _, e := range r.net.Journal() {
		if e.Kind == sim.JournalSubmitted && e.Modem != "" && e.To != alice {
			n++
		}
	}
	if n != 1 {
		t.Errorf("%d probes were sent", n)
	}
}

func TestProbeThatDoesNotArrive(t *testing.T) {
	r := probeRig(t, 100)
	for _, m := range r.net.Modems() {
		m.Inject(sim.Fault{Kind: sim.FaultCMS, Code: 500, Times: 1})
	}
	r.pass(61 * time.Second)
	r.probed("failed", 1)
	var from string
	r.until("it is told", func() bool {
		for _, name := range []string{"modem0", "modem1"} {
			if r.toldOf(name, "probe-missed") {
				from = name
			}
		}
		return from != ""
	})
	s, err := r.g.Status(t.Context(), admin)
	if err != nil || s.Healthy || !strings.Contains(strings.Join(s.Problems, "\n"), "the last probe from "+from) {
		t.Errorf("healthy %v, %q, %v", s.Healthy, s.Problems, err)
	}
	if r.total("modemgate_probe_success_ratio", nil) != 0 {
		t.Error("it counts as a success")
	}
	r.hidden()
}

// A probe that the network takes and never delivers is lost after a day.
func TestProbeThatIsLost(t *testing.T) {
	r := probeRig(t, 1)
	for _, m := range r.net.Modems() {
		m.OnPoint(func(o sim.Occasion) {
			if o.Point == sim.PointAccepted { // the phone of the other one is off from now on
				for _, other := range r.net.Modems() {
					if other != o.Modem {
						other.Unplug()
					}
				}
			}
		})
	}
	r.pass(61 * time.Second)
	r.until("it is on its way", func() bool { return r.total("modemgate_line_submit_seconds", nil) == 1 })
	r.pass(25 * time.Hour)
	r.probed("lost", 1)
	if n := r.total("modemgate_probe_arrival_seconds", nil); n != 0 {
		t.Errorf("%v have arrived", n)
	}
}

// A probe that arrives after a restart is no SMS of anybody, and one that
// arrives late is told.
func TestProbeThatIsLate(t *testing.T) {
	for name, restart := range map[string]bool{"in the same run": false, "after a restart": true} {
		t.Run(name, func(t *testing.T) {
			r := probeRig(t, 100)
			late := r.net.Modems()
			var off atomic.Pointer[sim.Modem]
			for _, m := range late {
				m.OnPoint(func(o sim.Occasion) {
					if o.Point == sim.PointAccepted { // the phone of the other one is off
						for _, other := range late {
							if other != o.Modem {
								off.Store(other)
								other.Unplug()
							}
						}
					}
				})
			}
			r.pass(61 * time.Second)
			r.until("a probe is on its way", func() bool {
				for _, e := range r.net.Journal() {
					if e.Kind == sim.JournalSubmitted {
						return true
					}
				}
				return false
			})
			if restart {
				r.restart()
			} else {
				r.pass(2 * time.Minute)
				r.until("it is told", func() bool { return r.toldOf("modem0", "probe-missed") || r.toldOf("modem1", "probe-missed") })
			}
			for _, m := range late {
				m.OnPoint(nil)
			}
			off.Load().Plug()
			for _, line := range []string{"modem0", "modem1"} {
				r.lineState(line, "up")
			}
			r.until("the network has delivered it", func() bool {
				for _, e := range r.net.Journal() {
					if e.Kind == sim.JournalDelivered {
						return true
					}
				}
				return false
			})
			if !restart {
				r.probed("late", 1)
			}
			r.hidden()
		})
	}
}
