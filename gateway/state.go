package gateway

import (
	"errors"
	"time"

	"github.com/modemgate/modemgate/gateway/store"
)

func ptr[T any](v T) *T { return &v }

// reportWait is how long a sent message waits for its status report before
// "sent" is its end.
const reportWait = 24 * time.Hour

// evidenceWait is how long an unknown outcome waits for a late answer before
// a copy is sent.
const evidenceWait = 5 * time.Second

// move is one change of state of a message: the conditional update, its
// history and its events, in the commit of tx. It says whether the state was
// one of from; m is as it is after the change when it was.
func (g *Gateway) move(tx store.Tx, m *store.Message, from []State, c store.MessageChange) (bool, error) {
	c.At = g.clock.now()
	ok, err := tx.ChangeMessage(m.ID, from, c)
	if err != nil || !ok {
		return ok, err
	}
	fresh, err := tx.Message(m.ID)
	if err != nil {
		return false, err
	}
	*m = *fresh
	if c.State != nil {
		if m.State != store.Queued && m.State != store.Sending {
			g.elsewhere.forget(m.ID)
		}
		g.metrics.message(tx, m.State)
	}
	if err := g.messageEvent(tx, m, c.At); err != nil {
		return false, err
	}
	return true, g.deliveryChanged(tx, m, c.At)
}

// end makes the message final in a state and lets its text go.
func (g *Gateway) end(tx store.Tx, m *store.Message, from []State, s State, code, note string) (bool, error) {
	now := g.clock.now()
	c := store.MessageChange{
		State: &s, Final: ptr(true), EndedAt: &now, DueAt: ptr(time.Time{}), Error: &code,
		History: &store.HistoryEntry{State: s, At: now, Line: m.Line, Error: code, Note: note},
	}
	if m.TextUntil.IsZero() {
		c.TextUntil = ptr(now.Add(g.o.KeepText))
	}
	ok, err := g.move(tx, m, from, c)
	if err != nil || !ok {
		return ok, err
	}
	if s == store.Failed || s == store.Expired || s == store.Canceled { // no other part follows
		if err := setParts(tx, m, store.Queued, s); err != nil {
			return ok, err
		}
	}
	if m.OTPID == "" {
		return ok, nil
	}
	return ok, g.eraseText(tx, m)
}

// eraseText forgets a text in this commit; then the log is truncated.
func (g *Gateway) eraseText(tx store.Tx, m *store.Message) error {
	if !m.HasText {
		return nil
	}
	m.HasText = false
	g.askCheckpoint()
	return tx.EraseText(m.ID)
}

// sent settles a message all of whose parts the network has taken.
func (g *Gateway) sent(tx store.Tx, m *store.Message, from []State, note string) error {
	now := g.clock.now()
	c := store.MessageChange{
		State: ptr(store.Sent), Final: ptr(!m.Report), Error: ptr(""), DueAt: ptr(time.Time{}),
		TextUntil: ptr(now.Add(g.o.KeepText)),
		History:   &store.HistoryEntry{State: store.Sent, At: now, Line: m.Line, Note: note},
	}
	if m.Report {
		c.DueAt = ptr(now.Add(reportWait))
	} else {
		c.EndedAt = &now
	}
	ok, err := g.move(tx, m, from, c)
	if err != nil || !ok || m.OTPID == "" {
		return err
	}
	return g.eraseText(tx, m) // no submission can follow
}

// spent says whether a message carries a code that is void: its OTP has ended
// or has a newer one. Nothing more is sent for it then.
func (g *Gateway) spent(tx store.Tx, m *store.Message) (bool, error) {
	if m.OTPID == "" {
		return false, nil
	}
	o, err := tx.OTP(m.OTPID)
	if errors.Is(err, store.ErrNotFound) {
		return true, nil
	}
	return err == nil && (o.State != store.OTPPending || o.MessageID != m.ID), err
}

// requeue gives a message back to the queue until notBefore. Once a part is
// out, the rest must follow by the same SIM, or the phone cannot join them.
func (g *Gateway) requeue(tx store.Tx, m *store.Message, notBefore time.Time, code, note string) error {
	spent, err := g.spent(tx, m)
	if err != nil {
		return err
	}
	if spent {
		_, err := g.end(tx, m, []State{store.Sending}, store.Canceled, "canceled", "its code is void")
		return err
	}
	c := store.MessageChange{
		State: ptr(store.Queued), NotBefore: &notBefore, Error: &code, DueAt: ptr(time.Time{}),
		History: &store.HistoryEntry{State: store.Queued, At: g.clock.now(), Line: m.Line, Error: code, Note: note},
	}
	if partsIn(m, store.Queued) < len(m.Parts) {
		c.Route = ptr(g.inherited(m.Line)) // an adopted line may have gone meanwhile
		g.noteRoute(*c.Route)
	}
	_, err = g.move(tx, m, []State{store.Sending}, c)
	tx.Notify(topicQueue)
	return err
}

