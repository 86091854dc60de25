package driver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// sysfs makes the part of sysfs that a tty on USB has: a hub, on it a device,
// on that an interface with the tty.
func sysfs(t *testing.T, tty string) (root, device string) {
	t.Helper()
	root = t.TempDir()
	hub := filepath.Join(root, "devices/pci0000:00/usb1")
	device = filepath.Join(hub, "1-1")
	port := filepath.Join(device, "1-1:1.2", tty)
	for _, dir := range []string{port, filepath.Join(root, "class/tty", tty)} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for path, text := range map[string]string{
		filepath.Join(hub, "idVendor"): "1d6b\n", filepath.Join(hub, "authorized"): "1\n",
		filepath.Join(device, "idVendor"): "2c7c\n", filepath.Join(device, "idProduct"): "0125\n",
		filepath.Join(device, "devnum"): "7\n", filepath.Join(device, "authorized"): "1\n",
		filepath.Join(device, "1-1:1.2/authorized"): "1\n",
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(port, filepath.Join(root, "class/tty", tty, "device")); err != nil {
		t.Fatal(err)
	}
	return root, device
}

func TestUSBResetOfTheDeviceAlone(t *testing.T) {
	node := filepath.Join(t.TempDir(), "ttyUSB2")
	if err := os.WriteFile(node, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), "by-id")
	if err := os.Symlink(node, link); err != nil {
		t.Fatal(err)
	}
	root, device := sysfs(t, "ttyUSB2")
	var seen []string
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ready, stop := make(chan struct{}), make(chan struct{})
	watched := make(chan struct{})
	go func() { // as udev would
		defer close(watched)
		for {
			b, _ := os.ReadFile(filepath.Join(device, "authorized"))
			if s := strings.TrimSpace(string(b)); s != "" && (len(seen) == 0 || seen[len(seen)-1] != s) {
				switch seen = append(seen, s); len(seen) {
				case 1:
					close(ready)
				case 2:
					cancel() // it comes back all the same
				case 3:
					return
				}
			}
			select {
			case <-stop:
				return
			case <-time.After(time.Millisecond):
			}
		}
	}()
	soon(t, ready, "the first look")
	if err := (&USBSwitch{Sys: root}).Reset(ctx, link); err != nil {
		t.Fatal(err)
	}
	back := time.AfterFunc(patience, func() { close(stop) })
	<-watched
	back.Stop()
	if !slices.Equal(seen, []string{"1", "0", "1"}) {
		t.Errorf("authorized was %q", seen)
	}
	for _, other := range []string{filepath.Dir(device), filepath.Join(device, "1-1:1.2")} {
		if b, _ := os.ReadFile(filepath.Join(other, "authorized")); string(b) != "1\n" {
			t.Errorf("%s was touched", filepath.Base(other))
		}
	}
}

func TestUSBResetOfWhatIsNoUSB(t *testing.T) {
	p := newPeer(t)
	root, _ := sysfs(t, "ttyUSB2")
	if err := (&USBSwitch{Sys: root}).Reset(context.Background(), p.path); !errors.Is(err, ErrNotUSB) {
		t.Errorf("a pty: %v", err)
	}
	if err := (&USBSwitch{Sys: root}).Reset(context.Background(), filepath.Join(t.TempDir(), "gone")); !errors.Is(err, ErrNoPort) {
		t.Errorf("no port: %v", err)
	}
}

// switchRig is a switch over a made-up device, whose writes the test sees and
// may refuse.
type switchRig struct {
	*USBSwitch
	t            *testing.T
	device, port string
	log          bytes.Buffer
	writes       []string
	refuse       map[string]int     // by value: how often still
	before       func(value string) // what happens before a write
}

