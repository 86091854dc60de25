package api

import (
	"context"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/modemgate/modemgate/gateway"
)

// Admin is what the operator's routes need of the gateway. They exist on
// admin.sock only.
type Admin interface {
	NewKey(ctx context.Context, r gateway.Request, k gateway.NewKey) (secret string, key gateway.Key, err error)
	Keys(ctx context.Context, r gateway.Request) ([]gateway.Key, error)
	RevokeKey(ctx context.Context, r gateway.Request, name string) error
	Backup(ctx context.Context, r gateway.Request, path string) error
	Erase(ctx context.Context, r gateway.Request, number string) (gateway.EraseReport, error)
	DropQueue(ctx context.Context, r gateway.Request) (int, error)
	ReleaseQueue(ctx context.Context, r gateway.Request) (int, error)
}

// newKey is the body of POST /v1/admin/keys.
type newKey struct {
	Name      word     `json:"name"`
	Scopes    words    `json:"scopes"`
	To        words    `json:"to,omitempty"`
	PerMinute count    `json:"per_minute,omitempty"`
	PerDay    count    `json:"per_day,omitempty"`
	Expires   duration `json:"expires,omitempty"`
	From      from     `json:"from,omitempty"`
	Inherit   yesNo    `json:"inherit,omitempty"`
}

// from says where the consumers of a key start: "new" or "all".
type from string

func (f *from) UnmarshalJSON(b []byte) error {
	var w word
	if w.UnmarshalJSON(b) != nil || w != "new" && w != "all" {
		return wrongf("must be new or all")
	}
	*f = from(w)
	return nil
}

func (in newKey) words() gateway.NewKey {
	return gateway.NewKey{
		Name: string(in.Name), Scopes: in.Scopes, To: in.To, PerMinute: int(in.PerMinute), PerDay: int(in.PerDay),
		Expires: time.Duration(in.Expires), FromAll: in.From == "all", Inherit: bool(in.Inherit),
	}
}

// key is an API key on the wire, without its secret.
type key struct {
	Name       string   `json:"name"`
	Scopes     []string `json:"scopes"`
	To         []string `json:"to"`
	PerMinute  int      `json:"per_minute,omitempty"`
	PerDay     int      `json:"per_day,omitempty"`
	Generation int      `json:"generation"`
	CreatedAt  stamp    `json:"created_at"`
	ExpiresAt  *stamp   `json:"expires_at"`
	RevokedAt  *stamp   `json:"revoked_at"`
	RevivedAt  *stamp   `json:"revived_at,omitempty"`
}

// madeKey is a new key with its secret, which is told this once.
type madeKey struct {
	Secret string `json:"secret"`
	key
}

type (
	backupTo struct {
		Path word `json:"path"`
	}
	backupDone struct {
		Path string `json:"path"`
	}
	eraseNumber struct {
		Number word `json:"number"`
	}
	erased struct {
		Messages int `json:"messages"`
		OTPs     int `json:"otps"`
		Inbound  int `json:"inbound"`
		Parts    int `json:"parts"` // of long SMS still incomplete
		Events   int `json:"events"`
	}
	queueChanged struct {
		Messages int `json:"messages"`
	}
)

func (s *Server) postKey(c echo.Context) error {
	var in newKey
	if _, err := bind(c, &in); err != nil {
		return err
	}
	secret, k, err := s.gw.NewKey(c.Request().Context(), request(c), in.words())
	if err != nil {
		return err
	}
	about(c, k.Name)
	return answer(c, http.StatusCreated, madeKey{secret, keyBody(k)})
}

func (s *Server) listKeys(c echo.Context) error {
	if q := parseQuery(c); q.err != nil {
		return q.err
	}
	keys, err := s.gw.Keys(c.Request().Context(), request(c))
	if err != nil {
		return err
	}
	return answer(c, http.StatusOK, page[key]{Items: each(keys, keyBody)})
}

func (s *Server) revokeKey(c echo.Context) error {
	if err := s.gw.RevokeKey(c.Request().Context(), request(c), c.Param("name")); err != nil {
		return err
	}
	about(c, c.Param("name"))
	return c.NoContent(http.StatusNoContent)
}

func (s *Server) postBackup(c echo.Context) error {
	var in backupTo
	if _, err := bind(c, &in); err != nil {
		return err
	}
	unhurried(c)
	if err := s.gw.Backup(c.Request().Context(), request(c), string(in.Path)); err != nil {
		return err
	}
	return answer(c, http.StatusOK, backupDone{string(in.Path)})
}

func (s *Server) postErase(c echo.Context) error {
	var in eraseNumber
	if _, err := bind(c, &in); err != nil {
		return err
	}
	about(c, gateway.Mask(string(in.Number)))
	unhurried(c)
	r, err := s.gw.Erase(c.Request().Context(), request(c), string(in.Number))
	if err != nil {
		return err
	}
	return answer(c, http.StatusOK, erasedBody(r))
}

func (s *Server) dropQueue(c echo.Context) error { return changeQueue(c, s.gw.DropQueue) }

func (s *Server) releaseQueue(c echo.Context) error { return changeQueue(c, s.gw.ReleaseQueue) }

func changeQueue(c echo.Context, ask func(context.Context, gateway.Request) (int, error)) error {
	if _, err := bindNothing(c); err != nil {
		return err
	}
	n, err := ask(c.Request().Context(), request(c))
	if err != nil {
		return err
	}
	return answer(c, http.StatusOK, queueChanged{n})
}

// unhurried lifts the write time-out for work that takes as long as there is
// data, asked for by the operator.
func unhurried(c echo.Context) {
	_ = http.NewResponseController(c.Response().Writer).SetWriteDeadline(time.Time{})
}

func keyBody(k gateway.Key) key {
	return key{
		Name: k.Name, Scopes: list(k.Scopes), To: list(k.To), PerMinute: k.PerMinute, PerDay: k.PerDay,
		Generation: k.Generation, CreatedAt: stamp{k.CreatedAt}, ExpiresAt: stampOrNull(k.ExpiresAt),
		RevokedAt: stampOrNull(k.RevokedAt), RevivedAt: stampOrNull(k.RevivedAt),
	}
}

func erasedBody(r gateway.EraseReport) erased {
	return erased{Messages: r.Messages, OTPs: r.OTPs, Inbound: r.Inbound, Parts: r.Parts, Events: r.Events}
}
