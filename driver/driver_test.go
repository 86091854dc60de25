package driver

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestOpenIdentifies(t *testing.T) {
	m := newPeer(t).open()
	want := Identity{
		Manufacturer: "Peer", Model: "P1", Revision: "1.0", IMEI: peerIMEI, IMSI: "999990000000017",
		ICCID: peerICCID, Number: "+999000017", SMSC: "+999000000",
	}
	if got := m.Identity(); got != want {
		t.Errorf("identity:\ngot  %+v\nwant %+v", got, want)
	}
}

func TestSendReturnsReference(t *testing.T) {
	p := newPeer(t)
	m := p.open()
	var points []string
	m.hook = func(point string) { points = append(points, point) }
	for want := 41; want < 44; want++ {
		mr, err := m.Send(context.Background(), Submission{TPDU: samplePDU})
		if err != nil || mr != want {
			t.Fatalf("send: got %d, %v, want %d", mr, err, want)
		}
	}
	commands, pdus := p.seen()
	if !slices.Contains(commands, "AT+CMGS=16") {
		t.Errorf("commands %q, want AT+CMGS with the TPDU's own length", commands)
	}
	if want := "000100099199090000F2000004F4F29C0E"; pdus[0] != want {
		t.Errorf("pdu: got %s, want %s", pdus[0], want)
	}
	want := []string{
		"driver:cmgs:before", "driver:cmgs:after", "driver:pdu:before", "driver:pdu:after",
		"driver:result:before", "driver:result:after",
	}
	if got := points[:6]; !slices.Equal(got, want) {
		t.Errorf("points: got %q, want %q", got, want)
	}
}

func TestSendUsesConfiguredServiceCentre(t *testing.T) {
	p := newPeer(t)
	m := p.open(func(o *Options) { o.SMSC = "+49171000" })
	if _, err := m.Send(context.Background(), Submission{TPDU: samplePDU}); err != nil {
		t.Fatal(err)
	}
	_, pdus := p.seen()
	if want := "0591947101000100099199090000F2000004F4F29C0E"; pdus[0] != want {
		t.Errorf("pdu: got %s, want %s", pdus[0], want)
	}
}

