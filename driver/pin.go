package driver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
)

// PIN unlocks a SIM that asks for its PIN (3GPP TS 27.007 §8.3). Three wrong
// tries block a SIM until its PUK is entered, so the driver reads how many are
// left before it spends one, never spends the last, and asks Guard first.
type PIN struct {
	// Read returns the PIN, 4 to 8 digits. It is called when a SIM asks.
	Read func() (string, error)
	// Guard remembers what was tried, over restarts.
	Guard PINGuard
}

// PINGuard sees to it that no PIN is tried twice on one SIM.
type PINGuard interface {
	// Claim is called before the PIN is written. Once it has returned nil the
	// try is on record, whatever happens then; an error keeps the PIN back.
	Claim(ctx context.Context, try PINTry) error
	// Settle is called when the SIM has said whether the PIN was right. It is
	// not called for a try whose end nobody saw.
	Settle(ctx context.Context, try PINTry, right bool) error
}

// PINTry is one PIN about to be tried on one SIM. It prints without its PIN.
type PINTry struct {
	SIM  string // ICCID, "" where the modem does not tell it before the PIN is in, or not this time
	IMEI string // of the modem, "" if it does not tell; SIM or IMEI is known
	PIN  string
	Left int // tries left before this one, -1 if the modem does not say
}

// String tells nothing of the PIN.
func (t PINTry) String() string { return fmt.Sprintf("a PIN with %d tries left", t.Left) }

// GoString tells nothing of the PIN.
func (t PINTry) GoString() string { return t.String() }

// LogValue tells nothing of the PIN.
func (t PINTry) LogValue() slog.Value { return slog.StringValue(t.String()) }

// Why a PIN is not entered, or was of no use, in [SIMError.Err].
var (
	// ErrPINMissing means that the SIM asks for a PIN and none is given.
	ErrPINMissing = errors.New("no PIN is configured for it")
	// ErrPINWrong means that the SIM refused the PIN just now.
	ErrPINWrong = errors.New("it refused the PIN")
	// ErrPINUnsettled means that the SIM still asks after a PIN was entered, and did not say that it was wrong.
	ErrPINUnsettled = errors.New("it still asks after the PIN was entered")
	// ErrPINLastTry means that the next wrong PIN would block the SIM.
	ErrPINLastTry = errors.New("only one try is left, which is not risked")
	// ErrPINNobody means that neither SIM nor modem tells its number, so that
	// nobody could remember what was tried.
	ErrPINNobody = errors.New("neither SIM nor modem tells its serial number, so a second try could not be prevented")
)

// lastTry is the number of tries left at which a PIN is not entered.
const lastTry = 1

// unlock enters the PIN that the SIM asks for, at most once.
func (m *Modem) unlock(ctx context.Context) error {
	left, err := m.pinTriesLeft()
	if err != nil {
		return err
	}
	refuse := func(why error) error { return &SIMError{State: "pin", Left: left, Err: why} }
	if m.o.PIN == nil {
		return refuse(ErrPINMissing)
	}
	if left >= 0 && left <= lastTry {
		return refuse(ErrPINLastTry)
	}
	pin, err := m.o.PIN.Read()
	if err == nil && !validPIN(pin) {
		err = errors.New("a PIN has 4 to 8 digits")
	}
	if err != nil {
		return refuse(err)
	}
	iccid, err := m.lockedSIM(ctx)
	if err != nil {
		return err
	}
	if err := m.verifyLocked(iccid); err != nil {
		return err // a PIN is for one SIM
	}
	try := PINTry{SIM: iccid, IMEI: m.identity.IMEI, PIN: pin, Left: left}
	if try.SIM == "" && try.IMEI == "" {
		return refuse(ErrPINNobody)
	}
	if err := m.o.PIN.Guard.Claim(ctx, try); err != nil {
		return refuse(err)
	}
	return m.enterPIN(ctx, try)
}

func validPIN(pin string) bool {
	return len(pin) >= 4 && len(pin) <= 8 && strings.Trim(pin, "0123456789") == ""
}

// lockedSIM reads the ICCID before the SIM is unlocked, "" if the modem does not
// tell it: EF_ICCID needs no PIN (3GPP TS 31.102 §4.2.17), but not every modem
// reads it by then.
func (m *Modem) lockedSIM(ctx context.Context) (string, error) {
	defer m.awaitSIM(ctx)() // a SIM that starts up tells it soon
	return m.readICCID()
}

