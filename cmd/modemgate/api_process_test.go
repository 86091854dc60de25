package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/modemgate/modemgate/configs"
	"github.com/modemgate/modemgate/driver/sim"
)

// process is the program in a process of its own.
type process struct {
	t    *testing.T
	cmd  *exec.Cmd
	errs printed
	done chan struct{}
}

// printed is what a process has printed so far.
type printed struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (p *printed) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.b.Write(b)
}

func (p *printed) String() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.b.String()
}

// launch starts the program; this test binary is it under its name.
func launch(t *testing.T, env []string, args ...string) *process {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{t: t, cmd: &exec.Cmd{Path: self, Args: append([]string{"modemgate"}, args...)}, done: make(chan struct{})}
	p.cmd.Env = append(append(os.Environ(), "MODEMGATE_CONFIG=/dev/null"), env...)
	p.cmd.Stderr, p.cmd.Stdout = &p.errs, &p.errs
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = p.cmd.Wait()
		close(p.done)
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		<-p.done
	})
	return p
}

// exits waits for the end and gives the exit code, -1 for a signal, and what
// was printed.
func (p *process) exits() (int, string) {
	p.t.Helper()
	select {
	case <-p.done:
	case <-time.After(limit):
		p.t.Fatalf("it does not end:\n%s", p.errs.String())
	}
	return p.cmd.ProcessState.ExitCode(), p.errs.String()
}

func (p *process) says(text string) {
	p.t.Helper()
	waitUntil(p.t, text, func() bool { return strings.Contains(p.errs.String(), text) })
}

// freshEnv is the environment of a daemon on free ports.
func freshEnv(t *testing.T, more ...string) []string {
	t.Helper()
	return append([]string{
		"MODEMGATE_DATA_DIR=" + filepath.Join(shortDir(t), "d"), "MODEMGATE_API_LISTEN=127.0.0.1:0", "MODEMGATE_NATS_LISTEN=127.0.0.1:0",
		"MODEMGATE_MODEMS_SIMULATE=1", "MODEMGATE_STORAGE_RESERVE=1MiB",
	}, more...)
}

