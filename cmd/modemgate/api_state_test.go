package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/modemgate/modemgate/configs"
	"github.com/modemgate/modemgate/driver/sim"
	"github.com/modemgate/modemgate/gateway"
	"github.com/modemgate/modemgate/gateway/store"
)

func readyVariants(s *station) {
	for _, path := range []string{"/healthz", "/readyz", "/readyz?sending=0", "/readyz?sending=1", "/readyz?sending=true"} {
		s.ask("", "GET", path, "").want(s.t, 200, "")
	}
	s.ask("", "GET", "/readyz?sending=maybe", "").want(s.t, 400, "invalid-request")
	s.pause()
	s.ask("", "GET", "/readyz", "").want(s.t, 200, "")
	s.ask("", "GET", "/readyz?sending=1", "").want(s.t, 503, "no-line")
	s.ask(s.admin, "POST", "/v1/lines/modem1/resume", "").want(s.t, 200, "")
	s.ask("", "GET", "/readyz?sending=1", "").want(s.t, 200, "")
}

func metricsNames(s *station) {
	to := number()
	o := s.otp(s.admin, to)
	s.verify(o.text("id"), s.code(to, 1)).verdict(s.t, true, "approved", 4)
	s.receives("modem0", to, "hello")
	s.reaches("/v1/messages/"+s.message(s.admin, to, "hello").text("id"), "delivered")
	b := s.ask(s.admin, "GET", "/metrics", "").want(s.t, 200, "")
	if !strings.HasPrefix(b.header.Get("Content-Type"), "text/plain") {
		s.t.Errorf("%v", b.header)
	}
	for _, want := range []string{
		`modemgate_line_up{line="modem0"} 1`, `modemgate_line_state{line="modem1",state="up"} 1`, `modemgate_queue_messages{priority="otp"} \d`,
		`modemgate_queue_messages{priority="low"} \d`, `modemgate_queue_oldest_seconds \d`, `modemgate_messages_total{state="delivered"} \d`,
		`modemgate_inbound_total{line="modem0"} \d`, `modemgate_inbound_last_timestamp_seconds{line="modem0"} \d`,
		`modemgate_otp_total{result="approved"} \d`, `modemgate_submit_seconds_count \d`, `modemgate_submit_seconds_bucket{le="5"} \d`,
		`modemgate_sim_storage_ratio{line="modem0"} 0`, `modemgate_ports_stuck 0`, `modemgate_outbox_events \d`, `modemgate_store_commit_seconds_count \d`,
	} {
		if !regexp.MustCompile(`(?m)^` + want).MatchString(b.raw) {
			s.t.Errorf("no %s", want)
		}
	}
	if strings.Contains(b.raw, to[4:]) {
		s.t.Error("a number is in the measures")
	}
}

func pauseSurvives(s *station) {
	s.ask(s.admin, "POST", "/v1/lines/modem0/pause", "").want(s.t, 200, "")
	s.restart()
	l := s.ask(s.admin, "GET", "/v1/lines/modem0", "").want(s.t, 200, "")
	if l.text("state") != "paused" || !l.flag("paused") || l.text("detail") == "" {
		s.t.Errorf("%s", l.raw)
	}
	st := s.ask(s.admin, "GET", "/v1/status", "").want(s.t, 200, "")
	if st.flag("healthy") || !strings.Contains(st.text("problems.0"), "modem0") {
		s.t.Errorf("%s", st.raw)
	}
	if b := s.ask(s.admin, "GET", "/metrics", ""); !strings.Contains(b.raw, `modemgate_line_up{line="modem0"} 0`) {
		s.t.Error("the measures say it is up")
	}
	s.receives("modem0", number(), "a paused line receives")
	if got := s.ask(s.admin, "POST", "/v1/lines/modem0/resume", "").want(s.t, 200, ""); got.text("state") != "up" || got.flag("paused") {
		s.t.Errorf("%s", got.raw)
	}
}

