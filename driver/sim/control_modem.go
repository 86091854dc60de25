package sim

import (
	"errors"
	"fmt"
	"net/http"
)

type modemBody struct {
	Name       string `json:"name"`
	Path       string `json:"path"`
	Number     string `json:"number"`
	ICCID      string `json:"iccid"`
	IMSI       string `json:"imsi"`
	IMEI       string `json:"imei"`
	Plugged    bool   `json:"plugged"`
	SIM        string `json:"sim"`
	Registered bool   `json:"registered"`
	Faults     int    `json:"faults"`
	Stored     int    `json:"stored"`
}

func (m *Modem) body() (b modemBody) {
	m.call(func() {
		b = modemBody{m.name, m.link, m.number, m.sim.iccid, m.sim.imsi, m.imei, m.sess != nil, m.sim.state, m.registered(),
			len(m.faults), m.sim.mem.used() + m.phoneMem.used() + m.reports.used()}
	})
	return b
}

type faultBody struct {
	Kind  FaultKind `json:"kind"`
	Match string    `json:"match,omitempty"`
	Point Point     `json:"point,omitempty"`
	Skip  int       `json:"skip,omitempty"`
	Times int       `json:"times,omitempty"`
	Delay span      `json:"delay,omitempty"`
	Code  int       `json:"code,omitempty"`
	Text  string    `json:"text,omitempty"`
	Where string    `json:"where,omitempty"`
}

var modemRoutes = map[string]func(*Modem, *http.Request) (any, error){
	"GET /modems/{modem}": func(m *Modem, _ *http.Request) (any, error) { return m.body(), nil },
	"POST /modems/{modem}/unplug": func(m *Modem, r *http.Request) (any, error) {
		var b struct {
			After span `json:"after"`
		}
		if err := read(r, &b); err != nil {
			return nil, err
		}
		m.Inject(Fault{Kind: FaultUnplug, Delay: b.After.duration()})
		return nil, nil
	},
	"POST /modems/{modem}/plug": func(m *Modem, _ *http.Request) (any, error) {
		var err error
		m.call(func() { err = m.plug() })
		return nil, err
	},
	"POST /modems/{modem}/restart": func(m *Modem, _ *http.Request) (any, error) {
		m.Restart()
		return nil, nil
	},
	"POST /modems/{modem}/faults": postFault,
	"GET /modems/{modem}/faults": func(m *Modem, _ *http.Request) (any, error) {
		list := []faultBody{}
		for _, f := range m.Faults() {
			list = append(list, faultBody{f.Kind, f.Match, f.Point, f.Skip, f.Times, span(f.Delay), f.Code, f.Text, f.Where})
		}
		return list, nil
	},
	"DELETE /modems/{modem}/faults": func(m *Modem, _ *http.Request) (any, error) {
		m.ClearFaults()
		return nil, nil
	},
	"GET /modems/{modem}/stored": func(m *Modem, _ *http.Request) (any, error) {
		return append([]StoredSMS{}, m.Stored()...), nil
	},
	"POST /modems/{modem}/stored": func(m *Modem, r *http.Request) (any, error) {
		var b pduBody
		if err := read(r, &b); err != nil {
			return nil, err
		}
		if b.Memory != "" && !m.Write(b.Memory, b.Status, b.PDU) {
			return nil, errors.New("no such memory, no free slot, or no hexadecimal PDU")
		}
		if b.Memory == "" && !m.StorePDU(b.PDU, b.Length) {
			return nil, errors.New("no free slot: delete messages, or clear the fault storage-full")
		}
		return nil, nil
	},
	"GET /modems/{modem}/transcript": func(m *Modem, _ *http.Request) (any, error) {
		return append([]string{}, m.Transcript()...), nil
	},
	"PUT /modems/{modem}/registration": putRegistration,
	"PUT /modems/{modem}/sim":          putSIM,
	"PUT /modems/{modem}/smsc": func(m *Modem, r *http.Request) (any, error) {
		var b struct {
			Number string `json:"number"`
		}
		if err := read(r, &b); err != nil {
			return nil, err
		}
		m.SetSMSC(b.Number)
		return nil, nil
	},
	"POST /modems/{modem}/unsolicited": postText((*Modem).Unsolicited),
	"POST /modems/{modem}/emit":        postText((*Modem).Emit),
	"POST /modems/{modem}/call": func(m *Modem, r *http.Request) (any, error) {
		var b struct {
			From  string `json:"from"`
			Rings int    `json:"rings"`
		}
		if err := read(r, &b); err != nil {
			return nil, err
		}
		m.Call(b.From, max(b.Rings, 1))
		return nil, nil
	},
}

type pduBody struct {
	To     string `json:"to"`
	PDU    string `json:"pdu"`
	Length int    `json:"length"`
	Memory string `json:"memory"` // with status: written there without a word, see Write
	Status int    `json:"status"`
}

func postText(do func(*Modem, string)) func(*Modem, *http.Request) (any, error) {
	return func(m *Modem, r *http.Request) (any, error) {
		var b struct {
			Text string `json:"text"`
		}
		if err := read(r, &b); err != nil {
			return nil, err
		}
		do(m, b.Text)
		return nil, nil
	}
}

func postFault(m *Modem, r *http.Request) (any, error) {
	var b faultBody
	if err := read(r, &b); err != nil {
		return nil, err
	}
	f := Fault{b.Kind, b.Match, b.Point, b.Skip, b.Times, b.Delay.duration(), b.Code, b.Text, b.Where}
	if err := f.check(); err != nil {
		return nil, err
	}
	m.Inject(f)
	return nil, nil
}

func putRegistration(m *Modem, r *http.Request) (any, error) {
	var b struct {
		State  string `json:"state"`
		Signal *int   `json:"signal"`
	}
	if err := read(r, &b); err != nil {
		return nil, err
	}
	if _, known := regStats[b.State]; !known {
		return nil, fmt.Errorf("registration state %q is unknown", b.State)
	}
	m.SetRegistration(b.State)
	if b.Signal != nil {
		m.SetSignal(*b.Signal)
	}
	return nil, nil
}

func putSIM(m *Modem, r *http.Request) (any, error) {
	var b struct {
		State string `json:"state"`
		PIN   string `json:"pin"`
		Tries *int   `json:"tries"` // left of the PIN
	}
	if err := read(r, &b); err != nil {
		return nil, err
	}
	if !validSIMState(b.State) {
		return nil, fmt.Errorf("SIM state %q is unknown", b.State)
	}
	m.SetSIM(b.State, b.PIN)
	if b.Tries != nil {
		m.SetPINTries(*b.Tries)
	}
	return nil, nil
}
