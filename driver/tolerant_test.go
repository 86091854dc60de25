package driver

import (
	"strings"
	"testing"
	"time"
)

var testSentAt = time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)

// The rows of TestTrapS14 are what the library rejects whole; here are the
// ways they combine and the limits of what can be repaired.
func TestTolerantCombinations(t *testing.T) {
	for name, tt := range map[string]struct {
		pdu     string
		kind    Kind
		text    string
		repairs string
	}{
		"everything wrong at once": {
			deliver("47", "06D061F118", "00", "8F", "FFFFFFFFFFFFFF", "FF"+"050003010201"+"90"),
			Deliver, "H", "reserved message type read as SMS-DELIVER; reserved data coding scheme read as GSM 7-bit; service centre time stamp unreadable; user data shorter than announced",
		},
		"header cut inside its element": {
			deliver("44", testOA, "00", "08", testSCTS, "06"+"0400030102"+"41"), Deliver, "",
			"broken end of the user data header skipped; half a UCS2 character dropped",
		},
		"header indicator without header": {
			deliver("44", testOA, "00", "00", testSCTS, helloUD), Deliver, "hellohello", "impossible user data header read as text",
		},
		"part number zero": {
			deliver("44", testOA, "00", "08", testSCTS, "08"+"050003010200"+"0041"), Deliver, "A", "impossible part number ignored",
		},
		"part number above the total": {
			deliver("44", testOA, "00", "08", testSCTS, "08"+"050003010203"+"0041"), Deliver, "A", "impossible part number ignored",
		},
		"ends after the time stamp": {
			testSCA + "04" + testOA + "0000" + testSCTS, Deliver, "", "user data missing",
		},
		"ends inside the time stamp": {
			testSCA + "04" + testOA + "0000" + "621122", Deliver, "", "service centre time stamp unreadable; user data missing",
		},
		"ends after the address": {
			testSCA + "04" + testOA, Undecodable, "", "cut before the text",
		},
		"ends inside the address": {
			testSCA + "04" + testOA[:8], Undecodable, "", "cut before the text",
		},
		"only a service centre": {testSCA, Undecodable, "", "reserved message type read as SMS-DELIVER; cut before the text; no service centre address"},
		"nothing":               {"", Undecodable, "", "too short for a message"},
		"one octet":             {"00", Undecodable, "", "cut before the text; no service centre address"},
		"not hexadecimal":       {"zz", Undecodable, "", "cut at a character that is no hex digit; too short for a message"},
		"stored submit with octets after the text": {
			testSCA + "11" + "00" + testOA + "0000" + "A7" + helloUD + "FFFF", Submit, "hellohello", "octets after the user data dropped",
		},
		"stored submit with an impossible validity": {
			testSCA + "19" + "00" + testOA + "0000" + "FFFFFFFFFFFFFF" + helloUD, Submit, "hellohello", "bits without a meaning ignored",
		},
		"report cut before the recipient": {testSCA + "0617", Undecodable, "", "cut before the recipient"},
		"report cut inside the recipient": {testSCA + "0617" + testOA[:6], Undecodable, "", "cut before the recipient"},
		"report cut after the recipient": {
			testSCA + "0617" + testOA, Report, "", "service centre time stamp unreadable; discharge time unreadable; status missing",
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := Decode(tt.pdu, -1)
			if d.Kind != tt.kind || d.Text != tt.text {
				t.Errorf("%v %q, want %v %q", d.Kind, d.Text, tt.kind, tt.text)
			}
			if got := strings.Join(d.Repairs, "; "); got != tt.repairs {
				t.Errorf("repairs %q\n   want %q", got, tt.repairs)
			}
			if d.PDU != strings.ToUpper(tt.pdu) {
				t.Errorf("PDU %q", d.PDU)
			}
		})
	}
}

// A report without status must not count as delivered, whose status is zero.
func TestReportWithoutStatus(t *testing.T) {
	d := Decode(testSCA+"0617"+testOA+testSCTS+testSCTS, -1)
	if d.Kind != Report || d.Report.Outcome() != Unclear || d.Report.Outcome().Final() {
		t.Fatalf("%v, %v", d.Kind, d.Report)
	}
	if d.Report.MR != 0x17 || d.Report.Recipient.Value != "+447700900123" || !d.Report.SentAt.Equal(testSentAt) {
		t.Errorf("%+v", *d.Report)
	}
	wantRepairs(t, d, "status missing")
}

// The address survives when the text does not.
func TestUndecodableKeepsAddress(t *testing.T) {
	if d := Decode(testSCA+"04"+testOA+"00", -1); d.From.Value != "+447700900123" || d.Kind != Undecodable {
		t.Errorf("%v from %+v", d.Kind, d.From)
	}
}

// Cut anywhere, a PDU never gives text it did not have, and never a panic.
func TestEveryTruncation(t *testing.T) {
	whole := strings.Repeat("hellohello ", 12)
	full := received(t, mustEncode(t, Text{To: "1", Body: whole}).Parts[0])
	for end := range len(full) {
		d := Decode(full[:end], len(full)/2-8)
		if !strings.HasPrefix(whole, strings.TrimSuffix(d.Text, "\uFFFD")) {
			t.Errorf("first %d digits: text %q", end, d.Text)
		}
		if len(d.Repairs) == 0 {
			t.Errorf("first %d digits: nothing repaired", end)
		}
		for _, r := range d.Repairs {
			if r == "panic" {
				t.Errorf("first %d digits: the last net caught it", end)
			}
		}
	}
}

func TestLastNet(t *testing.T) {
	d := func() (d Decoded) {
		d = undecoded()
		d.PDU = helloPDU
		defer lastNet(&d)
		panic("index out of range")
	}()
	if d.Kind != Undecodable || d.PDU != helloPDU {
		t.Errorf("%v, PDU %q", d.Kind, d.PDU)
	}
	wantRepairs(t, d, "panic")
}
