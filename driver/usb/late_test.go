package usb_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/modemgate/modemgate/driver/usb"
	"github.com/modemgate/modemgate/driver/usb/usbtest"
)

// TestPortsThatComeLateAreGivenTimeForTheirLink plugs in a modem whose ports
// come long after the device, since the kernel had to load their driver: from
// then on udev is given its time.
func TestPortsThatComeLateAreGivenTimeForTheirLink(t *testing.T) {
	for name, x := range map[string]struct {
		link bool // there is a configured link, which leads nowhere
		age  time.Duration
		due  int
	}{
		"the link may yet come":  {true, 0, 0},
		"it had its time":        {true, time.Hour, 1},
		"nobody waits for links": {false, 0, 1},
	} {
		t.Run(name, func(t *testing.T) {
			b := usbtest.New(t)
			wants := map[string]usb.Want{}
			if x.link {
				wants["front"] = usb.Want{Port: filepath.Join(b.Dev, "serial/by-id/front")}
			}
			f := usb.NewFinder(usb.Options{Tree: tree(b), Auto: true, Every: time.Minute}, wants)
			d := quectel("1-1", 0)
			late := d.Interfaces
			d.Interfaces = nil
			b.Plug(d)
			f.Look()
			f.Age(time.Hour)
			for _, i := range late {
				b.PlugInterface("1-1", i)
			}
			f.Look()
			f.Age(x.age)
			if got := f.Due(time.Now()); len(got) != x.due {
				t.Errorf("to be asked: %v, want %d", got, x.due)
			}
		})
	}
}

// TestLinkThatComesAfterTheAdoption is noticed, and leads to the adopted line
// that has the modem.
func TestLinkThatComesAfterTheAdoption(t *testing.T) {
	s, link := newLinked(t)
	s.Add("m-000014", usb.Want{ICCID: iccidA, Adopted: true})
	c, err := s.Claim("m-000014")
	if err != nil {
		t.Fatal(err)
	}
	if got := s.Adopter("front"); got != "" {
		t.Errorf("adopter before the link: %s", got)
	}
	changed := s.Changed()
	s.Follow()
	if told(changed) {
		t.Error("told of a link that is not there")
	}
	symlink(t, link)
	if s.Follow(); !told(changed) {
		t.Error("the link is not noticed")
	}
	if got := s.Adopter("front"); got != "m-000014" {
		t.Errorf("adopter: %q", got)
	}
	if got := s.Adopter("nobody"); got != "" {
		t.Errorf("adopter of nobody's port: %q", got)
	}
	c.Release()
	if got := s.Adopter("front"); got != "" {
		t.Errorf("adopter after the release: %q", got)
	}
	s.refuses("m-000014", "the SIM …0014 is in the modem of line front")
	if len(s.Adoptable()) != 0 {
		t.Errorf("adoptable: %v", s.Adoptable())
	}
}

// TestLinkThatAnotherLineLooksAtFirst is told of all the same, when it comes
// and when it goes.
func TestLinkThatAnotherLineLooksAtFirst(t *testing.T) {
	for name, look := range map[string]func(s *station){
		"for its adopter":  func(s *station) { s.Adopter("back") },
		"as it is made":    func(s *station) { s.Add("back", usb.Want{Port: filepath.Join(s.bus.Dev, "back")}) },
		"with all devices": func(s *station) { s.Look() },
	} {
		t.Run(name, func(t *testing.T) {
			s, link := newLinked(t)
			s.Add("back", usb.Want{Port: filepath.Join(s.bus.Dev, "back")})
			if n := len(s.Adoptable()); n != 1 {
				t.Fatalf("%d modems are adoptable before the link", n)
			}
			changed := s.Changed()
			symlink(t, link)
			look(s)
			if s.Follow(); !told(changed) {
				t.Error("nobody is told that the link leads to the modem")
			}
			if all := s.Adoptable(); len(all) != 0 {
				t.Errorf("adoptable: %v", all)
			}
			changed = s.Changed()
			if err := os.Remove(link); err != nil {
				t.Fatal(err)
			}
			look(s)
			if s.Follow(); !told(changed) {
				t.Error("nobody is told that the link has gone")
			}
			if n := len(s.Adoptable()); n != 1 {
				t.Errorf("%d modems are adoptable after the link", n)
			}
			changed = s.Changed()
			look(s)
			if s.Follow(); told(changed) {
				t.Error("told of no change")
			}
		})
	}
}

// newLinked is a finder that looks only when it is told to, with a modem that
// has said who it is, and a line front whose link leads nowhere yet.
func newLinked(t *testing.T) (s *station, link string) {
	t.Helper()
	s = &station{t: t, bus: usbtest.New(t), ids: map[string]usb.Identity{"a": {IMEI: imeiA, ICCID: iccidA}}}
	s.Finder = usb.NewFinder(usb.Options{Tree: tree(s.bus), Ask: s.ask, Auto: true, Every: time.Minute}, nil)
	if err := os.WriteFile(filepath.Join(s.bus.Dev, "a"), nil, 0o600); err != nil { // what the node leads to
		t.Fatal(err)
	}
	link = filepath.Join(s.bus.Dev, "front")
	s.Add("front", usb.Want{Port: link})
	s.plug("1-1", "a", 0)
	s.Look()
	s.Age(time.Hour)
	s.Ask()
	return s, link
}

func symlink(t *testing.T, link string) {
	t.Helper()
	if err := os.Symlink("ttyUSB2", link); err != nil {
		t.Fatal(err)
	}
}

// told says whether a channel is closed.
func told(changed <-chan struct{}) bool {
	select {
	case <-changed:
		return true
	default:
		return false
	}
}
