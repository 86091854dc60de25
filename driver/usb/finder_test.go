package usb_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/modemgate/modemgate/driver/usb"
	"github.com/modemgate/modemgate/driver/usb/usbtest"
)

const (
	imeiA, imeiB   = "001010000000017", "001010000000025"
	iccidA, iccidB = "8999900000000000014", "8999900000000000022"
)

// station is a finder with modems that only answer the question who they are.
type station struct {
	t   *testing.T
	bus *usbtest.Bus
	*usb.Finder

	mu    sync.Mutex
	ids   map[string]usb.Identity // by the target of the node
	asked []string
}

func newStation(t *testing.T, auto bool, wants map[string]usb.Want) *station {
	t.Helper()
	s := &station{t: t, bus: usbtest.New(t), ids: map[string]usb.Identity{
		"a": {IMEI: imeiA, ICCID: iccidA}, "b": {IMEI: imeiB, ICCID: iccidB},
	}}
	s.Finder = usb.NewFinder(usb.Options{Tree: tree(s.bus), Ask: s.ask, Auto: auto, Every: 5 * time.Millisecond}, wants)
	s.run()
	return s
}

func (s *station) run() {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); _ = s.Run(ctx) }()
	s.t.Cleanup(func() { cancel(); <-ended })
}

func (s *station) ask(_ context.Context, port string, careful bool) (usb.Identity, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, fmt.Sprintf("%s %v", port[strings.LastIndex(port, "/")+1:], careful))
	who, err := os.Readlink(port)
	if err != nil {
		return usb.Identity{}, err
	}
	if id, ok := s.ids[who]; ok {
		return id, nil
	}
	return usb.Identity{}, fmt.Errorf("port %s is held by minicom (pid 123)", port)
}

func (s *station) questions() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.asked)
}

// plug plugs an EC25 in whose AT port, the third, is first+2.
func (s *station) plug(path, who string, first int) {
	d := quectel(path, first)
	d.Interfaces[2].Target = who
	s.bus.Plug(d)
}

// claims waits until the line gets a port.
func (s *station) claims(line, tty string) *usb.Claim {
	s.t.Helper()
	var last error
	for end := time.Now().Add(time.Minute); time.Now().Before(end); {
		changed := s.Changed()
		c, err := s.Claim(line)
		if err == nil {
			if !strings.HasSuffix(c.Port, "/"+tty) {
				s.t.Fatalf("line %s has %s, want %s", line, c.Port, tty)
			}
			return c
		}
		last = err
		select {
		case <-changed:
		case <-time.After(time.Second):
		}
	}
	s.t.Fatalf("line %s has no modem: %v", line, last)
	return nil
}

// refuses waits until the line is refused in such words.
func (s *station) refuses(line, words string) error {
	s.t.Helper()
	var err error
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(time.Millisecond) {
		var c *usb.Claim
		if c, err = s.Claim(line); err == nil {
			c.Release()
		} else if strings.Contains(err.Error(), words) {
			return err
		}
	}
	s.t.Fatalf("line %s: %v, want %q", line, err, words)
	return nil
}

func TestSameModemUnderAnotherName(t *testing.T) {
	s := newStation(t, false, map[string]usb.Want{"front": {IMEI: imeiA}, "back": {ICCID: iccidB}})
	s.refuses("front", "no modem with the IMEI …0017 is plugged in: plug it in")
	s.refuses("back", "no modem with the SIM …0022 is plugged in")
	s.plug("1-1", "a", 0)
	s.plug("1-2", "b", 4)
	front, back := s.claims("front", "ttyUSB2"), s.claims("back", "ttyUSB6")
	if err := front.Check(usb.Identity{IMEI: imeiA, ICCID: iccidA}, true); err != nil {
		t.Error(err)
	}
	if got := s.questions(); len(got) != 2 || !slices.Contains(got, "ttyUSB2 false") || !slices.Contains(got, "ttyUSB6 false") {
		t.Errorf("asked: %v", got)
	}
	// Both go, and come back with their names exchanged.
	s.bus.Unplug("1-1")
	s.bus.Unplug("1-2")
	front.Release()
	back.Release()
	s.refuses("front", "no modem with the IMEI")
	s.plug("1-1", "b", 0)
	s.plug("1-2", "a", 4)
	s.claims("front", "ttyUSB6")
	s.claims("back", "ttyUSB2")
	if got := s.questions(); len(got) != 4 {
		t.Errorf("asked more than once for a plug: %v", got)
	}
}

