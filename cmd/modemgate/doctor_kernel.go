package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/modemgate/modemgate/driver/usb"
)

// kernelWindow is how far back the kernel log is looked at.
const kernelWindow = 24 * time.Hour

// manyLeaves is how often a device leaves the bus within kernelWindow before it
// is told. Once or twice is a stick that changes its mode, or a person.
const manyLeaves = 3

// kernelEntry is one line of the kernel log.
type kernelEntry struct {
	at   time.Duration // since the start of the machine, without the time asleep
	text string
}

// kernelSign is what the kernel says when power or cables of USB are bad.
type kernelSign struct {
	form     *regexp.Regexp
	what, do string
}

var kernelSigns = []kernelSign{
	{
		regexp.MustCompile(`(?i)under-?voltage detected`), "under-voltage: the supply of this machine is too weak, and a modem that sends draws up to 2 A and drops off",
		"use a stronger supply and a short thick cable, or put the modems on a powered USB hub; dmesg --ctime | grep -i voltage",
	},
	{
		regexp.MustCompile(`(?i)over-?current`), "over-current on a USB port: the kernel cuts its power, and with it the modem's",
		"put the modems on a powered USB hub; if it stays, cable, stick or hub has a short; dmesg --ctime | grep -i current",
	},
	{
		regexp.MustCompile(`(?i)insufficient available bus power|exceeds hub power|not enough (bus )?power`), "a USB hub without enough power for what is plugged into it: that is not switched on",
		"use a powered USB hub; dmesg --ctime | grep -i power",
	},
	{
		regexp.MustCompile(`(?i)device descriptor read/\S+, error|device not accepting address|unable to enumerate USB device|maybe the USB cable is bad|disabled by hub \(EMI`),
		"a USB device that cannot be talked to: a bad cable, plug or hub, or too little power",
		"change the cable, then the port, then the hub; dmesg --ctime | grep -i usb",
	},
}

// disconnect is a device that leaves the bus; its first group is the socket.
var disconnect = regexp.MustCompile(`^usb ([0-9]+-[0-9.]+): USB disconnect`)

// kernel looks into the log of the kernel for signs of bad power and bad
// cables, which look like modems that hang and come back.
func (x *examination) kernel(ctx context.Context) {
	if x.cfg.Modems.Simulate > 0 || x.place.kmsg == "" {
		return
	}
	entries, err := readKernelLog(x.place.kmsg)
	if err != nil {
		var other error
		if entries, other = readJournal(ctx, x.place.journal); other != nil {
			x.add("kernel log", "", levelOK, "not looked at, this user may not read it ("+err.Error()+"): under-voltage and USB errors would be seen there",
				"sudo modemgate doctor looks at it too; or dmesg --ctime | grep -iE 'voltage|current|usb'")
			return
		}
	}
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		x.add("kernel log", "", levelWarn, "cannot be dated: "+err.Error(), "")
		return
	}
	x.judgeKernel(entries, time.Duration(now.Nano()))
}

// judgeKernel tells what the entries of the last day say.
func (x *examination) judgeKernel(entries []kernelEntry, now time.Duration) {
	seen := make([][]kernelEntry, len(kernelSigns))
	leaves := map[string][]kernelEntry{}
	var sockets []string
	for _, e := range entries {
		if now-e.at > kernelWindow {
			continue
		}
		for i, s := range kernelSigns {
			if s.form.MatchString(e.text) {
				seen[i] = append(seen[i], e)
			}
		}
		if m := disconnect.FindStringSubmatch(e.text); m != nil {
			if len(leaves[m[1]]) == 0 {
				sockets = append(sockets, m[1])
			}
			leaves[m[1]] = append(leaves[m[1]], e)
		}
	}
	told := false
	for i, s := range kernelSigns {
		if len(seen[i]) > 0 {
			told = true
			x.add("kernel log", "", levelWarn, s.what+"; "+occasions(seen[i], now)+": "+seen[i][len(seen[i])-1].text, s.do)
		}
	}
	for _, socket := range sockets {
		if l := leaves[socket]; len(l) >= manyLeaves {
			told = true
			x.add("kernel log", "usb "+socket, levelWarn, x.deviceAt(socket)+" left the bus "+occasions(l, now)+": each time its line is down for some seconds",
				"if nobody unplugged it, it is its power or its cable: try a powered USB hub and another cable; dmesg --ctime | grep 'usb "+socket+"'")
		}
	}
	if !told {
		x.ok("kernel log", "", "tells of no under-voltage, over-current or USB errors in the last day")
	}
}

// occasions says how often something was, and when last.
func occasions(all []kernelEntry, now time.Duration) string {
	return count(len(all), "time", "times") + " in the last day, last at " + when(time.Now().Add(all[len(all)-1].at-now))
}

// deviceAt names what is plugged in at a USB socket.
func (x *examination) deviceAt(socket string) string {
	devices, _ := x.place.usb.Scan()
	for _, d := range devices {
		if d.Path == socket && d.Mode != usb.Other {
			return d.String()
		}
	}
	return "a device"
}

// kmsgForm is a record of /dev/kmsg: priority, number, microseconds since the
// start, flags; text (Documentation/ABI/testing/dev-kmsg of Linux).
var kmsgForm = regexp.MustCompile(`^\d+,\d+,(\d+),[^;]*;(.*)$`)

// readKernelLog reads the kernel's own buffer, each record with one read, up to
// the newest. It waits for none.
func readKernelLog(path string) (entries []kernelEntry, err error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	defer unix.Close(fd)
	var text []byte
	for buf := make([]byte, 16<<10); ; {
		n, err := unix.Read(fd, buf)
		switch {
		case errors.Is(err, unix.EPIPE), errors.Is(err, unix.EINTR): // records were overwritten meanwhile
			continue
		case errors.Is(err, unix.EAGAIN), err == nil && n == 0:
			return parseKernelLog(text, kmsgForm, time.Microsecond), nil
		case err != nil:
			return nil, fmt.Errorf("read %s: %w", path, err)
		}
		text = append(text, buf[:n]...)
	}
}

// journalForm is a line of journalctl -o short-monotonic.
var journalForm = regexp.MustCompile(`^\[\s*(\d+\.\d+)\] \S+ kernel: (.*)$`)

// readJournal has the journal's copy of the kernel log printed: its readers are
// the members of the groups adm and systemd-journal.
func readJournal(ctx context.Context, argv []string) ([]kernelEntry, error) {
	if len(argv) == 0 {
		return nil, errors.New("there is no journal")
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	text, err := exec.CommandContext(ctx, argv[0], argv[1:]...).Output()
	if err != nil {
		return nil, fmt.Errorf("run %s: %w", argv[0], err)
	}
	return parseKernelLog(text, journalForm, time.Second), nil
}

// parseKernelLog takes the lines of a form, whose first group is a time in unit.
func parseKernelLog(text []byte, form *regexp.Regexp, unit time.Duration) (entries []kernelEntry) {
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		m := form.FindStringSubmatch(lines.Text())
		if m == nil {
			continue // a property of the record before
		}
		if at, err := strconv.ParseFloat(m[1], 64); err == nil {
			entries = append(entries, kernelEntry{time.Duration(at * float64(unit)), m[2]})
		}
	}
	return entries
}
