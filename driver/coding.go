package driver

import (
	"encoding/binary"
	"slices"
	"strings"
	"unicode/utf16"

	"github.com/warthog618/sms/encoding/gsm7/charset"
	"github.com/warthog618/sms/encoding/tpdu"
)

// nationalLanguages are the languages with tables of their own, by ISO 639-1,
// in the order of their identifiers from 1 (3GPP TS 23.038 §6.2.1.2.4): what
// [Text.National] takes.
var nationalLanguages = []string{"tr", "es", "pt", "bn", "gu", "hi", "kn", "ml", "or", "pa", "ta", "te", "ur"}

// coding is how the characters of a text become user data.
type coding struct {
	ucs2           bool
	locking, shift int // national language identifiers, 0 the default table
}

// String names the coding: "gsm7", "ucs2", or "gsm7:L/S" with the languages of
// the locking and the single shift table, "-" for the default one.
func (c coding) String() string {
	switch {
	case c.ucs2:
		return encodingUCS2
	case c.locking == 0 && c.shift == 0:
		return encodingGSM7
	}
	name := func(nli int) string {
		if nli == 0 {
			return "-"
		}
		return nationalLanguages[nli-1]
	}
	return encodingGSM7 + ":" + name(c.locking) + "/" + name(c.shift)
}

// parseCoding reads what String wrote; false for anything else.
func parseCoding(s string) (coding, bool) {
	alphabet, tables, national := strings.Cut(s, ":")
	switch {
	case s == encodingUCS2:
		return coding{ucs2: true}, true
	case alphabet != encodingGSM7:
		return coding{}, false
	case !national:
		return coding{}, true
	}
	locking, shift, _ := strings.Cut(tables, "/")
	c := coding{locking: nli(locking), shift: nli(shift)}
	return c, c.String() == s
}

// nli is the identifier of a language, 0 for none.
func nli(language string) int { return slices.Index(nationalLanguages, language) + 1 }

// atom is what must not be cut: an escape with its septet, a surrogate pair.
type atom struct {
	data  []byte // septets, one per octet, or UTF-16BE
	joint bool   // belongs to the character before it, as people see it
}

// atoms codes a text; false if the coding lacks one of its characters.
func (c coding) atoms(body string) ([]atom, bool) {
	out := make([]atom, 0, len(body))
	var main, ext charset.Encoder
	if !c.ucs2 {
		main, ext = encoders(c)
	}
	var g graphemes
	for _, r := range body {
		a := atom{joint: g.joins(r)}
		if c.ucs2 {
			for _, u := range utf16.AppendRune(nil, r) {
				a.data = binary.BigEndian.AppendUint16(a.data, u)
			}
		} else if s, ok := main[r]; ok {
			a.data = []byte{s}
		} else if s, ok := ext[r]; ok {
			a.data = []byte{septetEscape, s}
		} else {
			return nil, false
		}
		out = append(out, a)
	}
	return out, true
}

// encoders are the tables of a coding. The tables are shared: never written to.
func encoders(c coding) (main, ext charset.Encoder) {
	main, ext = charset.DefaultEncoder(), charset.DefaultExtEncoder()
	if c.locking != 0 {
		main = lockingEncoders[c.locking]
	}
	if c.shift != 0 {
		ext = shiftEncoders[c.shift]
	}
	return main, ext
}

// header announces the national tables (3GPP TS 23.040 §9.2.3.24.15 and .16).
func (c coding) header() (udh tpdu.UserDataHeader) {
	if c.locking != 0 {
		udh = append(udh, tpdu.InformationElement{ID: ieLocking, Data: []byte{byte(c.locking)}})
	}
	if c.shift != 0 {
		udh = append(udh, tpdu.InformationElement{ID: ieShift, Data: []byte{byte(c.shift)}})
	}
	return udh
}

// codings lists the ways to code a text with tables of the languages, the
// smaller change first.
func codings(national []string) []coding {
	var list []coding
	for _, tables := range [][2]bool{{false, true}, {true, false}, {true, true}} {
		for _, language := range national {
			var c coding
			if tables[0] {
				c.locking = nli(language)
			}
			if tables[1] {
				c.shift = nli(language)
			}
			if _, known := parseCoding(c.String()); known && c != (coding{}) {
				list = append(list, c)
			}
		}
	}
	return list
}