func identityMasked(s *station) {
	key, m := s.someKey("status"), s.sim.Modem("modem0")
	for _, path := range []string{"/v1/lines/modem0", "/v1/lines", "/v1/status"} {
		if b := s.ask(key, "GET", path, "").want(s.t, 200, ""); strings.Contains(b.raw, m.IMEI()) || strings.Contains(b.raw, m.ICCID()) {
			s.t.Errorf("%s shows %s", path, b.raw)
		}
		if b := s.ask(s.admin, "GET", path, ""); !strings.Contains(b.raw, m.IMEI()) || !strings.Contains(b.raw, m.ICCID()) {
			s.t.Errorf("%s does not show admin %s", path, b.raw)
		}
	}
}

func simulatedEverywhere(s *station) {
	to := number()
	in := s.receives("modem0", to, "hello")
	m := s.message(s.admin, to, "hello")
	o := s.otp(s.admin, to)
	for name, b := range map[string]body{
		"message": m, "OTP": o, "SMS": in,
		"message read": s.ask(s.admin, "GET", "/v1/messages/"+m.text("id"), ""),
		"its list":     s.ask(s.admin, "GET", "/v1/messages?limit=1", "").list("items")[0],
		"OTP read":     s.ask(s.admin, "GET", "/v1/otp/"+o.text("id"), ""),
		"line":         s.ask(s.admin, "GET", "/v1/lines/modem0", ""),
	} {
		if !b.flag("simulated") {
			s.t.Errorf("%s does not say so: %v", name, b.value)
		}
	}
}

func destinations(s *station) {
	narrow := s.someKey("otp,send", `"to":["+4477009","+49"]`)
	for _, x := range []struct {
		key, to string
		ok      bool
	}{
		{s.admin, number(), true},
		{s.admin, "+4915112345678", true},
		{s.admin, "+447700812345", false}, // deny
		{s.admin, "+33612345678", false},  // not in allow
		{s.admin, "+999000001", false},
		{narrow, number(), true},
		{narrow, "+447911123456", false}, // not its prefix
		{narrow, "+447700812345", false},
	} {
		status, code := 202, ""
		if !x.ok {
			status, code = 403, "destination-blocked"
		}
		b := s.ask(x.key, "POST", "/v1/messages", fmt.Sprintf(`{"to":%q,"text":"x"}`, x.to)).want(s.t, status, code)
		if !x.ok && (b.text("errors.0.pointer") != "/to" || strings.Contains(b.raw, x.to)) {
			s.t.Errorf("%s", b.raw)
		}
		if !x.ok {
			s.ask(x.key, "POST", "/v1/otp", fmt.Sprintf(`{"to":%q}`, x.to)).want(s.t, 403, "destination-blocked")
		}
	}
}

