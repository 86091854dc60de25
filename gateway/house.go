package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/modemgate/modemgate/gateway/events"
	"github.com/modemgate/modemgate/gateway/phone"
	"github.com/modemgate/modemgate/gateway/store"
)

// EraseReport counts what was erased of a number.
type EraseReport struct {
	Messages int
	OTPs     int
	Inbound  int
	Parts    int // of long SMS still incomplete
	Events   int // in the streams
}

func (g *Gateway) local(r Request) error {
	if r.Caller.Local {
		return nil
	}
	return refuse(ScopeMissing, "this is done on the machine itself, by the modemgate command")
}

// Backup writes a consistent copy of the database to path, on this machine.
func (g *Gateway) Backup(ctx context.Context, r Request, path string) error {
	if err := g.local(r); err != nil {
		return err
	}
	if err := g.st.Backup(ctx, path); err != nil {
		return &Error{Code: InvalidRequest, Detail: "the backup failed: " + err.Error(), Err: err}
	}
	return nil
}

// maxShortCode is how many digits a number without a country has at most.
const maxShortCode = 6

// Erase clears a number from the store, the events that wait and our streams.
// Abuse counters stay: they hold only a keyed hash.
func (g *Gateway) Erase(ctx context.Context, r Request, number string) (EraseReport, error) {
	var rep EraseReport
	if err := g.local(r); err != nil {
		return rep, err
	}
	n, err := g.number("/number", number)
	if err != nil {
		n = strings.TrimSpace(number) // a short code or an alphanumeric sender
		if n == "" || strings.Trim(n, "+0123456789 ()/.-") == "" && len(n) > maxShortCode {
			return rep, err
		}
	}
	gone := map[string]bool{}
	err = g.update(ctx, "erase", func(tx store.Tx) error {
		rep, gone = EraseReport{}, map[string]bool{}
		return g.eraseNumber(tx, n, &rep, gone)
	})
	if err != nil {
		return rep, err
	}
	for _, l := range g.lines() {
		l.eraseCalls(n)
	}
	if err := g.st.Checkpoint(ctx); err != nil {
		return rep, err
	}
	if g.o.Bus == nil {
		return rep, nil
	}
	rep.Events, err = g.o.Bus.Erase(ctx, func(subject string, payload []byte) bool {
		id := subject[strings.LastIndexByte(subject, '.')+1:]
		if gone[id] {
			return true
		}
		var b struct{ ID, From, To string }
		if json.Unmarshal(payload, &b) != nil {
			return false
		}
		aCall := strings.HasPrefix(subject, "modem.") && b.From == phone.Mask(n) // or that of a number masked alike
		return gone[b.ID] || b.From == n || b.To == n || aCall
	})
	return rep, err
}

func (g *Gateway) eraseNumber(tx store.Tx, n string, rep *EraseReport, gone map[string]bool) error {
	remove := func(list func(string) ([]string, error), del func(string) error, count *int) error {
		ids, err := list(n)
		if err != nil {
			return err
		}
		for _, id := range ids {
			if _, err := tx.DeleteEvents(id); err != nil {
				return err
			}
			if err := del(id); err != nil && !errors.Is(err, store.ErrNotFound) {
				return err
			}
			gone[id] = true
			*count++
		}
		return nil
	}
	if err := remove(tx.MessagesTo, tx.DeleteMessage, &rep.Messages); err != nil {
		return err
	}
	if err := remove(tx.OTPsTo, tx.DeleteOTP, &rep.OTPs); err != nil {
		return err
	}
	if err := remove(tx.InboundFrom, tx.DeleteInbound, &rep.Inbound); err != nil {
		return err
	}
	if _, err := tx.DeleteEvents(aboutCall + phone.Mask(n)); err != nil {
		return err
	}
	if err := g.eraseReports(tx, n); err != nil {
		return err
	}
	for _, t := range addressTypes {
		parts, err := tx.EraseSetsFrom(sender(t, n))
		if err != nil {
			return err
		}
		rep.Parts += parts
	}
	return nil
}

// eraseReports forgets the status reports of a number that match nothing.
func (g *Gateway) eraseReports(tx store.Tx, number string) error {
	sims, err := tx.ListSIMs()
	if err != nil {
		return err
	}
	names := map[string]bool{}
	for _, s := range sims {
		names[s.ICCID] = true
	}
	for _, l := range g.lines() {
		names[l.sim()] = true
	}
	for name := range names {
		kept, err := tx.Reports(name, -1)
		if err != nil {
			return err
		}
		for _, r := range kept {
			if !phone.SameTail(number, r.Recipient) {
				continue
			}
			if err := tx.DeleteReport(r.ID); err != nil {
				return err
			}
		}
	}
	return nil
}

