package gateway_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/modemgate/modemgate/driver"
	"github.com/modemgate/modemgate/driver/sim"
	"github.com/modemgate/modemgate/gateway"
	"github.com/modemgate/modemgate/gateway/store"
)

// piece is one half of one of two long messages under one reference.
type piece struct{ message, part int }

// sequences are all orders in which some or all of four halves can arrive.
func sequences(left []piece) [][]piece {
	var out [][]piece
	for i, p := range left {
		out = append(out, []piece{p})
		for _, rest := range sequences(slices.Delete(slices.Clone(left), i, i+1)) {
			out = append(out, append([]piece{p}, rest...))
		}
	}
	return out
}

// TestTrapS12EveryOrderAndEveryLoss sends two messages of one sender under one
// reference in every order of their parts, with every loss of some, and never
// may a text hold the code of one and the end of the other.
func TestTrapS12EveryOrderAndEveryLoss(t *testing.T) {
	for name, apart := range map[string]time.Duration{"a minute apart": time.Minute, "20 s apart": 20 * time.Second, "10 s apart": 10 * time.Second} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, nil, nil)
			began := time.Now().Add(-time.Hour).Truncate(time.Second)
			all := sequences([]piece{{1, 1}, {1, 2}, {2, 1}, {2, 2}})
			for step := range 4 {
				for i, sequence := range all {
					if step < len(sequence) {
						r.half(i, sequence[step], began, apart)
					}
				}
				r.empty()
			}
			r.pass(61 * time.Second)
			whole := make(map[string]int)
			for _, in := range r.everyPart(all) {
				sequence := all[senderIndex(in.From)]
				one, two := strings.Contains(in.Text, "<1"), strings.Contains(in.Text, "<2")
				if one && two {
					t.Errorf("%v: two messages became one: %q", sequence, in.Text)
				}
				if !in.Incomplete {
					whole[in.From]++
				}
			}
			for i, sequence := range all {
				if len(sequence) == 4 && whole[senderNumber(i)] != 2 {
					t.Errorf("%v: %d of two messages came whole", sequence, whole[senderNumber(i)])
				}
			}
		})
	}
}

// everyPart waits until every part that was sent is in what was published.
func (r *rig) everyPart(all [][]piece) (list []gateway.Inbound) {
	r.t.Helper()
	want := 0
	for _, sequence := range all {
		want += len(sequence)
	}
	r.until("every part is published", func() bool {
		list = nil
		parts, f := 0, gateway.InboundFilter{Limit: 200, Ascending: true}
		for {
			page, err := r.g.ListInbound(r.t.Context(), admin, f)
			if err != nil {
				r.t.Fatal(err)
			}
			list = append(list, page.Items...)
			if f.Cursor = page.NextCursor; len(page.Items) < f.Limit {
				break
			}
		}
		for _, in := range list {
			parts += len(in.Raw)
		}
		return parts >= want
	})
	return list
}

const senders = 447700900000

func senderNumber(i int) string { return fmt.Sprintf("+%d", senders+i) }

func senderIndex(number string) int {
	n, _ := strconv.Atoi(number[1:])
	return n - senders
}

// half lets a phone send one part of a text of two.
func (r *rig) half(phone int, p piece, began time.Time, apart time.Duration) {
	r.t.Helper()
	text := fmt.Sprintf("<%d code>%s<%[1]d end>", p.message, strings.Repeat(".", 160))
	err := r.net.Phone(senderNumber(phone)).SendWith(r.net.Modems()[0].Number(), text, sim.SendOptions{
		Ref: new(7), Order: []int{p.part}, Timestamp: began.Add(time.Duration(p.message-1) * apart),
	})
	if err != nil {
		r.t.Fatal(err)
	}
}

