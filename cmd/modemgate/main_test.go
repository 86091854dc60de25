package main

import (
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain lets scripts run this test binary as modemgate.
func TestMain(m *testing.M) {
	os.Setenv("TZ", "UTC") // golden files hold times; nobody has asked for the zone yet
	testscript.Main(m, map[string]func(){"modemgate": main})
}
