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

// lateRig has a line front by a link, which the test makes, and adopts the
// second of its modems.
type lateRig struct {
	*rig
	link, name string // of the link, and of the adopted line
}

const subscriber = "+447700900456" // +999 is for simulated lines

func newLateRig(t *testing.T) *lateRig {
	t.Helper()
	t.Parallel()
	n, err := sim.New(sim.Options{Modems: 2, SubmitDelay: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Close() })
	iccid := n.Modems()[1].ICCID()
	r := &lateRig{rig: &rig{t: t, net: n, dir: t.TempDir()}, link: filepath.Join(t.TempDir(), "front"), name: "m-" + iccid[len(iccid)-6:]}
	r.tune = func(o *gateway.Options) {
		o.Lines, o.Allow = o.Lines[:1], []string{"+44"}
		front := &o.Lines[0]
		front.Name, front.Port, front.Simulated = "front", r.link, false
		front.Changed = often
		front.Open = func(ctx context.Context) (gateway.Modem, error) {
			m, err := driver.Open(ctx, driver.Options{Port: r.link})
			if errors.Is(err, driver.ErrPortBusy) { // as the finder would say
				return nil, r.g.Yield(r.name, "front")
			}
			return m, err
		}
		o.Adopt = func(name, iccid string) gateway.LineOptions {
			lo := gateway.LineOptions{Name: name, PerMinute: 1e6, PerDay: 1e6, Changed: often}
			lo.Open = func(ctx context.Context) (gateway.Modem, error) {
				if to, _ := os.Readlink(r.link); to == n.Modems()[1].Path() && r.up(name) != "up" {
					return nil, fmt.Errorf("%w: it is in the modem of front", driver.ErrNoPort)
				}
				return driver.Open(ctx, driver.Options{Port: n.Modems()[1].Path()})
			}
			return lo
		}
	}
	r.start()
	t.Cleanup(r.halt)
	r.lineState("front", "absent")
	return r
}

// often says that a modem may be there now.
func often() <-chan struct{} {
	changed := make(chan struct{})
	time.AfterFunc(20*time.Millisecond, func() { close(changed) })
	return changed
}

func (r *lateRig) up(name string) string {
	l, err := r.g.Line(context.WithoutCancel(r.t.Context()), admin, name)
	if err != nil {
		return err.Error()
	}
	return l.State
}

func (r *lateRig) lead(modem int) {
	r.t.Helper()
	_ = os.Remove(r.link)
	if err := os.Symlink(r.net.Modems()[modem].Path(), r.link); err != nil {
		r.t.Fatal(err)
	}
}

// TestAdoptedLineGivesItsModemOver takes it away while a queue is being sent:
// every text goes once, some by each line.
func TestAdoptedLineGivesItsModemOver(t *testing.T) {
	r := newLateRig(t)
	r.adopt(r.net.Modems()[1].ICCID(), r.name)
	r.lineState(r.name, "up")
	var ids []string
	post := func() {
		ids = append(ids, r.post(gateway.NewMessage{To: subscriber, Text: fmt.Sprintf("text %d", len(ids)), Via: []string{r.name}}).ID)
	}
	for range 8 {
		post()
	}
	r.texts(subscriber, 2)
	r.lead(1)
	lines := map[string]int{}
	for i := 0; i < len(ids); i++ {
		lines[r.await(ids[i], store.Sent, store.Delivered).Parts[0].Line]++
		if i == len(ids)-1 && lines["front"] == 0 {
			post() // until the other line has sent one
		}
	}
	if n := r.submitted(subscriber); n != len(ids) {
		t.Errorf("%d texts were submitted, want %d", n, len(ids))
	}
	if lines[r.name] < 2 || lines[r.name]+lines["front"] != len(ids) {
		t.Errorf("of %d: sent by %v", len(ids), lines)
	}
	r.lineState("front", "up")
	if l, err := r.g.Lines(t.Context(), admin); err != nil || len(l) != 1 {
		t.Errorf("lines %+v, %v", l, err)
	}
}

// TestModemIsNotGivenToALineThatHadAnother refuses what an exchange of ports
// looks like, and leaves the adopted line its modem.
func TestModemIsNotGivenToALineThatHadAnother(t *testing.T) {
	r := newLateRig(t)
	r.lead(0)
	r.lineState("front", "up")
	r.adopt(r.net.Modems()[1].ICCID(), r.name)
	r.lineState(r.name, "up")
	r.net.Modems()[0].Unplug()
	r.lineState("front", "absent")
	r.lead(1)
	r.lineState("front", gateway.WrongModem)
	var wrong *gateway.MismatchError
	if err := r.g.Yield(r.name, "front"); !errors.As(err, &wrong) || !strings.Contains(wrong.Detail, "that of line "+r.name+": nothing is sent") {
		t.Errorf("got %v", err)
	}
	v := r.post(gateway.NewMessage{To: subscriber, Text: "still by the adopted one", Via: []string{r.name}})
	r.await(v.ID, store.Sent, store.Delivered)
	if got := r.up(r.name); got != "up" {
		t.Errorf("the adopted line is %s", got)
	}
	// A configured line gives nothing over.
	for _, pair := range [][2]string{{"front", r.name}, {"front", "front"}, {"none", "front"}, {r.name, "none"}} {
		if err := r.g.Yield(pair[0], pair[1]); !errors.Is(err, driver.ErrNoPort) {
			t.Errorf("%v: %v", pair, err)
		}
	}
}

// TestModemThatWasNotGivenOverIsRefused has the port of a line lead to the
// modem of an adopted one which did not give it: names of ports have moved.
func TestModemThatWasNotGivenOverIsRefused(t *testing.T) {
	r := newLateRig(t)
	r.adopt(r.net.Modems()[1].ICCID(), r.name)
	r.lineState(r.name, "up")
	r.net.Modems()[1].Unplug()
	r.lineState(r.name, "absent")
	r.lead(1)
	r.net.Modems()[1].Plug()
	r.lineState("front", gateway.WrongModem)
}
