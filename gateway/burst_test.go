package gateway_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/modemgate/modemgate/driver"
	"github.com/modemgate/modemgate/driver/sim"
	"github.com/modemgate/modemgate/gateway"
)

// burst queues single messages on a line that waits, and lets it go.
func (r *rig) burst(n int) (ids []string) {
	r.t.Helper()
	if _, err := r.g.PauseLine(r.t.Context(), admin, "modem0"); err != nil {
		r.t.Fatal(err)
	}
	r.lineState("modem0", "paused")
	for range n {
		ids = append(ids, r.post(gateway.NewMessage{To: alice, Text: "one of many"}).ID)
	}
	if _, err := r.g.ResumeLine(r.t.Context(), admin, "modem0"); err != nil {
		r.t.Fatal(err)
	}
	return ids
}

// links are what the modem was sent to hold its link and to send.
func links(m *sim.Modem) string {
	var list []string
	for _, line := range m.Transcript() {
		switch {
		case strings.HasPrefix(line, "> AT+CMMS="):
			list = append(list, strings.TrimPrefix(line, "> AT+CMMS="))
		case strings.HasPrefix(line, "> AT+CMGS="):
			list = append(list, "send")
		}
	}
	return strings.Join(list, " ")
}

// A burst of single messages keeps the radio link (3GPP TS 27.005 §3.5.6) and
// lets go of it for the last; a modem that refuses or hangs sends all the same.
func TestBurstHoldsTheLink(t *testing.T) {
	for name, row := range map[string]struct {
		fault *sim.Fault
		want  string
	}{
		"held":    {nil, "? 2 send send 0 send"},
		"refused": {&sim.Fault{Kind: sim.FaultError, Match: "+CMMS=2", Times: -1}, "? 2 send send send"},
		"hangs":   {&sim.Fault{Kind: sim.FaultMissing, Match: "+CMMS=2", Times: -1}, "? 2 ? send send send"},
	} {
		t.Run(name, func(t *testing.T) {
			r := ladderRig(t, &means{}, "generic", nil)
			m := r.net.Modems()[0]
			if row.fault != nil {
				m.Inject(*row.fault)
			}
			for _, id := range r.burst(3) {
				r.await(id, "delivered")
			}
			if got := links(m); got != row.want {
				t.Errorf("%q, want %q", got, row.want)
			}
		})
	}
}

// A modem that was lost at AT+CMGS in a burst holds the link again: AT+CMMS was
// not what it failed at.
func TestBurstAfterALossAtTheSend(t *testing.T) {
	for name, fault := range map[string]sim.Fault{
		"pulled out": {Kind: sim.FaultUnplug, Match: "+CMGS", Point: sim.PointCommand},
		"no prompt":  {Kind: sim.FaultNoPrompt},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := rigFor(t, nil, nil, driver.Options{CommandTimeout: 30 * time.Second, PromptTimeout: 500 * time.Millisecond, SubmitTimeout: 30 * time.Second})
			r.lineState("modem0", "up")
			m := r.net.Modems()[0]
			m.Inject(fault)
			r.burst(3)
			if fault.Kind == sim.FaultUnplug {
				r.lineState("modem0", "absent")
				m.Plug()
			}
			r.hurry("it holds the link again", func() bool { return strings.HasPrefix(links(m), "? 2 send ? 2 send") })
		})
	}
}

// A modem that was lost at AT+CMMS does without it, also for a long message;
// another one in its place is asked for it again.
func TestLossAtTheLinkIsOfOneModem(t *testing.T) {
	var plugged atomic.Int32
	r := newRig(t, func(o *gateway.Options) {
		lasting(o)
		first, second := o.Lines[0].Open, o.Lines[1].Open
		o.Lines = o.Lines[:1]
		o.Lines[0].Open = func(ctx context.Context) (gateway.Modem, error) {
			if plugged.Load() == 1 {
				return second(ctx)
			}
			return first(ctx)
		}
	}, twoModems)
	r.lineState("modem0", "up")
	m, other := r.net.Modems()[0], r.net.Modems()[1]
	m.Inject(sim.Fault{Kind: sim.FaultUnplug, Match: "+CMMS=2", Point: sim.PointCommand})
	ids := r.burst(2)
	r.lineState("modem0", "absent")
	m.Plug()
	r.hurry("both are delivered", func() bool { return r.delivered(ids) })
	long := r.post(gateway.NewMessage{To: alice, Text: strings.Repeat("of two parts ", 20)})
	r.await(long.ID, "delivered")
	if got, want := links(m), "? 2 ? send send send send"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	plugged.Store(1)
	m.Unplug()
	r.until("the line has the other modem", func() bool { return r.line("modem0").IMEI == other.IMEI() })
	r.lineState("modem0", "up")
	for _, id := range r.burst(3) {
		r.await(id, "delivered")
	}
	if got, want := links(other), "? 2 send send 0 send"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
