package sim

import (
	"strings"
	"testing"
)

func TestSendInPDUModeReachesThePhone(t *testing.T) {
	n := network(t, Options{})
	c := quiet(t, n.Modems()[0])
	c.want("AT+CMGF=0", "OK")
	if got := c.send("+447700900001", "Your code is 123456 €"); got != "+CMGS: 0|OK" {
		t.Fatalf("answer %q", got)
	}
	got := wait(t, n.Phone("+447700900001"), 1)[0]
	if got.Text != "Your code is 123456 €" || got.From != "+999000001" || got.Encoding != "gsm7" {
		t.Errorf("the phone shows %+v", got)
	}
	if e := n.Journal(); len(e) != 2 || e[0].Kind != JournalSubmitted || e[1].Kind != JournalDelivered || e[1].ID != e[0].ID {
		t.Errorf("journal %+v", e)
	}
}

func TestSendBetweenModemsIsStoredAndIndicated(t *testing.T) {
	n := network(t, Options{Modems: 2})
	a, b := quiet(t, n.Modems()[0]), quiet(t, n.Modems()[1])
	b.want("AT+CNMI=2,1,0,1,0", "OK")
	if got := a.send("+999000002", "hello"); got != "+CMGS: 0|OK" {
		t.Fatalf("answer %q", got)
	}
	b.expect("\r\n+CMTI: \"SM\",1\r\n")
	list := b.cmd("AT+CMGL=4")
	if !strings.HasPrefix(list, "+CMGL: 1,0,,") || !strings.HasSuffix(list, "|OK") {
		t.Errorf("list %q", list)
	}
	if s := n.Modems()[1].Stored(); len(s) != 1 || s[0].Text != "hello" || s[0].From != "+999000001" || s[0].Status != 1 {
		t.Errorf("stored %+v", s)
	}
	b.want("AT+CMGD=1", "OK")
	b.want("AT+CMGL=4", "OK")
}

func TestPhoneSendsLongTextToModem(t *testing.T) {
	n := network(t, Options{})
	c := quiet(t, n.Modems()[0])
	c.want("AT+CNMI=2,1", "OK")
	if err := n.Phone("+447700900001").Send("+999000001", strings.Repeat("long ", 60)); err != nil {
		t.Fatal(err)
	}
	c.expect("+CMTI: \"SM\",2\r\n")
	if s := n.Modems()[0].Stored(); len(s) != 2 || s[0].Text+s[1].Text != strings.Repeat("long ", 60) {
		t.Errorf("stored %+v", s)
	}
}
