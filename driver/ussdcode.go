package driver

import (
	"encoding/hex"
	"strings"
	"unicode"
	"unicode/utf16"

	"github.com/warthog618/sms/encoding/gsm7"
)

// Data coding schemes of AT+CUSD (3GPP TS 23.038 §5).
const (
	ussdDefault = 15 // default alphabet, no language
	ussdUCS2    = 72 // general group, UCS2
)

// ussdAlphabet names the alphabet of a cell broadcast data coding scheme,
// which USSD uses (3GPP TS 23.038 §5); language says that two characters of
// language come before the text. Reserved values are the default alphabet.
func ussdAlphabet(dcs int) (encoding string, language bool) {
	switch {
	case dcs == 0x10:
		return encodingGSM7, true
	case dcs == 0x11:
		return encodingUCS2, true
	case dcs&0xC0 == 0x40 || dcs&0xF0 == 0x90:
		switch dcs >> 2 & 3 {
		case 1:
			return encoding8Bit, false
		case 2:
			return encodingUCS2, false
		}
	case dcs&0xF0 == 0xF0 && dcs&4 != 0:
		return encoding8Bit, false
	}
	return encodingGSM7, false
}

// packUSSD makes packed septets in hex of a text; ok is false when the
// default alphabet has not all of its characters. Where seven bits are left,
// they are a CR: zeros would be an "@" more (3GPP TS 23.038 §6.1.2.3.1).
func packUSSD(text string) (packed string, ok bool) {
	warmCharsets()
	septets, err := gsm7.Encode([]byte(text))
	if err != nil {
		return "", false
	}
	if n := len(septets); n%8 == 7 || n > 0 && n%8 == 0 && septets[n-1] == '\r' {
		septets = append(septets, '\r')
	}
	return strings.ToUpper(hex.EncodeToString(gsm7.Pack7Bit(septets, 0))), true
}

// unpackUSSD reads packed septets. What fills the last octet is no text: a CR,
// or the "@" of a network that fills with zeros.
func unpackUSSD(b []byte) string {
	warmCharsets()
	septets := make([]byte, 0, len(b)*8/7)
	for i := range len(b) * 8 / 7 {
		bit := i * 7
		v := uint16(b[bit/8])
		if bit/8+1 < len(b) {
			v |= uint16(b[bit/8+1]) << 8
		}
		septets = append(septets, byte(v>>(bit%8))&0x7F)
	}
	if n := len(septets); n > 0 && n%8 == 0 && (septets[n-1] == '\r' || septets[n-1] == 0) {
		septets = septets[:n-1]
	}
	return decodeGSM7(septets, 0, 0)
}

// hexUCS2 is a text as AT+CSCS="UCS2" writes it.
func hexUCS2(text string) string {
	const digits = "0123456789ABCDEF"
	var b strings.Builder
	for _, u := range utf16.Encode([]rune(text)) {
		for shift := 12; shift >= 0; shift -= 4 {
			b.WriteByte(digits[u>>shift&15])
		}
	}
	return b.String()
}

// decodeUSSD reads the text of a +CUSD. Modems give it in the characters of
// AT+CSCS, as packed septets in hex, or as UCS2 in hex, and what the scheme
// says does not tell which: packed is what the family is known to do.
func decodeUSSD(raw string, dcs int, packed bool) string {
	octets, err := hex.DecodeString(raw)
	if err != nil || len(raw) == 0 {
		return tidyUSSD(raw)
	}
	alphabet, language := ussdAlphabet(dcs)
	switch alphabet {
	case encodingUCS2:
		if language && len(octets) > 2 {
			octets = octets[2:]
		}
		if text, whole := decodeUTF16(octets); whole {
			return tidyUSSD(text)
		}
	case encoding8Bit:
		if text := latin1(octets); readable(text) {
			return tidyUSSD(text)
		}
	case encodingGSM7:
		return tidyUSSD(hexOrText(raw, octets, packed, language))
	}
	return tidyUSSD(raw)
}

// hexOrText decides what hex digits under a scheme of the default alphabet
// are. A text of digits alone, such as an own number, looks like hex too.
func hexOrText(raw string, octets []byte, packed, language bool) string {
	unpacked := unpackUSSD(octets)
	if language {
		unpacked = strings.TrimPrefix(unpacked[min(2, len(unpacked)):], "\r")
	}
	if packed {
		return unpacked
	}
	wide, whole := decodeUTF16(octets)
	switch digits := strings.Trim(raw, "0123456789") == ""; {
	case whole && len(octets) >= 4 && readable(wide) && mostlyLatin(octets):
		return wide
	case !digits && len(octets) >= 4 && readable(unpacked):
		return unpacked
	}
	return raw
}

// mostlyLatin says whether most of the code units are below 256, which a text
// in the default alphabet, packed or not, never looks like.
func mostlyLatin(octets []byte) bool {
	n := 0
	for i := 0; i < len(octets); i += 2 {
		if octets[i] == 0 {
			n++
		}
	}
	return 4*n > len(octets)
}

// readable says whether a text is one that a network would show.
func readable(text string) bool {
	for _, r := range text {
		if r == unicode.ReplacementChar || r != '\n' && r != '\r' && !unicode.IsPrint(r) {
			return false
		}
	}
	return text != ""
}

func latin1(b []byte) string {
	r := make([]rune, len(b))
	for i, c := range b {
		r[i] = rune(c)
	}
	return string(r)
}

// tidyUSSD makes a menu of lines of it: line ends come as LF, CR LF and CR.
func tidyUSSD(text string) string {
	text = strings.NewReplacer("\r\n", "\n", "\n\r", "\n", "\r", "\n").Replace(strings.ToValidUTF8(text, "\uFFFD"))
	return strings.TrimRight(text, "\n\x00")
}
