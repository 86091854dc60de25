package gateway

import (
	"context"
	"errors"
	"time"

	"github.com/modemgate/modemgate/gateway/store"
)

const (
	tidyEvery  = 10 * time.Minute
	sweepBatch = 200
)

// fingerprintKeep is how long a PDU is at least known after it was last seen
// on a SIM: a SIM may lie in a drawer before its slots are freed.
const fingerprintKeep = 90 * 24 * time.Hour

// sweep ends what is overdue, erases texts whose time has come, and watches
// disk and clock. What may take long is done beside it.
func (g *Gateway) sweep(ctx context.Context) error {
	tick := time.NewTicker(g.o.Sweep)
	defer tick.Stop()
	for {
		g.sweeper.beat()
		g.look(ctx)
		if err := g.overdue(ctx); err != nil && ctx.Err() == nil {
			g.log.Warn("cannot end what is overdue", "err", err)
		}
		if g.pendingCodes(ctx) {
			g.noteTime(ctx, notePending)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// keepTidy purges what is past its retention: soon after the start, for who
// is started often, and then now and then.
func (g *Gateway) keepTidy(ctx context.Context) error {
	due := time.NewTimer(g.o.Sweep)
	defer due.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-due.C:
			due.Reset(tidyEvery)
		}
		if err := g.tidy(ctx); err != nil && ctx.Err() == nil {
			g.log.Warn("cannot purge what is past its retention", "err", err)
		}
	}
}

// checkpoints makes erasures final on the disk, those of a moment together.
// Each may have to wait for a backup to end.
func (g *Gateway) checkpoints(ctx context.Context) error {
	tick := time.NewTicker(g.o.Sweep)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		select {
		case <-ctx.Done():
			return nil
		case <-g.erasing:
		}
		if err := g.st.Checkpoint(ctx); err != nil && ctx.Err() == nil {
			g.log.Debug("checkpoint", "err", err)
			g.askCheckpoint()
		}
	}
}

