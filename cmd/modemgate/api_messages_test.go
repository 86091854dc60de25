package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/modemgate/modemgate/driver/sim"
)

func messageMembers(s *station) {
	s.pause()
	to := number()
	m := s.message(s.admin, to, "hällo €", `"via":"modem1"`, `"priority":"high"`, `"ttl":"2h"`, `"ref":"table-7"`,
		`"metadata":{"guest":12,"at":[1,{"x":null}]}`, `"report":false`, `"on_unknown":"fail"`)
	if got, want := m.header.Get("Location"), "/v1/messages/"+m.text("id"); got != want {
		s.t.Errorf("Location is %s, want %s", got, want)
	}
	for path, want := range map[string]any{
		"final": false, "state": "queued", "to": to, "text": "hällo €", "parts": 1.0, "encoding": "gsm7", "via.0": "modem1",
		"priority": "high", "ref": "table-7", "metadata.guest": 12.0, "report": false, "on_unknown": "fail", "parts_sent": 0.0,
		"possible_duplicate": false, "simulated": true,
	} {
		if got := m.at(path); got != want {
			s.t.Errorf("%s is %v, want %v", path, got, want)
		}
	}
	if d := m.moment(s, "deadline_at").Sub(m.moment(s, "created_at")); d != 2*time.Hour {
		s.t.Errorf("the deadline is after %s", d)
	}
	plain := s.message(s.admin, to, "čau")
	if plain.text("encoding") != "ucs2" || plain.text("priority") != "normal" || plain.at("ref") != nil || plain.at("metadata") != nil || !plain.flag("report") {
		s.t.Errorf("the defaults give %s", plain.raw)
	}
	if d := plain.moment(s, "deadline_at").Sub(plain.moment(s, "created_at")); d != 24*time.Hour {
		s.t.Errorf("the default deadline is after %s", d)
	}
}

// moment reads a stamp.
func (b body) moment(s *station, path string) time.Time {
	s.t.Helper()
	at, err := time.Parse(time.RFC3339, b.text(path))
	if err != nil {
		s.t.Errorf("%s: %v", path, err)
	}
	return at
}

func numbersIn(s *station) {
	s.pause()
	for _, in := range []string{"+44 7700 900123", "+44-7700-900123", "+44 (7700) 900123", " +447700900123 ", "+447700900123"} {
		if got := s.message(s.admin, in, "hello").text("to"); got != "+447700900123" {
			s.t.Errorf("%q is read as %s", in, got)
		}
	}
}

func numbersInvalid(s *station) {
	for _, in := range []string{"", "abc", "07700900123", "+", "+44", "+4477009001234567", "+44770090012x", "447700900123", "+0123456789"} {
		for path, body := range map[string]string{
			"/v1/messages":   fmt.Sprintf(`{"to":%q,"text":"x"}`, in),
			"/v1/otp":        fmt.Sprintf(`{"to":%q}`, in),
			"/v1/otp/verify": fmt.Sprintf(`{"to":%q,"code":"123456"}`, in),
		} {
			b := s.ask(s.admin, "POST", path, body).want(s.t, 422, "number-invalid")
			if b.text("errors.0.pointer") != "/to" || len(in) > 4 && strings.Contains(b.raw, in) {
				s.t.Errorf("%s %q: %s", path, in, b.raw)
			}
		}
	}
}

func viaNames(s *station) {
	s.pause()
	for in, want := range map[string][]any{`"modem1"`: {"modem1"}, `["modem1","modem0"]`: {"modem1", "modem0"}, `["modem0","modem0"]`: {"modem0"}} {
		m := s.message(s.admin, number(), "hello", `"via":`+in)
		if got, _ := m.at("via").([]any); !slices.Equal(got, want) {
			s.t.Errorf("%s gives %v", in, got)
		}
	}
	s.resume()
	m := s.message(s.admin, number(), "hello", `"via":"modem1"`)
	if got := s.reaches("/v1/messages/"+m.text("id"), "delivered"); got.text("line") != "modem1" {
		s.t.Errorf("it went by %s", got.text("line"))
	}
}

