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

func TestTrapT1UnaskedLineInsideAnswer(t *testing.T) {
	p := newPeer(t)
	m := p.open()
	p.says("\r\n+CMTI: \"SM\",3\r\n\r\n+CREG: 1\r\n\r\n^RSSI:20\r\n\r\n+CSQ: 17,99\r\n\r\nOK\r\n", "+CSQ")
	p.says("\r\n+CREG: 1,\"1A2B\",\"0011223\"\r\n\r\n+CREG: 2,5,\"1A2B\",\"0011223\"\r\n\r\nOK\r\n", "+CREG?")
	p.says("\r\n+CGREG: 0,0\r\n\r\nOK\r\n", "+CGREG?", "+CEREG?")
	st, err := m.Status(context.Background())
	if err != nil || st.SignalDBM != -79 || st.Registration != "roaming" {
		t.Errorf("got %+v, %v", st, err)
	}
	if s := soon(t, m.Signals(), "the hint"); s.Kind != SignalStored || s.Memory != "SM" || s.Index != 3 {
		t.Errorf("signal %+v", s)
	}
}

func TestTrapT2SignalsKeepTheirOrder(t *testing.T) {
	p := newPeer(t)
	m := p.open()
	for i := range hintQueue {
		p.send(fmt.Sprintf("\r\n+CMTI: \"SM\",%d\r\n", i))
	}
	for i := range hintQueue {
		if s := soon(t, m.Signals(), "a hint"); s.Index != i {
			t.Fatalf("hint %d names slot %d", i, s.Index)
		}
	}
}

func TestReportsOutlastAFloodOfHints(t *testing.T) {
	p := newPeer(t)
	m := p.open()
	for i := range hintQueue + 50 {
		p.send(fmt.Sprintf("\r\n+CMTI: \"SM\",%d\r\n", i))
	}
	const reports = 300
	for i := range reports {
		p.send(fmt.Sprintf("\r\n+CDS: 9\r\n07919990000000%04X\r\n", i))
	}
	if _, err := m.Status(context.Background()); err != nil { // all of it has been read
		t.Fatal(err)
	}
	for range hintQueue {
		if s := soon(t, m.Signals(), "a hint"); s.Kind != SignalStored {
			t.Fatalf("got %+v", s)
		}
	}
	for i := range reports {
		if s := soon(t, m.Signals(), "a report"); s.Kind != SignalReport || s.PDU != fmt.Sprintf("07919990000000%04X", i) {
			t.Fatalf("report %d is %+v", i, s)
		}
	}
}

func TestTrapT3ReportWithEmptyLineBeforePDU(t *testing.T) {
	p := newPeer(t)
	m := p.open()
	p.send("\r\n+CDS: ,9\r\n\r\n\r\n0791999000000000060a\r\n")
	s := soon(t, m.Signals(), "the report")
	if s.Kind != SignalReport || s.PDU != "0791999000000000060A" || s.Length != 9 {
		t.Errorf("got %+v", s)
	}
}

func TestTrapT3HeaderWithoutPDUSwallowsNothing(t *testing.T) {
	p := newPeer(t)
	m := p.open()
	p.says("\r\n+CMT: ,24\r\n\r\n+CSQ: 17,99\r\n\r\nOK\r\n", "+CSQ")
	if st, err := m.Status(context.Background()); err != nil || st.SignalDBM != -79 {
		t.Errorf("got %+v, %v", st, err)
	}
}

func TestTrapT4LateAnswerEndsSession(t *testing.T) {
	p := newPeer(t)
	m := p.open()
	m.s.limit = 50 * time.Millisecond
	p.says("", "+CMGL")
	if _, err := m.List(context.Background()); !errors.Is(err, ErrTimeout) {
		t.Fatalf("got %v, want a missed deadline", err)
	}
	soon(t, m.Done(), "Done")
	before, _ := p.seen()
	if _, err := m.Status(context.Background()); !errors.Is(err, ErrTimeout) {
		t.Errorf("the next command: %v", err)
	}
	if after, _ := p.seen(); len(after) != len(before) {
		t.Errorf("written after the end: %q", after[len(before):])
	}
}

func TestTrapT4LateAnswerOfPredecessorDoesNotShiftOpen(t *testing.T) {
	p := newPeer(t)
	p.on("", func(p *peer, _ string) { p.send("\r\n+SLOW: 1\r\n\r\nOK\r\n"); p.ok() })
	m := p.open()
	if got := m.Identity(); got.Manufacturer != "Peer" || got.IMEI != peerIMEI || got.ICCID != peerICCID {
		t.Errorf("answers are shifted: %+v", got)
	}
}

