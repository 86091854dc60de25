package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/modemgate/modemgate/configs"
)

func fileHolds(t *testing.T, path, text string) bool {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Error(err)
	}
	return bytes.Contains(b, []byte(text))
}

// consumer opens a consumer of a key as its owner does.
func consumer(t *testing.T, nc *nats.Conn, stream, key string) jetstream.Consumer {
	t.Helper()
	js, err := jetstream.NewWithAPIPrefix(nc, "modemgate.API")
	if err != nil {
		t.Fatal(err)
	}
	c, err := js.Consumer(t.Context(), stream, key)
	if err != nil {
		t.Fatalf("consumer %s of %s: %v", key, stream, err)
	}
	return c
}

// heard is one event as a subscriber has it.
type heard struct {
	subject string
	header  nats.Header
	body
}

// read takes all that a consumer has once nothing waits to be published.
func (s *station) read(c jetstream.Consumer) (all []heard) {
	s.t.Helper()
	s.until("all is published", func() bool { return s.ask(s.admin, "GET", "/v1/status", "").int("nats.waiting") == 0 })
	info, err := c.Info(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	for range info.NumPending {
		m, err := c.Next(jetstream.FetchMaxWait(limit))
		if err != nil {
			s.t.Fatal(err)
		}
		if err := m.DoubleAck(s.t.Context()); err != nil {
			s.t.Fatal(err)
		}
		h := heard{m.Subject(), m.Headers(), body{raw: string(m.Data())}}
		if err := json.Unmarshal(m.Data(), &h.value); err != nil {
			s.t.Fatal(err)
		}
		all = append(all, h)
	}
	return all
}

// bySubject counts what was heard.
func bySubject(all []heard) map[string]int {
	out := map[string]int{}
	for _, h := range all {
		out[h.subject]++
	}
	return out
}

// inboundOf opens a key's consumer of SMS_INBOUND, statusOf of SMS_STATUS.
func (s *station) inboundOf(secret, key string) jetstream.Consumer {
	s.t.Helper()
	return consumer(s.t, s.dial(secret), "SMS_INBOUND", key)
}

func (s *station) statusOf(secret, key string) jetstream.Consumer {
	s.t.Helper()
	return consumer(s.t, s.dial(secret), "SMS_STATUS", key)
}

func TestKeysHearWhatIsTheirs(t *testing.T) {
	t.Parallel()
	s := newStation(t)
	shop, desk := s.key("shop", "send,otp,inbound:modem1"), s.key("desk", "send,otp")
	monitor := s.key("monitor", "status,messages,inbound")
	live := map[string]*nats.Subscription{}
	for name, secret := range map[string]string{"shop": shop, "desk": desk} {
		sub, err := s.dial(secret).SubscribeSync(">")
		if err != nil {
			t.Fatal(err)
		}
		live[name] = sub
	}
	made := map[string][]string{}
	for name, secret := range map[string]string{"shop": shop, "desk": desk} {
		m := s.reaches("/v1/messages/"+s.message(secret, number(), "hello").text("id"), "delivered")
		o := s.otp(secret, number())
		s.reaches("/v1/messages/"+o.text("message_id"), "delivered")
		made[name] = []string{"sms.status." + name + "." + m.text("id"), "sms.status." + name + "." + o.text("message_id"), "otp.status." + name + "." + o.text("id")}
	}
	for _, line := range []string{"modem0", "modem1"} {
		s.receives(line, "+447700900123", "to "+line)
	}
	for name, secret := range map[string]string{"shop": shop, "desk": desk} {
		got := bySubject(s.read(s.statusOf(secret, name)))
		for _, subject := range made[name] {
			if got[subject] == 0 {
				t.Errorf("%s does not hear %s", name, subject)
			}
			delete(got, subject)
		}
		if len(got) != 0 {
			t.Errorf("%s hears %v besides", name, got)
		}
		for n, _, _ := live[name].Pending(); n > 0; n-- {
			m, err := live[name].NextMsg(limit)
			if err != nil {
				t.Fatal(err)
			}
			own := strings.Contains(m.Subject, ".SMS_STATUS."+name) || strings.HasPrefix(m.Subject, "_INBOX.") // its own requests
			if m.Subject != "sms.inbound.modem1.447700900123" && !own && !slices.Contains(made[name], m.Subject) {
				t.Errorf("%s hears %s live", name, m.Subject)
			}
		}
	}
	if got := bySubject(s.read(s.inboundOf(shop, "shop"))); len(got) != 1 || got["sms.inbound.modem1.447700900123"] != 1 {
		t.Errorf("shop receives %v", got)
	}
	if got := bySubject(s.read(s.inboundOf(monitor, "monitor"))); len(got) != 2 || got["sms.inbound.modem0.447700900123"] != 1 {
		t.Errorf("monitor receives %v", got)
	}
	got := bySubject(s.read(s.statusOf(monitor, "monitor")))
	for _, name := range []string{"shop", "desk"} {
		if got[made[name][0]] < 4 || got[made[name][1]] < 4 || got[made[name][2]] != 0 {
			t.Errorf("monitor hears %v", got)
		}
	}
	t.Run("two keys do not see one another", func(t *testing.T) { s.in(t).strangers(shop) })
}

// strangers tries to reach the consumers of other keys and more than the
// rights of a key.
func (s *station) strangers(secret string) {
	js, err := jetstream.NewWithAPIPrefix(s.dial(secret), "modemgate.API", jetstream.WithDefaultTimeout(100*time.Millisecond))
	if err != nil {
		s.t.Fatal(err)
	}
	for _, c := range [][2]string{{"SMS_STATUS", "desk"}, {"SMS_INBOUND", "monitor"}, {"SMS_INBOUND", "desk"}} {
		if _, err := js.Consumer(s.t.Context(), c[0], c[1]); err == nil {
			s.t.Errorf("sees the consumer %s of %s", c[1], c[0])
		}
	}
	if _, err := js.Stream(s.t.Context(), "SMS_INBOUND"); err == nil {
		s.t.Error("sees the stream")
	}
	violation := make(chan string, 4)
	nc := s.dial(secret, nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { violation <- err.Error() }))
	if err := nc.Publish("sms.inbound.modem1.447700900123", []byte("{}")); err != nil {
		s.t.Fatal(err)
	}
	select {
	case text := <-violation:
		if !strings.Contains(text, "Permissions Violation") {
			s.t.Error(text)
		}
	case <-time.After(limit):
		s.t.Error("may publish an SMS")
	}
}

