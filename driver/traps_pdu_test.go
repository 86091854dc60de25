package driver

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

// The traps of the PDU library that can reach this package, by number. Those
// of its collector (12, 13) are kept out by not importing it: what is tested
// is that a decoded part carries all that a reassembly needs.

func TestTrapS1_TypeOfAddress(t *testing.T) {
	for to, want := range map[string]string{
		"+447700900123":        "0C91447700091032",
		"12345":                "05812143F5",
		"01712345678":          "0B811017325476F8",
		"00447700900123":       "0E8100447700091032",
		"12345678901234567890": "148121436587092143658709",
	} {
		e := mustEncode(t, Text{To: to, Body: "a"})
		if got := hexOf(e.Parts[0][2:addressEnd(e.Parts[0], 2)]); got != want {
			t.Errorf("%s: address %s, want %s", to, got, want)
		}
	}
	for _, to := range []string{
		"", "+", " ", "+0171234567", "+44 7700 900123", "+44-7700", "(0171)", "0171/234", "++44", "44+", "InfoSMS", "1a", "*100#", "1p",
		"１２３４５", "+４４", "12345\n", "1234567890123456", "123456789012345678901", "+1234567890123456",
	} {
		_, err := Encode(Text{To: to, Body: "a"})
		if bad := len(to) != 16 || to[0] == '+'; bad != errors.Is(err, ErrBadAddress) {
			t.Errorf("%q: %v", to, err)
		}
	}
}

func TestTrapS2_HeaderIndicator(t *testing.T) {
	e := mustEncode(t, Text{To: "1", Body: strings.Repeat("a", 200), Ref: 7})
	for i, part := range e.Parts {
		if part[0]&0x40 == 0 {
			t.Errorf("part %d: first octet %02X without header indicator", i+1, part[0])
		}
	}
	if one := mustEncode(t, Text{To: "1", Body: "a", Ref: 7}); one.Parts[0][0]&0x40 != 0 {
		t.Error("header indicator without header")
	}
}

func TestTrapS3_ReportAndValidity(t *testing.T) {
	e := mustEncode(t, Text{To: "+4912345", Body: "hi", Report: true, Validity: 24 * time.Hour})
	if got, want := hexOf(e.Parts[0]), "31000791942143F50000A702E834"; got != want || e.Validity != 24*time.Hour {
		t.Errorf("got %s for %v, want %s", got, e.Validity, want)
	}
	for _, part := range mustEncode(t, Text{To: "1", Body: strings.Repeat("a", 400), Report: true}).Parts {
		if part[0]&0x20 == 0 {
			t.Error("a part of a long SMS asks for no report")
		}
	}
}

func TestTrapS4_Reference(t *testing.T) {
	for _, tt := range []struct {
		ref    int
		wide   bool
		header string
	}{
		{0xABCE, true, "060804ABCE0201"},
		{0, true, "06080400000201"},
		{0x10001, true, "06080400010201"},
		{0xCE, false, "050003CE0201"},
		{0, false, "050003000201"},
		{0x1FF, false, "050003FF0201"},
	} {
		e := mustEncode(t, Text{To: "1", Body: strings.Repeat("a", 200), Ref: tt.ref, Wide: tt.wide})
		if got := hexOf(e.Parts[0][8 : 8+len(tt.header)/2]); got != tt.header {
			t.Errorf("reference %#x: header %s, want %s", tt.ref, got, tt.header)
		}
		c := Decode("00"+hexOf(e.Parts[1]), -1).Concat
		if c == nil || c.Wide != tt.wide || c.Total != 2 || c.Seq != 2 {
			t.Errorf("reference %#x: second part is %+v", tt.ref, c)
		}
	}
}

func TestTrapS5_TooManyParts(t *testing.T) {
	for _, tt := range []struct {
		septets, max int
		parts, cap   int // of the error, 0 none
	}{
		{39016, 0, 256, 10},
		{39016, 255, 256, 255},
		{39016, 300, 256, 255},
		{45900, 1000, 300, 255},
		{153 * 255, 255, 0, 0},
		{153*10 + 1, 0, 11, 10},
		{153 * 10, 0, 0, 0},
		{161, 1, 2, 1},
	} {
		e, err := Encode(Text{To: "1", Body: strings.Repeat("a", tt.septets), MaxParts: tt.max})
		var long *TooLongError
		if errors.As(err, &long) != (tt.parts > 0) || long != nil && (long.Parts != tt.parts || long.Max != tt.cap) {
			t.Errorf("%d septets in %d parts: %d parts, %v", tt.septets, tt.max, len(e.Parts), err)
		}
	}
}