func TestTrapT5LateResultIsNotTheNextReference(t *testing.T) {
	p := newPeer(t)
	m := p.open()
	m.o.SubmitTimeout = 50 * time.Millisecond
	p.afterPDU(func(*peer, string) {})
	_, err := m.Send(context.Background(), Submission{TPDU: samplePDU})
	if e := sendError(t, err); e.Fate != Unknown || e.Code != "timeout" {
		t.Fatalf("got %v", err)
	}
	soon(t, m.Done(), "Done")
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	p.afterPDU(nil)
	m = p.open()
	p.on("+CMGS", func(p *peer, _ string) {
		p.mu.Lock()
		p.inPDU = true
		p.mu.Unlock()
		p.send("\r\n+CMGS: 41\r\n\r\nOK\r\n\r\n> ")
	})
	if mr, err := m.Send(context.Background(), Submission{TPDU: samplePDU}); err != nil || mr != 42 {
		t.Errorf("second part: got %d, %v, want its own reference 42", mr, err)
	}
	if s := soon(t, m.Signals(), "the late result"); s.Kind != SignalLateResult || s.MR != 41 {
		t.Errorf("signal %+v", s)
	}
}

func TestTrapT5LateResultWhileIdle(t *testing.T) {
	p := newPeer(t)
	m := p.open()
	p.send("\r\n+CMGS: 99\r\n\r\nOK\r\n")
	if s := soon(t, m.Signals(), "the late result"); s.Kind != SignalLateResult || s.MR != 99 {
		t.Errorf("signal %+v", s)
	}
	if mr, err := m.Send(context.Background(), Submission{TPDU: samplePDU}); err != nil || mr != 41 {
		t.Errorf("got %d, %v", mr, err)
	}
}

func TestTrapT6NoPrompt(t *testing.T) {
	p := newPeer(t)
	m := p.open()
	m.o.PromptTimeout, m.o.SubmitTimeout = 50*time.Millisecond, time.Hour
	p.says("", "+CMGS")
	_, err := m.Send(context.Background(), Submission{TPDU: samplePDU})
	if e := sendError(t, err); e.Fate != NotSent || e.Code != "prompt" {
		t.Errorf("got %v", err)
	}
	soon(t, m.Done(), "Done")
	if _, pdus := p.seen(); len(pdus) != 0 {
		t.Error("a PDU was written without a prompt")
	}
}

func TestTrapT6WatchdogEndsOnlyItsOwnCommand(t *testing.T) {
	w := newWire(nil, newPeer(t).options().Log, new(Trace))
	w.mu.Lock()
	w.phase = running
	w.startTimer(time.Hour, errSilence)
	stale := w.arm
	w.end("OK")
	w.phase = running
	w.startTimer(time.Hour, errSilence)
	w.mu.Unlock()
	w.expire(stale, errSilence)
	if w.phase != running || w.outcome() != nil {
		t.Error("a stale timer ended the next command")
	}
	w.expire(w.arm, errSilence)
	if w.phase != idle || w.outcome() == nil {
		t.Error("the command's own timer did not end it")
	}
	w.finish(ErrClosed)
}

func TestTrapT7SecondPromptSendsNothingTwice(t *testing.T) {
	p := newPeer(t)
	m := p.open()
	p.afterPDU(func(p *peer, _ string) { p.send("\r\n> \r\n> nonsense\r\n"); p.ok("+CMGS: 9") })
	mr, err := m.Send(context.Background(), Submission{TPDU: samplePDU})
	if err != nil || mr != 9 {
		t.Errorf("got %d, %v", mr, err)
	}
	if _, err := m.Status(context.Background()); err != nil {
		t.Error(err)
	}
	if _, pdus := p.seen(); len(pdus) != 1 {
		t.Errorf("the PDU was sent %d times", len(pdus))
	}
}

func TestTrapT8PDUModeOnly(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	p.open()
	commands, _ := p.seen()
	if !slices.Contains(commands, "AT+CMGF=0") || slices.Contains(commands, "AT+CMGF=1") {
		t.Errorf("commands %q", commands)
	}
	q := newPeer(t)
	q.says("\r\nERROR\r\n", "+CMGF")
	if err := q.fails(); !errors.Is(err, ErrNoPDUMode) {
		t.Errorf("got %v", err)
	}
}

func TestTrapT9PromptForms(t *testing.T) {
	for _, prompt := range []string{"\r\n> ", "\r\n>", "> ", ">", "\r\n\r\n> ", "\n> ", "\r\n>\r\n", "\r> ", "\x00\r\n >"} {
		for _, echo := range []bool{false, true} {
			t.Run(fmt.Sprintf("%q echo %t", prompt, echo), func(t *testing.T) {
				p := newPeer(t)
				p.mu.Lock()
				p.prompt, p.echo = prompt, echo
				p.mu.Unlock()
				m := p.open()
				if mr, err := m.Send(context.Background(), Submission{TPDU: samplePDU}); err != nil || mr != 41 {
					t.Errorf("got %d, %v", mr, err)
				}
			})
		}
	}
}

