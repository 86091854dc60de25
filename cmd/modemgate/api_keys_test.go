package main

import (
	"encoding/base64"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
)

// soon is how quickly a key must act or cease to act.
const soon = 2 * time.Second

// within fails the test unless a condition holds in time. The margin is for
// machines under load.
func within(t *testing.T, what string, ok func() bool) {
	t.Helper()
	began := time.Now()
	waitUntil(t, what, ok)
	if d := time.Since(began); d > soon {
		t.Logf("%s took %s", what, d)
	}
}

func TestKeyActsAtOnce(t *testing.T) {
	t.Parallel()
	s := newStation(t)
	secret := s.key("shop", "send,inbound")
	s.ask(secret, "GET", "/v1/messages", "").want(t, 200, "")
	nc := s.dial(secret)
	consumer(t, nc, "SMS_INBOUND", "shop")
	consumer(t, nc, "SMS_STATUS", "shop")
	if n := s.consumers("shop"); n != 2 {
		t.Errorf("%d consumers on the disk", n)
	}
	closed := make(chan struct{})
	nc.SetClosedHandler(func(*nats.Conn) { close(closed) })
	waiting := make(chan int, 1)
	id := s.message(secret, number(), "later", `"send_at":"`+time.Now().Add(time.Hour).UTC().Format(time.RFC3339)+`"`).text("id")
	go func() { waiting <- s.ask(secret, "GET", "/v1/messages/"+id+"?wait=100ms", "").status }()
	if status := <-waiting; status != 200 {
		t.Errorf("a long poll ends with %d", status)
	}

	s.local("DELETE", "/v1/admin/keys/shop", "").want(t, 204, "")
	s.ask(secret, "GET", "/v1/messages", "").want(t, 401, "unauthenticated")
	within(t, "the connection ends", func() bool {
		select {
		case <-closed:
			return true
		default:
			return false
		}
	})
	within(t, "the consumers are gone", func() bool { return s.consumers("shop") == 0 })
	if _, err := nats.Connect("nats://"+s.bus.Addr(), nats.Timeout(time.Minute), nats.Token(secret)); !errors.Is(err, nats.ErrAuthorization) {
		t.Errorf("a revoked key connects: %v", err)
	}
	s.local("DELETE", "/v1/admin/keys/shop", "").want(t, 204, "") // again is no error
}

// consumers counts those of a key on the disk of the embedded server.
func (s *station) consumers(key string) (n int) {
	_ = filepath.WalkDir(s.cfg.DataDir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && d.Name() == key && filepath.Base(filepath.Dir(path)) == "obs" {
			n++
		}
		return nil
	})
	return n
}

// dial connects as a client does, without coming back.
func (s *station) dial(secret string, more ...nats.Option) *nats.Conn {
	s.t.Helper()
	nc, err := nats.Connect("nats://"+s.bus.Addr(), append(more, nats.Timeout(time.Minute), nats.Token(secret), nats.NoReconnect())...)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(nc.Close)
	return nc
}

func TestKeyExpires(t *testing.T) {
	t.Parallel()
	s := newStation(t)
	r := s.local("POST", "/v1/admin/keys", `{"name":"brief","scopes":["inbound"],"expires":"700ms"}`).want(t, 201, "")
	if life := r.moment(s, "expires_at").Sub(r.moment(s, "created_at")); life != 700*time.Millisecond {
		t.Errorf("it lives %s", life)
	}
	secret, closed := r.text("secret"), make(chan struct{})
	if nc, err := nats.Connect("nats://"+s.bus.Addr(), nats.Timeout(time.Minute), nats.Token(secret), nats.NoReconnect(), nats.ClosedHandler(func(*nats.Conn) { close(closed) })); err == nil {
		defer nc.Close()
		select {
		case <-closed:
		case <-time.After(limit):
			t.Error("the connection outlives the key")
		}
	}
	s.until("the key has expired", func() bool { return s.ask(secret, "GET", "/v1/inbound", "").status == 401 })
	within(t, "the consumers are gone", func() bool { return s.consumers("brief") == 0 })
	s.local("POST", "/v1/admin/keys", `{"name":"brief","scopes":["inbound"]}`).want(t, 400, "invalid-request")
	s.key("brief", "inbound", `"inherit":true`)
}

