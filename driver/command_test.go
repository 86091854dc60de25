package driver

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestCommandOfAnOperator(t *testing.T) {
	p := newPeer(t)
	m := p.open()
	p.says("\r\n+CBC: 0,80,4000\r\n\r\nOK\r\n", "+CBC")
	for _, cmd := range []string{"AT+CBC", "at+CBC", "+CBC", " AT+CBC "} {
		if got, err := m.Command(t.Context(), cmd, 0); err != nil || !slices.Equal(got, []string{"+CBC: 0,80,4000"}) {
			t.Errorf("%q: %q, %v", cmd, got, err)
		}
	}
	before, _ := p.seen()
	for cmd, instead := range map[string]string{
		"AT+CMGS=20": "modemgate send", "AT+CPIN=1234": "pin_file", "at+cpin=\"1234\"": "pin_file", "AT +CPIN = 1234": "pin_file", "ATZ": "reset",
		"ATE1": "session", "AT&F": "reset", "AT+CMGF=1": "session", "ATD123": "calls", "AT+CBC;+CMGF=1": "one command",
		"AT+CBC\rAT+CMGF=1": "one command", "AT+CLCK=\"SC\",0,\"1234\"": "pin_file", "AT+CMSS=1": "modemgate send",
		"AT+CFUN=1,1": "reset", "AT+CUSD=1,\"*100#\"": "modemgate ussd", "AT+CMGD=1,4": "inbox", "AT^RESET": "reset",
	} {
		err := func() error { _, err := m.Command(t.Context(), cmd, 0); return err }()
		if !errors.Is(err, ErrForbidden) || strings.Contains(err.Error(), "1234") || !strings.Contains(err.Error(), instead) {
			t.Errorf("%q: got %v", cmd, err)
		}
	}
	if after, _ := p.seen(); len(after) != len(before) {
		t.Errorf("reached the modem: %q", after[len(before):])
	}
	for _, cmd := range []string{"+CMGF=?", "+CFUN?", "AT+CPIN?", "ATI", "AT", "AT^CPIN?"} {
		if err := CommandAllowed(cmd); err != nil {
			t.Errorf("%s: %v", cmd, err)
		}
	}
}

func TestCommandThatFailsOrIsLate(t *testing.T) {
	p := newPeer(t)
	m := p.open()
	p.says("\r\n+CME ERROR: 30\r\n", "+COPS=?")
	var refused *CommandError
	if _, err := m.Command(t.Context(), "AT+COPS=?", time.Minute); !errors.As(err, &refused) || refused.Code != "cme-30" {
		t.Errorf("got %v", err)
	}
	p.on("+CBC", func(*peer, string) {})
	if _, err := m.Command(t.Context(), "AT+CBC", 50*time.Millisecond); !errors.Is(err, ErrTimeout) {
		t.Errorf("got %v", err)
	}
	soon(t, m.Done(), "the end of the session")
	lines := m.Trace().Lines(0)
	if last := lines[len(lines)-1]; last.Mark != "!" || !strings.Contains(last.Text, "missed a deadline") {
		t.Errorf("the trace ends with %+v", last)
	}
}