func TestOpenedModemIsNotTheOne(t *testing.T) {
	s := newStation(t, false, map[string]usb.Want{"front": {IMEI: imeiA}, "back": {ICCID: iccidB}})
	s.plug("1-1", "a", 0)
	s.plug("1-2", "b", 4)
	front, back := s.claims("front", "ttyUSB2"), s.claims("back", "ttyUSB6")
	var wrong *usb.MismatchError
	if err := front.Check(usb.Identity{IMEI: imeiB}, false); !errors.As(err, &wrong) || wrong.SIM {
		t.Errorf("another modem: %v", err)
	}
	if err := back.Check(usb.Identity{IMEI: imeiB}, false); err != nil {
		t.Errorf("before the SIM is read: %v", err)
	}
	if err := back.Check(usb.Identity{IMEI: imeiB}, true); !errors.As(err, &wrong) || !wrong.SIM {
		t.Errorf("a SIM without a number: %v", err)
	}
	if err := back.Check(usb.Identity{IMEI: imeiB, ICCID: "8944100000000000000"}, true); !errors.As(err, &wrong) || !wrong.SIM {
		t.Errorf("another SIM: %v", err)
	}
	s.mu.Lock()
	s.ids["b"] = usb.Identity{IMEI: imeiB, ICCID: "8944100000000000000"}
	s.mu.Unlock()
	back.Release()
	err := s.refuses("back", "holds the SIM …0000 now, and the line is for the SIM …0022: nothing is sent")
	if !errors.As(err, &wrong) || !wrong.SIM {
		t.Errorf("%T", err)
	}
}

// TestNameMovesWhileItIsOpened gives the port of a claimed modem to another
// before the claim is checked.
func TestNameMovesWhileItIsOpened(t *testing.T) {
	s := newStation(t, false, map[string]usb.Want{"front": {Path: "1-1"}})
	s.plug("1-1", "a", 0)
	front := s.claims("front", "ttyUSB2")
	s.bus.Unplug("1-1")
	s.plug("1-2", "b", 0)
	var gone *usb.AbsentError
	if err := front.Check(usb.Identity{IMEI: imeiB}, false); !errors.As(err, &gone) {
		t.Errorf("the name is another's: %v", err)
	}
	front.Release()
	s.bus.Unplug("1-2")
	s.plug("1-1", "a", 4)
	front = s.claims("front", "ttyUSB6")
	if err := front.Check(usb.Identity{IMEI: imeiA}, false); err != nil {
		t.Error(err)
	}
}

func TestModemsThatShareOneIMEI(t *testing.T) {
	s := newStation(t, false, map[string]usb.Want{"front": {IMEI: imeiA}, "back": {Path: "1-2"}})
	s.Add("side", usb.Want{ICCID: iccidB})
	s.mu.Lock()
	s.ids["b"] = usb.Identity{IMEI: imeiA, ICCID: iccidB}
	s.mu.Unlock()
	s.plug("1-1", "a", 0)
	s.plug("1-3", "b", 8)
	s.refuses("front", "use usb_path: 1-1 or 1-3")
	s.claims("side", "ttyUSB10")
}

