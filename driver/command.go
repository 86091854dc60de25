package driver

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// ErrForbidden means that a command was not passed on to the modem.
var ErrForbidden = errors.New("command is not allowed")

// MaxCommandTimeout is the longest that [Modem.Command] waits: AT+COPS=? may
// take three minutes.
const MaxCommandTimeout = 200 * time.Second

// What to use instead of a command that is not passed on.
const (
	insteadSend    = "modemgate send sends a text, and keeps what became of it"
	insteadPIN     = "the PIN comes from pin_file; change it in a phone"
	insteadUSSD    = "modemgate ussd LINE CODE asks, and waits for the answer"
	insteadReset   = "POST /v1/lines/LINE/reset restarts the modem and looks after what was in hand"
	insteadRead    = "modemgate reads and empties the memories itself: modemgate inbox shows what came"
	insteadStay    = "the session needs this setting as it is; stop the daemon and use a terminal program"
	insteadCall    = "modemgate makes no calls; modems.calls says what becomes of one that comes"
	insteadOneLine = "one command at a time, of printable ASCII, without ';'"
)

// forbidden lists beginnings of commands that would break the session (they
// ask for more input, leave PDU mode, restore a profile, restart the modem or
// take the line into a call), take away messages that are not stored yet, or
// spend tries of a PIN.
var forbidden = []struct{ prefix, instead string }{
	{"+CMGS", insteadSend}, {"+CMGW", insteadSend}, {"+CMGC", insteadSend}, {"+CMSS", insteadSend}, {"+UCMGS", insteadSend},
	{"+CPIN=", insteadPIN}, {"+CPIN2=", insteadPIN}, {"+CPWD", insteadPIN}, {"+CLCK", insteadPIN}, {"^CPIN=", insteadPIN},
	{"+CUSD=", insteadUSSD},
	{"+CFUN=", insteadReset}, {"Z", insteadReset}, {"&F", insteadReset}, {"+CRESET", insteadReset}, {"^RESET", insteadReset},
	{"#REBOOT", insteadReset}, {"!RESET", insteadReset}, {"+CPOWD", insteadReset}, {"+CPWROFF", insteadReset},
	{"+QPOWD", insteadReset}, {"+QRST", insteadReset}, {"+CPOF", insteadReset}, {"^SMSO", insteadReset}, {"#SHDN", insteadReset},
	{"+CMGD", insteadRead}, {"+CMGR=", insteadRead}, {"+CPMS=", insteadRead}, {"+CNMA", insteadRead},
	{"+CMGF=", insteadStay}, {"+CSMS=", insteadStay}, {"+CNMI=", insteadStay}, {"+CSMP=", insteadStay}, {"+CSCS=", insteadStay},
	{"+CMEE=", insteadStay}, {"+CREG=", insteadStay}, {"+CGREG=", insteadStay}, {"+CEREG=", insteadStay}, {"+IPR", insteadStay},
	{"+IFC=", insteadStay}, {"+ICF=", insteadStay}, {"+CMUX", insteadStay}, {"E", insteadStay}, {"V", insteadStay},
	{"Q", insteadStay}, {"&W", insteadStay}, {"&K", insteadStay}, {"S3", insteadStay}, {"S4", insteadStay}, {"O", insteadStay},
	{"D", insteadCall}, {"A", insteadCall},
}

// Command runs one AT command of an operator, written with or without AT, and
// returns the lines of its answer. It waits for timeout, 0 for that of
// ordinary commands, at most [MaxCommandTimeout]; an answer that does not come
// in time ends the session with [ErrTimeout]. Commands that would break the
// session are refused with [ErrForbidden] and what to use instead; a final
// code other than OK is a *CommandError.
func (m *Modem) Command(ctx context.Context, cmd string, timeout time.Duration) ([]string, error) {
	cmd = withoutAT(cmd)
	if err := allowed(cmd); err != nil {
		return nil, err
	}
	if timeout <= 0 {
		timeout = m.o.CommandTimeout
	}
	release, err := m.s.hold(ctx)
	if err != nil {
		return nil, fmt.Errorf("AT%s: %w", verb(cmd), err)
	}
	defer release()
	return m.s.doFor(cmd, min(timeout, MaxCommandTimeout))
}

// CommandAllowed says whether [Modem.Command] passes a command on; else its
// error wraps [ErrForbidden] and says what to use instead.
func CommandAllowed(cmd string) error { return allowed(withoutAT(cmd)) }

// withoutAT takes the AT from a command.
func withoutAT(cmd string) string {
	cmd = strings.TrimSpace(cmd)
	if len(cmd) >= 2 && strings.EqualFold(cmd[:2], "AT") {
		cmd = cmd[2:]
	}
	return cmd
}

// allowed checks a command of an operator. A semicolon would hide a second
// command behind the first; a control character would end the line.
func allowed(cmd string) error {
	upper := strings.ToUpper(cmd)
	for _, r := range cmd {
		if r < ' ' || r > '~' || r == ';' {
			return fmt.Errorf("%w: %s", ErrForbidden, insteadOneLine)
		}
	}
	for _, f := range forbidden {
		test := strings.HasPrefix(upper, strings.TrimSuffix(f.prefix, "=")+"=?")
		if strings.HasPrefix(strings.ReplaceAll(upper, " ", ""), f.prefix) && !test {
			return fmt.Errorf("%w: AT%s would disturb the session or the SIM; %s", ErrForbidden, strings.TrimSuffix(f.prefix, "="), f.instead)
		}
	}
	return nil
}
