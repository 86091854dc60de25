package driver

import (
	"encoding/hex"
	"testing"
	"time"
)

func TestOutcomes(t *testing.T) {
	for _, tt := range []struct {
		from, to byte
		want     Outcome
		final    bool
	}{
		{0x00, 0x00, Delivered, true},
		{0x01, 0x01, Forwarded, true},
		{0x02, 0x02, Replaced, true},
		{0x03, 0x1f, Forwarded, true},
		{0x20, 0x3f, StillTrying, false},
		{0x40, 0x5f, Failed, true},
		{0x60, 0x7f, Failed, true},
		{0x80, 0xff, Unclear, false},
	} {
		for st := int(tt.from); st <= int(tt.to); st++ {
			r := StatusReport{Status: byte(st)}
			if got := r.Outcome(); got != tt.want || got.Final() != tt.final {
				t.Errorf("status %#02x: %v, final %v; want %v, %v", st, got, got.Final(), tt.want, tt.final)
			}
		}
	}
}

func TestTimestamps(t *testing.T) {
	for octets, want := range map[string]string{
		"62112290000000": "2026-11-22T09:00:00Z",
		"7040213252242B": "2007-04-12T23:25:42-08:00", // 32 quarters, sign in bit 3
		"70402132522423": "2007-04-12T23:25:42+08:00",
		"62112290000032": "2026-11-22T09:00:00+05:45", // 23 quarters
		"99309251619580": "1999-03-29T15:16:59+02:00",
		"42209200000000": "2024-02-29T00:00:00Z",
		"62112290000097": "2026-11-22T09:00:00+19:45",
		"62209200000000": "", // no leap year
		"00000000000000": "", // no such month and day
		"62311190000000": "", // month 13
		"62112242000000": "", // hour 24
		"62112290060000": "", // minute 60
		"62112290000600": "", // second 60
		"6A112290000000": "",
		"A6112290000000": "",
		"FFFFFFFFFFFFFF": "",
		"621122900000A0": "", // the zone is no number
		"621122900000FF": "",
		"621122900000":   "",
		"":               "",
	} {
		b, err := hex.DecodeString(octets)
		if err != nil {
			t.Fatal(err)
		}
		got, ok := readTimestamp(b)
		if ok != (want != "") || ok && got.Format(time.RFC3339) != want || !ok && !got.IsZero() {
			t.Errorf("%s: %v, %v; want %q", octets, got, ok, want)
		}
	}
}
