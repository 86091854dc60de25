package sim

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestUnplugLooksLikeUSBAndPlugReturnsElsewhere(t *testing.T) {
	n := network(t, Options{})
	m := n.Modems()[0]
	c := quiet(t, m)
	if err := n.Phone("12345").Send(m.Number(), "survives"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "stored", func() bool { return len(m.Stored()) == 1 })
	before, err := os.Readlink(m.Path())
	if err != nil {
		t.Fatal(err)
	}
	m.Unplug()
	c.gone()
	if _, err := c.f.WriteString("AT\r"); !errors.Is(err, syscall.EIO) {
		t.Errorf("a write after the unplug gives %v, want EIO", err)
	}
	if _, err := os.Stat(m.Path()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the link is still there: %v", err)
	}
	m.Unplug()
	m.Plug()
	m.Plug()
	after, err := os.Readlink(m.Path())
	if err != nil || after == before {
		t.Errorf("back under %q, was %q (%v)", after, before, err)
	}
	d := open(t, m)
	d.write("AT+CMGR=1\r")
	if got := d.final(); !strings.HasPrefix(got, "AT+CMGR=1\r\r\n+CMGR: 0,,") {
		t.Errorf("echo is a volatile setting, the SIM keeps its content: %q", got)
	}
}

// TestUnplugAtEachPoint pulls the modem at each point of a send and of a
// reading, and says what the network and the SIM have then.
func TestUnplugAtEachPoint(t *testing.T) {
	for point, want := range map[Point]struct {
		submitted, stored int
		heard             string // by the host before the end
	}{
		PointCommand:  {0, 1, ""},
		PointPrompt:   {0, 1, "\r\n> "},
		PointBody:     {0, 1, "\r\n> "},
		PointAccepted: {1, 1, "\r\n> "},
		PointAnswered: {1, 1, "\r\n> \r\n+CMGS: 0\r\n\r\nOK\r\n"},
	} {
		n := network(t, Options{})
		m := n.Modems()[0]
		m.StorePDU("00", 0)
		c := quiet(t, m)
		m.Inject(Fault{Kind: FaultUnplug, Match: "+CMGS", Point: point, Delay: time.Millisecond})
		tpdu := submitPDU("+447700900001", "x")
		_, _ = io.WriteString(c.f, "AT+CMGS="+itoa(len(tpdu))+"\r")
		if want.heard != "" {
			c.expect("> ")
			_, _ = io.WriteString(c.f, "00"+upperHex(tpdu)+"\x1a")
		}
		c.gone()
		eventually(t, "back", func() bool { _, err := os.Stat(m.Path()); return err == nil })
		if got := len(n.Phone("+447700900001").Received()); got != want.submitted || len(m.Stored()) != want.stored {
			t.Errorf("%s: %d sent, %d stored", point, got, len(m.Stored()))
		}
	}
	for point, stored := range map[Point]int{PointListed: 1, PointDeleted: 0} {
		n := network(t, Options{})
		m := n.Modems()[0]
		m.StorePDU("00", 0)
		c := quiet(t, m)
		m.Inject(Fault{Kind: FaultUnplug, Point: point})
		c.write("AT+CMGL=4\r")
		if point == PointDeleted {
			c.final()
			c.write("AT+CMGD=1\r")
		}
		c.gone()
		if got := len(m.Stored()); got != stored {
			t.Errorf("%s: %d stored", point, got)
		}
	}
}

func TestHookSeesEachPointAndMayUseTheModem(t *testing.T) {
	n := network(t, Options{})
	m := n.Modems()[0]
	c := quiet(t, m)
	seen := make(chan Point, 10)
	m.OnPoint(func(o Occasion) {
		seen <- o.Point
		if o.Point == PointAccepted {
			o.Modem.Inject(Fault{Kind: FaultMissing})
			_ = o.Modem.Stored()
		}
		if o.Point == PointDeleted {
			o.Modem.Unplug()
			o.Modem.Plug()
		}
	})
	c.startSend(submitPDU("+447700900001", "x"))
	for _, want := range []Point{PointCommand, PointPrompt, PointBody, PointAccepted, PointAnswered} {
		if got := <-seen; got != want {
			t.Errorf("point %s, want %s", got, want)
		}
	}
	c.nothing(m)
	c.write("AT+CMGD=1\r")
	c.gone()
	eventually(t, "back", func() bool { return m.body().Plugged })
	m.OnPoint(nil)
	if d := quiet(t, m); d.cmd("AT+CSQ") != "+CSQ: 21,99|OK" {
		t.Error("not usable after the hook")
	}
}

func TestRestartThatReenumerates(t *testing.T) {
	n := network(t, Options{Profile: "quectel", BootDelay: 2 * time.Millisecond})
	m := n.Modems()[0]
	c := quiet(t, m)
	before, _ := os.Readlink(m.Path())
	c.write("AT+CFUN=1,1\r") // its OK is lost on a host that is slow to read
	c.gone()
	eventually(t, "under another name", func() bool { now, err := os.Readlink(m.Path()); return err == nil && now != before })
}

func TestRestartThatLeavesACDDrive(t *testing.T) {
	n := network(t, Options{Profile: "huawei", BootDelay: 2 * time.Millisecond})
	m := n.Modems()[0]
	c := quiet(t, m)
	c.write("AT+CFUN=1,1\r") // its OK is lost on a host that is slow to read
	c.gone()
	if _, err := os.Readlink(m.Path()); err == nil {
		t.Error("the stick is back by itself")
	}
	m.Plug()
	quiet(t, m).want("AT", "OK")
}

func TestCloseLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	count := func() int {
		fds, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Skip("counting descriptors needs /proc")
		}
		return len(fds)
	}
	goroutines, fds := runtime.NumGoroutine(), count()
	for range 20 {
		n, err := New(Options{Modems: 3, Dir: dir, Noise: time.Millisecond, Baud: 9600, Profile: "huawei"})
		if err != nil {
			t.Fatal(err)
		}
		c := open(t, n.Modems()[0])
		n.Modems()[1].Unplug()
		c.write("AT+CMGL=4\rAT\r")
		n.Modems()[2].Inject(Fault{Kind: FaultStopReading})
		if err := errors.Join(n.Close(), n.Close()); err != nil {
			t.Error(err)
		}
		c.gone()
		c.f.Close()
		if len(n.Modems()[0].Stored()) != 0 { // a closed modem still answers questions
			t.Error("stored messages out of nowhere")
		}
	}
	eventually(t, "no goroutine and no descriptor is left", func() bool {
		return runtime.NumGoroutine() <= goroutines && count() <= fds
	})
	if left, err := filepath.Glob(filepath.Join(dir, "*")); err != nil || len(left) > 0 {
		t.Errorf("left: %v %v", left, err)
	}
}

func TestOwnDirectoryIsRemoved(t *testing.T) {
	n, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Dir(n.Modems()[0].Path())
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s is left", dir)
	}
}
