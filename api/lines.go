package api

import (
	"context"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/modemgate/modemgate/gateway"
)

// Lines is what the routes of lines and of the whole installation need of the
// gateway.
type Lines interface {
	Status(ctx context.Context, r gateway.Request) (gateway.Status, error)
	Lines(ctx context.Context, r gateway.Request) ([]gateway.LineStatus, error)
	Line(ctx context.Context, r gateway.Request, name string) (gateway.LineStatus, error)
	PauseLine(ctx context.Context, r gateway.Request, name string) (gateway.LineStatus, error)
	ResumeLine(ctx context.Context, r gateway.Request, name string) (gateway.LineStatus, error)
	ResetLine(ctx context.Context, r gateway.Request, name, step string) (gateway.LineStatus, error)
	Queue(ctx context.Context, r gateway.Request) (gateway.QueueStatus, error)
	Modems(ctx context.Context, r gateway.Request) ([]gateway.PluggedModem, error)
}

// line is a line on the wire.
type line struct {
	Name         string    `json:"name"`
	State        string    `json:"state"`
	SinceAt      *stamp    `json:"since_at"`
	Detail       string    `json:"detail,omitempty"`
	Paused       bool      `json:"paused"`
	Simulated    bool      `json:"simulated"`
	Port         string    `json:"port,omitempty"`
	Identity     identity  `json:"identity"`
	Balance      *credit   `json:"balance,omitempty"`
	Operator     string    `json:"operator,omitempty"`
	Registration string    `json:"registration,omitempty"`
	SignalDBM    int       `json:"signal_dbm,omitempty"`
	Cell         *cell     `json:"cell,omitempty"`
	Storage      []storage `json:"storage"`
	InboundBy    string    `json:"inbound_by,omitempty"`
	Labels       []string  `json:"labels,omitempty"`
	Limits       limits    `json:"limits"`
	Counters     counters  `json:"counters"`
	LastError    string    `json:"last_error,omitempty"`
	Recovery     *recovery `json:"recovery,omitempty"`
	Calls        []ring    `json:"calls,omitempty"`
}

// ring is a call that came in.
type ring struct {
	At       stamp  `json:"at"`
	From     string `json:"from,omitempty"`
	Rejected bool   `json:"rejected"`
}

// identity is what modem and SIM said they are, at ReadAt. The rest of a line,
// but for its counters and the credit, is of now.
type identity struct {
	Number       string `json:"number,omitempty"`
	IMEI         string `json:"imei,omitempty"`
	ICCID        string `json:"iccid,omitempty"`
	Manufacturer string `json:"manufacturer,omitempty"`
	Model        string `json:"model,omitempty"`
	Revision     string `json:"revision,omitempty"`
	SMSC         string `json:"smsc,omitempty"`
	ReadAt       *stamp `json:"read_at"`
}

// credit is what the operator of the SIM said that is left.
type credit struct {
	Amount float64 `json:"amount"`
	AsOfAt *stamp  `json:"as_of_at"`
	Low    bool    `json:"low"`
	Error  string  `json:"error,omitempty"`
}

type storage struct {
	Memory  string `json:"memory"`
	Used    int    `json:"used"`
	Total   int    `json:"total"`
	Foreign int    `json:"foreign,omitempty"`
}

// counters count SMS parts from the start of the daemon, and what counts
// against the limits in the present day and month.
type counters struct {
	Sent       uint64 `json:"sent"`
	Failed     uint64 `json:"failed"`
	Unknown    uint64 `json:"unknown"`
	Received   uint64 `json:"received"`
	Restarts   uint64 `json:"restarts"`
	PartsToday int    `json:"parts_today"`

	PartsThisMonth int `json:"parts_this_month"`
	CostThisMonth  int `json:"cost_this_month,omitempty"`
}

// limits are those of a line; absent ones are not set.
type limits struct {
	PerMinute    int    `json:"per_minute"`
	PerDay       int    `json:"per_day"`
	PerMonth     int    `json:"per_month,omitempty"`
	CostPerMonth int    `json:"cost_per_month,omitempty"`
	Reached      string `json:"reached,omitempty"`
	RetryAt      *stamp `json:"retry_at,omitempty"`
}

