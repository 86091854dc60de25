package driver

import (
	"log/slog"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// What a replay needs is kept, and nothing that may be text, number or IMEI.
func TestTraceKeepsWhatIsNobodysSecret(t *testing.T) {
	for _, c := range []struct {
		running string // "" when no command is
		heard   []string
		want    []string
	}{
		{"+CGMI", []string{"HUAWEI TECHNOLOGY CO., LTD"}, []string{"HUAWEI TECHNOLOGY CO., LTD"}},
		{"+CGMM", []string{`+CGMM: "SIM7600E-H"`}, []string{`+CGMM: "SIM7600E-H"`}},
		{"+CGMM", []string{"MULTIBAND 900E 1800"}, []string{"MULTIBAND 900E …"}},
		{"+CGMR", []string{"Revision:1418B05SIM800L24"}, []string{"Revision:1418B05SIM800L24"}},
		{"+CGMR", []string{"11.126.16.04.00"}, []string{"11.126.16.04.00"}},
		{"+CGMR", []string{"350123451234560", "Build 20190605"}, []string{"…", "Build …"}},
		{"+CGMR", []string{"0791999000000000040A"}, []string{"<10 octets>"}},
		{"+CGMI", []string{`+CMT: "+447700900123",,"26/01/01,10:00:00+00"`, "Your code is 4711", "abc"},
			[]string{`+CMT: "…",,"…"`, "<17 characters>", "<3 characters>"}},
		{"+CGMM", []string{`^RSSI:17+CMT: "+447700900123",,"26/01/01,10:00:00+00"`, "Your code is 471"},
			[]string{`^RSSI:17+CMT: "…",,"…"`, "<16 characters>"}},
		{"+CGMM", []string{`+CMGL: 1,"REC UNREAD","+447700900123",,"26/01/01"`, "code X12345", `+CMGL: 2,"REC READ","+447700900123"`, "OK"},
			[]string{`+CMGL: 1,"…","…",,"…"`, "<11 characters>", "+CMGL:<35 characters>", "OK"}},
		{"+CSQ", []string{`+CMT: "+447700900123",,"26/01/01,10:00:00+00"`, "+HELLO: my code is 471", "OK#SWORD: fish", "+CMS ERROR: fish", "ATlast"},
			[]string{`+CMT: "…",,"…"`, "<22 characters>", "<14 characters>", "<16 characters>", "<6 characters>"}},
		{"+CMGL=4", []string{"+CMGL: 1,1,,24", "07911326060032F0040B91", `+CMGL: 2,1,"Bob",24`}, []string{"+CMGL: 1,1,,24", "<11 octets>", `+CMGL: 2,1,"…",24`}},
		{"+CSQ", []string{"+CSQ: 17,99+CUSD: 0,You have 12 EUR,15", "OK^RSSI:17+CUSD: 0,You have 12 EUR,15"},
			[]string{"+CSQ: 17,99+CUSD:<27 characters>", "<37 characters>"}},
		{"+CEREG?", []string{"+CEREG: 2,1,1A2B,00C0FFEE,7", "OK+CREG: 1,5d4b,9A1F5D6"}, []string{"+CEREG: 2,1,…,…,7", "OK+CREG: 1,…,…"}},
		{"", []string{`+CGREG: 5,"1A2B","00C0FFEE",2`, "+CREG: 1,DEAD,BEEF"}, []string{`+CGREG: 5,"…","…",2`, "+CREG: 1,…,…"}},
		{"+CGMI", []string{"Meet me at the old mill by the river"}, []string{"<36 characters>"}},
		{"+CGSN", []string{"350123451234560", "huawei"}, []string{"<15 characters>", "<6 characters>"}},
		{"+CMGR=1", []string{"RING", "OK^RSSI:17"}, []string{"<4 characters>", "<10 characters>"}},
		{"+CSQ", []string{"OK^RSSI:17", "OKRING", "ERROR+CREG: 1", "OK well"}, []string{"OK^RSSI:17", "OKRING", "ERROR+CREG: 1", "<7 characters>"}},
		{"", []string{`+CNAP: "Ann "secret, Bob" Ltd",0`}, []string{`+CNAP: "…"…"…",0`}},
		{"", []string{"RING", "RDY", "hello"}, []string{"RING", "RDY", "<5 characters>"}},
		{"", []string{"+CMT: ,", "RING"}, []string{"+CMT: ,", "<4 characters>"}},
		{"", []string{"OK+CREG: 1"}, []string{"<10 characters>"}},
	} {
		w := newWire(nil, newPeer(t).options().Log, new(Trace))
		if w.command = c.running; c.running != "" {
			w.phase = running
		}
		for _, line := range c.heard {
			w.hear(line)
		}
		var got []string
		for _, l := range w.trace.Lines(0) {
			got = append(got, l.Text)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %q is kept as %q, want %q", c.running, c.heard, got, c.want)
		}
	}
}

func TestTraceNamesTheModem(t *testing.T) {
	p := newPeer(t)
	p.says("\r\nSIMCOM_SIM7600E-H\r\n\r\nOK\r\n", "+CGMM")
	if trace := traced(p.open()); !strings.Contains(trace, "> AT+CGMM\n< SIMCOM_SIM7600E-H\n< OK\n") {
		t.Errorf("the trace does not name the model:\n%s", trace)
	}
}

// A text may follow its header for a while and no longer.
func TestTraceForgetsAHeader(t *testing.T) {
	w := newWire(nil, newPeer(t).options().Log, new(Trace))
	w.hear("+CMT: ,9")
	w.bodyEnds = time.Now().Add(-time.Millisecond)
	w.hear("RING")
	if got := w.trace.Lines(0)[1].Text; got != "RING" {
		t.Errorf("kept as %q", got)
	}
}

// Whatever a text looks like, nothing of it is kept.
func FuzzTraceHidesTexts(f *testing.F) {
	for _, text := range []string{"Your code is 4711", "+CMGL: 1,\"x\" hunter", "OK+CREG: 1 hunter", "+CUSD: 0,hunter", "AT+CPIN=123", "> 12", "RING", "+CMT: a,b,c"} {
		f.Add(text, uint8(0), uint8(0))
	}
	headers := []string{`+CMT: "+447700900123",,"26/01/01,10:00:00+00"`, `OK+CMT: "+447700900123","a","26/01/01"`, `+CMGR: "REC READ","+447700900123"`, "+CBM: 1,2,3,1,1"}
	commands := []string{"", "+CGMI", "+CGMM", "+CSQ", "+CMGR=1", "+CUSD=1"}
	kept := regexp.MustCompile(`^(OK|ERROR|(\+(CMT|CBM|CDS|CMGL|CMGR):)?<[0-9]+ characters>)$`)
	f.Fuzz(func(t *testing.T, text string, header, command uint8) {
		w := newWire(nil, slog.New(slog.DiscardHandler), new(Trace))
		if w.command = commands[int(command)%len(commands)]; w.command != "" {
			w.phase = running
		}
		w.hear(headers[int(header)%len(headers)])
		if w.textEnds.IsZero() {
			t.Fatal("the header is not recognised")
		}
		w.textEnds = time.Now().Add(time.Hour)
		w.hear(text)
		if got := w.trace.Lines(1)[0].Text; !kept.MatchString(got) {
			t.Errorf("%q is kept as %q", text, got)
		}
	})
}
