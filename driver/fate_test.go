package driver_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/modemgate/modemgate/driver"
	"github.com/modemgate/modemgate/driver/sim"
)

// submissions counts how often the network took a text.
func submissions(n *sim.Network, text string) (count int) {
	for _, e := range n.Journal() {
		if e.Kind == sim.JournalSubmitted && e.Text == text {
			count++
		}
	}
	return count
}

// What Send says must be true of the network: taken once for a reference, not
// at all for NotSent and Refused. Unknown may be either.
func TestFateIsTrueOfTheNetwork(t *testing.T) {
	points := []sim.Point{sim.PointCommand, sim.PointPrompt, sim.PointBody, sim.PointAccepted, sim.PointAnswered}
	var faults []sim.Fault
	for _, kind := range []sim.FaultKind{sim.FaultUnplug, sim.FaultHang, sim.FaultStopReading, sim.FaultReboot} {
		for _, point := range points {
			faults = append(faults, sim.Fault{Kind: kind, Match: "+CMGS", Point: point, Delay: 100 * time.Millisecond})
		}
	}
	for _, where := range []string{sim.WhereBefore, sim.WhereInside, sim.WhereSplit, sim.WhereAfter, sim.WhereJoined} {
		faults = append(faults, sim.Fault{Kind: sim.FaultChatter, Match: "+CMGS", Where: where})
	}
	for _, text := range []string{"\r\n", ">>", "\r\n> > ", "OK\r\n> ", "\r\n+CMGS: 200\r\n\r\nOK\r\n\r\n> "} {
		faults = append(faults, sim.Fault{Kind: sim.FaultPrompt, Text: text})
	}
	faults = append(faults,
		sim.Fault{Kind: sim.FaultLate, Match: "+CMGS", Delay: 600 * time.Millisecond}, sim.Fault{Kind: sim.FaultMissing, Match: "+CMGS"},
		sim.Fault{Kind: sim.FaultDoubled, Match: "+CMGS"}, sim.Fault{Kind: sim.FaultNoResult}, sim.Fault{Kind: sim.FaultNoPrompt},
		sim.Fault{Kind: sim.FaultReportFirst}, sim.Fault{Kind: sim.FaultCMS, Code: 21},
	)
	for i, fault := range faults {
		t.Run(fmt.Sprintf("%s %s %s %q", fault.Kind, fault.Point, fault.Where, fault.Text), func(t *testing.T) {
			t.Parallel()
			n, s := network(t, "")
			m := patient(t, s)
			s.Inject(fault)
			for _, text := range []string{fmt.Sprintf("first %d", i), fmt.Sprintf("second %d", i)} {
				mr, err := submit(t, m, "+999777000001", text)
				check(t, n, text, mr, err)
				select {
				case <-m.Done():
					m.Close()
					m = patient(t, s)
				default:
				}
			}
		})
	}
}

// patient opens a modem with a short result deadline, as often as it takes
// for the modem to be back.
func patient(t *testing.T, s *sim.Modem) *driver.Modem {
	t.Helper()
	for end := time.Now().Add(hangs); ; {
		m, err := driver.Open(t.Context(), driver.Options{
			Port: s.Path(), CommandTimeout: time.Second, PromptTimeout: 300 * time.Millisecond,
			SubmitTimeout: 300 * time.Millisecond, WriteTimeout: 300 * time.Millisecond,
		})
		if err == nil {
			t.Cleanup(func() { m.Close() })
			return m
		}
		s.ClearFaults()
		if time.Now().After(end) {
			t.Fatalf("open: %v\n%s", err, strings.Join(s.Transcript(), "\n"))
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func check(t *testing.T, n *sim.Network, text string, mr int, err error) {
	t.Helper()
	taken := submissions(n, text)
	var e *driver.SendError
	switch {
	case err == nil && taken != 1:
		t.Errorf("%s: sent as %d, the network took it %d times", text, mr, taken)
	case err == nil:
	case !errors.As(err, &e):
		t.Errorf("%s: %v is no SendError", text, err)
	case e.Fate != driver.Unknown && taken != 0:
		t.Errorf("%s: %v, the network took it %d times", text, err, taken)
	case taken > 1:
		t.Errorf("%s: the network took it %d times", text, taken)
	}
}

// Cancelling at any moment is never a lie either.
func TestCancelIsTrueOfTheNetwork(t *testing.T) {
	t.Parallel()
	n, s := network(t, "")
	m := patient(t, s)
	for i := range 40 {
		text := fmt.Sprintf("cancelled %d", i)
		tpdu := parts(t, "+999777000001", text)[0]
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i)*50*time.Microsecond)
		mr, err := m.Send(ctx, driver.Submission{TPDU: tpdu})
		cancel()
		check(t, n, text, mr, err)
		select {
		case <-m.Done():
			m.Close()
			m = patient(t, s)
		default:
		}
	}
}
