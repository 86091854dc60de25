package main

import (
	"cmp"
	"flag"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/modemgate/modemgate/driver/usb"
)

// TestMain lets scripts run this test binary as modemgate. The tests wait for
// modems, disks and processes most of their time, so more of them run at once
// than there are processors.
func TestMain(m *testing.M) {
	os.Setenv("TZ", "UTC") // golden files hold times; nobody has asked for the zone yet
	// What is plugged into this machine is nobody's to talk to.
	usbEvery = 50 * time.Millisecond
	usbTree = usb.Tree{Sys: cmp.Or(os.Getenv("TEST_USB_SYS"), "/nowhere"), Dev: cmp.Or(os.Getenv("TEST_USB_DEV"), "/nowhere")}
	if d, err := time.ParseDuration(os.Getenv("TEST_STOP_PATIENCE")); err == nil {
		stopPatience = d
	}
	if filepath.Base(os.Args[0]) != "modemgate" {
		flag.Parse()
		if p := flag.Lookup("test.parallel"); p.Value.String() == strconv.Itoa(runtime.GOMAXPROCS(0)) {
			_ = p.Value.Set("4")
		}
	}
	testscript.Main(suite{m}, map[string]func(){"modemgate": main})
}

// suite runs the tests and removes what they have built for each other.
type suite struct{ *testing.M }

func (s suite) Run() int {
	const dir = "TEST_PRODUCT_DIR" // set by the first test that builds
	os.Unsetenv(dir)               // of a test that has started this one
	defer func() { os.RemoveAll(os.Getenv(dir)) }()
	return s.M.Run()
}
