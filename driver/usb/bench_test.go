package usb_test

import (
	"fmt"
	"testing"

	"github.com/modemgate/modemgate/driver/usb"
	"github.com/modemgate/modemgate/driver/usb/usbtest"
)

// BenchmarkLook is what is done every second: the digest, and the scan that
// follows a change, with 16 modems plugged in.
func BenchmarkLook(b *testing.B) {
	bus := usbtest.New(b)
	for i := range 16 {
		bus.Plug(quectel(fmt.Sprintf("1-%d", i+1), 4*i))
	}
	t := usb.Tree{Sys: bus.Sys, Dev: bus.Dev}
	b.Run("digest", func(b *testing.B) {
		for b.Loop() {
			usb.Trace(t)
		}
	})
	b.Run("scan", func(b *testing.B) {
		for b.Loop() {
			if d, err := t.Scan(); err != nil || len(d) != 16 {
				b.Fatal(len(d), err)
			}
		}
	})
}
