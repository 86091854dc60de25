package driver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"
)

const (
	peerIMEI  = "869999000000017"
	peerICCID = "8999900000000000017"
	patience  = time.Minute // how long a test waits before it calls a hang
)

// peer is a modem made of a script, at the other end of a pty. It answers like
// a tame modem; a test overrides single commands.
type peer struct {
	t      testing.TB
	master *os.File
	slave  *os.File
	path   string

	mu       sync.Mutex
	override map[string]func(p *peer, cmd string) // by command without AT, up to '='
	echo     bool
	prompt   string // what asks for the PDU
	deaf     bool   // ESC does not leave the prompt
	onPDU    func(p *peer, pdu string)
	inPDU    bool
	line     []byte
	commands []string
	pdus     []string
	escapes  int
	mr       int
	stored   map[int]string
	heard    chan struct{} // one token per command or PDU
	resume   chan struct{} // non-nil: reading has stopped
	done     chan struct{}
}

// newPeer makes a pty and plays a modem on it until the test ends.
func newPeer(t testing.TB) *peer {
	t.Helper()
	master, slave, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	raw, err := unix.IoctlGetTermios(int(slave.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	raw.Lflag, raw.Iflag, raw.Oflag = 0, 0, 0
	if err := unix.IoctlSetTermios(int(slave.Fd()), unix.TCSETS, raw); err != nil {
		t.Fatal(err)
	}
	// A blocking master does not close under a pending Read, so it would never unplug.
	fd, err := unix.FcntlInt(master.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	master.Close()
	if err := unix.SetNonblock(fd, true); err != nil {
		t.Fatal(err)
	}
	p := &peer{
		t: t, master: os.NewFile(uintptr(fd), "master"), slave: slave, path: slave.Name(),
		override: make(map[string]func(*peer, string)), stored: make(map[int]string),
		prompt: "\r\n> ", mr: 40, heard: make(chan struct{}, 100), done: make(chan struct{}),
	}
	go p.read()
	t.Cleanup(p.unplug)
	return p
}

// unplug makes the device vanish.
func (p *peer) unplug() {
	p.proceed()
	p.master.Close()
	p.slave.Close()
	<-p.done
}

// stall stops reading, proceed goes on.
func (p *peer) stall() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.resume = make(chan struct{})
}

func (p *peer) proceed() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.resume != nil {
		close(p.resume)
		p.resume = nil
	}
}

func (p *peer) read() {
	defer close(p.done)
	buf := make([]byte, 256)
	for {
		p.mu.Lock()
		resume := p.resume
		p.mu.Unlock()
		if resume != nil {
			<-resume
		}
		n, err := p.master.Read(buf)
		for _, b := range buf[:n] {
			p.octet(b)
		}
		if err != nil {
			return
		}
	}
}

func (p *peer) octet(b byte) {
	p.mu.Lock()
	if p.echo {
		p.mu.Unlock()
		p.send(string([]byte{b}))
		p.mu.Lock()
	}
	defer p.mu.Unlock()
	switch {
	case b == 0x1B:
		p.escapes++
		if p.inPDU && !p.deaf {
			p.inPDU, p.line = false, nil
			p.locked(func() { p.send("\r\nOK\r\n") })
		}
	case p.inPDU && b == sub:
		pdu := string(p.line)
		p.inPDU, p.line = false, nil
		p.pdus = append(p.pdus, pdu)
		p.locked(func() { p.submitted(pdu) })
		p.tell()
	case p.inPDU:
		p.line = append(p.line, b)
	case b == '\r':
		cmd := string(p.line)
		p.line = nil
		if cmd != "" {
			p.commands = append(p.commands, cmd)
			p.locked(func() { p.answer(cmd) })
			p.tell()
		}
	case b >= ' ':
		p.line = append(p.line, b)
	}
}

// tell marks that something came in; what nobody waits for is forgotten.
func (p *peer) tell() {
	select {
	case p.heard <- struct{}{}:
	default:
	}
}

// locked runs f without the lock.
func (p *peer) locked(f func()) {
	p.mu.Unlock()
	defer p.mu.Lock()
	f()
}

func (p *peer) send(s string) { _, _ = p.master.WriteString(s) }

// ok answers with lines and OK.
func (p *peer) ok(lines ...string) {
	for _, line := range lines {
		p.send("\r\n" + line + "\r\n")
	}
	p.send("\r\nOK\r\n")
}

// on overrides a command, named without AT and parameters.
func (p *peer) on(cmd string, f func(p *peer, cmd string)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.override[cmd] = f
}

// says overrides commands with a fixed text.
func (p *peer) says(text string, cmds ...string) {
	for _, cmd := range cmds {
		p.on(cmd, func(p *peer, _ string) { p.send(text) })
	}
}

func (p *peer) answer(line string) {
	cmd := strings.TrimPrefix(strings.ToUpper(line), "AT")
	name, parameter, _ := strings.Cut(cmd, "=")
	if parameter == "?" {
		name += "=?"
	}
	p.mu.Lock()
	f := p.override[name]
	p.mu.Unlock()
	if f != nil {
		f(p, cmd)
		return
	}
	switch name {
	case "+CGSN":
		p.ok(peerIMEI)
	case "+CGMI":
		p.ok("Peer")
	case "+CGMM":
		p.ok("P1")
	case "+CGMR":
		p.ok("1.0")
	case "+CPIN?":
		p.ok("+CPIN: READY")
	case "+CIMI":
		p.ok("999990000000017")
	case "+CCID":
		p.ok("+CCID: " + peerICCID)
	case "+CNUM":
		p.ok(`+CNUM: "","+999000017",145`)
	case "+CSCA?":
		p.ok(`+CSCA: "+999000000",145`)
	case "+CPMS=?":
		p.ok(`+CPMS: ("SM"),("SM"),("SM")`)
	case "+CPMS":
		p.mu.Lock()
		n := len(p.stored)
		p.mu.Unlock()
		p.ok(fmt.Sprintf("+CPMS: %d,20,%[1]d,20,%[1]d,20", n))
	case "+CNMI=?":
		p.ok("+CNMI: (0-3),(0-3),(0,2),(0-2),(0,1)")
	case "+CNMI?":
		p.ok("+CNMI: 2,1,0,1,0")
	case "+CMMS=?":
		p.ok("+CMMS: (0-2)")
	case "+CREG?", "+CGREG?", "+CEREG?":
		p.ok(strings.TrimSuffix(name, "?") + ": 0,1")
	case "+COPS?":
		p.ok(`+COPS: 0,0,"Peer Net"`)
	case "+CSQ":
		p.ok("+CSQ: 17,99")
	case "+CMGL", "+CMGR", "+CMGD":
		p.storage(name, parameter)
	case "+CMGS":
		p.mu.Lock()
		p.inPDU = true
		ask := p.prompt
		p.mu.Unlock()
		p.send(ask)
	case "", "E0", "E0V1", "V1", "+CMEE", "+CMGF", "+CNMI", "+CREG", "+CGREG", "+CEREG", "+COPS", "+CLIP", "+CSMS", "+CMMS":
		p.ok()
	default:
		p.send("\r\nERROR\r\n")
	}
}

func (p *peer) storage(name, parameter string) {
	p.mu.Lock()
	var lines []string
	index := number(parameter, -1)
	switch pdu, ok := p.stored[index]; {
	case name == "+CMGL":
		for i := range 256 {
			if pdu, ok := p.stored[i]; ok {
				lines = append(lines, fmt.Sprintf("+CMGL: %d,0,,%d\r\n%s", i, len(pdu)/2-1, pdu))
			}
		}
	case name == "+CMGR" && ok:
		lines = append(lines, fmt.Sprintf("+CMGR: 0,,%d\r\n%s", len(pdu)/2-1, pdu))
	case name == "+CMGD":
		delete(p.stored, index)
	}
	p.mu.Unlock()
	p.ok(lines...)
}

func (p *peer) submitted(pdu string) {
	p.mu.Lock()
	p.mr++
	mr, f := p.mr, p.onPDU
	p.mu.Unlock()
	if f != nil {
		f(p, pdu)
		return
	}
	p.ok(fmt.Sprintf("+CMGS: %d", mr))
}

// afterPDU sets what happens when a PDU has come in.
func (p *peer) afterPDU(f func(p *peer, pdu string)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.onPDU = f
}

// store puts a PDU into a slot without a word.
func (p *peer) store(index int, pdu string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stored[index] = pdu
}

// seen returns copies of the commands and PDUs so far.
func (p *peer) seen() (commands, pdus []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.commands...), append([]string(nil), p.pdus...)
}

