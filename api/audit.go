package api

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/modemgate/modemgate/gateway"
)

// Names in the context for the audit log.
const (
	aboutKey  = "audit-about"
	resultKey = "audit-result"
)

// about tells the audit log which thing a request is about: an id or a name.
// Numbers must go through mask.
func about(c echo.Context, thing string) { c.Set(aboutKey, thing) }

// result tells the audit log how a request ended, when "ok" says too little.
func result(c echo.Context, how string) { c.Set(resultKey, how) }

// audit logs one line for each try of the action by a known caller, without
// texts, codes or whole numbers.
func (s *Server) audit(action string) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		if action == "" {
			return next
		}
		return func(c echo.Context) error {
			err := next(c)
			caller, _ := c.Get(callerKey).(gateway.Caller)
			thing, _ := c.Get(aboutKey).(string)
			how, _ := c.Get(resultKey).(string)
			switch {
			case err != nil:
				how = outcome(err, c)
			case how == "":
				how = "ok"
			}
			s.log.LogAttrs(context.WithoutCancel(c.Request().Context()), slog.LevelInfo, "audit",
				slog.String("audit", action), slog.String("key", caller.Key), slog.String("id", thing),
				slog.String("result", how), slog.String("request", requestID(c)))
			return err
		}
	}
}

// outcome is the code that the client will see.
func outcome(err error, c echo.Context) string {
	if gone(err, c) {
		return "client-gone"
	}
	return string(explain(err).Code)
}

// observe is the access log. It names the route, not the path: paths and
// queries hold numbers.
func (s *Server) observe(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		ctx := c.Request().Context()
		if !s.log.Enabled(ctx, slog.LevelDebug) {
			return next(c)
		}
		begin := time.Now()
		err := next(c)
		if err != nil {
			c.Error(err) // answers, so that the status is known
		}
		caller, _ := c.Get(callerKey).(gateway.Caller)
		s.log.LogAttrs(ctx, slog.LevelDebug, "request",
			slog.String("method", c.Request().Method), slog.String("route", c.Path()),
			slog.Int("status", c.Response().Status), slog.Int64("octets", c.Response().Size),
			slog.Duration("took", time.Since(begin)), slog.String("key", caller.Key),
			slog.String("request", requestID(c)))
		return nil
	}
}

// idLength is that of an id of ours behind its prefix; no code and no number
// is as long.
const idLength = 26

// safeID returns an id of ours as it is, and nothing else: a path parameter
// is whatever a client wrote.
func safeID(id string) string {
	if prefix, rest, ok := strings.Cut(id, "_"); ok && len(rest) == idLength && saneID.MatchString(id) {
		switch prefix {
		case "msg", "otp", "in":
			return id
		}
	}
	return "?"
}
