package gateway_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/modemgate/modemgate/driver"
	"github.com/modemgate/modemgate/driver/sim"
	"github.com/modemgate/modemgate/gateway"
	"github.com/modemgate/modemgate/gateway/store"
)

// adopting gives a rig one configured line; SIMs of the other modems can be
// adopted. ICCIDs of no modem make absent lines.
func adopting(t *testing.T, modems int) *rig {
	t.Helper()
	r := &rig{t: t}
	r.tune = func(o *gateway.Options) {
		lasting(o)
		o.Lines = o.Lines[:1]
		o.Adopt = func(name, iccid string) gateway.LineOptions {
			lo := gateway.LineOptions{Name: name, PerMinute: 1e6, PerDay: 1e6, Simulated: true}
			lo.Open = func(ctx context.Context) (gateway.Modem, error) {
				for _, m := range r.net.Modems() {
					if m.ICCID() == iccid {
						return driver.Open(ctx, driver.Options{Port: m.Path()})
					}
				}
				return nil, fmt.Errorf("%w: it is in a drawer", driver.ErrNoPort)
			}
			return lo
		}
	}
	r.begin(modems)
	return r
}

// begin starts a rig whose tune needs the rig itself.
func (r *rig) begin(modems int) {
	r.t.Helper()
	r.t.Parallel()
	n, err := sim.New(sim.Options{Modems: modems})
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { n.Close() })
	r.net, r.dir = n, r.t.TempDir()
	r.start()
	r.t.Cleanup(r.halt)
}

func (r *rig) adopt(iccid, want string) {
	r.t.Helper()
	if name, err := r.g.Adopt(r.t.Context(), iccid); err != nil || name != want {
		r.t.Fatalf("adopted as %q, %v; want %s", name, err, want)
	}
}

func TestAdoptedLineJoinsAtOnceAndForEver(t *testing.T) {
	r := adopting(t, 2)
	iccid := r.net.Modems()[1].ICCID()
	name := "m-" + iccid[len(iccid)-6:]
	if _, _, err := r.g.CreateMessage(t.Context(), app, gateway.NewMessage{To: "+999111111", Text: "too early", Via: []string{name}}); err == nil {
		t.Error("a line is known before it is adopted")
	}
	r.adopt(iccid, name)
	r.adopt(iccid, name)
	r.adopt(iccid+"5", name) // the same SIM with its check digit
	v := r.post(gateway.NewMessage{To: "+999111111", Text: "by the new one", Via: []string{name}})
	r.await(v.ID, store.Sent, store.Delivered)
	if got := r.texts("+999111111", 1); got[0].From != r.net.Modems()[1].Number() {
		t.Errorf("came from %s", got[0].From)
	}
	r.net.Modems()[1].Unplug()
	r.until("the line is down", func() bool { l, err := r.g.Line(t.Context(), admin, name); return err == nil && l.State != "up" })
	waiting := r.post(gateway.NewMessage{To: "+999111111", Text: "after the restart", Via: []string{name}})
	r.restart()
	r.lineState(name, "absent")
	r.net.Modems()[1].Plug()
	r.await(waiting.ID, store.Sent, store.Delivered)
	lines, err := r.g.Lines(t.Context(), admin)
	if err != nil || len(lines) != 2 || lines[1].Name != name || lines[1].ICCID != iccid {
		t.Errorf("lines: %+v, %v", lines, err)
	}
}

func TestAdoptedNamesDoNotCollide(t *testing.T) {
	r := adopting(t, 1)
	r.adopt("8944100000000123456", "m-123456")
	r.adopt("8944100000009123456", "m-9123456")
	r.adopt("8944200000009123456", "m-09123456")
	r.restart()
	r.adopt("8944200000009123456", "m-09123456")
	r.adopt("8944100000009123456", "m-9123456")
	r.lineState("m-123456", "absent")
	for _, bad := range []string{"", "12345", "89441000000001234x6"} {
		if name, err := r.g.Adopt(t.Context(), bad); err == nil {
			t.Errorf("%q was adopted as %s", bad, name)
		}
	}
}

