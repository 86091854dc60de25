package driver

import (
	"errors"
	"fmt"
	"time"
)

var (
	// ErrNoPort means that the device node does not exist: the modem is not plugged in.
	ErrNoPort = errors.New("there is no such port")
	// ErrNotSerial means that what the port names is a file of another kind.
	ErrNotSerial = errors.New("is no serial port: name the port of the modem")
	// ErrPortBusy means that another program, named in the text where known, holds the port.
	ErrPortBusy = errors.New("port is busy")
	// ErrSilent means that the port opened and no modem answered on it.
	ErrSilent = errors.New("the modem does not answer")
	// ErrGone means that the session ended because the modem or its port went away.
	ErrGone = errors.New("modem is gone")
	// ErrTimeout means that a command missed its deadline, which ends the session.
	ErrTimeout = errors.New("modem missed a deadline")
	// ErrRebooted means that the modem restarted by itself and lost its settings.
	ErrRebooted = errors.New("modem restarted")
	// ErrSIMChanged means that another SIM is in the modem than at Open.
	ErrSIMChanged = errors.New("another sim is in the modem")
	// ErrClosed means that the modem was closed by its owner.
	ErrClosed = errors.New("modem is closed")
	// ErrNoPDUMode means that the modem refuses AT+CMGF=0.
	ErrNoPDUMode = errors.New("modem has no PDU mode")
)

// SIMError is a stated condition of the SIM that keeps a modem from being
// used. State is one of pin, puk, network-lock, absent, failure, busy, wrong,
// down. Left is how many tries of the PIN are left, -1 if nobody knows. Err is
// the modem's own answer or says why the PIN was not entered; it may be nil.
type SIMError struct {
	State string
	Left  int
	Err   error
}

// simWords say what the states are.
var simWords = map[string]string{
	"pin":          "sim asks for its PIN",
	"puk":          "sim is blocked and asks for its PUK",
	"network-lock": "modem is locked to another network or sim",
	"absent":       "no sim in the modem",
	"failure":      "sim has failed or is blocked for good",
	"busy":         "sim is still starting",
	"wrong":        "sim is of the wrong kind for the modem",
	"down":         "sim has no power",
}

func (e *SIMError) Error() string {
	text := simWords[e.State]
	if text == "" {
		text = "sim is not usable: " + e.State
	}
	if e.Left > 0 && e.State == "pin" {
		text += fmt.Sprintf(" (%d tries left)", e.Left)
	}
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
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

// CodeLink is the Code of a [SendError] whose modem was lost at AT+CMMS (3GPP TS
// 27.005 §3.5.6), before AT+CMGS: gone, or without an answer in time. Sent without
// [Submission.More], nothing needs that command.
const CodeLink = "link"

// SendError says what became of a submission. Code is "cms-N" (3GPP TS 27.005
// §3.2.5), "cme-N" (3GPP TS 27.007 §9.2), "error" (a bare ERROR), "timeout",
// "gone", "prompt", "canceled" or [CodeLink]. Wait is a hint how long to wait before
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
