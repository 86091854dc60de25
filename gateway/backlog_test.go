package gateway_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/modemgate/modemgate/driver/sim"
	"github.com/modemgate/modemgate/gateway"
	"github.com/modemgate/modemgate/gateway/events"
	"github.com/modemgate/modemgate/gateway/store"
)

// broker is a NATS server of somebody else that is away until start.
type broker struct {
	t    *testing.T
	opts server.Options
}

func newBroker(t *testing.T) *broker {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return &broker{t, server.Options{
		Host: "127.0.0.1", Port: l.Addr().(*net.TCPAddr).Port, JetStream: true, StoreDir: t.TempDir(), NoSigs: true, NoLog: true,
	}}
}

func (b *broker) url() string { return fmt.Sprintf("nats://127.0.0.1:%d", b.opts.Port) }

func (b *broker) start() {
	b.t.Helper()
	srv, err := server.NewServer(&b.opts)
	if err != nil {
		b.t.Fatal(err)
	}
	srv.Start()
	b.t.Cleanup(func() { srv.Shutdown(); srv.WaitForShutdown() })
	if !srv.ReadyForConnections(deadline) {
		b.t.Fatal("the NATS server does not start")
	}
}

// stream reads all that a stream holds: the subject and the Msg-Id of each.
func (b *broker) stream(name string) (ids []string) {
	b.t.Helper()
	nc, err := nats.Connect(b.url(), nats.Timeout(deadline))
	if err != nil {
		b.t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		b.t.Fatal(err)
	}
	s, err := js.Stream(b.t.Context(), name)
	if err != nil {
		b.t.Fatal(err)
	}
	c, err := js.OrderedConsumer(b.t.Context(), name, jetstream.OrderedConsumerConfig{})
	if err != nil {
		b.t.Fatal(err)
	}
	for want := int(s.CachedInfo().State.Msgs); len(ids) < want; {
		batch, err := c.Fetch(min(2000, want-len(ids)), jetstream.FetchMaxWait(deadline))
		if err != nil {
			b.t.Fatal(err)
		}
		for m := range batch.Messages() {
			ids = append(ids, m.Subject()+" "+m.Headers().Get(nats.MsgIdHdr))
		}
		if batch.Error() != nil {
			b.t.Fatal(batch.Error())
		}
	}
	return ids
}

// waiting lists the events that wait to be published, as stream reads them.
func (r *rig) waiting(stream string) (ids []string) {
	r.t.Helper()
	err := r.st.View(r.t.Context(), func(tx store.Tx) error {
		list, err := tx.PendingEvents(stream, 0, 1<<20)
		for _, e := range list {
			ids = append(ids, e.Subject+" "+e.MsgID)
		}
		return err
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return ids
}

// backlog adds n received SMS and n/2 changes of messages to the outbox, as an
// hour of a busy site does.
func (r *rig) backlog(n int) {
	r.t.Helper()
	text := strings.Repeat("The same text as ever. ", 7)
	for done := 0; done < n; {
		err := r.st.Update(r.t.Context(), "backlog", func(tx store.Tx) error {
			for end := min(n, done+5000); done < end; done++ {
				id, at := fmt.Sprintf("in_b%06d", done), r.now()
				payload, _ := json.Marshal(map[string]any{"schema": 1, "id": id, "seq": done + 1, "text": text})
				e := &store.Event{Stream: "inbound", Subject: "sms.inbound.modem0.447700900001", MsgID: id, Type: "modemgate.sms.received.v1", At: at, Payload: payload}
				if err := tx.AddEvent(e); err != nil {
					return err
				}
				if done%2 == 0 {
					id = fmt.Sprintf("msg_b%06d", done)
					payload, _ = json.Marshal(map[string]any{"schema": 1, "id": id, "state": "delivered"})
					e = &store.Event{Stream: "status", Subject: "sms.status.app." + id, MsgID: id + ".1", Type: "modemgate.sms.status.v1", At: at, Payload: payload}
					if err := tx.AddEvent(e); err != nil {
						return err
					}
				}
			}
			return nil
		})
		if err != nil {
			r.t.Fatal(err)
		}
	}
}

// TestAnHourWithoutNATS has NATS away until what an hour of a busy site makes
// waits for it. Meanwhile messages are accepted, sent and received as ever;
// when NATS comes, all is in the streams once and in order.
func TestAnHourWithoutNATS(t *testing.T) {
	t.Parallel()
	b := newBroker(t)
	var bus *events.Bus
	r := newRigHere(t, func(o *gateway.Options) {
		var err error
		if bus, err = events.Open(context.Background(), events.Options{URL: b.url(), Site: o.Site, Log: o.Log}); err != nil {
			t.Fatal(err)
		}
		o.Bus = bus
	}, nil)
	t.Cleanup(func() {
		r.halt()
		ctx, cancel := context.WithTimeout(context.Background(), deadline)
		defer cancel()
		if err := bus.Close(ctx); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	r.lineState("modem0", "up")
	const hour = 14_000 // and half as many changes: over 20,000 events
	r.backlog(hour)
	work := func(n int) { // a round of both journeys, each waited for
		t.Helper()
		v := r.post(gateway.NewMessage{To: alice, Text: fmt.Sprint("while NATS is as it is ", n)})
		r.await(v.ID, "delivered")
		r.to0(fmt.Sprint("received meanwhile ", n), sim.SendOptions{})
		r.inbound(n)
	}
	for n := range 3 {
		work(n + 1)
	}
	if bus.State().Connected {
		t.Fatal("NATS was not away")
	}
	want := map[string][]string{"SMS_INBOUND": r.waiting("inbound"), "SMS_STATUS": r.waiting("status")}
	if len(want["SMS_INBOUND"]) != hour+3 || len(want["SMS_STATUS"]) < hour/2+3*3 {
		t.Fatalf("%d and %d events wait", len(want["SMS_INBOUND"]), len(want["SMS_STATUS"]))
	}
	b.start()
	work(4) // while the publishers catch up
	r.until("all is published", func() bool {
		n := map[string]int{}
		err := r.st.View(t.Context(), func(tx store.Tx) (err error) { n, err = tx.CountEvents(); return err })
		return err == nil && n["inbound"]+n["status"] == 0
	})
	if s := bus.State(); s.SetAside != 0 {
		t.Errorf("%d events were set aside", s.SetAside)
	}
	for stream, first := range want {
		got, seen := b.stream(stream), map[string]bool{}
		for i, id := range got {
			if seen[id] {
				t.Fatalf("%s holds %s twice", stream, id)
			}
			if seen[id] = true; i < len(first) && id != first[i] {
				t.Fatalf("%s holds %s in place %d, not %s", stream, id, i, first[i])
			}
		}
		if len(got) <= len(first) {
			t.Errorf("%s holds %d events: %d waited, and more came while they were published", stream, len(got), len(first))
		}
	}
}