func noSuchLine(s *station) {
	for body, pointer := range map[string]string{
		`{"to":"+447700900123","text":"x","via":"modem9"}`:            "/via/0",
		`{"to":"+447700900123","text":"x","via":["modem0","modem9"]}`: "/via/1",
	} {
		b := s.ask(s.admin, "POST", "/v1/messages", body).want(s.t, 422, "no-such-line")
		if b.text("errors.0.pointer") != pointer {
			s.t.Errorf("%s", b.raw)
		}
	}
	s.ask(s.admin, "POST", "/v1/sim/phones/+447700900123/send", `{"text":"x","line":"modem9"}`).want(s.t, 422, "no-such-line")
	s.ask(s.admin, "GET", "/v1/lines/modem9", "").want(s.t, 404, "not-found")
	s.ask(s.admin, "POST", "/v1/lines/modem9/pause", "").want(s.t, 404, "not-found")
}

func textTooLong(s *station) {
	s.pause()
	if m := s.message(s.admin, number(), strings.Repeat("x", 1530)); m.int("parts") != 10 {
		s.t.Errorf("1530 characters are %d parts", m.int("parts"))
	}
	for _, text := range []string{strings.Repeat("x", 1531), strings.Repeat("č", 671)} {
		b := s.ask(s.admin, "POST", "/v1/messages", fmt.Sprintf(`{"to":"+447700900123","text":%q}`, text)).want(s.t, 422, "text-too-long")
		if b.text("errors.0.pointer") != "/text" {
			s.t.Errorf("%s", b.raw)
		}
	}
	s.ask(s.admin, "POST", "/v1/messages", `{"to":"+447700900123","text":""}`).want(s.t, 400, "invalid-request")
}

func ttlFromSendAt(s *station) {
	at := time.Now().Add(48 * time.Hour).UTC().Truncate(time.Second)
	m := s.message(s.admin, number(), "hello", fmt.Sprintf(`"send_at":%q,"ttl":"90s"`, at.Format(time.RFC3339)))
	if !m.moment(s, "send_at").Equal(at) || !m.moment(s, "deadline_at").Equal(at.Add(90*time.Second)) || m.text("state") != "queued" {
		s.t.Errorf("%s", m.raw)
	}
	zone := at.In(time.FixedZone("", 2*3600)).Format(time.RFC3339)
	if m := s.message(s.admin, number(), "hello", fmt.Sprintf(`"send_at":%q`, zone)); !m.moment(s, "send_at").Equal(at) {
		s.t.Errorf("%s is read as %s", zone, m.text("send_at"))
	}
	post := func(more string) body {
		return s.ask(s.admin, "POST", "/v1/messages", fmt.Sprintf(`{"to":%q,"text":"x",%s}`, number(), more))
	}
	for words, off := range map[string]time.Duration{"at most 30 days ahead, until ": 31 * 24 * time.Hour, "in the past, it is ": -6 * time.Minute} {
		b := post(fmt.Sprintf(`"send_at":%q`, time.Now().Add(off).Format(time.RFC3339))).want(s.t, 400, "invalid-request")
		if b.text("errors.0.pointer") != "/send_at" || !strings.Contains(b.text("errors.0.detail"), words) {
			s.t.Errorf("%s", b.raw)
		}
	}
	for _, bad := range []string{`"send_at":"tomorrow"`, `"send_at":1767225600`, `"ttl":"5"`, `"ttl":300`, `"ttl":"-5m"`, `"ttl":"0s"`, `"ttl":"1d"`} {
		post(bad).want(s.t, 400, "invalid-request")
	}
	past := post(fmt.Sprintf(`"send_at":%q`, time.Now().Add(-time.Minute).Format(time.RFC3339))).want(s.t, 202, "")
	s.reaches("/v1/messages/"+past.text("id"), "delivered")
}

