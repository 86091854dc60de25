package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestLineTakesOverTheModemThatItsLateLinkLeadsTo has udev make the link to a
// configured line's modem after the modem was adopted.
func TestLineTakesOverTheModemThatItsLateLinkLeadsTo(t *testing.T) {
	r := newUSBRig(t, 1, "  auto: true\n  list: [{name: front, port: DEV/serial/by-id/usb-front}]\n")
	iccid := r.net.Modems()[0].ICCID()
	adopted := "m-" + iccid[len(iccid)-6:]
	r.in("front", "absent", "")
	r.plug(0, "1-1")
	r.in(adopted, "up", "")
	r.send(adopted, "by the adopted one")
	r.arrives(1, 0, "by the adopted one")
	link := filepath.Join(r.bus.Dev, "serial/by-id/usb-front")
	if err := os.MkdirAll(filepath.Dir(link), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("../../ttyUSB2", link); err != nil {
		t.Fatal(err)
	}
	r.in("front", "up", "")
	waitUntil(t, "only the configured line is left", func() bool { return len(r.lines()) == 1 })
	r.send(adopted, "by its old name")
	r.arrives(2, 0, "by its old name")
	if log := r.p.errs.String(); !strings.Contains(log, "gives its modem over to a configured one") {
		t.Errorf("log: %s", log)
	}
	r.stop()
	r.start()
	r.in("front", "up", "")
	if got := r.lines(); len(got) != 1 {
		t.Errorf("lines: %v", got)
	}
	r.stop()
}
