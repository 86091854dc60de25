package events

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// cluster is somebody else's NATS server that can go and come back on the
// same port.
type cluster struct {
	opts server.Options
	srv  *server.Server
}

func newCluster(t *testing.T, change func(*server.Options)) *cluster {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cluster{opts: server.Options{Host: "127.0.0.1", Port: l.Addr().(*net.TCPAddr).Port, JetStream: true,
		StoreDir: t.TempDir(), NoSigs: true, NoLog: true}}
	l.Close()
	if change != nil {
		change(&c.opts)
	}
	t.Cleanup(c.stop)
	return c
}

func (c *cluster) url() string { return fmt.Sprintf("nats://127.0.0.1:%d", c.opts.Port) }

func (c *cluster) start(t *testing.T) {
	t.Helper()
	opts := c.opts
	srv, err := server.NewServer(&opts)
	if err != nil {
		t.Fatal(err)
	}
	srv.Start()
	if !srv.ReadyForConnections(patience) {
		t.Fatal("the other server does not start")
	}
	c.srv = srv
}

func (c *cluster) stop() {
	if c.srv != nil {
		c.srv.Shutdown()
		c.srv.WaitForShutdown()
		c.srv = nil
	}
}

func TestExternalAwayAtStartAndLater(t *testing.T) {
	t.Parallel()
	c := newCluster(t, nil)
	r := newRig(t, func(o *Options) { o.URL = c.url() })
	if s := r.State(); s.Connected || s.Embedded || s.Error == "" {
		t.Errorf("state without a server %+v", s)
	}
	for i := range 100 {
		r.box.sms("front", i+1)
	}
	c.start(t)
	r.published(t)
	eventually(t, "connected", func() bool { return r.State().Connected })
	if got, want := r.State().Addr, strings.TrimPrefix(c.url(), "nats://"); got != want {
		t.Errorf("addr %q, want %q", got, want)
	}
	c.stop()
	eventually(t, "connection lost", func() bool { return !r.State().Connected })
	for i := range 100 {
		r.box.sms("front", i+101)
	}
	r.box.status("k", "msg_1")
	c.start(t)
	r.published(t)
	if got := r.ids(t, streamInbound); !slices.Equal(got, wantIDs(200)) {
		t.Errorf("the stream holds %d messages, want 200, each once and in order", len(got))
	}
	eventually(t, "connected", func() bool { return r.State().Connected })
}

// Killed in the middle of publishing, again and again.
func TestExternalGoesWhilePublishing(t *testing.T) {
	t.Parallel()
	c := newCluster(t, func(o *server.Options) { o.SyncAlways = true })
	c.start(t)
	r := newRig(t, func(o *Options) { o.URL = c.url(); o.dedupe = 100 * time.Millisecond })
	n := 0
	for range 3 {
		for range 400 {
			n++
			r.box.sms("front", n)
		}
		half := r.box.waiting() / 2
		eventually(t, "half of it published", func() bool { return r.box.waiting() < half })
		c.stop()
		c.start(t)
	}
	r.published(t)
	if got := r.ids(t, streamInbound); !slices.Equal(got, wantIDs(n)) {
		t.Errorf("the stream holds %d messages, want %d, each once and in order", len(got), n)
	}
}

func TestExternalStreamMadeByTheOperator(t *testing.T) {
	t.Parallel()
	c := newCluster(t, nil)
	c.start(t)
	nc, err := nats.Connect(c.url(), nats.Timeout(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "SMS_INBOUND", Subjects: []string{"sms.inbound.>"}}); err != nil {
		t.Fatal(err)
	}
	sub := listen(t, nc, "sms.>")
	r := newRig(t, func(o *Options) { o.URL = c.url() })
	r.box.sms("front", 1)
	r.box.status("k", "msg_1")
	r.published(t)
	for range 2 { // the one through the operator's stream, the other through ours
		if _, err := sub.NextMsg(patience); err != nil {
			t.Fatal(err)
		}
	}
	silent(t, sub)
	if got := r.ids(t, streamInbound); !slices.Equal(got, wantIDs(1)) {
		t.Errorf("the stream holds %v", got)
	}
	if err := r.Provision(t.Context(), Grant{Key: "k"}); err != nil {
		t.Errorf("provision: %v", err)
	}
	r.Revoke("k")
}

func TestExternalWithoutRightsIsSaidInWords(t *testing.T) {
	t.Parallel()
	c := newCluster(t, func(o *server.Options) {
		o.Users = []*server.User{{Username: "gw", Password: "pw", Permissions: &server.Permissions{
			Publish: &server.SubjectPermission{Deny: []string{"$JS.API.STREAM.CREATE.>"}}}}}
	})
	c.start(t)
	r := newRig(t, func(o *Options) {
		o.URL, o.apiTimeout = strings.Replace(c.url(), "nats://", "nats://gw:pw@", 1), 500*time.Millisecond
	})
	r.box.sms("front", 1)
	eventually(t, "the missing right is named", func() bool {
		s := r.State()
		return !s.Connected && strings.Contains(s.Error, "SMS_INBOUND is missing") && !strings.Contains(s.Error, "pw@")
	})
	if r.box.waiting() != 1 {
		t.Error("the event did not wait")
	}
}

func TestExternalWithoutJetStreamIsSaidInWords(t *testing.T) {
	t.Parallel()
	c := newCluster(t, func(o *server.Options) { o.JetStream = false })
	c.start(t)
	r := newRig(t, func(o *Options) { o.URL = c.url() })
	eventually(t, "JetStream is named", func() bool { return strings.Contains(r.State().Error, "JetStream") })
}
