package driver

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/warthog618/modem/at"
)

// step is one step of the bring-up. Only a step that must succeed can fail
// Open; a modem that refuses any other does without.
type step struct {
	name string
	must bool
	run  func(*Modem, context.Context) error
}

// wakeUp is the sequence of Open that ends with a SIM that can be used. ATZ
// and AT&F are not in it: they restore someone else's profile.
var wakeUp = []step{
	{"wake the modem", true, (*Modem).wake},
	{"echo off, verbal results", false, (*Modem).plainAnswers},
	{"numeric errors", false, command("+CMEE=1")},
	{"step check and IMEI", true, (*Modem).inStep},
	{"manufacturer", false, (*Modem).readMaker},
	{"is it the right modem", true, (*Modem).verify},
	{"family's own settings", false, (*Modem).familySetup},
	{"radio on", false, (*Modem).radioOn},
	{"sim", true, (*Modem).checkSIM},
}

// setUp is the rest of Open. A SIM that is still starting is waited for.
var setUp = []step{
	{"sim identity", false, (*Modem).readSIM},
	{"is it the right SIM", true, (*Modem).verifySIM},
	{"no registration reports", false, command("+CREG=0")},
	{"no GPRS registration reports", false, command("+CGREG=0")},
	{"no EPS registration reports", false, command("+CEREG=0")},
	{"operator names in letters", false, command("+COPS=3,0")},
	{"caller numbers", false, command("+CLIP=1")},
	{"PDU mode", true, (*Modem).pduMode},
	{"service centre", false, (*Modem).readCentre},
	{"no acknowledged routing", false, command("+CSMS=0")},
	{"storages", false, (*Modem).findStorages},
	{"new message indications", false, (*Modem).askIndications},
	{"link holding", false, (*Modem).probeLink},
}

// bareSteps is how many of the first steps bring a modem just so far that it
// answers and says who it is.
const bareSteps = 5

// bringUp runs both tables. The session has no other user yet.
func (m *Modem) bringUp(ctx context.Context) error {
	release, err := m.s.hold(ctx)
	if err != nil {
		return err
	}
	defer release()
	if m.o.Bare {
		return m.run(ctx, wakeUp[:bareSteps])
	}
	if err := m.run(ctx, wakeUp); err != nil {
		return err
	}
	defer m.awaitSIM(ctx)()
	if err := m.run(ctx, setUp); err != nil {
		return err
	}
	m.s.wire.expectNoEcho()
	return nil
}

func (m *Modem) run(ctx context.Context, steps []step) error {
	for _, st := range steps {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("bring up %s: %s: %w", m.o.Port, st.name, err)
		}
		err := st.run(m, ctx)
		select {
		case <-m.s.done:
			return m.notUp(st, m.s.ended())
		default:
		}
		if err != nil && st.must {
			return m.notUp(st, err)
		}
		if err != nil {
			m.o.Log.Debug("modem does without", "step", st.name, "err", err)
		}
	}
	return nil
}

// notUp says which step of the start a modem did not take. That nothing answers
// at all is no matter of the step.
func (m *Modem) notUp(st step, err error) error {
	if errors.Is(err, ErrSilent) {
		return fmt.Errorf("%s: %w", m.o.Port, err)
	}
	return fmt.Errorf("bring up %s: %s: %w", m.o.Port, st.name, err)
}

// command is a step of one command without an answer.
func command(cmd string) func(*Modem, context.Context) error {
	return func(m *Modem, _ context.Context) error {
		_, err := m.s.do(cmd)
		return err
	}
}

