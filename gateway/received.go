package gateway

import (
	"context"
	"errors"
	"slices"
	"strconv"

	"github.com/modemgate/modemgate/gateway/phone"
	"github.com/modemgate/modemgate/gateway/store"
)

var noInbound = refuse(NotFound, "there is no such SMS, or your scopes do not cover its line")

// readable says which lines' SMS the caller may list; nil: all.
func (c Caller) readable() ([]string, error) {
	all, lines := c.inboundLines()
	if all {
		return nil, nil
	}
	if len(lines) == 0 {
		return nil, c.need(ScopeInbound)
	}
	return lines, nil
}

// ListInbound reads a page of received SMS. In ascending order the cursor is
// a place in the feed: nothing between two calls is missed.
func (g *Gateway) ListInbound(ctx context.Context, r Request, f InboundFilter) (InboundPage, error) {
	lines, err := r.Caller.readable()
	if err != nil {
		return InboundPage{}, err
	}
	q := store.InboundQuery{From: f.From, To: f.To, Line: f.Line, Lines: lines, Since: f.Since, Limit: f.Limit + 1, Ascending: f.Ascending}
	for _, p := range []*string{&q.From, &q.To} {
		if n, err := phone.Parse(*p, g.o.Region); err == nil {
			*p = n // else a short code or a name, as it is
		}
	}
	if f.Cursor != "" {
		if q.After, err = strconv.ParseInt(f.Cursor, 10, 64); err != nil || q.After < 0 {
			return InboundPage{}, invalid("after", "the cursor is not one of ours: GET /v1/inbound/cursor gives the present one")
		}
	}
	var page InboundPage
	err = g.await(ctx, topicInbound, f.Wait, func() (bool, error) {
		page = InboundPage{}
		err := g.search(ctx, r.Caller.Key, func(tx store.Tx) error {
			found, err := tx.ListInbound(q)
			if err != nil {
				return err
			}
			more := len(found) > f.Limit
			if more {
				found = found[:f.Limit]
			}
			for _, in := range found {
				page.Items = append(page.Items, *in)
			}
			switch {
			case len(found) > 0 && (more || f.Ascending):
				page.NextCursor = strconv.FormatInt(found[len(found)-1].Seq, 10)
			case f.Ascending:
				page.NextCursor = strconv.FormatInt(q.After, 10)
			}
			return nil
		})
		return len(page.Items) > 0, err
	})
	return page, err
}

// Inbound reads one received SMS.
func (g *Gateway) Inbound(ctx context.Context, r Request, id string) (Inbound, error) {
	lines, err := r.Caller.readable()
	if err != nil {
		return Inbound{}, err
	}
	if !validID("in_", id) {
		return Inbound{}, noInbound
	}
	var in *store.Inbound
	err = g.st.View(ctx, func(tx store.Tx) (err error) {
		in, err = tx.Inbound(id)
		return err
	})
	if errors.Is(err, store.ErrNotFound) || (err == nil && lines != nil && !slices.Contains(lines, in.Line)) {
		return Inbound{}, noInbound
	}
	if err != nil {
		return Inbound{}, err
	}
	return *in, nil
}

// DeleteInbound erases one received SMS.
func (g *Gateway) DeleteInbound(ctx context.Context, r Request, id string) error {
	if err := r.Caller.need(ScopeAdmin); err != nil {
		return err
	}
	if !validID("in_", id) {
		return noInbound
	}
	err := g.update(ctx, "delete-inbound", func(tx store.Tx) error {
		if _, err := tx.DeleteEvents(id); err != nil {
			return err
		}
		return tx.DeleteInbound(id)
	})
	if errors.Is(err, store.ErrNotFound) {
		return noInbound
	}
	g.askCheckpoint()
	return err
}

// InboundCursor is the present end of the feed.
func (g *Gateway) InboundCursor(ctx context.Context, r Request) (string, error) {
	if _, err := r.Caller.readable(); err != nil {
		return "", err
	}
	var seq int64
	err := g.st.View(ctx, func(tx store.Tx) (err error) {
		seq, err = tx.LastInboundSeq()
		return err
	})
	return strconv.FormatInt(seq, 10), err
}
