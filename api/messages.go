package api

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/modemgate/modemgate/gateway"
)

// Messages is what the routes of messages need of the gateway.
type Messages interface {
	CreateMessage(ctx context.Context, r gateway.Request, in gateway.NewMessage) (gateway.MessageView, gateway.Answer, error)
	Message(ctx context.Context, r gateway.Request, id string, w gateway.Wait) (gateway.MessageView, error)
	ListMessages(ctx context.Context, r gateway.Request, f gateway.MessageFilter) (gateway.MessagePage, error)
	CancelMessage(ctx context.Context, r gateway.Request, id string) (gateway.MessageView, error)
	ResolveMessage(ctx context.Context, r gateway.Request, id, as string) (gateway.MessageView, error)
	DeleteMessage(ctx context.Context, r gateway.Request, id string) error
}

// newMessage is the body of POST /v1/messages.
type newMessage struct {
	To        text     `json:"to"`
	Text      text     `json:"text"`
	Via       names    `json:"via,omitempty"`
	Priority  word     `json:"priority,omitempty"`
	TTL       duration `json:"ttl,omitempty"`
	SendAt    moment   `json:"send_at,omitempty"`
	OnUnknown word     `json:"on_unknown,omitempty"`
	Report    *yesNo   `json:"report,omitempty"`
	Ref       text     `json:"ref,omitempty"`
	Metadata  object   `json:"metadata,omitempty"`
}

func (in newMessage) words() gateway.NewMessage {
	return gateway.NewMessage{
		To: string(in.To), Text: string(in.Text), Via: in.Via, Priority: string(in.Priority),
		TTL: time.Duration(in.TTL), SendAt: time.Time(in.SendAt), OnUnknown: string(in.OnUnknown),
		Report: (*bool)(in.Report), Ref: string(in.Ref), Metadata: json.RawMessage(in.Metadata),
	}
}

// resolution is the body of POST /v1/messages/{id}/resolve.
type resolution struct {
	As word `json:"as"`
}

// message is a message on the wire.
type message struct {
	ID                string           `json:"id"`
	Rev               int64            `json:"rev"`
	Final             bool             `json:"final"`
	State             gateway.State    `json:"state"`
	To                string           `json:"to"`
	Text              *string          `json:"text,omitempty"`
	Parts             int              `json:"parts"`
	Encoding          string           `json:"encoding"`
	Via               []string         `json:"via"`
	Priority          string           `json:"priority"`
	DeadlineAt        *stamp           `json:"deadline_at"`
	CreatedAt         stamp            `json:"created_at"`
	Ref               *string          `json:"ref"`
	Metadata          *json.RawMessage `json:"metadata"`
	SendAt            *stamp           `json:"send_at,omitempty"`
	OnUnknown         string           `json:"on_unknown"`
	Report            bool             `json:"report"`
	PartsSent         int              `json:"parts_sent"`
	PossibleDuplicate bool             `json:"possible_duplicate"`
	Simulated         bool             `json:"simulated"`
	Held              bool             `json:"held,omitempty"`
	Line              string           `json:"line,omitempty"`
	Error             string           `json:"error,omitempty"`
	EndedAt           *stamp           `json:"ended_at,omitempty"`
}

// messageDetail is a message read by its id.
type messageDetail struct {
	message
	PartDetails []part    `json:"part_details"`
	History     []history `json:"history"`
}

type part struct {
	Part        int           `json:"part"`
	State       gateway.State `json:"state"`
	Line        string        `json:"line,omitempty"`
	Attempts    int           `json:"attempts"`
	SubmittedAt *stamp        `json:"submitted_at,omitempty"`
	SentAt      *stamp        `json:"sent_at,omitempty"`
	ReportedAt  *stamp        `json:"reported_at,omitempty"`
	Status      *int          `json:"status,omitempty"`    // TP-Status, 3GPP TS 23.040 §9.2.3.15
	Reference   *int          `json:"reference,omitempty"` // TP-MR, 3GPP TS 23.040 §9.2.3.6
	SignalDBM   int           `json:"signal_dbm,omitempty"`
	Error       string        `json:"error,omitempty"`
}