// enterPIN writes the PIN and judges by what SIM and counter say then: error
// codes differ between modems, and a modem may answer before the SIM did.
func (m *Modem) enterPIN(ctx context.Context, try PINTry) error {
	const patience = 3 // the SIM itself checks the PIN, and slowly
	_, err := m.s.doFor(fmt.Sprintf(`+CPIN=%q`, try.PIN), patience*m.s.limit)
	if err != nil && codeOf(err) == "" {
		return err // the session has ended; nobody knows what the SIM said
	}
	entered := err == nil
	state, asked := m.waitSIM(ctx, func(state string) bool { return state == "busy" || entered && state == "pin" })
	if asked != nil && codeOf(asked) == "" {
		return asked
	}
	left, counted := m.pinTriesLeft()
	if counted != nil {
		return counted
	}
	wrong := state == "puk" || state == "pin" && (refusedPIN(codeOf(err)) || left >= 0 && left < try.Left)
	switch {
	case wrong:
		m.o.Log.Warn("the SIM refused the PIN; it is not tried again", "tries_left", left)
		if err := m.o.PIN.Guard.Settle(ctx, try, false); err != nil {
			m.o.Log.Warn("the try of a PIN stays open in the records, which keeps it from being tried again all the same", "err", err)
		}
		if state == "puk" {
			return &SIMError{State: "puk", Left: left, Err: err}
		}
		return &SIMError{State: "pin", Left: left, Err: ErrPINWrong}
	case state == "pin":
		return &SIMError{State: "pin", Left: left, Err: fmt.Errorf("%w: %w", ErrPINUnsettled, err)}
	case state != "" && state != "busy":
		return &SIMError{State: state, Left: left, Err: err}
	case state == "busy" && !entered:
		return &SIMError{State: "busy", Left: left, Err: err}
	}
	m.o.Log.Info("the SIM is unlocked")
	if err := m.o.PIN.Guard.Settle(ctx, try, true); err != nil {
		m.o.Log.Warn("the PIN was right and that cannot be recorded: it may not be entered again", "err", err)
	}
	if state == "busy" {
		return &SIMError{State: "busy", Left: left}
	}
	return nil
}

// refusedPIN says whether a code means a wrong PIN: incorrect password (16),
// PUK required (12), and what some modems say instead.
func refusedPIN(code string) bool {
	switch code {
	case "cme-16", "cme-12", "cms-316", "cme-INCORRECT PASSWORD", "cme-SIM PUK REQUIRED":
		return true
	}
	return false
}

// pinCounters read how many tries of the PIN are left: the standard's command
// (3GPP TS 27.007 §8.65) and those of vendors, each with the field of its
// answer that says so.
var pinCounters = []struct {
	cmd, prefix string
	field       int
	name        string // what the first field must be, "" for anything
}{
	{cmd: "+CPINR", prefix: "+CPINR:", field: 1, name: "SIM PIN"},
	{cmd: "^CPIN?", prefix: "^CPIN:", field: 3},               // Huawei: code, tries of it, PUK, PIN, PUK2, PIN2
	{cmd: "+QPINC?", prefix: "+QPINC:", field: 1, name: "SC"}, // Quectel: "SC", PIN, PUK
	{cmd: "+SPIC", prefix: "+SPIC:"},                          // SIMCom: PIN, PUK, PIN2, PUK2
	{cmd: "^SPIC", prefix: "^SPIC:"},                          // Siemens, Cinterion: of the password asked for
	{cmd: "#PCT", prefix: "#PCT:"},                            // Telit: of the password asked for
	{cmd: "+UPINCNT", prefix: "+UPINCNT:"},                    // u-blox: PIN, PIN2, PUK, PUK2
	{cmd: "+CPINC?", prefix: "+CPINC:"},                       // Sierra, SIMCom: PIN, PIN2, PUK, PUK2
	{cmd: "+ZPINPUK=?", prefix: "+ZPINPUK:"},                  // ZTE: PIN, PUK
}

// pinTriesLeft reads the counter, -1 if the modem tells it in no way.
func (m *Modem) pinTriesLeft() (int, error) {
	return PINTriesLeft(func(command string) ([]string, error) {
		lines, err := m.s.do(command)
		if codeOf(err) != "" {
			err = nil // it does not know the command
		}
		return lines, err
	})
}

// PINTriesLeft reads how many tries of the PIN are left, -1 if the modem tells
// it in no way. ask runs a command, without its AT, and gives the lines of its
// answer; none when the modem refuses it. An error of ask ends it.
func PINTriesLeft(ask func(command string) ([]string, error)) (int, error) {
	const most = 10 // a SIM's counter of the PIN starts at 3; more than this is no counter
	for _, c := range pinCounters {
		lines, err := ask(c.cmd)
		if err != nil {
			return -1, err
		}
		for _, f := range answers(lines, c.prefix, c.field+1) {
			if c.name != "" && !strings.EqualFold(f[0], c.name) {
				continue
			}
			if n := number(f[c.field], -1); n >= 0 && n <= most {
				return n, nil
			}
		}
	}
	return -1, nil
}
