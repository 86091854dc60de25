package sim

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// traceFile is a file of lines as `modemgate trace` prints them; those that
// begin with a mark are given a time.
func traceFile(t *testing.T, lines ...string) string {
	t.Helper()
	for i, line := range lines {
		if line != "" && strings.Contains("<>!", line[:1]) {
			lines[i] = "2026-05-01 09:30:00.000+02:00 " + line
		}
	}
	file := filepath.Join(t.TempDir(), "stick.trace")
	if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// replays is a network of one modem that answers as in the trace.
func replays(t *testing.T, lines ...string) (*Network, *Modem, *client) {
	t.Helper()
	n, err := New(Options{Dir: t.TempDir(), Replay: traceFile(t, lines...)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Close() })
	c := open(t, n.Modems()[0])
	c.write("ATE0\r")
	c.final()
	return n, n.Modems()[0], c
}

func (c *client) says(line, want string) {
	c.t.Helper()
	if got := c.cmd(line); got != want {
		c.t.Errorf("%s is answered %q, want %q", line, got, want)
	}
}

func TestReplayTellsAnswersInTheirOrder(t *testing.T) {
	_, _, c := replays(t, "> AT+CSQ", "< +CSQ: 5,99", "< OK", "", "# by hand", "> AT+CSQ", "< ERROR", "> AT+CSQ", "< +CSQ: 7,99", "< OK",
		"> AT+CNMI=2,1,0,1,0", "< +CMS ERROR: 303", "> AT^NONE", "< ^NONE: 1,(0-3)", "< ^NONE: 2", "< OK^RSSI:17", "> AT+LAST", "< +LAST: 1")
	c.says("AT+CSQ", "+CSQ: 5,99|OK")
	c.says("AT+CSQ", "ERROR")
	c.says("AT+CSQ", "+CSQ: 7,99|OK")
	c.says("AT+CSQ", "+CSQ: 7,99|OK")
	c.says("AT+CNMI=2,1,0,1,0", "+CMS ERROR: 303")
	c.says("AT+CNMI=1,1,0,1,0", "OK")
	c.says("AT+CNMI?", "+CNMI: 1,1,0,1,0|OK") // the refused one was not set
	c.says("AT+CGMM", "SIM-MODEM|OK")         // not in the trace
	c.write("AT^NONE\r")
	if got := flat(c.expect("OK^RSSI:17\r\n")); got != "^NONE: 1,(0-3)|^NONE: 2|OK^RSSI:17" {
		t.Errorf("told %q", got)
	}
	c.says("AT+LAST", "ERROR") // cut off: not in the recording
}

// What a modem was asked to do when it was recorded is done, although the
// recorded answer is given.
func TestReplayHasItsEffect(t *testing.T) {
	_, _, c := replays(t, "> AT+CMGF=1", "< +VENDOR: 1", "< OK", "> AT+CMEE=2", "< OK")
	c.says("AT+CMGF=1", "+VENDOR: 1|OK")
	c.says("AT+CMGF?", "+CMGF: 1|OK")
	c.says("AT+CMEE=2", "OK")
	c.says("AT+NONE", "+CME ERROR: operation not supported")
}

func TestReplayFillsInWhatWasMasked(t *testing.T) {
	_, m, c := replays(t,
		"> AT+CGSN", "< <15 characters>", "< OK", "> AT+CIMI", "< +CDS: 25", "< <32 octets>", "< <15 characters>", "< OK",
		"> AT+QCCID", "< +QCCID: …F", "< OK", "> AT^SCID", "< <19 characters>", "< OK", "> AT+CNUM", `< +CNUM: "…","…",145,7,4`, "< OK",
		"> AT+CSCA?", `< +CSCA: "…",129`, "< OK", `> AT+CREG?`, `< +CREG: 2,5,"…","…"`, "< OK", `> AT+CPIN="…"`, "< OK",
		"> AT^HCSQ?", `< ^HCSQ: "…",…,7`, "< <9 characters>", "< OK", `> AT+CPMS="ME","ME","ME"`, "< +CPMS: 12,255,12,255", "< OK",
		"> AT+CPMS?", `< +CPMS: "ME",12,255,"ME",12,255`, "< OK")
	c.says("AT+CGSN", m.IMEI()+"|OK")
	c.says("AT+CIMI", m.IMSI()+"|OK")
	c.says("AT+QCCID", "+QCCID: "+m.ICCID()+"F|OK")
	c.says("AT^SCID", m.ICCID()+"|OK")
	c.says("AT+CNUM", `+CNUM: "`+m.Number()+`","0000",145,7,4|OK`)
	c.says("AT+CSCA?", `+CSCA: "+999000000",129|OK`)
	c.says(`AT+CPIN="4821"`, "OK")
	c.says("AT+CREG=2", "OK")
	c.says("AT+CREG?", `+CREG: 2,5,"1A2B","0001B2C0"|OK`)
	c.says("AT^HCSQ?", `^HCSQ: "0000",0000,7|OK`)
	m.Write("ME", 0, "00000A81214365870900000000000000000000")
	c.says(`AT+CPMS="ME","ME","ME"`, "+CPMS: 1,255,1,255|OK")
	c.says("AT+CPMS?", `+CPMS: "ME",1,255,"ME",1,255|OK`)
}

func TestReplaySpeaksUnaskedWhereTheTraceDoes(t *testing.T) {
	_, _, c := replays(t, "< ^BOOT:…,0", "> ATE0", "< ATE0", "< OK", "< RDY", "! session ended: modem restarted",
		"> AT+CSQ", "< ^MODE:5,4", "< +CSQ: 9,99", "< OK", `< +CMTI: "SM",3`, "< +CMT: ,25", "< <30 octets>", "< <12 characters>", `< +CLIP: "…",145`,
		"> AT+CSQ", "< +CSQ: 9,99", "< OK", "> AT+CREG?", "< +CREG: 0,1", "< OK")
	if got := flat(c.expect("RDY\r\n")); got != "RDY" { // echo and OK are read by replays
		t.Errorf("after ATE0 %q", got)
	}
	c.write("AT+CSQ\r")
	if got := flat(c.expect(`145` + "\r\n")); got != `^MODE:5,4|+CSQ: 9,99|OK|+CMTI: "SM",3|+CLIP: "0000",145` {
		t.Errorf("after AT+CSQ %q", got)
	}
	c.says("AT+CSQ", "+CSQ: 9,99|OK")
	c.says("AT+CSQ", "+CSQ: 9,99|OK")
	c.says("AT+CREG?", "+CREG: 0,1|OK")
}

func TestReplayBoots(t *testing.T) {
	n, err := New(Options{Dir: t.TempDir(), Profile: "sim800", Replay: traceFile(t,
		"< OK", "< ^HEAD", "< OK", "< ^SYSSTART:…", "< <10 characters>", "> AT", "< OK")})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	c := open(t, n.Modems()[0])
	c.write("ATE0\r")
	if got := flat(c.final()); got != "^SYSSTART:0000|ATE0|OK" {
		t.Errorf("began with %q", got)
	}
}

func TestReplayOfMessages(t *testing.T) {
	const phone = "+447700900123"
	n, m, c := replays(t, "> AT+CMGS=18", "< >", "> <19 octets>", "< ^STN: 1", "< +CMGS: 44", "< ^END: 2", "< OK", "> AT+CMGS=25", "< >",
		"> <26 octets>", "< +CMS ERROR: 38", "> AT+CMGS=20", "< +CMS ERROR: 331", "> AT+CMGS=9", "< >", "> <10 octets>", "< +CMGS: 45", "< OK",
		"> AT+CMGL=4", "< +CMS ERROR: 321", "> AT+CMGD=3", "< +CMS ERROR: 321", "> AT+CMGR=3", "< ERROR", "> AT+CMGL=0", "< +CMGL: 1,0,,20", "< <28 octets>", "< OK")
	if got := c.send(phone, "hello"); got != "^STN: 1|+CMGS: 0|^END: 2|OK" {
		t.Errorf("the first is answered %q", got)
	}
	if got := c.send(phone, "hello"); got != "+CMS ERROR: 38" {
		t.Errorf("the second is answered %q", got)
	}
	c.says("AT+CMGS=17", "+CMS ERROR: 331")
	if got := c.send(phone, "hello"); got != "+CMGS: 1|OK" {
		t.Errorf("the fourth is answered %q", got)
	}
	if got := c.send(phone, "hello"); got != "+CMGS: 2|OK" {
		t.Errorf("the fifth is answered %q", got)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if got, err := n.Phone(phone).Wait(ctx, 3); err != nil || len(got) != 3 {
		t.Errorf("the phone got %v, %v", got, err)
	}
	c.says("AT+CMGL=4", "+CMS ERROR: 321")
	c.says("AT+CMGL=0", "OK")
	c.says("AT+CMGR=3", "ERROR")
	for range 3 {
		m.StorePDU("00000A81214365870900000000000000000000", 0)
	}
	if got := c.cmd("AT+CMGL=4"); strings.Count(got, "+CMGL:") != 3 {
		t.Errorf("what is stored is listed as %q", got)
	}
	if got := c.cmd("AT+CMGR=3"); !strings.HasPrefix(got, "+CMGR: 1,,18|") {
		t.Errorf("what is stored is read as %q", got)
	}
	c.says("AT+CMGD=3", "OK")
	c.says("AT+CMGD=3", "+CMS ERROR: 321")
}

func TestReplayOfUSSD(t *testing.T) {
	_, _, c := replays(t, "> AT+CUSD=<17 characters>", "< OK", "< +CUSD:<30 characters>", "> AT+CUSD=<17 characters>", "< +CME ERROR: 100")
	c.write(`AT+CUSD=1,"*100#",15` + "\r")
	if got := flat(c.expect(",15\r\n")); got != `OK|+CUSD: 0,"Your balance is 9.90",15` {
		t.Errorf("the first is answered %q", got)
	}
	c.says(`AT+CUSD=1,"*100#",15`, "+CME ERROR: 100")
}

// A command that had no answer has none; the next one is answered.
func TestReplayIsSilentWhereTheModemWas(t *testing.T) {
	_, _, c := replays(t, "> AT+CPIN?", "< +CPIN: READY", "> AT+CSQ", "! session ended: modem missed a deadline: AT+CSQ", "> AT+CFUN?", "< +CFUN: 1", "< OK",
		"> AT+CMGS=18", "< >", "> <19 octets>", "! session ended: modem missed a deadline: AT+CMGS")
	c.write("AT+CPIN?\r")
	c.write("AT+CSQ\r")
	c.write("AT+CFUN?\r")
	if got := flat(c.final()); got != "+CPIN: READY|+CFUN: 1|OK" {
		t.Errorf("told %q", got)
	}
	c.startSend(submitPDU("+447700900123", "hello"))
	c.says("AT+CFUN?", "+CFUN: 1|OK")
}

// The late OK of another command may come before the prompt.
func TestReplayTakesALateOKBeforeThePrompt(t *testing.T) {
	_, _, c := replays(t, "> AT+CMGS=18", "< OK", "< >", "> <19 octets>", "< +CMGS: 41", "< OK^RSSI:17", "> AT+CSQ", "< +CSQ: 5,99", "< OK")
	c.startSend(submitPDU("+447700900123", "hello"))
	if got := flat(c.final()); !strings.Contains(got, "+CMGS: ") {
		t.Errorf("told %q", got)
	}
	c.says("AT+CSQ", "+CSQ: 5,99|OK")
}

func TestReplayReadsJSON(t *testing.T) {
	_, _, c := replays(t, `{"seq":1,"at":"2026-05-01T09:30:00.000Z","mark":">","text":"AT+CSQ"}`,
		`{"seq":2,"at":"2026-05-01T09:30:00.012Z","mark":"<","text":"+CSQ: 3,99"}`+"\r", `{"mark":"<","text":"OK"}`)
	c.says("AT+CSQ", "+CSQ: 3,99|OK")
}

func TestReplayRefusesBadFiles(t *testing.T) {
	good := []string{"> AT", "< OK"}
	for _, c := range []struct {
		line string
		want string
	}{
		{"hello", "a line is a date, a time, a mark and a text"},
		{"2026-05-01 09:30:00.000Z >", "a line is a date, a time, a mark and a text"},
		{"yesterday 09:30:00.000Z > AT", "a line begins with date, time and offset"},
		{"2026-05-01 25:30:00.000Z > AT", "a line begins with date, time and offset"},
		{"2026-05-01T09:30:00Z > AT x", "a line begins with date, time and offset"},
		{"2026-05-01 09:30:00.000Z ? AT", "the mark is >, < or !"},
		{"2026-05-01 09:30:00.000Z  AT", "the mark is >, < or !"},
		{"> hello", "what is written is AT and a command"},
		{"> <19 octets>", "a message is written behind the prompt"},
		{"< a\x07b", "control character"},
		{"< a\xffb", "UTF-8"},
		{"{", "a line of trace --json is an object"},
		{`{"at":7}`, "a line of trace --json is an object"},
		{`{"mark":">"}`, "the text is missing"},
		{`{"mark":">","text":"AT\nATZ"}`, "control character"},
		{`{"text":"AT"}`, "the mark is >, < or !"},
		{"< " + strings.Repeat("x", 70_000), "shorter than"},
	} {
		file := traceFile(t, append(good[:2:2], c.line)...)
		n, err := New(Options{Dir: t.TempDir(), Replay: file})
		if err == nil {
			n.Close()
			t.Errorf("%.60q is taken", c.line)
			continue
		}
		if !strings.HasPrefix(err.Error(), file+":3: ") || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.60q: %v", c.line, err)
		}
	}
}

func TestReplayRefusesFilesWithoutACommand(t *testing.T) {
	for _, lines := range [][]string{nil, {"# nothing"}, {"< OK"}, {"> AT"}, {"! session ended: closed"}} {
		if n, err := New(Options{Dir: t.TempDir(), Replay: traceFile(t, lines...)}); err == nil {
			n.Close()
			t.Errorf("%q is taken", lines)
		} else if !strings.Contains(err.Error(), ":1: no command with its answer") {
			t.Errorf("%q: %v", lines, err)
		}
	}
	if _, err := New(Options{Dir: t.TempDir(), Replay: filepath.Join(t.TempDir(), "none")}); err == nil || !strings.Contains(err.Error(), "none: no such file") {
		t.Errorf("a missing file: %v", err)
	}
	if _, err := New(Options{Dir: t.TempDir(), Replay: "/dev/zero"}); err == nil || !strings.Contains(err.Error(), "/dev/zero:1: a line of a trace is shorter") {
		t.Errorf("a file without end: %v", err)
	}
}

// Whatever a file holds, reading it ends, with a recording or with the place
// of the fault.
func FuzzRecording(f *testing.F) {
	for _, seed := range []string{"2026-05-01 09:30:00.000Z > AT\n2026-05-01 09:30:00.000Z < OK\n", `{"mark":">","text":"AT"}`, "", "#", "\n\n"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		rec, err := parseRecording("f", bytes.NewReader(text))
		if err == nil && len(rec.replies) == 0 || err != nil && !strings.HasPrefix(err.Error(), "f:") {
			t.Errorf("%v, %v", rec, err)
		}
	})
}
