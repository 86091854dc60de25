package sim

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// TestProfilesBehaveAsTheirFamilies holds each profile to what is known of its
// family and differs from the generic modem: a contract that all profiles pass
// would say little if they were all alike.
func TestProfilesBehaveAsTheirFamilies(t *testing.T) {
	for _, row := range []struct {
		profile string
		say     [][2]string // a command and its answer
	}{
		{"huawei", [][2]string{{"AT+FOO", "COMMAND NOT SUPPORT"}, {"AT^CURC=0", "OK"}, {"AT+CNMI=2,1,0,2,0", "OK"}}},
		{"e3531", [][2]string{{"AT+CNMI=2,1,0,0,0", "+CMS ERROR: 302"}, {"AT+CNMI=1,2,0,0,0", "OK"}, {"AT+CNMI=2,0,0,2,1", "OK"}}},
		{"e1752", [][2]string{{`AT+CUSD=1,"AA180C3602",15`, "ERROR"}, {"AT^USSDMODE=0", "OK"}, {`AT+CUSD=1,"AA180C3602",15`, "OK"}}},
		{"zte", [][2]string{
			{"AT+CNMI=?", "+CNMI: (0-3),(0-3),(0,2),(0-2),(0,1)|OK"}, {"AT+CNMI=2,1", "+CMS ERROR: 302"}, {"AT+CNMI=1,1", "OK"},
			{"AT+CSMP=17,167,0,0;+CSCA?", `+CSCA: "",129|OK`},
		}},
		{"mf626", [][2]string{{"AT+CNMI=1,1,0,1,0", "+CMS ERROR: 302"}, {"AT+CNMI=1,1,0,0,0", "OK"}}},
		{"novatel", [][2]string{{"AT+CNMI=2,1,0,2,0", "+CMS ERROR: 302"}, {"AT+CNMI=1,1,0,1,0", "+CMS ERROR: 302"}, {"AT+CNMI=1,1,0,2,0", "OK"}}},
		{"sim800", [][2]string{{"AT+CNMI=2,1,0,2,0", "+CMS ERROR: 302"}, {"AT+CNMI=2,1,0,1,0", "OK"}}},
		{"sim7600", [][2]string{{"AT+CNMI=2,2,0,1,0", "+CMS ERROR: 302"}, {"AT+CNMI=2,1,0,1,0", "OK"}}},
		{"a7670", [][2]string{{"AT+CNMI=2,1,0,2,0", "+CMS ERROR: 302"}, {"AT+CNMI=2,1,0,1,0", "OK"}}},
		{"quectel", [][2]string{{`AT+CPMS="ME","ME","ME"`, "+CPMS: 0,255,0,255,0,255|OK"}, {"AT+CNMA", "+CMS ERROR: 340"}}},
		{"sierra", [][2]string{{"AT+CNMI=2,1,2,1,0", "+CMS ERROR: 302"}, {"AT+CNMI=2,1,2,2,0", "OK"}}},
		{"telit", [][2]string{{"AT+CSMS?", "+CSMS: 1,1,1,1|OK"}}},
		{"siemens", [][2]string{{"AT+CNMI=?", "+CNMI: (0-3),(0,1),(0,2,3),(0,2),(1)|OK"}, {"AT+CNMI=2,1,0,2,0", "+CMS ERROR: 302"}, {"AT+CNMI=2,1,0,2,1", "OK"}}},
		{"cinterion", [][2]string{{`AT+CPMS="ME","ME","ME"`, "+CMS ERROR: 302"}, {`AT+CPMS="ME","ME","SM"`, "+CPMS: 0,50,0,50,0,30|OK"}}},
		{"wavecom", [][2]string{
			{"AT+CPMS=?", `+CPMS: (("SM","BM","SR"),("SM"))|OK`}, {`AT+CPMS="SM","SM","SM"`, "+CMS ERROR: 302"},
			{`AT+CPMS="SR","SM"`, "+CPMS: 0,20,0,30|OK"}, {"AT+CMGL=4", "+CMS ERROR: 321"}, {"AT+WIND=0", "OK"},
		}},
		{"multitech", [][2]string{{"AT+CGMI", "MultiTech Systems|OK"}, {`AT+CPMS="SM","SM","SM"`, "+CMS ERROR: 302"}}},
		{"bare", [][2]string{{"AT+CPMS?", "ERROR"}, {"AT+CNMI=2,1", "ERROR"}, {"AT+CMGL=4", "OK"}}},
	} {
		t.Run(row.profile, func(t *testing.T) {
			n := network(t, Options{Profile: row.profile})
			c := quiet(t, n.Modems()[0])
			for _, s := range row.say {
				c.want(s[0], s[1])
			}
		})
	}
}

// profiled opens a modem of a profile that tells of messages.
func profiled(t *testing.T, profile, cnmi string) (*Network, *Modem, *client) {
	t.Helper()
	n := network(t, Options{Profile: profile, BootDelay: 50 * time.Millisecond})
	m := n.Modems()[0]
	c := quiet(t, m)
	c.want("AT+CNMI="+cnmi, "OK")
	return n, m, c
}

