package driver

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// The expectations were written from 3GPP TS 23.040 and 23.038 by hand; the
// first is the well-known example of both.
func TestEncodeExactly(t *testing.T) {
	for name, tt := range map[string]encodeExample{
		"seven bits with validity": {
			Text{To: "+46708251358", Body: "hellohello", Validity: 4 * 24 * time.Hour},
			[]string{"11000B916407281553F80000AA0AE8329BFD4697D9EC37"},
		},
		"short code":                  {Text{To: "12345", Body: "hi"}, []string{"01000581" + "2143F5" + "000002E834"}},
		"status report":               {Text{To: "12345", Body: "hi", Report: true}, []string{"21000581" + "2143F5" + "000002E834"}},
		"extension table":             {Text{To: "1", Body: "€"}, []string{"01000181F1" + "0000" + "029B32"}},
		"zero septet":                 {Text{To: "1", Body: "@"}, []string{"01000181F1" + "0000" + "0100"}},
		"eighth septet is zero":       {Text{To: "1", Body: "aaaaaaa@"}, []string{"01000181F1" + "0000" + "08E170381C0E8701"}},
		"no filler after 7 septets":   {Text{To: "1", Body: "aaaaaaa"}, []string{"01000181F1" + "0000" + "07E170381C0E8701"}},
		"tab is a space":              {Text{To: "1", Body: "\t"}, []string{"01000181F1" + "0000" + "0120"}},
		"ucs2":                        {Text{To: "1", Body: "Да"}, []string{"01000181F1" + "0008" + "0404140430"}},
		"one character tips to ucs2":  {Text{To: "1", Body: "aҐ"}, []string{"01000181F1" + "0008" + "0400610490"}},
		"surrogate pair":              {Text{To: "1", Body: "😀"}, []string{"01000181F1" + "0008" + "04D83DDE00"}},
		"two parts, 16-bit reference": longExample(true, "11060804ABCE0202E170381C0E87C361"),
		"two parts, 8-bit reference":  longExample(false, "0F050003CE0202C2E170381C0E8701"),
	} {
		t.Run(name, func(t *testing.T) {
			e := mustEncode(t, tt.text)
			if len(e.Parts) != len(tt.want) {
				t.Fatalf("%d parts, want %d", len(e.Parts), len(tt.want))
			}
			for i := range tt.want {
				if got := hexOf(e.Parts[i]); got != tt.want[i] {
					t.Errorf("part %d\n got %s\nwant %s", i+1, got, tt.want[i])
				}
			}
		})
	}
}

type encodeExample = struct {
	text Text
	want []string
}

// longExample is 161 times the letter a, whose parts can be written down: eight
// of them pack into E170381C0E87C3, and one bit further on into the same
// octets after a C2.
func longExample(wide bool, second string) encodeExample {
	const head, run = "41000181F10000", "E170381C0E87C3"
	first := "A0050003CE0201" + "C2" + strings.Repeat(run, 19)
	if wide {
		first = "A0060804ABCE0201" + strings.Repeat(run, 19)
	}
	return encodeExample{
		Text{To: "1", Body: strings.Repeat("a", 161), Ref: 0xABCE, Wide: wide},
		[]string{head + first, head + second},
	}
}

func TestSegmentSizes(t *testing.T) {
	for _, tt := range []struct {
		name  string
		body  string
		wide  bool
		parts int
	}{
		{"160 septets are one part", strings.Repeat("a", 160), false, 1},
		{"161 septets are two", strings.Repeat("a", 161), false, 2},
		{"306 septets are two of 153", strings.Repeat("a", 306), false, 2},
		{"307 septets are three", strings.Repeat("a", 307), false, 3},
		{"304 septets are two of 152", strings.Repeat("a", 304), true, 2},
		{"305 septets are three", strings.Repeat("a", 305), true, 3},
		{"80 extension characters are one", strings.Repeat("€", 80), false, 1},
		{"81 extension characters are two", strings.Repeat("€", 81), false, 2},
		{"70 units are one", strings.Repeat("Д", 70), false, 1},
		{"71 units are two", strings.Repeat("Д", 71), false, 2},
		{"134 units are two of 67", strings.Repeat("Д", 134), false, 2},
		{"135 units are three", strings.Repeat("Д", 135), false, 3},
		{"132 units are two of 66", strings.Repeat("Д", 132), true, 2},
		{"133 units are three", strings.Repeat("Д", 133), true, 3},
		{"35 pairs are one", strings.Repeat("😀", 35), false, 1},
		{"67 pairs are three of at most 33", strings.Repeat("😀", 67), false, 3},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := mustEncode(t, Text{To: "1", Body: tt.body, Wide: tt.wide})
			if len(e.Parts) != tt.parts {
				t.Errorf("%d parts, want %d", len(e.Parts), tt.parts)
			}
			encoding, n, err := Measure(tt.body)
			if err != nil || encoding != e.Encoding || !tt.wide && n != tt.parts {
				t.Errorf("Measure = %s, %d, %v; want %s, %d", encoding, n, err, e.Encoding, tt.parts)
			}
		})
	}
}

func TestMeasureRefusesWhatEncodeRefuses(t *testing.T) {
	for body, want := range map[string]error{"": ErrEmptyText, "a\x1bb": ErrControlCharacter, "\xff": ErrInvalidUTF8} {
		if _, _, err := Measure(body); !errors.Is(err, want) {
			t.Errorf("Measure(%q): %v, want %v", body, err, want)
		}
	}
	var long *TooLongError
	if _, _, err := Measure(strings.Repeat("a", 153*255+1)); !errors.As(err, &long) || long.Parts != 256 || long.Max != 255 {
		t.Errorf("256 parts: %v", err)
	}
	if _, n, err := Measure(strings.Repeat("a", 153*255)); n != 255 || err != nil {
		t.Errorf("255 parts: %d, %v", n, err)
	}
}

func TestErrorsQuoteNothing(t *testing.T) {
	const secret, number = "481516", "+447700900123x"
	for _, text := range []Text{
		{To: number, Body: secret},
		{To: "1", Body: secret + "\x1b"},
		{To: "1", Body: secret + "\xff"},
		{To: "1", Body: secret, Validity: -1},
		{To: "1", Body: strings.Repeat(secret, 500)},
	} {
		_, err := Encode(text)
		if err == nil {
			t.Fatal("no error")
		}
		if strings.Contains(err.Error(), secret) || strings.Contains(err.Error(), "7700900") {
			t.Errorf("error quotes its input: %v", err)
		}
	}
}

// Every octet of TP-VP, both ways: the step is met exactly, and one second
// less gives the step below.
func TestEveryValidityStep(t *testing.T) {
	previous := shortestValidity
	for octet := range 256 {
		var step time.Duration
		switch v := time.Duration(octet); { // the table of 3GPP TS 23.040 §9.2.3.12.1
		case octet <= 143:
			step = (v + 1) * 5 * time.Minute
		case octet <= 167:
			step = 12*time.Hour + (v-143)*30*time.Minute
		case octet <= 196:
			step = (v - 166) * 24 * time.Hour
		default:
			step = (v - 192) * 7 * 24 * time.Hour
		}
		e := mustEncode(t, Text{To: "1", Body: "a", Validity: step})
		if got := int(e.Parts[0][7]); got != octet || e.Validity != step {
			t.Errorf("%v: octet %d, %v; want %d", step, got, e.Validity, octet)
		}
		if e := mustEncode(t, Text{To: "1", Body: "a", Validity: step - time.Second}); e.Validity != previous {
			t.Errorf("%v: %v, want %v", step-time.Second, e.Validity, previous)
		}
		previous = step
	}
}
