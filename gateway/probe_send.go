package gateway

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"time"

	"github.com/modemgate/modemgate/driver"
	"github.com/modemgate/modemgate/gateway/store"
)

func newProbeID() string {
	var b [8]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// probes says whether the line may send a probe.
func (l *line) probes(now time.Time) bool {
	ok, _ := l.ready(now)
	return ok && l.probe.Load() == nil
}

// hears says whether the line receives, at a number that is known.
func (l *line) hears(now time.Time) bool {
	ok, _ := l.works(now)
	return ok && l.number() != ""
}

func (l *line) number() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.state.Number
}

// errNoProbe says that a probe is not sent now, and is not counted.
var errNoProbe = errors.New("no probe now")

// sendProbe sends the probe that the line was handed, after all else. It counts
// against the limits of the line and the budget of probes. mute is that of
// sendJudged.
func (l *line) sendProbe(ctx context.Context, m Modem) (mute bool) {
	p := l.probe.Swap(nil)
	if p == nil || ctx.Err() != nil {
		return false
	}
	to, now := p.to.number(), l.g.clock.now()
	if to == "" {
		return false
	}
	if err := l.chargeProbe(ctx, to, now); err != nil {
		if !errors.Is(err, errNoProbe) && ctx.Err() == nil {
			l.log.Warn("a probe cannot be counted and is not sent", "err", err)
		}
		return false
	}
	l.busy.Store(true)
	defer l.busy.Store(false)
	l.g.prober.sent(p, now)
	c := &claim{
		m:    &store.Message{ID: "probe", To: to, DeadlineAt: now.Add(max(5*time.Minute, l.g.o.Probe.Objective)), Parts: make([]store.Part, 1), Encoding: "gsm7"},
		part: 1, text: l.g.probeText(p.id),
	}
	l.encode(c, now)
	_, err := l.send(ctx, m, c)
	if err == nil {
		l.g.prober.accepted(p, l.g.clock.now())
		l.unanswered.Store(false)
		l.unblock()
		l.sentAt.Store(l.g.clock.now().UnixNano())
		return l.sendJudged(to, nil)
	}
	code := "internal"
	if se := (*driver.SendError)(nil); errors.As(err, &se) {
		code = cmp.Or(se.Code, code)
		if se.Fate == driver.NotSent && se.Class == driver.LineDown {
			l.blockFor(code, blockFirst, l.g.clock.now())
		}
		if se.Fate == driver.Unknown { // it may arrive yet
			l.unanswered.Store(true)
			return l.sendJudged(to, err)
		}
		l.lookAgain(code)
	}
	if ctx.Err() == nil {
		l.g.prober.failed(l.g, p, code)
	}
	return l.sendJudged(to, err)
}

// chargeProbe counts a probe. An answer to what was sent before is awaited no
// longer: it could not be told from that to the probe.
func (l *line) chargeProbe(ctx context.Context, to string, now time.Time) error {
	return l.g.update(ctx, "probe", func(tx store.Tx) error {
		until, err := l.budget(tx, now)
		if err != nil {
			return err
		}
		if _, at := l.quota.opens(1, l.g.units(to), now); !until.IsZero() || !at.IsZero() {
			return errNoProbe
		}
		n, err := tx.AddCounter(kindProbe, "all", dayOf(now), 1)
		if err != nil {
			return err
		}
		if n > l.g.o.Probe.PerDay {
			return errNoProbe
		}
		if l.unanswered.Load() {
			if err := tx.ForgetIntents(l.sim(), now); err != nil {
				return err
			}
		}
		return l.charge(tx, to, now)
	})
}
