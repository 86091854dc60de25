package sim

import (
	"regexp"
	"slices"
	"strings"
)

// The masks of a trace: numbers of four digits and more and quoted texts other
// than names of memories are …, of whole lines only the length is told.
var (
	secrets       = regexp.MustCompile(`"[^"]*"|[0-9]{4,}`)
	masks         = regexp.MustCompile(`"…"|…`)
	wholeMask     = regexp.MustCompile(`^([A-Z+]*[:=])?<[0-9]+ (octets|characters)>$`)
	messageHeader = regexp.MustCompile(`^\+(CMT|CDS|CBM):`)
)

// isMask tells whether nothing but the length of a text is told.
func isMask(text string) bool { return wholeMask.MatchString(text) }

func isOpen(secret string) bool {
	return slices.Contains([]string{`""`, `"SM"`, `"ME"`, `"MT"`, `"SR"`, `"BM"`}, secret)
}

// mask is the line as a trace shows it, if it is one that begins with a name.
func mask(line string) string {
	return secrets.ReplaceAllStringFunc(line, func(secret string) string {
		switch {
		case isOpen(secret):
			return secret
		case secret[0] == '"':
			return `"…"`
		}
		return "…"
	})
}

// maskedIn lists what mask takes out of a line.
func maskedIn(line string) (values []string) {
	for _, secret := range secrets.FindAllString(line, -1) {
		if !isOpen(secret) {
			values = append(values, unquote(secret))
		}
	}
	return values
}

// unmask puts values into the places of a masked line, in order; zeros where
// there is none left.
func unmask(line string, values []string) string {
	return masks.ReplaceAllStringFunc(line, func(place string) string {
		value := "0000"
		if len(values) > 0 {
			value, values = values[0], values[1:]
		}
		return strings.Replace(place, "…", value, 1)
	})
}
