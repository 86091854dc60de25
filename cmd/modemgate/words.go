package main

import (
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"
)

// clean makes text safe for a terminal: what came over the air may hold
// escape sequences, and marks that turn the direction of all that follows.
func clean(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return r
		case obeyed(r):
			return unicode.ReplacementChar
		}
		return r
	}, text)
}

// obeyed says whether a terminal acts on a character instead of showing it.
func obeyed(r rune) bool {
	return unicode.IsControl(r) || r >= 0x202A && r <= 0x202E || r >= 0x2066 && r <= 0x2069
}

// oneLine is clean for what must stay on its line: no name that came over the
// air and no reference of a client may forge the line after it.
func oneLine(text string) string {
	return strings.NewReplacer("\n", "\uFFFD", "\t", "\uFFFD").Replace(clean(text))
}

// when writes a time in the zone of the machine, with its offset, so that it
// can be held against a log of another machine and given to --since as it is.
func when(t time.Time) string { return whenIn(t, time.Local) }

func whenIn(t time.Time, zone *time.Location) string {
	return t.In(zone).Format("2006-01-02 15:04:05Z07:00")
}

// maybe writes a time that may be missing.
func maybe(t *time.Time, missing string) string {
	if t == nil {
		return missing
	}
	return when(*t)
}

// count writes a number with its noun; more is the plural.
func count(n int, one, more string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, more)
}

// orNone is v, or a dash for nothing.
func orNone(v string) string {
	if v == "" {
		return "-"
	}
	return v
}

// indented prints a text of any number of lines.
func indented(w io.Writer, text string) {
	for line := range strings.SplitSeq(clean(text), "\n") {
		fmt.Fprintf(w, "  %s\n", line)
	}
}

// printJSON prints an answer of the API as it came, but for the characters that
// JSON need not escape and a terminal obeys.
func printJSON(w io.Writer, answer []byte) {
	var safe strings.Builder
	for _, r := range string(answer) {
		if r > '~' && obeyed(r) {
			fmt.Fprintf(&safe, `\u%04x`, r)
			continue
		}
		safe.WriteRune(r)
	}
	_, _ = io.WriteString(w, safe.String())
	if len(answer) > 0 && answer[len(answer)-1] != '\n' {
		fmt.Fprintln(w)
	}
}

// octets writes a size for people.
func octets(n int64) string {
	const unit = 1024
	if n < unit {
		return fmt.Sprintf("%d B", n)
	}
	v, i := float64(n)/unit, 0
	for ; v >= unit && i < 3; i++ {
		v /= unit
	}
	return fmt.Sprintf("%.1f %ciB", v, "KMGT"[i])
}
