package gateway_test

import (
	"encoding/hex"
	"strings"
	"testing"

	"github.com/modemgate/modemgate/driver/sim"
	"github.com/modemgate/modemgate/gateway"
	"github.com/modemgate/modemgate/gateway/store"
)

// validities tells of each submission to a number, in order, whether it had a
// validity period (3GPP TS 23.040 §9.2.3.3), from what went over the wire.
func (r *rig) validities() (out []bool) {
	r.t.Helper()
	for _, line := range r.net.Modems()[0].Transcript() {
		pdu, ours := strings.CutPrefix(line, "> 00") // no service centre address
		if tpdu, err := hex.DecodeString(strings.TrimSuffix(pdu, "<Ctrl-Z>")); ours && err == nil && len(tpdu) > 10 {
			out = append(out, tpdu[0]&0x18 != 0)
		}
	}
	return out
}

func noted(m gateway.MessageView, word string) (n int) {
	for _, h := range m.History {
		if strings.Contains(h.Note, word) {
			n++
		}
	}
	return n
}

func TestRefusedValidityIsLeftOutOnce(t *testing.T) {
	t.Parallel()
	for code, failed := range map[int]string{198: "cms-198", 199: "cms-199"} {
		r := newRigHere(t, nil, nil)
		modem := r.net.Modems()[0]
		modem.Inject(sim.Fault{Kind: sim.FaultCMS, Code: code, Times: 1})
		long := strings.Repeat("without validity period. ", 14)
		m := r.await(r.post(gateway.NewMessage{To: alice, Text: long}).ID, store.Delivered)
		if got := r.validities(); len(m.Parts) != 3 || len(got) != 4 || !got[0] || got[1] || got[2] || got[3] {
			t.Errorf("%d: parts went out with validity %v", code, got)
		}
		if m.Attempts != 2 || noted(m, "validity") != 1 {
			t.Errorf("%d: told as %+v", code, m.History)
		}
		modem.Inject(sim.Fault{Kind: sim.FaultCMS, Code: code, Times: 2})
		m = r.await(r.post(gateway.NewMessage{To: alice, Text: "nor without"}).ID, store.Failed)
		if got := r.validities(); m.Error != failed || m.Attempts != 2 || len(got) != 6 || !got[4] || got[5] {
			t.Errorf("%d: %q after %d attempts, with validity %v", code, m.Error, m.Attempts, got)
		}
	}
}

func TestCopyThatTheNetworkHasAlreadyIsSent(t *testing.T) {
	r := newHastyRig(t, nil, nil)
	modem := r.net.Modems()[0]
	m := r.held("once is enough")
	modem.Inject(sim.Fault{Kind: sim.FaultCMS, Code: 197, Times: 2})
	if _, err := r.g.ResolveMessage(t.Context(), app, m.ID, "resend"); err != nil {
		t.Fatal(err)
	}
	m = r.await(m.ID, store.Sent)
	if noted(m, "duplicate") != 1 || !m.PossibleDuplicate || r.submitted(alice) != 1 {
		t.Fatalf("told as %+v", m)
	}
	// What was never tried before is not there: it failed.
	m = r.await(r.post(gateway.NewMessage{To: alice, Text: "the first of its kind"}).ID, store.Failed)
	if m.Error != "cms-197" || noted(m, "duplicate") != 1 {
		t.Fatalf("told as %+v", m)
	}
}
