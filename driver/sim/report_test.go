package sim

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// report reads a +CDS and gives its fields.
func (c *client) report() statusReport {
	c.t.Helper()
	c.expect("\r\n+CDS: ")
	parts := strings.SplitN(flat(c.expect("\r\n")+c.expect("\r\n")), "|", 2)
	b := unhex(c.t, parts[1])
	_, tpdu, err := splitSCA(b)
	if err != nil || fmt.Sprint(len(tpdu)) != parts[0] {
		c.t.Fatalf("+CDS %q: length does not fit (%v)", parts, err)
	}
	r, err := parseStatusReport(tpdu)
	if err != nil {
		c.t.Fatal(err)
	}
	return r
}

func TestStatusReportsAndReferencesWrap(t *testing.T) {
	n := network(t, Options{})
	m := n.Modems()[0]
	c := quiet(t, m)
	c.want("AT+CNMI=2,1,0,1,0", "OK")
	m.Inject(Fault{Kind: FaultReference, Code: 254})
	for _, mr := range []byte{254, 255, 0, 1} {
		if got := c.send("+447700900001", "x", tpReport); got != fmt.Sprintf("+CMGS: %d|OK", mr) {
			t.Fatalf("answer %q", got)
		}
		if r := c.report(); r.mr != mr || r.to != "+447700900001" || r.status != StatusDelivered {
			t.Errorf("report %+v", r)
		}
	}
	if got := c.send("+447700900001", "without"); got != "+CMGS: 2|OK" {
		t.Errorf("answer %q", got)
	}
	c.nothing(m)
}

func TestReportsOfAPhoneThatIsOff(t *testing.T) {
	n := network(t, Options{})
	c := quiet(t, n.Modems()[0])
	c.want("AT+CNMI=2,1,0,1,0", "OK")
	p := n.Phone("+447700900001")
	p.SetPower(false)
	c.send("+447700900001", "waits", tpReport)
	if r := c.report(); r.status != StatusPending {
		t.Errorf("off: %#x", r.status)
	}
	p.SetPower(true)
	if r := c.report(); r.status != StatusDelivered || len(p.Received()) != 1 {
		t.Errorf("on again: %#x", r.status)
	}
	p.Refuse(0x41)
	c.send("+447700900001", "refused", tpReport)
	if r := c.report(); r.status != 0x41 {
		t.Errorf("refused: %#x", r.status)
	}
}

func TestValidityEndsInTheServiceCentre(t *testing.T) {
	n := network(t, Options{})
	c := quiet(t, n.Modems()[0])
	c.want("AT+CNMI=2,1,0,1,0", "OK")
	n.Phone("+447700900001").SetPower(false)
	p := splitText("x", 0, false)[0]
	enhanced := submit{first: tpSubmit | 0x08 | tpReport, to: "+447700900001", vp: []byte{2, 1, 0, 0, 0, 0, 0}, udl: p.udl, ud: p.ud}
	c.startSend(enhanced.encode())
	c.final()
	c.report()
	if r := c.report(); r.status != StatusExpired {
		t.Errorf("status %#x", r.status)
	}
	n.Phone("+447700900001").SetPower(true)
	if got := n.Phone("+447700900001").Received(); len(got) != 0 {
		t.Errorf("an expired text came: %+v", got)
	}
}

func TestValidityForms(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for want, s := range map[time.Duration]submit{
		5 * time.Minute:         {first: 0x10, vp: []byte{0}},
		12 * time.Hour:          {first: 0x10, vp: []byte{143}},
		24 * time.Hour:          {first: 0x10, vp: []byte{167}},
		30 * 24 * time.Hour:     {first: 0x10, vp: []byte{196}},
		63 * 7 * 24 * time.Hour: {first: 0x10, vp: []byte{255}},
		90 * time.Minute:        {first: 0x18, vp: encodeTime(now.Add(90 * time.Minute))},
		7 * time.Second:         {first: 0x08, vp: []byte{2, 7, 0, 0, 0, 0, 0}},
		0:                       {first: 0},
	} {
		if got := s.validity(now); got != want {
			t.Errorf("% x: %v, want %v", s.vp, got, want)
		}
	}
}

