package driver_test

import (
	"testing"
	"time"

	"github.com/modemgate/modemgate/driver"
	"github.com/modemgate/modemgate/driver/sim"
)

// TestChatterIsNoIdentity lets a modem say one thing again and again before
// and inside every answer: known words, the words that SIM800 has for its
// supply, and one that nobody has heard of.
func TestChatterIsNoIdentity(t *testing.T) {
	for _, text := range []string{
		"OVER-VOLTAGE WARNNING", "UNDER-VOLTAGE WARNNING", "Call Ready", "CHARGE-ONLY MODE", "DST: 0", "A WORD THAT NOBODY KNOWS",
	} {
		for _, where := range []string{sim.WhereBefore, sim.WhereInside} {
			t.Run(text+" "+where, func(t *testing.T) {
				_, s := network(t, "sim800")
				s.Inject(sim.Fault{Kind: sim.FaultChatter, Text: text, Where: where, Times: -1})
				m := dial(t, s)
				id := m.Identity()
				if m.Family() != "SIMCom SIM800, SIM900" || id.Manufacturer != "SIMCOM_Ltd" || id.Model != "SIMCOM_SIM800L" || id.IMEI != s.IMEI() {
					t.Errorf("taken for %q: %+v", m.Family(), id)
				}
			})
		}
	}
}

// TestPassingWordIsNoIdentity has a modem say an unknown word once, before its
// maker's name.
func TestPassingWordIsNoIdentity(t *testing.T) {
	for _, command := range []string{"AT+CGMI", "AT+CGMM", "AT+CGMR"} {
		_, s := network(t, "ublox")
		s.Inject(sim.Fault{Kind: sim.FaultChatter, Match: command, Text: "A PASSING WORD", Times: 1})
		id, err := driver.Identify(t.Context(), driver.Options{Port: s.Path(), CommandTimeout: 2 * time.Second}, false)
		if err != nil || id.Manufacturer != "u-blox" || id.Model != "SARA-U201" || id.Revision != "23.60" {
			t.Errorf("a word in the answer to %s: %+v, %v", command, id, err)
		}
	}
}
