package api

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/modemgate/modemgate/gateway"
)

// Operators is what the routes that speak to a modem need of the gateway.
type Operators interface {
	Command(ctx context.Context, r gateway.Request, name, cmd string, timeout time.Duration) (gateway.CommandResult, error)
	Trace(ctx context.Context, r gateway.Request, name string, seq uint64) ([]gateway.TraceLine, error)
	USSD(ctx context.Context, r gateway.Request, name string, in gateway.NewUSSD) (gateway.USSDView, error)
}

// atCommand is the body of POST /v1/lines/{name}/at.
type atCommand struct {
	Command word     `json:"command"`
	Timeout duration `json:"timeout,omitempty"`
}

// atAnswer is what the modem said.
type atAnswer struct {
	Line   string   `json:"line"`
	Lines  []string `json:"lines"`
	Result string   `json:"result"`
	TookMS int64    `json:"took_ms"`
}

// traceLine is one line of the dialogue with a modem, masked.
type traceLine struct {
	Seq  uint64 `json:"seq"`
	At   stamp  `json:"at"`
	Mark string `json:"mark"`
	Text string `json:"text"`
}

// ussdStep is the body of POST /v1/lines/{name}/ussd: one of code, reply and
// cancel.
type ussdStep struct {
	Code   word     `json:"code,omitempty"`
	Reply  word     `json:"reply,omitempty"`
	Cancel yesNo    `json:"cancel,omitempty"`
	Wait   duration `json:"wait,omitempty"`
}

// ussdAnswer is what the network said.
type ussdAnswer struct {
	Line      string `json:"line"`
	State     string `json:"state"`
	Text      string `json:"text"`
	Error     string `json:"error,omitempty"`
	ExpiresAt *stamp `json:"expires_at,omitempty"`
}

func (s *Server) postCommand(c echo.Context) error {
	var in atCommand
	if _, err := bind(c, &in); err != nil {
		return err
	}
	unhurried(c) // a search for networks takes minutes
	res, err := s.gw.Command(c.Request().Context(), request(c), c.Param("name"), string(in.Command), time.Duration(in.Timeout))
	if err != nil {
		return err
	}
	about(c, res.Line)
	result(c, res.Result)
	return answer(c, http.StatusOK, atAnswer{Line: res.Line, Lines: list(res.Lines), Result: res.Result, TookMS: res.Took.Milliseconds()})
}

func (s *Server) getTrace(c echo.Context) error {
	q := parseQuery(c, "after")
	after := q.cursor("after")
	if q.err != nil {
		return q.err
	}
	lines, err := s.gw.Trace(c.Request().Context(), request(c), c.Param("name"), after)
	if err != nil {
		return err
	}
	if len(lines) > 0 {
		after = lines[len(lines)-1].Seq
	}
	next := strconv.FormatUint(after, 10)
	return answer(c, http.StatusOK, page[traceLine]{each(lines, func(l gateway.TraceLine) traceLine {
		return traceLine{Seq: l.Seq, At: stamp{l.At}, Mark: l.Mark, Text: l.Text}
	}), &next})
}

func (s *Server) postUSSD(c echo.Context) error {
	var in ussdStep
	if _, err := bind(c, &in); err != nil {
		return err
	}
	v, err := s.gw.USSD(c.Request().Context(), request(c), c.Param("name"), gateway.NewUSSD{
		Code: string(in.Code), Reply: string(in.Reply), Cancel: bool(in.Cancel), Wait: time.Duration(in.Wait),
	})
	if err != nil {
		return err
	}
	about(c, v.Line)
	result(c, v.State)
	return answer(c, http.StatusOK, ussdAnswer{Line: v.Line, State: v.State, Text: v.Text, Error: v.Error, ExpiresAt: stampOrNull(v.ExpiresAt)})
}

// cursor reads the number of the last line that the client has.
func (q *query) cursor(name string) uint64 {
	v := q.values.Get(name)
	if v == "" || q.err != nil {
		return 0
	}
	n, err := strconv.ParseUint(v, 10, 64)
	if err != nil {
		q.fault(name, name+" is the next_cursor of the page before, a whole number")
	}
	return n
}
