package driver

import (
	"encoding/hex"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/warthog618/sms/encoding/gsm7/charset"
)

// encoded codes a text and reads it back, joined and part by part.
func encoded(t *testing.T, text Text) (e Encoded, joined string, parts []Decoded) {
	t.Helper()
	text.To, text.MaxParts = "+447700900001", 255
	e, err := Encode(text)
	if err != nil {
		t.Fatal(err)
	}
	for _, tpdu := range e.Parts {
		d := Decode("00"+hex.EncodeToString(tpdu), len(tpdu))
		if len(d.Repairs) != 0 || d.Kind != Submit {
			t.Fatalf("our own part is odd: %+v", d)
		}
		parts = append(parts, d)
	}
	return e, Join(parts...), parts
}

// nationalTexts are texts that the table of each language has throughout.
var nationalTexts = map[string]string{
	"tr": "Şifreniz çok güçlü değil, lütfen İĞŞ harflerini ığş ile değiştirin. ",
	"es": "Su código es válido: á í ó ú Á Í Ó Ú ç. ",
	"pt": "Seu código não é válido: ã õ Ã Õ â ê ô Â Ê Ô ÀÁÉÍÓÚ ªº. ",
	"hi": "आपका कोड है, किसी को मत बताना ",
	"bn": "আপনার কোড কাউকে বলবেন না ", "ta": "உங்கள் குறியீடு ", "ur": "آپ کا کوڈ ",
}

func TestNationalTablesSavePartsAndReadBack(t *testing.T) {
	for language, body := range nationalTexts {
		t.Run(language, func(t *testing.T) {
			long := strings.Repeat(body, 150/utf8.RuneCountInString(body)) // one part of septets, three of UCS2
			without, _, _ := encoded(t, Text{Body: long})
			with, joined, _ := encoded(t, Text{Body: long, National: nationalLanguages})
			if joined != long {
				t.Errorf("read back as %q", joined)
			}
			if len(with.Parts) >= len(without.Parts) || with.Encoding != "gsm7" {
				t.Errorf("%s: %d parts with tables (%s), %d without", language, len(with.Parts), with.Coding, len(without.Parts))
			}
			kept, joined, _ := encoded(t, Text{Body: long, Coding: with.Coding})
			if joined != long || !slices.EqualFunc(kept.Parts, with.Parts, func(a, b []byte) bool { return string(a) == string(b) }) {
				t.Errorf("%s did not give the same parts again", with.Coding)
			}
			if coding, n, err := (Text{Body: long, National: nationalLanguages}).Measure(); err != nil || coding != with.Coding || n != len(with.Parts) {
				t.Errorf("measured as %s, %d parts, %v", coding, n, err)
			}
		})
	}
}

// Every character of every table goes out and comes back.
func TestEveryCharacterOfEveryNationalTable(t *testing.T) {
	warmCharsets()
	for nli, language := range nationalLanguages {
		for coding, table := range map[string]charset.Encoder{
			"gsm7:" + language + "/-": lockingEncoders[nli+1], "gsm7:-/" + language: shiftEncoders[nli+1],
		} {
			if len(table) == 0 {
				t.Errorf("%s has no characters", coding)
			}
			for r := range table {
				if unicode.IsControl(r) || r == '\r' || r == '\n' {
					continue
				}
				e, joined, _ := encoded(t, Text{Body: string(r), Coding: coding})
				if joined != string(r) || e.Coding != coding {
					t.Errorf("%s: %q was coded as %s and read as %q", coding, r, e.Coding, joined)
				}
			}
		}
	}
}

func TestNationalTablesAreLeftAloneWhereTheySaveNothing(t *testing.T) {
	for name, text := range map[string]Text{
		"one part anyway":          {Body: "Şifreniz 123456", National: []string{"tr"}},
		"the default alphabet":     {Body: strings.Repeat("plain text ", 40), National: nationalLanguages},
		"not asked for":            {Body: strings.Repeat(nationalTexts["tr"], 3)},
		"another language's table": {Body: strings.Repeat(nationalTexts["hi"], 5), National: []string{"tr", "es"}},
		"a language of no table":   {Body: strings.Repeat(nationalTexts["tr"], 3), National: []string{"de", ""}},
		"a coding of nonsense":     {Body: strings.Repeat(nationalTexts["tr"], 3), Coding: "gsm7:xx/yy"},
		"a coding that lacks it":   {Body: strings.Repeat(nationalTexts["tr"], 3), Coding: "gsm7"},
	} {
		if e, joined, _ := encoded(t, text); strings.Contains(e.Coding, ":") || joined != text.Body {
			t.Errorf("%s: coded as %s, read as %q", name, e.Coding, joined)
		}
	}
}

