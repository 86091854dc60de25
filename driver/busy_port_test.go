package driver

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"testing"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"
)

// TestOpenInVainTakesNothingFromTheHolder opens ports that others hold, by any
// kind of lock, while the device has not taken yet what they have written. A
// line whose command is lost waits for an answer that never comes.
func TestOpenInVainTakesNothingFromTheHolder(t *testing.T) {
	holds := map[string]func(t *testing.T, o Options) io.Writer{
		"this program": func(t *testing.T, o Options) io.Writer {
			p, err := openPort(o.withDefaults())
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = p.Close() })
			return p
		},
		"flock": func(t *testing.T, o Options) io.Writer {
			f := openTTY(t, o.Port)
			if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
				t.Fatal(err)
			}
			return f
		},
		"lock file": func(t *testing.T, o Options) io.Writer {
			pid, _ := bystander(t)
			if err := os.WriteFile(lockPath(o.LockDir, o.Port), fmt.Appendf(nil, "%10d\n", pid), 0o644); err != nil {
				t.Fatal(err)
			}
			return openTTY(t, o.Port)
		},
		"no lock": func(t *testing.T, o Options) io.Writer {
			f := openTTY(t, o.Port)
			bystander(t, f)
			return f
		},
	}
	for name, hold := range holds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			master, slave, err := pty.Open()
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _, _ = slave.Close(), master.Close() })
			raw(t, slave)
			o := Options{Port: slave.Name(), LockDir: t.TempDir(), Baud: 115200}
			w := hold(t, o)
			// More than the line discipline of the other end takes (4 KiB): the rest waits in the driver.
			written := bytes.Repeat([]byte("AT+CMGS=23\r"), 550)
			if _, err := w.Write(written); err != nil {
				t.Fatal(err)
			}
			if _, err := openPort(o.withDefaults()); !errors.Is(err, ErrPortBusy) {
				t.Fatalf("got %v", err)
			}
			if got := allOf(t, master, len(written)); !bytes.Equal(got, written) {
				t.Errorf("of %d octets the device has %d", len(written), len(got))
			}
		})
	}
}

// allOf reads n octets, or what there is of them when nothing follows.
func allOf(t *testing.T, master *os.File, n int) (got []byte) {
	t.Helper()
	for b := make([]byte, 4096); len(got) < n; {
		ready := []unix.PollFd{{Fd: int32(master.Fd()), Events: unix.POLLIN}}
		if n, err := unix.Poll(ready, 10_000); err == unix.EINTR {
			continue
		} else if n != 1 {
			t.Logf("nothing more is to be read: %v", err)
			break
		}
		k, err := master.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, b[:k]...)
	}
	return got
}

// raw has a line pass every octet on as it is.
func raw(t *testing.T, tty *os.File) {
	t.Helper()
	set, err := unix.IoctlGetTermios(int(tty.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	set.Iflag, set.Oflag, set.Lflag = 0, 0, 0
	if err := unix.IoctlSetTermios(int(tty.Fd()), unix.TCSETS, set); err != nil {
		t.Fatal(err)
	}
}

// openTTY opens a port as any program would.
func openTTY(t *testing.T, port string) *os.File {
	t.Helper()
	f, err := os.OpenFile(port, os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}
