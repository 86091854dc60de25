package main

import (
	"flag"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain lets scripts run this test binary as modemgate. The tests wait for
// modems, disks and processes most of their time, so more of them run at once
// than there are processors.
func TestMain(m *testing.M) {
	os.Setenv("TZ", "UTC") // golden files hold times; nobody has asked for the zone yet
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
	const dir = "MODEMGATE_TEST_PRODUCT" // set by the first test that builds
	os.Unsetenv(dir)                     // of a test that has started this one
	defer func() { os.RemoveAll(os.Getenv(dir)) }()
	return s.M.Run()
}
