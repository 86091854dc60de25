package phone

import (
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"unicode"
	"unicode/utf8"
)

// ellipsis stands for what [Mask] hides in a name or a short code, and hidden
// for what it hides in a number; neither tells how much.
const (
	ellipsis = "…"
	hidden   = "•••••"
)

// Mask returns a sender or recipient fit for a log: of a number its calling
// code, at most two digits behind it and the last two ("+4477•••••01"), of a
// short code nothing, of a name its first two letters. It never shows more
// than half of what it is given.
func Mask(e164 string) string {
	if unmasked {
		return e164
	}
	plus, digits, err := scan(e164)
	if err != nil {
		return maskName(e164)
	}
	if len(digits) < minDigits {
		return ellipsis
	}
	sign, code := "", ""
	if plus {
		sign, code = "+", codeOf(digits)
	}
	left := len(digits) / 2
	head := min(len(code), left)
	tail := min(2, left-head)
	head += min(2, left-head-tail)
	return sign + digits[:head] + hidden + digits[len(digits)-tail:]
}

// maskName masks what is not a number.
func maskName(name string) string {
	show := min(2, utf8.RuneCountInString(name)/2)
	end := 0
	for i, c := range name {
		if show == 0 || !unicode.IsLetter(c) && !unicode.IsDigit(c) {
			break
		}
		end = i + utf8.RuneLen(c)
		show--
	}
	return name[:end] + ellipsis
}

// Number is a telephone number, or a sender's name, that no log and no error
// text shows in full: slog and every verb of fmt print it masked. Two ways
// around that remain: JSON has all of it, so a struct given to a JSON log
// handler does too; and fmt cannot call the methods of an unexported field.
type Number string

// LogValue returns the masked number.
func (n Number) LogValue() slog.Value { return slog.StringValue(Mask(string(n))) }

// String returns the masked number.
func (n Number) String() string { return Mask(string(n)) }

// Format prints the masked number whatever the verb, in quotes for %q and %#v.
// With a method for it fmt has no verb left that shows the digits beneath.
func (n Number) Format(f fmt.State, verb rune) {
	s := n.String()
	if verb == 'q' || verb == 'v' && f.Flag('#') {
		s = strconv.Quote(s)
	}
	_, _ = io.WriteString(f, s) // fmt reports what becomes of its own buffer
}
