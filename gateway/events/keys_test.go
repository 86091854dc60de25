package events

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

func TestGrantDecidesWhatIsRead(t *testing.T) {
	t.Parallel()
	all := []string{"sms.inbound.back.447700900001", "sms.inbound.front.447700900001", "sms.status.me.msg_1", "sms.status.other.msg_1",
		"otp.status.me.otp_1", "otp.status.other.otp_1", "modem.front.up"}
	own := []string{"otp.status.me.otp_1", "sms.status.me.msg_1"}
	tests := []struct {
		name    string
		grant   Grant
		inbound []string // nil: no consumer
		status  []string
	}{
		{"nothing but its own", Grant{}, nil, own},
		{"inbound", Grant{Inbound: true}, all[:2], own},
		{"one line", Grant{Inbound: true, InboundLines: []string{"back"}}, all[:1], own},
		{"two lines", Grant{Inbound: true, InboundLines: []string{"front", "back", "front"}}, all[:2], own},
		{"status", Grant{Status: true}, nil, []string{"modem.front.up", own[0], own[1]}},
		{"messages", Grant{AllMessages: true}, nil, []string{own[0], own[1], "sms.status.other.msg_1"}},
		{"admin", Grant{Inbound: true, AllMessages: true, Status: true}, all[:2], []string{"modem.front.up", own[0], own[1], "sms.status.other.msg_1"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, nil)
			tt.grant.Key = "me"
			r.keys.set("tok", tt.grant)
			nc := r.client(t, "tok")
			live := listen(t, nc, ">")
			for i, subject := range all {
				stream := streamStatus
				if i < 2 {
					stream = streamInbound
				}
				r.box.add(stream, subject, "ev"+subject, []byte("{}"))
			}
			r.published(t)
			var got []string
			for range len(tt.inbound) + len(tt.status) {
				m, err := live.NextMsg(patience)
				if err != nil {
					t.Fatalf("live after %v: %v", got, err)
				}
				got = append(got, m.Subject)
			}
			silent(t, live)
			slices.Sort(got)
			want := slices.Sorted(slices.Values(slices.Concat(tt.inbound, tt.status)))
			if !slices.Equal(got, want) {
				t.Errorf("live %v, want %v", got, want)
			}
			live.Unsubscribe()
			reads(t, nc, "SMS_STATUS", tt.status)
			if tt.inbound != nil {
				reads(t, nc, "SMS_INBOUND", tt.inbound)
			} else if _, err := r.js.Consumer(t.Context(), "SMS_INBOUND", "me"); err == nil {
				t.Error("an inbound consumer without the scope")
			}
		})
	}
}

func reads(t *testing.T, nc *nats.Conn, stream string, want []string) {
	t.Helper()
	c := consumer(t, nc, stream, "me")
	got := fetch(t, c, len(want))
	nothing(t, c)
	slices.Sort(got)
	if !slices.Equal(got, slices.Sorted(slices.Values(want))) {
		t.Errorf("%s gave %v, want %v", stream, got, want)
	}
}

func TestConsumeWithCallbackAndLegacyClient(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	r.keys.set("tok", Grant{Key: "me", Inbound: true})
	nc := r.client(t, "tok")
	got := make(chan string, 10)
	cc, err := consumer(t, nc, "SMS_INBOUND", "me").Consume(func(m jetstream.Msg) {
		m.Ack()
		got <- m.Headers().Get(nats.MsgIdHdr)
	})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		r.box.sms("front", i+1)
	}
	for i := range 3 {
		select {
		case id := <-got:
			if id != wantIDs(3)[i] {
				t.Errorf("got %s", id)
			}
		case <-time.After(patience):
			t.Fatal("Consume gave nothing")
		}
	}
	cc.Stop()
	<-cc.Closed()

	old, err := nc.JetStream(nats.APIPrefix("modemgate.API"))
	if err != nil {
		t.Fatal(err)
	}
	sub, err := old.PullSubscribe("", "me", nats.Bind("SMS_INBOUND", "me"))
	if err != nil {
		t.Fatal(err)
	}
	r.box.sms("front", 4)
	msgs, err := sub.Fetch(1, nats.MaxWait(patience))
	if err != nil || len(msgs) != 1 {
		t.Fatalf("legacy fetch: %v %v", msgs, err)
	}
	if err := msgs[0].AckSync(); err != nil {
		t.Errorf("legacy ack: %v", err)
	}
}