// statesInOrder sends with the reports after the results, then before them.
func statesInOrder(s *station) {
	historyOf(s)
	for _, m := range s.sim.Modems() {
		m.Inject(sim.Fault{Kind: sim.FaultReportFirst, Times: -1})
	}
	historyOf(s)
}

func historyOf(s *station) {
	s.t.Helper()
	m := s.reaches("/v1/messages/"+s.message(s.admin, number(), strings.Repeat("long ", 80)).text("id"), "delivered")
	var states []string
	last := time.Time{}
	for i, h := range m.list("history") {
		states = append(states, h.text("state"))
		if at := h.moment(s, "at"); at.Before(last) || i > 0 && h.text("line") == "" {
			s.t.Errorf("history %d is %v", i, h.value)
		}
		last = h.moment(s, "at")
	}
	if got := strings.Join(slices.Compact(states), " "); got != "queued sending sent delivered" {
		s.t.Errorf("the states were %s", got)
	}
	if n := len(m.list("part_details")); n != m.int("parts") || n < 2 || m.int("parts_sent") != n || !m.flag("final") || m.text("ended_at") == "" {
		s.t.Errorf("%s", m.raw)
	}
	for i, p := range m.list("part_details") {
		if p.int("part") != i+1 || p.text("state") != "delivered" || p.int("attempts") != 1 || p.text("sent_at") == "" || p.text("reported_at") == "" {
			s.t.Errorf("part %d is %v", i+1, p.value)
		}
	}
}

func sentWithoutReport(s *station) {
	m := s.reaches("/v1/messages/"+s.message(s.admin, number(), "hello", `"report":false`).text("id"), "sent")
	if !m.flag("final") {
		s.t.Error("sent is not final")
	}
	for _, modem := range s.sim.Modems() {
		modem.Inject(sim.Fault{Kind: sim.FaultNoReport, Times: -1})
	}
	m = s.reaches("/v1/messages/"+s.message(s.admin, number(), "hello").text("id"), "sent")
	if m.flag("final") {
		s.t.Error("sent is final though a report may come")
	}
}

func undeliveredAndFailed(s *station) {
	to := number()
	s.sim.Phone(to).Refuse(0x41)
	if m := s.reaches("/v1/messages/"+s.message(s.admin, to, "hello").text("id"), "undelivered"); !m.flag("final") || m.int("part_details.0.status") != 0x41 {
		s.t.Errorf("%s", m.raw)
	}
	for _, modem := range s.sim.Modems() {
		modem.Inject(sim.Fault{Kind: sim.FaultCMS, Code: 1}) // unassigned number, 3GPP TS 24.011 §E.2
	}
	if m := s.reaches("/v1/messages/"+s.message(s.admin, number(), "hello").text("id"), "failed"); !m.flag("final") || m.text("error") != "cms-1" {
		s.t.Errorf("%s", m.raw)
	}
}

func expiredWithoutLine(s *station) {
	s.pause()
	m := s.message(s.admin, number(), "hello", `"ttl":"1s"`)
	got := s.reaches("/v1/messages/"+m.text("id"), "expired")
	if late := got.moment(s, "ended_at").Sub(got.moment(s, "deadline_at")); late < 0 || late > limit {
		s.t.Errorf("decided %s after the deadline", late)
	}
}

