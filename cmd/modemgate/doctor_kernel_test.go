package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/modemgate/modemgate/driver/usb/usbtest"
)

// sinceStart is the kernel's clock.
func sinceStart(t *testing.T) time.Duration {
	t.Helper()
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		t.Fatal(err)
	}
	return time.Duration(now.Nano())
}

// kernelSays makes a log of the kernel as /dev/kmsg has it; each entry is its
// age and its text.
func (p *patientRig) kernelSays(entries ...any) {
	p.t.Helper()
	var b strings.Builder
	now := sinceStart(p.t)
	for i := 0; i < len(entries); i += 2 {
		at := now - entries[i].(time.Duration)
		fmt.Fprintf(&b, "6,%d,%d,-;%s\n SUBSYSTEM=usb\n DEVICE=c189:4\n", 900+i, at.Microseconds(), entries[i+1])
	}
	p.x.place.kmsg = filepath.Join(p.dir, "kmsg")
	if err := os.WriteFile(p.x.place.kmsg, []byte(b.String()), 0o600); err != nil {
		p.t.Fatal(err)
	}
}

func TestDoctorReadsTheKernelLog(t *testing.T) {
	p := newPatient(t, "modems: {auto: true}\n")
	p.bus.Plug(usbtest.Device{Path: "1-1.2", ID: "2c7c:0125", Maker: "Quectel", Name: "EC25", Interfaces: []usbtest.Interface{
		{Number: 0, TTY: "ttyUSB0"}, {Number: 2, TTY: "ttyUSB2"},
	}})
	p.kernelSays(
		9*time.Second, "hwmon hwmon1: Undervoltage detected!",
		8*time.Second, "Under-voltage detected! (0x00050005)",
		8*time.Second, "usb 1-1-port2: over-current change #3",
		8*time.Second, "usb 1-1.3: rejected 1 configuration due to insufficient available bus power",
		7*time.Second, "usb 1-1.4: device descriptor read/64, error -71",
		6*time.Second, "usb 1-1.2: USB disconnect, device number 7",
		5*time.Second, "usb 1-1.2: USB disconnect, device number 8",
		4*time.Second, "usb 1-1.2: USB disconnect, device number 9",
		3*time.Second, "usb 1-1.9: USB disconnect, device number 10",
	)
	p.finds(
		"warn kernel log: under-voltage", "warn 2 times in the last day", "warn kernel log: over-current", "warn usb 1-1-port2: over-current change #3",
		"warn kernel log: a USB hub without enough power", "warn kernel log: a USB device that cannot be talked to", "warn kernel log usb 1-1.2: Quectel",
		"warn left the bus 3 times in the last day", "ok ports: ttyUSB0 diag, ttyUSB2 at",
	)
	if out := p.examine(); strings.Contains(out, "1-1.9") || !strings.Contains(out, "-> use a stronger supply") {
		t.Errorf("it tells what a person may have done, or not what to do:\n%s", out)
	}
	// What is long ago, or says nothing of power, is no finding.
	p.kernelSays(25*time.Hour, "Under-voltage detected!", time.Second, "usb 1-1.2: new high-speed USB device number 9 using xhci_hcd", time.Second, "Voltage normalised (0x00000000)")
	if sinceStart(t) > 25*time.Hour {
		p.finds("ok kernel log: tells of no under-voltage")
	}
	p.kernelSays(time.Second, "Voltage normalised (0x00000000)")
	p.finds("ok kernel log: tells of no under-voltage")
}

// TestDoctorWithoutTheKernelLog has the journal asked, and says so when that
// may not be read either.
func TestDoctorWithoutTheKernelLog(t *testing.T) {
	p := newPatient(t, "modems: {auto: true}\n")
	p.x.place.kmsg = filepath.Join(p.dir, "none")
	p.finds("ok kernel log: not looked at, this user may not read it")
	p.x.place.journal = []string{"false"}
	p.finds("ok kernel log: not looked at")
	p.x.place.journal = []string{"printf", fmt.Sprintf("[%12.6f] pi kernel: usb usb1-port1: over-current change #1\n[%12.6f] pi sshd: under-voltage detected\n", sinceStart(t).Seconds()-60, sinceStart(t).Seconds())}
	p.finds("warn kernel log: over-current", "warn 1 time in the last day")
	if out := p.examine(); strings.Contains(out, "under-voltage:") {
		t.Errorf("it takes another program's word for the kernel's:\n%s", out)
	}
}

// The real one is read to its end, or refused, and never waited for.
func TestKernelLogOfThisMachine(t *testing.T) {
	done := make(chan error, 1)
	go func() {
		_, err := readKernelLog(thisMachine.kmsg)
		done <- err
	}()
	select {
	case err := <-done:
		t.Log(err) // a container has none
	case <-time.After(limit):
		t.Fatal("it waits for the next record")
	}
}
