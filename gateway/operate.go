package gateway

import (
	"context"
	"errors"
	"time"

	"github.com/modemgate/modemgate/driver"
)

// CommandResult is the answer of a modem to one AT command.
type CommandResult struct {
	Line   string
	Lines  []string // the answer without its final code
	Result string   // "OK", or the code of the error: "error", "cme-30", "cms-500"
	Took   time.Duration
}

// openModem gives the line's open modem, or says why there is none.
func (l *line) openModem() (Modem, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.modem == nil {
		return nil, refuse(NoLine, "line %s has no open modem, it is %s: %s", l.o.Name, l.state.State, l.state.Detail)
	}
	return l.modem, nil
}

// hold makes the modem of the present session known to operators. The returned
// function ends that, and forgets what is true only while a modem is open.
func (l *line) hold(m Modem) func() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.modem = m
	if says, ok := m.(interface{ Announces() bool }); ok && says.Announces() {
		l.state.InboundBy = ByAnnouncement
	} else if ok {
		l.state.InboundBy = ByListing
	}
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.modem = nil
		l.state.Operator, l.state.Registration, l.state.SignalDBM, l.state.Cell = "", "", 0, Cell{}
		l.state.Storage, l.state.InboundBy = nil, ""
		if l.o.Port == "" { // it was found there
			l.state.Port = ""
		}
	}
}

// adminLine is the line of a request that only admin may make.
func (g *Gateway) adminLine(r Request, name string) (*line, error) {
	if err := r.Caller.need(ScopeAdmin); err != nil {
		return nil, err
	}
	l := g.lineNamed(name)
	if l == nil {
		return nil, g.noLine(name)
	}
	return l, nil
}

// Command runs one AT command of an operator between the daemon's own. It
// waits at most timeout, 0 for that of ordinary commands.
func (g *Gateway) Command(ctx context.Context, r Request, name, cmd string, timeout time.Duration) (CommandResult, error) {
	l, err := g.adminLine(r, name)
	if err != nil {
		return CommandResult{}, err
	}
	if timeout < 0 || timeout > driver.MaxCommandTimeout {
		return CommandResult{}, invalid("/timeout", "timeout is at most %s", driver.MaxCommandTimeout)
	}
	if err := driver.CommandAllowed(cmd); err != nil {
		return CommandResult{}, invalid("/command", "%s", err)
	}
	m, err := l.openModem()
	if err != nil {
		return CommandResult{}, err
	}
	l.log.Info("an operator's command", "key", r.Caller.Key, "command", driver.MaskCommand(cmd))
	began := time.Now()
	lines, err := m.Command(ctx, cmd, timeout)
	res := CommandResult{Line: name, Lines: lines, Result: "OK", Took: time.Since(began)}
	var refused *driver.CommandError
	switch {
	case errors.As(err, &refused):
		res.Result = refused.Code
		return res, nil
	case err != nil:
		return res, l.sessionError(err)
	}
	return res, nil
}

// sessionError says in words why a modem gave no answer.
func (l *line) sessionError(err error) error {
	switch {
	case errors.Is(err, driver.ErrForbidden):
		return &Error{Code: InvalidRequest, Detail: err.Error(), Err: err}
	case errors.Is(err, driver.ErrTimeout):
		return &Error{Code: ModemTimeout, Detail: "line " + l.o.Name + " gave no answer in time: its session begins anew; GET /v1/lines says when it is up", Err: err}
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return &Error{Code: LineBusy, Detail: "line " + l.o.Name + " is busy with another command or a send: try again", Err: err}
	}
	return &Error{Code: NoLine, Detail: "the modem of line " + l.o.Name + " went away: GET /v1/lines says what it lacks", Err: err}
}

// Trace returns the last lines of the line's dialogue after seq, masked,
// oldest first. It holds what a session said before it ended.
func (g *Gateway) Trace(_ context.Context, r Request, name string, seq uint64) ([]TraceLine, error) {
	l, err := g.adminLine(r, name)
	if err != nil || l.o.Trace == nil {
		return nil, err
	}
	return l.o.Trace.Lines(seq), nil
}
