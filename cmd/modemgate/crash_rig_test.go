package main_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/modemgate/modemgate/driver/sim"
)

// patience bounds every wait; reaching it means a hang.
const patience = 60 * time.Second

// graceForTests is what a start waits for late answers, instead of a minute.
const graceForTests = "300ms"

// product is the real program, built with its crash points, and a data
// directory with a key in it that every rig begins with a copy of.
type product struct {
	dir    string // holds the program and the template
	binary string
	key    string // secret of the key named "ops"
	err    error
}

// built is the product, made once for all tests.
var built = sync.OnceValue(newProduct)

func build(t *testing.T) product {
	t.Helper()
	p := built()
	if p.err != nil {
		t.Fatal(p.err)
	}
	return p
}

func newProduct() (p product) {
	if p.dir, p.err = os.MkdirTemp("", "mg"); p.err != nil {
		return p
	}
	os.Setenv("TEST_PRODUCT_DIR", p.dir) // TestMain removes it
	p.binary = filepath.Join(p.dir, "modemgate")
	if out, err := exec.Command("go", "build", "-tags", "crashpoints", "-ldflags=-w", "-o", p.binary, ".").CombinedOutput(); err != nil {
		p.err = fmt.Errorf("build: %w\n%s", err, out)
		return p
	}
	conf := filepath.Join(p.dir, "modemgate.yaml")
	text := "data_dir: " + filepath.Join(p.dir, "template") + "\nmodems: {auto: false}\n"
	if p.err = os.WriteFile(conf, []byte(text), 0o600); p.err != nil {
		return p
	}
	out, err := exec.Command(p.binary, "key", "new", "ops", "--scopes", "admin,otp,send,messages,inbound,status",
		"--from", "all", "--json", "--config", conf).Output()
	if err != nil {
		p.err = fmt.Errorf("key new: %w\n%s", err, err.(*exec.ExitError).Stderr)
		return p
	}
	var made struct{ Secret string }
	p.err = json.Unmarshal(out, &made)
	p.key = made.Secret
	return p
}

// rigOptions is what a test wants of its rig.
type rigOptions struct {
	modems  int
	sim     sim.Options
	natsURL string
	data    string   // data_dir; "": a new one
	reserve string   // storage.reserve
	tracer  []string // command that runs the daemon
	power   []string // modems.power_cycle
}

// rig is one site: modems, SIMs, phones and the network, which survive the
// daemon, and the daemon on its data directory.
type rig struct {
	*testing.T
	product
	o      rigOptions
	dir    string
	config string
	data   string
	net    *sim.Network
	books  *ledger

	mu sync.Mutex
	d  *daemon // the present one
}

func newRig(t *testing.T, o rigOptions) *rig {
	t.Helper()
	r := &rig{T: t, product: build(t), o: o, books: newLedger()}
	var err error
	if r.dir, err = os.MkdirTemp("", "mg"); err != nil { // short: a socket's path holds 107 octets
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(r.dir) })
	if r.data = o.data; r.data == "" {
		r.data = filepath.Join(r.dir, "data")
	}
	if err := os.CopyFS(r.data, os.DirFS(filepath.Join(r.product.dir, "template"))); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(r.data, 0o700); err != nil {
		t.Fatal(err)
	}
	o.sim.Modems, o.sim.Dir = max(o.modems, 1), filepath.Join(r.dir, "dev")
	o.sim.RetryInterval = 100 * time.Millisecond
	if r.net, err = sim.New(o.sim); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.net.Close() })
	r.configure()
	t.Cleanup(func() {
		r.stop()
		if t.Failed() {
			r.Logf("the last of the log:\n%s", r.now().tail())
		}
	})
	return r
}

// configure writes the configuration: real lines on the ptys, nothing that
// limits the tests.
func (r *rig) configure() {
	r.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "data_dir: %s\nsite: lab\napi: {listen: \"127.0.0.1:0\"}\nnats: {listen: \"127.0.0.1:0\", url: %q}\n", r.data, r.o.natsURL)
	power, _ := json.Marshal(append([]string{}, r.o.power...))
	fmt.Fprintf(&b, "modems:\n  auto: false\n  power_cycle: %s\n  list:\n", power)
	for i, m := range r.net.Modems() {
		fmt.Fprintf(&b, "    - {name: line%d, port: %s, number: %q, limits: {per_minute: 1000000, per_day: 1000000}}\n", i, m.Path(), m.Number())
	}
	b.WriteString("limits: {allow: [\"+4\"], per_key: {minute: 1000000, day: 1000000}, queued: 100000}\n")
	if r.o.reserve != "" {
		fmt.Fprintf(&b, "storage: {max: 1GiB, reserve: %s}\n", r.o.reserve)
	} else {
		b.WriteString("storage: {max: 1GiB, reserve: 1MiB}\n")
	}
	r.config = filepath.Join(r.dir, "modemgate.yaml")
	if err := os.WriteFile(r.config, []byte(b.String()), 0o600); err != nil {
		r.Fatal(err)
	}
}

