package driver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/warthog618/modem/at"
)

// session is one conversation over one opened port. It ends at the first
// missed deadline, because the answer that comes late would be taken for the
// answer to the next command; what ended is never used again.
type session struct {
	port    *port
	wire    *wire
	at      *at.AT
	log     *slog.Logger
	limit   time.Duration   // of an ordinary command
	turn    chan struct{}   // holds one token: whose turn it is to talk
	imei    string          // what AT+CGSN answered, "" if it does not
	starts  context.Context // of bring-up: what meets a busy SIM is repeated until it ends; nil: is not
	onceEnd sync.Once
	done    chan struct{} // closed when the session has ended
	err     error         // why; written before done is closed
	pumped  chan struct{} // closed when the reading side is gone
	helpers sync.WaitGroup
}

// endPatience bounds how long close waits for the goroutines of a session. A
// hook of the caller that blocks is the only thing that can use it up.
const endPatience = 3 * time.Second

func newSession(p *port, o Options) *session {
	s := &session{
		port: p, wire: newWire(p, o.Log, o.Trace), log: o.Log, limit: o.CommandTimeout,
		turn: make(chan struct{}, 1), done: make(chan struct{}), pumped: make(chan struct{}),
	}
	// The real deadlines are per command; this one only ends what forgot its own.
	s.at = at.New(s.wire, at.WithTimeout(o.CommandTimeout), at.WithEscTime(20*time.Millisecond))
	s.turn <- struct{}{}
	go func() {
		defer close(s.pumped)
		err := s.wire.pump()
		s.end(err)
		// Nobody can signal any more: wire is done, and says so under its lock.
		close(s.wire.signals)
	}()
	return s
}

// end ends the session for the given reason; only the first one counts.
func (s *session) end(why error) {
	s.onceEnd.Do(func() {
		s.err = why
		s.wire.trace.Note("session ended: " + why.Error())
		s.port.shut()
		close(s.done)
		// The port's Close may have to wait for the kernel; whoever closes the
		// modem waits for it, a command that failed does not.
		go func() { _ = s.port.Close() }()
	})
}

// close ends the session and waits for what it started.
func (s *session) close() error {
	s.end(ErrClosed)
	s.helpers.Wait()
	err := s.port.Close()
	timer := time.NewTimer(endPatience)
	defer timer.Stop()
	for _, gone := range []<-chan struct{}{s.pumped, s.at.Closed()} {
		select {
		case <-gone:
		case <-timer.C:
			return errors.Join(err, fmt.Errorf("close %s: a hook of the running command does not return", s.port.name))
		}
	}
	return err
}

// ended wraps the reason why the session is over.
func (s *session) ended() error {
	<-s.done
	return s.err
}

// hold waits for the turn to talk and returns how to give it back.
func (s *session) hold(ctx context.Context) (release func(), err error) {
	select {
	case <-s.done:
		return nil, s.ended()
	default:
	}
	select {
	case <-s.turn:
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-s.done:
		return nil, s.ended()
	}
	release = func() { s.turn <- struct{}{} }
	if s.wire.takeStrayPrompt() {
		if err := s.escape(); err != nil {
			release()
			return nil, err
		}
	}
	return release, nil
}

// do issues one command and returns the lines that came with its OK. The
// caller holds the turn. A command that has begun is waited for, whatever its
// caller's context says: its answer must not meet the next command.
func (s *session) do(cmd string) ([]string, error) {
	lines, err := s.doFor(cmd, s.limit)
	for s.starts != nil && simCodes[codeOf(err)] == "busy" && pause(s.starts, s.done, s.limit/20) == nil {
		lines, err = s.doFor(cmd, s.limit)
	}
	return lines, err
}

func (s *session) doFor(cmd string, limit time.Duration) ([]string, error) {
	lines, err := s.at.Command(cmd, at.WithTimeout(limit))
	return lines, s.result(cmd, err)
}

// doLong is for answers of many lines: the deadline counts from the last one.
func (s *session) doLong(cmd string) ([]string, error) {
	const ceiling = 20
	s.wire.setSilence(s.limit)
	defer s.wire.setSilence(0)
	return s.doFor(cmd, ceiling*s.limit)
}

// result turns what at.AT said into our words, and ends the session where the
// conversation can no longer be trusted.
func (s *session) result(cmd string, err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, at.ErrDeadlineExceeded) || s.wire.outcome() != nil {
		s.end(fmt.Errorf("%w: AT%s", ErrTimeout, verb(cmd)))
		return s.ended()
	}
	var cms at.CMSError
	var cme at.CMEError
	switch {
	case errors.Is(err, at.ErrError):
		return &CommandError{Command: verb(cmd), Code: "error"}
	case errors.As(err, &cms):
		return &CommandError{Command: verb(cmd), Code: "cms-" + string(cms)}
	case errors.As(err, &cme):
		return &CommandError{Command: verb(cmd), Code: cmeCode(string(cme))}
	case errors.Is(err, at.ErrClosed):
		return s.ended()
	}
	// A write failed: the modem may have half a line.
	s.end(err)
	return s.ended()
}

// escape leaves a prompt and makes sure that question and answer are in step
// again; where that cannot be shown the session ends. The caller holds the turn.
func (s *session) escape() error {
	s.wire.forgetFinals()
	s.at.Escape()
	return s.settle()
}

// settle waits for the final code of an escape. Modems that send none are
// asked something whose answer cannot be mistaken.
func (s *session) settle() error {
	select {
	case <-s.wire.finals:
		s.wire.takeStrayPrompt()
		return nil
	case <-s.done:
		return s.ended()
	case <-time.After(min(time.Second, s.limit)):
	}
	s.wire.takeStrayPrompt()
	if s.imei == "" {
		return nil
	}
	lines, err := s.do("+CGSN")
	if err == nil && imeiIn(lines) != s.imei {
		s.end(fmt.Errorf("%w: out of step after an escape", ErrTimeout))
		return s.ended()
	}
	return err
}

var verbForm = regexp.MustCompile(`^[+^#*$%!&]?[A-Z]{1,16}(?:[0-9]\b)?`)

// verb is the name of a command, "" where it has none. All that follows the
// name may hold numbers, texts or PINs, with an equals sign before it or not.
func verb(cmd string) string { return verbForm.FindString(strings.ToUpper(cmd)) }

// watchHook is called at the named points of the send and delete path.
type watchHook func(point string)

func (h watchHook) at(point string) {
	if h != nil {
		h(point)
	}
}