func cancelInTime(s *station) {
	s.pause()
	m := s.message(s.admin, number(), "hello")
	for range 2 { // again is no error
		if got := s.ask(s.admin, "POST", "/v1/messages/"+m.text("id")+"/cancel", "").want(s.t, 200, ""); got.text("state") != "canceled" {
			s.t.Errorf("%s", got.raw)
		}
	}
	s.resume()
	release := make(chan struct{})
	reached := make(chan struct{}, 8)
	s.sim.Modem("modem0").OnPoint(func(o sim.Occasion) {
		if o.Point == sim.PointPrompt {
			reached <- struct{}{}
			<-release
		}
	})
	to := number()
	begun := s.message(s.admin, to, "hello", `"via":"modem0"`).text("id")
	<-reached
	s.ask(s.admin, "POST", "/v1/messages/"+begun+"/cancel", "").want(s.t, 409, "not-cancelable")
	s.ask(s.admin, "DELETE", "/v1/messages/"+begun, "").want(s.t, 409, "not-cancelable")
	close(release)
	s.reaches("/v1/messages/"+begun, "delivered")
	s.ask(s.admin, "POST", "/v1/messages/"+begun+"/cancel", "").want(s.t, 409, "not-cancelable")
	s.ask(s.admin, "POST", "/v1/messages/"+m.text("id")+"/cancel", `{"why":"x"}`).want(s.t, 400, "invalid-request")
}

func deleteFinal(s *station) {
	s.pause()
	id := s.message(s.admin, number(), "hello").text("id")
	s.ask(s.admin, "DELETE", "/v1/messages/"+id, "").want(s.t, 409, "not-cancelable")
	s.ask(s.admin, "POST", "/v1/messages/"+id+"/cancel", "").want(s.t, 200, "")
	s.ask(s.admin, "DELETE", "/v1/messages/"+id, "").want(s.t, 204, "")
	s.ask(s.admin, "GET", "/v1/messages/"+id, "").want(s.t, 404, "not-found")
	s.ask(s.admin, "DELETE", "/v1/messages/"+id, "").want(s.t, 404, "not-found")
	in := s.receives("modem0", number(), "bye").text("id")
	s.ask(s.admin, "DELETE", "/v1/inbound/"+in, "").want(s.t, 204, "")
	s.ask(s.admin, "GET", "/v1/inbound/"+in, "").want(s.t, 404, "not-found")
	s.ask(s.admin, "DELETE", "/v1/inbound/"+in, "").want(s.t, 404, "not-found")
}

func prioritiesInOrder(s *station) {
	s.until("the queue is empty", func() bool {
		q := s.ask(s.admin, "GET", "/v1/queue", "")
		return q.int("otp")+q.int("high")+q.int("normal")+q.int("low") == len(s.scheduled())
	})
	s.pause()
	var want []string
	for _, p := range []string{"low", "normal", "high"} {
		to := number()
		s.message(s.admin, to, "hello", fmt.Sprintf(`"priority":%q`, p))
		want = append(want, to)
	}
	code := number()
	s.otp(s.admin, code)
	want = append(want, code)
	slices.Reverse(want)
	q := s.ask(s.admin, "GET", "/v1/queue", "").want(s.t, 200, "")
	if q.int("otp") != 1 || q.int("high") != 1 || q.int("low") != 1 || q.text("oldest_at") == "" {
		s.t.Errorf("the queue is %s", q.raw)
	}
	before := len(s.sim.Journal())
	s.ask(s.admin, "POST", "/v1/lines/modem0/resume", "").want(s.t, 200, "") // one line, so that there is an order
	var got []string
	s.until("all four are out", func() bool {
		got = nil
		for _, e := range s.sim.Journal()[before:] {
			if e.Kind == sim.JournalSubmitted && e.Modem == "modem0" {
				got = append(got, e.To)
			}
		}
		return len(got) == len(want)
	})
	if !slices.Equal(got, want) {
		s.t.Errorf("the order was %v, want %v", got, want)
	}
}

// scheduled are queued messages of the future.
func (s *station) scheduled() (out []string) {
	for _, m := range s.ask(s.admin, "GET", "/v1/messages?state=queued&limit=200", "").list("items") {
		if at := m.text("send_at"); at != "" && at > time.Now().UTC().Format(time.RFC3339) {
			out = append(out, m.text("id"))
		}
	}
	return out
}
