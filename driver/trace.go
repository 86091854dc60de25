package driver

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"
)

// traceLines is how much of the dialogue with a modem is kept.
const traceLines = 300

// TraceLine is one line of a dialogue, masked. Seq counts from 1.
type TraceLine struct {
	Seq  uint64
	At   time.Time
	Mark string // ">" written, "<" heard, "!" about the session
	Text string
}

// Trace keeps the last lines of the dialogue with a modem, with numbers,
// texts, PINs and PDUs masked before they are kept. Given to [Open] in
// [Options] it outlives sessions, so that it can tell how one ended. The zero
// value is ready; it is safe for concurrent use.
type Trace struct {
	mu    sync.Mutex
	lines [traceLines]TraceLine
	last  uint64
}

// Lines returns what is kept of the lines after seq, oldest first; 0 for all.
func (t *Trace) Lines(after uint64) []TraceLine {
	t.mu.Lock()
	defer t.mu.Unlock()
	first := uint64(1)
	if t.last > traceLines {
		first = t.last - traceLines + 1
	}
	var out []TraceLine
	for seq := max(first, after+1); seq <= t.last; seq++ {
		out = append(out, t.lines[seq%traceLines])
	}
	return out
}

// Note adds a remark about the session, with numbers and quoted texts masked.
func (t *Trace) Note(text string) { t.put("!", maskDigits(maskQuoted(text))) }

func (t *Trace) add(direction, line string) { t.put(direction, mask(line)) }

func (t *Trace) put(mark, text string) {
	now := time.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last++
	t.lines[t.last%traceLines] = TraceLine{Seq: t.last, At: now, Mark: mark, Text: text}
}

// hear traces a line of the modem. The further lines of an answer to a USSD
// code may look like anything and are text, and so may what follows a message.
// Elsewhere more is kept, without which the trace could not be replayed: who the
// modem says it is, words with a meaning, and what is glued to a final code.
func (w *wire) hear(line string) {
	now := time.Now()
	inText := now.Before(w.textEnds)
	if textMode.MatchString(line) {
		w.textEnds = now.Add(headerLife)
	}
	if slices.ContainsFunc(bodyHeaders, func(header string) bool { return strings.Contains(line, header) }) {
		w.bodyEnds = now.Add(headerLife)
	}
	switch {
	case len(w.joined) > 0:
		w.trace.put("<", fmt.Sprintf("<%d characters>", len(line)))
	case inText && !unmasked:
		w.trace.put("<", maskText(line))
	case now.Before(w.bodyEnds):
		w.trace.add("<", line)
	default:
		w.trace.put("<", w.maskHeard(line))
	}
}

// bodyHeaders announce what is no answer to a command.
var bodyHeaders = []string{"+CMT:", "+CBM:", "+CDS:", "+CUSD:"}

// textMode are the headers of messages whose text comes as it is, if another
// program has left the modem in text mode (3GPP TS 27.005 §3.4.1 to §3.4.3). In
// PDU mode they have fewer fields, and numbers where these have words.
var textMode = regexp.MustCompile(`\+CMT:[^,]*,[^,]*,|\+CBM:[^,]*,|\+CMGL: *[0-9]*, *"|\+CMGR: *"`)

// maskText hides a line that may be text, whatever it looks like. That it looks
// like the next header is told: a replay leaves out what belongs to one.
func maskText(line string) string {
	if line == "OK" || line == "ERROR" {
		return line
	}
	return textName.FindString(line) + fmt.Sprintf("<%d characters>", len(line))
}

var textName = regexp.MustCompile(`^\+(CMT|CBM|CDS|CMGL|CMGR):`)

// maskHeard masks a line that is no part of a message.
func (w *wire) maskHeard(line string) string {
	if unmasked {
		return line
	}
	if name, ok := w.makersName(line); ok {
		return name
	}
	if _, known := unaskedWords[line]; known && w.phase == idle {
		return line
	}
	parts := unglue(line)
	final := parts[0] == "OK" || parts[0] == "ERROR"
	switch {
	case !final || w.phase != running || strings.HasPrefix(w.command, "+CMG"):
		return mask(line)
	case parts[len(parts)-1] == "RING":
		return parts[0] + mask(strings.Join(parts[1:len(parts)-1], "")) + "RING"
	}
	return parts[0] + mask(strings.Join(parts[1:], ""))
}

// makersName is a line of the answer to AT+CGMI, +CGMM or +CGMR, with numbers
// masked that are not part of a word such as SIM7600E.
func (w *wire) makersName(line string) (name string, ok bool) {
	if w.phase != running || w.command != "+CGMI" && w.command != "+CGMM" && w.command != "+CGMR" {
		return "", false
	}
	if prefix := w.command + ":"; strings.HasPrefix(line, prefix) {
		name, line = prefix, line[len(prefix):]
	}
	if len(line) > 64 || isHex(line) && len(line) > 12 || len(strings.Fields(line)) > 5 || !nameLike.MatchString(line) {
		return "", false
	}
	return name + maskRuns(line, func(from, to int) bool {
		word := from > 0 && isLetter(line[from-1]) || to < len(line) && isLetter(line[to])
		return to-from < 4 || to-from < 6 && word
	}), true
}

// nameLike is what makers put into names and versions.
var nameLike = regexp.MustCompile(`^ ?"?[0-9A-Za-z][-0-9A-Za-z ._,:/()+]*"?$`)

func isLetter(b byte) bool { return b >= 'A' && b <= 'Z' || b >= 'a' && b <= 'z' }

// MaskCommand is a command of an operator as it may be logged: numbers,
// quoted texts and PINs are replaced.
func MaskCommand(cmd string) string { return mask("AT" + withoutAT(cmd)) }

// mask keeps of a line what a maintainer needs and no user may mind: names of
// commands, short numbers, storage names. Numbers of four digits and more,
// quoted text and free text are replaced.
func mask(line string) string {
	if unmasked {
		return line
	}
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
	if at := strings.Index(body, "+CUSD:"); at > 0 {
		return mask(body[:at]) + mask(body[at:])
	}
	if strings.HasPrefix(body, "+CUSD:") || strings.HasPrefix(body, "AT+CUSD=") {
		return fmt.Sprintf("%s<%d characters>", body[:strings.IndexAny(body, ":=")+1], len(body))
	}
	body = maskQuoted(maskBetween(body))
	if cellNames.MatchString(body) {
		body = cellCode.ReplaceAllString(body, "…")
	}
	return maskDigits(body)
}

// The cell, which some modems tell without quotes, is where a modem is.
var (
	cellNames = regexp.MustCompile(`\+C(G|E|5G)?REG:`)
	cellCode  = regexp.MustCompile(`[0-9A-Fa-f]{4,}`)
)

// maskBetween replaces words between two quoted strings of a line on the wire:
// they are of one string that has quotes itself.
func maskBetween(s string) string {
	parts := strings.Split(s, `"`)
	for i := 2; i < len(parts); i += 2 {
		if strings.ContainsFunc(parts[i], func(r rune) bool { return unicode.IsLetter(r) || r > unicode.MaxASCII }) {
			parts[i] = "…"
		}
	}
	return strings.Join(parts, `"`)
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
	return maskRuns(s, func(from, to int) bool { return to-from < 4 })
}

// maskRuns replaces runs of digits but for those to be kept.
func maskRuns(s string, keep func(from, to int) bool) string {
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
		case keep(i, j):
			b.WriteString(s[i:j])
		default:
			b.WriteString("…")
		}
		i = j
	}
	return b.String()
}