func TestSendHoldsLinkWhileMoreFollows(t *testing.T) {
	p := newPeer(t)
	m := p.open()
	for i := range 3 {
		if _, err := m.Send(context.Background(), Submission{TPDU: samplePDU, More: i < 2}); err != nil {
			t.Fatal(err)
		}
	}
	commands, _ := p.seen()
	got := commands[slices.Index(commands, "AT+CMMS=?")+1:]
	want := []string{"AT+CMMS=2", "AT+CMGS=16", "AT+CMGS=16", "AT+CMMS=0", "AT+CMGS=16"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// A modem that is lost at AT+CMMS is told apart from one that is lost at AT+CMGS.
func TestModemLostAtTheCommandThatHoldsTheLink(t *testing.T) {
	for name, lose := range map[string]func(*peer, *Modem){
		"hangs": func(p *peer, _ *Modem) { p.says("", "+CMMS") },
		"goes":  func(p *peer, _ *Modem) { p.on("+CMMS", func(p *peer, _ string) { _ = p.master.Close() }) },
	} {
		t.Run(name, func(t *testing.T) {
			p := newPeer(t)
			m := p.open()
			m.s.limit = 300 * time.Millisecond
			lose(p, m)
			_, err := m.Send(context.Background(), Submission{TPDU: samplePDU, More: true})
			if e := sendError(t, err); e.Fate != NotSent || e.Class != Temporary || e.Code != CodeLink {
				t.Errorf("got %v", err)
			}
			_, err = m.Send(context.Background(), Submission{TPDU: samplePDU, More: true})
			if e := sendError(t, err); e.Fate != NotSent || e.Code == CodeLink {
				t.Errorf("a session that has ended: %v", err)
			}
		})
	}
}

func TestAtPromptErrorEscapes(t *testing.T) {
	p := newPeer(t)
	m := p.open()
	expired := errors.New("expired")
	calls := 0
	_, err := m.Send(context.Background(), Submission{TPDU: samplePDU, AtPrompt: func() error { calls++; return expired }})
	if e := sendError(t, err); e.Fate != NotSent || e.Code != "canceled" || !errors.Is(err, expired) || calls != 1 {
		t.Errorf("got %v after %d calls", err, calls)
	}
	mr, err := m.Send(context.Background(), Submission{TPDU: samplePDU})
	if err != nil || mr != 41 {
		t.Errorf("the next part: got %d, %v", mr, err)
	}
	if _, pdus := p.seen(); len(pdus) != 1 {
		t.Errorf("%d PDUs reached the modem, want 1", len(pdus))
	}
}

func TestCancelBeforePromptRecalls(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	m := p.open()
	ctx, cancel := context.WithCancel(context.Background())
	p.on("+CMGS", func(p *peer, _ string) { cancel() })
	_, err := m.Send(ctx, Submission{TPDU: samplePDU})
	if e := sendError(t, err); e.Fate != NotSent || e.Code != "canceled" || !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	p.on("+CMGS", nil)
	if mr, err := m.Send(context.Background(), Submission{TPDU: samplePDU}); err != nil || mr != 41 {
		t.Errorf("the next part: got %d, %v", mr, err)
	}
}

func TestCancelAfterCtrlZWaits(t *testing.T) {
	p := newPeer(t)
	m := p.open()
	ctx, cancel := context.WithCancel(context.Background())
	p.afterPDU(func(p *peer, _ string) { cancel(); p.ok("+CMGS: 7") })
	if mr, err := m.Send(ctx, Submission{TPDU: samplePDU}); err != nil || mr != 7 {
		t.Errorf("got %d, %v", mr, err)
	}
}

func TestCloseDuringSubmitIsUnknown(t *testing.T) {
	p := newPeer(t)
	m := p.open()
	p.afterPDU(func(*peer, string) { go m.Close() })
	_, err := m.Send(context.Background(), Submission{TPDU: samplePDU})
	if e := sendError(t, err); e.Fate != Unknown || e.Code != "gone" {
		t.Errorf("got %v", err)
	}
	if m.Err() != nil {
		t.Errorf("Err after Close: %v", m.Err())
	}
}

func TestListAndDelete(t *testing.T) {
	p := newPeer(t)
	p.store(0, "0791999000000000040A")
	p.store(7, "0791999000000000040b")
	m := p.open()
	got, err := m.List(context.Background())
	want := []Stored{
		{Slot: Slot{"SM", 0}, PDU: "0791999000000000040A", Length: 9},
		{Slot: Slot{"SM", 7}, PDU: "0791999000000000040B", Length: 9},
	}
	if err != nil || !slices.Equal(got, want) {
		t.Fatalf("got %+v, %v\nwant %+v", got, err, want)
	}
	if err := m.Delete(context.Background(), got[0].Slot); err != nil {
		t.Fatal(err)
	}
	if got, err = m.List(context.Background()); err != nil || len(got) != 1 || got[0].Slot.Index != 7 {
		t.Errorf("after delete: %+v, %v", got, err)
	}
}

func TestStatus(t *testing.T) {
	p := newPeer(t)
	p.says("\r\n+CREG: 0,0\r\n\r\nOK\r\n", "+CREG?")
	p.says("\r\n+CEREG: 0,5\r\n\r\nOK\r\n", "+CEREG?")
	p.says("\r\n+CME ERROR: 30\r\n", "+CGREG?")
	m := p.open()
	got, err := m.Status(context.Background())
	want := Status{Registration: "roaming", Operator: "Peer Net", SignalDBM: -79, SMSC: "+999000000", Storage: []Memory{{"SM", 0, 20}}}
	if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %+v, %v\nwant %+v", got, err, want)
	}
}

func TestSIMConditions(t *testing.T) {
	t.Parallel()
	for answer, state := range map[string]string{
		"\r\n+CPIN: SIM PIN\r\n\r\nOK\r\n": "pin", "\r\n+CPIN: SIM PUK\r\n\r\nOK\r\n": "puk",
		"\r\n+CME ERROR: 10\r\n": "absent", "\r\n+CME ERROR: 13\r\n": "failure", "\r\n+CME ERROR: 14\r\n": "busy",
		"\r\n+CME ERROR: SIM not inserted\r\n": "absent", "\r\n+CPIN: PH-NET PIN\r\n\r\nOK\r\n": "network-lock",
	} {
		t.Run(state, func(t *testing.T) {
			p := newPeer(t)
			p.says(answer, "+CPIN?")
			var e *SIMError
			if err := p.fails(func(o *Options) { o.CommandTimeout = 500 * time.Millisecond }); !errors.As(err, &e) || e.State != state {
				t.Errorf("got %v, want state %s", err, state)
			}
			commands, _ := p.seen()
			for _, c := range commands {
				if strings.HasPrefix(c, "AT+CPIN=") {
					t.Errorf("a PIN was tried: %s", c)
				}
			}
		})
	}
}

// PIN2 and PUK2 guard nothing that a text needs.
func TestSecondPINIsNoCondition(t *testing.T) {
	for _, asked := range []string{"SIM PIN2", "SIM PUK2"} {
		p := newPeer(t)
		p.says("\r\n+CPIN: "+asked+"\r\n\r\nOK\r\n", "+CPIN?")
		if _, err := p.open().Send(context.Background(), Submission{TPDU: samplePDU}); err != nil {
			t.Errorf("%s: %v", asked, err)
		}
	}
}