// daemon is one life of the program.
type daemon struct {
	cmd   *exec.Cmd
	api   string        // address of the REST listener, when ready
	ready chan struct{} // closed when it serves
	done  chan struct{} // closed when it has ended

	mu  sync.Mutex
	log bytes.Buffer
}

// start begins a life and waits until it serves or has ended; env is added to
// its environment.
func (r *rig) start(env ...string) *daemon {
	r.Helper()
	args := append(append([]string{}, r.o.tracer...), r.binary, "serve", "--config", r.config)
	d := &daemon{cmd: exec.Command(args[0], args[1:]...), ready: make(chan struct{}), done: make(chan struct{})}
	d.cmd.Env = append(append(os.Environ(), "MODEMGATE_GRACE="+graceForTests), env...)
	d.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := d.cmd.StderrPipe()
	if err != nil {
		r.Fatal(err)
	}
	if err := d.cmd.Start(); err != nil {
		r.Fatal(err)
	}
	go d.read(bufio.NewScanner(out))
	late := false
	select {
	case <-d.ready:
	case <-d.done:
	case <-time.After(patience):
		late = true
	}
	r.mu.Lock()
	r.d = d
	r.mu.Unlock()
	if late {
		r.Fatalf("the daemon neither serves nor ends:\n%s", d.tail())
	}
	return d
}

// serving starts a life that must come up.
func (r *rig) serving(env ...string) *daemon {
	r.Helper()
	d := r.start(env...)
	if d.dead() {
		r.Fatalf("the daemon did not start: %v\n%s", d.cmd.ProcessState, d.tail())
	}
	return d
}

// read keeps the log and finds the address in it.
func (d *daemon) read(lines *bufio.Scanner) {
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var e struct{ Msg, API string }
		if json.Unmarshal(lines.Bytes(), &e) == nil && (e.Msg == "nats server" || e.Msg == "request") {
			continue
		}
		d.mu.Lock()
		d.log.Write(append(lines.Bytes(), '\n'))
		d.mu.Unlock()
		if e.Msg == "modemgate is ready" {
			d.api = e.API
			close(d.ready)
		}
	}
	d.cmd.Wait()
	close(d.done)
}

func (d *daemon) dead() bool {
	select {
	case <-d.done:
		return true
	default:
		return false
	}
}

// all is the log of this life, but for requests and the broker's notes.
func (d *daemon) all() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.log.String()
}

func (d *daemon) tail() string {
	lines := strings.Split(strings.TrimSpace(d.all()), "\n")
	return strings.Join(lines[max(0, len(lines)-40):], "\n")
}

// kill is SIGKILL, to its whole process group: a tracer goes with it.
func (d *daemon) kill() {
	_ = syscall.Kill(-d.cmd.Process.Pid, syscall.SIGKILL)
	<-d.done
}

func (r *rig) now() *daemon {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.d
}

func (r *rig) stop() {
	if d := r.now(); d != nil && !d.dead() {
		d.kill()
	}
}

// quit ends a life as a service manager does and demands exit status 0.
func (r *rig) quit() {
	r.Helper()
	d := r.now()
	if err := d.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		r.Fatal(err)
	}
	select {
	case <-d.done:
	case <-time.After(patience):
		r.Fatalf("the daemon does not stop:\n%s", d.tail())
	}
	if code := d.cmd.ProcessState.ExitCode(); code != 0 {
		r.Errorf("the daemon stopped with %d:\n%s", code, d.tail())
	}
}

// until waits for a condition; it gives up when the daemon has died, and says
// so with false. A condition that never comes is a failure.
func (r *rig) until(what string, ok func() bool) bool {
	r.Helper()
	d := r.now()
	deadline := time.Now().Add(patience)
	for !ok() {
		if d.dead() {
			return false
		}
		if time.Now().After(deadline) {
			r.Fatalf("never: %s", what)
		}
		time.Sleep(20 * time.Millisecond)
	}
	return true
}

// must is until for a daemon that has no reason to die.
func (r *rig) must(what string, ok func() bool) {
	r.Helper()
	if !r.until(what, ok) {
		r.Fatalf("the daemon died while waiting for: %s\n%s", what, r.now().tail())
	}
}
