package sim

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestFullSIMHoldsMessagesInTheNetwork(t *testing.T) {
	n := network(t, Options{Slots: 2, Profile: "huawei"})
	m := n.Modems()[0]
	c := quiet(t, m)
	c.want("AT+CNMI=2,1", "OK")
	phone := n.Phone("+447700900001")
	for i := range 4 {
		if err := phone.Send(m.Number(), fmt.Sprint("message ", i)); err != nil {
			t.Fatal(err)
		}
	}
	c.expect("+CMTI: \"SM\",2\r\n")
	c.expect("^SMMEMFULL:\"SM\"\r\n")
	c.want("AT+CPMS?", `+CPMS: "SM",2,2,"SM",2,2,"SM",2,2|OK`)
	c.want("AT+CMGD=1", "OK")
	c.expect("+CMTI: \"SM\",1\r\n")
	c.expect("^SMMEMFULL:\"SM\"\r\n")
	c.want("AT+CMGD=2", "OK")
	c.expect("+CMTI: \"SM\",2\r\n")
	s := m.Stored()
	if len(s) != 2 || s[0].Text != "message 2" || s[1].Text != "message 3" {
		t.Errorf("stored %+v", s)
	}
	var kinds []string
	for _, e := range n.Journal() {
		if e.Kind != JournalSubmitted {
			kinds = append(kinds, fmt.Sprint(e.Kind, " ", e.ID))
		}
	}
	if got := strings.Join(kinds, ","); got != "delivered 1,delivered 2,held 3,delivered 3,held 4,delivered 4" {
		t.Errorf("journal %s", got)
	}
}

func TestWrittenMessageIsReadSentAndDeleted(t *testing.T) {
	n := network(t, Options{})
	c := quiet(t, n.Modems()[0])
	tpdu := submitPDU("+447700900001", "written")
	c.write(fmt.Sprintf("AT+CMGW=%d\r", len(tpdu)))
	c.expect("> ")
	c.write("00" + upperHex(tpdu) + "\x1a")
	if got := flat(c.final()); got != "+CMGW: 1|OK" {
		t.Fatalf("+CMGW: %q", got)
	}
	tpdu[1] = 0
	c.want("AT+CMGR=1", fmt.Sprintf("+CMGR: 2,,%d|00%s|OK", len(tpdu), upperHex(tpdu)))
	c.want("AT+CMSS=1", "+CMSS: 0|OK")
	if got := wait(t, n.Phone("+447700900001"), 1)[0].Text; got != "written" {
		t.Errorf("the phone shows %q", got)
	}
	c.want("AT+CMSS=1,\"+447700900002\"", "+CMSS: 1|OK")
	wait(t, n.Phone("+447700900002"), 1)
	c.want("AT+CMGL=3", fmt.Sprintf("+CMGL: 1,3,,%d|00%s|OK", len(tpdu), upperHex(tpdu)))
	c.want("AT+CMGD=1;+CMGL=4", "OK")
	c.want("AT+CMGR=1", "+CMS ERROR: 321")
	c.want("AT+CMGD=99", "+CMS ERROR: 321")
}