// TestLatePartAmendsOnlyWhatItWasSentWith: what was published incomplete is
// amended by a part stamped within the pace of a slow radio, also over a
// restart, and one stamped later is of another message.
func TestLatePartAmendsOnlyWhatItWasSentWith(t *testing.T) {
	r := newRig(t, nil, nil)
	text, began := strings.Repeat("0123456789", 40), time.Now().Add(-time.Hour)
	send := func(ref, part int, after time.Duration) {
		r.to0(text, sim.SendOptions{Ref: new(ref), Order: []int{part}, Timestamp: began.Add(after)})
		r.empty()
	}
	send(5, 1, 0)
	send(5, 3, 18*time.Second)
	send(6, 1, 0)
	send(6, 3, 18*time.Second)
	r.pass(61 * time.Second)
	first := r.inbound(2)
	r.restart()
	send(5, 2, 9*time.Second)
	if got := r.inbound(3)[2]; got.Incomplete || got.Amends != first[0].ID || got.Text != text {
		t.Errorf("amended as %+v", got)
	}
	send(6, 2, 10*time.Second) // too late for the first, though not for the third
	r.pass(61 * time.Second)
	if got := r.inbound(4)[3]; !got.Incomplete || got.Amends != "" || !strings.HasPrefix(got.Text, " […] ") {
		t.Errorf("joined as %+v", got)
	}
}

// TestPartsThatComeTwiceMakeOneMessage: a memory lists a part twice, or the
// network repeats it, before the others of its message are there.
func TestPartsThatComeTwiceMakeOneMessage(t *testing.T) {
	r := newRig(t, nil, nil)
	began := time.Now().Add(-time.Minute)
	for i, c := range []struct {
		parts int
		order []int
	}{
		{2, []int{1, 1, 2}}, {2, []int{2, 2, 1}}, {2, []int{1, 1, 1, 2, 2}}, {2, []int{1, 2, 1, 2}},
		{3, []int{1, 1, 2, 3}}, {3, []int{3, 3, 1, 1, 2}}, {3, []int{2, 3, 2, 3, 1}},
	} {
		text := strings.Repeat("0123456789", 15*c.parts)
		r.to0(text, sim.SendOptions{Ref: new(i), Order: c.order, Timestamp: began})
		r.empty()
		if in := r.inbound(i + 1)[i]; in.Incomplete || in.Text != text {
			t.Errorf("%v came as %+v", c.order, in)
		}
		if left := r.openSets(); len(left) > 0 {
			t.Fatalf("%v left a set with %d parts waiting", c.order, len(left[0].Parts))
		}
	}
}

