package sim

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// phoneNumber reads a number from the path, where a '+' may have become a
// space or been left out of an international one.
func phoneNumber(r *http.Request) string {
	number := r.PathValue("number")
	if digits, was := strings.CutPrefix(number, " "); was {
		return "+" + digits
	}
	return number
}

type phoneBody struct {
	Number     string `json:"number"`
	Received   int    `json:"received"`
	Parts      int    `json:"parts"`
	Incomplete int    `json:"incomplete"`
}

func (n *Network) phoneList() []phoneBody {
	list := []phoneBody{}
	for _, p := range n.Phones() {
		list = append(list, phoneBody{p.number, len(p.Received()), p.PartsReceived(), p.Incomplete()})
	}
	slices.SortFunc(list, func(a, b phoneBody) int { return cmp.Compare(a.Number, b.Number) })
	return list
}

const maxWait = 55 * time.Second

var phoneRoutes = map[string]func(*Phone, *http.Request) (any, error){
	"GET /phones/{number}":       getPhone,
	"POST /phones/{number}/send": postSend,
	"POST /phones/{number}/pdu": func(p *Phone, r *http.Request) (any, error) {
		var b pduBody
		if err := read(r, &b); err != nil {
			return nil, err
		}
		return nil, p.SendPDU(b.To, b.PDU, b.Length)
	},
	"PUT /phones/{number}/power": func(p *Phone, r *http.Request) (any, error) {
		var b struct {
			On bool `json:"on"`
		}
		if err := read(r, &b); err != nil {
			return nil, err
		}
		p.SetPower(b.On)
		return nil, nil
	},
	"PUT /phones/{number}/refuse": func(p *Phone, r *http.Request) (any, error) {
		var b struct {
			Status byte `json:"status"`
		}
		if err := read(r, &b); err != nil {
			return nil, err
		}
		p.Refuse(b.Status)
		return nil, nil
	},
}

func getPhone(p *Phone, r *http.Request) (any, error) {
	q := r.URL.Query()
	var wait time.Duration
	n := 1
	var err error
	if v := q.Get("wait"); v != "" {
		if wait, err = time.ParseDuration(v); err != nil || wait < 0 || wait > maxWait {
			return nil, fmt.Errorf("wait %q: use a duration from 0s to %v", v, maxWait)
		}
	}
	if v := q.Get("n"); v != "" {
		if n, err = strconv.Atoi(v); err != nil || n < 0 {
			return nil, fmt.Errorf("n %q: use the number of texts to wait for", v)
		}
	}
	ctx, cancel := context.WithTimeout(r.Context(), wait)
	defer cancel()
	texts, _ := p.Wait(ctx, n)
	return append([]Text{}, texts...), nil
}

func postSend(p *Phone, r *http.Request) (any, error) {
	var b struct {
		To       string `json:"to"`
		Text     string `json:"text"`
		Flash    bool   `json:"flash"`
		Class    *int   `json:"class"`
		Wide     bool   `json:"wide"`
		Ref      *int   `json:"ref"`
		Order    []int  `json:"order"`
		Copies   int    `json:"copies"`
		Interval span   `json:"interval"`
		Delay    span   `json:"delay"`
		PID      byte   `json:"pid"`
	}
	if err := read(r, &b); err != nil {
		return nil, err
	}
	return nil, p.SendWith(b.To, b.Text, SendOptions{Flash: b.Flash, Class: b.Class, Wide: b.Wide, Ref: b.Ref, Order: b.Order,
		Copies: b.Copies, Interval: b.Interval.duration(), Delay: b.Delay.duration(), PID: b.PID})
}