func TestTrapS6_NoNationalTables(t *testing.T) {
	for _, body := range []string{"ş", strings.Repeat("ş", 100), strings.Repeat("é", 200)} {
		for _, part := range mustEncode(t, Text{To: "1", Body: body}).Parts {
			if part[0]&0x40 != 0 && hexOf(part[8:11]) != "050003" {
				t.Errorf("header starts %X, want the part number alone", part[8:11])
			}
		}
	}
	if e := mustEncode(t, Text{To: "1", Body: "ş"}); e.Encoding != "ucs2" {
		t.Errorf("encoding %s", e.Encoding)
	}
}

func TestTrapS6_NationalTablesKeepTheHeader(t *testing.T) {
	for coding, want := range map[string]string{"gsm7:-/tr": "08240101000309", "gsm7:tr/-": "08250101000309", "gsm7:tr/tr": "0B250101240101000309"} {
		e := mustEncode(t, Text{To: "1", Body: strings.Repeat("ğ", 200), Coding: coding, Ref: 9})
		if len(e.Parts) < 2 {
			t.Fatalf("%s: %d parts", coding, len(e.Parts))
		}
		for i, part := range e.Parts {
			d := Decode(received(t, part), -1)
			if got := hexOf(part[8 : 8+len(want)/2]); part[0]&0x40 == 0 || got != want || d.Concat == nil || d.Concat.Seq != i+1 || strings.Trim(d.Text, "ğ") != "" {
				t.Errorf("%s, part %d: header starts %s, want %s; read as %+v %q", coding, i+1, got, want, d.Concat, d.Text)
			}
		}
	}
}

func TestTrapS7_ControlCharacters(t *testing.T) {
	for body, want := range map[string]error{
		"":             ErrEmptyText,
		"a\x1be":       ErrControlCharacter,
		"\x00":         ErrControlCharacter,
		"a\x7f":        ErrControlCharacter,
		"a\u0085":      ErrControlCharacter,
		"a\f":          ErrControlCharacter,
		"a\x1aДа":      ErrControlCharacter,
		"a\xffb":       ErrInvalidUTF8,
		"\xed\xa0\x80": ErrInvalidUTF8, // a surrogate
		"a\xc3":        ErrInvalidUTF8,
		"a\nb\r\tc":    nil,
		"\uFFFD":       nil,
	} {
		if _, err := Encode(Text{To: "1", Body: body}); !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", body, err, want)
		}
	}
	if d := Decode("00"+hexOf(mustEncode(t, Text{To: "1", Body: "a\tb\n\r"}).Parts[0]), -1); d.Text != "a b\n\r" {
		t.Errorf("tab came out as %q", d.Text)
	}
}

func TestTrapS8_Portuguese(t *testing.T) {
	d := Decode(deliver("44", testOA, "00", "00", testSCTS, withHeader(t, "03240103", "029B0F")), -1)
	if d.Text != "Ê" {
		t.Errorf("single shift 0x1F is %q", d.Text)
	}
	e := mustEncode(t, Text{To: "1", Body: "Ê", Coding: "gsm7:-/pt"})
	if e.Coding != "gsm7:-/pt" {
		t.Fatalf("coded as %s", e.Coding)
	}
	if d := Decode(received(t, e.Parts[0]), -1); d.Text != "Ê" || !strings.HasSuffix(hexOf(e.Parts[0]), "03240103D87C00") { // 0x1B 0x1F after 3 fill bits
		t.Errorf("sent as %X, read as %q", e.Parts[0], d.Text)
	}
}

