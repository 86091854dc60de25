package driver

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// USBOff is a USB device that was switched off and is to be switched on.
type USBOff struct {
	Dir  string `json:"dir"`  // in sysfs: /sys/devices/…/1-1.2
	ID   string `json:"id"`   // idVendor:idProduct
	Plug string `json:"plug"` // devnum, which the kernel gives anew with each plug
}

// offDevice is what is plugged in at a directory of sysfs.
func offDevice(dir string) USBOff {
	return USBOff{
		Dir: dir, ID: readAttribute(dir, "idVendor") + ":" + readAttribute(dir, "idProduct"), Plug: readAttribute(dir, "devnum"),
	}
}

// What a note of a reset can hold: a device's directory is called after bus and
// sockets ("1-1.2"; root hubs are usb1), ids are four hexadecimal digits
// (Documentation/ABI/stable/sysfs-bus-usb of Linux).
var (
	usbSocket = regexp.MustCompile(`^[0-9]+-[0-9]+(\.[0-9]+)*$`)
	usbID     = regexp.MustCompile(`^[0-9a-f]{4}:[0-9a-f]{4}$`)
	usbPlug   = regexp.MustCompile(`^[0-9]+$`)
)

// notable says whether a reset could have switched this off: what does not tell
// one device from another is not switched on. Who can write to the file may be
// somebody else than who acts on it, such as root with `doctor`.
func (u *USBSwitch) notable(d USBOff) bool {
	return usbID.MatchString(d.ID) && usbPlug.MatchString(d.Plug) && u.below(d.Dir)
}

// below says whether a directory is that of a device in sysfs, or would be if
// something were plugged in there.
func (u *USBSwitch) below(dir string) bool {
	top, err := sysfsRoot(u.Sys)
	if err != nil || filepath.Clean(dir) != dir || !strings.HasPrefix(dir, filepath.Join(top, "devices")+"/") || !usbSocket.MatchString(filepath.Base(dir)) {
		return false
	}
	there, err := filepath.EvalSymlinks(dir)
	return there == dir || errors.Is(err, fs.ErrNotExist)
}

// noted lists the devices that are noted as off, in the order they were
// switched off, and says how many entries no reset can have made. The error
// says that the file cannot be read; one that is not there is empty.
func (u *USBSwitch) noted() (all []USBOff, foreign int, err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.readNotes()
}

// readNotes is noted for who holds mu.
func (u *USBSwitch) readNotes() (all []USBOff, foreign int, err error) {
	if u.File == "" {
		return nil, 0, nil
	}
	b, err := readPlain(u.File, noteLimit)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, 0, nil
	}
	if err == nil {
		if err = json.Unmarshal(b, &all); err != nil {
			err = errors.Join(errNoNote, err)
		}
	}
	if errors.Is(err, errNoNote) {
		return nil, 0, fmt.Errorf("%s: %w: remove it, and plug in anew what is off", u.File, err)
	}
	if err != nil {
		return nil, 0, err
	}
	own := slices.DeleteFunc(slices.Clone(all), func(d USBOff) bool { return !u.notable(d) })
	return own, len(all) - len(own), nil
}

// noteLimit is more than the notes of all devices that a machine can have, in
// octets.
const noteLimit = 64 << 10

// errNoNote means that the file is or holds something else.
var errNoNote = errors.New("no list of devices")

// readPlain reads a file of at most limit octets. A pipe, a link or an endless
// file under the name neither stops nor fills the process, and is errNoNote.
func readPlain(path string, limit int64) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOFOLLOW, 0)
	if errors.Is(err, unix.ELOOP) {
		return nil, fmt.Errorf("%w but a link", errNoNote)
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, errors.Join(fmt.Errorf("%w but no regular file", errNoNote), err)
	}
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(b)) > limit {
		err = fmt.Errorf("%w but more than %d octets", errNoNote, limit)
	}
	return b, err
}

// StillOff lists the devices that are noted and really off. With an error the
// list may lack some: the file cannot be read, or has entries that no reset can
// have made.
func (u *USBSwitch) StillOff() ([]USBOff, error) {
	all, foreign, err := u.noted()
	if foreign > 0 {
		err = u.foreignError(foreign)
	}
	return slices.DeleteFunc(all, func(d USBOff) bool { return offDevice(d.Dir) != d || !isOff(d.Dir) }), err
}

// foreignError tells of entries without what they hold, which somebody may have
// written for the eyes of an operator.
func (u *USBSwitch) foreignError(n int) error {
	return fmt.Errorf("%s holds what no reset has noted, since it is of no USB device (%d of its entries): they are left out; see who writes there", u.File, n)
}

// dropForeign removes the entries that no reset can have made from the file.
func (u *USBSwitch) dropForeign() {
	u.mu.Lock()
	own, foreign, err := u.readNotes()
	if foreign > 0 {
		err = errors.Join(u.foreignError(foreign), u.keep(own))
	}
	u.mu.Unlock()
	if err != nil {
		u.tell("entries of others", err.Error(), slog.LevelWarn)
	}
}

// note adds a device, durably.
func (u *USBSwitch) note(d USBOff) error {
	if u.File == "" {
		return nil
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if !u.notable(d) {
		return fmt.Errorf("%s (%s, devnum %q) does not say which device it is", d.Dir, d.ID, d.Plug)
	}
	all, _, err := u.readNotes()
	if err != nil && !errors.Is(err, errNoNote) {
		return err
	}
	return u.keep(append(without(all, d.Dir), d))
}

// forget takes a device out. What stays in the file because it cannot be
// written is on, and forgotten at the next look.
func (u *USBSwitch) forget(dir string) {
	if u.File == "" {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	all, _, err := u.readNotes()
	if left := without(all, dir); err == nil && len(left) < len(all) {
		err = u.keep(left)
	}
	if err != nil && u.Log != nil {
		u.Log.Warn("cannot note that a modem is switched on again on USB", "err", err)
	}
}

func without(all []USBOff, dir string) []USBOff {
	return slices.DeleteFunc(slices.Clone(all), func(d USBOff) bool { return d.Dir == dir })
}

// keep replaces the file, at once or not at all, and returns when that is on
// the disk. Nothing to keep is no file.
func (u *USBSwitch) keep(all []USBOff) error {
	if len(all) == 0 {
		if err := os.Remove(u.File); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
	b, err := json.Marshal(all)
	if err != nil {
		return err
	}
	fresh := u.File + ".new"
	if err := os.Remove(fresh); err != nil && !errors.Is(err, fs.ErrNotExist) { // of one that was killed here
		return err
	}
	f, err := os.OpenFile(fresh, os.O_WRONLY|os.O_CREATE|os.O_EXCL|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(append(b, '\n'))
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(fresh, u.File)
	}
	if err != nil {
		return errors.Join(err, os.Remove(fresh))
	}
	dir, err := os.Open(filepath.Dir(u.File))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
