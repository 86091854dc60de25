package driver

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// ErrForbidden means that a command was not passed on to the modem.
var ErrForbidden = errors.New("command is not allowed")

// forbidden lists beginnings of commands that would break the session (they
// ask for more input, leave PDU mode, restore a profile or take the line into
// a call), or that spend tries of a PIN.
var forbidden = []string{
	"+CMGS", "+CMGW", "+CMGC", "+CMSS", "+CMGF=", "+CSMS=", "+CNMI=", "+CPIN=", "+CPIN2=", "+CPWD", "+CLCK", "^CPIN", "E", "V", "Q", "D", "A", "O",
	"Z", "&F", "&W", "S3", "S4", "+IPR", "+CMUX", "+CSCS=", "+UCMGS", "+CNMA", "+CPMS=",
}

// Command runs one AT command of an operator, written with or without AT, and
// returns the lines of its answer. Commands that would break the session are
// refused with [ErrForbidden].
func (m *Modem) Command(ctx context.Context, cmd string) ([]string, error) {
	cmd = strings.TrimSpace(cmd)
	if len(cmd) >= 2 && strings.EqualFold(cmd[:2], "AT") {
		cmd = cmd[2:]
	}
	if err := allowed(cmd); err != nil {
		return nil, err
	}
	release, err := m.s.hold(ctx)
	if err != nil {
		return nil, fmt.Errorf("AT%s: %w", verb(cmd), err)
	}
	defer release()
	return m.s.doLong(cmd)
}

// allowed checks a command of an operator. A semicolon would hide a second
// command behind the first; a control character would end the line.
func allowed(cmd string) error {
	upper := strings.ToUpper(cmd)
	for _, r := range cmd {
		if r < ' ' || r > '~' || r == ';' {
			return fmt.Errorf("%w: one command of printable ASCII, without ';'", ErrForbidden)
		}
	}
	for _, prefix := range forbidden {
		test := strings.HasPrefix(upper, strings.TrimSuffix(prefix, "=")+"=?")
		if strings.HasPrefix(upper, prefix) && !test {
			return fmt.Errorf("%w: AT%s would disturb the session or the SIM", ErrForbidden, verb(prefix))
		}
	}
	return nil
}

// USSD sends a code such as *100# (3GPP TS 27.007 §7.15). The network's
// answer comes as [SignalUSSD], seconds later.
func (m *Modem) USSD(ctx context.Context, code string) error {
	if code == "" || len(code) > 182 || strings.Trim(code, "0123456789*#+") != "" {
		return errors.New("ussd: a code has the characters 0-9 * # +, at most 182 of them")
	}
	release, err := m.s.hold(ctx)
	if err != nil {
		return fmt.Errorf("ussd: %w", err)
	}
	defer release()
	if _, err := m.s.do(fmt.Sprintf(`+CUSD=1,%q,15`, code)); err != nil {
		return fmt.Errorf("ussd: %w", err)
	}
	return nil
}
