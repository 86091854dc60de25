package sim

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// A program that is killed takes its TIOCEXCL along, also over a replug.
func TestExclusiveUseEndsWithItsOpener(t *testing.T) {
	n := network(t, Options{})
	m := n.Modems()[0]
	for range 3 {
		f, err := os.OpenFile(m.Path(), os.O_RDWR|unix.O_NOCTTY, 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := unix.IoctlSetInt(int(f.Fd()), unix.TIOCEXCL, 0); err != nil {
			t.Fatal(err)
		}
		f.Close()
		m.call(func() {
			slave := int(m.sess.port.slave.Fd())
			eventually(t, "the port to be free", func() bool {
				on, err := unix.IoctlGetInt(slave, unix.TIOCGEXCL)
				return err == nil && on == 0
			})
		})
		m.Unplug()
		m.Plug()
	}
}
