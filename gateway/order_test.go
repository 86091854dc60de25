package gateway_test

import (
	"strings"
	"sync/atomic"
	"testing"

	"github.com/modemgate/modemgate/gateway"
)

// A modem that is not on USB keeps its session, and the USB step of the ladder
// is left to those that are.
func TestResetOnUSBOfWhatIsNotThere(t *testing.T) {
	s := &means{usb: nothing}
	var onUSB atomic.Bool
	r := ladderRig(t, s, "quectel", func(o *gateway.Options) { o.Lines[0].Rescue.OnUSB = onUSB.Load })
	before, err := r.g.Line(t.Context(), admin, "modem0")
	if err != nil {
		t.Fatal(err)
	}
	if _, err = r.g.ResetLine(t.Context(), admin, "modem0", "usb"); code(err) != gateway.InvalidRequest || !strings.Contains(err.Error(), "its port is not on USB") {
		t.Fatalf("a reset on USB: %v", err)
	}
	if after, err := r.g.Line(t.Context(), admin, "modem0"); err != nil || after.Restarts != before.Restarts || len(after.Recovery.Incidents) != 0 {
		t.Errorf("refused, and yet: %+v, %v", after, err)
	}
	onUSB.Store(true)
	if _, err := r.g.ResetLine(t.Context(), admin, "modem0", "usb"); err != nil {
		t.Fatal(err)
	}
	r.until("it was taken off USB", func() bool { return s.usbs.Load() == 1 })
}