func TestTrapT10FinalCodes(t *testing.T) {
	p := newPeer(t)
	m := p.open()
	for text, want := range map[string]string{
		"\r\nOK\r\n": "", "\x00OK\r\n": "", "OK \r\n": "", "\rOK\r": "", "OK\r\r\n": "", "\r\nERRORS seen: 5\r\n\r\nOK\r\n": "",
		"\r\nCOMMAND NOT SUPPORT\r\n": "error", "\r\nTOO MANY PARAMETERS\r\n": "error", "MODEM ERROR\r\n": "error",
		"\r\nAborted\r\n": "error", "\r\nERROR\r\n": "error", "\r\nERROR: 4\r\n": "error", "\r\n+CMS ERROR:  500 \r\n": "cms-500",
		"\r\n+CME ERROR: 14\r\n": "cme-14", "\r\nNO CARRIER\r\n\r\nOK\r\n": "",
	} {
		p.says(text, "+TEST")
		release, err := m.s.hold(context.Background())
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		_, err = m.s.do("+TEST")
		release()
		if got := codeOf(err); got != want || got == "" && err != nil {
			t.Errorf("%q: got %v, want code %q", text, err, want)
		}
	}
}

func TestTrapT10NumericResultsAndNoFinalCode(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	verbal := false
	p.on("", func(p *peer, _ string) {
		if verbal {
			p.ok()
			return
		}
		p.send("0\r")
	})
	p.on("E0V1", func(p *peer, _ string) { verbal = true; p.ok() })
	p.says("\r\nWAVECOM MODEM\r\n\r\nOK\r\n", "+CGMI")
	p.says("\r\n+CPIN: READY\r\n", "+CPIN?")
	m := p.open()
	if m.Identity().ICCID != peerICCID {
		t.Errorf("identity %+v", m.Identity())
	}
}

func TestTrapT11LineWithoutEnd(t *testing.T) {
	p := newPeer(t)
	m := p.open()
	p.on("+CSQ", func(p *peer, _ string) {
		p.send(strings.Repeat("x\xFF", 40<<10))
		p.send("\r\n+CSQ: 17,99\r\n\r\nOK\r\n")
	})
	if st, err := m.Status(context.Background()); err != nil || st.SignalDBM != -79 {
		t.Errorf("got %+v, %v", st, err)
	}
}

func TestTrapT12ModemStopsReading(t *testing.T) {
	p := newPeer(t)
	m := p.open()
	m.s.port.timeout, m.s.limit = 50*time.Millisecond, 50*time.Millisecond
	p.stall()
	_ = fill(m.s.port)
	result := make(chan error, 1)
	go func() { _, err := m.Status(context.Background()); result <- err }()
	if err := soon(t, result, "the command"); !errors.Is(err, ErrGone) {
		t.Errorf("got %v", err)
	}
	closed := make(chan error, 1)
	go func() { closed <- m.Close() }()
	if err := soon(t, closed, "Close"); err != nil {
		t.Error(err)
	}
}

func TestTrapT13WaitingForTheTurnCanBeCancelled(t *testing.T) {
	p := newPeer(t)
	m := p.open()
	release, err := m.s.hold(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err = m.Send(ctx, Submission{TPDU: samplePDU})
	if e := sendError(t, err); e.Fate != NotSent || e.Code != "canceled" {
		t.Errorf("got %v", err)
	}
}

func TestTrapT15USSDOverSeveralLines(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	m := p.open()
	p.send("\r\n+CUSD: 1,\"Menu:\r\n1 Balance\r\nOK\r\n2 Help\",15\r\n")
	if s := soon(t, m.Signals(), "the menu"); s.Kind != SignalUSSD || s.Text != "1,\"Menu:\n1 Balance\nOK\n2 Help\",15" {
		t.Errorf("got %+v", s)
	}
	p.says("\r\n+CUSD: 1,\"never closed\r\n\r\n+CSQ: 17,99\r\n\r\nOK\r\n", "+CSQ")
	m.s.limit = patience
	if st, err := m.Status(context.Background()); err != nil || st.SignalDBM != -79 {
		t.Errorf("an open quote swallowed the answer: %+v, %v", st, err)
	}
}

func TestTrapT16NoForeignProfile(t *testing.T) {
	p := newPeer(t)
	p.open()
	commands, _ := p.seen()
	for _, c := range commands {
		if strings.HasPrefix(c, "ATZ") || strings.HasPrefix(c, "AT&F") {
			t.Errorf("the bring-up restores a profile: %s", c)
		}
	}
}

func TestTrapT17StuckPrompt(t *testing.T) {
	t.Parallel()
	for name, deaf := range map[string]bool{"one escape": false, "only Ctrl-Z": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPeer(t)
			p.mu.Lock()
			p.inPDU, p.deaf = true, deaf
			p.mu.Unlock()
			p.afterPDU(func(p *peer, pdu string) { p.send("\r\n+CMS ERROR: 304\r\n") })
			m := p.open()
			p.afterPDU(nil)
			if _, err := m.Send(context.Background(), Submission{TPDU: samplePDU}); err != nil {
				t.Error(err)
			}
			_, pdus := p.seen()
			for _, pdu := range pdus[:len(pdus)-1] {
				if isHex(pdu) {
					t.Errorf("Ctrl-Z submitted what can be a PDU: %q", pdu)
				}
			}
		})
	}
}
