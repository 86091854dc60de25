package events

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// attackWait is how long an attack may take to succeed. The connection is in
// the same process; an answer that is not there by then was refused.
const attackWait = 50 * time.Millisecond

// siege is a bus with a victim that may read everything and an attacker that
// may read one line.
type siege struct {
	*rig
	victim   *nats.Conn
	attacker *nats.Conn
	mine     jetstream.Consumer // of the attacker
	theirs   jetstream.Consumer // of the victim

	mu         sync.Mutex
	violations []string // what the server told the attacker
}

func newSiege(t *testing.T) *siege {
	t.Parallel()
	s := &siege{rig: newRig(t, nil)}
	s.keys.set("victim-token", Grant{Key: "victim", Inbound: true, AllMessages: true, Status: true})
	s.keys.set("attacker-token", Grant{Key: "attacker", Inbound: true, InboundLines: []string{"back"}})
	s.victim = s.client(t, "victim-token")
	s.attacker = s.client(t, "attacker-token", nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.violations = append(s.violations, err.Error())
	}))
	s.theirs = consumer(t, s.victim, "SMS_INBOUND", "victim")
	s.mine = consumer(t, s.attacker, "SMS_INBOUND", "attacker")
	return s
}

// refused asserts that the server does not take a request of the attacker.
func (s *siege) refused(t *testing.T, subject, body string) {
	t.Helper()
	inbox := nats.NewInbox()
	sub := listen(t, s.attacker, inbox)
	defer sub.Unsubscribe()
	if err := s.attacker.PublishRequest(subject, inbox, []byte(body)); err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("Permissions Violation for Publish to %q", subject)
	eventually(t, want, func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return slices.ContainsFunc(s.violations, func(v string) bool { return strings.Contains(v, want) })
	})
	if n, _, _ := sub.Pending(); n != 0 {
		t.Errorf("%s was answered", subject)
	}
}

// silent asserts that nothing comes to the subscriptions.
func silent(t *testing.T, subs ...*nats.Subscription) {
	t.Helper()
	time.Sleep(attackWait)
	for _, sub := range subs {
		if m, err := sub.NextMsg(time.Millisecond); err == nil {
			t.Errorf("got a message on %s: %q", m.Subject, m.Data)
		}
	}
}

