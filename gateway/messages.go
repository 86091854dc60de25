package gateway

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/modemgate/modemgate/gateway/phone"
	"github.com/modemgate/modemgate/gateway/store"
)

// mayRead says whether the caller may see what the key made.
func (c Caller) mayRead(key string) bool { return c.Key == key || c.Has(ScopeMessages) }

// mayChange says whether the caller may cancel, resolve or delete it.
func (c Caller) mayChange(key string) bool { return c.Key == key || c.admin() }

var noMessage = refuse(NotFound, NoSuchMessage+OrAnotherKeys)

// Message reads one message with its parts and history, waiting for a change
// if asked to.
func (g *Gateway) Message(ctx context.Context, r Request, id string, w Wait) (MessageView, error) {
	var v MessageView
	first := true
	err := g.await(ctx, id, w.For, func() (done bool, err error) {
		if v, err = g.messageFor(ctx, r.Caller, id); err != nil {
			return false, err
		}
		if first && w.After < 0 {
			w.After = v.Rev
		}
		first = false
		return v.Final || v.Rev > w.After, nil
	})
	return v, err
}

// messageFor reads a message the caller may see.
func (g *Gateway) messageFor(ctx context.Context, c Caller, id string) (MessageView, error) {
	if !validID("msg_", id) {
		return MessageView{}, noMessage
	}
	v, err := g.readMessage(ctx, id)
	if errors.Is(err, store.ErrNotFound) || (err == nil && !c.mayRead(v.Key)) {
		return MessageView{}, noMessage
	}
	c.evidenceFor(v.History)
	return c.veiled(v), err
}

// veiled masks the number of a message that carries another key's OTP.
func (c Caller) veiled(v MessageView) MessageView {
	if v.OTPID != "" && !c.mayChange(v.Key) {
		v.To = phone.Mask(v.To)
	}
	return v
}

func (g *Gateway) readMessage(ctx context.Context, id string) (MessageView, error) {
	var v MessageView
	err := g.st.View(ctx, func(tx store.Tx) error {
		m, err := tx.Message(id)
		if err != nil {
			return err
		}
		if v, err = viewMessage(tx, m); err != nil {
			return err
		}
		v.History, err = tx.History(id)
		return err
	})
	return v, err
}

// viewMessage adds the text, which a message that carries an OTP never has,
// and the lines it may go by, asked for or chosen.
func viewMessage(tx store.Tx, m *store.Message) (MessageView, error) {
	v := MessageView{Message: *m}
	v.Encoding = alphabet(m.Encoding)
	if len(v.Via) == 0 && v.Route != "" {
		v.Via = strings.Split(v.Route, ",")
	}
	if m.OTPID != "" || !m.HasText {
		return v, nil
	}
	var err error
	v.Text, err = tx.MessageText(m.ID)
	v.HasText = err == nil
	if errors.Is(err, store.ErrUnreadable) { // all else that is known of it is
		err = nil
	}
	return v, err
}

// ListMessages reads a page: the caller's own, or all with the scope messages.
func (g *Gateway) ListMessages(ctx context.Context, r Request, f MessageFilter) (MessagePage, error) {
	q := store.MessageQuery{
		State: State(f.State), Via: f.Via, Since: f.Since, Until: f.Until,
		Cursor: f.Cursor, Limit: f.Limit + 1, Ascending: f.Ascending,
	}
	if !r.Caller.Has(ScopeMessages) {
		q.Key = r.Caller.Key
	}
	if f.State != "" && !slices.Contains(states, q.State) {
		return MessagePage{}, invalid("state", "%q is no state of a message", f.State)
	}
	if f.Cursor != "" && !validID("msg_", f.Cursor) {
		return MessagePage{}, invalid("cursor", "the cursor is not one of ours: take next_cursor of the page before")
	}
	if f.To != "" {
		to, err := g.number("to", f.To)
		if err != nil {
			return MessagePage{}, err
		}
		q.To = to
		if !r.Caller.admin() { // nor is a masked number found by trying
			q.OTPOf = r.Caller.Key
		}
	}
	var page MessagePage
	err := g.search(ctx, r.Caller.Key, func(tx store.Tx) error {
		found, err := tx.ListMessages(q)
		if err != nil {
			return err
		}
		if len(found) > f.Limit {
			found = found[:f.Limit]
			page.NextCursor = found[f.Limit-1].ID
		}
		for _, m := range found {
			v, err := viewMessage(tx, m)
			if err != nil {
				return err
			}
			page.Items = append(page.Items, r.Caller.veiled(v))
		}
		return nil
	})
	return page, err
}

