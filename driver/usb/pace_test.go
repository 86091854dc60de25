package usb_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/modemgate/modemgate/driver/usb"
	"github.com/modemgate/modemgate/driver/usb/usbtest"
)

// TestFoundAndAskedWithinThreeSeconds runs the finder at its own pace, with a
// configured link that leads nowhere, plugs a modem in at several moments of a
// round, and has udev make its links when it does: 0.6 to 1.2 s later, or never.
func TestFoundAndAskedWithinThreeSeconds(t *testing.T) {
	const promised = 3*time.Second - 250*time.Millisecond // the modem takes its time to answer
	for _, phase := range []time.Duration{time.Millisecond, 400 * time.Millisecond, 999 * time.Millisecond} {
		for _, links := range []time.Duration{0, 600 * time.Millisecond, 1200 * time.Millisecond, time.Hour} {
			t.Run(phase.String()+" "+links.String(), func(t *testing.T) {
				b := usbtest.New(t)
				synctest.Test(t, func(t *testing.T) {
					plugged, asked := time.Time{}, make(chan time.Duration, 9)
					f := usb.NewFinder(usb.Options{Tree: tree(b), Auto: true, Ask: func(context.Context, string, bool) (usb.Identity, error) {
						asked <- time.Since(plugged)
						return usb.Identity{IMEI: imeiA, ICCID: iccidA}, nil
					}}, map[string]usb.Want{"away": {Port: filepath.Join(b.Dev, "serial/by-id/away")}})
					defer running(t, f)()
					time.Sleep(20*time.Second + phase)
					plugged = time.Now()
					b.Plug(quectel("1-1", 0))
					udev(t, b, links)
					time.Sleep(time.Minute)
					if len(asked) != 1 {
						t.Fatalf("asked %d times", len(asked))
					}
					if after := <-asked; after > promised {
						t.Errorf("asked %s after the plug", after)
					}
				})
			})
		}
	}
}

// TestModemOfALateLinkIsNotAsked: the link of a line comes as late as udev makes
// it, and the modem that it leads to is left to that line.
func TestModemOfALateLinkIsNotAsked(t *testing.T) {
	for _, phase := range []time.Duration{time.Millisecond, 999 * time.Millisecond} {
		for _, links := range []time.Duration{600 * time.Millisecond, 1200 * time.Millisecond} {
			b := usbtest.New(t)
			synctest.Test(t, func(t *testing.T) {
				f := usb.NewFinder(usb.Options{Tree: tree(b), Auto: true, Ask: func(_ context.Context, port string, _ bool) (usb.Identity, error) {
					t.Errorf("plugged in %s after a look, links %s later: %s is asked", phase, links, port)
					return usb.Identity{IMEI: imeiA, ICCID: iccidA}, nil
				}}, map[string]usb.Want{"front": {Port: filepath.Join(b.Dev, "serial/by-path/usb-0:1-1:1.2-port0")}})
				defer running(t, f)()
				time.Sleep(20*time.Second + phase)
				b.Plug(quectel("1-1", 0))
				udev(t, b, links)
				time.Sleep(time.Minute)
			})
		}
	}
}

// running runs a finder until the returned function is called.
func running(t *testing.T, f *usb.Finder) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); _ = f.Run(ctx) }()
	return func() { cancel(); <-ended }
}

// udev has the links to all ports appear later.
func udev(t *testing.T, b *usbtest.Bus, later time.Duration) {
	dir, away := filepath.Join(b.Dev, "serial"), filepath.Join(b.Dev, "later")
	if later == 0 {
		return
	}
	if err := os.Rename(dir, away); err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(later, func() { _ = os.Rename(away, dir) })
}
