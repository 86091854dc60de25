package driver

import (
	"errors"
	"fmt"
	"time"
)

var (
	// ErrNoPort means that the device node does not exist: the modem is not plugged in.
	ErrNoPort = errors.New("no such port")
	// ErrPortBusy means that another program, named in the text where known, holds the port.
	ErrPortBusy = errors.New("port is busy")
	// ErrSilent means that the port opened and no modem answered on it.
	ErrSilent = errors.New("modem does not answer")
	// ErrGone means that the session ended because the modem or its port went away.
	ErrGone = errors.New("modem is gone")
	// ErrTimeout means that a command missed its deadline, which ends the session.
	ErrTimeout = errors.New("modem missed a deadline")
	// ErrRebooted means that the modem restarted by itself and lost its settings.
	ErrRebooted = errors.New("modem restarted")
	// ErrClosed means that the modem was closed by its owner.
	ErrClosed = errors.New("modem is closed")
	// ErrNoPDUMode means that the modem refuses AT+CMGF=0.
	ErrNoPDUMode = errors.New("modem has no PDU mode")
)

// SIMError is a stated condition of the SIM that keeps a modem from being
// used. State is one of pin, puk, pin2, puk2, network-lock, absent, failure,
// busy, wrong, down. The driver never tries a PIN.
type SIMError struct {
	State string
	Err   error // the modem's own answer, may be nil
}

func (e *SIMError) Error() string {
	switch e.State {
	case "pin":
		return "sim needs a PIN: disable it in a phone (AT+CLCK) or enter it by hand"
	case "puk":
		return "sim is blocked and needs its PUK: unblock it in a phone"
	case "absent":
		return "no sim in the modem: insert one"
	}
	return "sim is not usable: " + e.State
}

func (e *SIMError) Unwrap() error { return e.Err }

// Fate is what became of a submission that did not end in a reference.
type Fate int

const (
	// NotSent means that the network did not take the message; another attempt is safe.
	NotSent Fate = iota
	// Refused means that modem, SIM or network refused this very message for good.
	Refused
	// Unknown means that Ctrl-Z went out and no answer that settles it came: the message may be out.
	Unknown
)

func (f Fate) String() string {
	switch f {
	case NotSent:
		return "not sent"
	case Refused:
		return "refused"
	case Unknown:
		return "unknown"
	}
	return fmt.Sprintf("Fate(%d)", int(f))
}

// Class says what an error code asks of whoever decides about retries.
type Class int

const (
	// ClassNone is an outcome without an error code.
	ClassNone Class = iota
	// Permanent: this message or recipient will fail again, do not retry.
	Permanent
	// LineDown: SIM, subscription or configuration; stop the line, use another.
	LineDown
	// Temporary: retry with back-off.
	Temporary
	// Unsure: at most two retries, then another modem, then fail.
	Unsure
)

func (c Class) String() string {
	switch c {
	case ClassNone:
		return "none"
	case Permanent:
		return "permanent"
	case LineDown:
		return "line down"
	case Temporary:
		return "temporary"
	case Unsure:
		return "unsure"
	}
	return fmt.Sprintf("Class(%d)", int(c))
}

// SendError says what became of a submission. Code is "cms-N" (3GPP TS 27.005
// §3.2.5), "cme-N" (3GPP TS 27.007 §9.2), "error" (a bare ERROR), "timeout",
// "gone", "prompt" or "canceled". Wait is a hint how long to wait before
// another attempt, 0 for none.
type SendError struct {
	Fate  Fate
	Class Class
	Code  string
	Wait  time.Duration
	Err   error
}

func (e *SendError) Error() string {
	return fmt.Sprintf("send: %s (%s): %v", e.Fate, e.Code, e.Err)
}

func (e *SendError) Unwrap() error { return e.Err }

// CommandError is a final result code other than OK. Code is "cms-N", "cme-N"
// or "error"; a textual code of a modem that ignores AT+CMEE=1 is kept as it came.
type CommandError struct {
	Command string
	Code    string
}

func (e *CommandError) Error() string { return fmt.Sprintf("AT%s: %s", e.Command, e.Code) }

// codeOf returns the code of a CommandError in err's chain, "" if there is none.
func codeOf(err error) string {
	var ce *CommandError
	if errors.As(err, &ce) {
		return ce.Code
	}
	return ""
}
