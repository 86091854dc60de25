package driver

import (
	"encoding/binary"
	"maps"
	"strings"
	"sync"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/warthog618/sms/encoding/gsm7"
	"github.com/warthog618/sms/encoding/gsm7/charset"
	"github.com/warthog618/sms/encoding/tpdu"
)

// Names of the encodings of a text, as they appear in [Encoded] and [Decoded].
const (
	encodingGSM7 = "gsm7"
	encodingUCS2 = "ucs2"
	encoding8Bit = "8bit"
)

// National language identifiers with a quirk (3GPP TS 23.038 §6.2.1.2.4).
const nliPortuguese = 3

var (
	// charsetsOnce fills the library's character tables, which are generated on
	// first use without any lock, so that two first users would race. Every
	// exported function of the codec calls it before it touches the library.
	charsetsOnce sync.Once

	portugueseShift charset.Decoder

	// By national language identifier.
	lockingEncoders, shiftEncoders map[int]charset.Encoder
)

// warmCharsets makes every table the codec can reach.
func warmCharsets() {
	charsetsOnce.Do(func() {
		charset.DefaultEncoder()
		charset.DefaultExtEncoder()
		charset.DefaultDecoder()
		charset.DefaultExtDecoder()
		for nli := charset.Start; nli < charset.End; nli++ {
			charset.NewDecoder(nli)
			charset.NewExtDecoder(nli)
		}
		// The library has É at 0x1F; 3GPP TS 23.038 §A.2.3 has Ê.
		portugueseShift = maps.Clone(charset.NewExtDecoder(nliPortuguese))
		portugueseShift[0x1f] = 'Ê'
		makeNationalEncoders()
	})
}

// makeNationalEncoders turns the decoding tables round; of two septets for one
// character the lower is sent.
func makeNationalEncoders() {
	lockingEncoders, shiftEncoders = make(map[int]charset.Encoder), make(map[int]charset.Encoder)
	for nli := charset.Start; nli < charset.End; nli++ {
		lockingEncoders[nli] = turned(charset.NewDecoder(nli))
		shiftEncoders[nli] = turned(charset.NewExtDecoder(nli))
	}
	shiftEncoders[nliPortuguese] = turned(portugueseShift)
}

func turned(d charset.Decoder) charset.Encoder {
	e := make(charset.Encoder, len(d))
	for septet, r := range d {
		if old, known := e[r]; septet != septetEscape && (!known || septet < old) {
			e[r] = septet
		}
	}
	return e
}

// userText is the text part of the user data, still in the alphabet of the
// air interface, so that parts can be joined before they are read.
type userText struct {
	encoding string
	locking  int    // national language of the locking shift table, 0 the default alphabet
	shift    int    // national language of the single shift table, 0 the default extension
	data     []byte // septets, one per octet; UTF-16BE; or raw octets
}

// joins reports whether next continues u in the same alphabet and tables.
func (u userText) joins(next userText) bool {
	return u.encoding == next.encoding && u.locking == next.locking && u.shift == next.shift
}

// decode returns the text as valid UTF-8. Whole is false when it held a lone
// surrogate or half a code unit, which became U+FFFD or nothing.
func (u userText) decode() (text string, whole bool) {
	switch u.encoding {
	case encodingGSM7:
		return decodeGSM7(u.data, u.locking, u.shift), true
	case encodingUCS2:
		return decodeUTF16(u.data)
	}
	return "", true
}

// decodeGSM7 reads unpacked septets. A septet without a character in its table
// becomes a space, an unknown extension the character of the main table
// (3GPP TS 23.038 §6.2.1.1).
func decodeGSM7(septets []byte, locking, shift int) string {
	var options []gsm7.DecoderOption
	if locking != 0 {
		options = append(options, gsm7.WithCharset(locking))
	}
	if shift != 0 {
		options = append(options, gsm7.WithExtCharset(shift))
	}
	d := gsm7.NewDecoder(options...)
	if shift == nliPortuguese {
		d = d.WithExtCharset(portugueseShift)
	}
	text, err := d.Decode(septets)
	if err != nil { // only a strict decoder refuses anything
		return ""
	}
	return string(text)
}

// decodeUTF16 reads big-endian UTF-16. The library's own reader drops the
// character that follows a lone surrogate, so it is not used.
func decodeUTF16(b []byte) (text string, whole bool) {
	whole = len(b)%2 == 0
	units := make([]uint16, len(b)/2)
	for i := range units {
		units[i] = binary.BigEndian.Uint16(b[2*i:])
	}
	var s strings.Builder
	for i := 0; i < len(units); i++ {
		r := rune(units[i])
		if !utf16.IsSurrogate(r) {
			s.WriteRune(r)
			continue
		}
		pair := utf8.RuneError
		if i+1 < len(units) {
			pair = utf16.DecodeRune(r, rune(units[i+1]))
		}
		if pair == utf8.RuneError {
			whole = false
		} else {
			i++
		}
		s.WriteRune(pair)
	}
	return s.String(), whole
}

// encodingOf names the alphabet of a data coding scheme, whose reserved groups
// are read as the default alphabet (3GPP TS 23.038 §4). Compressed text counts
// as data: nothing here can expand it.
func encodingOf(dcs byte) (encoding string, reserved bool) {
	alphabet, err := tpdu.DCS(dcs).Alphabet()
	switch {
	case err != nil:
		return encodingGSM7, true
	case tpdu.DCS(dcs).Compressed(), alphabet == tpdu.Alpha8Bit:
		return encoding8Bit, false
	case alphabet == tpdu.AlphaUCS2:
		return encodingUCS2, false
	}
	return encodingGSM7, false
}

// classOf returns the message class 0 to 3 of a data coding scheme, -1 for
// none (3GPP TS 23.038 §4).
func classOf(dcs byte) int {
	if dcs&0x90 == 0x10 || dcs&0xf0 == 0xf0 {
		return int(dcs & 0x03)
	}
	return -1
}
