package driver

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// plant writes notes that no reset has made.
func (r *switchRig) plant(notes ...USBOff) {
	r.t.Helper()
	b, err := json.Marshal(notes)
	if err != nil {
		r.t.Fatal(err)
	}
	if err := os.WriteFile(r.File, b, 0o600); err != nil {
		r.t.Fatal(err)
	}
}

// stray makes a directory that looks like a device that is off.
func (r *switchRig) stray(dir string) {
	r.t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		r.t.Fatal(err)
	}
	for name, text := range map[string]string{"idVendor": "2c7c", "idProduct": "0125", "devnum": "7", "authorized": "0"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text+"\n"), 0o600); err != nil {
			r.t.Fatal(err)
		}
	}
}

// TestForgedNotesAreDropped has notes in the file that no reset of a USB device
// could have made, next to a real one.
func TestForgedNotesAreDropped(t *testing.T) {
	const id, plug = "2c7c:0125", "7"
	for name, forge := range map[string]func(r *switchRig) USBOff{
		"outside sysfs": func(r *switchRig) USBOff {
			dir := filepath.Join(r.t.TempDir(), "1-2")
			r.stray(dir)
			return USBOff{dir, id, plug}
		},
		"out of devices by ..": func(r *switchRig) USBOff {
			r.stray(filepath.Join(r.Sys, "1-2"))
			return USBOff{r.Sys + "/devices/../1-2", id, plug}
		},
		"a command in the name": func(r *switchRig) USBOff {
			dir := filepath.Join(filepath.Dir(r.device), "1-1; id >&2 #")
			r.stray(dir)
			return USBOff{dir, id, plug}
		},
		"a line break in the name": func(r *switchRig) USBOff {
			dir := filepath.Join(filepath.Dir(r.device), "1-1\n")
			r.stray(dir)
			return USBOff{dir, id, plug}
		},
		"a hub of the kernel": func(r *switchRig) USBOff {
			dir := filepath.Join(r.Sys, "devices/usb9")
			r.stray(dir)
			return USBOff{dir, id, plug}
		},
		"no id": func(r *switchRig) USBOff {
			dir := filepath.Join(filepath.Dir(r.device), "1-2")
			r.stray(dir)
			for _, name := range []string{"idVendor", "idProduct", "devnum"} {
				if err := os.Remove(filepath.Join(dir, name)); err != nil {
					r.t.Fatal(err)
				}
			}
			return USBOff{dir, ":", ""}
		},
		"a link within sysfs": func(r *switchRig) USBOff {
			r.stray(filepath.Join(filepath.Dir(r.device), "1-2"))
			link := filepath.Join(r.Sys, "devices/1-2")
			if err := os.Symlink(filepath.Join(filepath.Dir(r.device), "1-2"), link); err != nil {
				r.t.Fatal(err)
			}
			return USBOff{link, id, plug}
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newSwitchRig(t)
			r.set("authorized", "0")
			ours := offDevice(r.device)
			forged := forge(r)
			if got := readAttribute(forged.Dir, "authorized"); got != "0" {
				t.Fatalf("authorized is %q: the test shows nothing", got)
			}
			r.plant(forged, ours)
			off, _ := r.StillOff()
			if len(off) != 1 || off[0] != ours {
				t.Errorf("still off: %q", off)
			}
			r.restoreAll()
			r.restoreAll()
			if got := readAttribute(forged.Dir, "authorized"); got != "0" {
				t.Errorf("a forged note has switched it on")
			}
			r.is("1", 0)
			if _, err := os.Lstat(r.File); !os.IsNotExist(err) {
				t.Errorf("the file: %v", err)
			}
			if log := r.log.String(); strings.Count(log, "no USB device") != 1 {
				t.Errorf("log: %s", log)
			}
		})
	}
}

// TestNotesAreReadFromAPlainFileOnly has something else under the name of the
// file: it neither stops nor fills who reads it, and resets go on.
func TestNotesAreReadFromAPlainFileOnly(t *testing.T) {
	for name, make := range map[string]func(r *switchRig, path string) error{
		"a pipe": func(_ *switchRig, path string) error { return unix.Mkfifo(path, 0o600) },
		"a link": func(r *switchRig, path string) error {
			target := filepath.Join(r.t.TempDir(), "of-another")
			b, err := json.Marshal([]USBOff{offDevice(r.device)})
			if err != nil {
				return err
			}
			if err := os.WriteFile(target, b, 0o600); err != nil {
				return err
			}
			return os.Symlink(target, path)
		},
		"an endless file": func(_ *switchRig, path string) error {
			if err := os.WriteFile(path, []byte("["), 0o600); err != nil {
				return err
			}
			return os.Truncate(path, 1<<40)
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newSwitchRig(t)
			r.set("authorized", "0")
			if err := make(r, r.File); err != nil {
				t.Fatal(err)
			}
			if err := make(r, r.File+".new"); err != nil {
				t.Fatal(err)
			}
			done := goes(func() {
				if off, err := r.StillOff(); err == nil || len(off) > 0 {
					t.Errorf("still off: %v, %v", off, err)
				}
				r.restoreAll()
				r.is0()
				r.set("authorized", "1")
				if err := r.Reset(t.Context(), r.port); err != nil {
					t.Error(err)
				}
			})
			soon(t, done, "what reads and writes the notes")
			r.is("1", 0)
			if log := r.log.String(); !strings.Contains(log, "remove it") {
				t.Errorf("log: %s", log)
			}
		})
	}
}

// is0 wants the device to be off.
func (r *switchRig) is0() {
	r.t.Helper()
	if got := readAttribute(r.device, "authorized"); got != "0" {
		r.t.Errorf("authorized is %q", got)
	}
}

// goes closes the channel when f is done.
func goes(f func()) <-chan struct{} {
	done := make(chan struct{})
	go func() { defer close(done); f() }()
	return done
}

// TestNotesAreNeverWrittenThroughALink has a link where the file is prepared.
func TestNotesAreNeverWrittenThroughALink(t *testing.T) {
	r := newSwitchRig(t)
	target := filepath.Join(t.TempDir(), "of-another")
	if err := os.WriteFile(target, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, r.File+".new"); err != nil {
		t.Fatal(err)
	}
	if err := r.note(offDevice(r.device)); err != nil {
		t.Fatal(err)
	}
	if b, _ := os.ReadFile(target); string(b) != "precious" {
		t.Errorf("written through the link: %q", b)
	}
	r.is("1", 1)
}

// TestNoResetOfWhatCouldNotBeRestored leaves a device on that a later process
// could not tell from another.
func TestNoResetOfWhatCouldNotBeRestored(t *testing.T) {
	r := newSwitchRig(t)
	if err := os.Remove(filepath.Join(r.device, "devnum")); err != nil {
		t.Fatal(err)
	}
	err := r.Reset(t.Context(), r.port)
	if err == nil || !strings.Contains(err.Error(), "could not be noted") || len(r.writes) > 0 {
		t.Errorf("%v; written: %q", err, r.writes)
	}
}
