package main_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// web is what the tests speak HTTP with; a daemon that dies takes its
// connections along.
var web = &http.Client{Timeout: patience, Transport: &http.Transport{MaxIdleConnsPerHost: 4, IdleConnTimeout: time.Second}}

// errGone says that no whole answer came.
var errGone = errors.New("no answer")

// call makes one request of the present daemon. The error is errGone or nil.
func (r *rig) call(method, path, body, idempotency string, into any) (int, http.Header, error) {
	req, err := http.NewRequest(method, "http://"+r.now().api+path, strings.NewReader(body))
	if err != nil {
		return 0, nil, errGone // it never came up
	}
	req.Header.Set("Authorization", "Bearer "+r.key)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if idempotency != "" {
		req.Header.Set("Idempotency-Key", idempotency)
	}
	resp, err := web.Do(req)
	if err != nil {
		return 0, nil, errGone
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, nil, errGone
	}
	if p, refused := into.(*problem); refused {
		if resp.StatusCode >= 400 {
			_ = json.Unmarshal(b, p)
		}
	} else if into != nil && resp.StatusCode < 300 {
		if err := json.Unmarshal(b, into); err != nil {
			r.Errorf("%s %s: %v in %s", method, path, err, b)
		}
	}
	return resp.StatusCode, resp.Header, nil
}

// problem is an error of the API; into one, call reads nothing else.
type problem struct{ Code, Detail string }

// get reads something that must be there; false when no answer came.
func (r *rig) get(path string, into any) bool {
	r.Helper()
	status, _, err := r.call(http.MethodGet, path, "", "", into)
	if err == nil && status != http.StatusOK {
		r.Errorf("GET %s: %d", path, status)
	}
	return err == nil
}

// pages reads a whole list; false when an answer did not come.
func pages[T any](r *rig, path string, q url.Values) (all []T, ok bool) {
	r.Helper()
	q.Set("limit", "200")
	for {
		var page struct {
			Items      []T
			NextCursor *string `json:"next_cursor"`
		}
		if !r.get(path+"?"+q.Encode(), &page) {
			return nil, false
		}
		all = append(all, page.Items...)
		if page.NextCursor == nil || *page.NextCursor == "" || len(page.Items) == 0 {
			return all, true
		}
		name := "cursor"
		if q.Get("order") == "asc" && strings.HasSuffix(path, "/inbound") {
			name = "after"
		}
		q.Set(name, *page.NextCursor)
	}
}

// waiting counts the events that are not published.
func (r *rig) waiting() int { return r.broker().Waiting }

// broker is what the daemon says of NATS.
type broker struct {
	Connected bool
	Waiting   int    // events; -1 when no answer came
	Addr      string // of the embedded server
}

func (r *rig) broker() broker {
	var s struct{ NATS broker }
	if status, _, err := r.call(http.MethodGet, "/v1/status", "", "", &s); err != nil || status != http.StatusOK {
		return broker{Waiting: -1}
	}
	return s.NATS
}

// published says whether no event waits and subscribers are let in.
func (r *rig) published() bool {
	b := r.broker()
	return b.Connected && b.Waiting == 0
}

// event is one message of a stream.
type event struct {
	seq     uint64
	subject string
	id      string // ce-id
	body    struct {
		ID, State, Text, From string
		Incomplete            bool
	}
}

// subscriber reads the durable consumers of the key "ops", or, on somebody
// else's server, durables of its own.
type subscriber struct {
	nc   *nats.Conn
	cons map[string]jetstream.Consumer
}

var streams = []string{"SMS_INBOUND", "SMS_STATUS"}

func (r *rig) subscribe() (*subscriber, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	s := &subscriber{cons: map[string]jetstream.Consumer{}}
	var js jetstream.JetStream
	var err error
	if r.o.natsURL != "" {
		if s.nc, err = nats.Connect(r.o.natsURL, nats.Timeout(time.Minute), nats.NoReconnect()); err != nil {
			return nil, err
		}
		js, err = jetstream.New(s.nc)
	} else {
		if s.nc, err = nats.Connect("nats://"+r.broker().Addr, nats.Timeout(time.Minute), nats.Token(r.key), nats.NoReconnect()); err != nil {
			return nil, err
		}
		js, err = jetstream.NewWithAPIPrefix(s.nc, "modemgate.API")
	}
	for _, stream := range streams {
		if err != nil {
			break
		}
		if r.o.natsURL != "" {
			s.cons[stream], err = js.CreateOrUpdateConsumer(ctx, stream, jetstream.ConsumerConfig{Durable: "ops", AckPolicy: jetstream.AckExplicitPolicy})
		} else {
			s.cons[stream], err = js.Consumer(ctx, stream, "ops")
		}
	}
	if err != nil {
		s.nc.Close()
		return nil, err
	}
	return s, nil
}

// take fetches what is there, notes it and acknowledges it.
func (s *subscriber) take(l *ledger) (n int, err error) {
	for stream, c := range s.cons {
		batch, err := c.FetchNoWait(200)
		if err != nil {
			return n, err
		}
		for m := range batch.Messages() {
			meta, err := m.Metadata()
			if err != nil {
				return n, err
			}
			e := event{seq: meta.Sequence.Stream, subject: m.Subject(), id: m.Headers().Get(nats.MsgIdHdr)}
			if err := json.Unmarshal(m.Data(), &e.body); err != nil {
				return n, fmt.Errorf("%s: %w", m.Subject(), err)
			}
			l.event(stream, e)
			if err := m.Ack(); err != nil { // lost with the daemon it comes again, at the same place of the stream
				return n, err
			}
			n++
		}
	}
	return n, s.nc.Flush()
}

// pending says whether an event was given to somebody who has not acknowledged
// it: what a connection that was cut off had received comes again after the
// AckWait of the consumer.
func (s *subscriber) pending() (bool, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for _, c := range s.cons {
		info, err := c.Info(ctx)
		if err != nil || info.NumAckPending > 0 || info.NumPending > 0 {
			return true, err
		}
	}
	return false, nil
}

// drain waits until all events are published, and reads them.
func (r *rig) drain() {
	r.Helper()
	r.must("all events published", r.published)
	s, err := r.subscribe()
	if err != nil {
		r.Fatalf("subscribe: %v\n%s", err, r.now().tail())
	}
	defer s.nc.Close()
	r.must("every event is read", func() bool {
		_, err := s.take(r.books)
		pending := false
		if err == nil {
			pending, err = s.pending()
		}
		if err != nil {
			r.Fatalf("read events: %v", err)
		}
		return !pending
	})
}

// quote is s as JSON.
func quote(s string) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(s)
	return strings.TrimSpace(b.String())
}