// DropQueue cancels the messages that a restore holds.
func (g *Gateway) DropQueue(ctx context.Context, r Request) (int, error) {
	if err := g.local(r); err != nil {
		return 0, err
	}
	dropped := 0
	for {
		n := 0
		err := g.update(ctx, "drop-queue", func(tx store.Tx) error {
			n = 0
			ids, err := tx.HeldQueue(sweepBatch)
			if err != nil {
				return err
			}
			for _, id := range ids {
				m, err := tx.Message(id)
				if err != nil {
					return err
				}
				if _, err := g.end(tx, m, []State{store.Queued}, store.Canceled, "canceled", "restored from a backup and dropped"); err != nil {
					return err
				}
				if _, err := tx.ChangeMessage(id, []State{m.State}, store.MessageChange{Held: ptr(false), At: g.clock.now()}); err != nil {
					return err
				}
				n++
			}
			return nil
		})
		dropped += n
		if err != nil || n == 0 {
			return dropped, err
		}
	}
}

// ReleaseQueue lets the messages go that a restore holds.
func (g *Gateway) ReleaseQueue(ctx context.Context, r Request) (int, error) {
	if err := g.local(r); err != nil {
		return 0, err
	}
	n := 0
	err := g.update(ctx, "release-queue", func(tx store.Tx) (err error) {
		n, err = tx.ReleaseQueue(g.clock.now())
		tx.Notify(topicQueue)
		return err
	})
	return n, err
}

// AfterRestore prepares a restored store for its first start: what was queued
// is held, pending OTPs are canceled, the keys that live again are listed,
// since they may have been revoked after the backup, and the records of PINs
// count as incomplete.
func AfterRestore(ctx context.Context, st store.Store, now time.Time) (held int, keys []string, err error) {
	err = st.Update(ctx, "after-restore", func(tx store.Tx) error {
		held, keys = 0, nil
		if err := cancelCodes(tx, now, "its code was canceled by the restore"); err != nil {
			return err
		}
		if err := settleRestored(tx, now); err != nil {
			return err
		}
		if err := tx.PutSetting(pinsRestored, now.UTC().Format(time.RFC3339Nano)); err != nil {
			return err
		}
		if held, err = tx.HoldQueue(); err != nil {
			return err
		}
		all, err := tx.ListKeys()
		if err != nil {
			return err
		}
		for _, k := range all {
			if !k.RevokedAt.IsZero() {
				continue
			}
			k.RevivedAt = now
			if err := tx.PutKey(k); err != nil {
				return err
			}
			keys = append(keys, k.Name)
		}
		return nil
	})
	return held, keys, err
}

// cancelCodes ends all pending OTPs, with the messages that still wait to
// carry one, in a store on which nobody works.
func cancelCodes(tx store.Tx, now time.Time, why string) error {
	for {
		pending, err := tx.PendingOTPs(sweepBatch)
		if err != nil || len(pending) == 0 {
			return err
		}
		for _, id := range pending {
			c := store.OTPChange{State: ptr(store.OTPCanceled), EndedAt: &now, MAC: ptr([]byte(nil))}
			if _, err := tx.ChangeOTP(id, []OTPState{store.OTPPending}, c); err != nil {
				return err
			}
			if err := dropCode(tx, id, now, why); err != nil {
				return err
			}
		}
	}
}

// dropCode cancels the message of a canceled OTP: its code is void.
func dropCode(tx store.Tx, otp string, now time.Time, why string) error {
	o, err := tx.OTP(otp)
	if err != nil {
		return err
	}
	c := store.MessageChange{
		State: ptr(store.Canceled), Final: ptr(true), EndedAt: &now, Error: ptr("canceled"), At: now,
		History: &store.HistoryEntry{State: store.Canceled, At: now, Error: "canceled", Note: why},
	}
	if _, err := tx.ChangeMessage(o.MessageID, []State{store.Queued}, c); err != nil {
		return err
	}
	return eraseCode(tx, o.MessageID)
}

// eraseCode forgets the text of a message whose code is void.
func eraseCode(tx store.Tx, id string) error {
	if err := tx.EraseText(id); !errors.Is(err, store.ErrNotFound) {
		return err
	}
	return nil
}

// settleRestored makes what was in the air when the backup was made unknown
// for good: whether it went out afterwards only a person can find out.
func settleRestored(tx store.Tx, now time.Time) error {
	for _, state := range []State{store.Sending, store.Unknown} {
		ids, err := tx.InState(state)
		if err != nil {
			return err
		}
		for _, id := range ids {
			m, err := tx.Message(id)
			if err != nil {
				return err
			}
			if err := setParts(tx, m, store.Sending, store.Unknown); err != nil {
				return err
			}
			c := store.MessageChange{
				State: ptr(store.Unknown), Final: ptr(true), EndedAt: &now, DueAt: ptr(time.Time{}), At: now,
				History: &store.HistoryEntry{State: store.Unknown, At: now, Error: "restored", Note: "it was being sent when the backup was made"},
			}
			if _, err := tx.ChangeMessage(id, []State{state}, c); err != nil {
				return err
			}
			if m.OTPID == "" {
				continue
			}
			if err := eraseCode(tx, id); err != nil {
				return err
			}
		}
	}
	return nil
}

// Grants lists what every live key may do on NATS, to make their consumers at
// the start.
func (g *Gateway) Grants() []events.Grant {
	now := g.clock.now()
	g.keys.mu.RLock()
	defer g.keys.mu.RUnlock()
	var out []events.Grant
	for _, k := range g.keys.byName {
		if liveKey(k, now) {
			out = append(out, grantOf(k))
		}
	}
	return out
}
