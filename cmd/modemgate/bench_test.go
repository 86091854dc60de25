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
	arrived := make(chan time.Time, 1)
	a.sim.Modems()[0].OnPoint(func(o sim.Occasion) {
		if o.Point == sim.PointCommand && strings.HasPrefix(o.Command, "+CMGS") {
			arrived <- time.Now()
		}
	})
	idle := func(id string) {
		for {
			var m struct {
				State string `json:"state"`
				Rev   int    `json:"rev"`
			}
			a.call("GET", "/v1/messages/"+id+"?wait=5s&after=3", nil, &m)
			if m.State != "queued" && m.State != "sending" {
				return
			}
		}
	}
	var d []time.Duration
	before := a.gwStats()
	for b.Loop() {
		var m struct {
			ID string `json:"id"`
		}
		began := time.Now()
		if s := a.call("POST", "/v1/messages", map[string]any{"to": "+999555001", "text": "bench", "report": false}, &m); s != http.StatusAccepted {
			b.Fatal(s)
		}
		d = append(d, (<-arrived).Sub(began))
		idle(m.ID)
	}
	b.ReportMetric(inMS(quantile(d, .5)), "ms-p50")
	b.ReportMetric(inMS(quantile(d, .99)), "ms-p99")
	b.ReportMetric(inMS(fsyncTime(b, dir)), "ms-fsync")
	b.ReportMetric(float64(a.gwStats()-before)/float64(len(d)), "commits/op")
}

// BenchmarkInboundToNATS is the time from an SMS leaving the phone, whose
// +CMTI follows at once, to a NATS subscriber.
func BenchmarkInboundToNATS(b *testing.B) {
	dir := b.TempDir()
	a := newBenchApp(b, dir, 1, nil)
	defer a.end()
	nc, err := nats.Connect("nats://"+a.bus.Addr(), nats.Token(a.secret))
	if err != nil {
		b.Fatal(err)
	}
	defer nc.Close()
	sub, err := nc.SubscribeSync("sms.inbound.>")
	if err != nil {
		b.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		b.Fatal(err)
	}
	m := a.sim.Modems()[0]
	var d []time.Duration
	for i := 0; b.Loop(); i++ {
		began := time.Now()
		if err := a.sim.Phone("+999555001").Send(m.Number(), fmt.Sprint("bench ", i)); err != nil {
			b.Fatal(err)
		}
		if _, err := sub.NextMsg(10 * time.Second); err != nil {
			b.Fatal(err)
		}
		d = append(d, time.Since(began))
		for len(m.Stored()) > 0 {
			time.Sleep(100 * time.Microsecond)
		}
	}
	b.ReportMetric(inMS(quantile(d, .5)), "ms-p50")
	b.ReportMetric(inMS(quantile(d, .99)), "ms-p99")
	b.ReportMetric(inMS(fsyncTime(b, dir)), "ms-fsync")
}

// BenchmarkOTP is create and verify over HTTP with 16 clients.
func BenchmarkOTP(b *testing.B) {
	dir := b.TempDir()
	a := newBenchApp(b, dir, 1, nil)
	defer a.end()
	const clients = 16
	jobs := make(chan int)
	var wg sync.WaitGroup
	for range clients {
		wg.Go(func() {
			for i := range jobs {
				var o struct {
					ID string `json:"id"`
				}
				if s := a.call("POST", "/v1/otp", map[string]any{"to": fmt.Sprintf("+99955%07d", i)}, &o); s != http.StatusCreated {
					b.Errorf("create: %d", s)
					return
				}
				var v struct {
					Valid bool `json:"valid"`
				}
				if s := a.call("POST", "/v1/otp/"+o.ID+"/verify", map[string]any{"code": "0000000000"}, &v); s != http.StatusOK || v.Valid {
					b.Errorf("verify: %d %v", s, v.Valid)
				}
			}
		})
	}
	began, n := time.Now(), 0
	for b.Loop() {
		jobs <- n
		n++
	}
	close(jobs)
	wg.Wait()
	b.ReportMetric(float64(n)/time.Since(began).Seconds(), "otp/s")
	b.ReportMetric(inMS(fsyncTime(b, dir)), "ms-fsync")
}

// gwStats is the number of durable commits of the store.
func (t *benchApp) gwStats() uint64 {
	t.b.Helper()
	return t.gw.Commits()
}
