package driver

import (
	"context"
	"errors"
	"strings"
	"testing"
)

func TestRegistrationAnswers(t *testing.T) {
	for line, want := range map[string]string{
		`+CREG: 0,1`:                  "home",
		`+CREG: 2,5,"1A2B","0011223"`: "roaming",
		`+CREG: 2,1,1A2B,0011223,7`:   "home",
		`+CREG: 0,1,"1A2B","03"`:      "home",
		`+CREG: 1,0,1`:                "home", // phonesim
		`+CREG: 1,0,3`:                "denied",
		`+CREG: 0,6`:                  "home",
		`+CREG: 0,7`:                  "roaming",
		`+CREG: 0,9`:                  "home",
		`+CREG: 0,3`:                  "denied",
		`+CREG: 0,2`:                  "searching",
		`+CREG: 0,0`:                  "none",
		`+CREG: 0,4`:                  "none",
		`+CREG: 0,8`:                  "none", // emergency calls only
		`+CREG: 0,11`:                 "none",
		`+CREG: 1`:                    "", // unasked
		`+CREG: 5,"1A2B","0011223"`:   "", // unasked
		`+CREG: 5,"01","0011223"`:     "", // unasked
		`+CREG: 5,1A2B,0011223`:       "", // unasked
		`+CREG:`:                      "",
		`+CREG: x,y`:                  "",
		`+CREG: 5,"1A2B","0011223"` + "\n+CREG: 2,1": "home",
		`+CGREG: 0,5`: "",
		`+CREG: 2,1,"002B","00A0,0",7` + "\n+CREG: 0,3": "home",
	} {
		if got := registrationIn(strings.Split(line, "\n"), "+CREG:"); got != want {
			t.Errorf("%s: %q, want %q", line, got, want)
		}
	}
}

func TestRegistrationOfThreeDomains(t *testing.T) {
	for _, c := range []struct{ cs, gprs, eps, want string }{
		{"home", "", "", "home"},
		{"none", "", "home", "home"},
		{"searching", "none", "home", "home"}, // texts over SGs
		{"home", "denied", "denied", "home"},
		{"home", "none", "roaming", "roaming"}, // it costs
		{"denied", "searching", "none", "denied"},
		{"none", "denied", "none", "denied"},
		{"searching", "denied", "", "searching"}, // a contract without data
		{"none", "none", "denied", "denied"},
		{"none", "none", "none", "none"},
		{"none", "", "", "none"},
		{"", "", "", "unknown"},
	} {
		if got := registrationOf([3]string{c.cs, c.gprs, c.eps}); got != c.want {
			t.Errorf("%+v: %q", c, got)
		}
	}
}

func TestAddressesOfTheSIM(t *testing.T) {
	for answer, want := range map[string]string{
		`+CNUM: "","+447700900001",145`:      "+447700900001",
		`+CNUM: "Own","447700900001",145,,4`: "+447700900001",
		`+CNUM: "447700900001",145`:          "+447700900001",
		`+CNUM: ,"07700900001",129`:          "07700900001",
		`+CNUM: "","+447700900001"`:          "+447700900001",
		`+CNUM: "","",145`:                   "",
		`+CNUM: "Line 1","",129` + "\n" + `+CNUM: "Line 2","+447700900002",145`:        "+447700900002",
		`+CNUM: "00560065","002B003400340037003700300030003900300030003000300031",145`: "+447700900001",
		`+CNUM: "","0034003400370037003000300039003000300030003000310031",145`:         "+4477009000011",
	} {
		if got := ownNumber(strings.Split(answer, "\n")); got != want {
			t.Errorf("%s: %q, want %q", answer, got, want)
		}
	}
	for answer, want := range map[string]struct {
		smsc string
		none bool
	}{
		`+CSCA: "+447785016005",145`: {"+447785016005", false},
		`+CSCA: "447785016005",145`:  {"+447785016005", false},
		`+CSCA: +447785016005,145`:   {"+447785016005", false},
		`+CSCA: "07785016005"`:       {"07785016005", false},
		`+CSCA: "",129`:              {"", true},
		`+CSCA: ,`:                   {"", true},
		`+CSCA: "000000000000",129`:  {"", true},
		`+CSCA: "002B0034003400370037003800350030003100360030003000350",145`: {"", true}, // cut short
		"": {"", false}, // a modem that does not say
	} {
		p := newPeer(t)
		p.says("\r\n"+answer+"\r\n\r\nOK\r\n", "+CSCA?")
		if id := p.open().Identity(); id.SMSC != want.smsc || id.NoSMSC != want.none {
			t.Errorf("%s: %q %t, want %+v", answer, id.SMSC, id.NoSMSC, want)
		}
		p.unplug()
	}
}

