package usb_test

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/modemgate/modemgate/driver/usb/usbtest"
)

// TestTrapP7ListingOpensNoPort has the kernel tell of every open of a device
// node while ports are listed. The modems and an adapter of unknown use are
// there; a port that is opened loses its settings, or its modem is disturbed.
func TestTrapP7ListingOpensNoPort(t *testing.T) {
	b := usbtest.New(t)
	b.Plug(quectel("1-1", 0))
	b.Plug(usbtest.Device{Path: "1-2", ID: "1a86:7523", Interfaces: []usbtest.Interface{{Driver: "ch341", TTY: "ttyUSB9"}}})
	watch, err := unix.InotifyInit1(unix.IN_NONBLOCK | unix.IN_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(watch)
	nodes, err := filepath.Glob(filepath.Join(b.Dev, "ttyUSB*"))
	if err != nil || len(nodes) != 5 {
		t.Fatalf("%d nodes, %v", len(nodes), err)
	}
	for _, node := range nodes {
		if _, err := unix.InotifyAddWatch(watch, node, unix.IN_OPEN); err != nil {
			t.Fatal(err)
		}
	}
	events := make([]byte, 4096)
	if got := scan(t, tree(b)); len(got) != 2 || len(got[0].Ports) != 4 {
		t.Fatalf("scan: %+v", got)
	}
	if n, err := unix.Read(watch, events); err != unix.EAGAIN {
		t.Errorf("a port was opened: %d octets of events, %v", n, err)
	}
	f, err := os.Open(nodes[0])
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	if n, err := unix.Read(watch, events); err != nil || n == 0 {
		t.Errorf("the watch does not see an open: %v", err)
	}
}
