package store_test

import (
	"bytes"
	"os"
	"testing"

	"github.com/modemgate/modemgate/gateway/store"
)

var testKey = bytes.Repeat([]byte{7}, store.SealKeySize)

func TestMain(m *testing.M) {
	code := m.Run()
	closeBench()
	os.Exit(code)
}
