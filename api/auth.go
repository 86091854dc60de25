package api

import (
	"crypto/rand"
	"fmt"
	"regexp"
	"runtime/debug"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/modemgate/modemgate/gateway"
)

// Auth is what the API needs to know who asks.
type Auth interface {
	Authenticate(token string) (gateway.Caller, error)
}

// Names of what the middleware leaves in the context of a request.
const (
	callerKey = "caller"
	idKey     = "request-id"
)

var saneID = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// identify gives the request an id: the client's if it is harmless in a log,
// else a new one.
func (s *Server) identify(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		id := c.Request().Header.Get(echo.HeaderXRequestID)
		if !saneID.MatchString(id) {
			id = "req_" + strings.ToLower(rand.Text())
		}
		c.Set(idKey, id)
		c.Response().Header().Set(echo.HeaderXRequestID, id)
		return next(c)
	}
}

func requestID(c echo.Context) string {
	id, _ := c.Get(idKey).(string)
	return id
}

// authenticate takes the bearer token (RFC 6750 §2.1). A refusal tells what the
// client can see of its own request; of a token that might be a key it tells
// the same whether it never was one, has expired or was revoked.
func (s *Server) authenticate(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		token, err := bearer(c)
		if err != nil {
			return err
		}
		caller, err := s.gw.Authenticate(token)
		if err != nil {
			return fmt.Errorf("authenticate: %w", err)
		}
		c.Set(callerKey, caller)
		return next(c)
	}
}

// bearer returns the token of the request.
func bearer(c echo.Context) (string, error) {
	const form = "Authorization: Bearer mg_…"
	h := c.Request().Header.Values(echo.HeaderAuthorization)
	switch {
	case len(h) == 0 || h[0] == "":
		return "", refuse(gateway.Unauthenticated, "there is no API key: send the header %s; modemgate key new NAME --scopes … makes a key", form)
	case len(h) > 1:
		return "", refuse(gateway.Unauthenticated, "there are %d headers Authorization: send one, %s", len(h), form)
	}
	scheme, token, _ := strings.Cut(h[0], " ")
	token = strings.TrimSpace(token)
	if !strings.EqualFold(scheme, "Bearer") || token == "" {
		return "", refuse(gateway.Unauthenticated, "the header Authorization is not of the scheme Bearer: send %s", form)
	}
	return token, nil
}

// trust is authenticate for the socket: who can open it is the operator.
func (s *Server) trust(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		c.Set(callerKey, gateway.LocalCaller())
		return next(c)
	}
}

// recover turns a panic of a handler into an error that is logged and
// answered. The value of the panic may hold anything, so only its type and
// the stack are kept.
func (s *Server) recover(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) (err error) {
		defer func() {
			if p := recover(); p != nil {
				err = fmt.Errorf("panic (%T) in %s %s: %s", p, c.Request().Method, c.Path(), debug.Stack())
			}
		}()
		return next(c)
	}
}

// idempotencyKey reads the header; quotes around it are the structured form
// of the draft and no part of the key.
func idempotencyKey(c echo.Context) (string, error) {
	const header = "Idempotency-Key"
	h := c.Request().Header.Values(header)
	if len(h) == 0 {
		return "", nil
	}
	key := h[0]
	if len(key) >= 2 && key[0] == '"' && key[len(key)-1] == '"' {
		key = key[1 : len(key)-1]
	}
	visible := strings.IndexFunc(key, func(r rune) bool { return r <= ' ' || r > '~' }) < 0
	if len(h) > 1 || key == "" || len(key) > 255 || !visible {
		return "", invalid(header, "Idempotency-Key is one value of 1 to 255 visible ASCII characters")
	}
	return key, nil
}