// What follows the name of a command is told by no error and no trace: it may
// be a number, a text or a PIN, after an equals sign or not.
func TestLateCommandIsNamedOnly(t *testing.T) {
	for cmd, name := range map[string]string{
		"+CBC": "AT+CBC", "+COPS=?": "AT+COPS", "+CREG?": "AT+CREG", "^CPBF\"secret\"447700900123": "AT^CPBF",
		"+CPBW 447700900123 secret": "AT+CPBW", "*PIN48213": "AT*PIN", "I9": "ATI9", "48213": "AT", "+": "AT", "'secret'48213": "AT",
	} {
		p := newPeer(t)
		m := p.open()
		p.on(strings.ToUpper(cmd), func(*peer, string) {})
		release, err := m.s.hold(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		_, err = m.s.doFor(cmd, 50*time.Millisecond) // below what an operator may pass on
		release()
		if !errors.Is(err, ErrTimeout) || !strings.HasSuffix(err.Error(), ": "+name) {
			t.Errorf("%s: got %v, want it to end in %s", cmd, err, name)
		}
		soon(t, m.Done(), "the end of the session")
		lines := m.Trace().Lines(0)
		if last := lines[len(lines)-1]; last.Mark != "!" || !strings.HasSuffix(last.Text, ": "+name) {
			t.Errorf("%s: the trace ends with %+v", cmd, last)
		}
	}
	var trace Trace
	trace.Note(`ended after "a text" to +447700900123, pin 4821, on SM "SM" 115`)
	if got := trace.Lines(0)[0].Text; got != `ended after "…" to +…, pin …, on SM "SM" 115` {
		t.Errorf("a remark is kept as %q", got)
	}
}

func traced(m *Modem) string {
	var b strings.Builder
	for _, l := range m.Trace().Lines(0) {
		b.WriteString(l.Mark + " " + l.Text + "\n")
	}
	return b.String()
}

func TestTraceIsMasked(t *testing.T) {
	p := newPeer(t)
	m := p.open()
	secret := "0791999000000000040A"
	p.send("\r\n+CMT: ,9\r\n" + secret + "\r\n\r\n+CUSD: 0,\"code 4711 secret\n+hidden: first\n#second line\",15\r\n\r\n+CLIP: \"+999000001\",145\r\n")
	for range 3 {
		soon(t, m.Signals(), "a signal")
	}
	if _, err := m.Send(t.Context(), Submission{TPDU: samplePDU}); err != nil {
		t.Fatal(err)
	}
	trace := traced(m)
	for _, word := range []string{secret, "4711", "secret", "hidden", "second", "999000001", peerIMEI, peerICCID, "F4F29C0E"} {
		if strings.Contains(trace, word) {
			t.Errorf("the trace shows %q:\n%s", word, trace)
		}
	}
	for _, word := range []string{"> AT+CMGF=0", "< OK", "> AT+CMGS=16", "<17 octets>"} {
		if !strings.Contains(trace, word) {
			t.Errorf("the trace does not show %q:\n%s", word, trace)
		}
	}
	for _, row := range [][2]string{
		{`at+cpin="1234"`, `AT+cpin="…"`}, {"+CPIN=12345", "AT+CPIN=…"}, {`AT+CUSD=1,"*100#"`, "AT+CUSD=<17 characters>"},
		{`+CSCA="+447785016005",145`, `AT+CSCA="…",145`}, {"ATI", "ATI"},
	} {
		if got := MaskCommand(row[0]); got != row[1] {
			t.Errorf("MaskCommand(%q) = %q, want %q", row[0], got, row[1])
		}
	}
}

func TestTraceKeepsTheLastLines(t *testing.T) {
	var tr Trace
	if got := tr.Lines(0); len(got) != 0 {
		t.Fatalf("got %+v", got)
	}
	for range traceLines + 5 {
		tr.add(">", "AT")
	}
	got := tr.Lines(0)
	if len(got) != traceLines || got[0].Seq != 6 || got[len(got)-1].Seq != traceLines+5 {
		t.Errorf("%d lines, from %d", len(got), got[0].Seq)
	}
	if got := tr.Lines(traceLines + 3); len(got) != 2 || got[0].Seq != traceLines+4 {
		t.Errorf("got %+v", got)
	}
	if got := tr.Lines(traceLines + 99); len(got) != 0 {
		t.Errorf("got %+v", got)
	}
}

// A bare session is for a modem whose SIM is the trouble.
func TestBareSession(t *testing.T) {
	p := newPeer(t)
	p.says("\r\n+CME ERROR: 10\r\n", "+CPIN?")
	m := p.open(func(o *Options) { o.Bare = true })
	if id := m.Identity(); id.IMEI != peerIMEI || id.Manufacturer != "Peer" {
		t.Errorf("got %+v", id)
	}
	if commands, _ := p.seen(); slices.Contains(commands, "AT+CPIN?") || slices.Contains(commands, "AT+CMGF=0") {
		t.Errorf("it did more than it must: %q", commands)
	}
	var refused *CommandError
	if _, err := m.Command(t.Context(), "AT+CPIN?", 0); !errors.As(err, &refused) || refused.Code != "cme-10" {
		t.Errorf("got %v", err)
	}
}