// openSets are the long messages that wait for parts.
func (r *rig) openSets() (sets []*store.Set) {
	r.t.Helper()
	err := r.st.View(r.t.Context(), func(tx store.Tx) (err error) {
		sets, err = tx.OverdueSets(r.now().Add(10_000*time.Hour), 100)
		return err
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return sets
}

// TestPartOfTwoSetsAlikeCompletesTheOlder: where two sets hold the same, the
// next part makes the same text of either.
func TestPartOfTwoSetsAlikeCompletesTheOlder(t *testing.T) {
	r := newRig(t, nil, nil)
	text, o := strings.Repeat("0123456789", 20), sim.SendOptions{Ref: new(7), Order: []int{1}, Timestamp: time.Now().Add(-time.Minute)}
	r.to0(text, o)
	r.empty()
	first := r.openSets()[0]
	twin := *first
	if err := r.st.Update(t.Context(), "test", func(tx store.Tx) error { return tx.InsertSet(&twin) }); err != nil {
		t.Fatal(err)
	}
	o.Order = []int{2}
	r.to0(text, o)
	r.empty()
	if in := r.inbound(1)[0]; in.Incomplete || in.Text != text {
		t.Errorf("came as %+v", in)
	}
	if left := r.openSets(); len(left) != 1 || left[0].ID != twin.ID {
		t.Errorf("%d sets are left, want the newer", len(left))
	}
}

// TestTrapS12EqualFirstParts: a sender that begins every message with the same
// words under one reference sends a second code a minute after the first. In
// whatever order their parts come, both are whole with the last of them.
func TestTrapS12EqualFirstParts(t *testing.T) {
	r := newRig(t, nil, nil)
	began := time.Now().Add(-time.Hour)
	orders := slices.DeleteFunc(sequences([]piece{{1, 1}, {1, 2}, {2, 1}, {2, 2}}), func(s []piece) bool { return len(s) < 4 })
	for step := range 4 {
		for i, order := range orders {
			p := order[step]
			err := r.net.Phone(senderNumber(i)).SendWith(r.net.Modems()[0].Number(), codeText(p.message), sim.SendOptions{
				Ref: new(7), Order: []int{p.part}, Timestamp: began.Add(time.Duration(p.message) * time.Minute),
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		r.empty()
	}
	got := make(map[string]map[string]bool)
	for _, in := range r.everyPart(orders) {
		if got[in.From] == nil {
			got[in.From] = make(map[string]bool)
		}
		got[in.From][in.Text] = !in.Incomplete
	}
	for i, order := range orders {
		if texts := got[senderNumber(i)]; len(texts) != 2 || !texts[codeText(1)] || !texts[codeText(2)] {
			t.Errorf("%v came as %v", order, texts)
		}
	}
	if left := r.openSets(); len(left) > 0 {
		t.Errorf("%d sets wait for parts", len(left))
	}
}

// codeText is a text of two parts that has its code in the second.
func codeText(n int) string {
	return fmt.Sprintf("%-170s your code is <%d>", "Never share this code with anyone,", n)
}

// TestCopyOfAPartIsKnownByItsStamp: a copy whose header differs is dropped, and
// goes neither into a message that waits for just that place nor into a new one.
func TestCopyOfAPartIsKnownByItsStamp(t *testing.T) {
	r := newRig(t, nil, nil)
	began := time.Now().Add(-time.Hour)
	send := func(message, part int, pid byte) {
		r.to0(codeText(message), sim.SendOptions{
			Ref: new(7), Order: []int{part}, PID: pid, Timestamp: began.Add(time.Duration(message) * 3 * time.Second),
		})
		r.empty()
	}
	send(1, 1, 0)
	send(1, 1, 0x20)
	send(1, 2, 0)
	if in := r.inbound(1)[0]; in.Incomplete || in.Text != codeText(1) {
		t.Errorf("the first came as %+v", in)
	}
	send(2, 2, 0)
	for part := 1; part <= 2; part++ {
		send(1, part, 0x20)
		send(1, part, 0x21)
	}
	r.inbound(1)
	send(2, 1, 0)
	if in := r.inbound(2)[1]; in.Incomplete || in.Text != codeText(2) {
		t.Errorf("the second came as %+v", in)
	}
	if left := r.openSets(); len(left) > 0 {
		t.Errorf("%d sets wait for parts", len(left))
	}
}

// TestUnreadableStampsHideNoMessage: without a stamp only the very same octets
// are a copy, be it that a memory lists a part twice.
func TestUnreadableStampsHideNoMessage(t *testing.T) {
	r := newRig(t, nil, nil)
	r.to0(codeText(1), sim.SendOptions{Ref: new(7), Timestamp: time.Now()})
	r.empty()
	raw := r.inbound(1)[0].Raw
	for i, stamp := range []string{"FFFFFFFFFFFFFF", "EEEEEEEEEEEEEE"} {
		r.halt()
		for _, part := range []int{0, 0, 1} {
			pdu := strings.Replace(raw[part], driver.Decode(raw[part], -1).SCTSRaw, stamp, 1)
			if !r.net.Modems()[0].StorePDU(pdu, -1) {
				t.Fatal("the SIM did not take it")
			}
		}
		r.start()
		if in := r.inbound(i + 2)[i+1]; in.Incomplete || in.Text != codeText(1) || !in.SMSCAt.IsZero() {
			t.Errorf("%s came as %+v", stamp, in)
		}
		r.empty()
		if left := r.openSets(); len(left) > 0 {
			t.Errorf("%s: %d sets wait for parts", stamp, len(left))
		}
	}
}
