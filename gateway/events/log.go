package events

import (
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// serverLog brings the lines of the embedded server to slog, at debug and
// without what must not be logged: tokens and the numbers in subjects. The
// server's own debug and trace output, which holds payloads, is never on.
type serverLog struct {
	log   *slog.Logger
	fatal atomic.Pointer[string] // the last fatal error

	// broken is called when the server says that it could not write an event.
	// The publish is left unanswered then, and so is each one after it.
	broken func(err error)
}

var (
	longNumber = regexp.MustCompile(`[0-9]{7,}`)
	apiKey     = regexp.MustCompile(`mg_[A-Za-z0-9_-]+`)
)

// mask hides API keys and all but the last two digits of long numbers.
func mask(s string) string {
	s = apiKey.ReplaceAllString(s, "mg_…")
	return longNumber.ReplaceAllStringFunc(s, func(n string) string { return "…" + n[len(n)-2:] })
}

func (l *serverLog) line(level, format string, v []any) {
	l.log.Debug("nats server", "level", level, "line", mask(fmt.Sprintf(format, v...)))
}

func (l *serverLog) Noticef(format string, v ...any) { l.line("notice", format, v) }
func (l *serverLog) Warnf(format string, v ...any)   { l.line("warn", format, v) }

func (l *serverLog) Errorf(format string, v ...any) {
	l.line("error", format, v)
	if l.broken != nil && strings.Contains(fmt.Sprintf(format, v...), "failed to store a msg") {
		l.broken(errors.New("the server could not store an event"))
	}
}

// Fatalf notes the error; the server returns after it and never gets ready.
func (l *serverLog) Fatalf(format string, v ...any) {
	text := mask(fmt.Sprintf(format, v...))
	l.fatal.Store(&text)
	l.line("fatal", format, v)
}

func (l *serverLog) Debugf(string, ...any) {}
func (l *serverLog) Tracef(string, ...any) {}

// Of lines that strangers can cause at will, so many are logged in so long a
// time.
const (
	strangerLines  = 5
	strangerWindow = time.Minute
)

// throttle bounds such lines, and counts those that were left out.
type throttle struct {
	mu    sync.Mutex
	since time.Time
	seen  int // since then
	left  int // out, and not told yet
}

// allow says whether to log one more, and how many were not since the last.
func (t *throttle) allow(now time.Time) (ok bool, more int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if now.Sub(t.since) >= strangerWindow {
		t.since, t.seen = now, 0
	}
	if t.seen++; t.seen > strangerLines {
		t.left++
		return false, 0
	}
	more, t.left = t.left, 0
	return true, more
}
