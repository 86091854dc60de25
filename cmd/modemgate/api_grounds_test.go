package main

import (
	"encoding/base64"
	"fmt"
	"hash/crc32"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/modemgate/modemgate/configs"
)

// grounds is the station of the table with all who ask.
type grounds struct {
	*station
	askers []*asker
	maker  *asker // the other key
}

func newGrounds(t *testing.T) *grounds {
	g := &grounds{station: newStation(t, func(c *configs.Config) { // nothing is due or over while all ask
		c.OTP.TTL, c.OTP.ResendAfter = configs.Duration(10*time.Minute), configs.Duration(10*time.Minute)
	})}
	for _, l := range []string{"modem0", "modem1"} {
		g.local("POST", "/v1/lines/"+l+"/pause", "").want(t, 200, "")
	}
	g.maker = g.asker("maker", "send", "otp")
	for i, scopes := range []string{"otp", "send", "messages", "inbound", "inbound:modem0", "inbound:modem1", "status", "admin", "inbound:elsewhere"} {
		a := g.asker(fmt.Sprintf("asker-%d", i), "send", "otp")
		g.make(a, 3)
		// The same name with other scopes: what it made stays its own.
		g.local("DELETE", "/v1/admin/keys/"+a.name, "").want(t, 204, "")
		a.scopes, a.secret = []string{scopes}, g.key(a.name, scopes, `"inherit":true`)
		g.askers = append(g.askers, a)
	}
	revoked := g.key("revoked", "admin")
	g.local("DELETE", "/v1/admin/keys/revoked", "").want(t, 204, "")
	expired := g.someKey("admin", `"expires":"1ms"`)
	g.until("the key has expired", func() bool { return g.ask(expired, "GET", "/v1/status", "").status == 401 })
	for name, secret := range map[string]string{"no key": "", "wrong key": checksummed(make([]byte, 32)), "revoked key": revoked, "expired key": expired} {
		g.askers = append(g.askers, &asker{name: name, secret: secret, things: g.askers[0].things})
	}
	g.receive()
	return g
}

func (g *grounds) asker(name string, scopes ...string) *asker {
	return &asker{name: name, scopes: scopes, secret: g.key(name, strings.Join(scopes, ",")), things: map[string][]string{}}
}

// make makes n things of each kind.
func (g *grounds) make(a *asker, n int) {
	g.t.Helper()
	for range n {
		ended := g.message(a.secret, number(), "hello", `"via":"modem0"`).text("id")
		g.ask(a.secret, "POST", "/v1/messages/"+ended+"/cancel", "").want(g.t, 200, "")
		a.things["ended"] = append(a.things["ended"], ended)
		m := g.message(a.secret, number(), "hello", `"via":"modem0"`).text("id")
		a.things["message"] = append(a.things["message"], m)
		a.made = append(a.made, ended, m)
	}
	for range n + 1 {
		o := g.otp(a.secret, number())
		a.things["otp"] = append(a.things["otp"], o.text("id"))
		a.made = append(a.made, o.text("message_id"))
	}
}

// receive lets both lines receive what is read and what is deleted.
func (g *grounds) receive() {
	g.t.Helper()
	own, others := g.askers[0], g.maker
	for i, a := range []*asker{own, others} {
		for _, kind := range []string{"inbound", "waste"} {
			id := g.receives(fmt.Sprintf("modem%d", i), "+447700900000", kind).text("id")
			a.things[kind] = append(a.things[kind], id)
		}
	}
	for _, a := range g.askers[1:] {
		a.things["inbound"], a.things["waste"] = own.things["inbound"], own.things["waste"]
	}
}

// receives texts from a phone to a line and gives what the API has of it.
func (s *station) receives(line, from, text string) body {
	s.t.Helper()
	at := s.ask(s.admin, "GET", "/v1/inbound/cursor", "").text("cursor")
	s.ask(s.admin, "POST", "/v1/sim/phones/"+from+"/send", fmt.Sprintf(`{"text":%q,"line":%q}`, text, line)).want(s.t, 202, "")
	var page body
	s.until("received "+text, func() bool {
		page = s.ask(s.admin, "GET", "/v1/inbound?order=asc&wait=5s&after="+at, "")
		return len(page.list("items")) > 0
	})
	return page.list("items")[0]
}

// thing takes a thing of a kind; the last stays for those who may not change
// it.
func (g *grounds) thing(a *asker, kind string) string {
	list := a.things[kind]
	if len(list) == 0 {
		g.t.Fatalf("%s has no %s left", a.name, kind)
	}
	if len(list) > 1 {
		a.things[kind] = list[1:]
	}
	return list[0]
}

// checksummed is a well-formed secret.
func checksummed(b []byte) string {
	sum := crc32.ChecksumIEEE(b)
	return "mg_" + base64.RawURLEncoding.EncodeToString(append(slices.Clone(b), byte(sum>>24), byte(sum>>16), byte(sum>>8), byte(sum)))
}
