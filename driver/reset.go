package driver

import (
	"context"
	"errors"
	"fmt"
)

// ErrNoReset means that the modem has no command to restart it that is known
// and safe: some sticks come back as a CD drive.
var ErrNoReset = errors.New("modem has no safe restart command")

// Reset restarts the modem by its family's own command. The session ends with
// [ErrRebooted], or with [ErrGone] when the port leaves first; the modem takes
// up to half a minute to return, often under another port. Errors: [ErrNoReset],
// a [*CommandError] when the modem refuses, or why the session has ended.
func (m *Modem) Reset(ctx context.Context) error {
	if m.quirks.becomesCD || m.quirks.reset == "" {
		return fmt.Errorf("%w: %s %s", ErrNoReset, m.identity.Manufacturer, m.identity.Model)
	}
	release, err := m.s.hold(ctx)
	if err != nil {
		return fmt.Errorf("reset: %w", err)
	}
	defer release()
	_, err = m.s.do(m.quirks.reset)
	if err != nil && codeOf(err) != "" {
		return fmt.Errorf("reset: %w", err)
	}
	m.s.end(ErrRebooted)
	return nil
}

// Family names the row of the table of quirks that the modem was found in,
// "unknown" for none.
func (m *Modem) Family() string { return m.quirks.family }
