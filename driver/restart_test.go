package driver

import (
	"context"
	"errors"
	"testing"
	"time"
)

func TestRestartEndsSession(t *testing.T) {
	p := newPeer(t)
	m := p.open()
	p.send("\r\nRDY\r\n")
	soon(t, m.Done(), "Done")
	if !errors.Is(m.Err(), ErrRebooted) {
		t.Errorf("got %v", m.Err())
	}
	if s := soon(t, m.Signals(), "the signal"); s.Kind != SignalReboot {
		t.Errorf("got %+v", s)
	}
	if _, open := <-m.Signals(); open {
		t.Error("signals are not closed after Done")
	}
}

func TestSilentRestartIsSeenByEcho(t *testing.T) {
	p := newPeer(t)
	m := p.open()
	p.mu.Lock()
	p.echo = true
	p.mu.Unlock()
	p.says("", "+CMGS")
	_, err := m.Send(context.Background(), Submission{TPDU: samplePDU})
	if e := sendError(t, err); e.Fate != NotSent || !errors.Is(err, ErrRebooted) {
		t.Errorf("got %v", err)
	}
	soon(t, m.Done(), "Done")
}

func TestSilentRestartIsSeenByMode(t *testing.T) {
	p := newPeer(t)
	m := p.open()
	p.says("\r\n+CMGF: 1\r\n\r\nOK\r\n", "+CMGF?")
	if _, err := m.Status(context.Background()); !errors.Is(err, ErrRebooted) {
		t.Errorf("got %v", err)
	}
	soon(t, m.Done(), "Done")
}

func TestSilentModem(t *testing.T) {
	p := newPeer(t)
	p.says("", "")
	if err := p.fails(func(o *Options) { o.CommandTimeout = 100 * time.Millisecond }); !errors.Is(err, ErrSilent) {
		t.Errorf("got %v", err)
	}
}