func TestKeyRules(t *testing.T) {
	t.Parallel()
	s := newStation(t)
	s.key("taken", "send")
	for pointer, bad := range map[string][]string{
		"/name": {
			`"name":"local","scopes":["send"]`, `"name":"system","scopes":["send"]`, `"name":"Shop","scopes":["send"]`, `"name":"a_b","scopes":["send"]`,
			`"name":"a.b","scopes":["send"]`, `"name":"*","scopes":["send"]`, `"name":"` + strings.Repeat("a", 33) + `","scopes":["send"]`,
			`"name":"taken","scopes":["send"]`, `"name":"taken","scopes":["send"],"inherit":true`, `"name":"","scopes":["send"]`,
		},
		"/scopes":     {`"name":"x"`, `"name":"x","scopes":[]`, `"name":"x","scopes":"send"`},
		"/scopes/0":   {`"name":"x","scopes":["root"]`, `"name":"x","scopes":["inbound:"]`, `"name":"x","scopes":["inbound:a.>"]`, `"name":"x","scopes":["send:modem0"]`},
		"/to/0":       {`"name":"x","scopes":["send"],"to":["44"]`, `"name":"x","scopes":["send"],"to":["+"]`, `"name":"x","scopes":["send"],"to":["+4a"]`},
		"/per_day":    {`"name":"x","scopes":["send"],"per_day":0`, `"name":"x","scopes":["send"],"per_day":-1`},
		"/per_minute": {`"name":"x","scopes":["send"],"per_minute":0`},
		"/expires":    {`"name":"x","scopes":["send"],"expires":"0s"`, `"name":"x","scopes":["send"],"expires":"-1h"`, `"name":"x","scopes":["send"],"expires":90`},
		"/from":       {`"name":"x","scopes":["send"],"from":"old"`},
		"/colour":     {`"name":"x","scopes":["send"],"colour":1`},
	} {
		for _, b := range bad {
			got := s.local("POST", "/v1/admin/keys", "{"+b+"}").want(t, 400, "invalid-request")
			if got.text("errors.0.pointer") != pointer {
				t.Errorf("%s: %s", b, got.raw)
			}
		}
	}
	s.local("DELETE", "/v1/admin/keys/taken", "").want(t, 204, "")
	s.local("POST", "/v1/admin/keys", `{"name":"taken","scopes":["send"]}`).want(t, 400, "invalid-request")
	again := s.local("POST", "/v1/admin/keys", `{"name":"taken","scopes":["send","send"],"inherit":true}`).want(t, 201, "")
	if again.int("generation") != 2 || len(again.at("scopes").([]any)) != 1 || again.at("revoked_at") != nil {
		t.Errorf("%s", again.raw)
	}
}

// TestKeyInherits takes over a name: what it made is seen, its rights are new.
func TestKeyInherits(t *testing.T) {
	t.Parallel()
	s := newStation(t)
	old := s.key("shop", "send,otp")
	m, o := s.message(old, number(), "hello").text("id"), s.otp(old, number()).text("id")
	s.local("DELETE", "/v1/admin/keys/shop", "").want(t, 204, "")
	heir := s.key("shop", "status", `"inherit":true`)
	s.ask(old, "GET", "/v1/messages/"+m, "").want(t, 401, "unauthenticated")
	s.ask(heir, "GET", "/v1/messages/"+m, "").want(t, 200, "")
	s.ask(heir, "GET", "/v1/otp/"+o, "").want(t, 200, "")
	s.ask(heir, "POST", "/v1/messages", `{"to":"+447700900123","text":"x"}`).want(t, 403, "scope-missing")
	s.restart()
	s.ask(old, "GET", "/v1/messages/"+m, "").want(t, 401, "unauthenticated")
	s.ask(heir, "GET", "/v1/messages/"+m, "").want(t, 200, "")
}

func TestKeyLimits(t *testing.T) {
	t.Parallel()
	s := newStation(t)
	key := s.key("small", "send,otp", `"per_day":3`)
	s.message(key, number(), "one")
	s.otp(key, number())
	s.ask(key, "POST", "/v1/messages", `{"to":"+447700900123","text":""}`).want(t, 400, "invalid-request") // what is refused is not counted
	s.message(key, number(), "three")
	s.restart()
	for path, content := range map[string]string{"/v1/messages": `{"to":%q,"text":"x"}`, "/v1/otp": `{"to":%q}`} {
		b := s.ask(key, "POST", path, fmt.Sprintf(content, number())).want(t, 429, "limit-exceeded")
		if at := b.moment(s, "retry_at"); b.text("limit") != "per_key.day" || at.Sub(at.Truncate(24*time.Hour)) != 0 {
			t.Errorf("%s", b.raw)
		}
	}
	s.message(s.admin, number(), "another key has its own")
}

func TestSecretIsToldOnceAndKeptNowhere(t *testing.T) {
	t.Parallel()
	s := newStation(t)
	secret := s.key("shop", "send")
	raw, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(secret, "mg_"))
	if err != nil || !strings.HasPrefix(secret, "mg_") || len(raw) != 36 {
		t.Fatalf("the secret has %d octets: %v", len(raw), err)
	}
	sum := crc32.ChecksumIEEE(raw[:32])
	if got := uint32(raw[32])<<24 | uint32(raw[33])<<16 | uint32(raw[34])<<8 | uint32(raw[35]); got != sum {
		t.Errorf("the checksum is %08x, want %08x", got, sum)
	}
	s.ask(checksummed(raw[:32]), "GET", "/v1/messages", "").want(t, 200, "")
	if list := s.local("GET", "/v1/admin/keys", ""); strings.Contains(list.raw, "secret") || strings.Contains(list.raw, "hash") {
		t.Errorf("%s", list.raw)
	}
	s.ask(secret, "GET", "/v1/messages", "").want(t, 200, "")
	s.stop()
	_ = filepath.WalkDir(s.cfg.DataDir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() && fileHolds(t, path, secret[3:]) {
			t.Errorf("%s holds the secret", path)
		}
		return nil
	})
}
