package driver_test

import (
	"testing"

	"github.com/modemgate/modemgate/driver"
	"github.com/modemgate/modemgate/driver/sim"
)

// The cell is that of now; a modem without network is in none, and one that
// refuses to tell it is well without.
func TestCellOfNow(t *testing.T) {
	r := newStation(t, "generic")
	m := dial(t, r.sim)
	see := func(registration string, want driver.Cell) {
		t.Helper()
		if st, err := m.Status(t.Context()); err != nil || st.Registration != registration || st.Cell != want {
			t.Errorf("got %+v, %v; want %+v", st, err, want)
		}
	}
	see("home", driver.Cell{Area: "1A2B", ID: "0001B2C0", Radio: "lte"})
	r.sim.SetCell("00AF", "C0FFEE")
	see("home", driver.Cell{Area: "00AF", ID: "C0FFEE", Radio: "lte"})
	r.sim.SetRegistration(sim.RegSearching)
	see("searching", driver.Cell{})
	r.sim.SetRegistration(sim.RegRoaming)
	r.sim.Inject(sim.Fault{Kind: sim.FaultError, Match: "+CEREG=2"})
	see("roaming", driver.Cell{Area: "00AF", ID: "C0FFEE", Radio: "gsm"})
	see("roaming", driver.Cell{Area: "00AF", ID: "C0FFEE", Radio: "gsm"}) // it is not asked again
}
