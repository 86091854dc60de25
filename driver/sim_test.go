package driver_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/modemgate/modemgate/driver"
	"github.com/modemgate/modemgate/driver/sim"
)

const hangs = time.Minute // how long a test waits before it calls a hang

// network starts a simulated network of one modem of the profile.
func network(t *testing.T, profile string) (*sim.Network, *sim.Modem) {
	t.Helper()
	n, err := sim.New(sim.Options{Profile: profile, Dir: t.TempDir(), Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Close() })
	return n, n.Modems()[0]
}

// dial opens a simulated modem with short deadlines.
func dial(t *testing.T, s *sim.Modem) *driver.Modem {
	t.Helper()
	m, err := driver.Open(t.Context(), driver.Options{
		Port: s.Path(), CommandTimeout: 2 * time.Second, PromptTimeout: time.Second, SubmitTimeout: 2 * time.Second,
	})
	if err != nil {
		t.Fatalf("open: %v\n%s", err, strings.Join(s.Transcript(), "\n"))
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return m
}

// parts encodes a text.
func parts(t *testing.T, to, body string) [][]byte {
	t.Helper()
	e, err := driver.Encode(driver.Text{To: to, Body: body, Ref: 7, Report: true, Validity: time.Hour, MaxParts: 10})
	if err != nil {
		t.Fatal(err)
	}
	return e.Parts
}

// submit sends one short text and returns its reference.
func submit(t *testing.T, m *driver.Modem, to, body string) (int, error) {
	t.Helper()
	return m.Send(t.Context(), driver.Submission{TPDU: parts(t, to, body)[0]})
}

// listed lists until there is something that fits.
func listed(t *testing.T, m *driver.Modem, fits func(driver.Decoded) bool) (driver.Stored, driver.Decoded) {
	t.Helper()
	for end := time.Now().Add(hangs); time.Now().Before(end); {
		all, err := m.List(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, st := range all {
			if d := driver.Decode(st.PDU, st.Length); fits(d) {
				return st, d
			}
		}
		select {
		case s := <-m.Signals():
			if d := driver.Decode(s.PDU, s.Length); s.PDU != "" && fits(d) {
				return driver.Stored{Slot: driver.Slot{Index: -1}, PDU: s.PDU}, d
			}
		case <-time.After(50 * time.Millisecond):
		}
	}
	t.Fatal("nothing came that fits")
	panic("unreachable")
}

func TestSimulatedModemsOfAllProfiles(t *testing.T) {
	t.Parallel()
	const phone = "+999777000001"
	for _, profile := range sim.Profiles() {
		t.Run(profile, func(t *testing.T) {
			t.Parallel()
			n, s := network(t, profile)
			m := dial(t, s)
			id := m.Identity()
			if id.IMEI != s.IMEI() || profile != "bare" && (id.ICCID != s.ICCID() || id.IMSI != s.IMSI()) {
				t.Errorf("identity %+v, want IMEI %s ICCID %s IMSI %s", id, s.IMEI(), s.ICCID(), s.IMSI())
			}
			long := strings.Repeat("Ein langer Text, 160 Zeichen reichen ihm nicht. ", 8)
			all := parts(t, phone, long)
			for i, tpdu := range all {
				if _, err := m.Send(t.Context(), driver.Submission{TPDU: tpdu, More: i+1 < len(all)}); err != nil {
					t.Fatalf("part %d: %v", i+1, err)
				}
			}
			ctx, cancel := context.WithTimeout(t.Context(), hangs)
			defer cancel()
			got, err := n.Phone(phone).Wait(ctx, 1)
			if err != nil || got[0].Text != long {
				t.Fatalf("phone got %+v, %v", got, err)
			}
			if err := n.Phone(phone).Send(s.Number(), "hello € 1"); err != nil {
				t.Fatal(err)
			}
			st, d := listed(t, m, func(d driver.Decoded) bool { return d.Kind == driver.Deliver })
			if d.Text != "hello € 1" || d.From.Value != phone {
				t.Errorf("listed %+v", d)
			}
			if err := m.Delete(t.Context(), st.Slot); err != nil {
				t.Errorf("delete: %v", err)
			}
			status, err := m.Status(t.Context())
			if err != nil || profile != "bare" && status.Registration != "home" && status.Registration != "roaming" {
				t.Errorf("status %+v, %v", status, err)
			}
		})
	}
}

func TestSimulatedChatterEverywhere(t *testing.T) {
	t.Parallel()
	for _, where := range []string{sim.WhereBefore, sim.WhereInside, sim.WhereAfter, sim.WhereJoined} {
		t.Run(where, func(t *testing.T) {
			n, s := network(t, "")
			s.Inject(sim.Fault{Kind: sim.FaultChatter, Where: where, Times: -1})
			m := dial(t, s)
			if err := n.Phone("+999777000001").Send(s.Number(), "in"); err != nil {
				t.Fatal(err)
			}
			listed(t, m, func(d driver.Decoded) bool { return d.Kind == driver.Deliver && d.Text == "in" })
			for range 5 {
				if mr, err := submit(t, m, "+999777000001", "out"); err != nil || mr < 0 {
					t.Fatalf("send: %d, %v\n%s", mr, err, strings.Join(s.Transcript(), "\n"))
				}
			}
		})
	}
}

func TestSimulatedFaultsOfASend(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fault sim.Fault
		fate  driver.Fate
		code  string
	}{
		"refused by the network":     {sim.Fault{Kind: sim.FaultCMS, Code: 38}, driver.NotSent, "cms-38"},
		"refused for good":           {sim.Fault{Kind: sim.FaultCMS, Code: 1}, driver.Refused, "cms-1"},
		"network timeout":            {sim.Fault{Kind: sim.FaultCMS, Code: 332}, driver.Unknown, "cms-332"},
		"no prompt":                  {sim.Fault{Kind: sim.FaultNoPrompt}, driver.NotSent, "prompt"},
		"no answer":                  {sim.Fault{Kind: sim.FaultMissing, Match: "+CMGS"}, driver.Unknown, "timeout"},
		"unplugged at the command":   {sim.Fault{Kind: sim.FaultUnplug, Match: "+CMGS", Point: sim.PointCommand}, driver.NotSent, "gone"},
		"unplugged after acceptance": {sim.Fault{Kind: sim.FaultUnplug, Match: "+CMGS", Point: sim.PointAccepted}, driver.Unknown, "gone"},
		"hangs after acceptance":     {sim.Fault{Kind: sim.FaultHang, Match: "+CMGS", Point: sim.PointAccepted}, driver.Unknown, "timeout"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, s := network(t, "")
			m := dial(t, s)
			s.Inject(c.fault)
			_, err := submit(t, m, "+999777000001", "x")
			var e *driver.SendError
			if !errors.As(err, &e) || e.Fate != c.fate || c.code != "" && e.Code != c.code {
				t.Errorf("got %v, want %s %s\n%s", err, c.fate, c.code, strings.Join(s.Transcript(), "\n"))
			}
		})
	}
}