func TestServiceCentreThatIsConfigured(t *testing.T) {
	p := newPeer(t)
	p.says("\r\n+CSCA: \"\",129\r\n\r\nOK\r\n", "+CSCA?")
	m := p.open(func(o *Options) { o.SMSC = "+447785016005" })
	st, err := m.Status(context.Background())
	if id := m.Identity(); err != nil || id.NoSMSC || st.NoSMSC || id.SMSC != "+447785016005" || st.SMSC != "+447785016005" {
		t.Errorf("identity %+v, status %+v, %v", id, st, err)
	}
	if _, err := m.Send(context.Background(), Submission{TPDU: samplePDU}); err != nil {
		t.Fatal(err)
	}
	if _, pdus := p.seen(); !strings.HasPrefix(pdus[0], "07914477581") {
		t.Errorf("the PDU goes to another centre: %s", pdus[0][:16])
	}
}

func TestSignalAndOperator(t *testing.T) {
	for name, c := range map[string]struct {
		csq, cesq, cops string
		dbm             int
		operator        string
	}{
		"GSM":                {"+CSQ: 21,99", "", `+COPS: 0,0,"Net",0`, -71, "Net"},
		"nothing known":      {"+CSQ: 99,99", "+CESQ: 99,99,255,255,255,255", `+COPS: 0`, 0, ""},
		"LTE by CESQ":        {"+CSQ: 99,99", "+CESQ: 99,99,255,255,20,50", `+COPS: 0,0,"Net",7`, -91, "Net"},
		"UTRAN by CESQ":      {"+CSQ: 99,99", "+CESQ: 99,99,40,30,255,255", `+COPS: 0,2,"26201",2`, -81, "26201"},
		"GERAN by CESQ":      {"+CSQ: 99,99", "+CESQ: 40,0,255,255,255,255", `+COPS: 0,0,"Net"`, -71, "Net"},
		"name left in UCS2":  {"+CSQ: 31,0", "", `+COPS: 0,0,"00440065007500740073006300680065",2`, -51, "Deutsche"},
		"name that is hex":   {"+CSQ: 0,0", "", `+COPS: 0,0,"CAFE",2`, -113, "CAFE"},
		"range of other LTE": {"+CSQ: 141,99", "", `+COPS: 0,0,"Net",7`, -75, "Net"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPeer(t)
			p.says("\r\n"+c.csq+"\r\n\r\nOK\r\n", "+CSQ")
			p.says("\r\n"+c.cops+"\r\n\r\nOK\r\n", "+COPS?")
			if c.cesq != "" {
				p.says("\r\n"+c.cesq+"\r\n\r\nOK\r\n", "+CESQ")
			}
			st, err := p.open().Status(context.Background())
			if err != nil || st.SignalDBM != c.dbm || st.Operator != c.operator {
				t.Errorf("%d %q, %v", st.SignalDBM, st.Operator, err)
			}
		})
	}
}