// The header elements are those of 3GPP TS 23.040 §9.2.3.24.15 and .16, in hex.
func TestNationalHeaderOnTheWire(t *testing.T) {
	e, _, _ := encoded(t, Text{Body: "ğ", Coding: "gsm7:-/tr", Ref: 1})
	if got := hex.EncodeToString(e.Parts[0]); !strings.Contains(got, "03240101") {
		t.Errorf("the single shift table is not announced: %s", got)
	}
	e, _, _ = encoded(t, Text{Body: "ğ", Coding: "gsm7:tr/-", Ref: 1})
	if got := hex.EncodeToString(e.Parts[0]); !strings.Contains(got, "03250101") {
		t.Errorf("the locking shift table is not announced: %s", got)
	}
}

func TestCharactersStayWholeBetweenParts(t *testing.T) {
	for name, c := range map[string]struct{ whole string }{
		"a family": {"👨‍👩‍👧‍👦"}, "a skin tone": {"👋🏽"}, "a flag": {"🇬🇧"}, "a flag of tags": {"🏴󠁧󠁢󠁳󠁣󠁴󠁿"},
		"a keycap": {"1️⃣"}, "an accent": {"é"}, "a heart": {"❤️‍🔥"}, "devanagari": {"क्षि"},
	} {
		t.Run(name, func(t *testing.T) {
			for shift := range 67 {
				body := strings.Repeat("я", 60+shift) + strings.Repeat("ж"+c.whole, 12)
				_, joined, parts := encoded(t, Text{Body: body})
				if joined != body {
					t.Fatalf("read back as %q", joined)
				}
				plain := segmentsOfRunes(body)
				if len(parts) > plain {
					t.Fatalf("%d parts, %d are enough", len(parts), plain)
				}
				for _, d := range parts[:len(parts)-1] {
					if cutOff := !strings.HasSuffix(d.Text, c.whole) && !strings.HasSuffix(d.Text, "ж") && !strings.HasSuffix(d.Text, "я"); cutOff && mayMove(body, plain) {
						t.Fatalf("a part ends in %q", d.Text[max(0, len(d.Text)-12):])
					}
				}
			}
		})
	}
}

// segmentsOfRunes counts the parts that are needed when only surrogate pairs
// are kept whole.
func segmentsOfRunes(body string) int {
	n, size := 1, 0
	for _, r := range body {
		width := 1
		if r > 0xFFFF {
			width = 2
		}
		if size += width; size > 67 {
			n, size = n+1, width
		}
	}
	return n
}

// mayMove tells whether every part could end a sequence earlier at no cost.
func mayMove(body string, parts int) bool {
	units := 0
	for _, r := range body {
		if units++; r > 0xFFFF {
			units++
		}
	}
	return units <= parts*(67-14)
}

func TestWideReferences(t *testing.T) {
	body := strings.Repeat("0123456789", 40)
	e, joined, parts := encoded(t, Text{Body: body, Wide: true, Ref: 0xABCD})
	if joined != body || len(e.Parts) != 3 || parts[2].Concat == nil || *parts[2].Concat != (Concat{Ref: 0xABCD, Wide: true, Total: 3, Seq: 3}) {
		t.Errorf("%d parts, the last %+v", len(e.Parts), parts[2].Concat)
	}
	// 306 septets are two parts with a reference of 8 bits, not with one of 16.
	if _, n, err := (Text{Body: body[:306], Wide: true}).Measure(); n != 3 || err != nil {
		t.Errorf("306 septets measured as %d parts, %v", n, err)
	}
	if _, n, err := Measure(body[:306]); n != 2 || err != nil {
		t.Errorf("306 septets measured as %d parts, %v", n, err)
	}
}

func FuzzTextsReadBack(f *testing.F) {
	for language, body := range nationalTexts {
		f.Add(strings.Repeat(body, 4), language, false)
	}
	f.Add("👨‍👩‍👧‍👦🇬🇧 €{}[]", "tr", true)
	f.Fuzz(func(t *testing.T, body, language string, wide bool) {
		e, err := Encode(Text{To: "+1", Body: body, National: []string{language}, Wide: wide, MaxParts: 255})
		if err != nil {
			return
		}
		var parts []Decoded
		for _, tpdu := range e.Parts {
			if len(tpdu) > maxTPDU {
				t.Fatalf("a part of %d octets", len(tpdu))
			}
			parts = append(parts, Decode("00"+hex.EncodeToString(tpdu), len(tpdu)))
		}
		if got, want := Join(parts...), strings.ReplaceAll(body, "\t", " "); got != want {
			t.Fatalf("%q was read back as %q (%s)", want, got, e.Coding)
		}
	})
}
