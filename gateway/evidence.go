package gateway

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/modemgate/modemgate/driver"
	"github.com/modemgate/modemgate/gateway/phone"
	"github.com/modemgate/modemgate/gateway/store"
)

// reportWindow is how long after a submission a status report can be its:
// the longest validity that we ask for, and a day.
const reportWindow = maxTTL + 24*time.Hour

// reportSkew is how far ahead of ours the service centre's clock may be.
const reportSkew = 10 * time.Minute

// reportDoubt is how much nearer to the stamp of a report one of two parts must
// have been submitted to be told from the other: a submission takes seconds,
// and clocks differ.
const reportDoubt = time.Minute

// reportKeep is how long a report that matches nothing is kept.
const reportKeep = 24 * time.Hour

// lateWindow is how long after a submission a +CMGS that no command waits for
// can be its: the longest time-out of a submission, and the modem's way back.
const lateWindow = 15 * time.Minute

// staleWindow is how long before a submission another one can have been whose
// answer comes now.
const staleWindow = 5 * time.Minute

// takeReport records a status report that the line received.
func (l *line) takeReport(d driver.Decoded) {
	if d.Report == nil {
		return
	}
	l.persist("report", "a status report", func(tx store.Tx) error { return l.report(tx, d.Report) })
}

// report matches a status report to its part, or keeps it for 24 hours: it
// may be earlier than the +CMGS it belongs to.
func (l *line) report(tx store.Tx, r *driver.StatusReport) error {
	now := l.g.clock.now()
	kept := store.Report{
		Line: l.o.Name, ICCID: l.sim(), MR: r.MR, Recipient: r.Recipient.Value, Status: int(r.Status), SentAt: r.SentAt, ReceivedAt: now,
	}
	matched, err := l.g.match(tx, kept)
	if err != nil || matched {
		return err
	}
	return tx.AddReport(kept)
}

// match finds the part that a report is about, among those of the SIM to its
// recipient that were submitted about when it says.
func (g *Gateway) match(tx store.Tx, r store.Report) (bool, error) {
	from, to := r.ReceivedAt.Add(-reportWindow), r.ReceivedAt // our own clock never goes back
	stamp := r.SentAt
	if stamp.After(from) && stamp.Before(to.Add(reportSkew)) {
		from = stamp.Add(-24 * time.Hour) // the service centre's clock and zone are not ours
	} else {
		stamp = time.Time{}
	}
	var found [2][]store.PartRef // with the reference of the report, and those whose reference the modem never told
	for i, mr := range []int{r.MR, -1} {
		parts, err := tx.PartsByReference(r.ICCID, mr, from, to)
		if err != nil {
			return false, err
		}
		found[i] = slices.DeleteFunc(parts, func(p store.PartRef) bool { return !phone.SameTail(p.To, r.Recipient) })
	}
	p := subject(found[0], found[1], stamp)
	if p == nil {
		return false, nil
	}
	if lost, err := ofLostCopy(tx, r, *p, stamp); err != nil || lost {
		return false, err
	}
	return true, g.applyReport(tx, *p, r)
}

// lostCopies bounds how many messages to a number are looked through.
const lostCopies = 200

// ofLostCopy says whether a report that was stamped far from the submission p
// may be about another one of the line, whose answer never came and which was
// made up for since, by a copy or by word of the operator: its reference is
// not known, and can be that of p.
func ofLostCopy(tx store.Tx, r store.Report, p store.PartRef, stamp time.Time) (bool, error) {
	if stamp.IsZero() || stamp.Sub(p.Part.SubmittedAt).Abs() <= reportDoubt {
		return false, nil
	}
	page, err := tx.ListMessages(store.MessageQuery{To: p.To, Until: stamp.Add(reportDoubt), Limit: lostCopies})
	if err != nil {
		return false, err
	}
	for _, m := range page {
		history, err := tx.History(m.ID)
		if err != nil {
			return false, err
		}
		var began time.Time // when it last went to the line
		for _, h := range history {
			switch {
			case h.State == store.Sending && h.Line == r.Line:
				began = h.At
			case h.State == store.Unknown && !began.IsZero() && stamp.After(began.Add(-reportDoubt)) && stamp.Before(h.At.Add(reportDoubt)):
				return true, nil
			}
		}
	}
	return false, nil
}

