package driver

import (
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/warthog618/sms/encoding/gsm7"
)

// Fields of the received PDUs the tests put together.
const (
	testSCA  = "0791447758100650"                 // +447785016005
	testOA   = "0C91447700091032"                 // +447700900123
	testSCTS = "62112290000000"                   // 2026-11-22 09:00:00 UTC
	helloUD  = "0AE8329BFD4697D9EC37"             // hellohello
	helloPDU = testSCA + "04" + testOA + "0000" + // a correct SMS-DELIVER
		testSCTS + helloUD
)

// deliver builds an SMS-DELIVER with service centre address from hex fields.
func deliver(first, oa, pid, dcs, scts, ud string) string {
	return testSCA + first + oa + pid + dcs + scts + ud
}

// hexOf is the notation of the expectations.
func hexOf(b []byte) string { return strings.ToUpper(hex.EncodeToString(b)) }

// received turns a TPDU made by Encode into what the other phone gets.
func received(t testing.TB, tpdu []byte) string {
	t.Helper()
	end := addressEnd(tpdu, 2)
	first := fmt.Sprintf("%02X", tpdu[0]&0x40|0x04)
	rest := tpdu[end+2+validityOctets(tpdu[0]):]
	return deliver(first, testOA, "00", fmt.Sprintf("%02X", tpdu[end+1]), testSCTS, hexOf(rest))
}

// mustEncode encodes a text that has no fault.
func mustEncode(t testing.TB, text Text) Encoded {
	t.Helper()
	e, err := Encode(text)
	if err != nil {
		t.Fatalf("Encode: %v", err)
	}
	return e
}

func wantRepairs(t testing.TB, d Decoded, want ...string) {
	t.Helper()
	if got := strings.Join(d.Repairs, "; "); got != strings.Join(want, "; ") {
		t.Errorf("repairs %q, want %q", got, strings.Join(want, "; "))
	}
}

// withHeader puts a user data header before septets ("n, packed") and returns
// TP-UDL and TP-UD of both.
func withHeader(t testing.TB, header, septetsHex string) string {
	t.Helper()
	h, err := hex.DecodeString(header)
	if err != nil {
		t.Fatal(err)
	}
	s, err := hex.DecodeString(septetsHex)
	if err != nil {
		t.Fatal(err)
	}
	text := gsm7.Unpack7Bit(s[1:], 0)[:s[0]]
	skip := (len(h)*8 + 6) / 7
	packed := gsm7.Pack7Bit(text, skip*7-len(h)*8)
	return fmt.Sprintf("%02X%X%X", skip+len(text), h, packed)
}
