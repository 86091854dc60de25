package gateway_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/modemgate/modemgate/driver"
	"github.com/modemgate/modemgate/gateway"
	"github.com/modemgate/modemgate/gateway/store"
)

// plugged is a line whose plug a test changes.
func plugged(at *atomic.Value) gateway.LineOptions {
	return gateway.LineOptions{Name: "front", Rescue: gateway.Rescue{Plug: func() string { return at.Load().(string) }}}
}

func plugAt(name string) *atomic.Value {
	v := new(atomic.Value)
	v.Store(name)
	return v
}

func TestAbsenceDoesNotDelayWhatComesAfter(t *testing.T) {
	var n gateway.Tries
	gone := fmt.Errorf("%w: EIO", driver.ErrGone)
	for range 40 {
		if wait := n.After(driver.ErrNoPort, 0, 2*time.Second); wait > 2*time.Second {
			t.Fatalf("an absent modem is looked for in %s", wait)
		}
	}
	if wait := n.After(gone, 5*time.Second, 30*time.Second); wait > 250*time.Millisecond {
		t.Errorf("after 5 s of service the first attempt is in %s", wait)
	}
	for range 20 {
		n.After(gone, time.Second, 30*time.Second)
	}
	if wait := n.After(gone, time.Second, 30*time.Second); wait < 15*time.Second || wait > 30*time.Second {
		t.Errorf("a modem that never stays is opened again in %s", wait)
	}
	n.After(driver.ErrNoPort, 0, 2*time.Second)
	if wait := n.After(gone, time.Second, 30*time.Second); wait > 250*time.Millisecond {
		t.Errorf("what was plugged in anew is opened again in %s", wait)
	}
	if wait := n.After(gone, time.Minute, 30*time.Second); wait > 250*time.Millisecond {
		t.Errorf("after a minute of service the first attempt is in %s", wait)
	}
}

// A line notices the plug of its modem however long it would have waited, also
// one by port, of which no finder tells.
func TestPlugEndsTheWait(t *testing.T) {
	for _, why := range []error{driver.ErrGone, driver.ErrSilent, driver.ErrTimeout, driver.ErrNoPort, &driver.SIMError{State: "absent"}, errors.New("odd")} {
		synctest.Test(t, func(t *testing.T) {
			at := plugAt("")
			time.AfterFunc(10*time.Second, func() { at.Store("/dev/ttyUSB2 77") })
			began := time.Now()
			another := gateway.Rest(t.Context(), plugged(at), 30*time.Second, why, "")
			if took := time.Since(began); !another || took < 10*time.Second || took > 11*time.Second {
				t.Errorf("%v: plugged in after 10 s, noticed after %s: %v", why, took, another)
			}
		})
	}
}

func TestUnplugEndsTheWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		at := plugAt("/dev/ttyUSB2 77")
		time.AfterFunc(10*time.Second, func() { at.Store("") })
		began := time.Now()
		if another := gateway.Rest(t.Context(), plugged(at), 30*time.Second, driver.ErrSilent, "/dev/ttyUSB2 77"); !another || time.Since(began) > 11*time.Second {
			t.Errorf("pulled out after 10 s, noticed after %s: %v", time.Since(began), another)
		}
	})
}

// A silent modem is left alone for as long as it was to be, whatever else is
// plugged in meanwhile.
func TestOtherPlugsDoNotEndTheWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := plugged(plugAt("/dev/ttyUSB2 77"))
		o.Changed = func() <-chan struct{} {
			c := make(chan struct{})
			time.AfterFunc(time.Second, func() { close(c) })
			return c
		}
		began := time.Now()
		if gateway.Rest(t.Context(), o, 20*time.Second, driver.ErrSilent, "/dev/ttyUSB2 77") || time.Since(began) < 20*time.Second {
			t.Errorf("opened again after %s", time.Since(began))
		}
		began = time.Now()
		if gateway.Rest(t.Context(), o, 20*time.Second, driver.ErrNoPort, "/dev/ttyUSB2 77") || time.Since(began) > 2*time.Second {
			t.Errorf("one that is used by another line, or asked, is looked at again after %s", time.Since(began))
		}
	})
}

func TestPulledOutIsAbsent(t *testing.T) {
	gone := fmt.Errorf("%w: EIO", driver.ErrGone)
	for _, c := range []struct {
		why    error
		leaves time.Duration // until the node is gone, <0: never
		absent bool
	}{
		{gone, 0, true},
		{gone, 100 * time.Millisecond, true},
		{gone, -1, false},
		{driver.ErrTimeout, 0, true},
		{driver.ErrSilent, 0, true},
		{driver.ErrSilent, -1, false},
		{driver.ErrRebooted, 0, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			at := plugAt("/dev/ttyUSB2 77")
			if c.leaves == 0 {
				at.Store("")
			} else if c.leaves > 0 {
				time.AfterFunc(c.leaves, func() { at.Store("") })
			}
			began := time.Now()
			err := gateway.Unplugged(t.Context(), plugged(at), c.why)
			if errors.Is(err, driver.ErrNoPort) != c.absent || !errors.Is(err, c.why) || time.Since(began) > time.Second {
				t.Errorf("%v, its node there for %s: %v after %s", c.why, c.leaves, err, time.Since(began))
			}
		})
	}
}

// TestUnpluggedModemIsNoFailure: a modem that is pulled out was never "failed".
func TestUnpluggedModemIsNoFailure(t *testing.T) {
	r := newRig(t, func(o *gateway.Options) {
		port := o.Lines[0].Port
		o.Lines[0].Rescue.Plug = func() string { return driver.Plug(port) }
		o.Lines[0].Open = func(ctx context.Context) (gateway.Modem, error) { // with patience for a slow machine
			m, err := driver.Open(ctx, driver.Options{Port: port, CommandTimeout: deadline})
			if err != nil {
				return nil, err
			}
			return m, nil
		}
	}, nil)
	modem := r.net.Modems()[0]
	r.lineState("modem0", "up")
	for range 3 {
		modem.Unplug()
		r.lineState("modem0", "absent")
		modem.Plug()
		r.lineState("modem0", "up")
	}
	var downs []string
	if err := r.st.View(t.Context(), func(tx store.Tx) error {
		rows, err := tx.PendingEvents("status", 0, 1000)
		for _, e := range rows {
			if e.Subject == "modem.modem0.down" {
				downs = append(downs, string(e.Payload))
			}
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	for _, d := range downs {
		if !strings.Contains(d, `"detail":"absent"`) {
			t.Errorf("pulled out, and told as %s", d)
		}
	}
	if len(downs) != 3 {
		t.Errorf("pulled out three times, told %d times: %q", len(downs), downs)
	}
}
