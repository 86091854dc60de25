package driver_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/modemgate/modemgate/driver"
	"github.com/modemgate/modemgate/driver/sim"
)

const rightPIN = "73914628"

// clerk is a guard that keeps its records in memory.
type clerk struct {
	refuses error
	claims  []driver.PINTry
	settled []bool
}

func (c *clerk) Claim(_ context.Context, try driver.PINTry) error {
	c.claims = append(c.claims, try)
	return c.refuses
}

func (c *clerk) Settle(_ context.Context, _ driver.PINTry, right bool) error {
	c.settled = append(c.settled, right)
	return nil
}

// locked opens a modem whose SIM has been locked with rightPIN.
func locked(t *testing.T, s *sim.Modem, guard *clerk, pin string) (*driver.Modem, error) {
	t.Helper()
	s.SetSIM(sim.SIMPIN, rightPIN)
	m, err := driver.Open(t.Context(), driver.Options{
		Port: s.Path(), CommandTimeout: 2 * time.Second,
		PIN: &driver.PIN{Read: func() (string, error) { return pin, nil }, Guard: guard},
	})
	if m != nil {
		t.Cleanup(func() { m.Close() })
	}
	return m, err
}

// entered are the commands that entered a PIN.
func entered(s *sim.Modem) (list []string) {
	for _, line := range s.Transcript() {
		if strings.HasPrefix(line, "> AT+CPIN=") {
			list = append(list, line)
		}
	}
	return list
}

func TestPINUnlocksTheSIMOfEveryProfile(t *testing.T) {
	for _, profile := range sim.Profiles() {
		t.Run(profile, func(t *testing.T) {
			n, s := network(t, profile)
			var guard clerk
			m, err := locked(t, s, &guard, rightPIN)
			if err != nil {
				t.Fatalf("open: %v\n%s", err, strings.Join(s.Transcript(), "\n"))
			}
			want := driver.PINTry{SIM: s.ICCID(), IMEI: s.IMEI(), PIN: rightPIN, Left: 3}
			if profile == "bare" {
				want = driver.PINTry{IMEI: s.IMEI(), PIN: rightPIN, Left: -1}
			}
			if len(guard.claims) != 1 || guard.claims[0] != want || !slices.Equal(guard.settled, []bool{true}) {
				t.Errorf("claims %d %#v, settled %v", len(guard.claims), guard.claims, guard.settled)
			}
			if got := entered(s); len(got) != 1 {
				t.Errorf("entered %q", got)
			}
			if _, err := submit(t, m, "+999777000001", "unlocked"); err != nil {
				t.Errorf("send: %v", err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), hangs)
			defer cancel()
			if _, err := n.Phone("+999777000001").Wait(ctx, 1); err != nil {
				t.Error(err)
			}
			for _, line := range m.Trace().Lines(0) {
				if strings.Contains(line.Text, rightPIN) {
					t.Errorf("the trace holds the PIN: %s", line.Text)
				}
			}
		})
	}
}

func TestPINIsNotRisked(t *testing.T) {
	refused := errors.New("tried before")
	for name, c := range map[string]struct {
		pin     string
		tries   int
		prepare func(*sim.Modem)
		guard   clerk
		why     error
		claims  int
	}{
		"one try left":     {pin: rightPIN, tries: 1, why: driver.ErrPINLastTry},
		"refused by guard": {pin: rightPIN, tries: 3, guard: clerk{refuses: refused}, why: refused, claims: 1},
		"too short":        {pin: "123", tries: 3},
		"not only digits":  {pin: "12\r34", tries: 3},
		"nobody is known":  {pin: rightPIN, tries: 3, prepare: anonymous, why: driver.ErrPINNobody},
		"one left, vendor's": {pin: rightPIN, tries: 1, prepare: func(s *sim.Modem) {
			s.Inject(sim.Fault{Kind: sim.FaultAnswer, Match: "+CPINR", Text: "\r\nERROR\r\n", Times: -1})
			s.Inject(sim.Fault{Kind: sim.FaultAnswer, Match: "+SPIC", Text: "\r\n+SPIC: 1,10,0,10\r\n\r\nOK\r\n", Times: -1})
		}, why: driver.ErrPINLastTry},
	} {
		t.Run(name, func(t *testing.T) {
			_, s := network(t, "")
			s.SetPINTries(c.tries)
			if c.prepare != nil {
				c.prepare(s)
			}
			_, err := locked(t, s, &c.guard, c.pin)
			var e *driver.SIMError
			if !errors.As(err, &e) || e.State != "pin" || c.why != nil && !errors.Is(err, c.why) {
				t.Errorf("got %v", err)
			}
			if got := entered(s); len(got) != 0 || len(c.guard.claims) != c.claims {
				t.Errorf("entered %q, %d claims", got, len(c.guard.claims))
			}
			// The port's path holds digits by chance.
			if strings.Contains(strings.ReplaceAll(fmt.Sprint(err), s.Path(), ""), c.pin) {
				t.Errorf("the error holds the PIN: %v", err)
			}
			if _, left := s.SIM(); left != c.tries {
				t.Errorf("%d tries left, want %d", left, c.tries)
			}
		})
	}
}

// anonymous is a modem that tells neither ICCID nor IMEI.
func anonymous(s *sim.Modem) {
	for _, cmd := range []string{"+CCID", "+CRSM", "+CGSN"} {
		s.Inject(sim.Fault{Kind: sim.FaultError, Match: cmd, Code: 4, Times: -1})
	}
}

