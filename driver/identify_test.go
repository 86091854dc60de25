package driver

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func (p *peer) asked() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.commands)
}

func TestIdentifyAsksAndSetsNothing(t *testing.T) {
	for _, echo := range []bool{false, true} {
		for _, careful := range []bool{false, true} {
			p := newPeer(t)
			p.mu.Lock()
			p.echo = echo
			p.mu.Unlock()
			id, err := Identify(t.Context(), Options{Port: p.path}, careful)
			if err != nil || id.IMEI != peerIMEI || id.ICCID != peerICCID || id.Model != "P1" {
				t.Errorf("echo %v, careful %v: %+v, %v", echo, careful, id, err)
			}
			for _, cmd := range p.asked() {
				if strings.Contains(cmd, "=") || strings.HasPrefix(cmd, "ATE") || strings.HasPrefix(cmd, "AT+CPIN") {
					t.Errorf("sent %s", cmd)
				}
			}
			p.open() // the port is free again
		}
	}
}

func TestIdentifyNeedsNoPIN(t *testing.T) {
	p := newPeer(t)
	p.says("\r\n+CPIN: SIM PIN\r\n\r\nOK\r\n", "+CPIN?")
	p.says("\r\n+CME ERROR: 11\r\n", "+CIMI", "+CNUM")
	if id, err := Identify(t.Context(), Options{Port: p.path}, false); err != nil || id.ICCID != peerICCID {
		t.Errorf("%+v, %v", id, err)
	}
}

// TestCarefulProbingWritesLittle probes what is no modem.
func TestCarefulProbingWritesLittle(t *testing.T) {
	for name, answer := range map[string]func(p *peer, cmd string){
		"silence": func(*peer, string) {},
		"NMEA":    func(p *peer, _ string) { p.send("$GPGSV,4,1,16,03,06,287,,04,33,258,*7A\r\n") },
		"binary":  func(p *peer, _ string) { p.send("\x7e\x13\x01\x00\xff\x7d\x5e\x7e") },
	} {
		t.Run(name, func(t *testing.T) {
			p := newPeer(t)
			p.on("", answer)
			if _, err := Identify(t.Context(), Options{Port: p.path, CommandTimeout: time.Second}, true); err == nil {
				t.Error("it is taken for a modem")
			}
			for _, cmd := range p.asked() {
				if cmd != "AT" {
					t.Errorf("sent %q", cmd)
				}
			}
			if n := len(p.asked()); n > 2 {
				t.Errorf("AT was sent %d times", n)
			}
			p.mu.Lock()
			defer p.mu.Unlock()
			if p.escapes != 0 || len(p.pdus) != 0 {
				t.Errorf("%d escapes, %d times Ctrl-Z", p.escapes, len(p.pdus))
			}
		})
	}
}

func TestIdentifyRefusesWhoDoesNotSay(t *testing.T) {
	p := newPeer(t)
	p.says("\r\nERROR\r\n", "+CGSN", "+CGMM", "I")
	if id, err := Identify(t.Context(), Options{Port: p.path, CommandTimeout: time.Second}, true); !errors.Is(err, ErrSilent) {
		t.Errorf("%+v, %v", id, err)
	}
}

func TestIdentifyRespectsLocksAndContext(t *testing.T) {
	p := newPeer(t)
	dir := t.TempDir()
	pid, _ := bystander(t)
	if err := os.WriteFile(lockPath(dir, p.path), fmt.Appendf(nil, "%10d\n", pid), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Identify(t.Context(), Options{Port: p.path, LockDir: dir}, false); !errors.Is(err, ErrPortBusy) {
		t.Errorf("locked: %v", err)
	}
	if len(p.asked()) != 0 {
		t.Errorf("sent %v", p.asked())
	}
	p.on("", func(*peer, string) {}) // silent
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(100*time.Millisecond, cancel)
	began := time.Now()
	if _, err := Identify(ctx, Options{Port: p.path, CommandTimeout: time.Hour}, false); err == nil || time.Since(began) > patience {
		t.Errorf("canceled: %v after %s", err, time.Since(began))
	}
	if _, err := Identify(t.Context(), Options{Port: filepath.Join(dir, "ttyUSB9")}, false); !errors.Is(err, ErrNoPort) {
		t.Errorf("no such port: %v", err)
	}
}