func listen(t *testing.T, nc *nats.Conn, subject string) *nats.Subscription {
	t.Helper()
	sub, err := nc.SubscribeSync(subject)
	if err != nil {
		t.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	return sub
}

// apis are the prefixes under which an attacker may look for JetStream.
var apis = []string{"$JS.API.", "modemgate.API."}

func TestAttackStreamInfo(t *testing.T) {
	s := newSiege(t)
	for _, api := range apis {
		s.refused(t, api+"INFO", "")
		s.refused(t, api+"STREAM.INFO.SMS_INBOUND", "")
		s.refused(t, api+"STREAM.NAMES", "")
		s.refused(t, api+"STREAM.LIST", "")
	}
}

func TestAttackConsumerCreate(t *testing.T) {
	s := newSiege(t)
	body := `{"stream_name":"SMS_INBOUND","config":{"durable_name":"spy","ack_policy":"none","deliver_policy":"all"}}`
	for _, api := range apis {
		s.refused(t, api+"CONSUMER.CREATE.SMS_INBOUND", body)
		s.refused(t, api+"CONSUMER.CREATE.SMS_INBOUND.spy", body)
		s.refused(t, api+"CONSUMER.DURABLE.CREATE.SMS_INBOUND.spy", body)
		s.refused(t, api+"CONSUMER.CREATE.SMS_INBOUND.attacker", strings.ReplaceAll(body, "spy", "attacker"))
	}
	if _, err := s.js.Consumer(t.Context(), "SMS_INBOUND", "spy"); !errors.Is(err, jetstream.ErrConsumerNotFound) {
		t.Errorf("consumer spy: %v", err)
	}
}

func TestAttackConsumerList(t *testing.T) {
	s := newSiege(t)
	for _, api := range apis {
		s.refused(t, api+"CONSUMER.LIST.SMS_INBOUND", "")
		s.refused(t, api+"CONSUMER.NAMES.SMS_INBOUND", "")
		s.refused(t, api+"CONSUMER.INFO.SMS_INBOUND.victim", "")
	}
}

func TestAttackReadOtherLinesByInbox(t *testing.T) {
	s := newSiege(t)
	inbox, all := listen(t, s.attacker, "_INBOX.>"), listen(t, s.attacker, ">")
	s.box.sms("front", 1)
	if got := fetch(t, s.theirs, 1); len(got) != 1 {
		t.Fatalf("the victim got %v", got)
	}
	silent(t, inbox, all)
	nothing(t, s.mine)
}

func TestAttackReadLiveSubjects(t *testing.T) {
	s := newSiege(t)
	subs := []*nats.Subscription{
		listen(t, s.attacker, "sms.inbound.>"), listen(t, s.attacker, "sms.inbound.front.>"), listen(t, s.attacker, "modem.>"),
		listen(t, s.attacker, "sms.status.>"), listen(t, s.attacker, "otp.status.>"), listen(t, s.attacker, "modemgate.ingest.>"),
	}
	others := listen(t, s.victim, "otp.status.>")
	s.box.sms("front", 1)
	s.box.status("victim", "msg_1")
	s.box.add(streamStatus, "otp.status.victim.otp_1", "ev_otp_1", []byte("{}"))
	s.box.add(streamStatus, "otp.status.attacker.otp_2", "ev_otp_2", []byte("{}"))
	s.box.add(streamStatus, "modem.front.up", "ev_up", []byte("{}"))
	s.published(t)
	if m, err := subs[4].NextMsg(patience); err != nil || m.Subject != "otp.status.attacker.otp_2" {
		t.Errorf("its own event: %v %v", m, err)
	}
	silent(t, subs...)
	// Scope messages shows every message, but only one's own OTPs.
	if m, err := others.NextMsg(patience); err != nil || m.Subject != "otp.status.victim.otp_1" {
		t.Errorf("its own OTP: %v %v", m, err)
	}
	silent(t, others)
}

func TestAttackDeleteAnothersDurable(t *testing.T) {
	s := newSiege(t)
	for _, api := range apis {
		s.refused(t, api+"CONSUMER.DELETE.SMS_INBOUND.victim", "")
		s.refused(t, api+"CONSUMER.PAUSE.SMS_INBOUND.victim", `{"pause_until":"2100-01-01T00:00:00Z"}`)
		s.refused(t, api+"CONSUMER.RESET.SMS_INBOUND.victim", "")
		s.refused(t, api+"STREAM.DELETE.SMS_INBOUND", "")
	}
	s.box.sms("front", 1)
	fetch(t, s.theirs, 1)
}

func TestAttackReachServicesByDeliverSubject(t *testing.T) {
	s := newSiege(t)
	service, err := s.nc.SubscribeSync("modemgate.send") // as a service of the gateway's would
	if err != nil {
		t.Fatal(err)
	}
	body := `{"stream_name":"SMS_INBOUND","config":{"durable_name":"spy","deliver_subject":"modemgate.send","ack_policy":"none"}}`
	for _, api := range apis {
		s.refused(t, api+"CONSUMER.DURABLE.CREATE.SMS_INBOUND.spy", body)
		s.refused(t, api+"CONSUMER.CREATE.SMS_INBOUND.spy", body)
	}
	s.refused(t, "modemgate.send", `{"to":"+447700900001"}`)
	s.box.sms("back", 1)
	s.published(t)
	silent(t, service)
}

func TestAttackOverhearReplies(t *testing.T) {
	s := newSiege(t)
	subs := []*nats.Subscription{listen(t, s.attacker, "_R_.>"), listen(t, s.attacker, "_INBOX.>"), listen(t, s.attacker, "$JS.>"), listen(t, s.attacker, "$SYS.>")}
	s.box.sms("front", 1)
	fetch(t, s.theirs, 1)
	silent(t, subs...)
}

func TestAttackForgeByReplySubject(t *testing.T) {
	s := newSiege(t)
	all := listen(t, s.victim, "sms.inbound.>")
	status := listen(t, s.victim, "sms.status.>")
	gateway, err := s.nc.SubscribeSync("modemgate.>")
	if err != nil {
		t.Fatal(err)
	}
	s.box.sms("back", 1)
	if _, err := all.NextMsg(patience); err != nil {
		t.Fatal(err)
	}
	if _, err := gateway.NextMsg(patience); err != nil { // the ingest of that SMS
		t.Fatal(err)
	}
	for _, reply := range []string{"sms.inbound.front.447700900009", "sms.status.victim.msg_9", "modemgate.ingest.inbound.sms.inbound.front.1", "modemgate.send"} {
		for _, next := range []string{"1", `{"batch":1,"no_wait":true}`} {
			if err := s.attacker.PublishRequest("modemgate.API.CONSUMER.MSG.NEXT.SMS_INBOUND.attacker", reply, []byte(next)); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.attacker.PublishRequest("modemgate.API.CONSUMER.INFO.SMS_INBOUND.attacker", reply, nil); err != nil {
			t.Fatal(err)
		}
	}
	s.attacker.Flush()
	silent(t, all, status, gateway)
	if got := len(s.ids(t, streamInbound)); got != 1 {
		t.Errorf("the stream holds %d messages", got)
	}
}

// The server passes a reply subject that looks like an acknowledgement
// through an import as it is: a status sent there would acknowledge another's
// message.
func TestAttackAcknowledgeByReplySubject(t *testing.T) {
	s := newSiege(t)
	s.box.sms("front", 1)
	batch, err := s.theirs.Fetch(1, jetstream.FetchMaxWait(patience))
	if err != nil {
		t.Fatal(err)
	}
	m, ok := <-batch.Messages()
	if !ok {
		t.Fatal("the victim got nothing")
	}
	s.attacker.PublishRequest("modemgate.API.CONSUMER.MSG.NEXT.SMS_INBOUND.attacker", m.Reply(), []byte(`{"batch":1,"no_wait":true}`))
	s.attacker.Flush()
	time.Sleep(attackWait)
	s.stillPending(t)
}

func (s *siege) stillPending(t *testing.T) {
	t.Helper()
	info, err := s.theirs.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if info.NumAckPending != 1 {
		t.Errorf("the victim has %d messages to acknowledge, want 1", info.NumAckPending)
	}
}

func TestAttackAnothersAck(t *testing.T) {
	s := newSiege(t)
	s.box.sms("front", 1)
	batch, err := s.theirs.Fetch(1, jetstream.FetchMaxWait(patience))
	if err != nil {
		t.Fatal(err)
	}
	m, ok := <-batch.Messages()
	if !ok {
		t.Fatal("the victim got nothing")
	}
	for _, body := range []string{"+ACK", "+TERM", "-NAK", "+NXT"} {
		s.refused(t, m.Reply(), body)
	}
	s.stillPending(t)
}

func TestAttackAnothersNext(t *testing.T) {
	s := newSiege(t)
	s.box.sms("front", 1)
	s.published(t)
	for _, api := range apis {
		s.refused(t, api+"CONSUMER.MSG.NEXT.SMS_INBOUND.victim", "1")
		s.refused(t, api+"CONSUMER.MSG.NEXT.SMS_STATUS.victim", "1")
	}
	s.refused(t, "$JS.API.CONSUMER.MSG.NEXT.SMS_INBOUND.attacker", "1")
	fetch(t, s.theirs, 1)
}

func TestAttackPublishEvents(t *testing.T) {
	s := newSiege(t)
	all := listen(t, s.victim, ">")
	own := listen(t, s.client(t, "attacker-token"), ">")
	for _, subject := range []string{"sms.inbound.front.447700900001", "sms.inbound.back.447700900001", "sms.status.victim.msg_1",
		"sms.status.attacker.msg_1", "otp.status.attacker.otp_1", "modem.front.down", "modemgate.ingest.inbound.sms.inbound.back.1", "_INBOX.x", "anything"} {
		s.refused(t, subject, `{"text":"forged"}`)
	}
	silent(t, all, own)
	if n := len(s.ids(t, streamInbound)) + len(s.ids(t, streamStatus)); n != 0 {
		t.Errorf("the streams hold %d messages", n)
	}
}

func TestAttackDirectGet(t *testing.T) {
	s := newSiege(t)
	s.box.sms("front", 1)
	s.published(t)
	for _, api := range apis {
		s.refused(t, api+"DIRECT.GET.SMS_INBOUND", `{"seq":1}`)
		s.refused(t, api+"DIRECT.GET.SMS_INBOUND.sms.inbound.front.447700900001", "")
		s.refused(t, api+"STREAM.MSG.GET.SMS_INBOUND", `{"seq":1}`)
	}
}

func TestAttackPurge(t *testing.T) {
	s := newSiege(t)
	s.box.sms("front", 1)
	s.published(t)
	for _, api := range apis {
		s.refused(t, api+"STREAM.PURGE.SMS_INBOUND", "")
		s.refused(t, api+"STREAM.MSG.DELETE.SMS_INBOUND", `{"seq":1}`)
		s.refused(t, api+"STREAM.UPDATE.SMS_INBOUND", "{}")
		s.refused(t, api+"STREAM.CREATE.MINE", `{"name":"MINE","subjects":["sms.inbound.>"]}`)
		s.refused(t, api+"STREAM.SNAPSHOT.SMS_INBOUND", `{"deliver_subject":"_INBOX.x"}`)
	}
	if got := len(s.ids(t, streamInbound)); got != 1 {
		t.Errorf("the stream holds %d messages", got)
	}
}

func TestAttackSystemAccount(t *testing.T) {
	s := newSiege(t)
	events := listen(t, s.attacker, "$SYS.>")
	for _, subject := range []string{"$SYS.REQ.SERVER.PING", "$SYS.REQ.SERVER.PING.CONNZ", "$SYS.REQ.ACCOUNT.PING.CONNZ", "$SYS.REQ.USER.INFO",
		"$SYS.REQ.ACCOUNT." + gatewayAccount + ".INFO", "$SYS.DEBUG.SUBSCRIBERS"} {
		s.refused(t, subject, "")
	}
	s.client(t, "victim-token")
	silent(t, events)
}

func TestAttackGuessAccount(t *testing.T) {
	s := newSiege(t)
	for _, account := range []string{gatewayAccount, "$G", "$SYS", Grant{Key: "victim", Inbound: true, AllMessages: true, Status: true}.account()} {
		line, _ := json.Marshal(map[string]any{"verbose": true, "auth_token": "attacker-token", "account": account, "protocol": 1})
		if got := handshake(t, s.Addr(), string(line)); !strings.Contains(got, "-ERR") {
			t.Errorf("account %s: %q", account, got)
		}
	}
	for _, user := range []string{"gateway", "victim", "sys", gatewayAccount} {
		for _, secret := range []string{user, "", "gateway"} {
			if nc, err := nats.Connect("nats://"+s.Addr(), nats.Timeout(time.Minute), nats.UserInfo(user, secret)); err == nil {
				nc.Close()
				t.Errorf("user %q got in", user)
			}
		}
	}
}

func TestAttackNoToken(t *testing.T) {
	s := newSiege(t)
	if nc, err := nats.Connect("nats://"+s.Addr(), nats.Timeout(time.Minute)); !errors.Is(err, nats.ErrAuthorization) {
		nc.Close()
		t.Errorf("connect: %v", err)
	}
	if got := handshake(t, s.Addr(), ""); !strings.Contains(got, "-ERR") { // SUB and PUB without CONNECT
		t.Errorf("without CONNECT: %q", got)
	}
}

func TestAttackWrongToken(t *testing.T) {
	s := newSiege(t)
	for _, token := range []string{"x", "victim", "victim-token ", "VICTIM-TOKEN", s.gate.own, strings.Repeat("a", 5000)} {
		if nc, err := nats.Connect("nats://"+s.Addr(), nats.Timeout(time.Minute), nats.Token(token)); err == nil {
			nc.Close()
			t.Errorf("token %.20q got in", token)
		}
	}
	u := url.URL{Scheme: "nats", Host: s.Addr(), User: url.UserPassword("victim", "victim-token")}
	if nc, err := nats.Connect(u.String(), nats.Timeout(time.Minute)); err == nil {
		nc.Close()
		t.Error("a key as a password got in")
	}
}
