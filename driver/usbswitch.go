package driver

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// ErrNotUSB means that a port does not belong to a USB device.
var ErrNotUSB = errors.New("port is not on USB")

// How a USB device is switched off and on. A modem that hangs may refuse to be
// switched on at first: the kernel talks to it then.
const (
	usbRest      = time.Second // it stays without its drivers
	usbOnTries   = 4
	usbOnPause   = 500 * time.Millisecond
	usbLookEvery = 10 * time.Second
)

// USBSwitch takes the drivers from USB devices and gives them back
// (`authorized` in sysfs, Documentation/usb/authorization.rst of Linux). The
// kernel keeps a device off until somebody writes 1 or plugs it in anew, also
// when whoever wrote 0 has died: so what is off is noted in a file before, and
// [USBSwitch.Run] switches on what is still noted. What is off and not noted
// was switched off by somebody else, and stays so. The zero value works on
// /sys and notes nothing; all methods are safe for concurrent use.
type USBSwitch struct {
	Sys  string       // the root of sysfs, "" for /sys
	File string       // where devices that are off are noted, "" for nowhere
	Log  *slog.Logger // nil for silence

	mu   sync.Mutex
	busy map[string]bool   // by directory: being switched
	told map[string]string // by directory: the trouble that the log told last

	write func(path, value string) error // nil: writeAttribute
	pause time.Duration                  // in place of usbRest and usbOnPause, 0: those
	every time.Duration                  // in place of usbLookEvery, 0: that
}

// Reset switches the USB device of a port off and on: the device loses its
// ttys and gets new ones, maybe under other names. What is plugged into the
// same hub is not touched. Once off, the device is switched on again whatever
// ctx says. Errors: [ErrNoPort], [ErrNotUSB], or what the kernel or the file
// said, with what would be needed.
func (u *USBSwitch) Reset(ctx context.Context, port string) error {
	dir, err := usbDevice(u.Sys, port)
	if err != nil {
		return fmt.Errorf("usb reset: %w", err)
	}
	if !u.take(dir) {
		return fmt.Errorf("usb reset: %s is being switched already", dir)
	}
	defer u.release(dir)
	if err := u.note(offDevice(dir)); err != nil {
		return fmt.Errorf("usb reset: not done, since it could not be noted what is off: %w", err)
	}
	err = u.set(dir, "0")
	if err != nil && !isOff(dir) {
		u.forget(dir)
		return fmt.Errorf("usb reset: %w", err)
	}
	_ = pause(ctx, nil, u.wait(usbRest))
	for try := 1; ; try++ {
		if err = u.set(dir, "1"); err == nil {
			u.forget(dir)
			u.settle(dir)
			return nil
		}
		if try == usbOnTries {
			return fmt.Errorf("usb reset: the device is off and cannot be switched on again; %s: %w", u.remedy(dir), err)
		}
		time.Sleep(u.wait(usbOnPause))
	}
}

// Has says whether the device of a port is one that [USBSwitch.Reset] can take
// off USB.
func (u *USBSwitch) Has(port string) bool {
	_, err := usbDevice(u.Sys, port)
	return err == nil
}

// remedy says what becomes of a device that is off.
func (u *USBSwitch) remedy(dir string) string {
	by := "echo 1 | sudo tee " + filepath.Join(dir, "authorized") + " does it, or plug it in anew"
	if u.File == "" {
		return by
	}
	return "it is tried again every " + u.lookEvery().String() + "; " + by
}