func newSwitchRig(t *testing.T) *switchRig {
	t.Helper()
	r := &switchRig{t: t, port: filepath.Join(t.TempDir(), "ttyUSB2"), refuse: map[string]int{}, before: func(string) {}}
	if err := os.WriteFile(r.port, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	root, device := sysfs(t, "ttyUSB2")
	r.device = device
	r.USBSwitch = r.anew(root, filepath.Join(t.TempDir(), "usb-off.json"))
	return r
}

// anew is the switch of a process that starts over the same device and file.
func (r *switchRig) anew(root, file string) *USBSwitch {
	return &USBSwitch{
		Sys: root, File: file, Log: slog.New(slog.NewTextHandler(&r.log, nil)), pause: time.Millisecond,
		write: func(path, value string) error {
			r.before(value)
			r.writes = append(r.writes, value)
			if r.refuse[value] > 0 {
				r.refuse[value]--
				return errors.New("input/output error")
			}
			return writeAttribute(path, value)
		},
	}
}

func (r *switchRig) set(name, value string) {
	r.t.Helper()
	if err := os.WriteFile(filepath.Join(r.device, name), []byte(value+"\n"), 0o600); err != nil {
		r.t.Fatal(err)
	}
}

// is wants the device to be on ("1") or off, and so many devices in the file.
func (r *switchRig) is(authorized string, noted int) {
	r.t.Helper()
	if got := readAttribute(r.device, "authorized"); got != authorized {
		r.t.Errorf("authorized is %q, want %q", got, authorized)
	}
	if all, _, err := r.noted(); err != nil || len(all) != noted {
		r.t.Errorf("noted: %v, %v; want %d", all, err, noted)
	}
}

// TestResetThatDiesIsFinishedByTheNextProcess ends the reset at each of its
// points, as kill -9 would.
func TestResetThatDiesIsFinishedByTheNextProcess(t *testing.T) {
	type killed struct{}
	for point, authorized := range map[string]string{"0": "1", "1": "0"} {
		t.Run("before "+point, func(t *testing.T) {
			r := newSwitchRig(t)
			r.before = func(value string) {
				if value == point {
					panic(killed{})
				}
			}
			func() {
				defer func() {
					if p := recover(); p != (killed{}) {
						panic(p)
					}
				}()
				_ = r.Reset(context.Background(), r.port)
			}()
			r.is(authorized, 1)
			if off, err := r.StillOff(); err != nil || (len(off) == 1) != (authorized == "0") {
				t.Errorf("still off: %v, %v", off, err)
			}
			r.before, r.writes = func(string) {}, nil
			r.USBSwitch = r.anew(r.Sys, r.File)
			r.restoreAll()
			r.is("1", 0)
			if log := r.log.String(); strings.Contains(log, "is switched on again") != (authorized == "0") {
				t.Errorf("log: %s", log)
			}
			r.restoreAll()
			if len(r.writes) > 1 {
				t.Errorf("written: %q", r.writes)
			}
		})
	}
}

func TestSwitchingOnIsTriedAgain(t *testing.T) {
	r := newSwitchRig(t)
	r.refuse["1"] = usbOnTries - 1
	if err := r.Reset(context.Background(), r.port); err != nil {
		t.Error(err)
	}
	r.is("1", 0)
	r.refuse["1"] = usbOnTries + 2
	err := r.Reset(context.Background(), r.port)
	if err == nil || !strings.Contains(err.Error(), "it is tried again every 10s; echo 1 | sudo tee "+r.device+"/authorized does it") {
		t.Errorf("got %v", err)
	}
	r.is("0", 1)
	r.restoreAll()
	r.restoreAll()
	r.is("0", 1)
	if n := strings.Count(r.log.String(), "cannot be switched on"); n != 1 {
		t.Errorf("said %d times: %s", n, r.log.String())
	}
	r.every = time.Millisecond
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	settled(t, "devices that are off", 0, func() int { off, _ := r.StillOff(); return len(off) })
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	r.is("1", 0)
}

// TestEachSwitchingOnIsLogged has a device left off and switched on twice, with
// the same trouble each time.
func TestEachSwitchingOnIsLogged(t *testing.T) {
	r := newSwitchRig(t)
	for round := 1; round <= 2; round++ {
		r.refuse["1"] = usbOnTries + 2
		if err := r.Reset(context.Background(), r.port); err == nil {
			t.Fatal("it was switched on")
		}
		for range 3 { // refused, refused again, and done
			r.restoreAll()
		}
		r.is("1", 0)
		for _, words := range []string{"cannot be switched on", "is switched on again"} {
			if n := strings.Count(r.log.String(), words); n != round {
				t.Errorf("%q was logged %d times after round %d: %s", words, n, round, r.log.String())
			}
		}
	}
}

// TestOnlyWhatAResetSwitchedOffIsSwitchedOn leaves alone what others have
// switched off, and whatever is plugged in where a reset died.
func TestOnlyWhatAResetSwitchedOffIsSwitchedOn(t *testing.T) {
	for name, now := range map[string]func(r *switchRig){
		"another model":             func(r *switchRig) { r.set("idProduct", "0126") },
		"another of the same model": func(r *switchRig) { r.set("devnum", "8") },
		"nothing noted":             func(r *switchRig) { r.forget(r.device) },
		"a file of something else": func(r *switchRig) {
			if err := os.WriteFile(r.File, []byte(`[{"dir":"/etc","id":":","plug":""}]`), 0o600); err != nil {
				r.t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newSwitchRig(t)
			r.refuse["1"] = usbOnTries
			if err := r.Reset(context.Background(), r.port); err == nil {
				t.Fatal("it was switched on")
			}
			now(r)
			r.writes = nil
			r.restoreAll()
			r.is("0", 0)
			if len(r.writes) > 0 {
				t.Errorf("written: %q", r.writes)
			}
		})
	}
}

// TestResetInProgressIsLeftAlone looks for what is off while a reset has it so.
func TestResetInProgressIsLeftAlone(t *testing.T) {
	r := newSwitchRig(t)
	r.before = func(value string) {
		if value != "1" {
			return
		}
		r.before = func(string) {}
		r.restoreAll()
		if err := r.Reset(context.Background(), r.port); err == nil || !strings.Contains(err.Error(), "is being switched already") {
			t.Errorf("a second reset: %v", err)
		}
		r.is("0", 1)
	}
	if err := r.Reset(context.Background(), r.port); err != nil {
		t.Error(err)
	}
	if !slices.Equal(r.writes, []string{"0", "1"}) {
		t.Errorf("written: %q", r.writes)
	}
	r.is("1", 0)
}

// TestNoResetThatCannotBeNoted leaves the device on.
func TestNoResetThatCannotBeNoted(t *testing.T) {
	r := newSwitchRig(t)
	file := r.File
	r.File = filepath.Join(t.TempDir(), "gone", "usb-off.json")
	if err := r.Reset(context.Background(), r.port); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	if len(r.writes) > 0 {
		t.Errorf("written: %q", r.writes)
	}
	// A file that something else has written is no reason to be without resets.
	if err := os.WriteFile(file, []byte("rubbish"), 0o600); err != nil {
		t.Fatal(err)
	}
	r.File = file
	r.restoreAll()
	if log := r.log.String(); !strings.Contains(log, "remove it") {
		t.Errorf("log: %s", log)
	}
	if err := r.Reset(context.Background(), r.port); err != nil {
		t.Error(err)
	}
	r.is("1", 0)
	// What cannot be switched off is not noted.
	r.refuse["0"] = 1
	if err := r.Reset(context.Background(), r.port); err == nil {
		t.Error("no error")
	}
	r.is("1", 0)
}

// TestDevicesAreNotedTogether has two off at once.
func TestDevicesAreNotedTogether(t *testing.T) {
	root, device := sysfs(t, "ttyUSB2")
	dirs := []string{device, filepath.Join(filepath.Dir(device), "1-4.10")} // in the second nothing is plugged in any more
	u := &USBSwitch{Sys: root, File: filepath.Join(t.TempDir(), "usb-off.json")}
	for i := range 3 {
		if err := u.note(USBOff{Dir: dirs[i%2], ID: "2c7c:0125", Plug: fmt.Sprint(i)}); err != nil {
			t.Fatal(err)
		}
	}
	all, _, err := u.noted()
	if want := []USBOff{{dirs[1], "2c7c:0125", "1"}, {dirs[0], "2c7c:0125", "2"}}; err != nil || !slices.Equal(all, want) {
		t.Errorf("noted: %v, %v", all, err)
	}
	u.forget(dirs[1])
	u.forget(dirs[1])
	if all, _, err := u.noted(); err != nil || len(all) != 1 || all[0].Dir != dirs[0] {
		t.Errorf("noted: %v, %v", all, err)
	}
}
