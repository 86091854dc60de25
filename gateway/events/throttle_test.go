package events

import (
	"bytes"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
)

// lines is a log that may be read while it is written.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) count(s string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.b.String(), s)
}

// Whoever tries wrong keys in a loop does not fill the disk with our log.
func TestWrongLoginsAreLoggedInBounds(t *testing.T) {
	var log lines
	r := newRig(t, func(o *Options) { o.Log = testLog(&log) })
	for range 4 * strangerLines {
		if nc, err := nats.Connect("nats://"+r.Addr(), nats.Timeout(time.Minute), nats.Token("mg_wrong")); err == nil {
			nc.Close()
			t.Fatal("a wrong key is let in")
		}
	}
	if n := log.count("nats client refused"); n < 1 || n > strangerLines+1 { // a minute may end meanwhile
		t.Errorf("%d lines for %d wrong logins, want %d", n, 4*strangerLines, strangerLines)
	}
}

func TestThrottleTellsWhatItLeftOut(t *testing.T) {
	var th throttle
	now := time.Now()
	logged, told := 0, 0
	for i := range 3 * strangerLines {
		if ok, more := th.allow(now.Add(time.Duration(i) * time.Second)); ok {
			logged, told = logged+1, told+more
		}
	}
	if logged != strangerLines || told != 0 {
		t.Errorf("%d logged, %d told as left out", logged, told)
	}
	if ok, more := th.allow(now.Add(strangerWindow + time.Hour)); !ok || more != 2*strangerLines {
		t.Errorf("later: %v, %d left out", ok, more)
	}
}