func TestConsumerStartsAfterInboundFrom(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	for n := 10; n <= 30; n += 2 { // seqs have gaps
		r.box.sms("front", n)
	}
	r.published(t)
	s, err := r.js.Stream(t.Context(), "SMS_INBOUND")
	if err != nil {
		t.Fatal(err)
	}
	for _, seq := range []uint64{1, 2, 6} { // and so have sequences
		if err := s.DeleteMsg(t.Context(), seq); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct{ from, want int }{{0, 8}, {9, 8}, {14, 7}, {17, 6}, {20, 5}, {21, 5}, {28, 1}, {29, 1}, {30, 0}, {99, 0}} {
		key := fmt.Sprintf("k%d", tt.from)
		r.keys.set(key, Grant{Key: key, Inbound: true, InboundFrom: uint64(tt.from)})
		c := consumer(t, r.client(t, key), "SMS_INBOUND", key)
		if got := int(c.CachedInfo().NumPending); got != tt.want {
			t.Errorf("from %d: %d messages wait, want %d", tt.from, got, tt.want)
		}
	}
}

// SMS older than the key may still be in the outbox when it is made.
func TestNewKeyDoesNotReadWhatIsOnItsWay(t *testing.T) {
	t.Parallel()
	hold := make(chan struct{})
	r := newRig(t, func(o *Options) {
		o.Hook = func(point string) {
			if point == "publish:inbound:before" {
				<-hold
			}
		}
	})
	r.box.sms("front", 1)
	made := make(chan error, 1)
	go func() { made <- r.Provision(t.Context(), Grant{Key: "new", Inbound: true, InboundFrom: 1}) }()
	eventually(t, "the key is being made", func() bool { _, ok := r.gate.granted("new"); return ok })
	close(hold)
	if err := <-made; err != nil {
		t.Fatal(err)
	}
	r.box.sms("front", 2)
	r.published(t)
	r.keys.set("tok", Grant{Key: "new", Inbound: true, InboundFrom: 1})
	if got := consumer(t, r.client(t, "tok"), "SMS_INBOUND", "new").CachedInfo().NumPending; got != 1 {
		t.Errorf("%d messages wait, want 1", got)
	}
}

func TestStatusFrom(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	r.box.status("me", "old")
	r.published(t)
	r.keys.set("tok", Grant{Key: "me", StatusFrom: time.Now()})
	nc := r.client(t, "tok")
	r.box.status("me", "new")
	r.published(t)
	reads(t, nc, "SMS_STATUS", []string{"sms.status.me.new"})
}

func TestChangedGrantReplacesImports(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	r.keys.set("tok", Grant{Key: "me", Inbound: true})
	back := make(chan struct{}, 1)
	nc := r.client(t, "tok", nats.ReconnectWait(10*time.Millisecond), nats.ReconnectHandler(func(*nats.Conn) { back <- struct{}{} }))
	live := listen(t, nc, "sms.inbound.>")
	r.box.sms("front", 1)
	if _, err := live.NextMsg(patience); err != nil {
		t.Fatal(err)
	}
	fetch(t, consumer(t, nc, "SMS_INBOUND", "me"), 1)

	narrow := Grant{Key: "me", Inbound: true, InboundLines: []string{"back"}}
	r.keys.set("tok", narrow)
	if err := r.Provision(t.Context(), narrow); err != nil {
		t.Fatal(err)
	}
	select {
	case <-back:
	case <-time.After(patience):
		t.Fatal("the client did not come back")
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	r.box.sms("front", 2)
	r.box.sms("back", 3)
	if m, err := live.NextMsg(patience); err != nil || m.Subject != "sms.inbound.back.447700900001" {
		t.Errorf("live %v %v", m, err)
	}
	reads(t, nc, "SMS_INBOUND", []string{"sms.inbound.back.447700900001"})
	// Without the scope the consumer goes, with it back it starts anew.
	if err := r.Provision(t.Context(), Grant{Key: "me"}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.js.Consumer(t.Context(), "SMS_INBOUND", "me"); err == nil {
		t.Error("the consumer outlived the scope")
	}
}

func TestGenerationStartsAnew(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	r.box.sms("front", 1)
	r.published(t)
	r.keys.set("tok1", Grant{Key: "me", Generation: 1, Inbound: true})
	fetch(t, consumer(t, r.client(t, "tok1"), "SMS_INBOUND", "me"), 1)
	r.keys.remove("tok1")
	r.keys.set("tok2", Grant{Key: "me", Generation: 2, Inbound: true})
	fetch(t, consumer(t, r.client(t, "tok2"), "SMS_INBOUND", "me"), 1)
}

func TestExpiredKeyEnds(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	g := Grant{Key: "me", Inbound: true, ExpiresAt: time.Now().Add(700 * time.Millisecond)}
	r.keys.set("tok", g)
	closed := make(chan struct{})
	nc := r.client(t, "tok", nats.NoReconnect(), nats.ClosedHandler(func(*nats.Conn) { close(closed) }))
	consumer(t, nc, "SMS_INBOUND", "me")
	select {
	case <-closed:
	case <-time.After(patience):
		t.Fatal("the connection of an expired key stands")
	}
	eventually(t, "consumers deleted", func() bool {
		_, err1 := r.js.Consumer(t.Context(), "SMS_INBOUND", "me")
		_, err2 := r.js.Consumer(t.Context(), "SMS_STATUS", "me")
		return err1 != nil && err2 != nil
	})
	if late := time.Since(g.ExpiresAt); late > 2*time.Second {
		t.Logf("ended %v after it expired", late)
	}
	if nc, err := nats.Connect("nats://"+r.Addr(), nats.Timeout(time.Minute), nats.Token("tok")); err == nil {
		nc.Close()
		t.Error("an expired key got in")
	}
	if err := r.Provision(t.Context(), g); err == nil {
		t.Error("an expired key was provisioned")
	}
}

func TestRetainDeletesConsumersOfOthers(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	for _, key := range []string{"a", "b"} {
		if err := r.Provision(t.Context(), Grant{Key: key, Inbound: true}); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Retain(t.Context(), func(key string) bool { return key == "b" }); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]bool{"a": false, "b": true} {
		for _, stream := range []string{"SMS_INBOUND", "SMS_STATUS"} {
			if _, err := r.js.Consumer(t.Context(), stream, key); (err == nil) != want {
				t.Errorf("consumer %s of %s: %v", key, stream, err)
			}
		}
	}
}

func TestNamesThatAreNoTokensAreRefused(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	for _, g := range []Grant{{Key: ""}, {Key: "*"}, {Key: ">"}, {Key: "a.b"}, {Key: "a b"}, {Key: "Ä"},
		{Key: "k", Inbound: true, InboundLines: []string{"*"}}, {Key: "k", Inbound: true, InboundLines: []string{"a.>"}}, {Key: "k", Inbound: true, InboundLines: []string{""}}} {
		r.keys.set("tok", g)
		if err := r.Provision(t.Context(), g); err == nil {
			t.Errorf("grant %+v was provisioned", g)
		}
		if nc, err := nats.Connect("nats://"+r.Addr(), nats.Timeout(time.Minute), nats.Token("tok")); err == nil {
			nc.Close()
			t.Errorf("grant %+v got in", g)
		}
	}
}

func TestPrefix(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(o *Options) { o.Prefix = "site-7" })
	r.keys.set("tok", Grant{Key: "me", Inbound: true})
	nc := r.client(t, "tok")
	live := listen(t, nc, "site-7.sms.inbound.>")
	r.box.sms("front", 1)
	if _, err := live.NextMsg(patience); err != nil {
		t.Fatal(err)
	}
	js, err := jetstream.NewWithAPIPrefix(nc, "site-7.modemgate.API")
	if err != nil {
		t.Fatal(err)
	}
	c, err := js.Consumer(t.Context(), "SITE_7_SMS_INBOUND", "me")
	if err != nil {
		t.Fatal(err)
	}
	if got := fetch(t, c, 1); got[0] != "site-7.sms.inbound.front.447700900001" {
		t.Errorf("got %v", got)
	}
	n, err := r.Erase(t.Context(), func(subject string, _ []byte) bool { return subject == "sms.inbound.front.447700900001" })
	if n != 1 || err != nil {
		t.Errorf("erase: %d, %v", n, err)
	}
	if _, err := Open(t.Context(), Options{Dir: t.TempDir(), Prefix: "A.b"}); err == nil {
		t.Error("a prefix of two tokens was taken")
	}
}

// A client may connect while its consumers cannot be made.
func TestConsumersFollowTheConnection(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	if err := r.js.DeleteStream(t.Context(), "SMS_STATUS"); err != nil {
		t.Fatal(err)
	}
	r.keys.set("tok", Grant{Key: "me"})
	nc := r.client(t, "tok")
	r.box.status("me", "msg_1") // makes the stream anew
	r.published(t)
	eventually(t, "the consumer followed", func() bool {
		_, err := r.js.Consumer(t.Context(), "SMS_STATUS", "me")
		return err == nil
	})
	reads(t, nc, "SMS_STATUS", []string{"sms.status.me.msg_1"})
}