func TestTrapS9_NothingSplit(t *testing.T) {
	for name, body := range map[string]string{
		"pairs":   "a" + strings.Repeat("😀", 100),
		"escapes": strings.Repeat("€", 200),
	} {
		e := mustEncode(t, Text{To: "1", Body: body})
		if len(e.Parts) < 3 {
			t.Fatalf("%s: %d parts", name, len(e.Parts))
		}
		var text string
		for i, part := range e.Parts {
			d := Decode(received(t, part), -1)
			if strings.Contains(d.Text, "\uFFFD") || name == "escapes" && strings.Trim(d.Text, "€") != "" {
				t.Errorf("%s: part %d is not whole", name, i+1)
			}
			wantRepairs(t, d)
			text += d.Text
		}
		if text != body {
			t.Errorf("%s: parts do not make the text", name)
		}
	}
}

func TestTrapS10_ValidityRoundsDown(t *testing.T) {
	const day = 24 * time.Hour
	for _, tt := range []struct {
		want, effective time.Duration
		octet           byte
	}{
		{time.Nanosecond, 5 * time.Minute, 0},
		{time.Minute, 5 * time.Minute, 0},
		{5 * time.Minute, 5 * time.Minute, 0}, // the library alone makes it 10
		{10*time.Minute - 1, 5 * time.Minute, 0},
		{10 * time.Minute, 10 * time.Minute, 1},
		{12*time.Hour + 29*time.Minute, 12 * time.Hour, 143},
		{36 * time.Hour, day, 167},
		{34 * day, 30 * day, 196},
		{35 * day, 35 * day, 197},
		{1000 * day, 63 * 7 * day, 255},
	} {
		e := mustEncode(t, Text{To: "1", Body: "a", Validity: tt.want})
		if part := e.Parts[0]; e.Validity != tt.effective || part[0] != 0x11 || part[7] != tt.octet {
			t.Errorf("%v: %v, first octet %02X, octet %d; want %v, %d", tt.want, e.Validity, part[0], part[7], tt.effective, tt.octet)
		}
	}
	if e := mustEncode(t, Text{To: "1", Body: "a"}); e.Validity != 0 || e.Parts[0][0] != 0x01 {
		t.Errorf("none: %v, first octet %02X", e.Validity, e.Parts[0][0])
	}
	if _, err := Encode(Text{To: "1", Body: "a", Validity: -time.Second}); !errors.Is(err, ErrExpired) {
		t.Errorf("negative: %v", err)
	}
}

// The tables are generated on first use, so the race needs a process in which
// nothing used them yet. It shows under -race.
func TestTrapS11_CharsetTables(t *testing.T) {
	const fresh = "MODEMGATE_TEST_FRESH"
	if os.Getenv(fresh) == "" {
		cmd := exec.Command(os.Args[0], "-test.run=^TestTrapS11_CharsetTables$", "-test.count=1")
		cmd.Env = append(os.Environ(), fresh+"=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("first use by many: %v\n%s", err, out)
		}
		return
	}
	var all sync.WaitGroup
	start := make(chan struct{})
	pdus := []string{
		helloPDU,
		deliver("04", "06D061F118", "00", "00", testSCTS, helloUD),
		deliver("44", testOA, "00", "00", testSCTS, withHeader(t, "06240101250101", "029B39")),
		deliver("44", testOA, "00", "00", testSCTS, withHeader(t, "06240103250103", "029B0F")),
		deliver("04", testOA, "00", "00", "FFFFFFFFFFFFFF", helloUD),
	}
	for i := range 40 {
		all.Go(func() {
			<-start
			if d := Decode(pdus[i%len(pdus)], -1); d.Kind != Deliver || d.Text == "" {
				t.Errorf("PDU %d: %v", i%len(pdus), d.Kind)
			}
			if _, err := Encode(Text{To: "+447700900123", Body: []string{"€", "ş"}[i%2]}); err != nil {
				t.Error(err)
			}
			if _, _, err := Measure("€"); err != nil {
				t.Error(err)
			}
		})
	}
	close(start)
	all.Wait()
}

// The collector of the library takes both widths of a reference for one.
func TestTrapS12_WidthOfReference(t *testing.T) {
	body := strings.Repeat("a", 200)
	narrow := Decode("00"+hexOf(mustEncode(t, Text{To: "1", Body: body, Ref: 9}).Parts[0]), -1)
	wide := Decode("00"+hexOf(mustEncode(t, Text{To: "1", Body: body, Ref: 9, Wide: true}).Parts[1]), -1)
	if narrow.Concat.Ref != 9 || wide.Concat.Ref != 9 || narrow.Concat.Wide || !wide.Concat.Wide {
		t.Errorf("%+v and %+v", *narrow.Concat, *wide.Concat)
	}
}

