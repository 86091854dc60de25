package sim

import (
	"unicode/utf16"
	"unicode/utf8"
)

type alphabet string

const (
	alphabetGSM7  alphabet = "gsm7"
	alphabet8Bit  alphabet = "8bit"
	alphabetUCS2  alphabet = "ucs2"
	noClass                = -1
	maxUserOctets          = 140
)

// alphabetOf reads the alphabet of a data coding scheme (3GPP TS 23.038 §4);
// reserved codings count as the default alphabet.
func alphabetOf(dcs byte) alphabet {
	switch {
	case dcs < 0x80: // general data coding, with or without automatic deletion
		switch {
		case dcs&0x20 != 0: // compressed: opaque here
			return alphabet8Bit
		case dcs>>2&3 == 1:
			return alphabet8Bit
		case dcs>>2&3 == 2:
			return alphabetUCS2
		}
	case dcs >= 0xF0:
		if dcs&0x04 != 0 {
			return alphabet8Bit
		}
	case dcs >= 0xE0:
		return alphabetUCS2
	}
	return alphabetGSM7
}

// classOf reads the message class of a data coding scheme, noClass if none.
func classOf(dcs byte) int {
	if dcs < 0x80 && dcs&0x10 != 0 || dcs >= 0xF0 {
		return int(dcs & 3)
	}
	return noClass
}

// concat is the concatenation element of a user data header (23.040
// §9.2.3.24.1 and .8).
type concat struct {
	ref        int
	wide       bool
	total, seq int
}

// userData takes user data apart for display.
func userData(dcs byte, udhi bool, udl int, ud []byte) (text string, c *concat) {
	header := 0
	var t tables
	if udhi && len(ud) > 0 {
		header = min(1+int(ud[0]), len(ud))
		c, t = parseConcat(ud[1:header]), findTables(ud[1:header])
	}
	switch alphabetOf(dcs) {
	case alphabetGSM7:
		skip := (header*8 + 6) / 7
		return t.decode(gsm7Unpack(ud[header:], skip*7-header*8, max(udl-skip, 0))), c
	case alphabetUCS2:
		return decodeUTF16(ud[header:]), c
	}
	return string(ud[header:]), c
}

func parseConcat(ie []byte) *concat {
	for len(ie) >= 2 && len(ie) >= 2+int(ie[1]) {
		id, v := ie[0], ie[2:2+int(ie[1])]
		ie = ie[2+len(v):]
		switch {
		case id == 0x00 && len(v) == 3:
			return validConcat(concat{ref: int(v[0]), total: int(v[1]), seq: int(v[2])})
		case id == 0x08 && len(v) == 4:
			return validConcat(concat{ref: int(v[0])<<8 | int(v[1]), wide: true, total: int(v[2]), seq: int(v[3])})
		}
	}
	return nil
}

func validConcat(c concat) *concat {
	if c.total == 0 || c.seq == 0 || c.seq > c.total {
		return nil
	}
	return &c
}

func (c concat) header() []byte {
	if c.wide {
		return []byte{6, 0x08, 4, byte(c.ref >> 8), byte(c.ref), byte(c.total), byte(c.seq)}
	}
	return []byte{5, 0x00, 3, byte(c.ref), byte(c.total), byte(c.seq)}
}

func decodeUTF16(b []byte) string {
	units := make([]uint16, len(b)/2)
	for i := range units {
		units[i] = uint16(b[2*i])<<8 | uint16(b[2*i+1])
	}
	return string(utf16.Decode(units))
}

func encodeUTF16(units []uint16) []byte {
	b := make([]byte, 0, 2*len(units))
	for _, u := range units {
		b = append(b, byte(u>>8), byte(u))
	}
	return b
}

// part is the user data of one short message of a text.
type part struct {
	dcs  byte
	udhi bool
	udl  int
	ud   []byte
}

// splitText cuts a text into parts as a phone does: GSM 7-bit if it can, else
// UCS2; escapes and surrogate pairs stay whole.
func splitText(text string, ref int, wide bool) []part {
	if septets, ok := gsm7Encode(text); ok {
		return splitGSM7(septets, ref, wide)
	}
	if !utf8.ValidString(text) {
		text = string([]rune(text))
	}
	return splitUCS2(utf16.Encode([]rune(text)), ref, wide)
}

func splitGSM7(septets []byte, ref int, wide bool) []part {
	if len(septets) <= 160 {
		return []part{{udl: len(septets), ud: gsm7Pack(septets, 0)}}
	}
	room := 153
	if wide {
		room = 152
	}
	var chunks [][]byte
	for len(septets) > 0 {
		n := min(room, len(septets))
		if n < len(septets) && septets[n-1] == gsm7Escape {
			n--
		}
		chunks, septets = append(chunks, septets[:n]), septets[n:]
	}
	parts := make([]part, len(chunks))
	for i, chunk := range chunks {
		h := concat{ref: ref, wide: wide, total: len(chunks), seq: i + 1}.header()
		skip := (len(h)*8 + 6) / 7
		packed := gsm7Pack(chunk, skip*7-len(h)*8)
		parts[i] = part{udhi: true, udl: skip + len(chunk), ud: append(h, packed...)}
	}
	return parts
}

func splitUCS2(units []uint16, ref int, wide bool) []part {
	const dcsUCS2 = 0x08
	if len(units) <= maxUserOctets/2 {
		b := encodeUTF16(units)
		return []part{{dcs: dcsUCS2, udl: len(b), ud: b}}
	}
	room := 67
	if wide {
		room = 66
	}
	var chunks [][]uint16
	for len(units) > 0 {
		n := min(room, len(units))
		if n < len(units) && utf16.IsSurrogate(rune(units[n-1])) && units[n-1] < 0xDC00 {
			n--
		}
		chunks, units = append(chunks, units[:n]), units[n:]
	}
	parts := make([]part, len(chunks))
	for i, chunk := range chunks {
		h := concat{ref: ref, wide: wide, total: len(chunks), seq: i + 1}.header()
		ud := append(h, encodeUTF16(chunk)...)
		parts[i] = part{dcs: dcsUCS2, udhi: true, udl: len(ud), ud: ud}
	}
	return parts
}
