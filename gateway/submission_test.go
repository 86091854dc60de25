package gateway_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/modemgate/modemgate/driver/sim"
	"github.com/modemgate/modemgate/gateway"
	"github.com/modemgate/modemgate/gateway/store"
)

// pduHMAC is what openapi.yaml says of pdu_hmac, made of the key file.
func pduHMAC(t *testing.T, r *rig, id string, part int, pdu string) string {
	t.Helper()
	key, err := os.ReadFile(filepath.Join(r.dir, "pepper.key"))
	if err != nil {
		t.Fatal(err)
	}
	tpdu, err := hex.DecodeString(pdu)
	if err != nil {
		t.Fatal(err)
	}
	tpdu[1] = 0 // the modem puts its reference there
	n := fmt.Sprint(part)
	h := hmac.New(sha256.New, key)
	fmt.Fprintf(h, "3:pdu%d:%s%d:%s%d:%s", len(id), id, len(n), n, len(tpdu), tpdu)
	return hex.EncodeToString(h.Sum(nil))
}

// submissions are the entries of a history that are about one.
func submissions(v gateway.MessageView) (list []gateway.HistoryEntry) {
	for _, h := range v.History {
		if h.Submission != nil {
			list = append(list, h)
		}
	}
	return list
}

// submittedPDUs are the TPDUs that the network got for a number, in order.
func (r *rig) submittedPDUs(to string) (list []string) {
	for _, e := range r.net.Journal() {
		if (e.Kind == sim.JournalSubmitted || e.Kind == sim.JournalRefused) && e.To == to {
			list = append(list, e.PDU)
		}
	}
	return list
}

// Each submission is in the history with what the modem got, and where.
func TestEvidenceOfEachSubmission(t *testing.T) {
	r := newRig(t, nil, nil)
	modem := r.net.Modems()[0]
	cell := gateway.Cell{Area: "1A2B", ID: "0001B2C0", Radio: "lte"}
	r.lineState("modem0", "up")
	if l, err := r.g.Line(t.Context(), app, "modem0"); err != nil || l.Cell != cell {
		t.Errorf("the line is in cell %+v, %v", l.Cell, err)
	}
	for _, text := range []string{"short", strings.Repeat("long ", 100)} {
		to := fmt.Sprintf("+999777%06d", len(text))
		v := r.await(r.post(gateway.NewMessage{To: to, Text: text}).ID, store.Delivered)
		pdus, got := r.submittedPDUs(to), submissions(v)
		if len(pdus) != len(v.Parts) || len(got) != len(pdus) {
			t.Fatalf("%d parts, %d PDUs, evidence of %d:\n%s", len(v.Parts), len(pdus), len(got), told(v))
		}
		blind, err := r.g.Message(t.Context(), req("app", gateway.ScopeSend), v.ID, gateway.Wait{})
		if err != nil || len(submissions(blind)) != len(got) || submissions(blind)[0].Submission.Cell != nil {
			t.Errorf("a key that may not see the lines sees %+v, %v", submissions(blind), err)
		}
		for i, h := range got {
			s := h.Submission
			if s.IMEI != modem.IMEI() || s.ICCID != modem.ICCID() || s.SignalDBM == 0 || *s.Cell != cell {
				t.Errorf("part %d: %+v of cell %+v", i+1, s, s.Cell)
			}
			if want := pduHMAC(t, r, v.ID, i+1, pdus[i]); s.PDUHMAC != want {
				t.Errorf("part %d: HMAC %s, want %s of %s", i+1, s.PDUHMAC, want, pdus[i])
			}
			if want := map[bool]int{false: i + 1}[len(got) == 1]; h.Part != want || h.Line != "modem0" || h.State != store.Sending {
				t.Errorf("part %d: entry %+v", i+1, h)
			}
		}
	}
}

// The next try leaves the evidence of the one before: it is a submission of its
// own, which says that less time is left.
func TestEvidenceOutlastsTheNextTry(t *testing.T) {
	r := newRig(t, lasting, nil)
	r.net.Modems()[0].Inject(sim.Fault{Kind: sim.FaultCMS, Code: 42, Times: 1})
	id := r.post(gateway.NewMessage{To: alice, Text: "twice", TTL: 20 * time.Minute}).ID
	var v gateway.MessageView
	r.until("the first try is refused", func() bool { v = r.message(id); return v.State == store.Queued && v.Error != "" })
	r.pass(10 * time.Minute)
	r.until("the message is at its end", func() bool {
		r.g.Notify([]string{"queue"})
		v = r.message(id)
		return v.Final
	})
	pdus, got := r.submittedPDUs(alice), submissions(v)
	if v.State != store.Delivered || len(pdus) != 2 || len(got) != 2 {
		t.Fatalf("%d PDUs, evidence of %d:\n%s", len(pdus), len(got), told(v))
	}
	for i, h := range got {
		if want := pduHMAC(t, r, v.ID, 1, pdus[i]); h.Submission.PDUHMAC != want {
			t.Errorf("submission %d: HMAC %s, want %s", i+1, h.Submission.PDUHMAC, want)
		}
	}
}

// Who sees the history of an OTP cannot find its code: the hash is of no use
// without the pepper, nor against the hashes of texts of one's own.
func TestEvidenceTellsNoCode(t *testing.T) {
	r := newRig(t, nil, nil)
	v, _ := r.sentCode(app, gateway.NewOTP{To: alice}, 0)
	text := r.texts(alice, 1)[0].Text
	m, err := r.g.Message(t.Context(), app, v.MessageID, gateway.Wait{})
	if err != nil {
		t.Fatal(err)
	}
	s := submissions(m)[0].Submission
	if modem := r.net.Modems()[0]; s.IMEI == modem.IMEI() || s.ICCID == modem.ICCID() || !strings.HasSuffix(modem.IMEI(), strings.TrimPrefix(s.IMEI, "…")) {
		t.Errorf("a key without admin sees modem %s and SIM %s", s.IMEI, s.ICCID)
	}
	pdu := r.submittedPDUs(alice)[0]
	tpdu, err := hex.DecodeString(pdu)
	if err != nil {
		t.Fatal(err)
	}
	for name, sum := range map[string][32]byte{"TPDU": sha256.Sum256(tpdu), "hex": sha256.Sum256([]byte(pdu)), "text": sha256.Sum256([]byte(text))} {
		if s.PDUHMAC == hex.EncodeToString(sum[:]) {
			t.Errorf("the %s can be guessed from its plain hash", name)
		}
	}
	// The same text to the same number by a message of one's own.
	own := r.await(r.post(gateway.NewMessage{To: alice, Text: text, TTL: 5 * time.Minute}).ID, store.Delivered)
	if pdus := r.submittedPDUs(alice); len(pdus) != 2 || pdus[1][4:] != pdu[4:] { // but for the reference
		t.Fatalf("these are not two submissions of one text: %s", pdus)
	}
	if mine := submissions(own)[0].Submission.PDUHMAC; mine == s.PDUHMAC {
		t.Error("a text of one's own has the hash of the OTP")
	}
	if err := r.st.View(t.Context(), func(tx store.Tx) error {
		for _, stream := range []string{"status", "inbound"} {
			list, err := tx.PendingEvents(stream, 0, 1<<20)
			if err != nil {
				return err
			}
			for _, e := range list {
				if p := string(e.Payload); strings.Contains(p, "hmac") || strings.Contains(p, s.Cell.ID) {
					t.Errorf("an event tells it: %s", p)
				}
			}
			if stream == "status" && len(list) == 0 {
				t.Error("no events were looked at")
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}