// unknown settles a message with a part of unknown outcome by its policy.
// grace is how long evidence may still come before the policy acts.
func (g *Gateway) unknown(tx store.Tx, m *store.Message, code string, grace time.Duration) error {
	now := g.clock.now()
	c := store.MessageChange{
		State: ptr(store.Unknown), Error: &code, DueAt: ptr(now.Add(grace)),
		History: &store.HistoryEntry{State: store.Unknown, At: now, Line: m.Line, Error: code, Note: "the modem took the text and no answer came"},
	}
	ok, err := g.move(tx, m, []State{store.Sending}, c)
	if err != nil || !ok {
		return err
	}
	// A report may have come before the answer was given up.
	if err := g.earlyReports(tx, m.To, m.ICCID, -1); err != nil {
		return err
	}
	if m, err = tx.Message(m.ID); err != nil || m.State != store.Unknown {
		return err
	}
	spent, err := g.spent(tx, m)
	if err != nil || !spent && (grace > evidenceWait || g.mayResend(m, now)) {
		return err
	}
	return g.decideUnknown(tx, m)
}

// mayResend says whether the one automatic copy is still open.
func (g *Gateway) mayResend(m *store.Message, now time.Time) bool {
	_, ok := g.resendRoute(m)
	return ok && m.OnUnknown == "resend" && m.Resends == 0 && m.HasText && now.Before(m.DeadlineAt)
}

// resendRoute is where a copy may go: by the line that took the other parts,
// else by those asked for or configured for its number that are still there.
func (g *Gateway) resendRoute(m *store.Message) (route string, ok bool) {
	switch {
	case partsIn(m, store.Unknown)+partsIn(m, store.Queued) < len(m.Parts):
		route = m.Line
	case len(m.Via) > 0:
		route = routeOf(g.expand(m.Via))
	default:
		route = routeOf(g.chosen(m.To))
	}
	left := g.configured(route)
	return routeOf(left), route == "" || len(left) > 0
}

// decideUnknown applies on_unknown when no evidence has come.
func (g *Gateway) decideUnknown(tx store.Tx, m *store.Message) error {
	now := g.clock.now()
	unknown := []State{store.Unknown}
	spent, err := g.spent(tx, m)
	if err != nil {
		return err
	}
	if !spent && g.mayResend(m, now) {
		return g.resend(tx, m, "no answer came: one copy is sent", false)
	}
	if m.OnUnknown == "fail" {
		if err := setParts(tx, m, store.Unknown, store.Failed); err != nil {
			return err
		}
		_, err := g.end(tx, m, unknown, store.Failed, "outcome-unknown", "messages.on_unknown is fail")
		return err
	}
	// A held message keeps its text until somebody resolves it; that of a code
	// is worthless once the code is void.
	c := store.MessageChange{Final: ptr(true), EndedAt: &now, DueAt: ptr(time.Time{})}
	if ok, err := g.move(tx, m, unknown, c); err != nil || !ok || !spent {
		return err
	}
	return g.eraseText(tx, m)
}

// resend queues the parts of unknown outcome once more.
func (g *Gateway) resend(tx store.Tx, m *store.Message, note string, byHand bool) error {
	now := g.clock.now()
	route, ok := g.resendRoute(m)
	if !ok {
		return refuse(NotCancelable, "the line it went by is no longer configured: send it anew")
	}
	if err := setParts(tx, m, store.Unknown, store.Queued); err != nil {
		return err
	}
	c := store.MessageChange{
		State: ptr(store.Queued), Final: ptr(false), EndedAt: ptr(time.Time{}), DueAt: ptr(time.Time{}), NotBefore: &now,
		TextUntil: ptr(time.Time{}), PossibleDuplicate: ptr(true), Error: ptr(""), AddResends: 1,
		Route:   &route,
		History: &store.HistoryEntry{State: store.Queued, At: now, Note: note},
	}
	if byHand && m.OTPID == "" { // a code goes no longer than its OTP
		c.DeadlineAt = ptr(now.Add(m.DeadlineAt.Sub(m.NotBefore)))
		if m.DeadlineAt.After(*c.DeadlineAt) {
			c.DeadlineAt = nil
		}
	}
	g.noteRoute(route)
	tx.Notify(topicQueue)
	_, err := g.move(tx, m, []State{store.Unknown}, c)
	return err
}

// askCheckpoint asks to make erasures final on the disk.
func (g *Gateway) askCheckpoint() {
	select {
	case g.erasing <- struct{}{}:
	default:
	}
}
