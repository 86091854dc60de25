package api

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// pair makes a certificate for 127.0.0.1 under a name and writes both files.
func pair(t *testing.T, name, certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	put(t, certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	put(t, keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}))
}

func put(t *testing.T, path string, content []byte) {
	t.Helper()
	whole := path + ".new" // as a renewal does it: no half of a file is ever there
	if err := os.WriteFile(whole, content, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(whole, path); err != nil {
		t.Fatal(err)
	}
}

// shown is the name on the certificate that the server shows.
func shown(t *testing.T, addr string) string {
	t.Helper()
	conn, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true}) // the name is what is tested
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	return conn.ConnectionState().PeerCertificates[0].Subject.CommonName
}

func TestTLSReloads(t *testing.T) {
	dir := t.TempDir()
	certFile, keyFile := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	pair(t, "first", certFile, keyFile)
	f := newFake()
	f.times = defaultTimeouts
	f.times.recheck = 20 * time.Millisecond
	b := start(t, f, func(o *Options) { o.CertFile, o.KeyFile = certFile, keyFile })
	addr := b.s.Addr().String()
	if got := shown(t, addr); got != "first" {
		t.Fatalf("certificate of %s", got)
	}

	pair(t, "second", certFile, keyFile)
	until(t, "the second certificate", func() bool { return shown(t, addr) == "second" })

	// A renewal that is half done: the old pair goes on, and the log says it once.
	refusals := func() int { return strings.Count(b.logs.String(), "cannot be used") }
	before := refusals() // the second may have been seen half done
	pair(t, "third", certFile, filepath.Join(dir, "other.pem"))
	until(t, "a line in the log", func() bool { return shown(t, addr) == "second" && refusals() > before })
	for range 5 {
		time.Sleep(f.times.recheck) // so that it looks again
		if got := shown(t, addr); got != "second" {
			t.Errorf("certificate of %s", got)
		}
	}
	if refusals() != before+1 {
		t.Errorf("%d lines on one bad pair", refusals()-before)
	}
	if err := os.Remove(certFile); err != nil {
		t.Fatal(err)
	}
	until(t, "a line on the missing file", func() bool { return shown(t, addr) == "second" && refusals() == before+2 })

	pair(t, "fourth", certFile, keyFile)
	until(t, "the fourth certificate", func() bool { return shown(t, addr) == "fourth" })
}

func TestTLSServesNoPlaintextAndNoOldVersions(t *testing.T) {
	dir := t.TempDir()
	certFile, keyFile := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	pair(t, "x", certFile, keyFile)
	b := start(t, newFake(), func(o *Options) { o.CertFile, o.KeyFile = certFile, keyFile })
	addr := b.s.Addr().String()
	res, err := b.tcp.Get("http://" + addr + "/healthz")
	if err == nil {
		_ = res.Body.Close()
		if res.StatusCode != 400 {
			t.Errorf("plain HTTP: %d", res.StatusCode)
		}
	}
	if conn, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS11}); err == nil {
		_ = conn.Close()
		t.Error("TLS 1.1 is spoken")
	}
	if log := b.logs.String(); strings.Contains(log, "level=WARN") {
		t.Errorf("failed handshakes are warnings: %s", log)
	}
}

func TestTLSFilesMustBeGoodAtTheStart(t *testing.T) {
	dir := t.TempDir()
	certFile, keyFile := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	s := New(Options{Gateway: newFake(), Listen: "127.0.0.1:0", CertFile: certFile, KeyFile: keyFile})
	if err := s.Listen(); err == nil || !strings.Contains(err.Error(), certFile) {
		t.Errorf("no files: %v", err)
	}
	put(t, certFile, []byte("x"))
	put(t, keyFile, []byte("x"))
	if err := s.Listen(); err == nil || !strings.Contains(err.Error(), certFile) {
		t.Errorf("no certificates: %v", err)
	}
	pair(t, "x", certFile, keyFile)
	if err := s.Listen(); err != nil {
		t.Errorf("good at last: %v", err)
	}
	s.shut()
}
