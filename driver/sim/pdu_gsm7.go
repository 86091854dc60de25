package sim

import "unicode/utf8"

// gsm7Basic is the default alphabet of 3GPP TS 23.038 §6.2.1; 0x1B escapes to
// the extension table.
var gsm7Basic = [128]rune{
	'@', '£', '$', '¥', 'è', 'é', 'ù', 'ì', 'ò', 'Ç', '\n', 'Ø', 'ø', '\r', 'Å', 'å',
	'Δ', '_', 'Φ', 'Γ', 'Λ', 'Ω', 'Π', 'Ψ', 'Σ', 'Θ', 'Ξ', 0x1B, 'Æ', 'æ', 'ß', 'É',
	' ', '!', '"', '#', '¤', '%', '&', '\'', '(', ')', '*', '+', ',', '-', '.', '/',
	'0', '1', '2', '3', '4', '5', '6', '7', '8', '9', ':', ';', '<', '=', '>', '?',
	'¡', 'A', 'B', 'C', 'D', 'E', 'F', 'G', 'H', 'I', 'J', 'K', 'L', 'M', 'N', 'O',
	'P', 'Q', 'R', 'S', 'T', 'U', 'V', 'W', 'X', 'Y', 'Z', 'Ä', 'Ö', 'Ñ', 'Ü', '§',
	'¿', 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm', 'n', 'o',
	'p', 'q', 'r', 's', 't', 'u', 'v', 'w', 'x', 'y', 'z', 'ä', 'ö', 'ñ', 'ü', 'à',
}

// gsm7Extension is the extension table of 3GPP TS 23.038 §6.2.1.1.
var gsm7Extension = map[byte]rune{
	0x0A: '\f', 0x14: '^', 0x28: '{', 0x29: '}', 0x2F: '\\',
	0x3C: '[', 0x3D: '~', 0x3E: ']', 0x40: '|', 0x65: '€',
}

const gsm7Escape = 0x1B

// gsm7Code gives the one septet, or escape and septet, of each rune.
var gsm7Code = func() map[rune][]byte {
	codes := make(map[rune][]byte, 138)
	for i, r := range gsm7Basic {
		if i != gsm7Escape {
			codes[r] = []byte{byte(i)}
		}
	}
	for c, r := range gsm7Extension {
		codes[r] = []byte{gsm7Escape, c}
	}
	return codes
}()

// gsm7Encode gives the septets of text; false if a rune has none.
func gsm7Encode(text string) ([]byte, bool) {
	septets := make([]byte, 0, len(text))
	for _, r := range text {
		c, ok := gsm7Code[r]
		if !ok {
			return nil, false
		}
		septets = append(septets, c...)
	}
	return septets, true
}

// gsm7Decode gives the text of septets. An unknown extension is shown as the
// character of the basic table, as 23.038 §6.2.1.1 asks; a lone escape at the
// end as a space.
func gsm7Decode(septets []byte) string { return tables{}.decode(septets) }

func (t tables) decode(septets []byte) string {
	out := make([]byte, 0, len(septets)+8)
	for i := 0; i < len(septets); i++ {
		c := septets[i] & 0x7F
		if c != gsm7Escape {
			out = utf8.AppendRune(out, t.basic(c))
			continue
		}
		i++
		if i == len(septets) {
			out = append(out, ' ')
			break
		}
		c = septets[i] & 0x7F
		switch r, ok := t.extension(c); {
		case ok:
			out = utf8.AppendRune(out, r)
		case c == gsm7Escape:
			out = append(out, ' ')
		default:
			out = utf8.AppendRune(out, t.basic(c))
		}
	}
	return string(out)
}

// gsm7Pack packs septets into octets after fill zero bits (23.038 §6.1.2.1.1).
func gsm7Pack(septets []byte, fill int) []byte {
	out := make([]byte, (len(septets)*7+fill+7)/8)
	bit := fill
	for _, s := range septets {
		v := uint16(s&0x7F) << (bit % 8)
		out[bit/8] |= byte(v)
		if v > 0xFF {
			out[bit/8+1] |= byte(v >> 8)
		}
		bit += 7
	}
	return out
}

// gsm7Unpack gives n septets of octets after fill bits; fewer if octets end.
func gsm7Unpack(octets []byte, fill, n int) []byte {
	out := make([]byte, 0, n)
	for bit := fill; len(out) < n && bit+7 <= len(octets)*8; bit += 7 {
		v := uint16(octets[bit/8])
		if bit/8+1 < len(octets) {
			v |= uint16(octets[bit/8+1]) << 8
		}
		out = append(out, byte(v>>(bit%8))&0x7F)
	}
	return out
}
