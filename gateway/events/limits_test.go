package events

import (
	"bufio"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
)

// handshake speaks the protocol by hand: CONNECT with the options unless they
// are "", then SUB, PUB and PING. It returns what the server says after INFO.
func handshake(t *testing.T, addr, connect string) string {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(patience))
	in := bufio.NewReader(c)
	if _, err := in.ReadString('\n'); err != nil { // INFO
		t.Fatal(err)
	}
	if connect != "" {
		connect = "CONNECT " + connect + "\r\n"
	}
	if _, err := io.WriteString(c, connect+"SUB > 1\r\nPUB sms.inbound.front.1 2\r\nhi\r\nPING\r\n"); err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	for !strings.Contains(said.String(), "PONG") {
		line, err := in.ReadString('\n')
		said.WriteString(line)
		if err != nil {
			break
		}
	}
	return said.String()
}

func TestAttackRevokedToken(t *testing.T) {
	s := newSiege(t)
	closed := make(chan struct{})
	nc := s.client(t, "attacker-token", nats.NoReconnect(), nats.ClosedHandler(func(*nats.Conn) { close(closed) }))
	sub := listen(t, nc, ">")
	s.keys.remove("attacker-token")
	start := time.Now()
	s.Revoke("attacker")
	select {
	case <-closed:
	case <-time.After(patience):
		t.Fatal("the connection of a revoked key stands")
	}
	for _, stream := range []string{"SMS_INBOUND", "SMS_STATUS"} {
		eventually(t, "consumer deleted", func() bool {
			_, err := s.js.Consumer(t.Context(), stream, "attacker")
			return err != nil
		})
	}
	t.Logf("revoked in %v", time.Since(start))
	if n, _, _ := sub.Pending(); n > 0 {
		t.Errorf("%d messages after the revoke", n)
	}
	if nc, err := nats.Connect("nats://"+s.Addr(), nats.Timeout(time.Minute), nats.Token("attacker-token")); err == nil {
		nc.Close()
		t.Error("a revoked key got in")
	}
	s.box.sms("front", 1)
	fetch(t, s.theirs, 1) // others go on
}

func TestAttackOversizePayload(t *testing.T) {
	s := newSiege(t)
	big := make([]byte, maxPayload+1)
	if err := s.attacker.Publish("modemgate.API.CONSUMER.MSG.NEXT.SMS_INBOUND.attacker", big); !errors.Is(err, nats.ErrMaxPayload) {
		t.Errorf("publish: %v", err)
	}
	c, err := net.Dial("tcp", s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(patience))
	io.WriteString(c, "CONNECT {\"auth_token\":\"attacker-token\"}\r\nPUB x 99999999\r\n")
	said, _ := io.ReadAll(c)
	if !strings.Contains(string(said), "Maximum Payload") {
		t.Errorf("the server said %.300q", said)
	}
	// Junk where a pull request belongs harms nobody.
	s.attacker.PublishRequest("modemgate.API.CONSUMER.MSG.NEXT.SMS_INBOUND.attacker", "_INBOX.x", big[:maxPayload])
	s.box.sms("front", 1)
	fetch(t, s.theirs, 1)
}

func TestAttackTooManyConnections(t *testing.T) {
	s := newSiege(t)
	for range maxKeyConnections - 1 { // one stands already
		s.client(t, "attacker-token")
	}
	nc, err := nats.Connect("nats://"+s.Addr(), nats.Timeout(time.Minute), nats.Token("attacker-token"))
	if err == nil {
		nc.Close()
		t.Fatal("one connection too many got in")
	}
	s.client(t, "victim-token") // others are not held up
	s.attacker.Close()
	eventually(t, "room for another connection", func() bool {
		nc, err := nats.Connect("nats://"+s.Addr(), nats.Timeout(time.Minute), nats.Token("attacker-token"))
		if err != nil {
			return false
		}
		nc.Close()
		return true
	})
}

func TestAttackTooManySubscriptions(t *testing.T) {
	s := newSiege(t)
	failed := make(chan error, 1)
	nc := s.client(t, "attacker-token", nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
		select {
		case failed <- err:
		default:
		}
	}))
	for range maxSubscriptions + 1 {
		if _, err := nc.SubscribeSync("sms.inbound.back.>"); err != nil {
			break
		}
	}
	select {
	case err := <-failed:
		if !errors.Is(err, nats.ErrMaxSubscriptionsExceeded) {
			t.Errorf("error %v", err)
		}
	case <-time.After(patience):
		t.Error("no bound on subscriptions")
	}
	s.box.sms("front", 1)
	fetch(t, s.theirs, 1)
}
