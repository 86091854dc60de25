package sim

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// recording is what a file of [Options.Replay] tells of a modem.
type recording struct {
	boot    []string            // unsolicited before the first command
	replies map[string][]*reply // by key, in the order recorded
}

// reply is the answer to a command, masked where the trace is.
type reply struct {
	lines    []string // information text and what came unasked beside it
	prompted bool     // the body of a message was asked for
	final    string   // final code, "" if none came
	after    []string // unsolicited, before the next command
}

const (
	markWritten = ">"
	markHeard   = "<"
	markNote    = "!"
)

// readRecording reads what `modemgate trace` has printed, with or without
// --json. An error names the file, the line and the rule.
func readRecording(file string) (*recording, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("trace to replay: %w", err)
	}
	defer f.Close()
	return parseRecording(file, f)
}

func parseRecording(file string, text io.Reader) (*recording, error) {
	p := recorder{rec: &recording{replies: map[string][]*reply{}}}
	lines := bufio.NewScanner(text)
	n := 0
	for lines.Scan() {
		n++
		if err := p.take(strings.TrimSpace(lines.Text())); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", file, n, err)
		}
	}
	if err := lines.Err(); errors.Is(err, bufio.ErrTooLong) {
		return nil, fmt.Errorf("%s:%d: a line of a trace is shorter than %d octets", file, n+1, bufio.MaxScanTokenSize)
	} else if err != nil {
		return nil, fmt.Errorf("%s:%d: %w", file, n+1, err)
	}
	if p.end(); len(p.rec.replies) == 0 {
		return nil, fmt.Errorf("%s:%d: no command with its answer is in the trace", file, max(n, 1))
	}
	return p.rec, nil
}

// traceLine takes a line of a trace apart.
func traceLine(line string) (mark, text string, err error) {
	if !utf8.ValidString(line) {
		return "", "", errors.New("a trace is UTF-8")
	}
	if strings.HasPrefix(line, "{") {
		var l struct {
			At         time.Time
			Mark, Text string
		}
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			return "", "", fmt.Errorf("a line of trace --json is an object with at, mark and text: %w", err)
		}
		mark, text = l.Mark, l.Text
	} else {
		f := strings.SplitN(line, " ", 4)
		if len(f) < 4 {
			return "", "", errors.New("a line is a date, a time, a mark and a text, as modemgate trace prints it")
		}
		if _, err := time.Parse("2006-01-02 15:04:05Z07:00", f[0]+" "+f[1]); err != nil {
			return "", "", fmt.Errorf("a line begins with date, time and offset, not with %.40q", f[0]+" "+f[1])
		}
		mark, text = f[2], f[3]
	}
	switch {
	case mark != markWritten && mark != markHeard && mark != markNote:
		return "", "", fmt.Errorf("the mark is >, < or !, not %.10q", mark)
	case text == "":
		return "", "", errors.New("the text is missing")
	case strings.ContainsFunc(text, unicode.IsControl):
		return "", "", errors.New("the text has a control character")
	}
	return mark, text, nil
}

// recorder makes a recording of the lines of a trace.
type recorder struct {
	rec     *recording
	running string // key of the command without final code
	reply   *reply // of it, or of the command before; nil before the first
	open    bool   // no final code yet
}

func (p *recorder) take(line string) error {
	if line == "" || line[0] == '#' {
		return nil
	}
	mark, text, err := traceLine(line)
	switch {
	case err != nil:
		return err
	case mark == markWritten:
		return p.written(text)
	case mark == markHeard:
		p.heard(text)
	default: // the session has ended: what had no answer by then never got one
		p.close("")
	}
	return nil
}

func (p *recorder) written(text string) error {
	command, ok := strings.CutPrefix(text, "AT")
	switch {
	case ok:
		p.close("")
		p.running, p.reply, p.open = key(command), &reply{}, true
	case text == "<ESC>", p.reply == nil: // what the head of the trace belongs to is lost
	case !isMask(text):
		return fmt.Errorf("what is written is AT and a command, <ESC> or a masked message, not %.20q", text)
	case !p.open || !p.reply.prompted:
		return errors.New("a message is written behind the prompt of a command, and there was none")
	}
	return nil
}

func (p *recorder) heard(text string) {
	code, final := finalCode(text)
	switch {
	case p.reply == nil && final: // of a command before the head: so was all the rest
		p.rec.boot = nil
	case p.reply == nil:
		p.rec.boot = append(p.rec.boot, text)
	case p.open && final && text == "OK" && p.awaitsPrompt(): // of another command, late
	case p.open && final:
		p.close(code)
	case p.open && text == markWritten:
		p.reply.prompted = true
	case p.open:
		p.reply.lines = append(p.reply.lines, text)
	case !final:
		p.reply.after = append(p.reply.after, text)
	}
}

// awaitsPrompt tells whether a message is about to be written: OK alone does not
// end that.
func (p *recorder) awaitsPrompt() bool {
	return (p.running == "+CMGS" || p.running == "+CMGW") && !p.reply.prompted
}

// close ends the reply to the running command.
func (p *recorder) close(final string) {
	if p.open {
		p.open, p.reply.final = false, final
		p.rec.replies[p.running] = append(p.rec.replies[p.running], p.reply)
	}
}

// end leaves out what came unasked and cannot be said again. A command whose
// answer is behind the end of the trace is not in the recording.
func (p *recorder) end() {
	p.rec.boot = speakable(p.rec.boot)
	for _, list := range p.rec.replies {
		for _, r := range list {
			r.lines, r.after = withoutMessages(r.lines), speakable(r.after)
		}
	}
}

// withoutMessages leaves out messages that came unasked, with their headers:
// the trace does not hold them.
func withoutMessages(lines []string) (list []string) {
	body := false
	for _, text := range lines {
		header := messageHeader.MatchString(text)
		if !header && !(body && isMask(text)) {
			list = append(list, text)
		}
		body = header
	}
	return list
}

// speakable are those of the lines that can be said without knowing what was
// masked.
func speakable(lines []string) (list []string) {
	for _, text := range withoutMessages(lines) {
		if !isMask(text) && !strings.HasPrefix(text, "+CMGS:") {
			list = append(list, unmask(text, nil))
		}
	}
	return list
}

// finalCode recognises a final code, also one with something glued to it, as
// `OK^RSSI:17` (ITU-T V.250 §5.7.1, 3GPP TS 27.005 §3.2.5, 27.007 §9.1).
func finalCode(text string) (code string, ok bool) {
	upper := strings.ToUpper(text)
	for _, whole := range []string{"OK", "ERROR"} {
		if rest, begins := strings.CutPrefix(upper, whole); begins && (rest == "" || rest == "RING" || strings.ContainsRune(":+^*#%", rune(rest[0]))) {
			return text, true
		}
	}
	for _, whole := range []string{"COMMAND NOT SUPPORT", "TOO MANY PARAMETERS", "MODEM ERROR", "ABORTED"} {
		if upper == whole {
			return text, true
		}
	}
	return text, strings.HasPrefix(upper, "+CMS ERROR") || strings.HasPrefix(upper, "+CME ERROR")
}

// refuses tells whether the modem did not do what the command said.
func (r *reply) refuses() bool { return !strings.HasPrefix(strings.ToUpper(r.final), "OK") }
