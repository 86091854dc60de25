package driver

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Identify asks the modem on a port who it is and lets go of the port again.
// It locks as [Open] does, sets nothing, enters no PIN and reads the SIM's
// number only. What it cannot tell is "" in the Identity.
//
// With careful the port is not known to be one for AT commands: it is sent AT
// twice, for half a second each, and nothing more if no answer comes; one that
// answers and does not tell who it is fails with [ErrSilent] too.
func Identify(ctx context.Context, o Options, careful bool) (_ Identity, err error) {
	o.CommandTimeout = min(o.withDefaults().CommandTimeout, identifyTimeout)
	o = o.withDefaults()
	p, err := openPort(o)
	if err != nil {
		return Identity{}, err
	}
	m := &Modem{o: o, s: newSession(p, o)}
	defer func() { err = errors.Join(err, m.Close()) }()
	if err := m.introduce(ctx, careful); err != nil {
		return Identity{}, fmt.Errorf("ask %s who it is: %w", o.Port, err)
	}
	return m.identity, nil
}

const (
	identifyTimeout = 5 * time.Second
	probePatience   = 500 * time.Millisecond
)

func (m *Modem) introduce(ctx context.Context, careful bool) error {
	release, err := m.s.hold(ctx)
	if err != nil {
		return err
	}
	defer release()
	stop := context.AfterFunc(ctx, func() { m.s.end(ctx.Err()) })
	defer stop()
	first := m.wake
	if careful {
		first = m.tap
	}
	for _, step := range []func(context.Context) error{first, m.inStep, m.readMaker} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	if m.identity.IMEI == "" && (careful || m.identity.Model == "") {
		return fmt.Errorf("%w: it tells neither IMEI nor model", ErrSilent)
	}
	m.identity.ICCID, err = m.readICCID() // which no PIN guards
	return err
}

// tap sends AT twice to what may not be a modem.
func (m *Modem) tap(context.Context) (err error) {
	for range 2 {
		if err = m.s.probe("", probePatience); err == nil || codeOf(err) != "" {
			return nil
		}
		if !errors.Is(err, ErrSilent) {
			return err
		}
	}
	return err
}

// verify asks the owner whether this is the modem that was meant.
func (m *Modem) verify(context.Context) error { return m.judged(false) }

// verifySIM asks once more when the SIM is known.
func (m *Modem) verifySIM(context.Context) error { return m.judged(true) }

// verifyLocked asks before a PIN is entered. A SIM that does not tell its number
// by then has the ICCID "": the owner may want none but a certain one.
func (m *Modem) verifyLocked(iccid string) error {
	if m.o.Verify == nil {
		return nil
	}
	id := m.identity
	id.ICCID = iccid
	return m.o.Verify(id, true)
}

func (m *Modem) judged(sim bool) error {
	if m.o.Verify == nil {
		return nil
	}
	return m.o.Verify(m.identity, sim)
}

// SameSIM makes sure that the SIM is the one that Open has read. If it is not,
// the session ends with [ErrSIMChanged], or with a [*SIMError] if there is no
// usable SIM any more. A modem that cannot tell at present is believed.
func (m *Modem) SameSIM(ctx context.Context) error {
	release, err := m.s.hold(ctx)
	if err != nil {
		return err
	}
	defer release()
	if err := m.checkCard(nil); codeOf(err) == "" {
		return err
	}
	return nil
}
