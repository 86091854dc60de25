// Package phone reads, compares and hides telephone numbers: E.164 out,
// whatever people and programs write in.
//
// A number is taken for real when its country calling code exists and its
// length is possible; whether somebody answers it only the network knows.
package phone

import (
	"errors"
	"strings"
)

// What [Parse] refuses. No text ever contains the number.
var (
	// ErrEmpty: there is not one digit.
	ErrEmpty = errors.New("number is empty: give + and country code, then the number")
	// ErrCharacter: something other than digits, one leading + and the usual
	// spaces, dashes, dots, brackets and slashes.
	ErrCharacter = errors.New("number has a character that no number has: " +
		"give + and the digits 0 to 9 only")
	// ErrNational: there is no + and no region to read the number by.
	ErrNational = errors.New("number has no country code: " +
		"begin it with + and country code, or set default_region")
	// ErrCountryCode: the digits behind + belong to no country.
	ErrCountryCode = errors.New("number has a country code that does not exist: " +
		"check the digits behind the +")
	// ErrTrunk: the prefix of national calls stands where no number of that
	// country has it.
	ErrTrunk = errors.New("number has a leading 0 or 1 behind its country code that does not belong there: " +
		"leave it out")
	// ErrAmbiguous: national with its leading 0 forgotten, or international
	// with its + forgotten; both would be possible numbers.
	ErrAmbiguous = errors.New("number can be read as national and as international: " +
		"begin it with + and country code")
	// ErrLength: too few or too many digits.
	ErrLength = errors.New("number has too few or too many digits: " +
		"give + and country code, then the whole number, 7 to 15 digits in all")
)

// Digits of an E.164 number: ITU-T E.164 §6.2.1 sets the most; no subscriber
// has fewer than the least.
const (
	minDigits = 7
	maxDigits = 15
)

// Parse reads a number as people and programs write it and returns it in
// E.164: + and 7 to 15 digits. Spaces, dashes, dots, brackets and slashes are
// dropped, and so is a trunk prefix left behind the country code, as in
// "+44 (0)20 7946 0958".
//
// With a region (ISO 3166-1 alpha-2; "" or an unknown one: none) a number
// without + is read as it is dialled there: with the region's international
// prefix, with or without its trunk prefix, or with its own country code in
// front when only that makes a number of the right length.
//
// The errors are [ErrEmpty], [ErrCharacter], [ErrNational], [ErrCountryCode],
// [ErrTrunk], [ErrAmbiguous] and [ErrLength].
func Parse(s, region string) (string, error) {
	plus, digits, err := scan(s)
	if err != nil {
		return "", err
	}
	if plus {
		return international(digits)
	}
	r, known := lookup(region)
	if !known {
		return "", ErrNational
	}
	if rest, ok := r.cutInternational(digits); ok {
		return international(rest)
	}
	return r.national(digits)
}

// scan returns the digits of s and whether a + stands before them.
func scan(s string) (plus bool, digits string, err error) {
	const tooMany = 2 * maxDigits // no prefix makes a number as long as this
	var b strings.Builder
	for _, c := range s {
		switch {
		case '0' <= c && c <= '9':
			if b.Len() == tooMany {
				return false, "", ErrLength
			}
			b.WriteRune(c)
		case c == '+' && !plus && b.Len() == 0:
			plus = true
		case !isLayout(c):
			return false, "", ErrCharacter
		}
	}
	if b.Len() == 0 {
		return false, "", ErrEmpty
	}
	return plus, b.String(), nil
}

// isLayout tells whether c only makes a number readable, or comes along
// unseen when one is copied from a page or an address book.
func isLayout(c rune) bool {
	switch {
	case strings.ContainsRune(" \t-./()[]", c):
		return true
	case c == '\u00a0', c == '\u00ad', c == '\u2060', c == '\ufeff', c == '\u2212': // no-break space, soft hyphen, joiners, minus
		return true
	case '\u2000' <= c && c <= '\u2015': // spaces, direction marks, dashes
		return true
	case '\u202a' <= c && c <= '\u202f', '\u2066' <= c && c <= '\u2069': // directions, narrow space
		return true
	}
	return false
}

// international makes E.164 of the digits that follow a + or an
// international prefix.
func international(digits string) (string, error) {
	code := codeOf(digits)
	if code == "" {
		return "", ErrCountryCode
	}
	plan := plans[code]
	rest := digits[len(code):]
	for _, t := range plan.trunks {
		if after, ok := strings.CutPrefix(rest, t); ok {
			rest = after
			break
		}
	}
	if rest != "" && strings.ContainsRune(plan.never, rune(rest[0])) {
		return "", ErrTrunk
	}
	if n := len(code) + len(rest); n < minDigits || n > maxDigits {
		return "", ErrLength
	}
	return "+" + code + rest, nil
}

// Simulated tells whether a number belongs to the simulator: calling code
// 999, which ITU-T E.164 gives to no country.
func Simulated(e164 string) bool {
	return strings.HasPrefix(e164, "+"+simulatorCode)
}

// SameTail tells whether two numbers, each in any form, can be the same
// subscriber's. A status report may give in national form what was sent to in
// international form, so the last digits decide: as many as the shorter has, 7
// at least and 9 at most, not counting the zeros in front of a number without
// +. Numbers of fewer than 7 digits, short codes, must be equal as a whole.
// Names are never the same as anything.
func SameTail(a, b string) bool {
	const fewest, most = 7, 9
	plusA, digitsA, errA := scan(a)
	plusB, digitsB, errB := scan(b)
	if errA != nil || errB != nil {
		return false
	}
	tailA, tailB := withoutZeros(plusA, digitsA), withoutZeros(plusB, digitsB)
	n := min(len(tailA), len(tailB), most)
	if n < fewest {
		return digitsA == digitsB
	}
	return tailA[len(tailA)-n:] == tailB[len(tailB)-n:]
}

// withoutZeros drops the trunk or international prefix of a number that is
// not written with +.
func withoutZeros(plus bool, digits string) string {
	if plus {
		return digits
	}
	return strings.TrimLeft(digits, "0")
}

// allDigits tells whether s has ASCII digits and nothing else.
func allDigits(s string) bool {
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return false
		}
	}
	return s != ""
}
