package sim

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"
	"time"
)

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestSubmitVector(t *testing.T) {
	// The example that 3GPP text books share: "hellohello" to +46708251358.
	b := unhex(t, "11000B916407281553F80000AA0AE8329BFD4697D9EC37")
	s, err := parseSubmit(b)
	if err != nil {
		t.Fatal(err)
	}
	text, c := userData(s.dcs, false, s.udl, s.ud)
	if text != "hellohello" || c != nil || s.to != "+46708251358" {
		t.Errorf("decoded %q to %q", text, s.to)
	}
	if s.validity(time.Time{}) != 4*24*time.Hour {
		t.Errorf("validity %v", s.validity(time.Time{}))
	}
	if !bytes.Equal(s.encode(), b) {
		t.Errorf("encoded again: %X", s.encode())
	}
}

func TestDeliverVector(t *testing.T) {
	_, tpdu, err := splitSCA(unhex(t, "07917283010010F5040BC87238880900F10000993092516195800AE8329BFD4697D9EC37"))
	if err != nil {
		t.Fatal(err)
	}
	d, toa, err := parseDeliver(tpdu)
	if err != nil {
		t.Fatal(err)
	}
	text, _ := userData(d.dcs, d.udhi, d.udl, d.ud)
	if text != "hellohello" || d.from != "27838890001" || toa != 0xC8 {
		t.Errorf("decoded %q from %q (%#x)", text, d.from, toa)
	}
	if got := timeText(d.at); got != "99/03/29,15:16:59+08" {
		t.Errorf("time stamp %s", got)
	}
}

func TestAddresses(t *testing.T) {
	for number, want := range map[string]string{
		"+447700900001": "0C91447700090010",
		"12345":         "05812143F5",
		"InfoSMS":       "0DD049B7F93D6D4E01",
		"*100#":         "05811A00FB",
	} {
		got := encodeAddress(number)
		if upperHex(got) != want {
			t.Errorf("%s: %X, want %s", number, got, want)
		}
		back, _, rest, err := decodeAddress(append(got, 0xAB))
		if err != nil || back != number || len(rest) != 1 {
			t.Errorf("%s comes back as %q with %X left: %v", number, back, rest, err)
		}
	}
	if got, _, _, _ := decodeAddress(encodeAddress("A very long name")); got != "A very long" {
		t.Errorf("a long name: %q", got)
	}
}

func TestTextsSurviveSplitting(t *testing.T) {
	for name, text := range map[string]string{
		"empty":             "",
		"160 septets":       strings.Repeat("a", 160),
		"161 septets":       strings.Repeat("a", 161),
		"escape at the cut": strings.Repeat("a", 152) + "€" + strings.Repeat("b", 100),
		"all of GSM 7-bit":  string(gsm7Basic[:0x1B]) + string(gsm7Basic[0x1C:]) + "^{}\\[~]|€\f",
		"70 UCS2 units":     strings.Repeat("я", 70),
		"pair at the cut":   strings.Repeat("я", 66) + "😀" + strings.Repeat("я", 66),
		"many emoji":        strings.Repeat("😀", 200),
	} {
		for _, wide := range []bool{false, true} {
			var got strings.Builder
			parts := splitText(text, 0xABCD, wide)
			for i, p := range parts {
				piece, c := userData(p.dcs, p.udhi, p.udl, p.ud)
				if len(parts) > 1 && (c == nil || c.seq != i+1 || c.total != len(parts) || c.wide != wide) {
					t.Errorf("%s: part %d has %+v", name, i+1, c)
				}
				if err := checkUserData(p.dcs, p.udl, p.ud, p.udhi); err != nil {
					t.Errorf("%s: %v", name, err)
				}
				if strings.ContainsRune(piece, '\uFFFD') {
					t.Errorf("%s: a character is cut in %q", name, piece)
				}
				got.WriteString(piece)
			}
			if got.String() != text {
				t.Errorf("%s: came back as %q", name, got.String())
			}
		}
	}
}

func TestPartsAreAsManyAsTheStandardSays(t *testing.T) {
	for n, want := range map[int][4]int{160: {1, 1, 3, 3}, 161: {2, 2, 3, 3}, 306: {2, 3, 5, 5}, 70: {1, 1, 1, 1}, 134: {1, 1, 2, 3}} {
		gsm, ucs := strings.Repeat("a", n), strings.Repeat("я", n)
		got := [4]int{len(splitText(gsm, 1, false)), len(splitText(gsm, 1, true)), len(splitText(ucs, 1, false)), len(splitText(ucs, 1, true))}
		if got != want {
			t.Errorf("%d characters: %v parts, want %v", n, got, want)
		}
	}
}

func TestDataCodings(t *testing.T) {
	for dcs, want := range map[byte]struct {
		a     alphabet
		class int
	}{
		0x00: {alphabetGSM7, -1}, 0x08: {alphabetUCS2, -1}, 0x04: {alphabet8Bit, -1}, 0x10: {alphabetGSM7, 0},
		0x18: {alphabetUCS2, 0}, 0x12: {alphabetGSM7, 2}, 0xF0: {alphabetGSM7, 0}, 0xF6: {alphabet8Bit, 2},
		0xE8: {alphabetUCS2, -1}, 0xC8: {alphabetGSM7, -1}, 0x48: {alphabetUCS2, -1}, 0x80: {alphabetGSM7, -1},
	} {
		if alphabetOf(dcs) != want.a || classOf(dcs) != want.class {
			t.Errorf("%#x: %s class %d", dcs, alphabetOf(dcs), classOf(dcs))
		}
	}
}

func FuzzParsePDU(f *testing.F) {
	for _, s := range []string{"11000B916407281553F80000AA0AE8329BFD4697D9EC37", "040BC87238880900F10000993092516195800AE8329BFD4697D9EC37",
		"062304912143F526112212000000261122120000000000", "51000581214365000801050003010201"} {
		b, _ := hex.DecodeString(s)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, err := parseSubmit(b); err == nil {
			again, err := parseSubmit(s.encode())
			if err != nil || again.udl != s.udl || !bytes.Equal(again.ud, s.ud) {
				t.Errorf("a SUBMIT changes when coded again: %v", err)
			}
			userData(s.dcs, s.first&tpUDHI != 0, s.udl, s.ud)
		}
		r := record{tpdu: b, raw: hex.EncodeToString(b)}
		r.fields()
		r.pdu()
	})
}
