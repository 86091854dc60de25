package events

import (
	"bufio"
	"net"
	"testing"
	"time"
)

// TestAttackConnectFlood holds that whoever opens connections without a key
// takes no more descriptors than the process can spare: the service has 1,024,
// of which the API may take 576, and modems and the store need theirs.
func TestAttackConnectFlood(t *testing.T) {
	const spare = 1024 - 576 - 128
	s := newSiege(t)
	srv, most := s.server.current(), 0
	for range 2 * spare {
		c, err := net.Dial("tcp", s.Addr())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		if _, err := bufio.NewReader(c).ReadString('\n'); err != nil { // the server has looked at it
			t.Fatal(err)
		}
		most = max(most, srv.NumClients())
	}
	if most < 100 || most > spare {
		t.Errorf("%d connections stood at a time, want 100 to %d", most, spare)
	}
	if st := s.State(); !st.Connected {
		t.Errorf("the gateway itself: %s", st.Error)
	}
}