func TestProfilesAnnounceAndStoreInTheirWays(t *testing.T) {
	for profile, want := range map[string]struct {
		cnmi, urc string
		stored    int
	}{
		"sim7000": {"2,1,0,1,0", "+CMTI: ,-1", 1},
		"a7670":   {"2,1,0,1,0", `+CMTI: "SM",2`, 2},
		"zte":     {"1,1,0,1,0", `+CMTI: "SM",1`, 1},
		"quectel": {"2,1,0,1,0", `+CMTI: "ME",0`, 1},
	} {
		t.Run(profile, func(t *testing.T) {
			n, m, c := profiled(t, profile, want.cnmi)
			if err := n.Phone("+447700900001").Send(m.Number(), "in"); err != nil {
				t.Fatal(err)
			}
			c.expect("\r\n" + want.urc + "\r\n")
			if got := len(m.Stored()); got != want.stored {
				t.Errorf("stored %d times, want %d", got, want.stored)
			}
		})
	}
	t.Run("quectel loses", func(t *testing.T) {
		n, m, c := profiled(t, "quectel", "2,1,0,1,0")
		c.cmd(`AT+CPMS="ME","ME","SM"`)
		if err := n.Phone("+447700900001").Send(m.Number(), "lost"); err != nil {
			t.Fatal(err)
		}
		eventually(t, "delivered", func() bool {
			j := n.Journal()
			return len(j) > 0 && j[len(j)-1].Kind == JournalDelivered
		})
		if len(m.Stored()) != 0 {
			t.Errorf("stored %+v", m.Stored())
		}
	})
}

func TestProfilesReportInTheirWays(t *testing.T) {
	for profile, want := range map[string]struct{ cnmi, urc string }{
		"zte":       {"1,1,0,1,0", "+CDS: ,"},
		"sim800":    {"2,1,0,1,0", "+CDS: "},
		"quectel":   {"2,1,0,2,0", `+CDSI: "SM",0`},
		"sierra":    {"2,1,2,2,0", `+CDSI: "SM",1`},
		"cinterion": {"2,1,0,2,1", `+CDSI: "ME",1`},
		"wavecom":   {"2,1,0,2,0", `+CDSI: "SR",1`},
	} {
		t.Run(profile, func(t *testing.T) {
			_, m, c := profiled(t, profile, want.cnmi)
			c.cmd("AT+CMGF=0")
			c.startSend(submitPDU("+447700900001", "report", tpReport))
			c.expect("\r\n" + want.urc)
			if profile == "quectel" && len(m.Stored()) != 0 {
				t.Error("a report can be read that a real one keeps to itself")
			}
		})
	}
}

func TestProfilesAnswerASendInTheirWays(t *testing.T) {
	_, _, c := profiled(t, "zte", "1,1,0,0,0")
	want := "+ZPASR: \"UMTS\"|+CMGS: 0|+ZDONR: \"SimNet\",999,99,\"CS_PS\",\"ROAM_OFF\"|OK"
	if got := c.send("+447700900001", "x"); got != want {
		t.Errorf("zte: %q, want %q", got, want)
	}
}

func TestProfilesRestartInTheirWays(t *testing.T) {
	for profile, row := range map[string]struct {
		command string
		gone    bool   // leaves its port
		busy    string // AT+CSCA? after it
	}{
		"sim7600": {"AT+CRESET", true, ""}, "sierra": {"AT!RESET", true, ""}, "mu736": {"AT+CFUN=16", true, ""}, "telit": {"AT#REBOOT", true, ""}, "ublox": {"AT+CFUN=16", true, "+CME ERROR: 14"},
		"wavecom": {"AT+CFUN=1", false, "+CME ERROR: 515"}, "sim800": {"AT+CFUN=1,1", false, ""},
	} {
		t.Run(profile, func(t *testing.T) {
			n := network(t, Options{Profile: profile, BootDelay: 100 * time.Millisecond})
			m := n.Modems()[0]
			before, _ := os.Readlink(m.Path())
			c := quiet(t, m)
			c.want(row.command, "OK")
			if row.gone {
				c.gone()
				eventually(t, "back under another name", func() bool { now, err := os.Readlink(m.Path()); return err == nil && now != before })
				c = quiet(t, m)
			} else {
				eventually(t, "restarted", func() bool { return strings.Contains(fmt.Sprint(m.Transcript()), "-- restarted") })
				c.cmd("ATE0")
			}
			c.cmd("AT+CMEE=1")
			if row.busy != "" {
				m.call(func() { m.ready = time.Now().Add(time.Hour) }) // a test must not race against the start
				c.want("AT+CSCA?", row.busy)
				m.call(func() { m.ready = time.Time{} })
			}
			eventually(t, "it serves again", func() bool { return strings.HasSuffix(c.cmd("AT+CSCA?"), "145|OK") })
		})
	}
}