// The collector of the library hands out slices it goes on writing to.
func TestTrapS13_JoinSharesNothing(t *testing.T) {
	var parts []Decoded
	body := strings.Repeat("é€", 200)
	for _, part := range mustEncode(t, Text{To: "1", Body: body}).Parts {
		parts = append(parts, Decode(received(t, part), -1))
	}
	first := string(parts[0].user.data)
	grown := parts[0]
	grown.user.data = append(make([]byte, 0, 4096), grown.user.data...) // room that an append would write into
	spare := grown.user.data[:cap(grown.user.data)]
	if got := Join(append([]Decoded{grown}, parts[1:]...)...); got != body {
		t.Error("joined text differs")
	}
	if Join(parts...) != body || string(parts[0].user.data) != first {
		t.Error("joining changed a part")
	}
	for _, b := range spare[len(grown.user.data):] {
		if b != 0 {
			t.Fatal("joining wrote into a part")
		}
	}
}

func TestTrapS14_RejectedByTheLibrary(t *testing.T) {
	const repairedAddress, padding = "address repaired", "padding after the name in an address removed"
	from := Address{"+447700900123", AddressInternational}
	hello := Decoded{Kind: Deliver, From: from, Text: "hellohello", Encoding: "gsm7", SentAt: testSentAt, Class: -1}
	but := func(change func(*Decoded), repairs ...string) Decoded {
		d := hello
		d.Repairs = repairs
		if change != nil {
			change(&d)
		}
		return d
	}
	text := func(encoding, s string) func(*Decoded) {
		return func(d *Decoded) { d.Encoding, d.Text = encoding, s }
	}
	undated := func(d *Decoded) { d.SentAt = time.Time{} }
	sender := func(value, kind string) func(*Decoded) {
		return func(d *Decoded) { d.From = Address{value, kind} }
	}
	for name, tt := range map[string]struct {
		pdu  string
		want Decoded
	}{
		"time stamp with a nibble above 9": {deliver("04", testOA, "00", "00", "62A12290000000", helloUD), but(undated, "service centre time stamp unreadable")},
		"time stamp of FF":                 {deliver("04", testOA, "00", "00", "FFFFFFFFFFFFFF", helloUD), but(undated, "service centre time stamp unreadable")},
		"time stamp of 00":                 {deliver("04", testOA, "00", "00", "00000000000000", helloUD), but(undated, "service centre time stamp unreadable")},
		"zone with a nibble above 9":       {deliver("04", testOA, "00", "00", "621122900000A0", helloUD), but(undated, "service centre time stamp unreadable")},
		"reserved coding group 8":          {deliver("04", testOA, "00", "80", testSCTS, helloUD), but(nil, "reserved data coding scheme read as GSM 7-bit")},
		"reserved coding group B":          {deliver("04", testOA, "00", "BF", testSCTS, helloUD), but(nil, "reserved data coding scheme read as GSM 7-bit")},
		"reserved message type":            {deliver("07", testOA, "00", "00", testSCTS, helloUD), but(nil, "reserved message type read as SMS-DELIVER")},
		"trailing octet":                   {helloPDU + "20", but(nil, "octets after the user data dropped")},
		"trailing FF":                      {helloPDU + strings.Repeat("FF", 130), but(nil, "octets after the user data dropped")},
		"user data short of its length":    {deliver("04", testOA, "00", "00", testSCTS, "A0"+helloUD[2:]), but(text("gsm7", "hellohello"), "user data shorter than announced")},
		"odd UCS2":                         {deliver("04", testOA, "00", "08", testSCTS, "05"+"0414043004"), but(text("ucs2", "Да"), "half a UCS2 character dropped")},
		"UCS2 short of its length":         {deliver("04", testOA, "00", "08", testSCTS, "08"+"0414043004"), but(text("ucs2", "Да"), "user data shorter than announced", "half a UCS2 character dropped")},
		"header longer than the user data": {deliver("44", testOA, "00", "00", testSCTS, helloUD), but(nil, "impossible user data header read as text")},
		"element longer than the header":   {deliver("44", testOA, "00", "08", testSCTS, "06"+"03000301"+"0041"), but(text("ucs2", "A"), "broken end of the user data header skipped")},
		"lone surrogate at the end":        {deliver("04", testOA, "00", "08", testSCTS, "04"+"0041D83D"), but(text("ucs2", "A\uFFFD"), "broken UTF-16 in the text replaced")},
		"lone surrogate before a letter":   {deliver("04", testOA, "00", "08", testSCTS, "06"+"0041D83D0042"), but(text("ucs2", "A\uFFFDB"), "broken UTF-16 in the text replaced")},
		"pair the wrong way round":         {deliver("04", testOA, "00", "08", testSCTS, "04"+"DE00D83D"), but(text("ucs2", "\uFFFD\uFFFD"), "broken UTF-16 in the text replaced")},
		"filler that is no F":              {deliver("04", "0B91447700091002", "00", "00", testSCTS, helloUD), but(sender("+44770090012", AddressInternational), repairedAddress)},
		"F inside the number":              {deliver("04", "0C9144F700091032", "00", "00", testSCTS, helloUD), but(sender("+44700900123", AddressInternational), repairedAddress)},
		"F for the last digit":             {deliver("04", "0C914477000910F2", "00", "00", testSCTS, helloUD), but(sender("+44770090012", AddressInternational), repairedAddress)},
		"name with escapes":                {deliver("04", "14D0E10D6FE3DBA036A94D19", "00", "00", testSCTS, helloUD), but(sender("a[]{}€", AddressAlphanumeric), repairedAddress)},
		"name of seven announced as eight": {deliver("04", "0ED049B7F93D6D4E01", "00", "00", testSCTS, helloUD), but(sender("InfoSMS", AddressAlphanumeric), padding)},
		"name of seven announced as such":  {deliver("04", "0DD049B7F93D6D4E01", "00", "00", testSCTS, helloUD), but(sender("InfoSMS", AddressAlphanumeric))},
		"filler bits that are not zero":    {deliver("04", testOA, "00", "00", testSCTS, "07E170381C0E871B"), but(text("gsm7", "aaaaaaa"), "bits without a meaning ignored")},
	} {
		t.Run(name, func(t *testing.T) {
			got := Decode(tt.pdu, -1)
			tt.want.PDU = tt.pdu
			wantDecoded(t, got, tt.want)
		})
	}
}

