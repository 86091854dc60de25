package driver

import (
	"context"
	"encoding/hex"
	"errors"
	"strings"
	"testing"
	"time"
)

// answersUSSD plays a network: what is asked in any form gets a line.
func answersUSSD(p *peer, reply func(asked string) string) {
	p.on("+CUSD", func(p *peer, cmd string) {
		p.ok()
		if f := splitFields(strings.TrimPrefix(cmd, "+CUSD=")); f[0] == "1" {
			if line := reply(field(f, 1)); line != "" {
				p.send("\r\n+CUSD: " + line + "\r\n")
			}
		}
	})
}

func TestUSSDSessionOfSeveralSteps(t *testing.T) {
	p := newPeer(t)
	m := p.open()
	answersUSSD(p, func(asked string) string {
		return map[string]string{
			"*123#": "1,\"Menu \"A\", B\r\n1 Balance\r\nOK\r\n0 Exit\",15", "1": `0,"Balance 5",15`, "*9#": "4", "*8#": "2",
		}[asked]
	})
	if _, err := m.ReplyUSSD(t.Context(), "1"); !errors.Is(err, ErrNoUSSDSession) {
		t.Errorf("a reply to nothing: %v", err)
	}
	a, err := m.USSD(t.Context(), "*123#")
	if err != nil || a.State != USSDReply || a.Text != "Menu \"A\", B\n1 Balance\nOK\n0 Exit" {
		t.Fatalf("got %+v, %v", a, err)
	}
	if a, err = m.ReplyUSSD(t.Context(), "1"); err != nil || a != (USSDAnswer{USSDDone, "Balance 5"}) {
		t.Errorf("got %+v, %v", a, err)
	}
	if _, err := m.ReplyUSSD(t.Context(), "1"); !errors.Is(err, ErrNoUSSDSession) {
		t.Errorf("a reply to a session that is over: %v", err)
	}
	for code, want := range map[string]USSDState{"*9#": USSDUnsupported, "*8#": USSDEnded} {
		if a, err := m.USSD(t.Context(), code); err != nil || a.State != want {
			t.Errorf("%s: got %+v, %v", code, a, err)
		}
	}
	// A new code and a cancel end an open session.
	for _, end := range []func() error{
		func() error { _, err := m.USSD(t.Context(), "*9#"); return err },
		func() error { return m.CancelUSSD(t.Context()) },
	} {
		if _, err := m.USSD(t.Context(), "*123#"); err != nil {
			t.Fatal(err)
		}
		before := p.count("AT+CUSD=2")
		if err := end(); err != nil || p.count("AT+CUSD=2") != before+1 {
			t.Errorf("not ended: %v", err)
		}
	}
	if len(m.Signals()) != 0 {
		t.Error("an answer that was waited for is a signal too")
	}
}

// count is how often a command came.
func (p *peer) count(cmd string) int {
	n := 0
	commands, _ := p.seen()
	for _, c := range commands {
		if c == cmd {
			n++
		}
	}
	return n
}

func TestUSSDWithoutAnAnswer(t *testing.T) {
	p := newPeer(t)
	m := p.open()
	answersUSSD(p, func(string) string { return "" })
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if a, err := m.USSD(ctx, "*100#"); err != nil || a.State != USSDTimeout || p.count("AT+CUSD=2") != 1 {
		t.Errorf("got %+v, %v", a, err)
	}
	p.says("\r\n+CME ERROR: 30\r\n", "+CUSD")
	var refused *CommandError
	if _, err := m.USSD(t.Context(), "*100#"); !errors.As(err, &refused) || refused.Code != "cme-30" {
		t.Errorf("got %v", err)
	}
	p.send("\r\n+CUSD: 0,\"News\",15\r\n")
	if s := soon(t, m.Signals(), "what the network says by itself"); s.Kind != SignalUSSD {
		t.Errorf("got %+v", s)
	}
	p.on("+CUSD", func(p *peer, _ string) { p.ok(); p.unplug2() })
	if _, err := m.USSD(t.Context(), "*100#"); !errors.Is(err, ErrGone) {
		t.Errorf("unplugged: %v", err)
	}
}

// unplug2 is unplug from inside of the script.
func (p *peer) unplug2() { p.master.Close(); p.slave.Close() }

func TestUSSDRefusesWhatIsNoCode(t *testing.T) {
	p := newPeer(t)
	m := p.open()
	before, _ := p.seen()
	for _, code := range []string{"", `*100#",15;+CMGF=1`, "*100#\rAT", "hello", "**04*1234*4321*4321#", "**05*12345678*1234*1234#", "*03*330*1*2*2#", strings.Repeat("1", 183)} {
		if _, err := m.USSD(t.Context(), code); !errors.Is(err, ErrForbidden) || strings.Contains(err.Error(), "1234") {
			t.Errorf("%q: %v", code, err)
		}
	}
	for _, text := range []string{"", "a\rb", `a"b`} {
		if _, err := m.ReplyUSSD(t.Context(), text); !errors.Is(err, ErrForbidden) {
			t.Errorf("%q: %v", text, err)
		}
	}
	if after, _ := p.seen(); len(after) != len(before) {
		t.Errorf("reached the modem: %q", after[len(before):])
	}
}

