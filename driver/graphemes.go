package driver

import (
	"strings"
	"unicode"
)

// graphemes finds what people see as one character, by the rules of Unicode
// Standard Annex 29 that matter in texts. The zero value begins a text.
type graphemes struct {
	previous rune
	flags    int // regional indicators in a row
}

const zeroWidthJoiner = '\u200d'

// viramas join the letters of Indic scripts into one.
const viramas = "\u094d\u09cd\u0acd\u0b4d\u0c4d\u0d4d"

// joins takes the next character and tells whether it belongs to the one
// before it.
func (g *graphemes) joins(r rune) bool {
	p := g.previous
	g.previous = r
	if isRegional(r) {
		g.flags++
	} else {
		g.flags = 0
	}
	switch {
	case p == 0:
		return false
	case isExtending(r), p == zeroWidthJoiner, strings.ContainsRune(viramas, p) && unicode.Is(unicode.Lo, r), p == '\r' && r == '\n':
		return true
	case isRegional(r):
		return g.flags%2 == 0
	}
	return isHangulTail(r) || isHangulLead(p) && (isHangulLead(r) || r >= 0xAC00 && r <= 0xD7A3)
}

// isExtending is for marks, joiners, skin tones and the tags of flags.
func isExtending(r rune) bool {
	return unicode.In(r, unicode.Mn, unicode.Me, unicode.Mc) || r == zeroWidthJoiner || r == '\u200c' ||
		r >= 0x1F3FB && r <= 0x1F3FF || r >= 0xE0020 && r <= 0xE007F
}

func isRegional(r rune) bool { return r >= 0x1F1E6 && r <= 0x1F1FF }

func isHangulLead(r rune) bool { return r >= 0x1100 && r <= 0x115F || r >= 0xA960 && r <= 0xA97C }

func isHangulTail(r rune) bool { return r >= 0x1160 && r <= 0x11FF || r >= 0xD7B0 && r <= 0xD7FB }
