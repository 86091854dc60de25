package main_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

func pidOf(g *program) string { return strconv.Itoa(g.cmd.Process.Pid) + "\n" }

func (r *reader) natsGo(t *testing.T, b block) {
	g := r.site.start(t, r.compiled(t, b))
	r.site.text(t, "to a Go program")
	g.await(t, `sms\.inbound\.modem0\.447700900123 .*to a Go program`)
}

// natsNode needs the packages of nats.js: NODE_PATH names the directory they
// are in. Without them only the syntax is checked.
func (r *reader) natsNode(t *testing.T, b block) {
	r.site.need(t, "node")
	path := r.site.write(t, "nats.mjs", b.text)
	r.site.start(t, "node", "--check", path).finish(t)
	modules, _, _ := strings.Cut(os.Getenv("NODE_PATH"), string(os.PathListSeparator))
	if _, err := os.Stat(filepath.Join(modules, "@nats-io", "jetstream")); modules == "" || err != nil {
		t.Skip("NODE_PATH names no directory with @nats-io/transport-node and @nats-io/jetstream: only the syntax was checked")
	}
	if err := os.Symlink(modules, filepath.Join(r.site.dir, "node_modules")); err != nil {
		t.Fatal(err)
	}
	g := r.site.start(t, "node", path)
	r.site.text(t, "to a Node program")
	g.await(t, `\+447700900123 to a Node program`)
}

// natsRights gives the account of modemgate in somebody else's server these
// rights and no more, and has the whole job done: streams are made, events of
// each kind reach a subscriber, and a number is erased.
func (r *reader) natsRights(t *testing.T, b block) {
	p := newPlace(t)
	r.common(p)
	data := filepath.Join(p.dir, "data")
	p.set("MODEMGATE_DATA_DIR", data)
	p.set("MODEMGATE_MODEMS_SIMULATE", "1")
	p.set("MODEMGATE_NATS_URL", foreignServer(t, p, b.text))
	nc, err := nats.Connect(p.get("MODEMGATE_NATS_URL"), nats.Timeout(time.Minute), nats.UserInfo("watcher", "w"))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	var subs []*nats.Subscription
	for _, subject := range []string{"sms.inbound.>", "sms.status.>", "otp.status.>", "modem.>"} {
		sub, err := nc.SubscribeSync(subject)
		if err != nil {
			t.Fatal(err)
		}
		subs = append(subs, sub)
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	daemon := p.start(t, "modemgate", "serve")
	daemon.await(t, "modemgate is ready")
	p.text(t, "to your own cluster")
	p.message(t, "Hello")
	p.sh(t, "modemgate otp send "+readmePhone)
	for _, sub := range subs {
		if _, err := sub.NextMsg(readmePatience); err != nil {
			t.Fatalf("no event on %s: %v", sub.Subject, err)
		}
	}
	says(t, p.sh(t, "modemgate status"), `nats +connected`)
	says(t, p.sh(t, "modemgate erase "+readmePhone), `events in the streams +[1-9]`)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	s, err := js.Stream(t.Context(), "SMS_INBOUND")
	if err != nil {
		t.Fatal(err)
	}
	if n := s.CachedInfo().State.Msgs; n != 0 {
		t.Errorf("%d messages are left in the stream", n)
	}
	daemon.interrupt(t)
	daemon.finish(t)
}

// foreignServer is a NATS server whose user without credentials has the given
// permissions. It returns its URL.
func foreignServer(t *testing.T, p *place, permissions string) string {
	t.Helper()
	o, err := server.ProcessConfigFile(p.write(t, "nats.conf", fmt.Sprintf(`
listen: "127.0.0.1:-1"
jetstream: {store_dir: %q}
no_auth_user: modemgate
authorization: {users: [
  {user: watcher, password: w}
  {user: modemgate, password: m, permissions: {
%s
  }}
]}
`, filepath.Join(p.dir, "nats"), permissions)))
	if err != nil {
		t.Fatal(err)
	}
	o.NoSigs, o.NoLog = true, true
	srv, err := server.NewServer(o)
	if err != nil {
		t.Fatal(err)
	}
	srv.Start()
	t.Cleanup(func() {
		srv.Shutdown()
		srv.WaitForShutdown()
	})
	if !srv.ReadyForConnections(readmePatience) {
		t.Fatal("the NATS server does not start")
	}
	return srv.ClientURL()
}