// TestLinkThatComesLate keeps a new device for the line whose link to it udev
// has not made yet.
func TestLinkThatComesLate(t *testing.T) {
	b := usbtest.New(t)
	link := filepath.Join(b.Dev, "gsm")
	if err := os.WriteFile(filepath.Join(b.Dev, "a"), nil, 0o600); err != nil { // what the nodes lead to
		t.Fatal(err)
	}
	s := &station{t: t, bus: b, ids: map[string]usb.Identity{"a": {IMEI: imeiA, ICCID: iccidA}}}
	s.plug("1-1", "a", 0)
	s.Finder = usb.NewFinder(usb.Options{Tree: tree(b), Ask: s.ask, Auto: true, Every: time.Minute}, map[string]usb.Want{"front": {Port: link}})
	s.run()
	for all, _ := s.Devices(); len(all) == 0; all, _ = s.Devices() {
		<-s.Changed()
	}
	if err := os.Symlink(filepath.Join(b.Dev, "ttyUSB2"), link); err != nil {
		t.Fatal(err)
	}
	s.Add("another", usb.Want{IMEI: imeiB}) // looks at the links again
	if all, _ := s.Devices(); len(all) != 1 || all[0].Line != "front" {
		t.Errorf("%+v", all)
	}
	if got := s.questions(); len(got) != 0 || len(s.Adoptable()) != 0 {
		t.Errorf("asked: %v", got)
	}
}

func TestPathNeedsNoQuestion(t *testing.T) {
	s := newStation(t, false, map[string]usb.Want{"front": {Path: "1-1.3"}})
	s.refuses("front", "nothing is plugged into the USB socket 1-1.3")
	s.plug("1-1.3", "a", 0)
	s.claims("front", "ttyUSB2")
	if got := s.questions(); len(got) != 0 {
		t.Errorf("asked: %v", got)
	}
}

func TestProbingTakesTheLowestPortThatAnswers(t *testing.T) {
	s := newStation(t, false, map[string]usb.Want{"front": {Path: "1-1"}})
	d := quectel("1-1", 0)
	d.ID = "1bc7:1201" // its ports are not in the table
	d.Interfaces[1].Target, d.Interfaces[2].Target, d.Interfaces[3].Target = "mute", "a", "a"
	s.bus.Plug(d)
	s.claims("front", "ttyUSB2")
	got := s.questions()
	got = got[max(0, len(got)-3):] // plugging it in may have taken longer than one look
	if !slices.Equal(got, []string{"ttyUSB0 true", "ttyUSB1 true", "ttyUSB2 true"}) {
		t.Errorf("asked: %v", got)
	}
}

func TestNobodyIsAskedWithoutNeed(t *testing.T) {
	s := newStation(t, true, nil)
	for i, x := range []struct{ id, driver string }{{"1a86:7523", "ch341"}, {"0403:6001", "ftdi_sio"}, {"1234:5678", "option"}, {"2341:0043", "cdc_acm"}} {
		s.bus.Plug(usbtest.Device{Path: fmt.Sprintf("1-%d", i+1), ID: x.id, Interfaces: []usbtest.Interface{{Driver: x.driver, TTY: fmt.Sprintf("ttyUSB%d", i), Target: "a"}}})
	}
	s.bus.Plug(usbtest.Device{Path: "1-8", ID: "12d1:1446", Interfaces: []usbtest.Interface{{Class: "08/06/50", Driver: "usb-storage"}}})
	s.plug("1-9", "b", 10)
	for len(s.Adoptable()) == 0 {
		<-s.Changed()
	}
	if got := s.Adoptable(); len(got) != 1 || got[0].Identity.ICCID != iccidB || got[0].Path != "1-9" {
		t.Errorf("adoptable: %+v", got)
	}
	if got := s.questions(); !slices.Equal(got, []string{"ttyUSB12 false"}) {
		t.Errorf("asked: %v", got)
	}
	all, err := s.Devices()
	if err != nil || len(all) != 6 {
		t.Errorf("%d devices, %v", len(all), err)
	}
}

func TestListedModemsAreNotAdopted(t *testing.T) {
	b := map[string]usb.Want{"front": {Path: "1-1"}, "back": {IMEI: imeiB}}
	s := newStation(t, true, b)
	s.Add("side", usb.Want{Port: s.bus.Dev + "/ttyUSB10"})
	s.plug("1-1", "a", 0)
	s.plug("1-2", "b", 4)
	s.plug("1-3", "c", 8)
	s.claims("back", "ttyUSB6")
	if got := s.Adoptable(); len(got) != 0 {
		t.Errorf("adoptable: %+v", got)
	}
	if got := s.questions(); !slices.Equal(got, []string{"ttyUSB6 false"}) {
		t.Errorf("asked: %v", got)
	}
	s.Add("m-000022", usb.Want{ICCID: iccidB, Adopted: true})
	s.refuses("m-000022", "is used by line back")
}

