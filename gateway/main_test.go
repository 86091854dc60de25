package gateway_test

import (
	"flag"
	"os"
	"runtime"
	"strconv"
	"testing"
)

// The tests of lines wait for modems most of their time, so more of them run
// at once than there are processors.
func TestMain(m *testing.M) {
	if act := os.Getenv(victimEnv); act != "" {
		os.Exit(victim(act))
	}
	flag.Parse()
	if p := flag.Lookup("test.parallel"); p.Value.String() == strconv.Itoa(runtime.GOMAXPROCS(0)) {
		_ = p.Value.Set("8")
	}
	os.Exit(m.Run())
}
