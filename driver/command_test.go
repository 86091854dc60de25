package driver

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestCommandOfAnOperator(t *testing.T) {
	p := newPeer(t)
	m := p.open()
	p.says("\r\n+CBC: 0,80,4000\r\n\r\nOK\r\n", "+CBC")
	for _, cmd := range []string{"AT+CBC", "at+CBC", "+CBC", " AT+CBC "} {
		if got, err := m.Command(t.Context(), cmd); err != nil || !slices.Equal(got, []string{"+CBC: 0,80,4000"}) {
			t.Errorf("%q: %q, %v", cmd, got, err)
		}
	}
	before, _ := p.seen()
	for _, cmd := range []string{
		"AT+CMGS=20", "AT+CPIN=1234", "at+cpin=\"1234\"", "ATZ", "ATE1", "AT&F", "AT+CMGF=1", "ATD123;", "AT+CBC;+CMGF=1",
		"AT+CBC\rAT+CMGF=1", "AT+CLCK=\"SC\",0,\"1234\"", "AT+CMSS=1",
	} {
		err := func() error { _, err := m.Command(t.Context(), cmd); return err }()
		if !errors.Is(err, ErrForbidden) || strings.Contains(err.Error(), "1234") {
			t.Errorf("%q: got %v", cmd, err)
		}
	}
	if after, _ := p.seen(); len(after) != len(before) {
		t.Errorf("reached the modem: %q", after[len(before):])
	}
	if err := allowed("+CMGF=?"); err != nil {
		t.Error(err)
	}
}

func TestUSSD(t *testing.T) {
	p := newPeer(t)
	m := p.open()
	p.on("+CUSD", func(p *peer, _ string) { p.ok(); p.send("\r\n+CUSD: 0,\"Balance 5\",15\r\n") })
	if err := m.USSD(t.Context(), "*100#"); err != nil {
		t.Fatal(err)
	}
	if s := soon(t, m.Signals(), "the answer"); s.Kind != SignalUSSD || s.Text != `0,"Balance 5",15` {
		t.Errorf("got %+v", s)
	}
	if err := m.USSD(t.Context(), `*100#",15;+CMGF=1`); err == nil {
		t.Error("a command inside the code was let through")
	}
}

func TestTraceIsMasked(t *testing.T) {
	p := newPeer(t)
	m := p.open()
	secret := "0791999000000000040A"
	p.send("\r\n+CMT: ,9\r\n" + secret + "\r\n\r\n+CUSD: 0,\"code 4711 secret\",15\r\n\r\n+CLIP: \"+999000001\",145\r\n")
	for range 3 {
		soon(t, m.Signals(), "a signal")
	}
	if _, err := m.Send(t.Context(), Submission{TPDU: samplePDU}); err != nil {
		t.Fatal(err)
	}
	trace := strings.Join(m.Trace(), "\n")
	for _, word := range []string{secret, "4711", "secret", "999000001", peerIMEI, peerICCID, "F4F29C0E"} {
		if strings.Contains(trace, word) {
			t.Errorf("the trace shows %q:\n%s", word, trace)
		}
	}
	for _, word := range []string{"> AT+CMGF=0", "< OK", "> AT+CMGS=16", "<17 octets>"} {
		if !strings.Contains(trace, word) {
			t.Errorf("the trace does not show %q:\n%s", word, trace)
		}
	}
}