// subject chooses the part that a report is about, nil when there is doubt.
// A reference is no proof: a modem that was reset starts again with the first,
// so one told long ago can be that of a part whose reference got lost. The
// service centre stamps a submission when it gets it, so the part submitted
// nearest to the stamp is meant, if that is clear: a zone that is wrong, too,
// puts a stamp near another. Without a usable stamp the newest is the likeliest.
func subject(known, open []store.PartRef, stamp time.Time) *store.PartRef {
	if len(known) == 0 {
		if len(open) == 1 {
			return &open[0]
		}
		return nil
	}
	off := func(p store.PartRef) time.Duration {
		if stamp.IsZero() {
			return -time.Duration(p.Part.SubmittedAt.UnixNano())
		}
		return stamp.Sub(p.Part.SubmittedAt).Abs()
	}
	nearer := func(a, b store.PartRef) int { return cmp.Compare(off(a), off(b)) }
	slices.SortStableFunc(known, nearer)
	slices.SortStableFunc(open, nearer)
	lead := time.Duration(0) // of the one without a reference
	if len(open) > 0 {
		lead = off(known[0]) - off(open[0])
	}
	switch {
	case lead <= reportDoubt && (len(known) == 1 || off(known[1])-off(known[0]) > reportDoubt):
		return &known[0]
	case lead > reportSkew && len(open) == 1 && !stamp.IsZero() && off(open[0]) <= reportDoubt:
		return &open[0]
	}
	return nil
}

// applyReport writes what a report says of a part, 3GPP TS 23.040 §9.2.3.15.
func (g *Gateway) applyReport(tx store.Tx, p store.PartRef, r store.Report) error {
	s := store.Delivered
	switch (&driver.StatusReport{Status: byte(r.Status)}).Outcome() {
	case driver.StillTrying, driver.Unclear:
		if p.Part.State != store.Unknown {
			return g.noteReport(tx, p, r)
		}
		s = store.Sent // the service centre has it
	case driver.Failed:
		s = store.Undelivered
	}
	c := store.PartChange{State: &s, Status: &r.Status, ReportedAt: &r.ReceivedAt}
	if p.Part.Reference < 0 {
		c.Reference = &r.MR
	}
	ok, err := tx.ChangePart(p.MessageID, p.Part.Index, []State{store.Sent, store.Unknown}, c)
	if err != nil || !ok {
		return err
	}
	if p.Part.State == store.Unknown {
		if err := tx.ForgetIntents(p.Part.ICCID, p.Part.SubmittedAt); err != nil {
			return err
		}
	}
	note := reportNote(r.Status)
	m, err := tx.Message(p.MessageID)
	if err != nil {
		return err
	}
	if len(m.Parts) > 1 {
		if err := tx.AddHistory(m.ID, store.HistoryEntry{At: g.clock.now(), Line: r.Line, Part: p.Part.Index, Note: string(s) + ", " + note}); err != nil {
			return err
		}
	}
	return g.aggregate(tx, p.MessageID, note)
}

func reportNote(status int) string { return fmt.Sprintf("status report %#02x", status) }

// noteReport keeps for the history what a report says that settles nothing:
// the service centre is still trying. The same said again is no news.
func (g *Gateway) noteReport(tx store.Tx, p store.PartRef, r store.Report) error {
	if p.Part.Status == r.Status {
		return nil
	}
	ok, err := tx.ChangePart(p.MessageID, p.Part.Index, []State{store.Sent}, store.PartChange{Status: &r.Status})
	if err != nil || !ok {
		return err
	}
	return tx.AddHistory(p.MessageID, store.HistoryEntry{
		At: g.clock.now(), Line: r.Line, Part: p.Part.Index, Note: reportNote(r.Status) + ", the service centre is still trying",
	})
}

