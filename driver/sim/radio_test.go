package sim

import (
	"strings"
	"testing"
	"time"
)

func TestRadioTakesItsTimeAndHeldLinkLess(t *testing.T) {
	const delay = 60 * time.Millisecond
	n := network(t, Options{SubmitDelay: delay, LinkHold: delay})
	c := quiet(t, n.Modems()[0])
	took := func() time.Duration {
		start := time.Now()
		if got := c.send("+447700900001", "x"); !strings.HasPrefix(got, "+CMGS: ") {
			t.Fatalf("answer %q", got)
		}
		return time.Since(start)
	}
	if d := took(); d < delay {
		t.Errorf("first: %v", d)
	}
	if d := took(); d < delay {
		t.Errorf("second, link not held: %v", d)
	}
	c.want("AT+CMMS=2", "OK")
	if d := took(); d < delay {
		t.Errorf("first of a burst: %v", d)
	}
	var saved bool
	for range 5 { // on a loaded machine one of them is fast enough
		saved = saved || took() < delay
	}
	if !saved {
		t.Error("a held link saves nothing")
	}
}

func TestMessagesArriveDuringASubmission(t *testing.T) {
	n := network(t, Options{SubmitDelay: time.Hour})
	m := n.Modems()[0]
	c := quiet(t, m)
	c.want("AT+CNMI=2,1", "OK")
	c.startSend(submitPDU("+447700900001", "x"))
	if err := n.Phone("12345").Send(m.Number(), "meanwhile"); err != nil {
		t.Fatal(err)
	}
	c.expect("+CMTI: \"SM\",1\r\n")
	m.Unplug()
	c.gone()
	if len(n.Phone("+447700900001").Received()) != 0 {
		t.Error("sent by a modem without power")
	}
}

func TestSpeedOfTheLine(t *testing.T) {
	n := network(t, Options{Baud: 9600})
	c := quiet(t, n.Modems()[0])
	start := time.Now()
	answer := c.cmd("AT+CLAC")
	if ideal := time.Duration(len(answer)) * 10 * time.Second / 9600; time.Since(start) < ideal {
		t.Errorf("%d octets in %v, faster than the line (%v)", len(answer), time.Since(start), ideal)
	}
}

func TestHostThatDoesNotRead(t *testing.T) {
	n := network(t, Options{})
	m := n.Modems()[0]
	for range 3 * outLimit / 1000 {
		m.Unsolicited(strings.Repeat("x", 1000))
	}
	if m.Stored() != nil {
		t.Error("the modem must still answer questions")
	}
	c := open(t, m)
	c.write("AT\r")
	c.expect("OK\r\n")
}

func TestNoise(t *testing.T) {
	n := network(t, Options{Noise: time.Millisecond, Profile: "wavecom"})
	c := open(t, n.Modems()[0])
	for range 5 {
		c.expect("+WIND: ")
	}
}

func TestJournalAndTranscriptAreBounded(t *testing.T) {
	j := journal{max: 10}
	for range 95 {
		j.add(Entry{})
	}
	if got := j.after(0); len(got) != 10 || got[9].Seq != 95 || got[0].Seq != 86 {
		t.Errorf("%d entries, %+v", len(got), got)
	}
	if got := j.after(93); len(got) != 2 {
		t.Errorf("after 93: %d entries", len(got))
	}
	if got := j.after(95); len(got) != 0 {
		t.Errorf("after the last: %d entries", len(got))
	}
	log := transcript{max: 10}
	for range 1000 {
		log.add("x")
	}
	if len(log.lines) > 20 {
		t.Errorf("%d lines", len(log.lines))
	}
	n := network(t, Options{JournalSize: -1})
	c := quiet(t, n.Modems()[0])
	c.send("+447700900001", "x")
	if wait(t, n.Phone("+447700900001"), 1); len(n.Journal()) != 0 {
		t.Error("a switched off journal has entries")
	}
}