// TestManyAdoptionsAtOnce lets lines join while others work and are read.
func TestManyAdoptionsAtOnce(t *testing.T) {
	r := adopting(t, 1)
	const many = 40
	done := make(chan error, many)
	for i := range many {
		go func() {
			_, err := r.g.Adopt(context.WithoutCancel(t.Context()), fmt.Sprintf("894410000000%07d", i/2))
			done <- err
		}()
	}
	for range many {
		if err := <-done; err != nil {
			t.Error(err)
		}
		if _, err := r.g.Lines(t.Context(), admin); err != nil {
			t.Error(err)
		}
	}
	if lines, _ := r.g.Lines(t.Context(), admin); len(lines) != 1+many/2 {
		t.Errorf("%d lines", len(lines))
	}
	id := r.post(gateway.NewMessage{To: "+999111111", Text: "still here"}).ID
	r.await(id, store.Sent, store.Delivered)
}

// TestSwappedPortsAreRefused exchanges what the ports of two lines lead to.
func TestSwappedPortsAreRefused(t *testing.T) {
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	lead := func(port, to string) {
		t.Helper()
		if err := os.Remove(port); err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		if err := os.Symlink(to, port); err != nil {
			t.Fatal(err)
		}
	}
	r := &rig{t: t}
	r.tune = func(o *gateway.Options) {
		for i, port := range []string{a, b} {
			if _, err := os.Lstat(port); err != nil {
				lead(port, r.net.Modems()[i].Path())
			}
			l := &o.Lines[i]
			l.Name, l.Port, l.Simulated = []string{"left", "right"}[i], port, false
			l.Open = func(ctx context.Context) (gateway.Modem, error) {
				return driver.Open(ctx, driver.Options{Port: port})
			}
		}
	}
	r.begin(2)
	r.lineState("left", "up")
	r.lineState("right", "up")
	for _, m := range r.net.Modems() {
		m.Unplug()
	}
	r.lineState("left", "absent")
	r.lineState("right", "absent")
	lead(a, r.net.Modems()[1].Path())
	lead(b, r.net.Modems()[0].Path())
	for _, m := range r.net.Modems() {
		m.Plug()
	}
	r.lineState("left", "modem-wrong")
	r.lineState("right", "modem-wrong")
	if l, err := r.g.Line(t.Context(), admin, "left"); err != nil || !strings.Contains(l.Detail, "that of line right: nothing is sent") {
		t.Errorf("%q, %v", l.Detail, err)
	}
	r.restart() // the configuration is taken at its word
	r.lineState("left", "up")
	r.lineState("right", "up")
}

// TestNoTextGoesToAnotherSIM exchanges the SIM of a running modem that says
// nothing about it.
func TestNoTextGoesToAnotherSIM(t *testing.T) {
	r := &rig{t: t}
	r.tune = func(o *gateway.Options) {
		l := &o.Lines[0]
		l.SureOfSIM = time.Nanosecond
		own, open := r.net.Modems()[0].ICCID(), l.Open
		l.Open = func(ctx context.Context) (gateway.Modem, error) {
			m, err := open(ctx)
			if err == nil && m.Identity().ICCID != own {
				return nil, errors.Join(&gateway.MismatchError{State: gateway.WrongSIM, Detail: "another SIM"}, m.Close())
			}
			return m, err
		}
	}
	r.begin(1)
	m := r.net.Modems()[0]
	first := r.post(gateway.NewMessage{To: "+999111111", Text: "by the right one"})
	r.await(first.ID, store.Sent, store.Delivered)
	m.InsertSIM("8999900000000009993", m.IMSI())
	second := r.post(gateway.NewMessage{To: "+999111111", Text: "not by the wrong one"})
	r.lineState("modem0", gateway.WrongSIM)
	if v := r.message(second.ID); v.State != store.Queued || r.submitted("+999111111") != 1 {
		t.Errorf("the message is %s, %d were submitted", v.State, r.submitted("+999111111"))
	}
	m.InsertSIM(m.ICCID(), m.IMSI())
	r.await(second.ID, store.Sent, store.Delivered)
	if n := r.submitted("+999111111"); n != 2 {
		t.Errorf("%d were submitted", n)
	}
}