func TestReportsWaitForAModemThatWasAway(t *testing.T) {
	n := network(t, Options{})
	m := n.Modems()[0]
	c := quiet(t, m)
	m.Inject(Fault{Kind: FaultUnplug, Point: PointAccepted, Delay: time.Millisecond})
	c.startSend(submitPDU("+447700900001", "x", tpReport))
	c.gone()
	eventually(t, "plugged again", func() bool { return m.body().Plugged })
	c = quiet(t, m)
	c.nothing(m)
	c.want("AT+CNMI=2,1,0,1,0", "OK")
	if r := c.report(); r.mr != 0 || r.status != StatusDelivered {
		t.Errorf("report %+v", r)
	}
	c.want("AT+CNMI=2,1,0,0,0", "OK")
	c.send("+447700900001", "x", tpReport)
	eventually(t, "report on its way", func() bool { return reports(n) == 2 })
	m.call(func() {}) // the modem has dropped it
	c.want("AT+CNMI=2,1,0,1,0", "OK")
	c.nothing(m)
	n.report(&message{sender: m, wantsNews: true, to: "1"}, 0)
	c.report()
	m.Unplug()
	for range 2 * reportsHeld {
		n.report(&message{sender: m, wantsNews: true, to: "1"}, 0)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if got := len(n.lanes[laneKey{m, true}].queue); got != reportsHeld {
		t.Errorf("%d reports are held", got)
	}
}

// reports counts what the network has sent off.
func reports(n *Network) (k int) {
	for _, e := range n.Journal() {
		if e.Kind == JournalReport {
			k++
		}
	}
	return k
}

func TestReportsInMemory(t *testing.T) {
	n := network(t, Options{})
	c := quiet(t, n.Modems()[0])
	c.want("AT+CNMI=2,1,0,2,0", "OK")
	c.send("+447700900001", "x", tpReport)
	c.expect("\r\n+CDSI: \"SR\",1\r\n")
	c.cmd(`AT+CPMS="SR"`)
	got := strings.Split(c.cmd("AT+CMGR=1"), "|")
	if len(got) != 3 || !strings.HasPrefix(got[0], "+CMGR: 0,,") {
		t.Fatalf("report %q", got)
	}
	_, tpdu, _ := splitSCA(unhex(t, got[1]))
	if r, err := parseStatusReport(tpdu); err != nil || r.status != 0 {
		t.Errorf("report %+v, %v", r, err)
	}
	c.want("AT+CMGF=1", "OK")
	if got := c.cmd("AT+CMGR=1"); !strings.HasPrefix(got, `+CMGR: "REC READ",6,0,"+447700900001",145,"`) {
		t.Errorf("in text mode %q", got)
	}
}

func TestIndicationModes(t *testing.T) {
	n := network(t, Options{})
	m := n.Modems()[0]
	c := quiet(t, m)
	p := n.Phone("+447700900001")
	send := func(o SendOptions) {
		t.Helper()
		if err := p.SendWith(m.Number(), "x", o); err != nil {
			t.Fatal(err)
		}
	}
	c.want("AT+CNMI?", "+CNMI: 0,0,0,0,0|OK")
	c.want("AT+CNMI=0,1", "OK")
	send(SendOptions{})
	c.nothing(m)
	c.want("AT+CNMI=2", "OK")
	c.expect("+CMTI: \"SM\",1\r\n")
	send(SendOptions{Flash: true})
	c.expect("\r\n+CMT: ,")
	c.expect("\r\n")
	c.expect("\r\n")
	c.want("AT+CNMI=2,3", "OK")
	class3 := 3
	send(SendOptions{Class: &class3})
	c.expect("+CMT: ,")
	c.expect("\r\n")
	c.expect("\r\n")
	c.want("AT+CNMI=2,4", "+CMS ERROR: 302")
	c.want("AT+CNMI=2,2", "OK")
	class2 := 2
	send(SendOptions{Class: &class2})
	c.expect("+CMTI: \"SM\",2\r\n")
	c.want("AT+CNMA", "+CMS ERROR: 340")
	if s := m.Stored(); len(s) != 2 {
		t.Errorf("stored %+v", s)
	}
}

func TestDirectMessagesWaitForTheirAcknowledgement(t *testing.T) {
	n := network(t, Options{})
	m := n.Modems()[0]
	c := quiet(t, m)
	c.want("AT+CSMS=1", "+CSMS: 1,1,1|OK")
	c.want("AT+CNMI=2,2,0,1,0", "OK")
	for _, text := range []string{"first", "second"} {
		if err := n.Phone("+447700900001").Send(m.Number(), text); err != nil {
			t.Fatal(err)
		}
	}
	c.expect("+CMT: ,")
	c.expect("\r\n")
	c.expect("\r\n")
	c.nothing(m)
	c.want("AT+CNMA", "OK")
	c.expect("+CMT: ,")
	c.expect("\r\n")
	c.expect("\r\n")
	c.want("AT+CNMA=2", "OK")
	if s := m.Stored(); len(s) != 1 || s[0].Text != "second" {
		t.Errorf("a refused message must be kept: %+v", s)
	}
}
