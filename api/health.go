package api

import (
	"context"
	_ "embed"
	"log/slog"
	"net/http"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/modemgate/modemgate/gateway"
)

// Health is what the routes for probes and measures need of the gateway.
type Health interface {
	Ready(ctx context.Context) error
	ReadyToSend(ctx context.Context) error
	Metrics() prometheus.Gatherer
}

// OpenAPI is the description of the API, OpenAPI 3.1 in YAML.
//
//go:embed openapi.yaml
var OpenAPI []byte

// healthy is the body of probes that pass.
type healthy struct {
	Status string `json:"status"`
}

// getHealth says that the process answers, nothing more.
func (s *Server) getHealth(c echo.Context) error {
	return answer(c, http.StatusOK, healthy{"ok"})
}

// getReady says whether this node does its work: 200 or 503.
func (s *Server) getReady(c echo.Context) error {
	q := parseQuery(c, "sending")
	check := s.gw.Ready
	if q.flag("sending") {
		check = s.gw.ReadyToSend
	}
	if q.err != nil {
		return q.err
	}
	if err := check(c.Request().Context()); err != nil {
		return unready{err}
	}
	return answer(c, http.StatusOK, healthy{"ready"})
}

func (s *Server) getOpenAPI(c echo.Context) error {
	return c.Blob(http.StatusOK, "application/yaml", OpenAPI)
}

// getMetrics answers in the format of Prometheus.
func (s *Server) getMetrics(c echo.Context) error {
	if !request(c).Caller.Has(gateway.ScopeStatus) {
		return refuse(gateway.ScopeMissing, "the key lacks the scope status: make one with modemgate key new NAME --scopes status")
	}
	s.metrics.ServeHTTP(c.Response(), c.Request())
	return nil
}

// metricsHandler gives what it has when a part fails, which is logged.
func metricsHandler(h Health, log *slog.Logger) http.Handler {
	return promhttp.HandlerFor(h.Metrics(), promhttp.HandlerOpts{
		ErrorHandling: promhttp.ContinueOnError,
		ErrorLog:      slog.NewLogLogger(log.Handler(), slog.LevelError),
	})
}