func TestWhyThereIsNoNetwork(t *testing.T) {
	for why, c := range map[Why]struct{ cops, cfun string }{
		WhyRadioOff:     {"+COPS: 0", "+CFUN: 4"},
		WhyDeregistered: {"+COPS: 2", "+CFUN: 1"},
		"":              {"+COPS: 0", "+CFUN: 1"},
	} {
		p := newPeer(t)
		m := p.open()
		for _, name := range registrationCommands {
			p.says("\r\n"+name+": 0,0\r\n\r\nOK\r\n", name+"?")
		}
		p.says("\r\n"+c.cops+"\r\n\r\nOK\r\n", "+COPS?")
		p.says("\r\n"+c.cfun+"\r\n\r\nOK\r\n", "+CFUN?")
		if st, err := m.Status(context.Background()); err != nil || st.Why != why || st.Registration != "none" {
			t.Errorf("%q: got %+v, %v", why, st, err)
		}
	}
}

func TestRadioIsSwitchedOnAtOpen(t *testing.T) {
	p := newPeer(t)
	p.says("\r\n+CFUN: 4\r\n\r\nOK\r\n", "+CFUN?")
	p.on("+CFUN", func(p *peer, _ string) { p.ok() })
	p.open()
	commands, _ := p.seen()
	if !strings.Contains(strings.Join(commands, "\n"), "\nAT+CFUN=1\n") {
		t.Errorf("commands %q", commands)
	}
}

// No command scans for networks: it takes minutes, and blocks what sends.
func TestNobodyScansForNetworks(t *testing.T) {
	p := newPeer(t)
	if _, err := p.open().Status(context.Background()); err != nil {
		t.Fatal(err)
	}
	commands, _ := p.seen()
	for _, c := range commands {
		if strings.HasPrefix(c, "AT+COPS=?") {
			t.Error(c)
		}
	}
}

func TestStatusNoticesTheSIM(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*peer)
		want   func(error) bool
	}{
		"taken out": {func(p *peer) { p.says("\r\n+CME ERROR: 10\r\n", "+CPIN?") }, func(err error) bool {
			var e *SIMError
			return errors.As(err, &e) && e.State == "absent"
		}},
		"locked": {func(p *peer) { p.says("\r\n+CPIN: SIM PIN\r\n\r\nOK\r\n", "+CPIN?") }, func(err error) bool {
			var e *SIMError
			return errors.As(err, &e) && e.State == "pin" && errors.Is(err, ErrPINMissing)
		}},
		"another one": {func(p *peer) { p.says("\r\n+CCID: 8999900000000000025\r\n\r\nOK\r\n", "+CCID") }, func(err error) bool {
			return errors.Is(err, ErrSIMChanged)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPeer(t)
			m := p.open()
			if _, err := m.Status(context.Background()); err != nil {
				t.Fatal(err)
			}
			c.change(p)
			if _, err := m.Status(context.Background()); !c.want(err) {
				t.Errorf("status: %v", err)
			}
			soon(t, m.Done(), "the end of the session")
			if !c.want(m.Err()) {
				t.Errorf("the session ended with %v", m.Err())
			}
		})
	}
}

func TestWordsAboutTheSIM(t *testing.T) {
	for line, want := range map[string]bool{
		"+CPIN: NOT READY": true, "+CPIN: NOT INSERTED": true, "+CPIN: SIM REMOVED": true, "+CPIN: SIM PIN": true,
		"+CPIN: READY": false, "+CPIN: SIM PIN2": false,
		"^SIMST:255": true, "^SIMST: 0": true, "^SIMST:1": false, "^SCKS: 0": true, "^SCKS: 1": false, "#QSS: 0": true,
		"#QSS: 1": false, "+QSIMSTAT: 1,0": true, "+QSIMSTAT: 1,1": false, "^SIMST:": false,
	} {
		s, ok := parseSignal(line)
		if got := ok && s.Kind == SignalSIM; got != want {
			t.Errorf("%s: %t", line, got)
		}
	}
}

// The answer to our own question is an answer.
func TestAnswerAboutTheSIMIsNoSignal(t *testing.T) {
	p := newPeer(t)
	p.says("\r\n+CPIN: SIM PUK\r\n\r\nOK\r\n", "+CPIN?")
	var e *SIMError
	if err := p.fails(); !errors.As(err, &e) || e.State != "puk" {
		t.Errorf("got %v", err)
	}
}
