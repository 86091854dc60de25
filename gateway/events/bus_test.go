package events

import (
	"context"
	"slices"
	"testing"

	"github.com/nats-io/nats.go"
)

func TestInboundReachesLiveSubscriberAndConsumer(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	r.keys.set("tok", Grant{Key: "monitor", Inbound: true})
	nc := r.client(t, "tok")
	sub, err := nc.SubscribeSync("sms.inbound.>")
	if err != nil {
		t.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	e := r.box.sms("front", 1)
	m, err := sub.NextMsg(patience)
	if err != nil {
		t.Fatal(err)
	}
	if m.Subject != e.Subject || string(m.Data) != string(e.Payload) || m.Reply != "" {
		t.Errorf("live message %q reply %q", m.Subject, m.Reply)
	}
	want := map[string]string{"ce-specversion": "1.0", "ce-id": e.MsgID, "ce-type": e.Type, "ce-source": "/test/front",
		"content-type": "application/json", nats.MsgIdHdr: e.MsgID, "Nats-Sequence": "1", "Nats-Stream": "SMS_INBOUND"}
	for k, v := range want {
		if got := m.Header.Get(k); got != v {
			t.Errorf("header %s = %q, want %q", k, got, v)
		}
	}
	if got := fetch(t, consumer(t, nc, "SMS_INBOUND", "monitor"), 1); !slices.Equal(got, []string{e.Subject}) {
		t.Errorf("consumer gave %q", got)
	}
}

func TestConsumerSurvivesRestart(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	r.keys.set("tok", Grant{Key: "monitor", Inbound: true})
	nc := r.client(t, "tok")
	r.box.sms("front", 1)
	fetch(t, consumer(t, nc, "SMS_INBOUND", "monitor"), 1)
	nc.Close()
	r.box.sms("front", 2) // while the monitor is offline
	r.published(t)
	r.stop()
	r.open(t)
	r.box.sms("front", 3)
	r.published(t)
	c := consumer(t, r.client(t, "tok"), "SMS_INBOUND", "monitor")
	if got := len(fetch(t, c, 2)); got != 2 {
		t.Errorf("got %d", got)
	}
	nothing(t, c)
	if got := r.ids(t, streamInbound); !slices.Equal(got, []string{"in_1", "in_2", "in_3"}) {
		t.Errorf("stream holds %v", got)
	}
}

func TestOpenCloseInProcessOnly(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(o *Options) { o.Listen = "" })
	if r.Addr() != "" {
		t.Errorf("addr %q", r.Addr())
	}
	r.box.sms("front", 1)
	r.published(t)
	s := r.State()
	if !s.Connected || !s.Embedded || s.Error != "" {
		t.Errorf("state %+v", s)
	}
	r.stop()
	if err := r.Run(context.Background(), r.box); err != ErrClosed {
		t.Errorf("run after close: %v", err)
	}
}
