package driver_test

import (
	"errors"
	"os"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/modemgate/modemgate/driver"
)

// A SIM7600 may be silent on its AT port until something comes on the other one
// (botletics issue 298).
func TestSilentUntilItsOtherPortIsPoked(t *testing.T) {
	for name, c := range map[string]struct {
		named       func(second string) string // nil: Sibling is not set
		held, poked bool
	}{
		"named":     {named: func(second string) string { return second }, poked: true},
		"held":      {named: func(second string) string { return second }, held: true},
		"not there": {named: func(string) string { return "/dev/no-such-port" }},
		"none":      {named: func(string) string { return "" }},
		"not asked": {},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newStation(t, "sim7600")
			path, err := r.sim.HangUntilPoked()
			if err != nil {
				t.Fatal(err)
			}
			r.sim.Restart() // does not help
			if c.held {
				other, err := os.OpenFile(path, os.O_RDWR|unix.O_NOCTTY, 0)
				if err != nil {
					t.Fatal(err)
				}
				defer other.Close()
				if err := unix.Flock(int(other.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
					t.Fatal(err)
				}
			}
			o := driver.Options{Port: r.sim.Path(), CommandTimeout: 2 * time.Second}
			if c.named != nil {
				o.Sibling = func() string { return c.named(path) }
			}
			m, err := driver.Open(t.Context(), o)
			for end := time.Now().Add(hangs); c.poked && err != nil && time.Now().Before(end); {
				m, err = driver.Open(t.Context(), o) // this machine was too slow for it
			}
			if err == nil {
				err = m.Close()
			}
			if c.poked != (err == nil) || err != nil && !errors.Is(err, driver.ErrSilent) {
				t.Errorf("open: %v", err)
			}
			if poked := slices.Contains(r.sim.Transcript(), "-- poked"); poked != c.poked {
				t.Errorf("the other port got something: %v", poked)
			}
		})
	}
}
