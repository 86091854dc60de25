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

// Command runs one AT command of an operator, written with or without AT, and
// returns the lines of its answer. It waits for timeout, 0 for that of
// ordinary commands, at most [MaxCommandTimeout]; an answer that does not come
// in time ends the session with [ErrTimeout]. A command passes if it is known to
// read: others are refused with [ErrForbidden] and what to use instead. A final
// code other than OK is a *CommandError.
func (m *Modem) Command(ctx context.Context, cmd string, timeout time.Duration) ([]string, error) {
	cmd, err := passable(cmd)
	if err != nil {
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
func CommandAllowed(cmd string) error {
	_, err := passable(cmd)
	return err
}

// withoutAT takes the AT from a command.
func withoutAT(cmd string) string {
	cmd = strings.TrimSpace(cmd)
	if len(cmd) >= 2 && strings.EqualFold(cmd[:2], "AT") {
		cmd = cmd[2:]
	}
	return cmd
}

// passable gives the command as it is written to the modem, or says why it is
// not: exactly one command, in one of the forms that read. What is written is
// what was looked at: blanks outside of quotes, which ITU-T V.250 §5.2.1 lets
// a modem skip, are taken out first.
func passable(cmd string) (string, error) {
	cmd = withoutAT(cmd)
	for _, r := range cmd {
		if r < ' ' || r > '~' || r == ';' {
			return "", fmt.Errorf("%w: %s", ErrForbidden, insteadOneLine)
		}
	}
	cmd = withoutBlanks(cmd)
	name, params := cmd, ""
	if m := extended.FindStringSubmatch(cmd); m != nil {
		name, params = strings.ToUpper(m[1]), m[2]
		cmd = name + params
		if reads(name, params) {
			return cmd, nil
		}
	} else if readBasic.MatchString(cmd) {
		return cmd, nil
	}
	return "", refusal(name, params)
}

// reads says whether an extended command is known to read in this form.
func reads(name, params string) bool {
	switch params {
	case "":
		return readActions[name]
	case "?":
		return !acting.MatchString(name)
	case "=?":
		return true
	}
	form := readSets[name]
	return form != nil && form.MatchString(params)
}

// refusal names the command, without what may be a number or a PIN, and what
// to use instead.
func refusal(name, params string) error {
	upper := strings.ToUpper(name)
	if first := firstBasic.FindString(upper); first != "" {
		if first != "D" && anotherCommand.MatchString(upper[len(first):]) {
			return fmt.Errorf("%w: no command may follow AT%s; %s", ErrForbidden, maskDigits(first), insteadOneLine)
		}
		upper = first
	} else if !extended.MatchString(upper) {
		return fmt.Errorf("%w: it is not written as an AT command; %s", ErrForbidden, insteadOneLine)
	}
	instead := insteadStay
	for _, h := range insteadOf {
		if h.names.MatchString(upper) {
			instead = h.instead
			break
		}
	}
	form := ""
	if strings.HasPrefix(params, "=") {
		form = "="
	}
	return fmt.Errorf("%w: AT%s%s is not known to only read; %s", ErrForbidden, maskDigits(upper), form, instead)
}

// withoutBlanks takes the blanks outside of quotes from a command.
func withoutBlanks(cmd string) string {
	quoted := false
	return strings.Map(func(r rune) rune {
		if r == '"' {
			quoted = !quoted
		}
		if r == ' ' && !quoted {
			return -1
		}
		return r
	}, cmd)
}
