package events

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
)

// writePair writes a self-signed certificate for 127.0.0.1 and its key.
func writePair(t *testing.T, dir, name string) (certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for file, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: der}, keyFile: {Type: "PRIVATE KEY", Bytes: keyDER}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return certFile, keyFile
}

func TestTLSFollowsItsFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cert, key := writePair(t, dir, "first")
	r := newRig(t, func(o *Options) { o.TLSCert, o.TLSKey = cert, key })
	r.keys.set("tok", Grant{Key: "me", Inbound: true})
	if nc, err := nats.Connect("nats://"+r.Addr(), nats.Timeout(time.Minute), nats.Token("tok"), nats.RootCAs(filepath.Join(t.TempDir(), "none"))); err == nil {
		nc.Close()
		t.Error("a client took a certificate it cannot know")
	}
	nc := r.client(t, "tok", nats.RootCAs(cert))
	r.box.sms("front", 1)
	fetch(t, consumer(t, nc, "SMS_INBOUND", "me"), 1)

	name := func() string {
		state := tls.ConnectionState{}
		nc, err := nats.Connect("tls://"+r.Addr(), nats.Timeout(time.Minute), nats.Token("tok"), nats.Secure(&tls.Config{InsecureSkipVerify: true,
			VerifyConnection: func(s tls.ConnectionState) error { state = s; return nil }}))
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		return state.PeerCertificates[0].Subject.CommonName
	}
	writePair(t, dir, "second, with a longer name")
	if got := name(); got != "second, with a longer name" {
		t.Errorf("the certificate is %q", got)
	}
	if err := os.WriteFile(cert, []byte("half a file"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := name(); got != "second, with a longer name" {
		t.Errorf("with a broken file the certificate is %q", got)
	}
	if _, err := Open(t.Context(), Options{Dir: t.TempDir(), Listen: "127.0.0.1:0", TLSCert: cert, TLSKey: key}); err == nil {
		t.Error("a broken certificate was taken at the start")
	}
}

func TestPortTaken(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, err = Open(t.Context(), Options{Dir: t.TempDir(), Listen: l.Addr().String()})
	if !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("open: %v", err)
	}
	for _, listen := range []string{"nonsense", "127.0.0.1:99999", "127.0.0.1:x"} {
		if _, err := Open(t.Context(), Options{Dir: t.TempDir(), Listen: listen}); err == nil {
			t.Errorf("listen address %q was taken", listen)
		}
	}
}

func TestOpenAndCloseLeakNothing(t *testing.T) {
	cycle := func() {
		r := newRig(t, nil)
		r.keys.set("tok", Grant{Key: "me", Inbound: true})
		nc := r.client(t, "tok")
		r.box.sms("front", 1)
		fetch(t, consumer(t, nc, "SMS_INBOUND", "me"), 1)
		nc.Close()
		r.stop()
		if err := r.Close(context.Background()); err != nil {
			t.Errorf("second close: %v", err)
		}
	}
	cycle()
	before := runtime.NumGoroutine()
	for range 20 {
		cycle()
	}
	deadline := time.Now().Add(patience)
	for runtime.NumGoroutine() > before+2 {
		if time.Now().After(deadline) {
			buf := make([]byte, 1<<20)
			t.Fatalf("%d goroutines, then %d:\n%s", before, runtime.NumGoroutine(), buf[:runtime.Stack(buf, true)])
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// What clients send and what the gateway publishes never reaches the log.
func TestLogTellsNoSecrets(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	r := newRig(t, func(o *Options) { o.Log = testLog(&log) })
	r.keys.set("mg_goodtoken", Grant{Key: "me", Inbound: true})
	nc := r.client(t, "mg_goodtoken", nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
	r.box.add(streamInbound, "sms.inbound.front.447700900001", "in_1", []byte(`{"text":"your code is 918273"}`))
	r.box.add(streamInbound, "sms.inbound.front.447700900002", "in_2", make([]byte, 2*maxPayload))
	fetch(t, consumer(t, nc, "SMS_INBOUND", "me"), 1)
	nc.Publish("sms.inbound.front.447700900003", []byte("forged text"))
	nc.Flush()
	if nc, err := nats.Connect("nats://"+r.Addr(), nats.Timeout(time.Minute), nats.Token("mg_badtoken")); err == nil {
		nc.Close()
	}
	r.published(t)
	r.stop()
	if !strings.Contains(log.String(), "nats client refused") || !strings.Contains(log.String(), "nats server") {
		t.Fatalf("the log misses what it must tell:\n%s", log.String())
	}
	for _, secret := range []string{"goodtoken", "badtoken", "918273", "forged", "4477009000", r.gate.own} {
		if strings.Contains(log.String(), secret) {
			t.Errorf("the log tells %q:\n%s", secret, log.String())
		}
	}
}

// Another encryption key makes the old streams unreadable. They are a window:
// it must be said, and must not stop the gateway.
func TestStreamsOfAnotherKey(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	r := newRig(t, nil)
	r.box.sms("front", 1)
	r.published(t)
	r.stop()
	r.opts.Key = []byte("another key, as after it was lost")
	r.opts.Log = testLog(&log)
	r.open(t)
	r.box.sms("front", 2)
	r.published(t)
	if got := r.ids(t, streamInbound); len(got) != 1 || got[0] != "in_2" {
		t.Errorf("the stream holds %v", got)
	}
	r.stop()
	if !strings.Contains(log.String(), "another key") {
		t.Errorf("the log does not say so:\n%s", log.String())
	}
}

// After a restart of the server the streams are asked for only on a
// connection to the new one, not on what is left of the old one.
func TestStreamsAreMadeByTheRunningServer(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	for range 5 {
		if err := r.server.restart(t.Context()); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		err := r.awaitOwn(ctx)
		cancel()
		if id := r.nc.ConnectedServerId(); err != nil || id != r.server.current().ID() {
			t.Fatalf("connected to %q: %v", id, err)
		}
	}
}

// Limits may shrink below what the streams hold or reserved before.
func TestLimitsChangeBetweenStarts(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(o *Options) { o.MaxBytes = 1 << 40 })
	for i := range 20 {
		r.box.sms("front", i+1)
	}
	r.published(t)
	for _, bytes := range []int64{1 << 20, 1 << 34} {
		r.stop()
		r.opts.MaxBytes, r.opts.InboundKeep = bytes, r.opts.InboundKeep+time.Hour
		r.open(t)
		s, err := r.js.Stream(t.Context(), "SMS_INBOUND")
		if err != nil {
			t.Fatal(err)
		}
		if got := s.CachedInfo().Config.MaxBytes; got != bytes/4*3 {
			t.Errorf("limit %d bytes, want %d", got, bytes/4*3)
		}
		if got := len(r.ids(t, streamInbound)); got != 20 {
			t.Errorf("%d messages after the limit changed", got)
		}
	}
}
