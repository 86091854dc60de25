package driver

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// What helps a modem that its session cannot help any more, from the gentlest
// on: CycleRadio, then [Modem.Reset] or [ResetSilent], then [ResetUSB], then
// [Power.Cycle]. None says whether it has helped: the caller opens the modem
// anew and sees.

// radioPause is how long the radio stays off: long enough for the network to
// see the detach (3GPP TS 24.008 §4.3.4), short enough for nobody to wait.
const radioPause = 2 * time.Second

// CycleRadio switches the radio off and on (AT+CFUN, 3GPP TS 27.007 §8.2), so
// that the modem registers anew. SIM and settings stay, except on modems that
// know no AT+CFUN=4 and are taken through AT+CFUN=0: the caller opens the modem
// anew in any case. Once off, the radio is switched on again whatever ctx says.
// Errors: a [*CommandError], or why the session ended.
func (m *Modem) CycleRadio(ctx context.Context) error {
	release, err := m.s.hold(ctx)
	if err != nil {
		return fmt.Errorf("radio off and on: %w", err)
	}
	defer release()
	limit := 3 * m.o.CommandTimeout // detaching from a network takes its time
	if _, err = m.s.doFor("+CFUN=4", limit); err != nil && codeOf(err) != "" {
		_, err = m.s.doFor("+CFUN=0", limit)
	}
	if err != nil {
		return fmt.Errorf("radio off: %w", err)
	}
	const tries = 5 // Wavecom refuses for a while, gammu#93
	for range tries {
		if pause(context.WithoutCancel(ctx), m.s.done, min(radioPause, m.o.CommandTimeout/5)) != nil {
			return fmt.Errorf("radio on: %w", m.s.ended())
		}
		if _, err = m.s.doFor("+CFUN=1", limit); err == nil || codeOf(err) == "" {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("radio on: %w", err)
	}
	return nil
}

// CanReset says whether a modem of this identity has a restart command that is
// known and safe.
func CanReset(id Identity) bool {
	q := quirksOf(id)
	return q.reset != "" && !q.becomesCD
}

// ResetSilent writes the restart command to the port of a modem that does not
// answer: some still hear. Nothing is read back. The identity is the one that
// the modem on this port gave when it last answered. Errors: [ErrNoReset],
// those of opening a port, a failed write.
func ResetSilent(ctx context.Context, o Options, id Identity) error {
	if !CanReset(id) {
		return fmt.Errorf("%w: %s %s", ErrNoReset, id.Manufacturer, id.Model)
	}
	if o.Port == "" {
		return fmt.Errorf("%w: it is not known where the modem is", ErrNoPort)
	}
	o = o.withDefaults()
	p, err := openPort(o)
	if err != nil {
		return err
	}
	write := func(s string) {
		if err == nil {
			_, err = p.Write([]byte(s))
		}
		// Close throws away what the device has not taken yet.
		if err == nil {
			err = pause(ctx, nil, min(500*time.Millisecond, o.CommandTimeout/10))
		}
	}
	write(esc + "\r") // it may stand at a prompt
	write("AT" + quirksOf(id).reset + "\r")
	if cerr := p.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return fmt.Errorf("reset without an answer: %w", err)
	}
	return nil
}

// ErrNotUSB means that a port does not belong to a USB device.
var ErrNotUSB = errors.New("port is not on USB")

// usbOff is how long a USB device stays without its drivers.
const usbOff = time.Second

// ResetUSB takes the drivers from the USB device of a port and gives them back
// (`authorized` in sysfs, Documentation/usb/authorization.rst of Linux): the
// device loses its ttys and gets new ones, maybe under other names. What is
// plugged into the same hub is not touched. sysfs is "" for /sys. Once off, the
// device is switched on again whatever ctx says. Errors: [ErrNoPort],
// [ErrNotUSB], or what the kernel said, with what would be needed.
func ResetUSB(ctx context.Context, sysfs, port string) error {
	dir, err := usbDevice(sysfs, port)
	if err != nil {
		return fmt.Errorf("usb reset: %w", err)
	}
	file := filepath.Join(dir, "authorized")
	if err := writeAttribute(file, "0"); err != nil {
		return fmt.Errorf("usb reset: %w", err)
	}
	_ = pause(ctx, nil, usbOff)
	if err := writeAttribute(file, "1"); err != nil {
		return fmt.Errorf("usb reset: the device is off and cannot be switched on again: %w", err)
	}
	return nil
}

// usbDevice is the directory of the USB device that a tty belongs to: the first
// one above the tty that has the ids of a device. Above it are only hubs.
func usbDevice(sysfs, port string) (string, error) {
	if sysfs == "" {
		sysfs = "/sys"
	}
	if port == "" {
		return "", fmt.Errorf("%w: it is not known where the modem is", ErrNoPort)
	}
	node, err := filepath.EvalSymlinks(port)
	if err != nil {
		return "", openError(port, err)
	}
	top, err := filepath.EvalSymlinks(sysfs)
	if err != nil {
		return "", err
	}
	dir, err := filepath.EvalSymlinks(filepath.Join(top, "class/tty", filepath.Base(node), "device"))
	if err != nil {
		return "", fmt.Errorf("%w: %s", ErrNotUSB, node)
	}
	for ; len(dir) > len(top); dir = filepath.Dir(dir) {
		if exists(filepath.Join(dir, "idVendor")) && exists(filepath.Join(dir, "authorized")) {
			return dir, nil
		}
	}
	return "", fmt.Errorf("%w: %s", ErrNotUSB, node)
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// writeAttribute writes to a file of sysfs that is there.
func writeAttribute(path, value string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_TRUNC, 0)
	if err != nil {
		if errors.Is(err, fs.ErrPermission) || errors.Is(err, errReadOnly) {
			return fmt.Errorf("no right to write %s: let the udev rules give it to the group of the daemon: %w", path, err)
		}
		return err
	}
	_, err = f.WriteString(value)
	return errors.Join(err, f.Close())
}

// Plug names what is plugged in at a port at this moment, "" for nothing; after
// a plug it is another name.
func Plug(port string) string {
	node, err := filepath.EvalSymlinks(port)
	if err != nil || port == "" {
		return ""
	}
	info, err := os.Stat(node)
	if err != nil {
		return ""
	}
	return fmt.Sprintf("%s %d", node, inode(info))
}
