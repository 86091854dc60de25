package sim

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// client is a host without mercy or knowledge: it writes octets to the port
// and collects what comes.
type client struct {
	t    *testing.T
	f    *os.File
	in   chan []byte
	err  error // why reading ended, once in is closed
	have []byte
}

const patience = time.Minute

func open(t *testing.T, m *Modem) *client {
	t.Helper()
	f, err := os.OpenFile(m.Path(), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	c := &client{t: t, f: f, in: make(chan []byte, 1000)}
	go func() {
		defer close(c.in)
		for {
			buf := make([]byte, 4096)
			n, err := f.Read(buf)
			if n > 0 {
				c.in <- buf[:n]
			}
			if err != nil {
				c.err = err
				return
			}
		}
	}()
	t.Cleanup(func() { f.Close() })
	return c
}

func (c *client) write(text string) {
	c.t.Helper()
	if _, err := io.WriteString(c.f, text); err != nil {
		c.t.Fatalf("write %q: %v", text, err)
	}
}

// until reads to the end of the first octets that fit, and gives all to there.
func (c *client) until(fits func(have []byte) int) string {
	c.t.Helper()
	deadline := time.After(patience)
	for {
		if end := fits(c.have); end > 0 {
			got := string(c.have[:end])
			c.have = c.have[end:]
			return got
		}
		select {
		case b, more := <-c.in:
			if !more {
				c.t.Fatalf("port ended (%v) after %q", c.err, c.have)
			}
			c.have = append(c.have, b...)
		case <-deadline:
			c.t.Fatalf("nothing fitting came, only %q", c.have)
		}
	}
}

func (c *client) expect(text string) string {
	c.t.Helper()
	return c.until(func(have []byte) int {
		if i := bytes.Index(have, []byte(text)); i >= 0 {
			return i + len(text)
		}
		return 0
	})
}

// final reads to the end of a final code.
func (c *client) final() string {
	c.t.Helper()
	return c.until(func(have []byte) int {
		for _, code := range []string{"\r\nOK\r\n", "ERROR\r\n", "ERROR: ", "COMMAND NOT SUPPORT\r\n", "NO CARRIER\r\n"} {
			i := bytes.Index(have, []byte(code))
			if i < 0 {
				continue
			}
			if end := bytes.IndexByte(have[i+2:], '\n'); end >= 0 {
				return i + 2 + end + 1
			}
		}
		return 0
	})
}

// cmd sends a command line and gives its answer without empty lines, joined
// by '|'.
func (c *client) cmd(line string) string {
	c.t.Helper()
	c.write(line + "\r")
	return flat(c.final())
}

func flat(text string) string {
	return strings.Join(strings.FieldsFunc(text, func(r rune) bool { return r == '\r' || r == '\n' }), "|")
}

func (c *client) want(line, answer string) {
	c.t.Helper()
	if got := c.cmd(line); got != answer {
		c.t.Errorf("%s: got %q, want %q", line, got, answer)
	}
}

// nothing asserts that the modem stays silent to a probe of another kind: it
// waits until the modem has done what was asked of it and looks.
func (c *client) nothing(m *Modem) {
	c.t.Helper()
	m.call(func() {})
	select {
	case b := <-c.in:
		c.t.Errorf("unexpected %q in\n%s", b, strings.Join(m.Transcript(), "\n"))
	case <-time.After(50 * time.Millisecond):
	}
}

func quiet(t *testing.T, m *Modem) *client {
	t.Helper()
	c := open(t, m)
	c.cmd("ATE0")
	return c
}

// send submits a text in PDU mode and gives the answer.
func (c *client) send(to, text string, flags ...byte) string {
	c.t.Helper()
	c.startSend(submitPDU(to, text, flags...))
	return flat(c.final())
}

func (c *client) startSend(tpdu []byte) {
	c.t.Helper()
	c.write(fmt.Sprintf("AT+CMGS=%d\r", len(tpdu)))
	c.expect("\r\n> ")
	c.write("00" + upperHex(tpdu) + "\x1a")
}

// submitPDU codes a SUBMIT with TP-VP of a day; flags are added to its first
// octet.
func submitPDU(to, text string, flags ...byte) []byte {
	p := splitText(text, 0, false)[0]
	s := submit{first: tpSubmit | 0x10, to: to, dcs: p.dcs, vp: []byte{167}, udl: p.udl, ud: p.ud}
	for _, f := range flags {
		s.first |= f
	}
	return s.encode()
}

func network(t *testing.T, o Options) *Network {
	t.Helper()
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	n, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	return n
}

func wait(t *testing.T, p *Phone, n int) []Text {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	texts, err := p.Wait(ctx, n)
	if err != nil {
		t.Fatal(err)
	}
	return texts
}

// eventually waits for a condition.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not reached: %s", what)
		}
	}
}

// gone waits for the end of the port.
func (c *client) gone() {
	c.t.Helper()
	deadline := time.After(patience)
	for {
		select {
		case _, more := <-c.in:
			if !more {
				if !errors.Is(c.err, io.EOF) && !errors.Is(c.err, syscall.EIO) {
					c.t.Errorf("the port ended with %v, want EOF or EIO", c.err)
				}
				return
			}
		case <-deadline:
			c.t.Fatal("the port did not end")
		}
	}
}
