package driver

import (
	"fmt"
	"strings"
)

// traceLines is how much of the dialogue with the modem is kept.
const traceLines = 200

// traceRing keeps the last lines of the dialogue, masked.
type traceRing struct {
	lines [traceLines]string
	next  int
}

func (t *traceRing) add(direction, line string) {
	t.lines[t.next%traceLines] = direction + " " + mask(line)
	t.next++
}

func (t *traceRing) all() []string {
	var out []string
	for i := max(0, t.next-traceLines); i < t.next; i++ {
		out = append(out, t.lines[i%traceLines])
	}
	return out
}

// mask keeps of a line what a maintainer needs and no user may mind: names of
// commands, short numbers, storage names. Numbers of four digits and more,
// quoted text and free text are replaced.
func mask(line string) string {
	body := strings.TrimSuffix(line, "\x1a")
	if _, ok := final(body); ok && len(body) < 20 || body == prompt || body == "<ESC>" {
		return body
	}
	if body == "" {
		return ""
	}
	if isHex(body) && len(body) >= 8 {
		return fmt.Sprintf("<%d octets>", len(body)/2)
	}
	if !strings.HasPrefix(body, "AT") && !strings.ContainsRune("+^*#%!$&", rune(body[0])) {
		return fmt.Sprintf("<%d characters>", len(body))
	}
	if strings.HasPrefix(body, "+CUSD:") || strings.HasPrefix(body, "AT+CUSD=") {
		return fmt.Sprintf("%s<%d characters>", body[:strings.IndexAny(body, ":=")+1], len(body))
	}
	return maskDigits(maskQuoted(body))
}

// maskQuoted replaces quoted strings other than names of storages.
func maskQuoted(s string) string {
	parts := strings.Split(s, `"`)
	for i := 1; i < len(parts); i += 2 {
		switch parts[i] {
		case "", "SM", "ME", "MT", "SR", "BM":
		default:
			parts[i] = "…"
		}
	}
	return strings.Join(parts, `"`)
}

// maskDigits replaces runs of four and more digits.
func maskDigits(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); {
		j := i
		for j < len(s) && s[j] >= '0' && s[j] <= '9' {
			j++
		}
		switch {
		case j == i:
			b.WriteByte(s[i])
			i++
			continue
		case j-i >= 4:
			b.WriteString("…")
		default:
			b.WriteString(s[i:j])
		}
		i = j
	}
	return b.String()
}
