package api

import (
	"context"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/modemgate/modemgate/gateway"
)

// Inbox is what the routes of received SMS need of the gateway.
type Inbox interface {
	ListInbound(ctx context.Context, r gateway.Request, f gateway.InboundFilter) (gateway.InboundPage, error)
	Inbound(ctx context.Context, r gateway.Request, id string) (gateway.Inbound, error)
	DeleteInbound(ctx context.Context, r gateway.Request, id string) error
	InboundCursor(ctx context.Context, r gateway.Request) (string, error)
}

// inbound is a received SMS on the wire, member for member what subscribers
// of NATS get.
type inbound struct {
	ID         string   `json:"id"`
	Seq        int64    `json:"seq"`
	From       string   `json:"from"`
	FromType   string   `json:"from_type"`
	To         string   `json:"to"`
	Line       string   `json:"line"`
	Text       string   `json:"text"`
	Encoding   string   `json:"encoding"`
	Parts      int      `json:"parts"`
	Incomplete bool     `json:"incomplete"`
	Amends     string   `json:"amends,omitempty"`
	SMSCAt     *stamp   `json:"smsc_at"`
	ReceivedAt stamp    `json:"received_at"`
	Raw        []string `json:"raw"`
	Simulated  bool     `json:"simulated"`
}

// cursor is the body of GET /v1/inbound/cursor.
type cursor struct {
	Cursor string `json:"cursor"`
}

func (s *Server) listInbound(c echo.Context) error {
	f, err := inboundFilter(c)
	if err != nil {
		return err
	}
	var p gateway.InboundPage
	err = s.poll(c, f.Wait, func(ctx context.Context, d time.Duration) (err error) {
		f.Wait = d
		p, err = s.gw.ListInbound(ctx, request(c), f)
		return err
	})
	if err != nil {
		return err
	}
	return answer(c, http.StatusOK, page[inbound]{each(p.Items, inboundBody), orNull(p.NextCursor)})
}

// inboundFilter reads the query. after is another name of cursor for those
// who follow the feed.
func inboundFilter(c echo.Context) (gateway.InboundFilter, error) {
	q := parseQuery(c, "from", "to", "line", "since", "limit", "cursor", "order", "after", "wait")
	f := gateway.InboundFilter{
		From: q.number("from"), To: q.number("to"), Line: q.text("line"), Since: q.time("since"),
		Cursor: q.text("cursor"), Limit: q.limit(), Ascending: q.ascending(), Wait: q.wait(),
	}
	if after := q.text("after"); after != "" {
		if f.Cursor != "" {
			q.fault("after", "after and cursor mean the same: give one")
		}
		f.Cursor = after
	}
	if !f.Ascending && (q.text("after") != "" || f.Wait > 0) {
		q.fault("order", "after and wait go with order=asc")
	}
	return f, q.err
}

func (s *Server) getInbound(c echo.Context) error {
	if q := parseQuery(c); q.err != nil {
		return q.err
	}
	in, err := s.gw.Inbound(c.Request().Context(), request(c), c.Param("id"))
	if err != nil {
		return err
	}
	return answer(c, http.StatusOK, inboundBody(in))
}

func (s *Server) getCursor(c echo.Context) error {
	if q := parseQuery(c); q.err != nil {
		return q.err
	}
	at, err := s.gw.InboundCursor(c.Request().Context(), request(c))
	if err != nil {
		return err
	}
	return answer(c, http.StatusOK, cursor{at})
}

func (s *Server) deleteInbound(c echo.Context) error {
	about(c, safeID(c.Param("id")))
	if err := s.gw.DeleteInbound(c.Request().Context(), request(c), c.Param("id")); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}

// inboundBody is the one conversion of a received SMS to the wire.
func inboundBody(in gateway.Inbound) inbound {
	return inbound{
		ID: in.ID, Seq: in.Seq, From: in.From, FromType: in.FromType, To: in.To, Line: in.Line, Text: in.Text,
		Encoding: in.Encoding, Parts: in.Parts, Incomplete: in.Incomplete, Amends: in.Amends,
		SMSCAt: stampOrNull(in.SMSCAt), ReceivedAt: stamp{in.ReceivedAt}, Raw: list(in.Raw), Simulated: in.Simulated,
	}
}