// wake finds the modem, in the states that a predecessor may have left it in:
// asleep (the first AT is lost), not yet sure of the speed, or at the prompt
// of a +CMGS that was never finished. Ctrl-Z comes after an AT that the
// prompt has swallowed, so what it submits is no valid PDU and is refused.
func (m *Modem) wake(ctx context.Context) error {
	patience := m.o.CommandTimeout / 5
	for i, rung := range []string{"", "", esc + "\r", string(rune(sub)), "\r"} {
		if err := ctx.Err(); err != nil {
			return err
		}
		if rung != "" {
			if _, err := m.s.port.Write([]byte(rung)); err != nil {
				return err
			}
			m.s.quiet(ctx, patience/4)
		}
		err := m.s.probe("", patience)
		if err == nil || codeOf(err) != "" {
			if i > 0 {
				m.s.quiet(ctx, patience/2)
			}
			m.s.wire.takeStrayPrompt()
			return nil
		}
		select {
		case <-m.s.done:
			return m.s.ended()
		default:
		}
	}
	return ErrSilent
}

// probe asks something that may stay without an answer. Its late answer meets
// no command, or is found out by inStep.
func (s *session) probe(cmd string, patience time.Duration) error {
	s.wire.setSilence(patience)
	defer s.wire.setSilence(0)
	_, err := s.at.Command(cmd, at.WithTimeout(patience+s.limit))
	if err != nil && s.wire.outcome() != nil {
		return ErrSilent
	}
	return s.result(cmd, err)
}

// quiet waits until the modem has said nothing for d, at most five times d.
func (s *session) quiet(ctx context.Context, d time.Duration) {
	for range 5 {
		before := s.wire.received()
		if pause(ctx, s.done, d) != nil || s.wire.received() == before {
			return
		}
	}
}

// pause waits for d unless the context or the session ends first.
func pause(ctx context.Context, done <-chan struct{}, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-done:
		return ErrClosed
	}
}

func (m *Modem) plainAnswers(context.Context) error {
	defer m.s.wire.forgetEcho()
	if _, err := m.s.do("E0V1"); err == nil || codeOf(err) == "" {
		return err
	}
	_, echo := m.s.do("E0")
	_, verbal := m.s.do("V1")
	return errors.Join(echo, verbal)
}

// inStep makes sure that answers belong to their questions: a late answer to
// a predecessor's command would shift every answer by one, for ever. The IMEI
// is an answer that cannot be mistaken; where AT+CGSN is refused the
// manufacturer's name has to do.
func (m *Modem) inStep(ctx context.Context) error {
	for range 4 {
		lines, err := m.s.do("+CGSN")
		if err != nil && codeOf(err) == "" {
			return err
		}
		if imei := imeiIn(lines); imei != "" {
			m.identity.IMEI, m.s.imei = imei, imei
			return nil
		}
		lines, err = m.s.do("+CGMI")
		if err != nil && codeOf(err) == "" {
			return err
		}
		if len(bareLines(lines, "+CGMI:")) > 0 && imeiIn(lines) == "" {
			return nil
		}
		m.s.quiet(ctx, m.o.CommandTimeout/10)
	}
	return fmt.Errorf("%w: its answers do not belong to the questions", ErrSilent)
}

// pduMode selects PDU mode (3GPP TS 27.005 §3.2.3), the only one we speak. It
// is tried again because some modems refuse it until the SIM is read.
func (m *Modem) pduMode(ctx context.Context) error {
	var err error
	for range 5 {
		if _, err = m.s.do("+CMGF=0"); err == nil {
			return nil
		}
		if codeOf(err) == "" || pause(ctx, m.s.done, m.o.CommandTimeout/20) != nil {
			return err
		}
	}
	return fmt.Errorf("%w: %w", ErrNoPDUMode, err)
}

// probeLink learns whether AT+CMMS can hold the radio link over a long message
// (3GPP TS 27.005 §3.5.6).
func (m *Modem) probeLink(context.Context) error {
	if m.quirks.linkHeld < 0 {
		return nil
	}
	want := max(m.quirks.linkHeld, 2)
	lines, err := m.s.do("+CMMS=?")
	if err != nil {
		return err
	}
	for _, f := range answers(lines, "+CMMS:", 1) {
		if slices.Contains(values(strings.Join(f, ",")), want) {
			m.canLink = want
		}
	}
	return nil
}
