package sim

import (
	"encoding/hex"
	"unicode/utf16"
)

// toHost writes a text in the character set of +CSCS.
func (m *Modem) toHost(s *session, text string) string {
	switch s.set.cscs {
	case "UCS2":
		return upperHex(encodeUTF16(utf16.Encode([]rune(text))))
	case "GSM":
		if septets, ok := gsm7Encode(text); ok {
			return string(septets)
		}
	}
	return asciiOnly(text)
}

func asciiOnly(text string) string {
	out := []byte{}
	for _, r := range text {
		if r > 0x7E {
			r = '?'
		}
		out = append(out, byte(r))
	}
	return string(out)
}

// fromHost reads a text in the character set of +CSCS.
func (m *Modem) fromHost(s *session, text string) string {
	switch s.set.cscs {
	case "UCS2":
		if b, err := hex.DecodeString(text); err == nil && len(b)%2 == 0 {
			return decodeUTF16(b)
		}
	case "GSM":
		return gsm7Decode([]byte(text))
	}
	return text
}

// textSeptets gives the septets of a text-mode body.
func (m *Modem) textSeptets(s *session, text string) []byte {
	if s.set.cscs == "GSM" {
		return []byte(text)
	}
	septets, ok := gsm7Encode(m.fromHost(s, text))
	if !ok {
		runes := []rune(m.fromHost(s, text))
		for i, r := range runes {
			runes[i] = onlyGSM7(r)
		}
		septets, _ = gsm7Encode(string(runes))
	}
	return septets
}

// bodyToHost writes the body of a message as text mode does: GSM 7-bit by
// +CSCS, the other alphabets as hex (27.005 §3.1, <data>).
func (m *Modem) bodyToHost(s *session, f fields) string {
	switch alphabetOf(f.dcs) {
	case alphabetUCS2:
		return upperHex(encodeUTF16(utf16.Encode([]rune(f.text))))
	case alphabet8Bit:
		return upperHex([]byte(f.text))
	}
	return m.toHost(s, f.text)
}