// recovery is what was and is done for a modem that does not work; absent as
// long as there was no need for it.
type recovery struct {
	Cause     string     `json:"cause,omitempty"`
	Step      string     `json:"step,omitempty"`
	RetryAt   *stamp     `json:"retry_at"`
	Incidents []incident `json:"incidents"`
}

// incident is one step of a recovery.
type incident struct {
	At     stamp  `json:"at"`
	Cause  string `json:"cause"`
	Step   string `json:"step"`
	Result string `json:"result"`
	Detail string `json:"detail,omitempty"`
	Took   string `json:"took"`
}

// resetLine is the body of POST /v1/lines/{name}/reset, which may be left out.
type resetLine struct {
	Step word `json:"step,omitempty"`
}

type queue struct {
	OTP      int    `json:"otp"`
	High     int    `json:"high"`
	Normal   int    `json:"normal"`
	Low      int    `json:"low"`
	Held     int    `json:"held"`
	OldestAt *stamp `json:"oldest_at"`
}

// status is the whole installation on the wire.
type status struct {
	Version   string      `json:"version"`
	Site      string      `json:"site"`
	StartedAt stamp       `json:"started_at"`
	Healthy   bool        `json:"healthy"`
	Problems  []string    `json:"problems"`
	Clock     string      `json:"clock"`
	Lines     []line      `json:"lines"`
	Queue     queue       `json:"queue"`
	NATS      natsStatus  `json:"nats"`
	Store     storeStatus `json:"store"`
}

type natsStatus struct {
	Connected bool   `json:"connected"`
	Embedded  bool   `json:"embedded"`
	Addr      string `json:"addr,omitempty"`
	SinceAt   *stamp `json:"since_at"`
	Waiting   int    `json:"waiting"`
	Error     string `json:"error,omitempty"`
}

type storeStatus struct {
	Bytes     int64  `json:"bytes"`
	FreeBytes int64  `json:"free_bytes"`
	Writable  bool   `json:"writable"`
	Error     string `json:"error,omitempty"`
}

func (s *Server) getStatus(c echo.Context) error {
	if q := parseQuery(c); q.err != nil {
		return q.err
	}
	st, err := s.gw.Status(c.Request().Context(), request(c))
	if err != nil {
		return err
	}
	return answer(c, http.StatusOK, statusBody(st))
}

func (s *Server) listLines(c echo.Context) error {
	if q := parseQuery(c); q.err != nil {
		return q.err
	}
	lines, err := s.gw.Lines(c.Request().Context(), request(c))
	if err != nil {
		return err
	}
	return answer(c, http.StatusOK, page[line]{Items: each(lines, lineBody)})
}

func (s *Server) getLine(c echo.Context) error {
	if q := parseQuery(c); q.err != nil {
		return q.err
	}
	return oneLine(c, s.gw.Line)
}

func (s *Server) pauseLine(c echo.Context) error { return changeLine(c, s.gw.PauseLine) }

func (s *Server) resumeLine(c echo.Context) error { return changeLine(c, s.gw.ResumeLine) }

func (s *Server) resetLine(c echo.Context) error {
	var in resetLine
	if err := bindOptional(c, &in); err != nil {
		return err
	}
	l, err := s.gw.ResetLine(c.Request().Context(), request(c), c.Param("name"), string(in.Step))
	if err != nil {
		return err
	}
	about(c, l.Name)
	return answer(c, http.StatusAccepted, lineBody(l))
}

func changeLine(c echo.Context, ask func(context.Context, gateway.Request, string) (gateway.LineStatus, error)) error {
	if _, err := bindNothing(c); err != nil {
		return err
	}
	return oneLine(c, ask)
}

func oneLine(c echo.Context, ask func(context.Context, gateway.Request, string) (gateway.LineStatus, error)) error {
	l, err := ask(c.Request().Context(), request(c), c.Param("name"))
	if err != nil {
		return err
	}
	about(c, l.Name)
	return answer(c, http.StatusOK, lineBody(l))
}

