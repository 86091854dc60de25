package phone

import (
	"slices"
	"strings"
)

// region is one row of the numbering table.
type region struct {
	code     string // calling code
	trunk    string // trunk prefixes, the longest first, space-separated
	prefix   string // international prefixes, space-separated; "" is 00
	min, max int    // digits of a subscriber's number
}

// lookup finds a region by its letters in either case.
func lookup(name string) (region, bool) {
	r, ok := regions[strings.ToUpper(name)]
	return r, ok
}

// CallingCode returns the E.164 calling code of a region, without +: "44" for
// GB. Regions may share one: 1 is that of the whole North American plan.
func CallingCode(region string) (code string, ok bool) {
	r, ok := lookup(region)
	return r.code, ok
}

// cutInternational removes the region's international prefix.
func (r region) cutInternational(digits string) (rest string, ok bool) {
	if r.prefix == "" {
		return strings.CutPrefix(digits, "00")
	}
	longest := 0
	for p := range strings.FieldsSeq(r.prefix) {
		if strings.HasPrefix(digits, p) {
			longest = max(longest, len(p))
		}
	}
	return digits[longest:], longest > 0
}

// cutTrunk removes the region's trunk prefix. No subscriber's number begins
// with a zero where the prefix does; any other prefix is one only on a number
// that is too long without it.
func (r region) cutTrunk(digits string) (rest string, cut bool) {
	for t := range strings.FieldsSeq(r.trunk) {
		if rest, ok := strings.CutPrefix(digits, t); ok && (t[0] == '0' || len(digits) > r.max) {
			return rest, true
		}
	}
	return digits, false
}

// fits tells whether a subscriber's number has a length the region knows.
func (r region) fits(digits string) bool {
	return r.min <= len(digits) && len(digits) <= r.max
}

// national makes E.164 of digits dialled within the region.
func (r region) national(digits string) (string, error) {
	rest, cut := r.cutTrunk(digits)
	bare, own := strings.CutPrefix(digits, r.code)
	own = own && !cut && r.fits(bare)
	switch {
	case own && !r.fits(rest):
		return international(digits)
	case own && strings.HasPrefix(r.trunk, "0"):
		return "", ErrAmbiguous
	case !r.fits(rest):
		return "", ErrLength
	}
	return international(r.code + rest)
}

// simulatorCode is the calling code of simulated numbers.
const simulatorCode = "999"

// networkCodes are the calling codes of networks and services that belong to
// no region (ITU-T E.164 annex): freephone and shared cost, satellites,
// universal personal numbers, international networks, disaster relief,
// premium rate.
var networkCodes = []string{"800", "808", "870", "878", "881", "882", "883", "888", "979"}

// plan is what is common to the regions of one calling code.
type plan struct {
	trunks []string // written behind the calling code by mistake, e.g. "(0)"
	never  string   // digits that no number begins with behind the calling code
}

// plans has every calling code that exists.
var plans = makePlans()

func makePlans() map[string]plan {
	made := map[string]plan{simulatorCode: {}}
	for _, code := range networkCodes {
		made[code] = plan{}
	}
	keepsZero := map[string]bool{}
	for _, r := range regions {
		p := made[r.code]
		for t := range strings.FieldsSeq(r.trunk) {
			if t[0] == '0' && !slices.Contains(p.trunks, t) {
				p.trunks = append(p.trunks, t)
			}
		}
		p.never = "0"
		keepsZero[r.code] = keepsZero[r.code] || r.trunk == ""
		made[r.code] = p
	}
	for code := range keepsZero {
		if keepsZero[code] {
			made[code] = plan{}
		}
	}
	made["1"] = plan{never: "01"} // area codes are 2 to 9
	return made
}

// codeOf returns the calling code that digits begin with, "" if there is
// none. No calling code is the beginning of another.
func codeOf(digits string) string {
	for n := 1; n <= 3 && n <= len(digits); n++ {
		if _, ok := plans[digits[:n]]; ok {
			return digits[:n]
		}
	}
	return ""
}
