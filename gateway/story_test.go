package gateway_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/modemgate/modemgate/driver/sim"
	"github.com/modemgate/modemgate/gateway"
)

// told writes a history as one line an entry.
func told(v gateway.MessageView) string {
	var b strings.Builder
	for _, h := range v.History {
		fmt.Fprintf(&b, "%s %s %d %s %s\n", h.State, h.Line, h.Part, h.Error, h.Note)
	}
	return b.String()
}

// TestStoryOfAMessage wants of each part the line, the signal when it was
// sent, its reference, and what was reported of it.
func TestStoryOfAMessage(t *testing.T) {
	r := newRig(t, nil, func(o *sim.Options) { o.Profile = "" })
	r.net.Modems()[0].SetSignal(15) // -83 dBm
	r.lineState("modem0", "up")
	r.net.Modems()[0].Inject(sim.Fault{Kind: sim.FaultReference, Code: 77})
	v := r.post(gateway.NewMessage{To: "+999777000127", Text: "one"})
	v = r.await(v.ID, "delivered")
	p := v.Parts[0]
	if p.Reference != 77 || p.SignalDBM == 0 || p.Line != "modem0" || p.Status != 0 || p.ReportedAt.IsZero() {
		t.Errorf("part %+v", p)
	}
	for _, want := range []string{"sending modem0", fmt.Sprintf("reference 77, signal %d dBm", p.SignalDBM), "delivered modem0 0  status report 0x00"} {
		if !strings.Contains(told(v), want) {
			t.Errorf("no %q in\n%s", want, told(v))
		}
	}
	long := r.post(gateway.NewMessage{To: "+999777000128", Text: strings.Repeat("many words ", 30)})
	long = r.await(long.ID, "delivered")
	for i, p := range long.Parts {
		for _, want := range []string{
			fmt.Sprintf(" modem0 %d  taken by the network, reference %d, signal %d dBm", i+1, p.Reference, p.SignalDBM),
			fmt.Sprintf(" modem0 %d  delivered, status report 0x00", i+1),
		} {
			if strings.Count(told(long), want) != 1 {
				t.Errorf("not once %q in\n%s", want, told(long))
			}
		}
	}
}