func TestServeRefusesWhatIsWrong(t *testing.T) {
	t.Parallel()
	faulty := filepath.Join(t.TempDir(), "c.yaml")
	if err := os.WriteFile(faulty, []byte("otp: {length: 3}\nlog: {level: loud}\napi: {listn: x}\nlimits: {queued: 0}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		name string
		args []string
		env  []string
		want []string
	}{
		{"all faults at once", []string{"serve", "--config", faulty}, nil, []string{faulty + ":1: otp.length: ", faulty + ":2: log.level: ", faulty + ":3: api.listn: ", "did you mean api.listen?", faulty + ":4: limits.queued: "}},
		{"check says the same", []string{"check", "--config", faulty}, nil, []string{faulty + ":1: otp.length: ", faulty + ":2: log.level: ", "listn", "limits.queued"}},
		{"an unknown flag", []string{"serve", "--colour", "red"}, nil, []string{"colour"}},
		{"a word that is no flag", []string{"serve", "now"}, nil, []string{"now"}},
		{"an unknown command", []string{"fly"}, nil, []string{"fly", "--help"}},
		{"a file that is not there", []string{"serve", "--config", "/nowhere/c.yaml"}, nil, []string{"/nowhere/c.yaml"}},
		{"beyond this host without TLS", []string{"serve", "--api.listen", "0.0.0.0:0"}, nil, []string{"api.listen", "TLS", "insecure_lan"}},
		{"NATS beyond this host without TLS", []string{"serve", "--nats.listen", "0.0.0.0:0"}, nil, []string{"nats.listen", "insecure_lan"}},
		{"a certificate without its key", []string{"serve", "--api.tls.cert_file", "/nowhere/cert.pem"}, nil, []string{"api.tls"}},
		{"an environment that is wrong", []string{"serve"}, []string{"MODEMGATE_OTP_TTL=5"}, []string{"otp.ttl: MODEMGATE_OTP_TTL"}},
		{"what is for later", []string{"serve", "--store", "postgres://x"}, nil, []string{"store"}},
	} {
		t.Run(x.name, func(t *testing.T) {
			t.Parallel()
			code, out := launch(t, freshEnv(t, x.env...), x.args...).exits()
			if code != exitUsage {
				t.Errorf("exit %d, want 2:\n%s", code, out)
			}
			for _, want := range x.want {
				if !strings.Contains(out, want) {
					t.Errorf("does not say %q:\n%s", want, out)
				}
			}
		})
	}
}

func TestPortTaken(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, key := range []string{"api.listen", "nats.listen"} {
		code, out := launch(t, freshEnv(t), "serve", "--"+key, l.Addr().String()).exits()
		if code != exitFailed || !strings.Contains(out, key) || !strings.Contains(out, fmt.Sprintf("pid %d", os.Getpid())) {
			t.Errorf("%s: exit %d, want 1 and our pid %d:\n%s", key, code, os.Getpid(), out)
		}
	}
}

func TestOneDaemonPerDataDir(t *testing.T) {
	t.Parallel()
	env := freshEnv(t)
	first := launch(t, env, "serve")
	first.says("modemgate is ready")
	code, out := launch(t, env, "serve").exits()
	if code == exitOK || !strings.Contains(out, "runs with this data_dir already") || !strings.Contains(out, fmt.Sprint(first.cmd.Process.Pid)) {
		t.Errorf("exit %d:\n%s", code, out)
	}
	_ = first.cmd.Process.Signal(syscall.SIGTERM)
	if code, out := first.exits(); code != exitOK {
		t.Errorf("a clean stop is exit %d:\n%s", code, out)
	}
	again := launch(t, env, "serve") // the lock is free
	again.says("modemgate is ready")
	_ = again.cmd.Process.Signal(os.Interrupt)
	if code, out := again.exits(); code != exitOK {
		t.Errorf("a clean stop is exit %d:\n%s", code, out)
	}
}

// TestSecondSignal stops a daemon that waits for the answer of a modem.
func TestSecondSignal(t *testing.T) {
	t.Parallel()
	n, err := sim.New(sim.Options{Modems: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	taken, release := make(chan struct{}), make(chan struct{})
	defer close(release)
	n.Modems()[0].OnPoint(func(o sim.Occasion) {
		if o.Point == sim.PointAccepted {
			close(taken)
			<-release
		}
	})
	dir := filepath.Join(shortDir(t), "d")
	file := filepath.Join(t.TempDir(), "c.yaml")
	text := fmt.Sprintf("data_dir: %s\napi: {listen: \"127.0.0.1:0\"}\nnats: {listen: \"127.0.0.1:0\"}\ndefault_region: GB\nstorage: {reserve: 1MiB}\nmodems:\n  list:\n    - {name: front, port: %s}\n", dir, n.Modems()[0].Path())
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p := launch(t, nil, "serve", "--config", file)
	p.says("modem ready")
	if r := modemgate(t, []string{"MODEMGATE_CONFIG=" + file}, "", "send", "+447700900123", "hello"); r.code != exitOK {
		t.Fatalf("send: %d %s\n%s", r.code, r.err, p.errs.String())
	}
	<-taken
	_ = p.cmd.Process.Signal(os.Interrupt)
	waitUntil(t, "the API is closed", func() bool {
		_, err := os.Stat(filepath.Join(dir, "api.addr"))
		return os.IsNotExist(err)
	})
	select {
	case <-p.done:
		t.Fatalf("the first signal does not wait for the modem:\n%s", p.errs.String())
	default:
	}
	began := time.Now()
	_ = p.cmd.Process.Signal(os.Interrupt)
	code, out := p.exits()
	if code != exitFailed || !strings.Contains(out, "stopped at once by a second signal") || time.Since(began) > 15*time.Second {
		t.Errorf("exit %d after %s:\n%s", code, time.Since(began), out)
	}
}

func TestCheckAndConfig(t *testing.T) {
	t.Parallel()
	code, out := launch(t, nil, "config").exits()
	if code != exitOK || out != string(configs.Example) {
		t.Errorf("config: exit %d, %d octets", code, len(out))
	}
	file := filepath.Join(t.TempDir(), "c.yaml")
	if err := os.WriteFile(file, []byte(out), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, out := launch(t, nil, "check", "--config", file).exits(); code != exitOK || !strings.Contains(out, "the configuration is right") {
		t.Errorf("check: exit %d:\n%s", code, out)
	}
	if code, out := launch(t, []string{"MODEMGATE_COLOUR=red"}, "check", "--config", file).exits(); code != exitOK || !strings.Contains(out, "MODEMGATE_COLOUR") {
		t.Errorf("check: exit %d:\n%s", code, out)
	}
	if code, out := launch(t, nil, "version").exits(); code != exitOK || !strings.HasPrefix(out, "modemgate") && strings.TrimSpace(out) == "" {
		t.Errorf("version: exit %d:\n%s", code, out)
	}
}

// certificate writes a self-signed pair with a serial number.
func certificate(t *testing.T, dir string, serial int64) (cert, key string, pool *x509.CertPool) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	form := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "modemgate"}, NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, form, form, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	pool = x509.NewCertPool()
	var pemCert bytes.Buffer
	_ = pem.Encode(&pemCert, &pem.Block{Type: "CERTIFICATE", Bytes: der})
	pool.AppendCertsFromPEM(pemCert.Bytes())
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for path, b := range map[string][]byte{cert: pemCert.Bytes(), key: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs})} {
		if err := writeAddr(path, string(b)); err != nil { // at once, as a renewal does
			t.Fatal(err)
		}
	}
	return cert, key, pool
}

func TestTLSOnBothListeners(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cert, key, pool := certificate(t, dir, 1)
	s := newStation(t, func(c *configs.Config) {
		c.API.TLS = configs.TLS{CertFile: cert, KeyFile: key}
		c.NATS.TLS = configs.TLS{CertFile: cert, KeyFile: key}
	})
	api := func() (int64, error) {
		conn, err := tls.Dial("tcp", s.api.Addr().String(), &tls.Config{RootCAs: pool})
		if err != nil {
			return 0, err
		}
		defer conn.Close()
		return conn.ConnectionState().PeerCertificates[0].SerialNumber.Int64(), nil
	}
	broker := func() (int64, error) {
		nc, err := nats.Connect("tls://"+s.bus.Addr(), nats.Timeout(time.Minute), nats.Token(s.admin), nats.Secure(&tls.Config{RootCAs: pool}), nats.NoReconnect())
		if err != nil {
			return 0, err
		}
		defer nc.Close()
		state, err := nc.TLSConnectionState()
		if err != nil {
			return 0, err
		}
		return state.PeerCertificates[0].SerialNumber.Int64(), nil
	}
	for name, serial := range map[string]func() (int64, error){"API": api, "NATS": broker} {
		if got, err := serial(); got != 1 || err != nil {
			t.Errorf("%s shows certificate %d, %v", name, got, err)
		}
	}
	if _, err := nats.Connect("nats://"+s.bus.Addr(), nats.Timeout(time.Minute), nats.Token(s.admin)); err == nil {
		t.Error("NATS talks without checking the certificate")
	}
	_, _, pool = certificate(t, dir, 2)
	for name, serial := range map[string]func() (int64, error){"API": api, "NATS": broker} {
		waitUntil(t, name+" shows the new certificate", func() bool { got, err := serial(); return got == 2 && err == nil })
	}
}