func TestSimulatedOddities(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]sim.Fault{
		"echo":              {Kind: sim.FaultEcho},
		"optional commands": {Kind: sim.FaultUnsupported},
		"empty list is 321": {Kind: sim.FaultEmptyList},
		"CR prompt":         {Kind: sim.FaultPrompt, Text: "\r> ", Times: -1},
		"bare prompt":       {Kind: sim.FaultPrompt, Text: ">", Times: -1},
		"report first":      {Kind: sim.FaultReportFirst, Times: -1},
		"doubled answers":   {Kind: sim.FaultDoubled, Match: "+CSQ", Times: -1},
	} {
		t.Run(name, func(t *testing.T) {
			_, s := network(t, "")
			s.Inject(fault)
			m := dial(t, s)
			for range 3 {
				if mr, err := submit(t, m, "+999777000001", "x"); err != nil || mr < 0 {
					t.Fatalf("send: %d, %v\n%s", mr, err, strings.Join(s.Transcript(), "\n"))
				}
				if _, err := m.List(t.Context()); err != nil {
					t.Fatal(err)
				}
				if _, err := m.Status(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

func TestSimulatedSIMStates(t *testing.T) {
	_, s := network(t, "")
	s.SetSIM("pin", "1234")
	_, err := driver.Open(t.Context(), driver.Options{Port: s.Path()})
	var e *driver.SIMError
	if !errors.As(err, &e) || e.State != "pin" {
		t.Errorf("got %v", err)
	}
	for _, line := range s.Transcript() {
		if strings.Contains(line, "+CPIN=") {
			t.Errorf("a PIN was tried: %s", line)
		}
	}
}

// A process that died at the prompt, or with an answer on its way, must not
// disturb its successor.
func TestSimulatedReopenAfterAbandonedCommand(t *testing.T) {
	t.Parallel()
	n, s := network(t, "")
	for range 2 {
		m := dial(t, s)
		_, err := m.Send(t.Context(), driver.Submission{
			TPDU: parts(t, "+999777000001", "abandoned")[0], AtPrompt: func() error { go m.Close(); <-m.Done(); return nil },
		})
		var e *driver.SendError
		if !errors.As(err, &e) || e.Fate != driver.NotSent {
			t.Fatalf("got %v", err)
		}
		if err := m.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if mr, err := submit(t, dial(t, s), "+999777000001", "whole"); err != nil || mr < 0 {
		t.Fatalf("send: %d, %v", mr, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), hangs)
	defer cancel()
	if got, err := n.Phone("+999777000001").Wait(ctx, 1); err != nil || len(got) != 1 || got[0].Text != "whole" {
		t.Errorf("phone got %+v, %v", got, err)
	}
}