type history struct {
	State gateway.State `json:"state"`
	At    stamp         `json:"at"`
	Line  string        `json:"line,omitempty"`
	Part  int           `json:"part,omitempty"`
	Error string        `json:"error,omitempty"`
	Note  string        `json:"note,omitempty"`

	Submission *submission `json:"submission,omitempty"`
}

// submission is the evidence of a part that was handed to a modem.
type submission struct {
	IMEI      string `json:"imei,omitempty"`
	ICCID     string `json:"iccid,omitempty"`
	SignalDBM int    `json:"signal_dbm,omitempty"`
	Cell      *cell  `json:"cell,omitempty"`
	PDUHMAC   string `json:"pdu_hmac,omitempty"`
}

// cell is where a modem is registered, in hexadecimal.
type cell struct {
	Area  string `json:"area"`
	ID    string `json:"id"`
	Radio string `json:"radio,omitempty"`
}

// page is a list on the wire; next_cursor is null at its end.
type page[T any] struct {
	Items      []T     `json:"items"`
	NextCursor *string `json:"next_cursor"`
}

func (s *Server) postMessage(c echo.Context) error {
	var in newMessage
	r, err := repeatable(c, func() ([]byte, error) { return bind(c, &in) })
	if err != nil {
		return err
	}
	m, a, err := s.gw.CreateMessage(c.Request().Context(), r, in.words())
	if err != nil {
		return err
	}
	return made(c, a, http.StatusAccepted, m.ID, "/v1/messages/"+m.ID, messageBody(m))
}

func (s *Server) getMessage(c echo.Context) error {
	q := parseQuery(c, "wait", "after")
	w := q.change()
	if q.err != nil {
		return q.err
	}
	var m gateway.MessageView
	err := s.poll(c, w.For, func(ctx context.Context, d time.Duration) (err error) {
		m, err = s.gw.Message(ctx, request(c), c.Param("id"), gateway.Wait{For: d, After: w.After})
		return err
	})
	if err != nil {
		return err
	}
	return answer(c, http.StatusOK, messageWithDetail(m))
}

func (s *Server) listMessages(c echo.Context) error {
	q := parseQuery(c, "state", "to", "via", "since", "until", "limit", "cursor", "order")
	f := gateway.MessageFilter{
		State: q.text("state"), To: q.number("to"), Via: q.text("via"), Since: q.time("since"), Until: q.time("until"),
		Cursor: q.text("cursor"), Limit: q.limit(), Ascending: q.ascending(),
	}
	if q.err != nil {
		return q.err
	}
	p, err := s.gw.ListMessages(c.Request().Context(), request(c), f)
	if err != nil {
		return err
	}
	return answer(c, http.StatusOK, page[message]{each(p.Items, messageBody), orNull(p.NextCursor)})
}

func (s *Server) cancelMessage(c echo.Context) error {
	about(c, safeID(c.Param("id")))
	if _, err := bindNothing(c); err != nil {
		return err
	}
	m, err := s.gw.CancelMessage(c.Request().Context(), request(c), c.Param("id"))
	if err != nil {
		return err
	}
	return answer(c, http.StatusOK, messageBody(m))
}

func (s *Server) resolveMessage(c echo.Context) error {
	about(c, safeID(c.Param("id")))
	var in resolution
	if _, err := bind(c, &in); err != nil {
		return err
	}
	m, err := s.gw.ResolveMessage(c.Request().Context(), request(c), c.Param("id"), string(in.As))
	if err != nil {
		return err
	}
	return answer(c, http.StatusOK, messageBody(m))
}