func TestMonitorReadsOn(t *testing.T) {
	t.Parallel()
	s := newStation(t)
	secret := s.key("monitor", "inbound")
	s.receives("modem0", number(), "one")
	if got := s.read(s.inboundOf(secret, "monitor")); len(got) != 1 || got[0].text("text") != "one" {
		t.Fatalf("%v", got)
	}
	s.receives("modem1", number(), "two") // nobody listens
	s.restart()
	s.receives("modem0", number(), "three")
	got := s.read(s.inboundOf(secret, "monitor"))
	if len(got) != 2 || got[0].text("text") != "two" || got[1].text("text") != "three" || got[0].int("seq") >= got[1].int("seq") {
		t.Errorf("%v", got)
	}
	// A new key begins with what comes, or with what is kept.
	fresh, all := s.key("fresh", "inbound"), s.key("all", "inbound", `"from":"all"`)
	s.receives("modem0", number(), "four")
	if got := s.read(s.inboundOf(fresh, "fresh")); len(got) != 1 || got[0].text("text") != "four" {
		t.Errorf("fresh reads %v", got)
	}
	if got := s.read(s.inboundOf(all, "all")); len(got) != 4 {
		t.Errorf("all reads %d", len(got))
	}
	// An heir does not read on where the old one was.
	s.local("DELETE", "/v1/admin/keys/monitor", "").want(t, 204, "")
	heir := s.key("monitor", "inbound", `"inherit":true`)
	s.receives("modem0", number(), "five")
	if got := s.read(s.inboundOf(heir, "monitor")); len(got) != 1 || got[0].text("text") != "five" {
		t.Errorf("the heir reads %v", got)
	}
}

func hashOf(name string) string {
	sum := sha256.Sum256([]byte(name))
	return hex.EncodeToString(sum[:4])
}

func escaped(from string) string { return url.QueryEscape(from) }

// What a daemon that was killed has told of its address is not left standing
// by one that has none to tell.
func TestAnOldNATSAddressIsRemoved(t *testing.T) {
	t.Parallel()
	var told string
	s := newStation(t, func(c *configs.Config) {
		c.NATS.Listen, told = "", filepath.Join(c.DataDir, natsAddrName)
		if err := errors.Join(os.Mkdir(c.DataDir, 0o700), os.WriteFile(told, []byte("127.0.0.1:1\n"), 0o600)); err != nil {
			t.Fatal(err)
		}
	})
	if _, err := os.Stat(told); !os.IsNotExist(err) {
		t.Errorf("the old address stands: %v", err)
	}
	s.stop()
}
