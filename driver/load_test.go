package driver

import (
	"context"
	"errors"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"
)

// descriptors counts the open descriptors of this process.
func descriptors(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip(err)
	}
	return len(entries)
}

// settled waits until count is back at or below its former value.
func settled(t *testing.T, what string, before int, count func() int) {
	t.Helper()
	for end := time.Now().Add(patience); count() > before; {
		if time.Now().After(end) {
			buf := make([]byte, 1<<16)
			t.Fatalf("%d %s before, %d after\n%s", before, what, count(), buf[:runtime.Stack(buf, true)])
		}
		time.Sleep(time.Millisecond)
	}
}

func TestThousandCyclesLeakNothing(t *testing.T) {
	const cycles = 1000
	p := newPeer(t)
	p.open().Close()
	goroutines, fds := runtime.NumGoroutine(), descriptors(t)
	for i := range cycles {
		m, err := Open(context.Background(), p.options())
		if err != nil {
			t.Fatalf("cycle %d: %v", i, err)
		}
		if err := m.Close(); err != nil {
			t.Fatalf("cycle %d: %v", i, err)
		}
	}
	settled(t, "goroutines", goroutines, runtime.NumGoroutine)
	settled(t, "descriptors", fds, func() int { return descriptors(t) })
}

func TestFailedOpensLeakNothing(t *testing.T) {
	p := newPeer(t)
	p.says("\r\n+CPIN: SIM PIN\r\n\r\nOK\r\n", "+CPIN?")
	p.fails()
	goroutines, fds := runtime.NumGoroutine(), descriptors(t)
	for range 50 {
		p.fails()
	}
	settled(t, "goroutines", goroutines, runtime.NumGoroutine)
	settled(t, "descriptors", fds, func() int { return descriptors(t) })
}

func TestTenModemsAtOnce(t *testing.T) {
	var modems sync.WaitGroup
	for range 10 {
		p := newPeer(t)
		m := p.open()
		modems.Go(func() {
			for want := 41; want < 71; want++ {
				p.send("\r\n+CMTI: \"SM\",1\r\n")
				mr, err := m.Send(context.Background(), Submission{TPDU: samplePDU, More: want%3 != 0})
				if err != nil || mr != want {
					t.Errorf("send: got %d, %v, want %d", mr, err, want)
					return
				}
				if _, err := m.List(context.Background()); err != nil {
					t.Errorf("list: %v", err)
				}
			}
		})
		modems.Go(func() {
			for range 20 {
				if _, err := m.Status(context.Background()); err != nil {
					t.Errorf("status: %v", err)
				}
				m.Trace().Lines(0)
			}
		})
	}
	modems.Wait()
}

func TestUnplugAtAnyMoment(t *testing.T) {
	for step := range 30 {
		p := newPeer(t)
		m := p.open()
		for len(p.heard) > 0 {
			<-p.heard
		}
		go func() {
			for range step % 6 {
				<-p.heard
			}
			p.unplug()
		}()
		for {
			_, err := m.Send(context.Background(), Submission{TPDU: samplePDU})
			if err == nil {
				continue
			}
			if e := sendError(t, err); e.Code != "gone" || e.Fate == Refused || !errors.Is(err, ErrGone) {
				t.Errorf("step %d: got %v", step, err)
			}
			break
		}
		soon(t, m.Done(), "Done")
	}
}
