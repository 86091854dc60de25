package gateway_test

import (
	"strings"
	"testing"

	"github.com/modemgate/modemgate/driver/sim"
	"github.com/modemgate/modemgate/gateway"
)

// TestHistoryTellsWhyALineWasChosen asks of the claim of each message why this
// line has it.
func TestHistoryTellsWhyALineWasChosen(t *testing.T) {
	r := newRig(t, func(o *gateway.Options) { lasting(o); o.Lines[0].PerMinute, o.Lines[1].PerMinute = 1e6, 1e6 }, func(o *sim.Options) { o.Modems = 2 })
	r.lineState("modem0", "up")
	r.lineState("modem1", "up")
	why := func(id string) (line, note string) {
		t.Helper()
		for _, h := range r.await(id, "delivered").History {
			if h.State == "sending" && h.Part == 0 {
				line, note = h.Line, h.Note
			}
		}
		return line, note
	}
	v := r.post(gateway.NewMessage{To: alice, Text: "by one", Via: []string{"modem1"}})
	if line, note := why(v.ID); line != "modem1" || note != "the only line that it may go by" {
		t.Errorf("with one in via: by %s, %q", line, note)
	}
	v = r.post(gateway.NewMessage{To: alice, Text: "by any"})
	if _, note := why(v.ID); !strings.Contains(note, "of its limits") {
		t.Errorf("with a choice: %q", note)
	}
	for _, m := range r.net.Modems() {
		m.Inject(sim.Fault{Kind: sim.FaultCMS, Code: 500})
	}
	v = r.post(gateway.NewMessage{To: alice, Text: "again"})
	r.await(v.ID, "queued", "sending", "delivered")
	line, note := "", ""
	for end := false; !end; {
		m := r.later(v.ID)
		end = m.Final
		for _, h := range m.History {
			if h.State == "sending" && h.Part == 0 {
				if line != "" && h.Line != line {
					note = h.Note
				}
				line = h.Line
			}
		}
	}
	if !strings.HasPrefix(note, "instead of line modem") {
		t.Errorf("after a refusal elsewhere: %q", note)
	}
}
