package gateway_test

import (
	"strings"
	"testing"
	"time"

	"github.com/modemgate/modemgate/driver/sim"
	"github.com/modemgate/modemgate/gateway"
	"github.com/modemgate/modemgate/gateway/store"
)

// tidy purges what is past its retention.
func (r *rig) tidy() {
	r.t.Helper()
	if err := r.g.Tidy(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
}

// held makes a message whose outcome stays unknown. No report is asked for, so
// that it is final as soon as it is sent.
func (r *rig) held(text string) gateway.MessageView {
	r.t.Helper()
	modem := r.net.Modems()[0]
	silence(modem)
	m := r.post(gateway.NewMessage{To: alice, Text: text, Report: new(bool)})
	m = r.await(m.ID, store.Unknown)
	modem.ClearFaults()
	modem.Restart()
	return m
}

func TestHeldUnknownOutlivesMessagesKeep(t *testing.T) {
	r := newHastyRig(t, nil, nil)
	m := r.held("is it out?")
	r.pass(25 * time.Hour) // messages.keep and a while
	r.tidy()
	if _, err := r.g.ResolveMessage(t.Context(), app, m.ID, "resend"); err != nil {
		t.Fatalf("a held message cannot be resolved after messages.keep: %v", err)
	}
	if m = r.await(m.ID, store.Sent); !m.PossibleDuplicate || r.texts(alice, 2)[1].Text != "is it out?" {
		t.Fatalf("resent as %+v", m)
	}
	r.pass(25 * time.Hour)
	r.tidy()
	if _, err := r.g.Message(t.Context(), admin, m.ID, gateway.Wait{}); code(err) != gateway.NotFound {
		t.Fatalf("it is kept beyond messages.keep although it is resolved: %v", err)
	}
}

func TestRestoredUnknownCodeIsForgotten(t *testing.T) {
	r := newHastyRig(t, func(o *gateway.Options) { o.OTP.OnUnknown = "hold" }, nil)
	r.net.Modems()[0].Inject(sim.Fault{Kind: sim.FaultNoReport})
	silence(r.net.Modems()[0])
	o, _, err := r.g.CreateOTP(t.Context(), app, gateway.NewOTP{To: alice})
	if err != nil {
		t.Fatal(err)
	}
	held := r.await(o.MessageID, store.Unknown)
	kept := ""
	text := func(tx store.Tx) (err error) { kept, err = tx.MessageText(held.ID); return err }
	if err := r.st.View(t.Context(), text); err != nil || kept == "" {
		t.Fatalf("the held message has no text to forget: %v", err)
	}
	if _, _, err := gateway.AfterRestore(t.Context(), r.st, r.now()); err != nil {
		t.Fatal(err)
	}
	if err := r.st.View(t.Context(), text); err != nil || kept != "" {
		t.Fatalf("the text of a canceled code is still there after a restore (%v)", err)
	}
	r.pass(25 * time.Hour)
	r.tidy()
	if _, err := r.g.Message(t.Context(), admin, held.ID, gateway.Wait{}); code(err) != gateway.NotFound {
		t.Fatalf("a message whose code is void is kept for ever: %v", err)
	}
}

func TestPurgedDataNoLongerCountsAgainstStorageMax(t *testing.T) {
	most := int64(0)
	r := newRig(t, func(o *gateway.Options) { o.StorageMax = most }, nil)
	if _, err := r.g.PauseLine(t.Context(), admin, "modem0"); err != nil {
		t.Fatal(err)
	}
	empty := r.st.Size()
	for range 60 {
		m := r.post(gateway.NewMessage{To: alice, Text: strings.Repeat("full ", 200)})
		if _, err := r.g.CancelMessage(t.Context(), app, m.ID); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.st.Checkpoint(t.Context()); err != nil {
		t.Fatal(err)
	}
	most = (empty + r.st.Size()) / 2
	r.restart()
	post := func() error {
		_, _, err := r.g.CreateMessage(t.Context(), app, gateway.NewMessage{To: alice, Text: "is there room?"})
		return err
	}
	r.until("nothing is accepted over storage.max", func() bool { return code(post()) == gateway.StorageFull })
	r.pass(25 * time.Hour)
	r.tidy()
	r.until("messages are accepted again", func() bool { return post() == nil })
}
