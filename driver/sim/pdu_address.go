package sim

import (
	"errors"
	"strings"
	"time"
)

// Types of address, 3GPP TS 23.040 §9.1.2.5 (with the ISDN numbering plan).
const (
	toaInternational = 0x91
	toaUnknown       = 0x81
	toaAlphanumeric  = 0xD0
)

var errShortPDU = errors.New("pdu: fewer octets than its fields need")

const semiOctets = "0123456789*#abc"

// encodeAddress codes an address field of a TPDU: `+digits` as international,
// digits as unknown, anything else as alphanumeric (at most 11 septets).
func encodeAddress(number string) []byte {
	digits, toa := number, byte(toaUnknown)
	if strings.HasPrefix(number, "+") {
		digits, toa = number[1:], toaInternational
	}
	if !isDialable(digits) {
		septets, ok := gsm7Encode(number)
		if !ok {
			septets, _ = gsm7Encode(strings.Map(onlyGSM7, number))
		}
		septets = septets[:min(len(septets), 11)]
		packed := gsm7Pack(septets, 0)
		return append([]byte{byte((len(septets)*7 + 3) / 4), toaAlphanumeric}, packed...)
	}
	return append([]byte{byte(len(digits)), toa}, packDigits(digits)...)
}

func onlyGSM7(r rune) rune {
	if _, ok := gsm7Code[r]; ok {
		return r
	}
	return '?'
}

func isDialable(s string) bool {
	for _, r := range s {
		if !strings.ContainsRune(semiOctets, r) {
			return false
		}
	}
	return s != "" && len(s) <= 20
}

func packDigits(digits string) []byte {
	out := make([]byte, (len(digits)+1)/2)
	for i := range out {
		out[i] = byte(strings.IndexByte(semiOctets, digits[2*i])) | 0xF0
		if 2*i+1 < len(digits) {
			out[i] = out[i]&0x0F | byte(strings.IndexByte(semiOctets, digits[2*i+1]))<<4
		}
	}
	return out
}

// unpackDigits gives n semi-octets of b as digits; fill nibbles are skipped.
func unpackDigits(b []byte, n int) string {
	out := make([]byte, 0, n)
	for i := range n {
		v := b[i/2] >> (4 * (i % 2)) & 0x0F
		if v != 0x0F {
			out = append(out, semiOctets[v])
		}
	}
	return string(out)
}

// decodeAddress reads an address field and gives what follows it.
func decodeAddress(b []byte) (number string, toa byte, rest []byte, err error) {
	if len(b) < 2 {
		return "", 0, nil, errShortPDU
	}
	n, toa := int(b[0]), b[1]
	octets := (n + 1) / 2
	if n > 20 {
		return "", 0, nil, errors.New("pdu: address of more than 20 semi-octets")
	}
	if len(b) < 2+octets {
		return "", 0, nil, errShortPDU
	}
	value, rest := b[2:2+octets], b[2+octets:]
	switch toa & 0x70 {
	case 0x50:
		number = gsm7Decode(gsm7Unpack(value, 0, n*4/7))
	case 0x10:
		number = "+" + unpackDigits(value, n)
	default:
		number = unpackDigits(value, n)
	}
	return number, toa, rest, nil
}

// encodeSCA codes a service centre address as it precedes a TPDU on the
// TE-TA interface (length in octets, 3GPP TS 27.005 §3.1 and 24.011 §8.2.5.2).
func encodeSCA(number string) []byte {
	if number == "" {
		return []byte{0}
	}
	a := encodeAddress(number)
	a[0] = byte(len(a) - 1)
	return a
}

// splitSCA separates the service centre address from the TPDU behind it.
func splitSCA(b []byte) (sca string, tpdu []byte, err error) {
	if len(b) == 0 || len(b) < 1+int(b[0]) || b[0] > 12 {
		return "", nil, errShortPDU
	}
	n := int(b[0])
	if n > 1 {
		sca = unpackDigits(b[2:1+n], (n-1)*2)
		if b[1]&0x70 == 0x10 {
			sca = "+" + sca
		}
	}
	return sca, b[1+n:], nil
}

func swapBCD(n int) byte { return byte(n/10%10 | n%10<<4) }

// encodeTime codes a service centre time stamp (23.040 §9.2.3.11): local time
// and the zone in quarters of an hour, its sign in bit 3.
func encodeTime(t time.Time) []byte {
	_, offset := t.Zone()
	sign := byte(0)
	if offset < 0 {
		sign, offset = 0x08, -offset
	}
	return []byte{
		swapBCD(t.Year() % 100), swapBCD(int(t.Month())), swapBCD(t.Day()),
		swapBCD(t.Hour()), swapBCD(t.Minute()), swapBCD(t.Second()),
		swapBCD(offset/900) | sign,
	}
}

func decodeTime(b []byte) time.Time {
	bcd := func(o byte) int { return int(o&0x0F)*10 + int(o>>4) }
	zone := bcd(b[6]&0xF7) * 900
	if b[6]&0x08 != 0 {
		zone = -zone
	}
	return time.Date(2000+bcd(b[0]), time.Month(bcd(b[1])), bcd(b[2]), bcd(b[3]), bcd(b[4]), bcd(b[5]), 0,
		time.FixedZone("", zone))
}

// timeText gives a time stamp as text mode shows it (27.005 §3.1, <scts>).
func timeText(t time.Time) string {
	_, offset := t.Zone()
	sign := "+"
	if offset < 0 {
		sign, offset = "-", -offset
	}
	q := offset / 900
	return t.Format("06/01/02,15:04:05") + sign + string([]byte{byte('0' + q/10), byte('0' + q%10)})
}