func TestWrongPINIsEnteredOnce(t *testing.T) {
	for name, c := range map[string]struct {
		fault sim.Fault
		left  int
	}{
		"plain":           {left: 2},
		"bare ERROR":      {fault: sim.Fault{Kind: sim.FaultFinal, Match: "+CPIN=", Text: "\r\nERROR\r\n"}, left: 2},
		"OK all the same": {fault: sim.Fault{Kind: sim.FaultFinal, Match: "+CPIN=", Text: "\r\nOK\r\n"}, left: 2},
	} {
		t.Run(name, func(t *testing.T) {
			_, s := network(t, "")
			if c.fault.Kind != "" {
				s.Inject(c.fault)
			}
			var guard clerk
			_, err := locked(t, s, &guard, "0007")
			var e *driver.SIMError
			if !errors.As(err, &e) || e.State != "pin" || e.Left != c.left || !errors.Is(err, driver.ErrPINWrong) {
				t.Errorf("got %v", err)
			}
			if got := entered(s); len(got) != 1 || !slices.Equal(guard.settled, []bool{false}) {
				t.Errorf("entered %q, settled %v", got, guard.settled)
			}
		})
	}
}

// Nobody saw what the SIM said: the try stays open.
func TestPINWithoutAnswerIsNotSettled(t *testing.T) {
	_, s := network(t, "")
	s.Inject(sim.Fault{Kind: sim.FaultUnplug, Match: "+CPIN=", Point: sim.PointCommand})
	var guard clerk
	if _, err := locked(t, s, &guard, rightPIN); err == nil || len(guard.claims) != 1 || len(guard.settled) != 0 {
		t.Errorf("got %v, %d claims, settled %v", err, len(guard.claims), guard.settled)
	}
}

func TestBusySIMIsWaitedFor(t *testing.T) {
	n, err := sim.New(sim.Options{Dir: t.TempDir(), SIMDelay: 300 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Close() })
	s := n.Modems()[0]
	var guard clerk
	m, err := locked(t, s, &guard, rightPIN)
	if err != nil || !slices.Equal(guard.settled, []bool{true}) {
		t.Fatalf("open: %v, settled %v\n%s", err, guard.settled, strings.Join(s.Transcript(), "\n"))
	}
	if id := m.Identity(); id.ICCID != s.ICCID() || id.IMSI != s.IMSI() || id.SMSC == "" {
		t.Errorf("identity %+v", id)
	}
}

// A SIM that says READY before it can be read: the commands after it wait.
func TestBusySIMAfterReady(t *testing.T) {
	_, s := network(t, "")
	for _, cmd := range []string{"+CIMI", "+CMGF=0", "+CSCA?", "+CPMS="} {
		s.Inject(sim.Fault{Kind: sim.FaultAnswer, Match: cmd, Text: "\r\n+CMS ERROR: 314\r\n", Times: 2})
	}
	s.Inject(sim.Fault{Kind: sim.FaultAnswer, Match: "+CCID", Text: "\r\n+CME ERROR: 14\r\n", Times: 2})
	m := dial(t, s)
	if id := m.Identity(); id.ICCID != s.ICCID() || id.IMSI != s.IMSI() || id.SMSC == "" || id.NoSMSC {
		t.Errorf("identity %+v", id)
	}
	st, err := m.Status(t.Context())
	if err != nil || len(st.Storage) < 2 {
		t.Errorf("status %+v, %v", st, err)
	}
}

func TestPINTryPrintsWithoutIt(t *testing.T) {
	try := driver.PINTry{SIM: "8999900000000000017", PIN: rightPIN, Left: 2}
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "try", try)
	for _, text := range []string{fmt.Sprint(try), fmt.Sprintf("%+v %#v %s %q", try, try, try, try), log.String()} {
		if strings.Contains(text, rightPIN) {
			t.Errorf("%s", text)
		}
	}
}

// A SIM that is not the one the line is for gets no PIN of that line, and
// neither does one that does not say which it is.
func TestNoPINForTheWrongSIM(t *testing.T) {
	for name, hides := range map[string]bool{"another": false, "unknown": true} {
		t.Run(name, func(t *testing.T) {
			_, s := network(t, "")
			s.SetSIM(sim.SIMPIN, rightPIN)
			want := "8999900000000000022"
			if hides {
				want = s.ICCID()
				for _, cmd := range []string{"+CCID", "+CRSM"} {
					s.Inject(sim.Fault{Kind: sim.FaultError, Match: cmd, Code: 13, Times: -1})
				}
			}
			var guard clerk
			notMine := errors.New("not the SIM that was meant")
			_, err := driver.Open(t.Context(), driver.Options{
				Port: s.Path(), CommandTimeout: 2 * time.Second,
				PIN: &driver.PIN{Read: func() (string, error) { return rightPIN, nil }, Guard: &guard},
				Verify: func(id driver.Identity, sim bool) error {
					if sim && id.ICCID != want {
						return notMine
					}
					return nil
				},
			})
			if !errors.Is(err, notMine) || len(entered(s)) != 0 || len(guard.claims) != 0 {
				t.Errorf("got %v, entered %q, %d claims", err, entered(s), len(guard.claims))
			}
		})
	}
}