// Run switches on what resets have left off, at once and then every few
// seconds, until ctx ends.
func (u *USBSwitch) Run(ctx context.Context) error {
	tick := time.NewTicker(u.lookEvery())
	defer tick.Stop()
	for {
		u.restoreAll()
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func (u *USBSwitch) lookEvery() time.Duration {
	if u.every > 0 {
		return u.every
	}
	return usbLookEvery
}

// restoreAll switches on what is noted and in nobody's hands. A note is forgotten
// when its device is on, or when another one, or nothing, is plugged in there.
// The log says what came of it.
func (u *USBSwitch) restoreAll() {
	noted, foreign, err := u.noted()
	if err != nil {
		u.tell(u.File, "cannot read which modems are switched off on USB: "+err.Error(), slog.LevelWarn)
		return
	}
	u.settle(u.File)
	if foreign > 0 {
		u.dropForeign()
	}
	for _, d := range noted {
		if u.take(d.Dir) {
			u.restore(d)
			u.release(d.Dir)
		}
	}
}

func (u *USBSwitch) restore(d USBOff) {
	if offDevice(d.Dir) != d || !isOff(d.Dir) {
		u.forget(d.Dir) // plugged in anew, or another, or on: no work of ours
		u.settle(d.Dir)
		return
	}
	if err := u.set(d.Dir, "1"); err != nil {
		u.tell(d.Dir, fmt.Sprintf("modem %s is switched off on USB by a reset and cannot be switched on: %v; %s", d.ID, err, u.remedy(d.Dir)), slog.LevelError)
		return
	}
	u.forget(d.Dir)
	u.settle(d.Dir)
	if u.Log != nil {
		u.Log.Warn(fmt.Sprintf("modem %s at %s was left switched off on USB by a reset, and is switched on again", d.ID, filepath.Base(d.Dir)))
	}
}

// tell writes of a trouble to the log, once for the same text about the same
// thing until that is settled.
func (u *USBSwitch) tell(about, text string, level slog.Level) {
	u.mu.Lock()
	known := u.told[about] == text
	if u.told == nil {
		u.told = map[string]string{}
	}
	u.told[about] = text
	u.mu.Unlock()
	if !known && u.Log != nil {
		u.Log.Log(context.Background(), level, text)
	}
}

// settle ends the trouble with a thing: the next one is told again.
func (u *USBSwitch) settle(about string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.told, about)
}

// take reserves a device for one that switches it.
func (u *USBSwitch) take(dir string) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.busy[dir] {
		return false
	}
	if u.busy == nil {
		u.busy = map[string]bool{}
	}
	u.busy[dir] = true
	return true
}

func (u *USBSwitch) release(dir string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.busy, dir)
}

func (u *USBSwitch) set(dir, value string) error {
	file := filepath.Join(dir, "authorized")
	if u.write != nil {
		return u.write(file, value)
	}
	return writeAttribute(file, value)
}

func (u *USBSwitch) wait(usual time.Duration) time.Duration {
	if u.pause > 0 {
		return u.pause
	}
	return usual
}

func sysfsRoot(sysfs string) (string, error) {
	if sysfs == "" {
		sysfs = "/sys"
	}
	return filepath.EvalSymlinks(sysfs)
}

// usbDevice is the directory of the USB device that a tty belongs to: the first
// one above the tty that has the ids of a device. Above it are only hubs.
func usbDevice(sysfs, port string) (string, error) {
	if port == "" {
		return "", fmt.Errorf("%w: it is not known where the modem is", ErrNoPort)
	}
	node, err := filepath.EvalSymlinks(port)
	if err != nil {
		return "", openError(port, err)
	}
	top, err := sysfsRoot(sysfs)
	if err != nil {
		return "", err
	}
	dir, err := filepath.EvalSymlinks(filepath.Join(top, "class/tty", filepath.Base(node), "device"))
	if err != nil {
		return "", fmt.Errorf("%w: %s", ErrNotUSB, node)
	}
	for ; len(dir) > len(top); dir = filepath.Dir(dir) {
		if usbSocket.MatchString(filepath.Base(dir)) && exists(filepath.Join(dir, "idVendor")) && exists(filepath.Join(dir, "authorized")) {
			return dir, nil
		}
	}
	return "", fmt.Errorf("%w: %s", ErrNotUSB, node)
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// isOff says whether a device is known to be off.
func isOff(dir string) bool { return readAttribute(dir, "authorized") == "0" }

// readAttribute reads one short file of sysfs; "" if it cannot be read.
func readAttribute(dir, name string) string {
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
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
