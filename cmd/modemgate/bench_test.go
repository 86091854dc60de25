package main

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/modemgate/modemgate/driver/sim"
)

// BenchmarkPostToCMGS is the time from a POST on the client's side to
// AT+CMGS at the modem, one message at a time.
func BenchmarkPostToCMGS(b *testing.B) {
	dir := b.TempDir()
	a := newBenchApp(b, dir, 1, nil)
	defer a.end()
	d := a.postToCMGS(b.Loop)
	goal(b, inMS(quantile(d, .5)), "ms-p50", "<2")
	goal(b, inMS(quantile(d, .99)), "ms-p99", "<10")
	b.ReportMetric(inMS(fsyncTime(b, dir)), "ms-fsync")
}

// BenchmarkInboundToNATS is the time from an SMS leaving the phone, whose
// +CMTI follows at once, to a NATS subscriber.
func BenchmarkInboundToNATS(b *testing.B) {
	dir := b.TempDir()
	a := newBenchApp(b, dir, 1, nil)
	defer a.end()
	d := a.inboundToNATS(b.Loop)
	goal(b, inMS(quantile(d, .5)), "ms-p50", "<3")
	goal(b, inMS(quantile(d, .99)), "ms-p99", "<10")
	b.ReportMetric(inMS(fsyncTime(b, dir)), "ms-fsync")
}

// BenchmarkOTP is create and verify over HTTP with 16 clients.
func BenchmarkOTP(b *testing.B) {
	dir := b.TempDir()
	a := newBenchApp(b, dir, 1, nil)
	defer a.end()
	goal(b, a.otpRate(b.Loop), "otp/s", ">1000")
	b.ReportMetric(inMS(fsyncTime(b, dir)), "ms-fsync")
}

// times says yes n times.
func times(n int) func() bool {
	return func() bool {
		n--
		return n >= 0
	}
}

// postToCMGS measures messages one at a time, as long as more says so.
func (t *benchApp) postToCMGS(more func() bool) (d []time.Duration) {
	arrived := make(chan time.Time, 1)
	t.sim.Modems()[0].OnPoint(func(o sim.Occasion) {
		if o.Point == sim.PointCommand && strings.HasPrefix(o.Command, "+CMGS") {
			arrived <- time.Now()
		}
	})
	defer t.sim.Modems()[0].OnPoint(nil)
	for more() {
		began := time.Now()
		id := t.post()
		d = append(d, (<-arrived).Sub(began))
		t.settled(id)
	}
	return d
}

// post queues a message and returns its id.
func (t *benchApp) post() string {
	var m struct {
		ID string `json:"id"`
	}
	if s := t.call("POST", "/v1/messages", map[string]any{"to": "+999555001", "text": "bench", "report": false}, &m); s != http.StatusAccepted {
		t.b.Fatal(s)
	}
	return m.ID
}

// settled waits until a message is sent.
func (t *benchApp) settled(id string) {
	for {
		var m struct {
			State string `json:"state"`
			Rev   int    `json:"rev"`
		}
		t.call("GET", "/v1/messages/"+id+"?wait=5s&after=3", nil, &m)
		if m.State != "queued" && m.State != "sending" {
			return
		}
	}
}

// inboundToNATS measures received SMS one at a time.
func (t *benchApp) inboundToNATS(more func() bool) (d []time.Duration) {
	nc, err := nats.Connect("nats://"+t.bus.Addr(), nats.Timeout(time.Minute), nats.Token(t.secret))
	if err != nil {
		t.b.Fatal(err)
	}
	defer nc.Close()
	sub, err := nc.SubscribeSync("sms.inbound.>")
	if err != nil {
		t.b.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		t.b.Fatal(err)
	}
	m := t.sim.Modems()[0]
	for i := 0; more(); i++ {
		began := time.Now()
		if err := t.sim.Phone("+999555001").Send(m.Number(), fmt.Sprint("bench ", i)); err != nil {
			t.b.Fatal(err)
		}
		if _, err := sub.NextMsg(10 * time.Second); err != nil {
			t.b.Fatal(err)
		}
		d = append(d, time.Since(began))
		for len(m.Stored()) > 0 {
			time.Sleep(100 * time.Microsecond)
		}
	}
	return d
}

// otpRate is how many OTPs a second 16 clients create and verify.
func (t *benchApp) otpRate(more func() bool) float64 {
	const clients = 16
	jobs := make(chan int)
	var wg sync.WaitGroup
	for range clients {
		wg.Go(func() {
			for i := range jobs {
				t.otp(fmt.Sprintf("+99955%07d", i))
			}
		})
	}
	began, n := time.Now(), 0
	for more() {
		jobs <- n
		n++
	}
	close(jobs)
	wg.Wait()
	return float64(n) / time.Since(began).Seconds()
}

// otp creates an OTP and verifies its code.
func (t *benchApp) otp(to string) {
	var o struct {
		ID string `json:"id"`
	}
	if s := t.call("POST", "/v1/otp", map[string]any{"to": to}, &o); s != http.StatusCreated {
		t.b.Errorf("create: %d", s)
		return
	}
	var v struct {
		Valid bool `json:"valid"`
	}
	if s := t.call("POST", "/v1/otp/"+o.ID+"/verify", map[string]any{"code": benchCode}, &v); s != http.StatusOK || !v.Valid {
		t.b.Errorf("verify: %d %v", s, v.Valid)
	}
}
