package main_test

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The daemon tells the service manager when it is ready, feeds its watchdog,
// and says that it stops.
func TestServiceManagerIsTold(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{})
	path := filepath.Join(r.dir, "notify")
	manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer manager.Close()
	if err := manager.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	hears := func(want string) {
		t.Helper()
		buf := make([]byte, 4096)
		for {
			n, err := manager.Read(buf)
			if err != nil {
				t.Fatalf("waited in vain for %s: %v", want, err)
			}
			said := string(buf[:n])
			if strings.HasPrefix(said, want) {
				return
			}
			if !strings.HasPrefix(said, "WATCHDOG=1") {
				t.Fatalf("it says %q, not %s", said, want)
			}
		}
	}
	d := r.serving("NOTIFY_SOCKET="+path, "WATCHDOG_USEC=60000")
	hears("READY=1")
	hears("WATCHDOG=1")
	hears("WATCHDOG=1")
	if err := d.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	hears("STOPPING=1")
}
