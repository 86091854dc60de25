package driver

import (
	"context"
	"fmt"
	"path/filepath"
)

// Checkup is what a modem says of itself, its SIM and the network when a
// person wants to know what it lacks.
type Checkup struct {
	Identity Identity
	SIM      string // as in [SIMError], "" for one that can be used or a modem that does not say
	PINTries int    // left for the PIN, -1 if the modem does not tell
	Status   Status // of a SIM that can be used
}

// Checkup asks what a session that was opened with [Options].Bare does not
// know yet. It sets nothing and enters no PIN; what the modem does not answer
// stays empty. An error means that the session ended.
func (m *Modem) Checkup(ctx context.Context) (Checkup, error) {
	release, err := m.s.hold(ctx)
	if err != nil {
		return Checkup{}, fmt.Errorf("check up: %w", err)
	}
	defer release()
	c := Checkup{PINTries: -1, Status: Status{Registration: "unknown"}}
	ended := func(err error) bool { return err != nil && (codeOf(err) == "" || m.isDone()) }
	if c.SIM, err = m.simState(); ended(err) {
		return c, fmt.Errorf("check up: %w", err)
	}
	if c.PINTries, err = m.pinTriesLeft(); err != nil {
		return c, fmt.Errorf("check up: %w", err)
	}
	if c.SIM == "" {
		if err := m.readSIM(ctx); ended(err) {
			return c, fmt.Errorf("check up: %w", err)
		}
		for _, read := range []func(*Status) error{m.readRegistration, m.readOperator, m.readSignal, m.peekStorage} {
			if err := read(&c.Status); ended(err) {
				return c, fmt.Errorf("check up: %w", err)
			}
		}
		if c.Status.SMSC, c.Status.NoSMSC, err = m.centre(); ended(err) {
			return c, fmt.Errorf("check up: %w", err)
		}
	}
	c.Identity = m.identity
	return c, nil
}

// peekStorage reads the fill of the memories that are selected, and selects
// none.
func (m *Modem) peekStorage(st *Status) error {
	lines, err := m.s.do("+CPMS?")
	for _, f := range answers(lines, "+CPMS:", 3) {
		seen := map[string]bool{}
		for i := 0; i+2 < len(f); i += 3 {
			if !seen[f[i]] {
				seen[f[i]] = true
				st.Storage = append(st.Storage, Memory{Name: f[i], Used: number(f[i+1], 0), Total: number(f[i+2], 0)})
			}
		}
	}
	return err
}

// PortHolder names the program that has a port open or locked by a lock file
// in dir ("" for none), under the device's name or that of the link to it; "" if
// none can be seen. Processes of other users are seen only with the rights to.
// It opens nothing.
func PortHolder(port, dir string) string {
	device := port
	if real, err := filepath.EvalSymlinks(port); err == nil {
		device = real
	}
	if dir != "" {
		for _, name := range []string{device, filepath.Base(port)} {
			if holder := lockHolder(lockPath(dir, name)); holder != "" {
				return holder
			}
		}
	}
	return stranger(device)
}
