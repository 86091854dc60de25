package gateway_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/modemgate/modemgate/driver/sim"
	"github.com/modemgate/modemgate/gateway"
	"github.com/modemgate/modemgate/gateway/store"
)

const (
	draftPDU   = "0001000B914477009000F1000004D4F29C0E"                               // SMS-SUBMIT
	partPDU    = "069199090000F0440C91447700090010000062112290918400080500030702014F" // SMS-DELIVER, part 1 of 2
	garbagePDU = "0011223344FFFFFF"
)

// received makes the PDU of a received text.
func received(n int) string {
	return fmt.Sprintf("069199090000F0040C9144770009001000006211229091%02d00024F25", n%60)
}

func (r *rig) storage(line, memory string) (s gateway.StorageStatus) {
	r.t.Helper()
	l, err := r.g.Line(r.t.Context(), admin, line)
	if err != nil {
		r.t.Fatal(err)
	}
	for _, y := range l.Storage {
		if y.Memory == memory {
			s = y
		}
	}
	return s
}

// What comes in leaves the memories, whatever it is; what others put there
// stays, is counted and said.
func TestMemoriesAreEmptiedOfWhatCameIn(t *testing.T) {
	r := newRig(t, nil, func(o *sim.Options) { o.Slots = 10 })
	m := r.net.Modems()[0]
	r.lineState("modem0", "up")
	for i, w := range []struct {
		memory string
		status int
		pdu    string
	}{
		{"SM", 2, draftPDU}, {"SM", 3, draftPDU}, {"SM", 1, draftPDU}, {"ME", 2, draftPDU},
		{"SM", 0, received(1)}, {"ME", 1, received(2)}, {"SM", 0, partPDU}, {"ME", 0, garbagePDU},
	} {
		if !m.Write(w.memory, w.status, w.pdu) {
			t.Fatal(i)
		}
	}
	r.until("what came in is stored", func() bool { return len(m.Stored()) == 4 })
	for _, s := range m.Stored() {
		if s.PDU != draftPDU {
			t.Errorf("left: %+v", s)
		}
	}
	r.inbound(3) // two texts and what nobody can read; the part waits for its other half
	r.until("the slots are told", func() bool {
		return r.storage("modem0", "SM").Foreign == 3 && r.storage("modem0", "ME").Foreign == 1
	})
	if d := r.detail("modem0"); d != "" {
		t.Errorf("detail %q", d)
	}
}

func TestWatermarkIsToldOnceEachWay(t *testing.T) {
	r := newRig(t, nil, func(o *sim.Options) { o.Slots = 10 })
	m := r.net.Modems()[0]
	for range 8 {
		m.Write("SM", 3, draftPDU)
	}
	r.restart()
	r.lineState("modem0", "up")
	r.until("it is told", func() bool { return slices.Contains(r.told("modem0"), "storage-full SM 8 of 10") })
	d := r.detail("modem0")
	if !strings.Contains(d, "the memory SM is 8 of 10 full: 8 of these are drafts or sent SMS") || !strings.Contains(d, "delete them in a phone") {
		t.Errorf("detail %q", d)
	}
	s, err := r.g.Status(t.Context(), admin)
	if err != nil || s.Healthy {
		t.Errorf("healthy with a memory that fills up: %v", err)
	}
	r.await(r.post(gateway.NewMessage{To: alice, Text: "sending goes on"}).ID, store.Sent, store.Delivered)

	// Somebody deletes them, and a failed send has the modem asked.
	m.EraseAll("SM")
	m.Inject(sim.Fault{Kind: sim.FaultCMS, Code: 331})
	r.await(r.post(gateway.NewMessage{To: alice, Text: "asks"}).ID, store.Sent, store.Delivered)
	r.until("it is told to be well", func() bool { return slices.Contains(r.told("modem0"), "storage-ok SM 0 of 10") })
	full := slices.DeleteFunc(r.told("modem0"), func(e string) bool { return !strings.HasPrefix(e, "storage-full") })
	if d := r.detail("modem0"); d != "" || len(full) != 1 {
		t.Errorf("detail %q, told %q", d, full)
	}
}

// A memory that is full of what came in is read, so that what waits in the
// network comes in too.
func TestFullMemoryIsReadAndTheNetworkGoesOn(t *testing.T) {
	r := newRig(t, func(o *gateway.Options) { o.Poll = time.Hour }, func(o *sim.Options) { o.Slots, o.Profile = 3, "huawei" })
	m := r.net.Modems()[0]
	r.lineState("modem0", "up")
	m.Inject(sim.Fault{Kind: sim.FaultStorageFull})
	for i := range 3 {
		m.Write("SM", 0, received(10+i)) // without a word, and nobody polls
	}
	for i := range 5 {
		if err := r.net.Phone(alice).Send(m.Number(), fmt.Sprint("message ", i)); err != nil {
			t.Fatal(err)
		}
	}
	r.until("it is told", func() bool { return slices.Contains(r.told("modem0"), "storage-full SM") })
	r.inbound(3)
	m.ClearFaults()
	r.inbound(8)
	r.until("and to be well again", func() bool {
		return slices.ContainsFunc(r.told("modem0"), func(e string) bool { return strings.HasPrefix(e, "storage-ok SM") })
	})
}

// The codes for a full memory have it read at once, and the message follows.
func TestSendThatFindsTheMemoryFull(t *testing.T) {
	for _, number := range []int{208, 322} {
		t.Run(fmt.Sprint(number), func(t *testing.T) {
			r := newRig(t, func(o *gateway.Options) { o.Poll = time.Hour }, nil)
			m := r.net.Modems()[0]
			r.lineState("modem0", "up")
			m.Inject(sim.Fault{Kind: sim.FaultCMS, Code: number})
			m.OnPoint(func(o sim.Occasion) {
				if o.Point == sim.PointBody {
					m.OnPoint(nil)
					m.Write("SM", 0, received(number))
				}
			})
			v := r.post(gateway.NewMessage{To: alice, Text: "finds it full"})
			r.inbound(1)
			r.await(v.ID, store.Sent, store.Delivered)
		})
	}
}

// Reports that the modem stores leave their memory, and reach their messages.
func TestReportMemoryIsEmptied(t *testing.T) {
	r := newRig(t, nil, func(o *sim.Options) { o.Profile = "wavecom" })
	m := r.net.Modems()[0]
	r.lineState("modem0", "up")
	for i := range 25 { // more than the memory has slots
		r.await(r.post(gateway.NewMessage{To: alice, Text: fmt.Sprint(i)}).ID, store.Delivered)
	}
	r.until("no report is left", func() bool { return len(m.Stored()) == 0 })
	used := false
	for _, line := range m.Transcript() {
		used = used || strings.HasPrefix(line, `< +CDSI: "SR"`)
	}
	if !used {
		t.Error("the profile does not store reports, so this shows nothing")
	}
}
