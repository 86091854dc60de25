package gateway

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/modemgate/modemgate/driver"
	"github.com/modemgate/modemgate/gateway/store"
)

// gap stands where a part is missing, so that digits on its two sides do not
// read as one number.
const gap = " […] "

// addressTypes are all types of a sender; sender is its name in a set's key.
var addressTypes = []string{driver.AddressInternational, driver.AddressNational, driver.AddressAlphanumeric, driver.AddressUnknown, driver.AddressNone}

func sender(addressType, value string) string { return addressType + ":" + value }

// join adds a part to its set and publishes the whole when it is complete.
func (l *line) join(tx store.Tx, d driver.Decoded, now time.Time) error {
	key := store.SetKey{ICCID: l.sim(), From: sender(d.From.Type, d.From.Value), Reference: d.Concat.Ref, Wide: d.Concat.Wide, Total: d.Concat.Total}
	part := store.SetPart{Seq: d.Concat.Seq, Text: d.Text, Encoding: d.Encoding, Raw: d.PDU, SMSCAt: d.SentAt, At: now}
	sets, err := tx.FindSets(key)
	if err != nil {
		return err
	}
	found, sure := bestFit(sets, part)
	switch {
	case found == nil:
	case fit(found, part) == repeats:
		return nil
	case sure:
		return l.g.grow(tx, found, part, now)
	}
	in := l.inbound(d, now)
	s := &store.Set{
		Key: key, Line: l.o.Name, To: in.To, FromType: in.FromType, FirstAt: now, DueAt: now.Add(l.g.o.Reassembly), Simulated: l.o.Simulated,
	}
	if err := tx.InsertSet(s); err != nil {
		return err
	}
	if found == nil {
		if err := l.g.takeOver(tx, s, part, sets); err != nil {
			return err
		}
	}
	return l.g.grow(tx, s, part, now)
}

// grow adds the part and publishes what has become complete.
func (g *Gateway) grow(tx store.Tx, s *store.Set, p store.SetPart, now time.Time) error {
	if err := tx.AddSetPart(s.ID, p); err != nil {
		return err
	}
	s.Parts = append(s.Parts, p)
	switch {
	case len(s.Parts) == s.Key.Total:
		return g.publishSet(tx, s, now)
	case s.InboundID != "" && s.LateAt.IsZero():
		// Published incomplete before: one amendment follows, when the rest
		// is there or one reassembly from now.
		s.LateAt = now
		return tx.ChangeSet(s.ID, store.SetChange{LateAt: &now, DueAt: ptr(now.Add(g.o.Reassembly))})
	}
	return nil
}

// publishSet publishes what a set holds: complete, or what came in time, or
// the amendment of what was published before.
func (g *Gateway) publishSet(tx store.Tx, s *store.Set, now time.Time) error {
	in := assemble(s)
	in.ReceivedAt, in.Amends = now, s.InboundID
	if err := g.publish(tx, in); err != nil {
		return err
	}
	c := store.SetChange{DueAt: ptr(time.Time{}), Done: ptr(!in.Incomplete || s.InboundID != "")}
	if s.InboundID == "" {
		c.InboundID = &in.ID
		if in.Incomplete { // late parts are waited for as long as the SMS is kept
			c.DueAt = ptr(now.Add(g.o.InboundKeep))
		}
	} else {
		c.AmendID = &in.ID
	}
	return tx.ChangeSet(s.ID, c)
}

// assemble joins the parts of a set in their order.
func assemble(s *store.Set) *store.Inbound {
	slices.SortFunc(s.Parts, func(a, b store.SetPart) int { return a.Seq - b.Seq })
	_, from, _ := strings.Cut(s.Key.From, ":")
	in := &store.Inbound{
		From: from, FromType: s.FromType, To: s.To, Line: s.Line, ICCID: s.Key.ICCID, Parts: s.Key.Total,
		Incomplete: len(s.Parts) < s.Key.Total, Simulated: s.Simulated, Encoding: "gsm7",
	}
	var text strings.Builder
	var run []driver.Decoded // parts that follow one another
	flush := func() {
		text.WriteString(driver.Join(run...))
		run = nil
	}
	next := 1
	for _, p := range s.Parts {
		if p.Seq != next {
			flush()
			text.WriteString(gap)
		}
		next = p.Seq + 1
		run = append(run, driver.Decode(p.Raw, -1))
		in.Raw = append(in.Raw, p.Raw)
		if p.Encoding != "gsm7" {
			in.Encoding = p.Encoding
		}
		if in.SMSCAt.IsZero() || (!p.SMSCAt.IsZero() && p.SMSCAt.Before(in.SMSCAt)) {
			in.SMSCAt = p.SMSCAt
		}
	}
	flush()
	if next <= s.Key.Total {
		text.WriteString(gap)
	}
	in.Text = text.String()
	return in
}

// closeSets publishes incomplete what has waited long enough, and gives up
// sets whose other parts never came.
func (g *Gateway) closeSets(ctx context.Context) (bool, error) {
	now := g.clock.now()
	var due []*store.Set
	err := g.st.View(ctx, func(tx store.Tx) (err error) {
		due, err = tx.OverdueSets(now, sweepBatch)
		return err
	})
	if err != nil || len(due) == 0 {
		return false, err
	}
	err = g.update(ctx, "close-sets", func(tx store.Tx) error {
		for _, old := range due {
			s, err := tx.Set(old.ID)
			if errors.Is(err, store.ErrNotFound) {
				continue
			}
			if err != nil {
				return err
			}
			if s.DueAt.IsZero() || s.DueAt.After(now) {
				continue
			}
			if s.InboundID != "" && s.LateAt.IsZero() {
				err = tx.ChangeSet(s.ID, store.SetChange{Done: ptr(true), DueAt: ptr(time.Time{})})
			} else {
				err = g.publishSet(tx, s, now)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	return len(due) == sweepBatch, err
}