func (s *Server) deleteMessage(c echo.Context) error {
	about(c, safeID(c.Param("id")))
	if err := s.gw.DeleteMessage(c.Request().Context(), request(c), c.Param("id")); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}

// repeatable reads a request that may carry an Idempotency-Key.
func repeatable(c echo.Context, read func() ([]byte, error)) (gateway.Request, error) {
	key, err := idempotencyKey(c)
	if err != nil {
		return gateway.Request{}, err
	}
	body, err := read()
	r := request(c)
	r.IdempotencyKey, r.Body = key, body
	return r, err
}

// made answers a repeatable request: with the status of the first answer when
// the gateway knows one.
func made(c echo.Context, a gateway.Answer, status int, id, location string, body any) error {
	about(c, id)
	if a.Status != 0 {
		status = a.Status
	}
	if a.Replayed {
		c.Response().Header().Set("Idempotency-Replayed", "true")
		result(c, "replayed")
	}
	if location != "" {
		c.Response().Header().Set("Location", location)
	}
	return answer(c, status, body)
}

// each maps a list; the result is never null.
func each[T, U any](in []T, f func(T) U) []U {
	out := make([]U, 0, len(in))
	for _, v := range in {
		out = append(out, f(v))
	}
	return out
}

// priorities are the names of priorities on the wire, most urgent first.
var priorities = [...]string{"otp", "high", "normal", "low"}

// priorityName is "" for a priority of a newer version.
func priorityName(p int) string {
	if p < 0 || p >= len(priorities) {
		return ""
	}
	return priorities[p]
}

// messageBody is the one conversion of a message to the wire.
func messageBody(m gateway.MessageView) message {
	out := message{
		ID: m.ID, Rev: m.Rev, Final: m.Final, State: m.State, To: m.To, Parts: len(m.Parts), Encoding: m.Encoding,
		Via: list(m.Via), Priority: priorityName(m.Priority), DeadlineAt: stampOrNull(m.DeadlineAt),
		CreatedAt: stamp{m.CreatedAt}, Ref: orNull(m.Ref), Metadata: raw(m.Metadata), SendAt: stampOrNull(m.SendAt),
		OnUnknown: m.OnUnknown, Report: m.Report, PossibleDuplicate: m.PossibleDuplicate, Simulated: m.Simulated,
		Held: m.Held, Line: m.Line, Error: m.Error, EndedAt: stampOrNull(m.EndedAt),
	}
	if m.HasText && m.OTPID == "" {
		out.Text = &m.Text
	}
	for _, p := range m.Parts {
		switch p.State {
		case "sent", "delivered", "undelivered": // the network took it
			out.PartsSent++
		}
	}
	return out
}

func messageWithDetail(m gateway.MessageView) messageDetail {
	return messageDetail{messageBody(m), each(m.Parts, partBody), each(m.History, historyBody)}
}

func partBody(p gateway.Part) part {
	out := part{
		Part: p.Index, State: p.State, Line: p.Line, Attempts: p.Attempts, Error: p.Error, SignalDBM: p.SignalDBM,
		SubmittedAt: stampOrNull(p.SubmittedAt), SentAt: stampOrNull(p.SentAt), ReportedAt: stampOrNull(p.ReportedAt),
	}
	if p.Status >= 0 && !p.ReportedAt.IsZero() {
		out.Status = &p.Status
	}
	if p.Reference >= 0 && !p.SentAt.IsZero() {
		out.Reference = &p.Reference
	}
	return out
}

func historyBody(h gateway.HistoryEntry) history {
	out := history{State: h.State, At: stamp{h.At}, Line: h.Line, Part: h.Part, Error: h.Error, Note: h.Note}
	if s := h.Submission; s != nil {
		out.Submission = &submission{IMEI: s.IMEI, ICCID: s.ICCID, SignalDBM: s.SignalDBM, Cell: (*cell)(s.Cell), PDUHMAC: s.PDUHMAC}
	}
	return out
}
