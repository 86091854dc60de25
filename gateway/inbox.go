package gateway

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/modemgate/modemgate/driver"
	"github.com/modemgate/modemgate/gateway/store"
)

// drainRetry is how soon a SIM is read again after the store took nothing.
const drainRetry = 5 * time.Second

// drain moves what is stored on the SIM to the store, in the order of the
// listing: one commit, then the deletion. A crash anywhere repeats, and the
// fingerprint drops the repeat. When the store refuses, the SMS stays on the
// SIM, which is the inbox until the store has it.
func (l *line) drain(ctx context.Context, m Modem) error {
	ctx, cancel := context.WithTimeout(ctx, drainTimeout)
	defer cancel()
	list, err := m.List(ctx)
	if err != nil {
		return l.stillAlive(ctx, m, "the SIM cannot be read", err)
	}
	in := l.sorted(list)
	for i, a := range in {
		if alreadyTaken(in[:i], a) {
			// Equal PDUs of one listing were stored together with the first.
		} else if err := l.take1(ctx, a.decoded, copies(in, a)); err != nil {
			l.drainLater(err)
			return nil
		}
		l.waiting = nil
		l.g.o.Hook("inbox:stored")
		if err := m.Delete(ctx, a.stored.Slot); err != nil {
			l.stuckIn(a.stored.Slot.Memory)
			// It is stored, and known when it is listed again; the others go on.
			if err := l.stillAlive(ctx, m, "a stored SMS cannot be deleted from the SIM", err); err != nil || ctx.Err() != nil {
				return err
			}
			continue
		}
		l.g.o.Hook("inbox:deleted")
	}
	if len(in) > 0 && l.fullTold() {
		l.look.Store(true)
	}
	return nil
}

// arrival is a message of a listing that came in.
type arrival struct {
	stored  driver.Stored
	decoded driver.Decoded
}

// drainLater has the SIM read again in a while. One such wait is enough, and
// one line in the log for the whole of it.
func (l *line) drainLater(err error) {
	if l.waiting == nil {
		l.log.Warn("an SMS stays on the SIM: it cannot be stored", "err", err)
	} else {
		l.waiting.Stop()
	}
	l.waiting = time.AfterFunc(drainRetry, func() {
		l.want.Store(true)
		l.poke()
	})
}

// stillAlive keeps the session when only a command failed: the next listing
// tries again. It returns why the session has ended if it has.
func (l *line) stillAlive(ctx context.Context, m Modem, what string, err error) error {
	select {
	case <-m.Done():
		return sessionEnd(m)
	default:
	}
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return nil
	}
	l.mu.Lock()
	known := l.state.LastError == err.Error()
	l.state.LastError = err.Error()
	l.mu.Unlock()
	if !known {
		l.log.Warn(what+"; the next reading tries again", "err", err)
	}
	return nil
}

func alreadyTaken(before []arrival, a arrival) bool {
	return slices.ContainsFunc(before, func(b arrival) bool { return b.stored.PDU == a.stored.PDU })
}

// copies counts the equal PDUs of a listing: so many messages they are, but for
// those of a modem that is known to store each twice.
func copies(list []arrival, a arrival) int {
	n := 0
	for _, o := range list {
		if o.stored.PDU == a.stored.PDU && !o.stored.Copy {
			n++
		}
	}
	return n
}

// take1 stores one PDU, n times if the listing holds it n times.
func (l *line) take1(ctx context.Context, d driver.Decoded, n int) error {
	if d.Silent {
		return nil // type 0: acknowledged and dropped, 3GPP TS 23.040 §9.2.3.9
	}
	stored := 0
	err := l.g.update(ctx, "inbound", func(tx store.Tx) error {
		stored = 0
		for i := range n {
			ok, err := l.receive(tx, d, i)
			if err != nil {
				return err
			}
			if ok {
				stored++
			}
		}
		return nil
	})
	for range stored {
		if err == nil && d.Kind != driver.Report {
			l.g.metrics.received(l.o.Name)
		}
	}
	return err
}

// takeDirect stores an SMS that the modem handed over without storing it
// (class 0): there is nothing to delete.
func (l *line) takeDirect(d driver.Decoded) {
	if d.Silent {
		return
	}
	stored := false
	l.persist("inbound", "an SMS that the modem does not store", func(tx store.Tx) (err error) {
		stored, err = l.receive(tx, d, 0)
		return err
	})
	if stored {
		l.g.metrics.received(l.o.Name)
	}
}

// receive stores the i-th copy of a PDU in the commit of tx; false when it
// is known already.
func (l *line) receive(tx store.Tx, d driver.Decoded, i int) (bool, error) {
	fp := fingerprint(l.sim(), d.PDU, i)
	seen, err := tx.SeenPDU(fp)
	if err != nil {
		return false, err
	}
	now := l.g.clock.now()
	// Of a known one too: it stays known as long as the SIM gives it.
	if err := tx.AddPDU(fp, now); err != nil || seen {
		return false, err
	}
	switch {
	case d.Kind == driver.Report && d.Report != nil:
		return true, l.report(tx, d.Report)
	case d.Concat != nil && d.Concat.Total > 1:
		return true, l.join(tx, d, now)
	}
	if d.Kind == driver.Deliver && l.takeProbe(tx, d.Text, now) {
		return false, nil
	}
	in := l.inbound(d, now)
	in.Raw = []string{d.PDU}
	return true, l.g.publish(tx, in)
}

func fingerprint(sim, pdu string, copy int) []byte {
	h := sha256.Sum256(fmt.Appendf(nil, "%s\x00%s\x00%d", sim, pdu, copy))
	return h[:]
}

// inbound is what one decoded PDU says, as a message of one part.
func (l *line) inbound(d driver.Decoded, now time.Time) *store.Inbound {
	l.mu.Lock()
	defer l.mu.Unlock()
	return &store.Inbound{
		From: d.From.Value, FromType: d.From.Type, To: l.state.Number, Line: l.o.Name, ICCID: l.identity.ICCID,
		Text: d.Text, Encoding: d.Encoding, Parts: 1, SMSCAt: d.SentAt, ReceivedAt: now, Simulated: l.o.Simulated,
	}
}

// publish adds a received SMS with its event.
func (g *Gateway) publish(tx store.Tx, in *store.Inbound) error {
	in.ID = newID("in_", in.ReceivedAt)
	if err := tx.InsertInbound(in); err != nil {
		return err
	}
	tx.Notify(topicInbound)
	return g.inboundEvent(tx, in)
}
