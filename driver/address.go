package driver

import (
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/warthog618/sms/encoding/gsm7"
	"github.com/warthog618/sms/encoding/tpdu"
)

// Types of an [Address].
const (
	AddressInternational = "international"
	AddressNational      = "national"
	AddressAlphanumeric  = "alphanumeric"
	AddressUnknown       = "unknown"
	AddressNone          = "none"
)

// Lengths of a number in digits: ITU-T E.164 §6 and 3GPP TS 23.040 §9.1.2.5.
const (
	maxInternationalDigits = 15
	maxAddressDigits       = 20
)

// Type-of-address octets for ISDN numbers (3GPP TS 23.040 §9.1.2.5).
const (
	toaInternational = 0x91
	toaUnknown       = 0x81
)

// ErrBadAddress says that a destination is not a number an SMS can go to.
var ErrBadAddress = errors.New("bad destination: need + and 1 to 15 digits not starting with 0, or 1 to 20 digits without +; remove everything else")

// Address is the other end of an SMS, as the network gave it.
type Address struct {
	Value string // "+4479…", digits, a name such as "InfoSMS", or ""
	Type  string // AddressInternational …
}

// destination makes the TP-DA of a number: type international with a plus
// sign, unknown without, which short codes and national numbers need.
func destination(number string) (tpdu.Address, error) {
	digits, plus := strings.CutPrefix(number, "+")
	toa, most := byte(toaUnknown), maxAddressDigits
	if plus {
		toa, most = toaInternational, maxInternationalDigits
	}
	if len(digits) == 0 || len(digits) > most || plus && digits[0] == '0' {
		return tpdu.Address{}, ErrBadAddress
	}
	for i := range len(digits) {
		if digits[i] < '0' || digits[i] > '9' {
			return tpdu.Address{}, ErrBadAddress
		}
	}
	return tpdu.Address{TOA: toa, Addr: digits}, nil
}

// readAddress names what the library or [tolerantAddress] decoded. Padded says
// that a trailing '@' was removed: a name of seven septets leaves seven zero
// bits in its last octet, and senders that count octets announce them as an
// eighth septet, which reads '@'.
func readAddress(toa byte, value string) (a Address, padded bool) {
	ton := tpdu.Address{TOA: toa}.TypeOfNumber()
	if ton == tpdu.TonAlphanumeric {
		if name, cut := strings.CutSuffix(value, "@"); cut && utf8.RuneCountInString(value)%8 == 0 {
			value, padded = name, true
		}
	}
	switch {
	case value == "":
		return Address{Type: AddressNone}, padded
	case ton == tpdu.TonAlphanumeric:
		return Address{value, AddressAlphanumeric}, padded
	case ton == tpdu.TonInternational:
		return Address{"+" + value, AddressInternational}, padded
	case ton == tpdu.TonNational:
		return Address{value, AddressNational}, padded
	}
	return Address{value, AddressUnknown}, padded
}

// tolerantAddress reads an address value of n semi-octets. It keeps what can
// be kept of digits with a wrong or missing filler and of names with escapes.
func tolerantAddress(toa byte, n int, b []byte) (value string, repaired bool) {
	if (tpdu.Address{TOA: toa}).TypeOfNumber() == tpdu.TonAlphanumeric {
		return tolerantName(n, b)
	}
	const digits = "0123456789*#abc"
	var s strings.Builder
	for i := range n {
		d := b[i/2] >> (4 * (i % 2)) & 0x0f
		if int(d) >= len(digits) { // filler inside the number
			repaired = true
			continue
		}
		s.WriteByte(digits[d])
	}
	return s.String(), repaired || n%2 == 1 && b[n/2]>>4 != 0x0f
}

// tolerantName reads a name of n semi-octets in the default alphabet with its
// extension table, which the library refuses in an address.
func tolerantName(n int, b []byte) (name string, repaired bool) {
	septets := gsm7.Unpack7Bit(b, 0)
	septets = septets[:min(len(septets), n*4/7)]
	for _, s := range septets {
		repaired = repaired || s == septetEscape
	}
	return decodeGSM7(septets, 0, 0), repaired
}
