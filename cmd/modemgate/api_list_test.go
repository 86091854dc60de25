package main

import (
	"fmt"
	"net/url"
	"slices"
	"sort"
	"strings"
	"time"
)

func listsPages(s *station) {
	s.pause()
	key := s.someKey("send")
	var made []string
	for range 7 {
		made = append(made, s.message(key, number(), "hello").text("id"))
	}
	slices.Reverse(made)
	for _, order := range []string{"", "&order=desc", "&order=asc"} {
		var got []string
		for cursor := ""; ; {
			page := s.ask(key, "GET", "/v1/messages?limit=3&cursor="+cursor+order, "").want(s.t, 200, "")
			got = append(got, page.ids()...)
			if cursor = page.text("next_cursor"); cursor == "" {
				if page.at("next_cursor") != nil || !page.has("next_cursor") {
					s.t.Errorf("the last page has %s", page.raw)
				}
				break
			}
			if len(page.ids()) != 3 {
				s.t.Errorf("a page of %d", len(page.ids()))
			}
		}
		if order == "&order=asc" {
			slices.Reverse(got)
		}
		if !slices.Equal(got, made) {
			s.t.Errorf("order %q gives %v, want %v", order, got, made)
		}
	}
	page := s.ask(key, "GET", "/v1/messages?limit=7", "")
	if len(page.ids()) != 7 || page.at("next_cursor") != nil {
		s.t.Errorf("a page that holds all: %s", page.at("next_cursor"))
	}
}

func listsLimit(s *station) {
	for _, path := range []string{"/v1/messages", "/v1/inbound"} {
		s.ask(s.admin, "GET", path+"?limit=1", "").want(s.t, 200, "")
		s.ask(s.admin, "GET", path+"?limit=200", "").want(s.t, 200, "")
		for _, q := range []string{"limit=201", "limit=0", "limit=-1", "limit=x", "order=up", "cursor=x", "colour=red"} {
			s.ask(s.admin, "GET", path+"?"+q, "").want(s.t, 400, "invalid-request")
		}
	}
}

func listsFilters(s *station) {
	s.pause()
	key := s.someKey("send")
	a, b := number(), number()
	first := s.message(key, a, "one", `"via":"modem0"`)
	second := s.message(key, b, "two", `"via":["modem1"]`)
	third := s.message(key, a, "three", `"via":["modem0","modem1"]`)
	s.ask(key, "POST", "/v1/messages/"+third.text("id")+"/cancel", "").want(s.t, 200, "")
	at := url.QueryEscape(second.text("created_at"))
	for q, want := range map[string][]body{
		"state=canceled":                  {third},
		"state=queued":                    {second, first},
		"to=" + url.QueryEscape(a):        {third, first},
		"via=modem0":                      {third, first},
		"via=modem1":                      {third, second},
		"via=%25":                         nil,
		"via=modem_":                      nil,
		"since=" + at:                     {third, second},
		"until=" + at:                     {first},
		"since=2026-01-01T00:00:00Z":      {third, second, first},
		"until=2026-01-01T00:00:00Z":      nil,
		"since=2026-01-01T00:00:00+01:00": {third, second, first},
	} {
		got := s.ask(key, "GET", "/v1/messages?"+q, "").want(s.t, 200, "").ids()
		var ids []string
		for _, m := range want {
			ids = append(ids, m.text("id"))
		}
		if !slices.Equal(got, ids) {
			s.t.Errorf("%s gives %v, want %v", q, got, ids)
		}
	}
	for _, q := range []string{"state=lost", "since=yesterday", "until=5"} {
		s.ask(key, "GET", "/v1/messages?"+q, "").want(s.t, 400, "invalid-request")
	}
}