// A line on a pty that nobody says is simulated is a real one.
func TestRealLine(t *testing.T) {
	t.Parallel()
	n, err := sim.New(sim.Options{Modems: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	real := func(change func(*configs.Config)) *station {
		return newStation(t, func(c *configs.Config) {
			c.Modems.Simulate = 0
			c.Modems.List = []configs.Line{{Name: "front", Port: n.Modems()[0].Path(), Limits: configs.DefaultLineLimits()}}
			change(c)
		})
	}
	post := func(s *station, to string) body {
		return s.ask(s.admin, "POST", "/v1/messages", fmt.Sprintf(`{"to":%q,"text":"x"}`, to))
	}
	s := real(func(*configs.Config) {})
	post(s, "+447700900123").want(t, 503, "no-line") // its SIM is of no country
	post(s, "+999100000001").want(t, 403, "destination-blocked")
	s.ask(s.admin, "GET", "/v1/sim/phones/+999100000001", "").want(t, 404, "not-found")
	s.ask(s.admin, "POST", "/v1/sim/phones/+999100000001/send", `{"text":"x","line":"front"}`).want(t, 404, "not-found")
	s.ask("", "GET", "/readyz?sending=1", "").want(t, 200, "")
	s.stop()

	s = real(func(c *configs.Config) { c.DefaultRegion = "GB" })
	if m := post(s, "07700 900123").want(t, 202, ""); m.flag("simulated") || m.text("to") != "+447700900123" {
		t.Errorf("%s", m.raw)
	}
	post(s, "+33612345678").want(t, 403, "destination-blocked")
	if o := s.otp(s.admin, number()); o.flag("simulated") {
		t.Errorf("%s", o.raw)
	}
	s.stop()

	s = real(func(c *configs.Config) { c.Limits.Allow = []string{"+999", "+33"} })
	post(s, "+999100000001").want(t, 403, "destination-blocked")
	s.ask(s.admin, "POST", "/v1/otp", `{"to":"+999100000001"}`).want(t, 403, "destination-blocked")
	post(s, "+33612345678").want(t, 202, "")
	for _, e := range n.Journal() {
		if strings.HasPrefix(e.To, "+999") && e.Kind == sim.JournalSubmitted {
			t.Errorf("%s was submitted", e.To)
		}
	}
	s.stop()
}

func TestNoLineAtAll(t *testing.T) {
	t.Parallel()
	s := newStation(t, func(c *configs.Config) { c.Modems.Simulate, c.DefaultRegion = 0, "GB" })
	s.ask("", "GET", "/readyz", "").want(t, 200, "")
	s.ask("", "GET", "/readyz?sending=1", "").want(t, 503, "no-line")
	s.message(s.admin, number(), "it waits for a line")
	if st := s.ask(s.admin, "GET", "/v1/status", ""); st.flag("healthy") || len(st.list("lines")) != 0 {
		t.Errorf("%s", st.raw)
	}
}

func TestDiskReserve(t *testing.T) {
	t.Parallel()
	s := newStation(t)
	to := number()
	kept := s.message(s.admin, to, "hello").text("id")
	s.reaches("/v1/messages/"+kept, "delivered")
	repeats := []struct{ path, body, id string }{
		{path: "/v1/messages", body: fmt.Sprintf(`{"to":%q,"text":"once"}`, to)}, {path: "/v1/otp", body: fmt.Sprintf(`{"to":%q}`, to)},
	}
	for i, r := range repeats {
		repeats[i].id = s.ask(s.admin, "POST", r.path, r.body, "Idempotency-Key", "k").text("id")
	}
	s.stop()
	s.cfg.Storage.Reserve = 1 << 60
	s.begin()
	s.until("the disk was looked at", func() bool { return s.ask("", "GET", "/readyz", "").status == 503 })
	s.ask("", "GET", "/readyz", "").want(t, 503, "storage-full")
	s.ask("", "GET", "/readyz?sending=1", "").want(t, 503, "storage-full")
	s.ask("", "GET", "/healthz", "").want(t, 200, "")
	s.ask(s.admin, "POST", "/v1/messages", fmt.Sprintf(`{"to":%q,"text":"x"}`, to)).want(t, 507, "storage-full")
	s.ask(s.admin, "POST", "/v1/otp", fmt.Sprintf(`{"to":%q}`, to)).want(t, 507, "storage-full")
	for _, r := range repeats { // the answer is on the disk, and needs no room
		b := s.ask(s.admin, "POST", r.path, r.body, "Idempotency-Key", "k")
		if b.status/100 != 2 || b.text("id") != r.id || b.header.Get("Idempotency-Replayed") != "true" {
			t.Errorf("a repeat on a full disk: %d %s", b.status, b.raw)
		}
		s.ask(s.admin, "POST", r.path, strings.Replace(r.body, to, number(), 1), "Idempotency-Key", "k").want(t, 422, "idempotency-key-reused")
		s.ask(s.admin, "POST", r.path, r.body, "Idempotency-Key", "new").want(t, 507, "storage-full")
	}
	s.ask(s.admin, "GET", "/v1/messages/"+kept, "").want(t, 200, "")
	s.receives("modem0", to, "what comes is still kept")
	if st := s.ask(s.admin, "GET", "/v1/status", ""); st.flag("store.writable") || st.flag("healthy") {
		t.Errorf("%s", st.raw)
	}
}

func TestClockBehind(t *testing.T) {
	t.Parallel()
	s := newStation(t)
	s.stop()
	secrets, err := gateway.LoadSecrets(s.cfg.DataDir, store.FileName)
	if err != nil {
		t.Fatal(err)
	}
	st, err := store.OpenSQLite(context.Background(), store.Options{Dir: s.cfg.DataDir, SealKey: secrets.Seal})
	if err != nil {
		t.Fatal(err)
	}
	ahead := time.Now().Add(time.Hour).UTC().Format(time.RFC3339Nano)
	err = st.Update(context.Background(), "test", func(tx store.Tx) error { return tx.PutSetting("last_time", ahead) })
	if err != nil || st.Close() != nil {
		t.Fatal(err)
	}
	s.begin()
	s.ask("", "GET", "/readyz", "").want(t, 503, "clock-not-set")
	s.ask(s.admin, "POST", "/v1/messages", fmt.Sprintf(`{"to":%q,"text":"x"}`, number())).want(t, 503, "clock-not-set")
	s.ask(s.admin, "POST", "/v1/otp", fmt.Sprintf(`{"to":%q}`, number())).want(t, 503, "clock-not-set")
	if b := s.ask(s.admin, "GET", "/v1/status", ""); !strings.Contains(b.text("clock"), "serve --trust-clock") || b.flag("healthy") {
		t.Errorf("%s", b.raw)
	}
	s.stop()
	trustClock(t, s.cfg.DataDir)
	s.begin()
	s.ask("", "GET", "/readyz", "").want(t, 200, "")
}

// trustClock is the start with --trust-clock that README names.
func trustClock(t *testing.T, dir string) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan int, 1)
	var said bytes.Buffer
	go func() {
		ended <- run(ctx, system{err: &said, env: []string{"MODEMGATE_MODEMS_SIMULATE=1"}}, []string{
			"serve", "--trust-clock", "--data_dir", dir, "--api.listen", "127.0.0.1:0", "--nats.listen=", "--storage.reserve", "1MiB",
		})
	}()
	waitUntil(t, "the daemon is ready", func() bool {
		addr, err := os.ReadFile(filepath.Join(dir, "api.addr"))
		if err != nil {
			return false
		}
		resp, err := http.Get("http://" + strings.TrimSpace(string(addr)) + "/readyz")
		return err == nil && resp.Body.Close() == nil && resp.StatusCode == http.StatusOK
	})
	cancel()
	if code := <-ended; code != exitOK || !strings.Contains(said.String(), "the clock is trusted") {
		t.Fatalf("exit %d: %s", code, &said)
	}
}