func TestDeleteFlags(t *testing.T) {
	n := network(t, Options{})
	m := n.Modems()[0]
	c := quiet(t, m)
	for i := range 3 {
		if err := n.Phone("+447700900001").Send(m.Number(), fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "three stored", func() bool { return len(m.Stored()) == 3 })
	c.cmd("AT+CMGR=2")
	c.want("AT+CMGD=?", "+CMGD: (1,2,3),(0-4)|OK")
	c.want("AT+CMGD=1,1", "OK")
	c.want("AT+CMGD=?", "+CMGD: (1,3),(0-4)|OK")
	c.want("AT+CMGD=1,3", "OK")
	c.want("AT+CMGD=?", "+CMGD: (1,3),(0-4)|OK")
	c.want("AT+CMGD=1,4", "OK")
	c.want("AT+CMGD=?", "+CMGD: (),(0-4)|OK")
}

func TestMemoriesBySetting(t *testing.T) {
	n := network(t, Options{Slots: 1})
	m := n.Modems()[0]
	c := quiet(t, m)
	c.want("AT+CNMI=2,1", "OK")
	c.want(`AT+CPMS="MT","SM","MT"`, "+CPMS: 0,51,0,1,0,51|OK")
	c.want(`AT+CPMS="XX"`, "+CMS ERROR: 302")
	for range 2 {
		if err := n.Phone("12345").Send(m.Number(), "x"); err != nil {
			t.Fatal(err)
		}
	}
	c.expect("+CMTI: \"SM\",1\r\n")
	c.expect("+CMTI: \"ME\",1\r\n")
	if got := c.cmd("AT+CMGL=4"); strings.Count(got, "+CMGL: ") != 2 || !strings.Contains(got, "+CMGL: 2,0,,") {
		t.Errorf("list of MT: %q", got)
	}
	c.want("AT+CMGD=2", "OK")
	c.want("AT+CPMS?", `+CPMS: "MT",1,51,"SM",1,1,"MT",1,51|OK`)
}

func TestTextMode(t *testing.T) {
	n := network(t, Options{Modems: 2})
	a, b := quiet(t, n.Modems()[0]), quiet(t, n.Modems()[1])
	a.want(`AT+CMGF=1;+CSCS="IRA"`, "OK")
	a.write("AT+CMGS=\"+999000002\"\r")
	a.expect("\r\n> ")
	a.write("two\rlines\x1a")
	if got := flat(a.final()); got != ">|+CMGS: 0|OK" && got != "> |+CMGS: 0|OK" {
		t.Errorf("answer %q", got)
	}
	eventually(t, "stored", func() bool { return len(n.Modems()[1].Stored()) == 1 })
	b.want("AT+CMGF=1", "OK")
	got := b.cmd(`AT+CMGL="ALL"`)
	if !strings.HasPrefix(got, `+CMGL: 1,"REC UNREAD","+999000001",,"`) || !strings.HasSuffix(got, `"|two|lines|OK`) {
		t.Errorf("list %q", got)
	}
	b.want(`AT+CSCS="UCS2"`, "OK")
	if got := b.cmd("AT+CMGR=1"); !strings.Contains(got, `"REC READ","002B003900390039`) || !strings.Contains(got, "|00740077006F000D006C") {
		t.Errorf("UCS2 reading %q", got)
	}
	a.write("AT+CMGS=\"+999000002\"\r")
	a.expect("\r\n> ")
	a.write("never\x1b")
	if got := flat(a.final()); got != "OK" {
		t.Errorf("ESC: %q", got)
	}
	if len(n.Journal()) != 2 {
		t.Error("ESC sent the message")
	}
}

func TestPromptIgnoresNothingAndRefusesWrongPDUs(t *testing.T) {
	n := network(t, Options{})
	c := quiet(t, n.Modems()[0])
	good := submitPDU("+447700900001", "x")
	for name, body := range map[string]string{
		"not hex":        "ZZ",
		"empty":          "",
		"too short":      "00" + upperHex(good[:len(good)-1]),
		"too long":       "00" + upperHex(good) + "00",
		"without SCA":    upperHex(good),
		"a DELIVER":      "00" + "00" + upperHex(good[1:]),
		"command inside": "AT+CSQ\r",
	} {
		c.write(fmt.Sprintf("AT+CMGS=%d\r", len(good)))
		c.expect("> ")
		c.write(body + "\x1a")
		if got := flat(c.final()); got != "+CMS ERROR: 304" {
			t.Errorf("%s: %q", name, got)
		}
	}
	c.want("AT+CMGS=5", "+CMS ERROR: 304")
	c.want("AT+CMGS", "+CMS ERROR: 304")
	if len(n.Journal()) != 0 {
		t.Errorf("the network took %+v", n.Journal())
	}
}

func TestRawPDUIsListedAsItIs(t *testing.T) {
	n := network(t, Options{})
	m := n.Modems()[0]
	c := quiet(t, m)
	c.want("AT+CNMI=2,1", "OK")
	for _, raw := range []string{
		"07912180958739F144038102F100001211304113338A2F0608041E9602026177F85C06E5DF7539283C1EBFEB6E3A284C0785E974D7F8DD7EB5F37079191E4E9341",
		"00FFFFFF",
		"0297F1061C0F910B487228297020F5317062419272803170624192138000",
	} {
		if err := n.Phone("+447700900001").SendPDU(m.Number(), raw, 77); err != nil {
			t.Fatal(err)
		}
		c.expect("+CMTI: \"SM\",1\r\n")
		c.want("AT+CMGL=4", "+CMGL: 1,0,,77|"+raw+"|OK")
		c.want("AT+CMGD=1", "OK")
	}
	if err := n.Phone("1").SendPDU("+447700900009", "00", 0); err == nil {
		t.Error("a raw PDU went to a phone")
	}
	if !m.StorePDU("00", 0) {
		t.Error("not stored")
	}
}

func TestReplaceTypeAndSilentMessages(t *testing.T) {
	n := network(t, Options{})
	m := n.Modems()[0]
	p := n.Phone("+447700900001")
	for _, text := range []string{"old", "new"} {
		if err := p.SendWith(m.Number(), text, SendOptions{PID: 0x41}); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.SendWith(m.Number(), "ping", SendOptions{PID: pidSilent}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "all delivered", func() bool { return len(n.Journal()) == 6 })
	if s := m.Stored(); len(s) != 1 || s[0].Text != "new" {
		t.Errorf("stored %+v", s)
	}
}

func TestUnpluggedModemGetsItsMessagesLater(t *testing.T) {
	n := network(t, Options{})
	m := n.Modems()[0]
	m.Unplug()
	if err := n.Phone("+447700900001").SendWith(m.Number(), "later", SendOptions{Timestamp: time.Unix(1e9, 0).UTC()}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "held", func() bool { e := n.Journal(); return len(e) == 2 && e[1].Kind == JournalHeld })
	m.Plug()
	eventually(t, "stored", func() bool { return len(m.Stored()) == 1 })
	c := quiet(t, m)
	c.want("AT+CMGF=1", "OK")
	if got := c.cmd("AT+CMGR=1"); !strings.Contains(got, `,"01/09/09,01:46:40+00"`) {
		t.Errorf("reading %q", got)
	}
}
