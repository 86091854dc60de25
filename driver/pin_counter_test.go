package driver_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/modemgate/modemgate/driver"
	"github.com/modemgate/modemgate/driver/sim"
)

// counters are the commands that tell how many tries of the PIN are left, with
// the profiles that know this one and no other.
var counters = map[string][]string{
	"AT+CPINR": {"generic", "sim7600", "a7670", "wavecom", "multitech", "novatel"}, // 3GPP TS 27.007 §8.65
	"AT^CPIN?": {"huawei", "e3531", "e1752", "mu736"}, "AT+QPINC?": {"quectel"}, "AT+SPIC": {"sim800", "sim7000"},
	"AT^SPIC": {"siemens", "cinterion"}, "AT#PCT": {"telit"}, "AT+UPINCNT": {"ublox"}, "AT+CPINC?": {"sierra"}, "AT+ZPINPUK=?": {"zte", "mf626"},
}

// TestPINCounterOfEveryForm: the tries left are those of the PIN and of
// nothing else, and the last one is not risked.
func TestPINCounterOfEveryForm(t *testing.T) {
	for command, profiles := range counters {
		for _, profile := range profiles {
			for _, tries := range []int{1, 2} {
				t.Run(fmt.Sprint(profile, " ", tries), func(t *testing.T) {
					t.Parallel()
					countsTries(t, profile, command, tries)
				})
			}
		}
	}
	for _, profile := range sim.Profiles() {
		known := 0
		for _, profiles := range counters {
			if slices.Contains(profiles, profile) {
				known++
			}
		}
		if known != 1 && profile != "bare" {
			t.Errorf("%s is in %d rows", profile, known)
		}
	}
	for _, command := range driver.PINCounters() {
		if len(counters["AT"+command]) == 0 {
			t.Errorf("no simulated modem knows AT%s", command)
		}
	}
}

func countsTries(t *testing.T, profile, command string, tries int) {
	_, s := network(t, profile)
	s.SetPINTries(tries)
	var guard clerk
	_, err := locked(t, s, &guard, rightPIN)
	var e *driver.SIMError
	switch {
	case tries == 1 && (!errors.As(err, &e) || e.Left != 1 || !errors.Is(err, driver.ErrPINLastTry) || len(entered(s)) != 0):
		t.Errorf("with one try left %v, entered %q", err, entered(s))
	case tries == 2 && (err != nil || len(guard.claims) != 1 || guard.claims[0].Left != 2):
		t.Errorf("with two tries left %v, claimed %+v", err, guard.claims)
	}
	if !answered(s, command) {
		t.Errorf("it does not answer %s:\n%s", command, strings.Join(s.Transcript(), "\n"))
	}
}

// answered says whether a modem gave information to a command.
func answered(s *sim.Modem, command string) bool {
	log := s.Transcript()
	for i, line := range log {
		if line == "> "+command && i+1 < len(log) && strings.HasPrefix(log[i+1], "< ") && !strings.Contains(log[i+1], "ERROR") &&
			!strings.Contains(log[i+1], "NOT SUPPORT") && strings.Contains(log[i+1], ":") {
			return true
		}
	}
	return false
}
