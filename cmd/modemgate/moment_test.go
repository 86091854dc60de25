package main

import (
	"strings"
	"testing"
	"time"
)

// What is printed as a time tells its zone, and is taken back as a time.
func TestTimesAreTakenAsTheyArePrinted(t *testing.T) {
	at := time.Date(2026, 5, 1, 9, 30, 0, 0, time.UTC)
	for zone, want := range map[*time.Location]string{
		time.UTC: "2026-05-01 09:30:00Z", time.FixedZone("", 2*3600): "2026-05-01 11:30:00+02:00", time.FixedZone("", -9*1800): "2026-05-01 05:00:00-04:30",
	} {
		printed := whenIn(at, zone)
		var m moment
		var p past
		if printed != want || m.Set(printed) != nil || p.Set(printed) != nil || !m.Equal(at) || !p.Equal(at) {
			t.Errorf("%s: printed %s, read %v and %v", zone, printed, m.Time, p.Time)
		}
	}
	for _, s := range []string{"2026-05-01", "2026-05-01T09:30:00", "2026-05-01 09:30", "09:30", "-2h", "tomorrow", "2026-13-01T00:00:00Z", ""} {
		var m moment
		if err := m.Set(s); err == nil || !strings.Contains(err.Error(), "with its zone, such as") {
			t.Errorf("%q: %v, %v", s, m, err)
		}
	}
}
