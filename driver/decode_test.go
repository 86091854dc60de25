package driver

import (
	"strings"
	"testing"
	"time"
)

// PDUs that others published, from service centres and modems of many makes.
func TestDecodePublished(t *testing.T) {
	zone := func(hours int) *time.Location { return time.FixedZone("", hours*3600) }
	for name, tt := range map[string]struct {
		pdu    string
		length int
		want   Decoded
	}{
		"deliver": {
			"07917283010010F5040BC87238880900F10000993092516195800AE8329BFD4697D9EC37", 28,
			Decoded{Kind: Deliver, From: Address{"27838890001", AddressUnknown}, Text: "hellohello", Encoding: "gsm7",
				SentAt: time.Date(1999, 3, 29, 15, 16, 59, 0, zone(2)), Class: -1},
		},
		"python-gsmmodem deliver in UTC+8": {
			"07915892000000F0040B915892214365F700007040213252242331493A283D0795C3F33C88FE06C9CB6132885EC6D341EDF27C1E3E97E7207B3A0C0A5241E377BB1D7693E72E", -1,
			Decoded{Kind: Deliver, From: Address{"+85291234567", AddressInternational}, Text: "It is easy to read text messages via AT commands.",
				Encoding: "gsm7", SentAt: time.Date(2007, 4, 12, 23, 25, 42, 0, zone(8)), Class: -1},
		},
		"python-gsmmodem extension table and leading @": {
			"06917228195339040B917228214365F70000313062315352800A800D8A5E98D337A910", -1,
			Decoded{Kind: Deliver, From: Address{"+27821234567", AddressInternational}, Text: "@{tést}!", Encoding: "gsm7",
				SentAt: time.Date(2013, 3, 26, 13, 35, 25, 0, zone(2)), Class: -1},
		},
		"python-gsmmodem stored submit": {
			"07911326040000F0310D0B911326880736F40000A90FF7FBDD454E87CDE1B0DB357EB701", -1,
			Decoded{Kind: Submit, To: Address{"+31628870634", AddressInternational}, Text: "www.diafaan.com", Encoding: "gsm7", Class: -1},
		},
		"python-gsmmodem stored submit in UCS2": {
			"07914346466554F601000B914316565811F9000806304253F68449", -1,
			Decoded{Kind: Submit, To: Address{"+34616585119", AddressInternational}, Text: "あ叶葉", Encoding: "ucs2", Class: -1},
		},
		"python-gsmmodem part of a long SMS": {
			"0591721891F1400781721881F800003160526104848059050003C30101916536FB1DCABEEB2074D85E064941B19CAB060319A5C522289C96D3D3ED32286C0FA7D96131BBEC024941B19CAB0603DDD36C36A88C87A7E565D0DB0D82C55EB0DB4B068BCD5C20", -1,
			Decoded{Kind: Deliver, From: Address{"2781188", AddressUnknown}, Encoding: "gsm7",
				Text:   "Hello!You have R 19.50 FREE airtime available. R 19.50 will expire on 01/07/2013. ",
				Concat: &Concat{Ref: 0xC3, Total: 1, Seq: 1}, SentAt: time.Date(2013, 6, 25, 16, 40, 48, 0, zone(2)), Class: -1},
		},
		"python-gsmmodem 8-bit data": {
			"0591721891F101000B917228214365F700040C48656C6C6F20776F726C6421", -1,
			Decoded{Kind: Submit, To: Address{"+27821234567", AddressInternational}, Encoding: "8bit", Class: -1},
		},
		"python-gsmmodem user data length and address length too long": {
			"0041010C910661345542F60008A0050003000301306F3044", -1,
			Decoded{Kind: Submit, To: Address{"+60164355246", AddressInternational}, Text: "はい", Encoding: "ucs2",
				Concat: &Concat{Total: 3, Seq: 1}, Class: -1, Repairs: []string{"address repaired", "user data shorter than announced"}},
		},
		"python-gsmmodem report": {
			"0006D60B911326880736F4111011719551401110117195714000", 25,
			Decoded{Kind: Report, Report: &StatusReport{MR: 0xD6, Recipient: Address{"+31628870634", AddressInternational},
				SentAt:       time.Date(2011, 1, 11, 17, 59, 15, 0, zone(1)),
				DischargedAt: time.Date(2011, 1, 11, 17, 59, 17, 0, zone(1))}, Class: -1},
		},
		"python-gsmmodem report with two message references": {
			"0297F1061C0F910B487228297020F5317062419272803170624192138000", -1,
			Decoded{Kind: Report, Report: &StatusReport{MR: 0x1C, Recipient: Address{"+#08427829207025", AddressInternational},
				SentAt:       time.Date(2013, 7, 26, 14, 29, 27, 0, zone(2)),
				DischargedAt: time.Date(2013, 7, 26, 14, 29, 31, 0, zone(2))}, Class: -1},
		},
		"python-gsmmodem report with a zone that is no number": {
			"0006230E9126983575169498610103409544C26101034095448200", -1,
			Decoded{Kind: Report, Report: &StatusReport{MR: 0x23, Recipient: Address{"+62895357614989", AddressInternational},
				DischargedAt: time.Date(2016, 10, 30, 4, 59, 44, 0, zone(7))}, Class: -1,
				Repairs: []string{"service centre time stamp unreadable"}},
		},
		"gammu report padded to the SIM record": {
			"079124602009999002AB098106845688F8907080517375809070805183018000" + strings.Repeat("FF", 144), 29,
			Decoded{Kind: Report, Report: &StatusReport{MR: 0xAB, Recipient: Address{"604865888", AddressUnknown},
				SentAt:       time.Date(2009, 7, 8, 15, 37, 57, 0, zone(2)),
				DischargedAt: time.Date(2009, 7, 8, 15, 38, 10, 0, zone(2))}, Class: -1,
				Repairs: []string{"octets after the status report dropped", "announced length differs"}},
		},
		"gammu stored submit with a reserved scheme": {
			"07919761989901F031000B919761084218F200F9FF12042204350441044200200054006500730074", -1,
			Decoded{Kind: Submit, To: Address{"+79168024812", AddressInternational}, Text: "Тест Test", Encoding: "ucs2", Class: 1,
				Repairs: []string{"reserved data coding scheme read as UCS2"}},
		},
		"AT&T last part, filled up with a space": {
			attPDU, -1,
			Decoded{Kind: Deliver, From: Address{"201", AddressUnknown}, Text: "anage your account at att.com/myprepaid", Encoding: "gsm7",
				Concat: &Concat{Ref: 7830, Wide: true, Total: 2, Seq: 2}, SentAt: time.Date(2021, 11, 3, 14, 31, 33, 0, zone(-7)), Class: -1,
				Repairs: []string{"bits without a meaning ignored"}},
		},
		"AT&T last part and an octet after it": {
			attPDU + "20", 64,
			Decoded{Kind: Deliver, From: Address{"201", AddressUnknown}, Text: "anage your account at att.com/myprepaid", Encoding: "gsm7",
				Concat: &Concat{Ref: 7830, Wide: true, Total: 2, Seq: 2}, SentAt: time.Date(2021, 11, 3, 14, 31, 33, 0, zone(-7)), Class: -1,
				Repairs: []string{"octets after the user data dropped", "announced length differs"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := Decode(tt.pdu, tt.length)
			tt.want.PDU = tt.pdu
			wantDecoded(t, got, tt.want)
		})
	}
}

const attPDU = "07912180958739F144038102F100001211304113338A2F0608041E9602026177F85C06E5DF7539283C1EBFEB6E3A284C0785E974D7F8DD7EB5F37079191E4E9341"

// wantDecoded compares what a caller can see. The raw time stamp is compared
// when want has one.
func wantDecoded(t testing.TB, got, want Decoded) {
	t.Helper()
	for _, a := range []*Address{&want.From, &want.To} {
		if a.Type == "" {
			a.Type = AddressNone
		}
	}
	if got.Kind != want.Kind || got.From != want.From || got.To != want.To || got.Text != want.Text || got.Encoding != want.Encoding ||
		got.Class != want.Class || got.Silent != want.Silent || got.PDU != want.PDU {
		t.Errorf("got  %v %+v %+v %q %s class %d silent %v\nwant %v %+v %+v %q %s class %d silent %v",
			got.Kind, got.From, got.To, got.Text, got.Encoding, got.Class, got.Silent,
			want.Kind, want.From, want.To, want.Text, want.Encoding, want.Class, want.Silent)
	}
	if want.Report != nil && got.Report != nil {
		if !got.SentAt.Equal(got.Report.SentAt) {
			t.Errorf("sent at %v and %v", got.SentAt, got.Report.SentAt)
		}
		want.SentAt = want.Report.SentAt
		if !got.Report.DischargedAt.Equal(want.Report.DischargedAt) {
			t.Errorf("discharged at %v, want %v", got.Report.DischargedAt, want.Report.DischargedAt)
		}
		if g, w := got.Report, want.Report; g.MR != w.MR || g.Recipient != w.Recipient || g.Status != w.Status {
			t.Errorf("report %+v, want %+v", *g, *w)
		}
	}
	if (got.Report == nil) != (want.Report == nil) {
		t.Errorf("report %v, want %v", got.Report, want.Report)
	}
	if !got.SentAt.Equal(want.SentAt) || want.SCTSRaw != "" && got.SCTSRaw != want.SCTSRaw {
		t.Errorf("sent at %v (%s), want %v (%s)", got.SentAt, got.SCTSRaw, want.SentAt, want.SCTSRaw)
	}
	switch {
	case (got.Concat == nil) != (want.Concat == nil):
		t.Errorf("concat %v, want %v", got.Concat, want.Concat)
	case got.Concat != nil && *got.Concat != *want.Concat:
		t.Errorf("concat %+v, want %+v", *got.Concat, *want.Concat)
	}
	wantRepairs(t, got, want.Repairs...)
}

func TestDecodeProtocolAndScheme(t *testing.T) {
	for name, tt := range map[string]struct {
		pid, dcs, ud string
		class        int
		silent       bool
		encoding     string
		text         string
	}{
		"plain":                    {"00", "00", helloUD, -1, false, "gsm7", "hellohello"},
		"class 0":                  {"00", "10", helloUD, 0, false, "gsm7", "hellohello"},
		"class 0, coding group F":  {"00", "F0", helloUD, 0, false, "gsm7", "hellohello"},
		"class 0 in UCS2":          {"00", "18", "0204AB", 0, false, "ucs2", "ҫ"},
		"class 2":                  {"00", "F2", helloUD, 2, false, "gsm7", "hellohello"},
		"type 0":                   {"40", "00", helloUD, -1, true, "gsm7", "hellohello"},
		"replace type 1":           {"41", "00", helloUD, -1, false, "gsm7", "hellohello"},
		"8-bit data":               {"00", "04", "03010203", -1, false, "8bit", ""},
		"8-bit data, class 1":      {"00", "F5", "03010203", 1, false, "8bit", ""},
		"compressed":               {"00", "20", helloUD, -1, false, "8bit", ""},
		"message waiting":          {"00", "C8", helloUD, -1, false, "gsm7", "hellohello"},
		"message waiting in UCS2":  {"00", "E0", "0204AB", -1, false, "ucs2", "ҫ"},
		"automatic deletion":       {"00", "40", helloUD, -1, false, "gsm7", "hellohello"},
		"reserved alphabet":        {"00", "0C", helloUD, -1, false, "gsm7", "hellohello"},
		"no text":                  {"00", "00", "00", -1, false, "gsm7", ""},
		"unknown extension":        {"00", "00", "029B20", -1, false, "gsm7", "A"},
		"dangling escape is blank": {"00", "00", "011B", -1, false, "gsm7", " "},
	} {
		t.Run(name, func(t *testing.T) {
			d := Decode(deliver("04", testOA, tt.pid, tt.dcs, testSCTS, tt.ud), -1)
			if d.Kind != Deliver || d.Class != tt.class || d.Silent != tt.silent || d.Encoding != tt.encoding || d.Text != tt.text {
				t.Errorf("got %v class %d silent %v %s %q", d.Kind, d.Class, d.Silent, d.Encoding, d.Text)
			}
			wantRepairs(t, d)
		})
	}
}

func TestDecodeNationalTables(t *testing.T) {
	for name, tt := range map[string]struct{ header, septets, want string }{
		"Turkish single shift":    {"03240101", "029B39", "ş"}, // escape, 0x73
		"Turkish locking shift":   {"03250101", "0107", "ı"},   // 0x07
		"Spanish single shift":    {"03240102", "029B20", "Á"}, // escape, 0x41
		"Portuguese both":         {"06240103250103", "0151", "Q"},
		"unknown language":        {"0324017F", "0141", "A"},
		"no such table, locking":  {"03250102", "0141", "A"},
		"element of wrong length": {"0424020101", "0141", "A"},
	} {
		t.Run(name, func(t *testing.T) {
			d := Decode(deliver("44", testOA, "00", "00", testSCTS, withHeader(t, tt.header, tt.septets)), -1)
			if d.Text != tt.want {
				t.Errorf("text %q, want %q", d.Text, tt.want)
			}
			wantRepairs(t, d)
		})
	}
}

func TestDecodeAddresses(t *testing.T) {
	for name, tt := range map[string]struct {
		oa   string
		want Address
	}{
		"international":        {"0C91447700091032", Address{"+447700900123", AddressInternational}},
		"odd number of digits": {"0B917228214365F7", Address{"+27821234567", AddressInternational}},
		"national":             {"0AA11092997856", Address{"0129998765", AddressNational}},
		"short code":           {"0481" + "2143", Address{"1234", AddressUnknown}},
		"network specific":     {"0AB11092997856", Address{"0129998765", AddressUnknown}},
		"star and hash":        {"0481" + "AA1B", Address{"**#1", AddressUnknown}},
		"name":                 {"06D061F118", Address{"abc", AddressAlphanumeric}},
		"name of eight":        {"0ED04669D0397C26A7", Address{"FRANCOIS", AddressAlphanumeric}},
		"name with a space":    {"06D0619018", Address{"a b", AddressAlphanumeric}},
		"none":                 {"0080", Address{"", AddressNone}},
	} {
		t.Run(name, func(t *testing.T) {
			d := Decode(deliver("04", tt.oa, "00", "00", testSCTS, helloUD), -1)
			if d.From != tt.want || d.Text != "hellohello" {
				t.Errorf("from %+v, want %+v; text %q", d.From, tt.want, d.Text)
			}
		})
	}
}

func TestJoin(t *testing.T) {
	part := func(seq, total, dcs, ud string) Decoded {
		return Decode(deliver("44", testOA, "00", dcs, testSCTS, ud[:2]+"050003"+"01"+total+seq+ud[2:]), -1)
	}
	high, low := part("01", "02", "08", "0A0061D83D"), part("02", "02", "08", "0ADE000062")
	if got := Join(high, low); got != "a😀b" {
		t.Errorf("pair split by the sender: %q", got)
	}
	if got := Join(high); got != "a\uFFFD" {
		t.Errorf("first half alone: %q", got)
	}
	third := part("03", "03", "08", "0ADE000062")
	if got := Join(part("01", "03", "08", "0A0061D83D"), third); got != "a\uFFFD\uFFFDb" {
		t.Errorf("halves around a missing part: %q", got)
	}
	// seven bits: 'a' then an escape, and the euro sign's second half
	esc := part("01", "02", "00", "09C21B")
	euro := part("02", "02", "00", "08CA")
	if got := Join(esc, euro); got != "a€" {
		t.Errorf("escape split by the sender: %q", got)
	}
	if got := Join(esc, low); got != "a \uFFFDb" {
		t.Errorf("parts in two alphabets: %q", got)
	}
	if got := Join(); got != "" {
		t.Errorf("nothing: %q", got)
	}
}
