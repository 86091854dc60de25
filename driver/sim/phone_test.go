package sim

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

func TestPhoneJoinsPartsInAnyOrder(t *testing.T) {
	n := network(t, Options{})
	a, b := n.Phone("+447700900001"), n.Phone("+447700900002")
	text := strings.Repeat("0123456789", 50) // four parts
	if err := a.SendWith(b.Number(), text, SendOptions{Order: []int{4, 2, 2, 1}}); err != nil {
		t.Fatal(err)
	}
	if b.Incomplete() != 1 || len(b.Received()) != 0 {
		t.Errorf("a text with a lost part is shown: %+v", b.Received())
	}
	ref := 1 // of the text before
	if err := a.SendWith(b.Number(), text, SendOptions{Order: []int{3}, Ref: &ref}); err != nil {
		t.Fatal(err)
	}
	got := wait(t, b, 1)[0]
	if got.Text != text || got.Parts != 4 || got.Ref != 1 || len(got.PDUs) != 4 || b.PartsReceived() != 5 {
		t.Errorf("shown: %+v", got)
	}
	wide := 0xABCD
	if err := a.SendWith(b.Number(), text, SendOptions{Wide: true, Ref: &wide, Copies: 2}); err != nil {
		t.Fatal(err)
	}
	if got := wait(t, b, 2)[1]; got.Text != text || got.Ref != wide {
		t.Errorf("16-bit reference: %+v", got)
	}
}

func TestPhoneSendsNamesFlashAndLateTexts(t *testing.T) {
	n := network(t, Options{DeliverDelay: time.Millisecond})
	b := n.Phone("+447700900002")
	if err := n.Phone("InfoSMS").SendWith(b.Number(), "flash", SendOptions{Flash: true, Delay: time.Millisecond}); err != nil {
		t.Fatal(err)
	}
	if got := wait(t, b, 1)[0]; got.From != "InfoSMS" || got.Class != 0 {
		t.Errorf("shown: %+v", got)
	}
	if err := b.Send("+447700900001", ""); err == nil {
		t.Error("an empty text is sent")
	}
	if err := b.SendWith("+447700900001", "x", SendOptions{Order: []int{2}}); err == nil {
		t.Error("a part that does not exist is sent")
	}
	if err := b.Send("+447700900001", strings.Repeat("x", 153*255+1)); err == nil {
		t.Error("a text of 256 parts is sent")
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if texts, err := b.Wait(ctx, 2); !errors.Is(err, context.Canceled) || len(texts) != 1 {
		t.Errorf("waiting in vain: %v, %v", texts, err)
	}
}

func TestPhonesAreTheSameWithAndWithoutPlus(t *testing.T) {
	n := network(t, Options{})
	if n.Phone("+447700900001") != n.Phone("447700900001") {
		t.Error("two phones")
	}
	if n.Modem("modem0") != n.Modems()[0] || n.Modem("+999000001") != n.Modems()[0] || n.Modem("999000001") != n.Modems()[0] {
		t.Error("a modem is not found by its names")
	}
	for _, number := range []string{"+999000002", "+99900000a", "+9990000010", "", "999"} {
		if n.Modem(number) != nil {
			t.Errorf("%q is a modem", number)
		}
	}
}