// A modem whose family is not known refuses the plain form and takes the
// packed one, which is then used at once.
func TestUSSDLearnsTheForm(t *testing.T) {
	p := newPeer(t)
	m := p.open()
	p.on("+CUSD", func(p *peer, cmd string) {
		if !strings.Contains(cmd, `"AA180C3602"`) {
			p.send("\r\nERROR\r\n")
			return
		}
		p.ok()
		packed, _ := packUSSD("Balance 9.90")
		p.send("\r\n+CUSD: 0,\"" + packed + "\",15\r\n")
	})
	for i := range 2 {
		if a, err := m.USSD(t.Context(), "*100#"); err != nil || a.Text != "Balance 9.90" {
			t.Fatalf("got %+v, %v", a, err)
		}
		if n := p.count(`AT+CUSD=1,"*100#",15`); n != 1 {
			t.Errorf("after %d codes the plain form was tried %d times", i+1, n)
		}
	}
}

func TestUSSDOutsideTheDefaultAlphabet(t *testing.T) {
	p := newPeer(t)
	m := p.open()
	p.says("\r\n+CSCS: \"IRA\"\r\n\r\nOK\r\n", "+CSCS?")
	p.says("\r\nOK\r\n", "+CSCS")
	answersUSSD(p, func(asked string) string {
		switch asked {
		case "*1#":
			return `1,"04140430",72`
		case "04340430":
			return `0,"0414043E043104400439",72`
		}
		return "4"
	})
	if a, err := m.USSD(t.Context(), "*1#"); err != nil || a != (USSDAnswer{USSDReply, "Да"}) {
		t.Fatalf("got %+v, %v", a, err)
	}
	if a, err := m.ReplyUSSD(t.Context(), "да"); err != nil || a != (USSDAnswer{USSDDone, "Добрй"}) {
		t.Errorf("got %+v, %v", a, err)
	}
	commands, _ := p.seen()
	got := strings.Join(commands[len(commands)-4:], " ")
	if want := `AT+CSCS? AT+CSCS="UCS2" AT+CUSD=1,"04340430",72 AT+CSCS="IRA"`; got != want {
		t.Errorf("wrote %s\nwant  %s", got, want)
	}
}

func TestUSSDCodings(t *testing.T) {
	for _, row := range []struct {
		name, raw string
		dcs       int
		packed    bool
		want      string
	}{
		{"plain text", "Your balance is 9.90", 15, false, "Your balance is 9.90"},
		{"plain digits that look like hex", "447700900123", 15, false, "447700900123"},
		{"a short plain text that looks like hex", "CAFE", 15, false, "CAFE"},
		{"packed of a known family", "AA180C3602", 15, true, "*100#"},
		{"packed of an unknown family", "D9775D0E1297D961B75C0E", 15, false, ""},
		{"UCS2 by its scheme", "00420061006C0061006E00630065", 72, false, "Balance"},
		{"UCS2 under a scheme that says otherwise", "00420061006C0061006E00630065", 15, false, "Balance"},
		{"UCS2 after a language", "32190042", 0x11, false, "B"},
		{"Cyrillic", "0411", 72, true, "Б"},
		{"8 bit", "42616C616E6365", 68, false, "Balance"},
		{"plain under UCS2", "Balance 5", 72, false, "Balance 5"},
		{"nothing", "", 0, true, ""},
		{"line ends", "a\r\nb\rc\n", 15, false, "a\nb\nc"},
	} {
		got := decodeUSSD(row.raw, row.dcs, row.packed)
		if row.want == "" && row.raw != "" { // whatever it is, it must be readable
			if !readable(got) {
				t.Errorf("%s: %q", row.name, got)
			}
			continue
		}
		if got != row.want {
			t.Errorf("%s: got %q, want %q", row.name, got, row.want)
		}
	}
}

// Seven characters leave seven bits: filled with a CR they are no "@", and a
// real "@" or CR at that place stays (3GPP TS 23.038 §6.1.2.3.1).
func TestUSSDPadding(t *testing.T) {
	for _, text := range []string{"", "a", "1234567", "12345678", "123456789012345", "1234567@", "1234567890", "äöüÄÖÜß", "€12.50"} {
		packed, ok := packUSSD(text)
		if !ok {
			t.Fatalf("%q is in the default alphabet", text)
		}
		b, err := hex.DecodeString(packed)
		if err != nil {
			t.Fatal(err)
		}
		want := text
		if text == "1234567@" {
			want = "1234567" // a network that fills with zeros is the commoner case
		}
		if got := tidyUSSD(unpackUSSD(b)); got != want {
			t.Errorf("%q became %q (%s)", text, got, packed)
		}
	}
	if packed, _ := packUSSD("1234567"); !strings.HasSuffix(packed, "1A") {
		t.Errorf("seven characters end in %s, want a CR in the last bits", packed)
	}
	if _, ok := packUSSD("да"); ok {
		t.Error("Cyrillic is not in the default alphabet")
	}
}

func TestHangUp(t *testing.T) {
	p := newPeer(t)
	m := p.open()
	p.says("\r\nOK\r\n", "+CHUP", "H")
	if err := m.HangUp(t.Context()); err != nil || p.count("AT+CHUP") != 1 {
		t.Errorf("got %v", err)
	}
	p.says("\r\nERROR\r\n", "+CHUP")
	if err := m.HangUp(t.Context()); err != nil || p.count("ATH") != 1 {
		t.Errorf("got %v", err)
	}
}
