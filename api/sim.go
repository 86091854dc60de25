package api

import (
	"context"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/modemgate/modemgate/gateway"
)

// Phones is what the routes of simulated phones need of the gateway.
type Phones interface {
	SimPhone(ctx context.Context, r gateway.Request, number string, wait time.Duration) ([]gateway.SimText, error)
	SimSend(ctx context.Context, r gateway.Request, number, text, line string) (gateway.Answer, error)
}

// simText is a text as a simulated phone received it.
type simText struct {
	From       string `json:"from"`
	Text       string `json:"text"`
	Parts      int    `json:"parts"`
	ReceivedAt stamp  `json:"received_at"`
}

// simSend is the body of POST /v1/sim/phones/{number}/send.
type simSend struct {
	Text text `json:"text"`
	Line word `json:"line"`
}

// simSent is its answer: what is on its way, without the text.
type simSent struct {
	From string `json:"from"`
	Line string `json:"line"`
}

func (s *Server) getPhone(c echo.Context) error {
	q := parseQuery(c, "wait")
	wait := q.wait()
	number, err := numberParam(c, "number")
	if q.err != nil {
		err = q.err
	}
	if err != nil {
		return err
	}
	var texts []gateway.SimText
	err = s.poll(c, wait, func(ctx context.Context, d time.Duration) (err error) {
		texts, err = s.gw.SimPhone(ctx, request(c), number, d)
		return err
	})
	if err != nil {
		return err
	}
	return answer(c, http.StatusOK, page[simText]{Items: each(texts, simTextBody)})
}

func simTextBody(t gateway.SimText) simText {
	return simText{From: t.From, Text: t.Text, Parts: t.Parts, ReceivedAt: stamp{t.ReceivedAt}}
}

func (s *Server) sendFromPhone(c echo.Context) error {
	number, err := numberParam(c, "number")
	if err != nil {
		return err
	}
	var in simSend
	r, err := repeatable(c, func() ([]byte, error) { return bind(c, &in) })
	if err != nil {
		return err
	}
	a, err := s.gw.SimSend(c.Request().Context(), r, number, string(in.Text), string(in.Line))
	if err != nil {
		return err
	}
	return made(c, a, http.StatusAccepted, gateway.Mask(number), "", simSent{From: number, Line: string(in.Line)})
}
