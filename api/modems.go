package api

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/modemgate/modemgate/gateway"
)

// modem is what is plugged in at a USB socket, on the wire.
type modem struct {
	Path    string `json:"path"`
	ID      string `json:"id"`
	Model   string `json:"model,omitempty"`
	Mode    string `json:"mode"`
	Port    string `json:"port,omitempty"`
	Line    string `json:"line,omitempty"`
	IMEI    string `json:"imei,omitempty"`
	ICCID   string `json:"iccid,omitempty"`
	Problem string `json:"problem,omitempty"`
}

func (s *Server) listModems(c echo.Context) error {
	if q := parseQuery(c); q.err != nil {
		return q.err
	}
	all, err := s.gw.Modems(c.Request().Context(), request(c))
	if err != nil {
		return err
	}
	return answer(c, http.StatusOK, page[modem]{Items: each(all, func(m gateway.PluggedModem) modem { return modem(m) })})
}
