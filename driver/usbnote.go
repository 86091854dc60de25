package driver

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
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

// noted lists the devices that are noted as off, in the order they were
// switched off. The error says that the file cannot be read; one that is not
// there is empty.
func (u *USBSwitch) noted() ([]USBOff, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.readNotes()
}

// readNotes is noted for who holds mu.
func (u *USBSwitch) readNotes() (all []USBOff, err error) {
	if u.File == "" {
		return nil, nil
	}
	b, err := os.ReadFile(u.File)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(b, &all); err != nil {
		return nil, fmt.Errorf("%s: %w: remove it, and plug in anew what is off", u.File, errors.Join(errNoNote, err))
	}
	return all, nil
}

// errNoNote means that the file holds something else.
var errNoNote = errors.New("no list of devices")

// StillOff lists the devices that are noted and really off.
func (u *USBSwitch) StillOff() ([]USBOff, error) {
	all, err := u.noted()
	return slices.DeleteFunc(all, func(d USBOff) bool { return offDevice(d.Dir) != d || !isOff(d.Dir) }), err
}

// note adds a device, durably.
func (u *USBSwitch) note(d USBOff) error {
	if u.File == "" {
		return nil
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	all, err := u.readNotes()
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
	all, err := u.readNotes()
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
	f, err := os.OpenFile(fresh, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
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
