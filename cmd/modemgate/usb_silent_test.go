package main

import (
	"errors"
	"log/slog"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/modemgate/modemgate/configs"
	"github.com/modemgate/modemgate/driver"
	"github.com/modemgate/modemgate/driver/sim"
	"github.com/modemgate/modemgate/driver/usb"
	"github.com/modemgate/modemgate/driver/usb/usbtest"
)

// A SIM7600 that hangs until something comes on its other port is woken, and no
// other model is written to there.
func TestModemThatHangsUntilItsOtherPortIsPoked(t *testing.T) {
	for name, c := range map[string]struct {
		id    string // of the USB device
		line  configs.Line
		wakes bool
	}{
		"by socket":     {"1e0e:9001", configs.Line{Name: "front", USBPath: "1-1"}, true},
		"by link":       {"1e0e:9001", configs.Line{Name: "front", Port: "serial/by-path/usb-0:1-1:1.2-port0"}, true},
		"another model": {"2c7c:0125", configs.Line{Name: "front", USBPath: "1-1"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n, err := sim.New(sim.Options{Profile: "sim7600"})
			if err != nil {
				t.Fatal(err)
			}
			defer n.Close()
			modem, bus := n.Modems()[0], usbtest.New(t)
			second, err := modem.HangUntilPoked()
			if err != nil {
				t.Fatal(err)
			}
			bus.Plug(usbtest.Device{Path: "1-1", ID: c.id, Interfaces: []usbtest.Interface{
				{Number: 1, TTY: "ttyUSB1"}, {Number: 2, TTY: "ttyUSB2", Target: modem.Path()}, {Number: 3, TTY: "ttyUSB3", Target: second},
			}})
			if c.line.Port != "" {
				c.line.Port = filepath.Join(bus.Dev, c.line.Port)
			}
			want := usb.Want{Port: c.line.Port, Path: c.line.USBPath}
			a := &app{log: slog.New(slog.DiscardHandler), finder: usb.NewFinder(usb.Options{Tree: usb.Tree{Sys: bus.Sys, Dev: bus.Dev}}, map[string]usb.Want{"front": want})}
			go a.finder.Run(t.Context())
			open := func() (err error) {
				m, err := a.openModem(t.Context(), c.line, driver.Options{CommandTimeout: 2 * time.Second})
				if err == nil {
					err = m.Close()
				}
				return err
			}
			err = open()
			for end := time.Now().Add(limit); (c.wakes && err != nil || errors.Is(err, driver.ErrNoPort)) && time.Now().Before(end); err = open() {
				time.Sleep(10 * time.Millisecond) // the USB has not been looked at yet, or this machine was too slow
			}
			if c.wakes && err != nil || !c.wakes && !errors.Is(err, driver.ErrSilent) {
				t.Errorf("open: %v", err)
			}
			if poked := slices.Contains(modem.Transcript(), "-- poked"); poked != c.wakes {
				t.Errorf("the other port got something: %v", poked)
			}
		})
	}
}
