package driver_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/modemgate/modemgate/driver"
	"github.com/modemgate/modemgate/driver/sim"
)

// printed is a trace as `modemgate trace` prints it.
func printed(lines []driver.TraceLine) string {
	var b strings.Builder
	for _, l := range lines {
		fmt.Fprintf(&b, "%s %s %s\n", l.At.Format("2006-01-02 15:04:05.000Z07:00"), l.Mark, l.Text)
	}
	return b.String()
}

// findings are what the driver came to know of a modem without knowing whose
// it is: its name, the settings it took, its memories.
func findings(m *driver.Modem) (list []string) {
	id := m.Identity()
	list = append(list, id.Manufacturer, id.Model, id.Revision, fmt.Sprint(m.Announces()))
	running := ""
	for _, l := range m.Trace().Lines(0) {
		switch {
		case l.Mark == ">":
			running = l.Text
		case strings.HasPrefix(running, "AT+CNMI") || strings.HasPrefix(running, "AT+CPMS") || strings.HasPrefix(running, "AT+CMMS"):
			list = append(list, running+" "+l.Text)
		}
	}
	return list
}

// passes sends and receives a text, and deletes what came in.
func passes(t *testing.T, n *sim.Network, s *sim.Modem, m *driver.Modem) {
	t.Helper()
	const phone = "+447700900123"
	ctx, cancel := context.WithTimeout(t.Context(), hangs)
	defer cancel()
	if _, err := submit(t, m, phone, "out"); err != nil {
		t.Fatalf("send: %v\n%s", err, strings.Join(s.Transcript(), "\n"))
	}
	if got, err := n.Phone(phone).Wait(ctx, 1); err != nil || got[0].Text != "out" {
		t.Fatalf("the phone got %+v, %v", got, err)
	}
	if err := n.Phone(phone).Send(s.Number(), "in"); err != nil {
		t.Fatal(err)
	}
	st, d := listed(t, m, func(d driver.Decoded) bool { return d.Kind == driver.Deliver })
	if d.Text != "in" || d.From.Value != phone {
		t.Errorf("listed %+v", d)
	}
	if err := m.Delete(t.Context(), st.Slot); err != nil {
		t.Errorf("delete: %v", err)
	}
}

// TestReplayOfEveryProfile records the dialogue with a modem that has its ways,
// and has a generic one answer by the record: the driver finds the same.
func TestReplayOfEveryProfile(t *testing.T) {
	t.Parallel()
	for _, profile := range sim.Profiles() {
		t.Run(profile, func(t *testing.T) {
			t.Parallel()
			_, s := network(t, profile)
			m := dial(t, s)
			want := findings(m)
			if _, err := submit(t, m, "+447700900123", "once"); err != nil {
				t.Fatal(err)
			}
			if _, err := m.List(t.Context()); err != nil {
				t.Fatal(err)
			}
			trace := m.Trace().Lines(0)
			if trace[0].Seq != 1 {
				t.Fatal("the trace has lost its head")
			}
			file := filepath.Join(t.TempDir(), "trace")
			if err := os.WriteFile(file, []byte(printed(trace)), 0o600); err != nil {
				t.Fatal(err)
			}
			again, err := sim.New(sim.Options{Modems: 2, Dir: t.TempDir(), Replay: file})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { again.Close() })
			other := again.Modems()[1]
			played := dial(t, other)
			if got := findings(played); !slices.Equal(got, want) {
				t.Errorf("found\n%s\nwant\n%s\nby\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"), printed(trace))
			}
			id := played.Identity()
			if id.IMEI != other.IMEI() || profile != "bare" && (id.ICCID != other.ICCID() || id.IMSI != other.IMSI() || id.Number != other.Number()) {
				t.Errorf("identity %+v, want IMEI %s ICCID %s IMSI %s number %s", id, other.IMEI(), other.ICCID(), other.IMSI(), other.Number())
			}
			passes(t, again, other, played)
		})
	}
}

// The ring of a trace and the one who saves it cut anywhere.
func TestReplayOfACutTrace(t *testing.T) {
	t.Parallel()
	_, s := network(t, "zte")
	m := dial(t, s)
	if _, err := submit(t, m, "+447700900123", "once"); err != nil {
		t.Fatal(err)
	}
	lines := m.Trace().Lines(0)
	file := filepath.Join(t.TempDir(), "trace")
	for i := range lines {
		for _, cut := range [][]driver.TraceLine{lines[i:], lines[:i+1]} {
			if err := os.WriteFile(file, []byte(printed(cut)), 0o600); err != nil {
				t.Fatal(err)
			}
			n, err := sim.New(sim.Options{Dir: t.TempDir(), Replay: file})
			if err == nil {
				err = n.Close()
			} else if len(cut) < 5 || !strings.Contains(printed(cut), " > AT") { // nothing is left of it
				err = nil
			}
			if err != nil {
				t.Errorf("%v\n%s", err, printed(cut))
			}
		}
	}
}
