package sim

// National language tables of 3GPP TS 23.038 annex A as what they change in
// the default ones. The phones here know Turkish and Spanish; of a text in
// another language's table they show what the default table has there, as a
// handset without it does.
const (
	languageTurkish = 1
	languageSpanish = 2
)

var lockingChanges = map[int]map[byte]rune{
	languageTurkish: {0x04: '€', 0x07: 'ı', 0x0B: 'Ğ', 0x0C: 'ğ', 0x1C: 'Ş', 0x1D: 'ş', 0x40: 'İ', 0x60: 'ç'},
}

var shiftChanges = map[int]map[byte]rune{
	languageTurkish: {0x47: 'Ğ', 0x49: 'İ', 0x53: 'Ş', 0x63: 'ç', 0x67: 'ğ', 0x69: 'ı', 0x73: 'ş'},
	languageSpanish: {0x09: 'ç', 0x41: 'Á', 0x49: 'Í', 0x4F: 'Ó', 0x55: 'Ú', 0x61: 'á', 0x69: 'í', 0x6F: 'ó', 0x75: 'ú'},
}

// tables are the alphabet of one user data.
type tables struct {
	locking, shift int // national language identifiers, 0 the default
}

func (t tables) basic(c byte) rune {
	if r, ok := lockingChanges[t.locking][c]; ok {
		return r
	}
	return gsm7Basic[c]
}

func (t tables) extension(c byte) (rune, bool) {
	if r, ok := shiftChanges[t.shift][c]; ok {
		return r, true
	}
	r, ok := gsm7Extension[c]
	return r, ok
}

// findTables reads the elements 0x24 and 0x25 of a user data header (3GPP TS
// 23.040 §9.2.3.24.15 and .16).
func findTables(ie []byte) (t tables) {
	for len(ie) >= 2 && len(ie) >= 2+int(ie[1]) {
		if ie[1] == 1 && ie[0] == 0x24 {
			t.shift = int(ie[2])
		} else if ie[1] == 1 && ie[0] == 0x25 {
			t.locking = int(ie[2])
		}
		ie = ie[2+int(ie[1]):]
	}
	return t
}
