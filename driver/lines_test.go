package driver

import (
	"slices"
	"testing"
)

func TestUnglue(t *testing.T) {
	for line, want := range map[string][]string{
		"OK+CREG: 1": {"OK", "+CREG: 1"}, "OKRING": {"OK", "RING"}, "+CSQ: 21,99^RSSI:17": {"+CSQ: 21,99", "^RSSI:17"},
		"+CRING: VOICE": {"+CRING: VOICE"}, `+COPS: 0,0,"A+CSQ: 1"`: {`+COPS: 0,0,"A+CSQ: 1"`}, "RING": {"RING"},
		"0102+CMTI: \"SM\",3": {"0102", `+CMTI: "SM",3`}, "BROWNSPRING": {"BROWNSPRING"}, "+CPIN: READY": {"+CPIN: READY"},
	} {
		if got := unglue(line); !slices.Equal(got, want) {
			t.Errorf("%q: got %q, want %q", line, got, want)
		}
	}
}