func (s *Server) getQueue(c echo.Context) error {
	if q := parseQuery(c); q.err != nil {
		return q.err
	}
	q, err := s.gw.Queue(c.Request().Context(), request(c))
	if err != nil {
		return err
	}
	return answer(c, http.StatusOK, queueBody(q))
}

// statusBody is the one conversion of the state of the installation.
func statusBody(st gateway.Status) status {
	return status{
		Version: st.Version, Site: st.Site, StartedAt: stamp{st.StartedAt}, Healthy: st.Healthy,
		Problems: list(st.Problems), Clock: st.Clock, Lines: each(st.Lines, lineBody), Queue: queueBody(st.Queue),
		NATS: natsStatus{
			Connected: st.NATS.Connected, Embedded: st.NATS.Embedded, Addr: st.NATS.Addr,
			SinceAt: stampOrNull(st.NATS.Since), Waiting: st.NATS.Waiting, Error: st.NATS.Error,
		},
		Store: storeStatus(st.Store),
	}
}

// lineBody is the one conversion of a line.
func lineBody(l gateway.LineStatus) line {
	return line{
		Name: l.Name, State: l.State, SinceAt: stampOrNull(l.Since), Detail: l.Detail, Paused: l.Paused,
		Simulated: l.Simulated, Port: l.Port,
		Identity: identity{
			Number: l.Number, IMEI: l.IMEI, ICCID: l.ICCID, Manufacturer: l.Manufacturer, Model: l.Model,
			Revision: l.Revision, SMSC: l.SMSC, ReadAt: stampOrNull(l.ReadAt),
		},
		Balance: creditBody(l.Balance), Operator: l.Operator, Registration: l.Registration, SignalDBM: l.SignalDBM, Cell: cellBody(l.Cell),
		Storage: each(l.Storage, func(m gateway.StorageStatus) storage { return storage(m) }), InboundBy: l.InboundBy,
		Counters: counters{
			Sent: l.Sent, Failed: l.Failed, Unknown: l.Unknown, Received: l.Received, Restarts: l.Restarts,
			PartsToday: l.PartsToday, PartsThisMonth: l.PartsThisMonth, CostThisMonth: l.CostThisMonth,
		},
		Labels: l.Labels,
		Limits: limits{
			PerMinute: l.Limits.PerMinute, PerDay: l.Limits.PerDay, PerMonth: l.Limits.PerMonth, CostPerMonth: l.Limits.CostPerMonth,
			Reached: l.Limits.Reached, RetryAt: stampOrNull(l.Limits.Until),
		},
		LastError: l.LastError, Recovery: recoveryBody(l.Recovery),
		Calls: each(l.Calls, func(c gateway.Call) ring { return ring{stamp{c.At}, c.From, c.Rejected} }),
	}
}

func recoveryBody(r gateway.RecoveryStatus) *recovery {
	if r.Cause == "" && len(r.Incidents) == 0 {
		return nil
	}
	return &recovery{
		Cause: r.Cause, Step: r.Step, RetryAt: stampOrNull(r.RetryAt),
		Incidents: each(r.Incidents, func(i gateway.Incident) incident {
			return incident{
				At: stamp{i.At}, Cause: i.Cause, Step: i.Step, Result: i.Result, Detail: i.Detail,
				Took: i.Took.Round(time.Millisecond).String(),
			}
		}),
	}
}

func queueBody(q gateway.QueueStatus) queue {
	return queue{OTP: q.OTP, High: q.High, Normal: q.Normal, Low: q.Low, Held: q.Held, OldestAt: stampOrNull(q.OldestAt)}
}

// cellBody is nil while no cell is known.
func cellBody(c gateway.Cell) *cell {
	if c == (gateway.Cell{}) {
		return nil
	}
	return (*cell)(&c)
}

// creditBody is nil for a line that does not ask.
func creditBody(b gateway.BalanceStatus) *credit {
	if b == (gateway.BalanceStatus{}) {
		return nil
	}
	return &credit{Amount: b.Amount, AsOfAt: stampOrNull(b.At), Low: b.Low, Error: b.Error}
}
