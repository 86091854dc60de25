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
	s := newStation(t, true, nil)
	if err := os.WriteFile(filepath.Join(s.bus.Dev, "a"), nil, 0o600); err != nil { // what the node leads to
		t.Fatal(err)
	}
	link := filepath.Join(s.bus.Dev, "front")
	s.Add("front", usb.Want{Port: link})
	s.plug("1-1", "a", 0)
	for len(s.Adoptable()) == 0 {
		<-s.Changed()
	}
	s.Add("m-000014", usb.Want{ICCID: iccidA, Adopted: true})
	c := s.claims("m-000014", "ttyUSB2")
	if got := s.Adopter("front"); got != "" {
		t.Errorf("adopter before the link: %s", got)
	}
	time.Sleep(50 * time.Millisecond) // the finder no longer looks for anything but links
	changed := s.Changed()
	if err := os.Symlink("ttyUSB2", link); err != nil {
		t.Fatal(err)
	}
	select {
	case <-changed:
	case <-time.After(time.Minute):
		t.Fatal("the link is not noticed")
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