func TestAdviceOnAPort(t *testing.T) {
	s := newStation(t, false, nil)
	at := func(line, tty string) { s.Add(line, usb.Want{Port: filepath.Join(s.bus.Dev, tty)}) }
	at("diag", "ttyUSB0")
	at("right", "ttyUSB2")
	at("gone", "ttyUSB90")
	s.plug("1-1", "a", 0)
	s.plug("1-2", "b", 8)
	for all, _ := s.Devices(); len(all) < 2 || len(all[1].Ports) < 4; all, _ = s.Devices() {
		time.Sleep(time.Millisecond)
	}
	dev := s.bus.Dev
	for line, want := range map[string]string{
		"diag":   "this is the diag port of Quectel EC21/EC25/EG25/EG9x/BG96/EG06 (2c7c:0125) at 1-1, which takes AT commands on " + dev + "/ttyUSB2",
		"right":  "",
		"gone":   "Quectel EC21/EC25/EG25/EG9x/BG96/EG06 (2c7c:0125) at 1-2 takes AT commands on " + dev + "/ttyUSB10",
		"nobody": "",
	} {
		if got := s.Advise(line); got != want {
			t.Errorf("%s: %q, want %q", line, got, want)
		}
	}
}

// TestAdapterByItsSocket opens an adapter that the configuration names, and
// asks it nothing.
func TestAdapterByItsSocket(t *testing.T) {
	s := newStation(t, true, map[string]usb.Want{"front": {Path: "1-1"}})
	s.bus.Plug(usbtest.Device{Path: "1-1", ID: "1a86:7523", Interfaces: []usbtest.Interface{{Driver: "ch341", TTY: "ttyUSB0", Target: "a"}}})
	s.claims("front", "ttyUSB0")
	if got := s.questions(); len(got) != 0 {
		t.Errorf("asked: %v", got)
	}
}

func TestAnswerIsWaitedFor(t *testing.T) {
	s := newStation(t, false, map[string]usb.Want{"front": {IMEI: imeiA}})
	s.plug("1-1", "late", 0)
	s.refuses("front", "is held by minicom (pid 123)")
	s.mu.Lock()
	s.ids["late"] = usb.Identity{IMEI: imeiA[:14] + "23"} // with the version of its software
	s.mu.Unlock()
	s.claims("front", "ttyUSB2")
}

func TestPortsComeOneByOne(t *testing.T) {
	s := newStation(t, false, map[string]usb.Want{"front": {Path: "1-1"}})
	d := quectel("1-1", 0)
	late := d.Interfaces[2]
	d.Interfaces = d.Interfaces[:2]
	s.bus.Plug(d)
	s.refuses("front", "no port for AT commands")
	s.bus.PlugInterface("1-1", late)
	s.claims("front", "ttyUSB2")
}

func TestSameNumbers(t *testing.T) {
	for _, x := range []struct {
		a, b string
		same bool
	}{
		{iccidA, iccidA, true}, {iccidA, iccidA[:18], true}, {iccidA + "5", iccidA, true}, {iccidA, iccidB, false},
		{iccidA, iccidA[:17], false}, {"", "", false}, {"123", "123", false}, {iccidA + "5", iccidA + "6", false},
	} {
		if usb.SameICCID(x.a, x.b) != x.same || usb.SameICCID(x.b, x.a) != x.same {
			t.Errorf("%s and %s: not %v", x.a, x.b, x.same)
		}
	}
	if !usb.SameIMEI(imeiA, imeiA[:14]+"01") || usb.SameIMEI(imeiA, imeiB) || usb.SameIMEI("", "") {
		t.Error("IMEI")
	}
}
