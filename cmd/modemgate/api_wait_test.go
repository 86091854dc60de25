package main

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/modemgate/modemgate/driver/sim"
)

func waitOnFinal(s *station) {
	id := s.message(s.admin, number(), "hello").text("id")
	m := s.reaches("/v1/messages/"+id, "delivered")
	began := time.Now()
	again := s.ask(s.admin, "GET", fmt.Sprintf("/v1/messages/%s?wait=50s&after=%d", id, m.int("rev")), "").want(s.t, 200, "")
	if again.raw != m.raw || time.Since(began) > 45*time.Second {
		s.t.Errorf("after %s: %s", time.Since(began), again.raw)
	}
	s.ask(s.admin, "GET", "/v1/messages/"+id+"?wait=10m", "").want(s.t, 200, "")
}

func waitAboveAfter(s *station) {
	s.pause()
	o := s.otp(s.admin, number())
	began := time.Now()
	s.ask(s.admin, "GET", fmt.Sprintf("/v1/otp/%s?wait=50s&after=%d", o.text("id"), o.int("rev")-1), "").want(s.t, 200, "")
	if time.Since(began) > 45*time.Second {
		s.t.Error("waited")
	}
}

func waitForChange(s *station) {
	s.pause()
	for _, known := range []bool{false, true} {
		m := s.message(s.admin, number(), "hello")
		now := s.ask(s.admin, "GET", "/v1/messages/"+m.text("id"), "")
		after := ""
		if known {
			after = fmt.Sprintf("&after=%d", now.int("rev"))
		}
		var got body
		var wg sync.WaitGroup
		wg.Go(func() { got = s.ask(s.admin, "GET", "/v1/messages/"+m.text("id")+"?wait=50s"+after, "") })
		// Without a rev the wait is for what comes after the request came in.
		s.until("the request waits", func() bool { return s.waiting() > 0 })
		s.ask(s.admin, "POST", "/v1/messages/"+m.text("id")+"/cancel", "").want(s.t, 200, "")
		wg.Wait()
		if got.int("rev") <= now.int("rev") || got.text("state") != "canceled" || !got.flag("final") {
			s.t.Errorf("after %q: %s", after, got.raw)
		}
	}
}

// waiting counts goroutines of long polls.
func (s *station) waiting() int { return strings.Count(stacks(), "gateway.(*Gateway).await(") }

func waitUnchanged(s *station) {
	s.pause()
	o := s.otp(s.admin, number())
	began := time.Now()
	got := s.ask(s.admin, "GET", fmt.Sprintf("/v1/otp/%s?wait=100ms&after=%d", o.text("id"), o.int("rev")), "").want(s.t, 200, "")
	if got.int("rev") != o.int("rev") || time.Since(began) < 100*time.Millisecond {
		s.t.Errorf("rev %d after %s", got.int("rev"), time.Since(began))
	}
}

func waitMalformed(s *station) {
	id := s.message(s.admin, number(), "hello").text("id")
	for _, q := range []string{"wait=5", "wait=-5s", "wait=x", "wait=1s&wait=2s", "after=x", "after=-1", "after=1.5", "until=now"} {
		s.ask(s.admin, "GET", "/v1/messages/"+id+"?"+q, "").want(s.t, 400, "invalid-request")
	}
	s.ask(s.admin, "GET", "/v1/inbound?wait=1s", "").want(s.t, 400, "invalid-request")
}

func revAndFinal(s *station) {
	s.pause()
	id := s.message(s.admin, number(), "hello").text("id")
	last := s.ask(s.admin, "GET", "/v1/messages/"+id, "")
	s.resume()
	for !last.flag("final") {
		next := s.ask(s.admin, "GET", fmt.Sprintf("/v1/messages/%s?wait=20s&after=%d", id, last.int("rev")), "").want(s.t, 200, "")
		if next.int("rev") <= last.int("rev") {
			s.t.Fatalf("rev %d after %d", next.int("rev"), last.int("rev"))
		}
		last = next
	}
	if last.int("rev") < 3 || last.text("state") != "delivered" {
		s.t.Errorf("the last is %s", last.raw)
	}
}

func answersBeforeRadio(s *station) {
	reached, release := make(chan struct{}, 8), make(chan struct{})
	for _, m := range s.sim.Modems() {
		m.OnPoint(func(o sim.Occasion) {
			if o.Point == sim.PointPrompt {
				reached <- struct{}{}
				<-release
			}
		})
	}
	defer close(release)
	m := s.message(s.admin, number(), "hello")
	<-reached
	if got := s.ask(s.admin, "GET", "/v1/messages/"+m.text("id"), ""); m.text("state") != "queued" || got.text("state") != "sending" {
		s.t.Errorf("%s, then %s", m.text("state"), got.text("state"))
	}
	if o := s.otp(s.admin, number()); o.text("delivery.state") != "queued" {
		s.t.Errorf("the OTP answers %s", o.raw)
	}
}

// inboundFeed reads a feed in small bites while texts arrive on both lines.
func inboundFeed(s *station) {
	const texts = 12
	after := s.ask(s.admin, "GET", "/v1/inbound/cursor", "").text("cursor")
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := range texts {
			body := fmt.Sprintf(`{"text":"feed %d","line":"modem%d"}`, i, i%2)
			s.ask(s.admin, "POST", "/v1/sim/phones/+447700900001/send", body).want(s.t, 202, "")
		}
	})
	var got []string
	for len(got) < texts {
		page := s.ask(s.admin, "GET", "/v1/inbound?order=asc&limit=2&wait=20s&after="+after, "").want(s.t, 200, "")
		if len(page.list("items")) == 0 {
			s.t.Fatalf("nothing came after %v", got)
		}
		for _, in := range page.list("items") {
			got = append(got, in.text("text"))
		}
		after = page.text("next_cursor")
	}
	wg.Wait()
	slices.Sort(got)
	if n := len(slices.Compact(slices.Clone(got))); n != texts || len(got) != texts {
		s.t.Errorf("the feed had %v", got)
	}
	if end := s.ask(s.admin, "GET", "/v1/inbound?order=asc&after="+after, ""); end.text("next_cursor") != after || len(end.list("items")) != 0 {
		s.t.Errorf("the end of the feed is %s", end.raw)
	}
}

func waitsBounded(s *station) {
	s.pause()
	key := s.someKey("send")
	id := s.message(key, number(), "hello").text("id")
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	client := &http.Client{Transport: &http.Transport{}}
	for range 64 {
		wg.Go(func() {
			for ctx.Err() == nil { // refused ones try again: those of the test take places too
				req, _ := http.NewRequestWithContext(ctx, "GET", "http://"+s.api.Addr().String()+"/v1/messages/"+id+"?wait=50s", nil)
				req.Header.Set("Authorization", "Bearer "+key)
				if resp, err := client.Do(req); err == nil {
					resp.Body.Close()
				}
			}
		})
	}
	var b body
	s.until("the key has all its waits", func() bool {
		b = s.ask(key, "GET", "/v1/messages/"+id+"?wait=1ms", "")
		return b.status == 429
	})
	if b.text("code") != "limit-exceeded" || b.text("limit") != "waits" {
		s.t.Errorf("%s", b.raw)
	}
	s.ask(s.admin, "GET", "/v1/messages/"+id+"?wait=1ms", "").want(s.t, 200, "") // another key
	s.ask(key, "GET", "/v1/messages/"+id, "").want(s.t, 200, "")                 // no wait
}