func listsInbound(s *station) {
	a, b := number(), number()
	first := s.receives("modem0", a, "one")
	second := s.receives("modem1", b, "two")
	third := s.receives("modem1", a, "three")
	to := url.QueryEscape(second.text("to"))
	for q, want := range map[string][]body{
		"from=" + url.QueryEscape(a):               {third, first},
		"from=" + url.QueryEscape(b):               {second},
		"line=modem1&from=" + url.QueryEscape(a):   {third},
		"line=nowhere":                             nil,
		"to=" + to + "&from=" + url.QueryEscape(b): {second},
		"limit=2": {third, second},
		"since=" + url.QueryEscape(third.text("received_at")): {third},
	} {
		got := s.ask(s.admin, "GET", "/v1/inbound?"+q, "").want(s.t, 200, "").ids()
		var ids []string
		for _, in := range want {
			ids = append(ids, in.text("id"))
		}
		if !slices.Equal(got, ids) {
			s.t.Errorf("%s gives %v, want %v", q, got, ids)
		}
	}
	one := s.ask(s.admin, "GET", "/v1/inbound/"+first.text("id"), "").want(s.t, 200, "")
	if one.text("text") != "one" || one.text("from") != a || one.text("from_type") != "international" || len(one.list("raw")) != 1 {
		s.t.Errorf("%s", one.raw)
	}
	page := s.ask(s.admin, "GET", "/v1/inbound?limit=1", "")
	if next := s.ask(s.admin, "GET", "/v1/inbound?limit=1&cursor="+page.text("next_cursor"), ""); next.ids()[0] != second.text("id") {
		s.t.Errorf("the second page begins with %s", next.raw)
	}
}

func spaceReadsAsPlus(s *station) {
	to := number()
	id := s.message(s.admin, to, "hello").text("id")
	for _, path := range []string{"/v1/messages?to=" + to, "/v1/messages?to=%2B" + to[1:], "/v1/messages?to=%20" + to[1:]} {
		if got := s.ask(s.admin, "GET", path, "").want(s.t, 200, "").ids(); !slices.Equal(got, []string{id}) {
			s.t.Errorf("%s gives %v", path, got)
		}
	}
	s.reaches("/v1/messages/"+id, "delivered")
	for _, path := range []string{"/v1/sim/phones/" + to, "/v1/sim/phones/%20" + to[1:], "/v1/sim/phones/%2B" + to[1:]} {
		if got := s.ask(s.admin, "GET", path, "").want(s.t, 200, "").list("items"); len(got) != 1 {
			s.t.Errorf("%s gives %d", path, len(got))
		}
	}
}

func idsInOrder(s *station) {
	var ids []string
	for range 5 {
		ids = append(ids, strings.TrimPrefix(s.message(s.admin, number(), "hello").text("id"), "msg_"))
		<-time.After(2 * time.Millisecond) // the order is by milliseconds
		ids = append(ids, strings.TrimPrefix(s.otp(s.admin, number()).text("id"), "otp_"))
		<-time.After(2 * time.Millisecond)
		ids = append(ids, strings.TrimPrefix(s.receives("modem0", number(), "hello").text("id"), "in_"))
		<-time.After(2 * time.Millisecond)
	}
	if !sort.StringsAreSorted(ids) {
		s.t.Errorf("not in order: %v", ids)
	}
	for _, id := range ids {
		if len(id) != 26 {
			s.t.Errorf("the id %s", id)
		}
	}
	for _, path := range []string{"/v1/messages/otp_" + ids[0], "/v1/messages/msg_" + ids[1], "/v1/otp/msg_" + ids[0], "/v1/inbound/x", "/v1/messages/x'--"} {
		s.ask(s.admin, "GET", path, "").want(s.t, 404, "not-found")
	}
}

func nationalForm(s *station) {
	to := number()
	national := fmt.Sprintf("0%s %s", to[3:7], to[7:])
	m := s.message(s.admin, national, "hello")
	if m.text("to") != to {
		s.t.Errorf("%s is read as %s, want %s", national, m.text("to"), to)
	}
	if got := s.ask(s.admin, "GET", "/v1/messages?to="+url.QueryEscape(national), "").ids(); !slices.Equal(got, []string{m.text("id")}) {
		s.t.Errorf("the list by %s gives %v", national, got)
	}
	o := s.otp(s.admin, national)
	v := s.ask(s.admin, "POST", "/v1/otp/verify", fmt.Sprintf(`{"to":%q,"code":%q}`, national, s.code(to, 1))).want(s.t, 200, "")
	if o.text("to") != to || !v.flag("valid") {
		s.t.Errorf("%s, then %s", o.raw, v.raw)
	}
}