func TestQueueIsBounded(t *testing.T) {
	t.Parallel()
	s := newStation(t, func(c *configs.Config) { c.Limits.Queued = 2 })
	s.pause()
	s.message(s.admin, number(), "one")
	s.message(s.admin, number(), "two")
	b := s.ask(s.admin, "POST", "/v1/messages", fmt.Sprintf(`{"to":%q,"text":"x"}`, number())).want(t, 429, "limit-exceeded")
	if b.text("limit") != "queued" {
		t.Errorf("%s", b.raw)
	}
}

// A key that fills the queue keeps no other out: each has its share.
func TestOneKeyCannotFillTheQueueForOthers(t *testing.T) {
	t.Parallel()
	s := newStation(t, func(c *configs.Config) { c.Limits.Queued = 8 })
	greedy, modest := s.key("greedy", "send"), s.key("modest", "send,otp") // with admin and the operator: shares of 2
	s.someKey("inbound,status,messages")                                   // sends nothing, has no share
	s.pause()
	for range 8 {
		s.message(greedy, number(), "one of too many")
	}
	full := func(key string) {
		t.Helper()
		b := s.ask(key, "POST", "/v1/messages", fmt.Sprintf(`{"to":%q,"text":"x"}`, number())).want(t, 429, "limit-exceeded")
		if b.text("limit") != "queued" {
			t.Errorf("%s", b.raw)
		}
	}
	full(greedy)
	kept := s.message(modest, number(), "mine").text("id")
	s.otp(modest, number())
	full(modest)
	full(greedy)
	s.message(s.admin, number(), "mine")
	s.message(s.admin, number(), "mine")
	full(s.admin)
	s.ask(modest, "POST", "/v1/messages/"+kept+"/cancel", "").want(t, 200, "")
	s.until("the place is free again", func() bool {
		return s.ask(modest, "POST", "/v1/messages", fmt.Sprintf(`{"to":%q,"text":"x"}`, number())).status == 202
	})
	full(modest)
}