// aggregate gives a message the state that its parts have together: the
// least advanced, unknown before all.
func (g *Gateway) aggregate(tx store.Tx, id, note string) error {
	m, err := tx.Message(id)
	if err != nil {
		return err
	}
	if partsIn(m, store.Sending)+partsIn(m, store.Unknown)+partsIn(m, store.Failed) > 0 {
		return nil
	}
	if partsIn(m, store.Queued) > 0 {
		if m.State == store.Unknown {
			return g.resumeParts(tx, m, note) // to be sent, or to expire
		}
		return nil
	}
	from := []State{store.Sent, store.Unknown, store.Sending}
	switch {
	case partsIn(m, store.Sent) > 0:
		if m.State != store.Unknown {
			return nil
		}
		return g.sent(tx, m, from, note)
	case partsIn(m, store.Undelivered) > 0:
		_, err = g.end(tx, m, from, store.Undelivered, "undelivered", note)
	default:
		_, err = g.end(tx, m, from, store.Delivered, "", note)
	}
	return err
}

// earlyReports applies reports that came before their +CMGS, or all of the
// SIM that fit (mr -1) where no +CMGS will come.
func (g *Gateway) earlyReports(tx store.Tx, to, iccid string, mr int) error {
	kept, err := tx.Reports(iccid, mr)
	if err != nil {
		return err
	}
	for _, r := range kept {
		if !phone.SameTail(to, r.Recipient) {
			continue
		}
		matched, err := g.match(tx, r)
		if err != nil {
			return err
		}
		if matched {
			if err := tx.DeleteReport(r.ID); err != nil {
				return err
			}
		}
	}
	return nil
}

// lateResult takes a +CMGS that no command waits for. It counts only if this
// SIM has exactly one submission that nothing was heard of, and no CMGS was
// written since the port was opened: else it could be another's.
func (l *line) lateResult(mr int) {
	if l.submitted.Load() {
		return
	}
	l.persist("late-result", "a late answer of the modem", func(tx store.Tx) error {
		now := l.g.clock.now()
		open, err := tx.OpenIntents(l.sim(), now.Add(-lateWindow))
		if err != nil || len(open) != 1 {
			return err
		}
		m, part, err := unsettled(tx, open[0])
		if err != nil || m == nil {
			return err
		}
		if stale, err := l.stale(tx, open[0].SubmittedAt, mr); err != nil || stale {
			return err
		}
		ok, err := tx.ChangePart(m.ID, part, []State{store.Unknown}, store.PartChange{
			State: ptr(store.Sent), Reference: &mr, SentAt: &now, Error: ptr(""),
		})
		if err != nil || !ok {
			return err
		}
		if err := tx.ForgetIntents(l.sim(), open[0].SubmittedAt); err != nil {
			return err
		}
		if err := l.g.aggregate(tx, m.ID, "late answer of the modem"); err != nil {
			return err
		}
		return l.g.earlyReports(tx, m.To, l.sim(), mr)
	})
}

// unsettled gives the message of a submission if nothing was done about it
// yet: a copy may be queued or sent, or the message erased.
func unsettled(tx store.Tx, i store.Intent) (*store.Message, int, error) {
	m, err := tx.Message(i.MessageID)
	if errors.Is(err, store.ErrNotFound) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, err
	}
	for _, p := range m.Parts {
		if p.Index == i.Part && p.State == store.Unknown && p.SubmittedAt.Equal(i.SubmittedAt) {
			return m, p.Index, nil
		}
	}
	return nil, 0, nil
}

// stale says whether a late +CMGS is about an earlier submission, which a
// status report or another answer has settled meanwhile: its reference is
// taken. References come round after 256 submissions, which no radio makes
// within the window.
func (l *line) stale(tx store.Tx, submitted time.Time, mr int) (bool, error) {
	since := submitted.Add(-staleWindow)
	return tx.ReferenceTaken(l.sim(), mr, since, firstID("msg_", since.Add(-24*time.Hour)))
}

// resumeParts queues the rest of a long message once its unknown part has
// turned out to be sent.
func (g *Gateway) resumeParts(tx store.Tx, m *store.Message, note string) error {
	now, route := g.clock.now(), g.inherited(m.Line) // an adopted line may have gone meanwhile
	g.noteRoute(route)
	tx.Notify(topicQueue)
	_, err := g.move(tx, m, []State{store.Unknown}, store.MessageChange{
		State: ptr(store.Queued), NotBefore: &now, DueAt: ptr(time.Time{}), Route: &route, Final: ptr(false), EndedAt: ptr(time.Time{}),
		History: &store.HistoryEntry{State: store.Queued, At: now, Line: m.Line, Note: note + ": the other parts follow"},
	})
	return err
}
