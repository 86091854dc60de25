package sim

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Handler serves the control API, JSON over HTTP. It has no authentication:
// bind it to the loopback interface. Durations are strings such as "2s";
// errors are {"error": "…"} with 400 or 404.
//
//	GET    /                              {routes, fault_kinds, points}: what this is about, in names
//	GET    /modems                        [{name, path, number, iccid, imsi, imei, plugged, sim, registered, faults, stored}]
//	GET    /modems/{modem}                one of them; {modem} is a name or a number
//	POST   /modems/{modem}/unplug         {after?: "2s"}: comes back by itself after that
//	POST   /modems/{modem}/plug           returns under another pty
//	POST   /modems/{modem}/restart        power cycle on the same port
//	POST   /modems/{modem}/faults         {kind, match, point, skip, times, delay, code, text, where}: see Fault
//	GET    /modems/{modem}/faults         those that wait or act
//	DELETE /modems/{modem}/faults         ends all
//	GET    /modems/{modem}/stored         what its memories hold
//	POST   /modems/{modem}/stored         {pdu, length?}: a raw PDU arrives, however wrong
//	GET    /modems/{modem}/transcript     the last lines of the dialogue
//	PUT    /modems/{modem}/registration   {state, signal?}: home, roaming, searching, denied, none, unknown, sms-only
//	PUT    /modems/{modem}/sim            {state, pin?}: ready, pin, puk, absent, failure, busy
//	POST   /modems/{modem}/unsolicited    {text}: an unsolicited code
//	POST   /modems/{modem}/emit           {text}: octets as they are, at once
//	POST   /modems/{modem}/call           {from, rings?}: an incoming call
//	GET    /phones                        [{number, received, parts, incomplete}]
//	GET    /phones/{number}?n=1&wait=10s  its texts, after n have come or the wait is over
//	POST   /phones/{number}/send          {to, text, flash, class, wide, ref, order, copies, interval, delay, pid}: see SendOptions
//	POST   /phones/{number}/pdu           {to, pdu, length?}: a raw PDU to a modem
//	PUT    /phones/{number}/power         {on}: off makes messages wait
//	PUT    /phones/{number}/refuse        {status}: final TP-Status, 0 takes messages again
//	GET    /journal?after=0               entries with a greater seq
func (n *Network) Handler() http.Handler {
	mux := http.NewServeMux()
	var index indexBody
	handle := func(pattern string, h http.HandlerFunc) {
		index.Routes = append(index.Routes, pattern)
		mux.HandleFunc(pattern, h)
	}
	handle("GET /modems", func(w http.ResponseWriter, _ *http.Request) {
		list := make([]modemBody, 0, len(n.modems))
		for _, m := range n.modems {
			list = append(list, m.body())
		}
		answerJSON(w, http.StatusOK, list)
	})
	for pattern, do := range modemRoutes {
		handle(pattern, n.onModem(do))
	}
	for pattern, do := range phoneRoutes {
		handle(pattern, func(w http.ResponseWriter, r *http.Request) {
			respond(w, func() (any, error) { return do(n.Phone(phoneNumber(r)), r) })
		})
	}
	handle("GET /phones", func(w http.ResponseWriter, _ *http.Request) {
		answerJSON(w, http.StatusOK, n.phoneList())
	})
	handle("GET /journal", func(w http.ResponseWriter, r *http.Request) {
		respond(w, func() (any, error) {
			after, err := strconv.ParseUint(orZero(r.URL.Query().Get("after")), 10, 64)
			return n.journal.after(after), err
		})
	})
	slices.SortFunc(index.Routes, func(a, b string) int {
		_, x, _ := strings.Cut(a, " ")
		_, y, _ := strings.Cut(b, " ")
		return cmp.Or(strings.Compare(x, y), strings.Compare(a, b))
	})
	index.FaultKinds, index.Points = FaultKinds(), points
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { answerJSON(w, http.StatusOK, index) })
	return mux
}

// indexBody tells what the control API takes.
type indexBody struct {
	Routes     []string    `json:"routes"`
	FaultKinds []FaultKind `json:"fault_kinds"`
	Points     []Point     `json:"points"`
}

func orZero(s string) string {
	if s == "" {
		return "0"
	}
	return s
}

func (n *Network) onModem(do func(*Modem, *http.Request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		m := n.Modem(r.PathValue("modem"))
		if m == nil {
			answerJSON(w, http.StatusNotFound, errorBody{fmt.Sprintf("no modem has the name or number %q", r.PathValue("modem"))})
			return
		}
		respond(w, func() (any, error) { return do(m, r) })
	}
}

type errorBody struct {
	Error string `json:"error"`
}

func respond(w http.ResponseWriter, do func() (any, error)) {
	body, err := do()
	switch {
	case err != nil:
		answerJSON(w, http.StatusBadRequest, errorBody{err.Error()})
	case body == nil:
		w.WriteHeader(http.StatusNoContent)
	default:
		answerJSON(w, http.StatusOK, body)
	}
}

func answerJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	_ = e.Encode(body)
}

// read decodes a body strictly; an empty one is as good as {}.
func read(r *http.Request, into any) error {
	d := json.NewDecoder(http.MaxBytesReader(nil, r.Body, 1<<20))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("body: %w", err)
	}
	return nil
}

// span is a duration that JSON writes as a string.
type span time.Duration

// MarshalText gives the duration as Go writes it.
func (s span) MarshalText() ([]byte, error) { return []byte(time.Duration(s).String()), nil }

// UnmarshalText reads a duration such as "1.5s".
func (s *span) UnmarshalText(b []byte) error {
	d, err := time.ParseDuration(string(b))
	*s = span(d)
	return err
}

func (s span) duration() time.Duration { return time.Duration(s) }
