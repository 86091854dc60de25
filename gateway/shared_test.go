package gateway_test

import "testing"

// The modem that a line had last is asked for on a port that two modems share,
// from the time on when that was seen, over restarts; on another port never.
func TestLastModemOfASharedPort(t *testing.T) {
	r := newRig(t, nil, nil)
	last := func(line, port string, shared bool, want string) {
		t.Helper()
		if got, err := r.g.LastModem(t.Context(), line, port, shared); err != nil || got != want {
			t.Errorf("%s on %s, shared %v: %q, %v; want %q", line, port, shared, got, err, want)
		}
	}
	r.lineState("modem0", "up")
	imei := r.net.Modems()[0].IMEI()
	last("modem0", "/dev/a", false, "")
	last("modem9", "/dev/a", true, "")
	last("modem0", "/dev/a", true, imei)
	last("modem0", "/dev/a", false, imei)
	last("modem0", "/dev/b", false, "")
	r.restart()
	last("modem0", "/dev/a", false, imei)
	last("modem0", "/dev/b", false, "")
}
