package sim

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

type control struct {
	t   *testing.T
	url string
}

func (c control) do(method, path, body string, into any) int {
	c.t.Helper()
	req, err := http.NewRequestWithContext(c.t.Context(), method, c.url+path, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	if into != nil {
		if err := json.Unmarshal(b, into); err != nil {
			c.t.Fatalf("%s %s: %q: %v", method, path, b, err)
		}
	}
	return resp.StatusCode
}

func TestControlAPI(t *testing.T) {
	n := network(t, Options{Modems: 2})
	server := httptest.NewServer(n.Handler())
	defer server.Close()
	api := control{t, server.URL}
	m := n.Modems()[0]
	c := quiet(t, m)
	c.want("AT+CNMI=2,1;+CREG=1", "OK")

	var modems []modemBody
	if api.do("GET", "/modems", "", &modems); len(modems) != 2 || modems[0].Number != m.Number() || !modems[0].Plugged {
		t.Errorf("modems %+v", modems)
	}
	if got := api.do("POST", "/phones/+447700900001/send", `{"to":"+999000001","text":"by HTTP","flash":false}`, nil); got != 204 {
		t.Errorf("send: %d", got)
	}
	c.expect("+CMTI: \"SM\",1\r\n")
	var stored []StoredSMS
	if api.do("GET", "/modems/modem0/stored", "", &stored); len(stored) != 1 || stored[0].Text != "by HTTP" || stored[0].From != "+447700900001" {
		t.Errorf("stored %+v", stored)
	}
	api.do("POST", "/modems/modem0/faults", `{"kind":"late","match":"+CSQ","delay":"1ms","times":-1}`, nil)
	var faults []faultBody
	if api.do("GET", "/modems/modem0/faults", "", &faults); len(faults) != 1 || faults[0].Kind != FaultLate || faults[0].Delay.duration() != 1e6 {
		t.Errorf("faults %+v", faults)
	}
	api.do("DELETE", "/modems/modem0/faults", "", nil)
	if len(m.Faults()) != 0 {
		t.Error("faults are not cleared")
	}
	api.do("PUT", "/modems/+999000001/registration", `{"state":"denied"}`, nil)
	c.expect("+CREG: 3\r\n")
	api.do("PUT", "/modems/modem0/registration", `{"state":"home","signal":7}`, nil)
	c.expect("+CREG: 1\r\n")
	c.want("AT+CREG=0;+CSQ", "+CSQ: 7,99|OK")
	c.send("+447700900002", "to the phone")
	var texts []Text
	if api.do("GET", "/phones/+447700900002?wait=10s&n=1", "", &texts); len(texts) != 1 || texts[0].Text != "to the phone" {
		t.Errorf("texts %+v", texts)
	}
	var entries []Entry
	if api.do("GET", "/journal?after=2", "", &entries); len(entries) != 2 || entries[0].Kind != JournalSubmitted {
		t.Errorf("journal %+v", entries)
	}
	var lines []string
	if api.do("GET", "/modems/modem0/transcript", "", &lines); len(lines) == 0 || lines[0] != "> ATE0" {
		t.Errorf("transcript %q", lines)
	}
	api.do("POST", "/modems/modem0/unsolicited", `{"text":"^BOOT:1"}`, nil)
	c.expect("^BOOT:1\r\n")
	api.do("POST", "/modems/modem0/call", `{"from":"+447700900001"}`, nil)
	c.expect("RING\r\n")
	api.do("POST", "/modems/modem0/stored", `{"pdu":"00FF","length":3}`, nil)
	c.expect("+CMTI: \"SM\",2\r\n")
	api.do("POST", "/phones/12345/pdu", `{"to":"999000001","pdu":"00FE"}`, nil)
	c.expect("+CMTI: \"SM\",3\r\n")
	api.do("PUT", "/modems/modem0/smsc", `{"number":""}`, nil)
	c.want("AT+CSCA?", `+CSCA: "",129|OK`)
	api.do("POST", "/modems/modem0/stored", `{"pdu":"0001000B914477009000F1000004D4F29C0E","memory":"ME","status":2}`, nil)
	c.want(`AT+CPMS="ME"`, "+CPMS: 1,50,3,30,3,30|OK")
	api.do("PUT", "/modems/modem0/sim", `{"state":"pin","pin":"1234","tries":2}`, nil)
	c.want("AT+CPIN?", "+CPIN: SIM PIN|OK")
	c.want("AT+CPINR", "+CPINR: SIM PIN,2,3|+CPINR: SIM PUK,10,10|OK")
	api.do("POST", "/modems/modem0/restart", "", nil)
	c.write("ATE0\r")
	c.final()
	api.do("POST", "/modems/modem0/unplug", "", nil)
	c.gone()
	api.do("POST", "/modems/modem0/plug", "", nil)
	quiet(t, m)
	api.do("POST", "/modems/modem0/unplug", `{"after":"1ms"}`, nil)
	eventually(t, "plugged again", func() bool { return m.body().Plugged })
}

func TestControlAPIOfPhones(t *testing.T) {
	n := network(t, Options{})
	server := httptest.NewServer(n.Handler())
	defer server.Close()
	api := control{t, server.URL}
	api.do("PUT", "/phones/+447700900002/power", `{"on":false}`, nil)
	api.do("POST", "/phones/+447700900001/send", `{"to":"+447700900002","text":"x"}`, nil)
	var texts []Text
	if api.do("GET", "/phones/+447700900002", "", &texts); len(texts) != 0 {
		t.Errorf("a phone that is off shows %+v", texts)
	}
	api.do("PUT", "/phones/+447700900002/power", `{"on":true}`, nil)
	if api.do("GET", "/phones/447700900002?wait=10s", "", &texts); len(texts) != 1 {
		t.Errorf("switched on it shows %+v", texts)
	}
	api.do("PUT", "/phones/+447700900002/refuse", `{"status":65}`, nil)
	api.do("POST", "/phones/+447700900001/send", `{"to":"+447700900002","text":"x"}`, nil)
	if e := n.Journal(); e[len(e)-1].Kind != JournalFailed {
		t.Errorf("journal %+v", e)
	}
	var phones []phoneBody
	if api.do("GET", "/phones", "", &phones); len(phones) != 2 || phones[1].Received != 1 {
		t.Errorf("phones %+v", phones)
	}
}

func TestControlAPIRefusesNonsense(t *testing.T) {
	n := network(t, Options{})
	server := httptest.NewServer(n.Handler())
	defer server.Close()
	api := control{t, server.URL}
	for _, c := range []struct {
		method, path, body string
		want               int
	}{
		{"GET", "/modems/modem7", "", 404},
		{"POST", "/modems/modem0/faults", `{"kind":"nonsense"}`, 400},
		{"POST", "/modems/modem0/faults", `{"kind":"hang","unknown":1}`, 400},
		{"POST", "/modems/modem0/faults", `{"kind":"hang","delay":5}`, 400},
		{"PUT", "/modems/modem0/registration", `{"state":"lost"}`, 400},
		{"PUT", "/modems/modem0/sim", `{"state":"lost"}`, 400},
		{"GET", "/phones/1?wait=1h", "", 400},
		{"GET", "/phones/1?n=-1", "", 400},
		{"GET", "/journal?after=x", "", 400},
		{"POST", "/phones/1/send", `{"to":"2","text":""}`, 400},
		{"POST", "/phones/1/pdu", `{"to":"2","pdu":"00"}`, 400},
		{"GET", "/nothing", "", 404},
	} {
		if got := api.do(c.method, c.path, c.body, nil); got != c.want {
			t.Errorf("%s %s: %d, want %d", c.method, c.path, got, c.want)
		}
	}
}

// Who knows nothing but the address learns what can be asked for.
func TestControlAPINamesItsRoutesAndFaults(t *testing.T) {
	server := httptest.NewServer(network(t, Options{Modems: 1}).Handler())
	defer server.Close()
	api := control{t, server.URL}
	var index indexBody
	if got := api.do("GET", "/", "", &index); got != 200 || !slices.Equal(index.FaultKinds, FaultKinds()) || len(index.Points) != 7 {
		t.Errorf("%d: %+v", got, index)
	}
	for _, route := range []string{"GET /modems", "POST /modems/{modem}/faults", "POST /phones/{number}/send", "GET /journal"} {
		if !slices.Contains(index.Routes, route) {
			t.Errorf("%q is not among %q", route, index.Routes)
		}
	}
	if want := len(modemRoutes) + len(phoneRoutes) + 3; len(index.Routes) != want {
		t.Errorf("%d routes, not %d", len(index.Routes), want)
	}
	if got := api.do("GET", "/nothing", "", nil); got != 404 {
		t.Errorf("a path that is not there: %d", got)
	}
	var refused errorBody
	if got := api.do("POST", "/modems/modem0/faults", `{"kind":"hung"}`, &refused); got != 400 {
		t.Errorf("an unknown kind: %d", got)
	}
	for _, kind := range FaultKinds() {
		if !strings.Contains(refused.Error, string(kind)) {
			t.Errorf("%q does not name %s", refused.Error, kind)
		}
	}
}
