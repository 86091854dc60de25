package main

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/modemgate/modemgate/configs"
	"github.com/modemgate/modemgate/driver/usb/usbtest"
)

// onUSB makes the port of a modem, a pty, known to sysfs as one of a device.
func (r *usbRig) onUSB(modem int, path, tty string) {
	r.t.Helper()
	pty, err := filepath.EvalSymlinks(r.net.Modems()[modem].Path())
	if err != nil {
		r.t.Fatal(err)
	}
	dir := filepath.Join(r.bus.Sys, "class/tty", filepath.Base(pty))
	if err := os.Mkdir(dir, 0o755); err != nil {
		r.t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(r.bus.Sys, "devices", path, path+":1.2", tty), filepath.Join(dir, "device")); err != nil {
		r.t.Fatal(err)
	}
}

func (r *usbRig) authorized(path string) string {
	b, _ := os.ReadFile(r.bus.Authorized(path))
	return strings.TrimSpace(string(b))
}

// TestModemComesBackAfterAKillWithinItsReset kills the daemon while a reset has
// the USB device switched off: the next start switches it on.
func TestModemComesBackAfterAKillWithinItsReset(t *testing.T) {
	r := newUSBRig(t, 1, "  list: [{name: front, usb_path: 1-1}]\n")
	r.plug(0, "1-1")
	r.onUSB(0, "1-1", "ttyUSB2")
	cfg, _, err := configs.Load(r.file, []string{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	c := socketClient(cfg, filepath.Join(cfg.DataDir, socketName))
	waitUntil(t, "a reset dies while the device is off", func() bool { // on a slow machine it may be over before
		r.in("front", "up", "")
		if _, err := c.do(t.Context(), call{method: http.MethodPost, path: "/v1/lines/front/reset", body: map[string]string{"step": "usb"}}, nil); err != nil {
			t.Fatal(err)
		}
		waitUntil(t, "the device is off", func() bool { return r.authorized("1-1") == "0" })
		_ = r.p.cmd.Process.Kill()
		r.p.exits()
		if r.authorized("1-1") == "0" {
			return true
		}
		r.start()
		return false
	})
	noted := filepath.Join(cfg.DataDir, usbOffName)
	if b, err := os.ReadFile(noted); err != nil || !strings.Contains(string(b), `"2c7c:0125"`) {
		t.Errorf("noted: %s, %v", b, err)
	}
	r.start()
	waitUntil(t, "the device is on", func() bool { return r.authorized("1-1") == "1" })
	waitUntil(t, "nothing is noted", func() bool { _, err := os.Stat(noted); return os.IsNotExist(err) })
	r.p.says("modem 2c7c:0125 at 1-1 was left switched off on USB by a reset, and is switched on again")
	r.in("front", "up", "")
	// What somebody else switches off is left so.
	if err := os.WriteFile(r.bus.Authorized("1-1"), []byte("0"), 0o600); err != nil {
		t.Fatal(err)
	}
	r.stop()
	r.start()
	r.stop()
	if got := r.authorized("1-1"); got != "0" {
		t.Errorf("authorized is %q", got)
	}
}

func TestDoctorTellsWhatIsSwitchedOff(t *testing.T) {
	p := newPatient(t, "")
	for path, id := range map[string]string{"1-1": "2c7c:0125", "1-2": "1e0e:9001", "1-3": "12d1:ffff"} {
		p.bus.Plug(usbtest.Device{Path: path, ID: id})
		if err := os.WriteFile(p.bus.Authorized(path), []byte("0\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	text := `[{"dir":"DIR/1-1","id":"2c7c:0125","plug":"N"},{"dir":"DIR/1-3","id":"12d1:ffff","plug":"N"},{"dir":"DIR/1-4","id":"12d1:ffff","plug":"99"}]`
	for _, path := range []string{"1-1", "1-3"} {
		number, err := os.ReadFile(filepath.Join(filepath.Dir(p.bus.Authorized(path)), "devnum"))
		if err != nil {
			t.Fatal(err)
		}
		text = strings.Replace(text, `"plug":"N"`, `"plug":"`+strings.TrimSpace(string(number))+`"`, 1)
	}
	text = strings.ReplaceAll(text, "DIR", filepath.Join(p.bus.Sys, "devices"))
	if err := os.WriteFile(filepath.Join(p.dir, "d", usbOffName), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p.finds(
		"FAIL usb 1-1: Quectel EC21/EC25/EG25/EG9x/BG96/EG06 (2c7c:0125) at 1-1 is switched off by a reset",
		"warn usb 1-2: SIMCom SIM7000/7100/7500/7600 (1e0e:9001) at 1-2 is switched off, and not by modemgate",
		"FAIL usb 1-3: modem 12d1:ffff is switched off by a reset",
	)
	out := p.examine()
	for _, path := range []string{"1-1", "1-2", "1-3"} {
		if !strings.Contains(out, "echo 1 | sudo tee /sys/bus/usb/devices/"+path+"/authorized") {
			t.Errorf("no command for %s in\n%s", path, out)
		}
	}
	if strings.Contains(out, "1-4") || strings.Contains(out, "no modem is plugged in") || strings.Contains(out, "has no serial port") {
		t.Errorf("it sees things:\n%s", out)
	}
}

// The notes lie where the daemon's user can write, and an operator follows as
// root what doctor says of them.
func TestDoctorBelievesNoForgedNote(t *testing.T) {
	for name, forge := range map[string]func(p *patientRig, noted string) error{
		"a command": func(p *patientRig, noted string) error {
			dir := filepath.Join(p.dir, "1-1; id >&2 #")
			if err := os.Mkdir(dir, 0o755); err != nil {
				return err
			}
			for name, text := range map[string]string{"idVendor": "2c7c", "idProduct": "0125", "devnum": "7", "authorized": "0"} {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(text+"\n"), 0o600); err != nil {
					return err
				}
			}
			text := `[{"dir":"` + dir + `","id":"2c7c:0125","plug":"7"}]`
			return os.WriteFile(noted, []byte(text), 0o600)
		},
		"a pipe": func(_ *patientRig, noted string) error { return unix.Mkfifo(noted, 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			p := newPatient(t, "")
			if err := forge(p, filepath.Join(p.dir, "d", usbOffName)); err != nil {
				t.Fatal(err)
			}
			said := make(chan string, 1)
			go func() { said <- p.examine() }()
			select {
			case out := <-said:
				if !strings.Contains(out, "it is not known what resets have switched off: ") || strings.Contains(out, "id >&2") {
					t.Errorf("doctor says:\n%s", out)
				}
			case <-time.After(limit):
				t.Fatal("doctor hangs")
			}
		})
	}
}
