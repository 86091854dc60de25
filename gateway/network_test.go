package gateway_test

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/modemgate/modemgate/driver/sim"
	"github.com/modemgate/modemgate/gateway"
	"github.com/modemgate/modemgate/gateway/store"
)

// told are the events of a line so far, with their details.
func (r *rig) told(line string) (list []string) {
	r.t.Helper()
	err := r.st.View(context.Background(), func(tx store.Tx) error {
		rows, err := tx.PendingEvents("status", 0, 1000)
		for _, e := range rows {
			name, mine := strings.CutPrefix(e.Subject, "modem."+line+".")
			if !mine {
				continue
			}
			var b struct{ Detail string }
			if err := json.Unmarshal(e.Payload, &b); err != nil {
				return err
			}
			list = append(list, strings.TrimSpace(name+" "+b.Detail))
		}
		return err
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return list
}

func (r *rig) detail(line string) string {
	r.t.Helper()
	l, err := r.g.Line(r.t.Context(), admin, line)
	if err != nil {
		r.t.Fatal(err)
	}
	return l.Detail
}

func TestEachStateOfTheNetworkIsALineState(t *testing.T) {
	for name, c := range map[string]struct {
		ail    func(*sim.Modem)
		state  string
		words  string
		event  string
		better func(*sim.Modem)
	}{
		"no network": {
			func(m *sim.Modem) { m.SetRegistration(sim.RegNone) }, "no-network", "check antenna and place", "no-network none",
			func(m *sim.Modem) { m.SetRegistration(sim.RegHome) },
		},
		"searching": {
			func(m *sim.Modem) { m.SetRegistration(sim.RegSearching) }, "no-network", "searches for a network", "no-network searching",
			func(m *sim.Modem) { m.SetRegistration(sim.RegSMSOnly) }, // LTE: +CREG says 0
		},
		"denied": {
			func(m *sim.Modem) { m.SetRegistration(sim.RegDenied) }, "denied", "the network refuses this SIM", "denied",
			func(m *sim.Modem) { m.SetRegistration(sim.RegHome) },
		},
		"roaming": {
			func(m *sim.Modem) { m.SetRegistration(sim.RegRoaming) }, "roaming", "set roaming: true", "roaming SimNet",
			func(m *sim.Modem) { m.SetRegistration(sim.RegHome) },
		},
		"no service centre": {
			func(m *sim.Modem) { m.SetSMSC("") }, "no-smsc", "set smsc of this line", "no-smsc",
			func(m *sim.Modem) { m.SetSMSC("+999000000") },
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, nil, func(o *sim.Options) { o.Modems = 2 })
			m := r.net.Modems()[0]
			r.lineState("modem0", "up")
			c.ail(m)
			m.Unplug()
			m.Plug()
			r.lineState("modem0", c.state)
			if d := r.detail("modem0"); !strings.Contains(d, c.words) {
				t.Errorf("detail %q", d)
			}
			r.until("its event is told", func() bool { return slices.Contains(r.told("modem0"), c.event) })

			// The queue goes round it, and what must go by it waits.
			tied := r.post(gateway.NewMessage{To: alice, Text: "only by modem0", Via: []string{"modem0"}})
			v := r.post(gateway.NewMessage{To: alice, Text: "by any"})
			if v = r.await(v.ID, store.Sent, store.Delivered); v.Line != "modem1" {
				t.Errorf("sent by %s", v.Line)
			}
			if err := r.g.ReadyToSend(t.Context()); err != nil {
				t.Errorf("ready: %v", err)
			}
			if v := r.await(tied.ID, store.Queued); v.State != store.Queued {
				t.Errorf("the tied one is %s", v.State)
			}
			c.better(m)
			m.Unplug()
			m.Plug()
			r.lineState("modem0", "up")
			r.await(tied.ID, store.Sent, store.Delivered)
		})
	}
}

func TestRoamingWhereItIsAllowed(t *testing.T) {
	r := newRig(t, func(o *gateway.Options) { o.Lines[0].Roaming = true }, nil)
	r.net.Modems()[0].SetRegistration(sim.RegRoaming)
	r.restart()
	r.await(r.post(gateway.NewMessage{To: alice, Text: "abroad"}).ID, store.Sent, store.Delivered)
	if told := r.told("modem0"); !slices.Contains(told, "registered roaming") || slices.Contains(told, "roaming SimNet") {
		t.Errorf("told %q", told)
	}
}

// A network that goes between two readings of the state is found by the send
// that fails, and another line takes over; none of the codes stops it for long.
func TestASendFindsOutThatTheNetworkIsGone(t *testing.T) {
	r := newRig(t, nil, func(o *sim.Options) { o.Modems = 2 })
	m := r.net.Modems()[0]
	r.lineState("modem0", "up")
	r.lineState("modem1", "up")
	if _, err := r.g.PauseLine(t.Context(), admin, "modem1"); err != nil {
		t.Fatal(err)
	}
	m.SetRegistration(sim.RegSearching)
	v := r.post(gateway.NewMessage{To: alice, Text: "goes round"})
	r.lineState("modem0", "no-network")
	if _, err := r.g.ResumeLine(t.Context(), admin, "modem1"); err != nil {
		t.Fatal(err)
	}
	if v = r.await(v.ID, store.Sent, store.Delivered); v.Line != "modem1" {
		t.Errorf("sent by %s", v.Line)
	}
	m.SetRegistration(sim.RegHome)
	r.lineState("modem0", "up") // it is looked for
}

// Somebody has switched the radio off: bringing the modem up switches it on.
func TestRadioThatIsOff(t *testing.T) {
	r := newRig(t, nil, nil)
	m := r.net.Modems()[0]
	r.lineState("modem0", "up")
	m.SetRadio(false)
	v := r.post(gateway.NewMessage{To: alice, Text: "waits for the radio"})
	r.await(v.ID, store.Sent, store.Delivered)
	r.lineState("modem0", "up")
}

// A modem that answers when it is opened and never says its state is not up.
func TestUpIsToldOnceItWorks(t *testing.T) {
	r := newRig(t, quick, nil)
	r.lineState("modem0", "up")
	r.net.Modems()[0].Inject(sim.Fault{Kind: sim.FaultMissing, Match: "+CREG?", Times: -1})
	r.restart()
	r.until("it was opened more than once", func() bool {
		l, err := r.g.Line(t.Context(), admin, "modem0")
		return err == nil && l.Restarts > 1
	})
	ups := func() (n int) {
		for _, e := range r.told("modem0") {
			if strings.HasPrefix(e, "up") {
				n++
			}
		}
		return n
	}
	if n := ups(); n != 1 {
		t.Errorf("up was told %d times: %q", n, r.told("modem0"))
	}
	r.net.Modems()[0].ClearFaults()
	r.until("it is told to be up again", func() bool { return ups() == 2 })
}
