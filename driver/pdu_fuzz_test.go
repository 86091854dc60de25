package driver

import (
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// FuzzDecode feeds octets as a modem may write them, and anything after them.
func FuzzDecode(f *testing.F) {
	for pdu, length := range map[string]int{
		helloPDU:      28,
		attPDU + "20": -1,
		deliver("47", "0ED049B7F93D6D4E01", "40", "90", "FFFFFFFFFFFFFF", "FF0608040000"):     20,
		testSCA + "0617" + testOA + testSCTS + testSCTS + "00" + strings.Repeat("FF", 20):     176,
		"079124602009999002AB098106845688F8907080517375809070805183018000":                    29,
		"0041010C910661345542F60008A0050003000301306F3044":                                    23,
		deliver("44", testOA, "00", "08", testSCTS, "0A0500030102010041D83D"):                 -1,
		deliver("44", "14D0E10D6FE3DBA036A94D19", "00", "00", testSCTS, "0A0624010125010141"): -1,
	} {
		octets, err := hex.DecodeString(pdu)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(octets, "", length)
	}
	f.Add([]byte{}, "zz ff\r\n0", 1)
	f.Fuzz(func(t *testing.T, octets []byte, tail string, length int) {
		pdu := hexOf(octets) + tail
		d := Decode(pdu, length)
		if d.Kind < Undecodable || d.Kind > Submit {
			t.Errorf("kind %d", d.Kind)
		}
		if d.From.Type == "" || d.To.Type == "" || d.Class < -1 || d.Class > 3 {
			t.Errorf("from %+v to %+v class %d", d.From, d.To, d.Class)
		}
		if (d.Report != nil) != (d.Kind == Report) {
			t.Errorf("%v with report %v", d.Kind, d.Report)
		}
		if d.Kind == Undecodable && (d.Text != "" || len(d.Repairs) == 0) {
			t.Errorf("undecodable, text %q, repairs %q", d.Text, d.Repairs)
		}
		if c := d.Concat; c != nil && (c.Seq < 1 || c.Seq > c.Total || !c.Wide && c.Ref > 255) {
			t.Errorf("part %+v", *c)
		}
		for _, s := range []string{d.Text, d.From.Value, d.To.Value, d.PDU, Join(d)} {
			if !utf8.ValidString(s) {
				t.Errorf("%q is not UTF-8", s)
			}
		}
		if Join(d) != d.Text {
			t.Errorf("joined %q, text %q", Join(d), d.Text)
		}
		if slices.Contains(d.Repairs, "panic") {
			t.Error("only the last net caught it")
		}
		if want := strings.ToUpper(strings.Join(strings.Fields(pdu), "")); utf8.ValidString(want) && d.PDU != want {
			t.Errorf("PDU %q, want %q", d.PDU, want)
		}
		again := Decode(d.PDU, length)
		if again.Kind != d.Kind || again.Text != d.Text || again.From != d.From {
			t.Error("what was kept decodes to something else")
		}
	})
}

// FuzzDecodeStrict puts together PDUs without a fault: they come out as they
// went in, and nothing is called a repair.
func FuzzDecodeStrict(f *testing.F) {
	f.Add("447700900123", byte(0x91), "hello €", int64(1_800_000_000), 0)
	f.Add("12345", byte(0x81), "Привет 😀", int64(1_000_000_000), 8)
	f.Add("0171", byte(0xa1), "aaaaaaa@", int64(1<<31-1), -20)
	f.Fuzz(func(t *testing.T, digits string, toa byte, body string, unix int64, quarters int) {
		e, err := Encode(Text{To: "1", Body: body, MaxParts: maxSegments})
		if err != nil || strings.Trim(digits, "0123456789") != "" || len(digits) > maxAddressDigits || len(digits) == 0 {
			t.Skip()
		}
		toa = 0x80 | toa&0x4f // every type but names
		at := time.Unix(unix&(1<<31-1), 0).In(time.FixedZone("", quarters%56*15*60))
		if at.Year() < 1970 {
			t.Skip()
		}
		var parts []Decoded
		for _, part := range e.Parts {
			end := addressEnd(part, 2)
			pdu := fmt.Sprintf("%s%02X%02X%02X%s00%02X%s%s", testSCA, 0x24|part[0]&0x40, len(digits), toa,
				semioctets(digits), part[end+1], scts(at), hexOf(part[end+2:]))
			d := Decode(pdu, len(pdu)/2-len(testSCA)/2)
			if d.Kind != Deliver || strings.TrimPrefix(d.From.Value, "+") != digits || !d.SentAt.Equal(at) || d.Encoding != e.Encoding {
				t.Errorf("%v from %+v at %v in %s", d.Kind, d.From, d.SentAt, d.Encoding)
			}
			wantRepairs(t, d)
			parts = append(parts, d)
		}
		if got, want := Join(parts...), strings.ReplaceAll(body, "\t", " "); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

// semioctets swaps pairs of digits, the last odd one with a filler.
func semioctets(digits string) string {
	if len(digits)%2 == 1 {
		digits += "F"
	}
	b := []byte(digits)
	for i := 0; i < len(b); i += 2 {
		b[i], b[i+1] = b[i+1], b[i]
	}
	return string(b)
}

// scts writes a TP-SCTS.
func scts(t time.Time) string {
	_, offset := t.Zone()
	quarters, sign := offset/(15*60), 0
	if quarters < 0 {
		quarters, sign = -quarters, 8
	}
	zone := fmt.Sprintf("%X%X", quarters%10, quarters/10|sign)
	return semioctets(t.Format("060102150405")) + zone
}

// FuzzEncode sends any text.
func FuzzEncode(f *testing.F) {
	f.Add("+447700900123", "hello", 1, false, false, int64(300))
	f.Add("12345", strings.Repeat("{", 100), 255, true, true, int64(0))
	f.Add("1", strings.Repeat("a😀", 60), 65535, true, false, int64(1<<40))
	f.Add("1", "a\x1b", -1, false, false, int64(-1))
	f.Fuzz(func(t *testing.T, to, body string, ref int, wide, report bool, seconds int64) {
		validity := time.Duration(seconds%(1<<33)) * time.Second
		e, err := Encode(Text{To: to, Body: body, Ref: ref, Wide: wide, Report: report, Validity: validity, MaxParts: maxSegments})
		if err != nil {
			var long *TooLongError
			if !errors.As(err, &long) && !slices.Contains([]error{ErrBadAddress, ErrEmptyText, ErrControlCharacter, ErrInvalidUTF8, ErrExpired}, err) {
				t.Errorf("unknown error %v", err)
			}
			return
		}
		checkParts(t, e, Text{To: to, Body: body, Ref: ref, Wide: wide, Report: report, Validity: validity})
	})
}

// checkParts holds what Encode made of a text to the standard and decodes it.
func checkParts(t testing.TB, e Encoded, text Text) {
	t.Helper()
	if e.Validity > max(text.Validity, shortestValidity) || (e.Validity == 0) != (text.Validity == 0) {
		t.Errorf("validity %v for %v", e.Validity, text.Validity)
	}
	var parts []Decoded
	for i, part := range e.Parts {
		d := Decode("00"+hexOf(part), len(part))
		wantRepairs(t, d)
		ud := part[addressEnd(part, 2)+2+validityOctets(part[0]):]
		if len(ud)-1 > 140 || part[0]&0x03 != 0x01 || (part[0]&0x20 != 0) != text.Report {
			t.Errorf("part %d: first octet %02X, %d octets of user data", i+1, part[0], len(ud)-1)
		}
		if d.Kind != Submit || d.To.Value != text.To || d.Encoding != e.Encoding || !d.user.whole() {
			t.Errorf("part %d: %v to %+v in %s", i+1, d.Kind, d.To, d.Encoding)
		}
		if c := d.Concat; (c != nil) != (len(e.Parts) > 1) || c != nil && (c.Seq != i+1 || c.Total != len(e.Parts) || c.Wide != text.Wide) {
			t.Errorf("part %d of %d: %+v", i+1, len(e.Parts), c)
		}
		parts = append(parts, d)
	}
	want := strings.ReplaceAll(text.Body, "\t", " ")
	var single string
	for _, d := range parts {
		single += d.Text
	}
	if got := Join(parts...); got != want || single != want {
		t.Errorf("joined %q, part by part %q, want %q", got, single, want)
	}
}

// whole reports whether no character is cut at the end of the text.
func (u userText) whole() bool {
	if u.encoding == encodingGSM7 {
		return len(u.data) == 0 || u.data[len(u.data)-1] != septetEscape
	}
	_, whole := u.decode()
	return whole
}

// Random texts of all lengths up to the cap, in both alphabets.
func TestRoundTrips(t *testing.T) {
	const seven = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCÄÖÑÜ§¿abcäöñüà^{}\\[~]|€"
	const any = seven + "\t😀👩‍🚀ДаあҐ\u200b\uFFFD\uFEFF"
	r := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		from := []rune([]string{seven, any}[r.IntN(2)])
		body := make([]rune, 1+r.IntN(1200))
		for i := range body {
			body[i] = from[r.IntN(len(from))]
		}
		text := Text{To: "+447700900123", Body: string(body), Ref: r.IntN(65536), Wide: r.IntN(2) == 0, Report: r.IntN(2) == 0,
			Validity: time.Duration(r.Int64N(int64(64 * 7 * 24 * time.Hour))), MaxParts: maxSegments}
		checkParts(t, mustEncode(t, text), text)
	}
}