// list writes the SIM of an adopted line, or only the modem with it, into the
// configuration of the next start, as line front.
func (r *rig) list(modem *sim.Modem, named bool) {
	before := r.tune
	r.tune = func(o *gateway.Options) {
		front := o.Lines[1]
		before(o)
		if front.Name = "front"; named {
			front.ICCID = modem.ICCID()
		}
		o.Lines = append(o.Lines, front)
		adopt := o.Adopt
		o.Adopt = func(name, iccid string) gateway.LineOptions {
			lo := adopt(name, iccid)
			lo.Open = func(context.Context) (gateway.Modem, error) {
				return nil, fmt.Errorf("%w: the SIM is in the modem of line front", driver.ErrNoPort)
			}
			return lo
		}
	}
}

// TestAdoptedSIMThatIsListedUnderANameIsThatLine writes the SIM of an adopted
// line, or the modem with it, into the configuration: what is queued for the
// adopted line goes by the new one, and nothing is wrong.
func TestAdoptedSIMThatIsListedUnderANameIsThatLine(t *testing.T) {
	for by, named := range map[string]bool{"iccid": true, "port": false} {
		t.Run(by, func(t *testing.T) {
			r := adopting(t, 2)
			modem := r.net.Modems()[1]
			name := "m-" + modem.ICCID()[len(modem.ICCID())-6:]
			r.adopt(modem.ICCID(), name)
			r.lineState(name, "up")
			modem.Unplug()
			r.lineState(name, "absent")
			waiting := r.post(gateway.NewMessage{To: "+999111111", Text: "queued for the adopted one", Via: []string{name}})
			r.halt()
			modem.Plug()
			r.list(modem, named)
			r.start()
			r.await(waiting.ID, store.Sent, store.Delivered)
			later := r.post(gateway.NewMessage{To: "+999111111", Text: "by the old name", Via: []string{name}})
			r.await(later.ID, store.Sent, store.Delivered)
			for range 2 {
				r.lineState("modem0", "up")
				r.lineState("front", "up")
				s, err := r.g.Status(t.Context(), admin)
				if err != nil || !s.Healthy || len(s.Lines) != 2 {
					t.Errorf("healthy %v with %d lines, problems %q, %v", s.Healthy, len(s.Lines), s.Problems, err)
				}
				r.adopt(modem.ICCID(), "front")
				r.restart()
			}
		})
	}
}

// TestRestOfALongMessageOfAnAdoptedLine has the daemon stop with a part on the
// air, and the line listed under a name meanwhile: what is left goes by that one.
func TestRestOfALongMessageOfAnAdoptedLine(t *testing.T) {
	r := adopting(t, 2)
	modem := r.net.Modems()[1]
	name := "m-" + modem.ICCID()[len(modem.ICCID())-6:]
	r.adopt(modem.ICCID(), name)
	r.lineState(name, "up")
	modem.Inject(sim.Fault{Kind: sim.FaultHang, Match: "+CMGS", Point: sim.PointBody, Skip: 1})
	text := strings.Repeat("one part and another ", 18)
	long := r.post(gateway.NewMessage{To: "+999111111", Text: text, Via: []string{name}, OnUnknown: "resend"})
	r.until("the second part is on the air", func() bool { return len(modem.Faults()) == 0 })
	r.halt()
	modem.ClearFaults()
	r.list(modem, true)
	r.start()
	r.hurry("the message is delivered", func() bool { return r.message(long.ID).State == store.Delivered })
	if got := r.texts("+999111111", 1); got[0].Text != text || got[0].From != modem.Number() {
		t.Errorf("%q came from %s", got[0].Text, got[0].From)
	}
	if n := r.submitted("+999111111"); n != 3 {
		t.Errorf("%d parts were submitted", n)
	}
}
