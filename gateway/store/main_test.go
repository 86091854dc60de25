package store_test

import (
	"bytes"
	"fmt"
	"os"
	"testing"

	"github.com/modemgate/modemgate/gateway/store"
)

var testKey = bytes.Repeat([]byte{7}, store.SealKeySize)

// helperEnv makes the test binary play a process that is killed.
const helperEnv = "MODEMGATE_STORE_HELPER"

func TestMain(m *testing.M) {
	if name := os.Getenv(helperEnv); name != "" {
		if err := helpers[name](os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	code := m.Run()
	closeBench()
	os.Exit(code)
}
