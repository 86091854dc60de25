package main

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// What differs from run to run in a payload.
var volatile = []struct {
	form *regexp.Regexp
	as   string
}{
	{regexp.MustCompile(`(msg|otp|in)_[0-9a-z]{26}`), "${1}_ID"},
	{regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z`), "TIME"},
	{regexp.MustCompile(`"rev":\d+`), `"rev":REV`}, // parts count too
	{regexp.MustCompile(`"raw":\["[0-9A-F]+"\]`), `"raw":["HEX"]`},
}

func settled(payload string) string {
	for _, v := range volatile {
		payload = v.form.ReplaceAllString(payload, v.as)
	}
	return payload
}

// goldenEvents are the payloads of the contract, by subject.
var goldenEvents = map[string][]string{
	"sms.status.shop.msg_ID": {
		`{"schema":1,"id":"msg_ID","rev":REV,"state":"queued","final":false,"at":"TIME","to":"+447700900123","parts":1,"parts_sent":0,"ref":"table-7","metadata":{"guest":12},"simulated":true}`,
		`{"schema":1,"id":"msg_ID","rev":REV,"state":"sending","final":false,"at":"TIME","to":"+447700900123","line":"modem0","parts":1,"parts_sent":0,"ref":"table-7","metadata":{"guest":12},"simulated":true}`,
		`{"schema":1,"id":"msg_ID","rev":REV,"state":"sent","final":false,"at":"TIME","to":"+447700900123","line":"modem0","parts":1,"parts_sent":1,"ref":"table-7","metadata":{"guest":12},"simulated":true}`,
		`{"schema":1,"id":"msg_ID","rev":REV,"state":"delivered","final":true,"at":"TIME","to":"+447700900123","line":"modem0","parts":1,"parts_sent":1,"ref":"table-7","metadata":{"guest":12},"simulated":true}`,
	},
	"sms.inbound.modem0.447700900123": {
		`{"schema":1,"id":"in_ID","seq":1,"from":"+447700900123","from_type":"international","to":"+999000001","line":"modem0","text":"thank you €","encoding":"gsm7","parts":1,"incomplete":false,"smsc_at":"TIME","received_at":"TIME","raw":["HEX"],"simulated":true}`,
	},
}

func TestEventPayloads(t *testing.T) {
	t.Parallel()
	s := newStation(t)
	secret := s.key("shop", "send,otp,inbound", `"from":"all"`)
	m := s.message(secret, "+447700900123", "the text", `"ref":"table-7"`, `"metadata":{"guest":12}`, `"via":"modem0"`)
	s.reaches("/v1/messages/"+m.text("id"), "delivered")
	s.receives("modem0", "+447700900123", "thank you €")
	heardAll := append(s.read(s.statusOf(secret, "shop")), s.read(s.inboundOf(secret, "shop"))...)
	got, rev := map[string][]string{}, 0
	for _, h := range heardAll {
		if h.has("rev") && h.int("rev") <= rev {
			t.Errorf("rev %d after %d", h.int("rev"), rev)
		}
		rev = h.int("rev")
		got[settled(h.subject)] = append(got[settled(h.subject)], settled(h.raw))
		h.holdCloudEvent(t)
	}
	for subject, want := range goldenEvents {
		if !slices.Equal(got[subject], want) {
			t.Errorf("%s carries\n%s\nwant\n%s", subject, strings.Join(got[subject], "\n"), strings.Join(want, "\n"))
		}
		delete(got, subject)
	}
	if len(got) != 0 {
		t.Errorf("besides: %v", got)
	}
}

// holdCloudEvent holds the headers to CloudEvents 1.0 and the contract.
func (h heard) holdCloudEvent(t *testing.T) {
	t.Helper()
	kind, source := "modemgate.sms.received.v1", "/lab/"+h.text("line")
	switch {
	case strings.HasPrefix(h.subject, "sms.status."):
		kind = "modemgate.sms.status.v1"
		source = strings.TrimSuffix(source, "/")
	case strings.HasPrefix(h.subject, "otp.status."):
		kind, source = "modemgate.otp.status.v1", "/lab"
	case strings.HasPrefix(h.subject, "modem."):
		kind = "modemgate.line." + h.text("event") + ".v1"
	}
	for name, want := range map[string]string{"ce-specversion": "1.0", "ce-type": kind, "ce-source": source, "content-type": "application/json"} {
		if got := h.header.Get(name); got != want {
			t.Errorf("%s of %s is %q, want %q", name, h.subject, got, want)
		}
	}
	if h.header.Get("ce-id") == "" || h.header.Get("Nats-Msg-Id") == "" {
		t.Errorf("%s has no id: %v", h.subject, h.header)
	}
	if _, err := time.Parse(time.RFC3339, h.header.Get("ce-time")); err != nil {
		t.Errorf("%s: %v", h.subject, err)
	}
	if h.int("schema") != 1 || !h.flag("simulated") {
		t.Errorf("%s carries %s", h.subject, h.raw)
	}
}

// The members of an OTP's events; the values depend on the order of things.
var otpEventMembers = []string{
	"schema", "id", "rev", "state", "final", "at", "to", "purpose", "attempts_left", "sends_left", "expires_at", "delivery", "message_id", "ref", "metadata", "simulated",
}

func TestStatusNeverHasTextOrCode(t *testing.T) {
	t.Parallel()
	s := newStation(t)
	secret := s.key("shop", "send,otp,status,messages")
	const text = "a text that nobody but the phone may see"
	s.reaches("/v1/messages/"+s.message(secret, number(), text).text("id"), "delivered")
	to := number()
	o := s.otp(secret, to, `"purpose":"pay"`, `"ref":"cart"`, `"metadata":{"a":1}`)
	code := s.code(to, 1)
	s.ask(secret, "POST", "/v1/otp/"+o.text("id")+"/verify", `{"code":"`+other(code)+`"}`).want(t, 200, "")
	s.ask(secret, "POST", "/v1/otp/"+o.text("id")+"/verify", `{"code":"`+code+`"}`).want(t, 200, "")
	s.reaches("/v1/messages/"+o.text("message_id"), "delivered")
	var states []string
	for _, h := range s.read(s.statusOf(secret, "shop")) {
		h.holdCloudEvent(t)
		if strings.Contains(h.raw, text) || regexp.MustCompile(`\b`+code+`\b`).MatchString(h.raw) || h.has("text") {
			t.Errorf("%s carries %s", h.subject, h.raw)
		}
		if strings.Contains(h.subject, o.text("id")) || h.text("otp_id") != "" {
			if strings.Contains(h.raw, to[1:]) {
				t.Errorf("%s has the whole number: %s", h.subject, h.raw)
			}
		}
		if !strings.HasPrefix(h.subject, "otp.status.shop.") {
			continue
		}
		if state := h.text("state"); len(states) == 0 || states[len(states)-1] != state {
			states = append(states, state)
		}
		holdMembers(t, h, otpEventMembers)
	}
	if want := []string{"pending", "approved"}; !slices.Equal(states, want) {
		t.Errorf("the OTP was %v, want %v", states, want)
	}
}

func holdMembers(t *testing.T, h heard, want []string) {
	t.Helper()
	var members map[string]json.RawMessage
	if err := json.Unmarshal([]byte(h.raw), &members); err != nil {
		t.Fatal(err)
	}
	for _, name := range want {
		if _, ok := members[name]; !ok {
			t.Errorf("%s lacks %s: %s", h.subject, name, h.raw)
		}
		delete(members, name)
	}
	if len(members) != 0 {
		t.Errorf("%s has %v besides", h.subject, members)
	}
}

func TestSenderSubjects(t *testing.T) {
	t.Parallel()
	s := newStation(t)
	secret := s.key("monitor", "inbound")
	line := s.sim.Modem("modem0")
	senders := []struct{ from, token, kind string }{
		{"+447700900123", "447700900123", "international"},
		{"85200", "s-85200", ""},
		{"InfoSMS", "n-infosms", "alphanumeric"},
		{"Bank 24/7!", "n-bank-24-7", "alphanumeric"},
		{"ÄÖ", "n-x" + hashOf("ÄÖ"), "alphanumeric"},
	}
	for _, x := range senders {
		if err := s.sim.Phone(x.from).Send(line.Number(), "from "+x.from); err != nil {
			t.Fatal(err)
		}
	}
	if !line.StorePDU("00FFFF", 0) {
		t.Fatal("no room on the SIM")
	}
	s.until("all are received", func() bool {
		return len(s.ask(s.admin, "GET", "/v1/inbound", "").list("items")) == len(senders)+1
	})
	got := map[string]heard{}
	for _, h := range s.read(s.inboundOf(secret, "monitor")) {
		h.holdCloudEvent(t)
		got[h.text("text")] = h
	}
	for _, x := range senders {
		h := got["from "+x.from]
		if h.subject != "sms.inbound.modem0."+x.token || h.text("from") != x.from || x.kind != "" && h.text("from_type") != x.kind {
			t.Errorf("from %q: %s %s, want %s", x.from, h.subject, h.raw, x.token)
		}
		if page := s.ask(s.admin, "GET", "/v1/inbound?from="+escaped(x.from), "").want(t, 200, ""); len(page.list("items")) != 1 {
			t.Errorf("by from=%s: %s", x.from, page.raw)
		}
	}
	odd := got[""]
	if odd.subject != "sms.inbound.modem0.none" || odd.text("from") != "" || odd.at("raw.0") != "00FFFF" {
		t.Errorf("what cannot be decoded is %s %s", odd.subject, odd.raw)
	}
}

func TestLineEvents(t *testing.T) {
	t.Parallel()
	s := newStation(t)
	secret := s.key("monitor", "status", `"from":"all"`)
	modem := s.sim.Modem("modem1")
	s.ask(s.admin, "POST", "/v1/lines/modem0/pause", "").want(t, 200, "")
	s.ask(s.admin, "POST", "/v1/lines/modem0/resume", "").want(t, 200, "")
	modem.Call("+447700900123", 1)
	modem.Unplug()
	s.until("the line is down", func() bool { return s.ask(s.admin, "GET", "/v1/lines/modem1", "").text("state") != "up" })
	if st := s.ask(s.admin, "GET", "/v1/status", ""); st.flag("healthy") {
		t.Errorf("%s", st.raw)
	}
	modem.Plug()
	s.until("the line is up", func() bool { return s.ask(s.admin, "GET", "/v1/lines/modem1", "").text("state") == "up" })
	all := s.read(s.statusOf(secret, "monitor"))
	got := bySubject(all)
	for _, want := range []string{"modem.modem0.up", "modem.modem0.paused", "modem.modem0.resumed", "modem.modem1.down", "modem.modem1.registered"} {
		if got[want] == 0 {
			t.Errorf("no %s in %v", want, got)
		}
	}
	if got["modem.modem1.up"] != 2 {
		t.Errorf("modem1 came up %d times", got["modem.modem1.up"])
	}
	for _, h := range all {
		h.holdCloudEvent(t)
		if h.text("line") == "" || h.text("event") == "" || h.text("at") == "" {
			t.Errorf("%s carries %s", h.subject, h.raw)
		}
	}
}