// overdue ends what has passed its time, in batches until none is left.
func (g *Gateway) overdue(ctx context.Context) error {
	for _, step := range []func(context.Context) (bool, error){g.expireMessages, g.settleMessages, g.expireOTPs, g.eraseTexts, g.closeSets} {
		for more := true; more && ctx.Err() == nil; {
			g.sweeper.beat()
			var err error
			if more, err = step(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// ids reads the ids of a batch without a commit, so that an idle gateway
// writes nothing.
func (g *Gateway) ids(ctx context.Context, read func(tx store.Tx) ([]string, error)) (out []string, err error) {
	err = g.st.View(ctx, func(tx store.Tx) error {
		out, err = read(tx)
		return err
	})
	return out, err
}

// each runs fn on every id in one commit and says whether there may be more.
func (g *Gateway) each(ctx context.Context, step string, ids []string, fn func(tx store.Tx, id string) error) (bool, error) {
	if len(ids) == 0 {
		return false, nil
	}
	err := g.update(ctx, step, func(tx store.Tx) error {
		for _, id := range ids {
			if err := fn(tx, id); err != nil && !errors.Is(err, store.ErrNotFound) {
				return err
			}
		}
		return nil
	})
	return err == nil && len(ids) == sweepBatch, err
}

// expireMessages ends queued messages whose deadline has passed, whether or
// not any line is up.
func (g *Gateway) expireMessages(ctx context.Context) (bool, error) {
	now := g.clock.now()
	ids, err := g.ids(ctx, func(tx store.Tx) ([]string, error) {
		return tx.OverdueMessages([]State{store.Queued}, now, sweepBatch)
	})
	if err != nil {
		return false, err
	}
	return g.each(ctx, "expire", ids, func(tx store.Tx, id string) error {
		m, err := tx.Message(id)
		if err != nil {
			return err
		}
		_, err = g.end(tx, m, []State{store.Queued}, store.Expired, "expired", "the deadline passed before a line could send it")
		return err
	})
}

// settleMessages decides unknown outcomes whose evidence is late, and ends
// the wait for status reports.
func (g *Gateway) settleMessages(ctx context.Context) (bool, error) {
	now := g.clock.now()
	ids, err := g.ids(ctx, func(tx store.Tx) ([]string, error) {
		return tx.OverdueMessages([]State{store.Unknown, store.Sent}, now, sweepBatch)
	})
	if err != nil {
		return false, err
	}
	return g.each(ctx, "settle", ids, func(tx store.Tx, id string) error {
		m, err := tx.Message(id)
		if err != nil {
			return err
		}
		if m.State == store.Unknown {
			return g.decideUnknown(tx, m)
		}
		_, err = g.move(tx, m, []State{store.Sent}, store.MessageChange{Final: ptr(true), EndedAt: &now, DueAt: ptr(time.Time{})})
		return err
	})
}

// expireOTPs ends pending codes whose time has passed and lets their texts go.
func (g *Gateway) expireOTPs(ctx context.Context) (bool, error) {
	now := g.clock.now()
	ids, err := g.ids(ctx, func(tx store.Tx) ([]string, error) { return tx.OverdueOTPs(now, sweepBatch) })
	if err != nil {
		return false, err
	}
	return g.each(ctx, "expire-otp", ids, func(tx store.Tx, id string) error {
		o, err := tx.OTP(id)
		if err != nil {
			return err
		}
		return g.endOTP(tx, o, store.OTPExpired, now)
	})
}

// eraseTexts forgets texts whose keep_text is over.
func (g *Gateway) eraseTexts(ctx context.Context) (bool, error) {
	now := g.clock.now()
	ids, err := g.ids(ctx, func(tx store.Tx) ([]string, error) { return tx.ErasableTexts(now, sweepBatch) })
	if err != nil {
		return false, err
	}
	return g.each(ctx, "erase-text", ids, func(tx store.Tx, id string) error {
		g.askCheckpoint()
		return tx.EraseText(id)
	})
}

// tidy purges what is past its retention, and notes the time for the clock.
func (g *Gateway) tidy(ctx context.Context) error {
	now := g.clock.now()
	purges := []func(tx store.Tx) (int, error){
		func(tx store.Tx) (int, error) { return tx.PurgeMessages(now.Add(-g.o.Keep), sweepBatch) },
		func(tx store.Tx) (int, error) { return tx.PurgeOTPs(now.Add(-g.o.Keep), sweepBatch) },
		func(tx store.Tx) (int, error) { return tx.PurgeInbound(now.Add(-g.o.InboundKeep), sweepBatch) },
		func(tx store.Tx) (int, error) {
			return tx.PurgePDUs(now.Add(-max(g.o.InboundKeep, fingerprintKeep)), sweepBatch)
		},
		func(tx store.Tx) (int, error) { return tx.PurgeSets(now.Add(-g.o.InboundKeep), sweepBatch) },
		func(tx store.Tx) (int, error) { return tx.PurgeReports(now.Add(-reportKeep)) },
		func(tx store.Tx) (int, error) { return tx.PurgeIntents(now.Add(-lateWindow)) },
		func(tx store.Tx) (int, error) { return tx.PurgeIdempotency(now.Add(-idempotencyKeep)) },
		func(tx store.Tx) (int, error) { return tx.PurgeLimits(now.Add(-48*time.Hour), monthOf(now)) },
		g.pruneRoutes,
	}
	for _, purge := range purges {
		for more := true; more && ctx.Err() == nil; {
			err := g.update(ctx, "purge", func(tx store.Tx) error {
				n, err := purge(tx)
				more = n >= sweepBatch
				return err
			})
			if err != nil {
				return err
			}
		}
	}
	g.noteTime(ctx, 0)
	return nil
}

// noteTime tells the store the time if it was not told for d. A code that is
// pending must not live longer because the clock was turned back before a
// start.
func (g *Gateway) noteTime(ctx context.Context, d time.Duration) {
	now := g.clock.now()
	if g.clock.unnoted(now) < d {
		return
	}
	err := g.update(ctx, "note-time", func(tx store.Tx) error { return putTime(tx, now) })
	if err != nil && ctx.Err() == nil {
		g.log.Debug("cannot note the time", "err", err)
		return
	}
	g.clock.note(now)
}

// pendingCodes says whether any OTP is pending.
func (g *Gateway) pendingCodes(ctx context.Context) (pending bool) {
	_ = g.st.View(ctx, func(tx store.Tx) error {
		next, err := tx.NextOTPExpiry()
		pending = !next.IsZero()
		return err
	})
	return pending
}