// options are those of a test: as patient as it must be, no more.
func (p *peer) options() Options {
	return Options{
		Port: p.path, CommandTimeout: 2 * time.Second, PromptTimeout: 2 * time.Second,
		SubmitTimeout: 5 * time.Second, WriteTimeout: time.Second,
		Log: slog.New(slog.DiscardHandler),
	}
}

// open opens a modem and closes it at the end of the test.
func (p *peer) open(change ...func(*Options)) *Modem {
	p.t.Helper()
	o := p.options()
	for _, f := range change {
		f(&o)
	}
	m, err := Open(context.Background(), o)
	if err != nil {
		p.t.Fatalf("open: %v", err)
	}
	p.t.Cleanup(func() {
		if err := m.Close(); err != nil {
			p.t.Errorf("close: %v", err)
		}
	})
	return m
}

// fails opens a modem that must not come up.
func (p *peer) fails(change ...func(*Options)) error {
	p.t.Helper()
	o := p.options()
	for _, f := range change {
		f(&o)
	}
	m, err := Open(context.Background(), o)
	if err == nil {
		m.Close()
		p.t.Fatal("open succeeded")
	}
	return err
}

// soon waits for a channel to be ready or closed.
func soon[T any](t testing.TB, c <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		t.Fatalf("waited in vain for %s", what)
		panic("unreachable")
	}
}

// sendError unwraps the error of Send.
func sendError(t testing.TB, err error) *SendError {
	t.Helper()
	var e *SendError
	if !errors.As(err, &e) {
		t.Fatalf("send: got %v, want a *SendError", err)
	}
	return e
}

// samplePDU is an SMS-SUBMIT to +999000002 with a text of "test".
var samplePDU = []byte{0x01, 0x00, 0x09, 0x91, 0x99, 0x09, 0x00, 0x00, 0xF2, 0x00, 0x00, 0x04, 0xF4, 0xF2, 0x9C, 0x0E}
