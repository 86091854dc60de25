package configs

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Duration is a span of time, written with its unit: 30s, 5m, 1h30m, 7d. A
// day is 24 hours.
type Duration time.Duration

// Std is d as the standard library has it.
func (d Duration) Std() time.Duration { return time.Duration(d) }

// String writes d so that [ParseDuration] reads the same: 24h, not 24h0m0s.
func (d Duration) String() string {
	s := time.Duration(d).String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// MarshalText writes d as [Duration.String].
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads d as [ParseDuration] does.
func (d *Duration) UnmarshalText(b []byte) error {
	v, err := ParseDuration(string(b))
	if err == nil {
		*d = v
	}
	return err
}

var (
	dayPart  = regexp.MustCompile(`^([0-9]+)d(.*)$`)
	unitless = regexp.MustCompile(`^[0-9]+$`)
)

// ParseDuration reads a duration with its unit. It refuses numbers without a
// unit, negative spans, and what an int64 of nanoseconds cannot hold.
func ParseDuration(s string) (Duration, error) {
	if unitless.MatchString(s) {
		return 0, fmt.Errorf("%s has no unit; write it as %ss, %sm or %sh", clip(s), clip(s), clip(s), clip(s))
	}
	var days time.Duration
	rest := s
	if m := dayPart.FindStringSubmatch(s); m != nil {
		n, err := strconv.ParseInt(m[1], 10, 64)
		if err != nil || n > math.MaxInt64/int64(24*time.Hour) {
			return 0, fmt.Errorf("%s is too long", clip(s))
		}
		days, rest = time.Duration(n)*24*time.Hour, m[2]
		if rest == "" {
			return Duration(days), nil
		}
	}
	d, err := time.ParseDuration(rest)
	switch {
	case err != nil || strings.HasPrefix(rest, "+"):
		return 0, fmt.Errorf("%s is not a duration such as 30s, 5m, 24h or 7d", quote(s))
	case strings.HasPrefix(rest, "-"):
		return 0, fmt.Errorf("%s is negative", clip(s))
	case days > math.MaxInt64-d:
		return 0, fmt.Errorf("%s is too long", clip(s))
	}
	return Duration(days + d), nil
}

// Size is a number of octets, written with its unit: 256MiB, 4GiB.
type Size int64

var sizes = []struct {
	unit   string
	octets int64
}{
	{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10},
	{"TB", 1e12}, {"GB", 1e9}, {"MB", 1e6}, {"KB", 1e3}, {"kB", 1e3}, {"B", 1},
}

// String writes n in the largest binary unit that divides it.
func (n Size) String() string {
	for _, u := range sizes[:4] {
		if n != 0 && int64(n)%u.octets == 0 {
			return strconv.FormatInt(int64(n)/u.octets, 10) + u.unit
		}
	}
	return strconv.FormatInt(int64(n), 10) + "B"
}

// MarshalText writes n as [Size.String].
func (n Size) MarshalText() ([]byte, error) { return []byte(n.String()), nil }

// UnmarshalText reads n as [ParseSize] does.
func (n *Size) UnmarshalText(b []byte) error {
	v, err := ParseSize(string(b))
	if err == nil {
		*n = v
	}
	return err
}

// ParseSize reads a whole number of octets with its unit, binary (KiB to
// TiB) or decimal (KB to TB).
func ParseSize(s string) (Size, error) {
	for _, u := range sizes {
		digits, ok := strings.CutSuffix(s, u.unit)
		if !ok {
			continue
		}
		digits = strings.TrimRight(digits, " ")
		if !unitless.MatchString(digits) {
			break
		}
		v, err := strconv.ParseInt(digits, 10, 64)
		if err != nil || v > math.MaxInt64/u.octets {
			return 0, fmt.Errorf("%s is too large", clip(s))
		}
		return Size(v * u.octets), nil
	}
	if unitless.MatchString(s) {
		return 0, fmt.Errorf("%s has no unit; write it as %sMiB or %sGiB", clip(s), clip(s), clip(s))
	}
	return 0, fmt.Errorf("%s is not a size such as 256MiB or 4GiB", quote(s))
}

// parseInt reads a decimal whole number: no octal, no hexadecimal, no
// underscores, which YAML readers disagree about.
func parseInt(s string) (int64, error) {
	n, err := strconv.ParseInt(s, 10, 64)
	switch {
	case errors.Is(err, strconv.ErrRange):
		return 0, fmt.Errorf("%s is too large", clip(s))
	case err != nil:
		return 0, fmt.Errorf("%s is not a whole number", quote(s))
	}
	return n, nil
}

// parseBool reads true and false only.
func parseBool(s string) (bool, error) {
	switch strings.ToLower(s) {
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return false, fmt.Errorf("%s is neither true nor false", quote(s))
}

// quote is s as it is shown in a fault: quoted and cut.
func quote(s string) string { return strconv.Quote(clip(s)) }

func clip(s string) string {
	const most = 40
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}
