package gateway

import (
	"slices"
	"time"

	"github.com/modemgate/modemgate/driver"
	"github.com/modemgate/modemgate/gateway/store"
)

// References of long SMS come round again, and some senders use one for all.
// What tells two messages apart is when the service centre was given their
// parts, which a late delivery does not change. Half a message is a nuisance,
// halves of two that make one are a wrong code.
const (
	setWindow = 10 * time.Minute // how far apart the parts of one SMS may be stamped in all
	partGap   = 10 * time.Second // from here on two parts that follow one another are of two messages: a radio takes up to 6 s for one
	tieGap    = 5 * time.Second  // two messages so near to a part cannot be told apart by it
)

type fitness int

const (
	strange fitness = iota // of another message
	belongs
	repeats // another copy of what is there
)

// fit judges whether a part can belong to a set: stamped near enough to the
// others, and its place free. Another text or another stamp in the same place,
// or a time far off, makes it a part of another message: a sender may begin
// every message with the same words.
func fit(s *store.Set, p store.SetPart) fitness {
	for _, have := range s.Parts {
		if apart(have, p) > setWindow {
			return strange
		}
	}
	for _, have := range s.Parts {
		if have.Seq != p.Seq {
			continue
		}
		if copyOf(have, p) {
			return repeats
		}
		return strange
	}
	if s.Done || !follows(s.Parts, p) {
		return strange
	}
	return belongs
}

// follows says whether a part was stamped near enough to those on both sides
// of its place: then a whole has no step that is too long for one message.
func follows(parts []store.SetPart, p store.SetPart) bool {
	var before, after *store.SetPart
	for i, have := range parts {
		switch {
		case have.Seq < p.Seq && (before == nil || have.Seq > before.Seq):
			before = &parts[i]
		case have.Seq > p.Seq && (after == nil || have.Seq < after.Seq):
			after = &parts[i]
		}
	}
	return (before == nil || within(*before, p)) && (after == nil || within(*after, p))
}

// within says whether two parts were stamped less than partGap apart for each
// step from one to the other. Without stamps there is only the time of
// arrival, which says little.
func within(a, b store.SetPart) bool {
	gap := partGap
	if a.SMSCAt.IsZero() || b.SMSCAt.IsZero() {
		gap = setWindow
	}
	steps := max(a.Seq-b.Seq, b.Seq-a.Seq, 1)
	return apart(a, b) < time.Duration(steps)*gap
}

// same says whether two parts say the same. Data of 8 bits has no text, so two
// parts without one are told apart by what they hold.
func same(a, b store.SetPart) bool {
	return a.Text == b.Text && a.Encoding == b.Encoding &&
		(a.Text != "" || driver.SameData(driver.Decode(a.Raw, -1), driver.Decode(b.Raw, -1)))
}

// copyOf says whether two parts are one that was delivered or stored twice. A
// service centre stamps a part when it takes it and sends it again with that
// stamp (3GPP TS 23.040 §9.2.3.11), so the same words at another second are of
// another message. An unreadable stamp proves nothing: then every octet has to
// be the same.
func copyOf(a, b store.SetPart) bool {
	return a.Raw == b.Raw || (!a.SMSCAt.IsZero() && a.SMSCAt.Equal(b.SMSCAt) && same(a, b))
}

// apart is how far apart two parts were stamped by the service centre; by
// their arrival when a stamp is unreadable.
func apart(a, b store.SetPart) time.Duration {
	d := a.SMSCAt.Sub(b.SMSCAt)
	if a.SMSCAt.IsZero() || b.SMSCAt.IsZero() {
		d = a.At.Sub(b.At)
	}
	return max(d, -d)
}

// distance is how far a part is from the nearest one of a set, itself left out.
func distance(p store.SetPart, parts []store.SetPart) time.Duration {
	nearest := time.Duration(1<<63 - 1)
	for _, have := range parts {
		if have.Raw != p.Raw {
			nearest = min(nearest, apart(have, p))
		}
	}
	return nearest
}

// alike says whether two sets hold the same: whichever a part joins, it makes
// the same text.
func alike(a, b *store.Set) bool {
	return slices.EqualFunc(a.Parts, b.Parts, func(x, y store.SetPart) bool { return x.Seq == y.Seq && same(x, y) })
}

// bestFit finds the set that a part fits best: one that holds a copy of it, or
// the one where it was stamped nearest; of sets alike the oldest. It is not
// sure when another one fits as well. The sets are newest first.
func bestFit(sets []*store.Set, p store.SetPart) (best *store.Set, sure bool) {
	const never = time.Duration(1<<63 - 1)
	first, second := never, never // distances of the two nearest it belongs to
	for _, s := range sets {
		d := distance(p, s.Parts)
		switch f := fit(s, p); {
		case f == repeats:
			return s, true
		case f == belongs && best != nil && alike(best, s):
			if d <= first {
				best, first = s, d
			}
		case f == belongs && d < first:
			best, first, second = s, d, first
		case f == belongs:
			second = min(second, d)
		}
	}
	return best, second-first > tieGap
}

// takeOver moves to a new set what an unpublished one holds of its message: a
// part in a place that was taken shows that there are two, and that the other
// may have been filled from both.
func (g *Gateway) takeOver(tx store.Tx, s *store.Set, first store.SetPart, rivals []*store.Set) error {
	for _, rival := range rivals {
		if rival.Done || fit(rival, first) == belongs {
			continue
		}
		kept := slices.Clone(rival.Parts)
		for _, p := range rival.Parts {
			free := p.Seq != first.Seq && !slices.ContainsFunc(s.Parts, func(o store.SetPart) bool { return o.Seq == p.Seq })
			if !free || !follows(append(s.Parts[:len(s.Parts):len(s.Parts)], first), p) || apart(p, first) >= distance(p, kept) {
				continue
			}
			if err := tx.DropSetPart(rival.ID, p.Seq); err != nil {
				return err
			}
			if err := tx.AddSetPart(s.ID, p); err != nil {
				return err
			}
			s.Parts = append(s.Parts, p)
			kept = slices.DeleteFunc(kept, func(o store.SetPart) bool { return o.Seq == p.Seq })
		}
		if len(kept) < len(rival.Parts) && rival.InboundID == "" {
			if err := tx.ChangeSet(rival.ID, store.SetChange{DueAt: ptr(rival.FirstAt.Add(g.o.Reassembly))}); err != nil {
				return err
			}
		}
	}
	return nil
}
