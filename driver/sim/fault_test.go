package sim

import (
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestAnswerFaults drives one fault each and says what the host sees.
func TestAnswerFaults(t *testing.T) {
	const clean = "\r\n+CSQ: 21,99\r\n\r\nOK\r\n"
	for name, c := range map[string]struct {
		fault Fault
		want  string // octets up to and with this
		exact bool
	}{
		"doubled":        {Fault{Kind: FaultDoubled, Match: "+CSQ"}, clean + clean, true},
		"late":           {Fault{Kind: FaultLate, Match: "+CSQ", Delay: 20 * time.Millisecond}, clean, true},
		"chatter before": {Fault{Kind: FaultChatter, Text: "^RSSI:17"}, "\r\n^RSSI:17\r\n" + clean, true},
		"chatter inside": {Fault{Kind: FaultChatter, Text: "^RSSI:17", Where: WhereInside},
			"\r\n+CSQ: 21,99\r\n\r\n^RSSI:17\r\n\r\nOK\r\n", true},
		"chatter split":   {Fault{Kind: FaultChatter, Text: "^RSSI:17", Where: WhereSplit}, "\r\n+CSQ:\r\n^RSSI:17\r\n 21,99\r\n\r\nOK\r\n", true},
		"chatter joined":  {Fault{Kind: FaultChatter, Text: "^RSSI:17", Where: WhereJoined}, "\r\n+CSQ: 21,99^RSSI:17\r\n\r\nOK\r\n", true},
		"chatter after":   {Fault{Kind: FaultChatter, Text: "^RSSI:17", Where: WhereAfter}, clean + "\r\n^RSSI:17\r\n", true},
		"answer":          {Fault{Kind: FaultAnswer, Text: "\r\n+CSQ: 1\r\n\x00OK\r\n"}, "\r\n+CSQ: 1\r\n\x00OK\r\n", true},
		"final":           {Fault{Kind: FaultFinal, Text: "\r\nOK\r\r\n"}, "\r\n+CSQ: 21,99\r\n\r\nOK\r\r\n", true},
		"error":           {Fault{Kind: FaultError, Match: "+CSQ"}, "\r\nERROR\r\n", true},
		"optional error":  {Fault{Kind: FaultUnsupported}, "\r\nERROR\r\n", true},
		"no network":      {Fault{Kind: FaultNoNetwork}, "\r\n+CSQ: 99,99\r\n\r\nOK\r\n", true},
		"echo":            {Fault{Kind: FaultEcho}, "AT+CSQ\r" + clean, true},
		"another command": {Fault{Kind: FaultMissing, Match: "+CREG"}, clean, true},
		"skipped":         {Fault{Kind: FaultMissing, Skip: 1}, clean, true},
	} {
		n := network(t, Options{})
		m := n.Modems()[0]
		h := quiet(t, m)
		m.Inject(c.fault)
		h.write("AT+CSQ\r")
		if got := h.expect(c.want); c.exact && got != c.want {
			t.Errorf("%s: %q", name, got)
		}
		h.nothing(m)
		m.ClearFaults()
		h.write("AT+CSQ\r")
		if got := h.expect("OK\r\n"); got != clean {
			t.Errorf("%s, then cleared: %q", name, got)
		}
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestMissingAndGarbledAnswers(t *testing.T) {
	n := network(t, Options{Seed: 7})
	m := n.Modems()[0]
	c := quiet(t, m)
	m.Inject(Fault{Kind: FaultMissing, Times: 2})
	c.write("AT+CSQ\r")
	c.nothing(m)
	c.write("AT\r")
	c.nothing(m)
	c.want("AT+CSQ", "+CSQ: 21,99|OK")
	m.Inject(Fault{Kind: FaultGarbled})
	c.write("AT+CSQ\r")
	got := c.until(func(have []byte) int { return len(have) / 21 * 21 })
	if strings.Contains(got, "OK\r\n") {
		t.Errorf("not garbled: %q", got)
	}
	c.want("AT+CSQ", "+CSQ: 21,99|OK")
}

func TestPromptForms(t *testing.T) {
	n := network(t, Options{})
	m := n.Modems()[0]
	c := quiet(t, m)
	tpdu := submitPDU("+447700900001", "x")
	for i, form := range []string{"\r\n> ", "\r\n>", "> ", "\r\n\r\n> ", "\n> ", "\r\n>\r\n", "\r> "} {
		m.Inject(Fault{Kind: FaultPrompt, Text: form})
		c.write("AT+CMGS=" + itoa(len(tpdu)) + "\r")
		if got := c.expect(form); got != form {
			t.Errorf("form %q: %q", form, got)
		}
		c.write("00" + upperHex(tpdu) + "\x1a")
		if got := flat(c.final()); got != "+CMGS: "+itoa(i)+"|OK" {
			t.Errorf("form %q: %q", form, got)
		}
	}
	m.Inject(Fault{Kind: FaultPrompt, Delay: time.Millisecond})
	m.Inject(Fault{Kind: FaultNoEscape})
	c.write("AT+CMGS=" + itoa(len(tpdu)) + "\r")
	c.expect("\r\n> ")
	c.write("\x1b")
	c.nothing(m)
	c.write("\x1b")
	if got := flat(c.final()); got != "OK" {
		t.Errorf("the second ESC: %q", got)
	}
	m.Emit("\x00\xffhalf a line")
	c.expect("\x00\xffhalf a line")
	m.Inject(Fault{Kind: FaultNoPrompt})
	c.write("AT+CMGS=" + itoa(len(tpdu)) + "\r")
	c.nothing(m)
	c.write("\x1b")
	if got := flat(c.final()); got != "OK" {
		t.Errorf("ESC without a prompt: %q", got)
	}
}

func itoa(n int) string { return string(appendInt(nil, n)) }

func appendInt(b []byte, n int) []byte {
	if n >= 10 {
		b = appendInt(b, n/10)
	}
	return append(b, byte('0'+n%10))
}

func TestSendFaults(t *testing.T) {
	n := network(t, Options{})
	m := n.Modems()[0]
	c := quiet(t, m)
	c.want("AT+CNMI=2,1,0,1,0", "OK")
	m.Inject(Fault{Kind: FaultCMS, Code: 38, Times: 2})
	for range 2 {
		if got := c.send("+447700900001", "x"); got != "+CMS ERROR: 38" {
			t.Errorf("refused: %q", got)
		}
	}
	if got := c.send("+447700900001", "x"); got != "+CMGS: 0|OK" {
		t.Errorf("after two refusals: %q", got)
	}
	m.Inject(Fault{Kind: FaultNoResult})
	if got := c.send("+447700900001", "x"); got != "OK" {
		t.Errorf("OK without +CMGS: %q", got)
	}
	m.Inject(Fault{Kind: FaultReportFirst})
	c.startSend(submitPDU("+447700900001", "x", tpReport))
	if got := c.expect("+CMGS: 2"); !strings.Contains(got, "+CDS: ") {
		t.Errorf("the report is not first: %q", got)
	}
	c.final()
	m.Inject(Fault{Kind: FaultNoReport})
	c.send("+447700900001", "x", tpReport)
	c.nothing(m)
	m.Inject(Fault{Kind: FaultMissing, Match: "+CMGS"})
	c.startSend(submitPDU("+447700900001", "accepted, then nothing"))
	wait(t, n.Phone("+447700900001"), 5)
	c.nothing(m)
	m.Inject(Fault{Kind: FaultLate, Match: "+CMGS", Delay: 30 * time.Millisecond})
	c.startSend(submitPDU("+447700900001", "late"))
	wait(t, n.Phone("+447700900001"), 6)
	c.write("AT+CSQ\r")
	if got := flat(c.final() + c.final()); got != "+CMGS: 5|OK|+CSQ: 21,99|OK" {
		t.Errorf("late result: %q", got)
	}
	m.Inject(Fault{Kind: FaultNoNetwork})
	if got := c.send("+447700900001", "x"); got != "+CMS ERROR: 331" {
		t.Errorf("no network: %q", got)
	}
	if e := n.Journal()[0]; e.Kind != JournalRefused || e.Code != 38 {
		t.Errorf("journal begins with %+v", e)
	}
}

func TestReceiveFaults(t *testing.T) {
	n := network(t, Options{})
	m := n.Modems()[0]
	c := quiet(t, m)
	c.want("AT+CNMI=2,1", "OK")
	m.Inject(Fault{Kind: FaultEmptyList})
	c.want("AT+CMGL=4", "+CMS ERROR: 321")
	m.ClearFaults()
	m.Inject(Fault{Kind: FaultStorageFull})
	if err := n.Phone("12345").Send(m.Number(), "x"); err != nil {
		t.Fatal(err)
	}
	c.want("AT+CPMS?", `+CPMS: "SM",30,30,"SM",30,30,"SM",30,30|OK`)
	c.nothing(m)
	m.ClearFaults()
	c.expect("+CMTI: \"SM\",1\r\n")
	m.Inject(Fault{Kind: FaultDuplicate})
	if err := n.Phone("12345").Send(m.Number(), "twice"); err != nil {
		t.Fatal(err)
	}
	c.expect("+CMTI: \"SM\",3\r\n")
	if s := m.Stored(); s[1].PDU != s[2].PDU {
		t.Errorf("the duplicate differs: %+v", s)
	}
}

func TestHang(t *testing.T) {
	n := network(t, Options{})
	m := n.Modems()[0]
	c := quiet(t, m)
	m.Inject(Fault{Kind: FaultHang, Match: "+CMGL"})
	c.want("AT+CSQ", "+CSQ: 21,99|OK")
	c.write("AT+CMGL=4\r")
	eventually(t, "the command is read", func() bool {
		lines := m.Transcript()
		return lines[len(lines)-1] == "> AT+CMGL=4"
	})
	m.Unsolicited("RING")
	c.nothing(m)
	m.ClearFaults()
	c.want("AT+CSQ", "+CSQ: 21,99|OK")
	m.Inject(Fault{Kind: FaultHang, Delay: 20 * time.Millisecond})
	eventually(t, "back after the delay", func() bool {
		c.write("AT\r")
		select {
		case <-c.in:
			return true
		case <-time.After(5 * time.Millisecond):
			return false
		}
	})
}

func TestStoppedReadingBlocksTheWriter(t *testing.T) {
	n := network(t, Options{})
	m := n.Modems()[0]
	c := quiet(t, m)
	m.Inject(Fault{Kind: FaultStopReading})
	f, err := os.OpenFile(m.Path(), os.O_WRONLY|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.SetWriteDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString("AT\r"); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a write to a modem that does not read gives %v", err)
	}
	c.nothing(m)
	m.ClearFaults()
	c.want("AT+CSQ", "+CSQ: 21,99|OK")
}

func TestRebootLosesVolatileSettings(t *testing.T) {
	n := network(t, Options{Profile: "sim800", ResetReference: true})
	m := n.Modems()[0]
	c := quiet(t, m)
	c.want("AT+CMGF=1;+CMEE=1;+CNMI=1,2;+CMMS=1", "OK")
	c.want("AT+CMGF=0", "OK")
	c.send("+447700900001", "x")
	m.Inject(Fault{Kind: FaultReboot})
	c.expect("\r\nRDY\r\n")
	c.expect("\r\nSMS Ready\r\n")
	c.write("AT+CMEE?;+CNMI?;+CMMS?\r")
	if got := flat(c.final()); got != "AT+CMEE?;+CNMI?;+CMMS?|+CMEE: 0|+CNMI: 2,1,0,0,0|+CMMS: 0|OK" {
		t.Errorf("after the restart: %q", got)
	}
	c.cmd("ATE0")
	if got := c.send("+447700900001", "x"); got != "+CMGS: 0|OK" {
		t.Errorf("reference after a reset: %q", got)
	}
}

func TestWrongFaultsAreRefused(t *testing.T) {
	for _, f := range []Fault{{}, {Kind: "nonsense"}, {Kind: FaultHang, Point: "never"}, {Kind: FaultChatter, Where: "under"}} {
		if f.check() == nil {
			t.Errorf("%+v is taken", f)
		}
	}
}
