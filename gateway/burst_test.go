package gateway_test

import (
	"strings"
	"testing"

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