// states are all that a message can be in.
var states = []State{
	store.Queued, store.Sending, store.Sent, store.Delivered, store.Undelivered, store.Failed, store.Expired, store.Canceled, store.Unknown,
}

// change runs fn on a message that the caller may change, in one commit, and
// returns the message after it.
func (g *Gateway) change(ctx context.Context, r Request, step, id string, fn func(tx store.Tx, m *store.Message) error) (MessageView, error) {
	if _, err := g.messageFor(ctx, r.Caller, id); err != nil {
		return MessageView{}, err
	}
	err := g.update(ctx, step, func(tx store.Tx) error {
		m, err := tx.Message(id)
		if errors.Is(err, store.ErrNotFound) {
			return noMessage
		}
		if err != nil {
			return err
		}
		if !r.Caller.mayChange(m.Key) {
			return refuse(ScopeMissing, "another key made this message: only it and admin may change it")
		}
		return fn(tx, m)
	})
	if err != nil {
		return MessageView{}, err
	}
	return g.readMessage(ctx, id)
}

// CancelMessage takes a message out of the queue. Once a line has begun it is
// too late: NotCancelable.
func (g *Gateway) CancelMessage(ctx context.Context, r Request, id string) (MessageView, error) {
	return g.change(ctx, r, "cancel", id, func(tx store.Tx, m *store.Message) error {
		if m.State == store.Canceled {
			return nil
		}
		if partsIn(m, store.Queued) != len(m.Parts) {
			return refuse(NotCancelable, "parts of the message have been sent: what is out cannot be taken back")
		}
		ok, err := g.end(tx, m, []State{store.Queued}, store.Canceled, "canceled", "canceled by "+r.Caller.Key)
		if err == nil && !ok {
			return refuse(NotCancelable, "the message is %s: only a queued one can be canceled", m.State)
		}
		return err
	})
}

// DeleteMessage erases a final message with its history.
func (g *Gateway) DeleteMessage(ctx context.Context, r Request, id string) error {
	_, err := g.change(ctx, r, "delete-message", id, func(tx store.Tx, m *store.Message) error {
		if !m.Final {
			return refuse(NotCancelable, "the message is %s and not final: cancel it, or wait", m.State)
		}
		if _, err := tx.DeleteEvents(id); err != nil {
			return err
		}
		return tx.DeleteMessage(id)
	})
	if errors.Is(err, store.ErrNotFound) {
		err = nil // that is what was wanted
	}
	g.askCheckpoint()
	return err
}

// ResolveMessage ends an unknown message by what a person knows.
func (g *Gateway) ResolveMessage(ctx context.Context, r Request, id, as string) (MessageView, error) {
	switch as {
	case "sent", "failed", "resend":
	default:
		return MessageView{}, invalid("/as", "as is sent, failed or resend")
	}
	return g.change(ctx, r, "resolve", id, func(tx store.Tx, m *store.Message) error {
		if m.State != store.Unknown {
			return refuse(NotCancelable, "the message is %s: only an unknown one is resolved", m.State)
		}
		note := "resolved by " + r.Caller.Key
		var err error
		switch as {
		case "sent":
			if err = setParts(tx, m, store.Unknown, store.Sent); err == nil {
				_, err = g.end(tx, m, []State{store.Unknown}, store.Sent, "", note)
			}
		case "failed":
			if err = setParts(tx, m, store.Unknown, store.Failed); err == nil {
				_, err = g.end(tx, m, []State{store.Unknown}, store.Failed, "outcome-unknown", note)
			}
		default:
			if !m.HasText {
				return refuse(NotCancelable, "the text of the message is erased: send it anew")
			}
			err = g.resend(tx, m, note, true)
		}
		return err
	})
}

// partsIn counts the parts in a state.
func partsIn(m *store.Message, s State) int {
	n := 0
	for _, p := range m.Parts {
		if p.State == s {
			n++
		}
	}
	return n
}

// setParts moves all parts from one state to another.
func setParts(tx store.Tx, m *store.Message, from, to State) error {
	for _, p := range m.Parts {
		if p.State != from {
			continue
		}
		if _, err := tx.ChangePart(m.ID, p.Index, []State{from}, store.PartChange{State: &to}); err != nil {
			return err
		}
	}
	return nil
}