func TestTrapS15_WrittenForm(t *testing.T) {
	const bare, differs = "no service centre address", "announced length differs"
	whole, tpdu := helloPDU, helloPDU[len(testSCA):]
	length := len(tpdu) / 2
	for name, tt := range map[string]struct {
		pdu     string
		length  int
		repairs []string
	}{
		"as announced":                        {whole, length, nil},
		"length unknown":                      {whole, -1, nil},
		"empty service centre address":        {"00" + tpdu, length, nil},
		"no service centre address":           {tpdu, length, []string{bare}},
		"none, length unknown":                {tpdu, -1, []string{bare}},
		"none, with a status of none":         {"00" + tpdu[2:], length, []string{bare}},
		"lower case":                          {strings.ToLower(whole), length, nil},
		"blanks around and inside":            {" " + whole[:10] + " " + whole[10:] + "\r\n", length, nil},
		"half an octet more":                  {whole + "F", length, []string{"last half octet dropped"}},
		"length too large":                    {whole, length + 5, []string{differs}},
		"length too small":                    {whole, length - 5, []string{differs}},
		"length with the address":             {whole, len(whole) / 2, []string{differs}},
		"octets after the announced length":   {whole + "FFFF", length, []string{"octets beyond the announced length"}},
		"quotation mark after the last digit": {whole + `"`, length, []string{"cut at a character that is no hex digit"}},
	} {
		t.Run(name, func(t *testing.T) {
			d := Decode(tt.pdu, tt.length)
			if d.Kind != Deliver || d.From.Value != "+447700900123" || d.Text != "hellohello" {
				t.Errorf("%v from %q: %q", d.Kind, d.From.Value, d.Text)
			}
			if want := strings.ToUpper(strings.Join(strings.Fields(tt.pdu), "")); d.PDU != want {
				t.Errorf("PDU %s, want %s", d.PDU, want)
			}
			wantRepairs(t, d, tt.repairs...)
		})
	}
}
