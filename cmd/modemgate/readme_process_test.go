package main_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// readmePatience bounds every wait; reaching it means a hang.
const readmePatience = 60 * time.Second

// place is where a reader's commands run: a directory and its environment.
type place struct {
	dir string
	env []string
}

// newPlace is a directory with a path short enough for a socket, and this
// environment without what concerns modemgate and NATS.
func newPlace(t *testing.T) *place {
	t.Helper()
	dir, err := os.MkdirTemp("", "mg")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	p := &place{dir: dir}
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, "MODEMGATE_") && !strings.HasPrefix(kv, "NATS_") {
			p.env = append(p.env, kv)
		}
	}
	p.set("GOPROXY", "off") // a test needs no network
	p.set("GOFLAGS", strings.TrimSpace(p.get("GOFLAGS")+" -buildvcs=false -ldflags=-w"))
	return p
}

func (p *place) set(name, value string) {
	p.env = slices.DeleteFunc(p.env, func(kv string) bool { return strings.HasPrefix(kv, name+"=") })
	p.env = append(p.env, name+"="+value)
}

func (p *place) get(name string) string {
	for _, kv := range p.env {
		if v, ok := strings.CutPrefix(kv, name+"="); ok {
			return v
		}
	}
	return ""
}

// write puts a file into the place and returns its path.
func (p *place) write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(p.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// program is a running command with what it has printed so far.
type program struct {
	cmd  *exec.Cmd
	in   io.WriteCloser
	done chan struct{} // closed when it has ended
	err  error         // how; after done

	mu    sync.Mutex
	out   bytes.Buffer
	wrote chan struct{} // closed and replaced at each write
}

// start runs a command. It is ended at the end of the test.
func (p *place) start(t *testing.T, name string, args ...string) *program {
	t.Helper()
	return p.launch(t, t, name, args...)
}

// launch runs a command in a process group of its own, as a terminal does. It
// is ended at the end of the test that is its life.
func (p *place) launch(t, life *testing.T, name string, args ...string) *program {
	t.Helper()
	g := &program{cmd: exec.Command(name, args...), done: make(chan struct{}), wrote: make(chan struct{})}
	g.cmd.Dir, g.cmd.Env = p.dir, p.env
	if !filepath.IsAbs(name) {
		g.cmd.Path, g.cmd.Err = p.look(name), nil
	}
	g.cmd.Stdout, g.cmd.Stderr = g, g
	g.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	var err error
	if g.in, err = g.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := g.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		g.err = g.cmd.Wait()
		close(g.done)
	}()
	life.Cleanup(g.kill)
	return g
}

// kill ends the program, and what it has started, if it still runs: by asking
// first, so that it takes its temporary files with it.
func (g *program) kill() {
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		select {
		case <-g.done:
			return
		default:
		}
		_ = syscall.Kill(-g.cmd.Process.Pid, sig)
		select {
		case <-g.done:
		case <-time.After(10 * time.Second):
		}
	}
}

// look finds a program on the PATH of the place, which is not ours.
func (p *place) look(name string) string {
	for _, dir := range filepath.SplitList(p.get("PATH")) {
		path := filepath.Join(dir, name)
		if info, err := os.Stat(path); err == nil && info.Mode()&0o111 != 0 && !info.IsDir() {
			return path
		}
	}
	return name
}

// Write takes the output of the program.
func (g *program) Write(b []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.out.Write(b)
	close(g.wrote)
	g.wrote = make(chan struct{})
	return len(b), nil
}

func (g *program) output() (string, <-chan struct{}) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.out.String(), g.wrote
}

// await waits until the output matches.
func (g *program) await(t *testing.T, pattern string) {
	t.Helper()
	re := regexp.MustCompile(pattern)
	late := time.After(readmePatience)
	for {
		out, more := g.output()
		if re.MatchString(out) {
			return
		}
		select {
		case <-more:
		case <-g.done:
			if out, _ = g.output(); !re.MatchString(out) {
				t.Fatalf("%v ended (%v) without %q:\n%s", g.cmd.Args, g.err, pattern, out)
			}
			return
		case <-late:
			t.Fatalf("%v did not print %q:\n%s", g.cmd.Args, pattern, out)
		}
	}
}

// end waits for the end, whatever it is, and returns the output.
func (g *program) end(t *testing.T) string {
	t.Helper()
	_ = g.in.Close()
	select {
	case <-g.done:
	case <-time.After(readmePatience):
		out, _ := g.output()
		t.Fatalf("%v does not end:\n%s", g.cmd.Args, out)
	}
	out, _ := g.output()
	return out
}

// finish waits for the end, which must be exit 0, and returns the output.
func (g *program) finish(t *testing.T) string {
	t.Helper()
	out := g.end(t)
	if g.err != nil {
		t.Fatalf("%v: %v\n%s", g.cmd.Args, g.err, out)
	}
	return out
}

// interrupt types Ctrl-C, which reaches the whole process group.
func (g *program) interrupt(t *testing.T) {
	t.Helper()
	if err := syscall.Kill(-g.cmd.Process.Pid, syscall.SIGINT); err != nil && !errors.Is(err, syscall.ESRCH) {
		t.Fatal(err)
	}
}

// sh runs a block to its end; every line of it must succeed.
func (p *place) sh(t *testing.T, text string) string {
	t.Helper()
	return p.start(t, "sh", "-euc", text).finish(t)
}

// need skips a block whose language is not on this machine.
func (p *place) need(t *testing.T, name string) {
	t.Helper()
	if !filepath.IsAbs(p.look(name)) {
		t.Skipf("%s is not installed: this block of README.md is not run here", name)
	}
}
