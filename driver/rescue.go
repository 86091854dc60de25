package driver

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// What helps a modem that its session cannot help any more, from the gentlest
// on: CycleRadio, then [Modem.Reset] or [ResetSilent], then [USBSwitch.Reset],
// then [Power.Cycle]. None says whether it has helped: the caller opens the modem
// anew and sees.

// radioPause is how long the radio stays off: long enough for the network to
// see the detach (3GPP TS 24.008 §4.3.4), short enough for nobody to wait.
const radioPause = 2 * time.Second

// CycleRadio switches the radio off and on (AT+CFUN, 3GPP TS 27.007 §8.2), so
// that the modem registers anew. SIM and settings stay, except on modems that
// know no AT+CFUN=4 and are taken through AT+CFUN=0: the caller opens the modem
// anew in any case. Once off, the radio is switched on again whatever ctx says.
// Errors: a [*CommandError], or why the session ended.
func (m *Modem) CycleRadio(ctx context.Context) error {
	release, err := m.s.hold(ctx)
	if err != nil {
		return fmt.Errorf("radio off and on: %w", err)
	}
	defer release()
	limit := 3 * m.o.CommandTimeout // detaching from a network takes its time
	if _, err = m.s.doFor("+CFUN=4", limit); err != nil && codeOf(err) != "" {
		_, err = m.s.doFor("+CFUN=0", limit)
	}
	if err != nil {
		return fmt.Errorf("radio off: %w", err)
	}
	const tries = 5 // Wavecom refuses for a while, gammu#93
	for range tries {
		if pause(context.WithoutCancel(ctx), m.s.done, min(radioPause, m.o.CommandTimeout/5)) != nil {
			return fmt.Errorf("radio on: %w", m.s.ended())
		}
		if _, err = m.s.doFor("+CFUN=1", limit); err == nil || codeOf(err) == "" {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("radio on: %w", err)
	}
	return nil
}

// CanReset says whether a modem of this identity has a restart command that is
// known and safe.
func CanReset(id Identity) bool {
	q := quirksOf(id)
	return q.reset != "" && !q.becomesCD
}

// ResetSilent writes the restart command to the port of a modem that does not
// answer: some still hear. Nothing is read back. The identity is the one that
// the modem on this port gave when it last answered. Errors: [ErrNoReset],
// those of opening a port, a failed write.
func ResetSilent(ctx context.Context, o Options, id Identity) error {
	if !CanReset(id) {
		return fmt.Errorf("%w: %s %s", ErrNoReset, id.Manufacturer, id.Model)
	}
	if o.Port == "" {
		return fmt.Errorf("%w: it is not known where the modem is", ErrNoPort)
	}
	o = o.withDefaults()
	p, err := openPort(o)
	if err != nil {
		return err
	}
	write := func(s string) {
		if err == nil {
			_, err = p.Write([]byte(s))
		}
		// Close throws away what the device has not taken yet.
		if err == nil {
			err = pause(ctx, nil, min(500*time.Millisecond, o.CommandTimeout/10))
		}
	}
	write(esc + "\r") // it may stand at a prompt
	write("AT" + quirksOf(id).reset + "\r")
	if cerr := p.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return fmt.Errorf("reset without an answer: %w", err)
	}
	return nil
}

// Plug names what is plugged in at a port at this moment, "" for nothing; after
// a plug it is another name.
func Plug(port string) string {
	node, err := filepath.EvalSymlinks(port)
	if err != nil || port == "" {
		return ""
	}
	info, err := os.Stat(node)
	if err != nil {
		return ""
	}
	return fmt.Sprintf("%s %d", node, inode(info))
}
