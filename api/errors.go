package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/modemgate/modemgate/gateway"
)

// problem is the body of every error (RFC 9457). Clients switch on Code.
type problem struct {
	Type      string       `json:"type"`
	Title     string       `json:"title"`
	Status    int          `json:"status"`
	Detail    string       `json:"detail"`
	Code      gateway.Code `json:"code"`
	RequestID string       `json:"request_id"`
	Errors    []fault      `json:"errors"`
	Reason    string       `json:"reason,omitempty"`
	Limit     string       `json:"limit,omitempty"`
	RetryAt   *stamp       `json:"retry_at,omitempty"`
}

// fault is one wrong member: a JSON pointer (RFC 6901) into the body, or the
// bare name of a query member or header.
type fault struct {
	Pointer string `json:"pointer"`
	Detail  string `json:"detail"`
}

// problemType is the base of the identifiers in the member type.
const problemType = "https://github.com/modemgate/modemgate#"

// statusClosed is logged when the client went away before the answer.
const statusClosed = 499

// kinds gives each code its status and the sentence that never varies.
var kinds = map[gateway.Code]struct {
	status int
	title  string
}{
	gateway.InvalidRequest:        {http.StatusBadRequest, "The request is not well-formed"},
	gateway.Unauthenticated:       {http.StatusUnauthorized, "No valid API key was given"},
	gateway.ScopeMissing:          {http.StatusForbidden, "The API key may not do this"},
	gateway.DestinationBlocked:    {http.StatusForbidden, "Sending to this number is not allowed"},
	gateway.NotFound:              {http.StatusNotFound, "There is no such thing"},
	gateway.IdempotencyInProgress: {http.StatusConflict, "The first request is still being answered"},
	gateway.NotCancelable:         {http.StatusConflict, "The state does not allow this"},
	gateway.LineBusy:              {http.StatusConflict, "The line is busy"},
	gateway.OTPEnded:              {http.StatusGone, "The one-time password has ended"},
	gateway.NumberInvalid:         {http.StatusUnprocessableEntity, "The number cannot be used"},
	gateway.TextTooLong:           {http.StatusUnprocessableEntity, "The text is too long"},
	gateway.NoSuchLine:            {http.StatusUnprocessableEntity, "There is no such line"},
	gateway.IdempotencyKeyReused:  {http.StatusUnprocessableEntity, "The Idempotency-Key belongs to another request"},
	gateway.LimitExceeded:         {http.StatusTooManyRequests, "A limit is reached"},
	gateway.NumberLocked:          {http.StatusTooManyRequests, "The number is locked"},
	gateway.NoLine:                {http.StatusServiceUnavailable, "No line can send this"},
	gateway.ClockNotSet:           {http.StatusServiceUnavailable, "The clock is not set"},
	gateway.NoEntropy:             {http.StatusServiceUnavailable, "No code could be made"},
	gateway.ModemTimeout:          {http.StatusGatewayTimeout, "The modem gave no answer in time"},
	gateway.StorageFull:           {http.StatusInsufficientStorage, "The disk is full"},
	gateway.Internal:              {http.StatusInternalServerError, "Something went wrong inside"},
}

// unready wraps an error of the readiness check, which is always 503.
type unready struct{ error }

func (u unready) Unwrap() error { return u.error }

// fail is the one place where an error becomes a response.
func (s *Server) fail(err error, c echo.Context) {
	if c.Response().Committed {
		return
	}
	if gone(err, c) {
		c.Response().Status = statusClosed
		return
	}
	p := explain(err)
	p.RequestID = requestID(c)
	if p.Code == gateway.Internal {
		s.log.Error("request failed", "route", c.Path(), "request", p.RequestID, "err", err)
	}
	h := c.Response().Header()
	if p.RetryAt != nil {
		h.Set("Retry-After", retryAfter(p.RetryAt.Time, time.Now()))
	}
	if p.Status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", `Bearer realm="modemgate"`)
	}
	_ = write(c, p.Status, "application/problem+json", p)
}

// gone says whether the error only means that the client hung up.
func gone(err error, c echo.Context) bool {
	return errors.Is(err, context.Canceled) && c.Request().Context().Err() != nil
}

// explain turns an error into a problem that tells the client no more than it
// may know.
func explain(err error) problem {
	var (
		ours *gateway.Error
		web  *echo.HTTPError
		out  = kind(gateway.Internal)
	)
	out.Detail = "the request failed inside: the log has more under this request id"
	switch {
	case errors.As(err, &ours):
		if _, known := kinds[ours.Code]; !known || ours.Code == gateway.Internal {
			break
		}
		out = kind(ours.Code)
		out.Detail, out.Reason, out.Limit = ours.Detail, ours.Reason, ours.Limit
		for _, f := range ours.Fields {
			out.Errors = append(out.Errors, fault{f.Pointer, f.Detail})
		}
		if t := ours.RetryAt; !t.IsZero() && out.Status == http.StatusTooManyRequests {
			out.RetryAt = &stamp{t}
		}
	case errors.As(err, &web) && web.Code == http.StatusNotFound:
		out = kind(gateway.NotFound)
		out.Detail = "there is no such route: see /openapi.yaml"
	case errors.As(err, &web) && web.Code == http.StatusMethodNotAllowed:
		out = kind(gateway.InvalidRequest)
		out.Status = web.Code
		out.Detail = "the route does not know this method: see the header Allow"
	}
	if errors.As(err, new(unready)) {
		out.Status = http.StatusServiceUnavailable
	}
	return out
}

func kind(c gateway.Code) problem {
	return problem{Type: problemType + string(c), Title: kinds[c].title, Status: kinds[c].status, Code: c, Errors: []fault{}}
}

// retryAfter gives whole seconds, rounded up, at least 1 (RFC 9110 §10.2.3).
func retryAfter(at, now time.Time) string {
	return strconv.Itoa(max(1, int(math.Ceil(at.Sub(now).Seconds()))))
}

// refuse makes a refusal of the API itself.
func refuse(code gateway.Code, format string, args ...any) *gateway.Error {
	return &gateway.Error{Code: code, Detail: fmt.Sprintf(format, args...)}
}

// invalid refuses one member of a request.
func invalid(pointer, format string, args ...any) *gateway.Error {
	e := refuse(gateway.InvalidRequest, format, args...)
	e.Fields = []gateway.FieldError{{Pointer: pointer, Detail: e.Detail}}
	return e
}

// answer sends a JSON body.
func answer(c echo.Context, status int, body any) error {
	return write(c, status, echo.MIMEApplicationJSON, body)
}

// write encodes first, so that a body that cannot be encoded is still a clean
// error. Nothing here may be kept by caches: states change and texts end.
func write(c echo.Context, status int, contentType string, body any) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(body); err != nil {
		return fmt.Errorf("encode the response: %w", err)
	}
	c.Response().Header().Set("Cache-Control", "no-store")
	c.Response().Header().Set("X-Content-Type-Options", "nosniff")
	return c.Blob(status, contentType, b.Bytes())
}
