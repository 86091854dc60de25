package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/modemgate/modemgate/configs"
	"github.com/modemgate/modemgate/driver"
	"github.com/modemgate/modemgate/driver/usb"
)

// dataDir looks at who may do what with the data directory.
func (x *examination) dataDir() {
	dir := x.cfg.DataDir
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		x.unmadeDir(dir)
		return
	case err != nil:
		x.add("data_dir", "", levelFail, err.Error(), "run it as root or as the user of the daemon: sudo -u modemgate modemgate doctor")
		return
	case !info.IsDir():
		x.add("data_dir", "", levelFail, dir+" is no directory", "move it away, or change data_dir")
		return
	case info.Mode().Perm()&0o077 != 0:
		x.add("data_dir", "", levelFail, fmt.Sprintf("%s may be used by others (mode %04o)", dir, info.Mode().Perm()), "chmod 0700 "+dir)
		return
	}
	if os.Geteuid() != 0 && unix.Access(dir, unix.W_OK) != nil {
		x.add("data_dir", "", levelFail, dir+" belongs to another user", "run it as root or as that user: sudo -u modemgate modemgate doctor")
		return
	}
	x.ok("data_dir", "", "%s is private, mode %04o, of user %s", dir, info.Mode().Perm(), ownerOf(info))
}

// unmadeDir judges a data directory that is not there: whether this user could
// make it, as the first start does.
func (x *examination) unmadeDir(dir string) {
	above := existing(dir)
	if err := unix.Access(above, unix.W_OK|unix.X_OK); err != nil {
		x.add("data_dir", "", levelFail, fmt.Sprintf("%s does not exist, and this user cannot make it in %s: %v", dir, above, err),
			"run it as root or as the user of the daemon: sudo -u modemgate modemgate doctor; or set data_dir to a directory of this user")
		return
	}
	x.add("data_dir", "", levelWarn, dir+" does not exist yet", "the first start of the daemon makes it")
}

// existing is the path itself, or the nearest directory above it that is there.
func existing(dir string) string {
	for _, err := os.Stat(dir); err != nil && filepath.Dir(dir) != dir; _, err = os.Stat(dir) {
		dir = filepath.Dir(dir)
	}
	return dir
}

// ownerOf names the user that a file belongs to.
func ownerOf(info fs.FileInfo) string {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return "unknown"
	}
	id := strconv.Itoa(int(st.Uid))
	if u, err := user.LookupId(id); err == nil {
		return u.Username
	}
	return id
}

// disk looks at the space that is left.
func (x *examination) disk() {
	dir := existing(x.cfg.DataDir)
	free, err := freeSpace(dir)
	reserve := int64(x.cfg.Storage.Reserve)
	switch {
	case err != nil:
		x.add("disk", "", levelFail, err.Error(), "")
	case free < reserve:
		x.add("disk", "", levelFail, fmt.Sprintf("%s are free under %s, less than storage.reserve (%s): nothing is accepted", octets(free), dir, octets(reserve)),
			"free space, or lower storage.reserve")
	case free < 2*reserve:
		x.add("disk", "", levelWarn, fmt.Sprintf("only %s are free under %s; at %s nothing is accepted any more", octets(free), dir, octets(reserve)), "free space")
	default:
		x.ok("disk", "", "%s are free under %s", octets(free), dir)
	}
}

// clockFloor is before any clock that is set.
var clockFloor = time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)

// clock looks whether the time can be trusted: deadlines of codes hang on it.
func (x *examination) clock() {
	now := time.Now()
	if now.Before(clockFloor) {
		x.add("clock", "", levelFail, "it says "+when(now)+", which cannot be", "set it: timedatectl set-ntp true")
		return
	}
	var t unix.Timex
	if state, err := unix.Adjtimex(&t); err == nil && state == unix.TIME_ERROR {
		x.add("clock", "", levelWarn, "it says "+when(now)+", and no time server keeps it right", "timedatectl set-ntp true; codes expire by this clock")
		return
	}
	x.ok("clock", "", "it says %s and is kept right", when(now))
}

// rivals are programs that take ports of modems, with what to do.
var rivals = map[string]string{
	"ModemManager": writeRules + "; or systemctl disable --now ModemManager",
	"brltty":       "it takes serial adapters: systemctl disable --now brltty-udev, or apt-get remove brltty",
	"gammu-smsd":   "systemctl disable --now gammu-smsd: two programs on one port lose messages",
	"smsd":         "systemctl disable --now smstools: two programs on one port lose messages",
	"pppd":         "it may hold the port of a modem",
	"wvdial":       "it may hold the port of a modem",
}

// writeRules is how the udev rules come onto the machine.
const writeRules = "modemgate doctor --udev-rules | sudo tee /etc/udev/rules.d/" + udevRules + " >/dev/null && sudo udevadm control --reload && sudo udevadm trigger"

// udevRules is the name of the rules file that keeps others away.
const udevRules = "60-modemgate.rules"

// programs looks for others that want the same ports.
func (x *examination) programs() {
	ruled := slices.ContainsFunc(x.place.etc, func(dir string) bool {
		_, err := os.Stat(filepath.Join(dir, udevRules))
		return err == nil
	})
	names, _ := filepath.Glob(filepath.Join(x.place.proc, "[0-9]*", "comm"))
	seen := map[string]bool{}
	for _, file := range names {
		b, err := os.ReadFile(file)
		name := strings.TrimSpace(string(b))
		do, rival := rivals[name]
		if err != nil || !rival || seen[name] {
			continue
		}
		seen[name] = true
		pid := filepath.Base(filepath.Dir(file))
		if name == "ModemManager" && ruled {
			x.ok("other programs", name, "runs (pid %s), and %s keeps it from modems", pid, udevRules)
			continue
		}
		x.add("other programs", name, levelWarn, "runs (pid "+pid+") and may take the ports of modems", do)
	}
	if len(seen) == 0 {
		x.ok("other programs", "", "none that takes ports of modems runs")
	}
	if !ruled && !seen["ModemManager"] && x.cfg.Modems.Simulate == 0 {
		x.add("udev rules", "", levelWarn, udevRules+" is not installed", "before ModemManager is installed: "+writeRules)
	}
}

// plugged looks at what is plugged in, without opening anything, and returns
// the ports that somebody holds.
func (x *examination) plugged() (held map[string]string) {
	held = map[string]string{}
	if x.cfg.Modems.Simulate > 0 {
		x.ok("usb", "", "not looked at, the lines are simulated")
		return held
	}
	devices, err := x.place.usb.Scan()
	if err != nil {
		x.add("usb", "", levelWarn, "cannot be read: "+err.Error(), "")
	}
	modems := x.switchedOff(devices)
	for _, d := range devices {
		if d.Off {
			continue
		}
		if words := d.Words(); words != "" {
			level := levelFail
			if d.Mode == usb.Adapter || d.Mode == usb.Other {
				level = levelOK
			}
			x.add("usb", d.Path, level, words, "")
			continue
		}
		modems++
		x.ok("usb", d.Path, "%s is a modem with %s", d, portRoles(d))
		ports, _ := d.Candidates()
		if len(ports) > 0 {
			x.port(ports[0].Node, held)
			x.otherPorts(d, ports[0].Node)
		}
	}
	for _, l := range x.cfg.Modems.List {
		if l.Port != "" && !known(devices, l.Port) {
			x.port(l.Port, held)
		}
	}
	if modems == 0 && !slices.ContainsFunc(x.cfg.Modems.List, func(l configs.Line) bool { return l.Port != "" }) {
		x.add("usb", "", levelFail, "no modem is plugged in", "plug one in; lsusb and dmesg say what the kernel sees of it")
	}
	return held
}

// switchedOff looks at modems that have no drivers, by a reset that died half
// way or by somebody's will, and counts them.
func (x *examination) switchedOff(devices []usb.Device) (modems int) {
	noted, err := usbSwitch(x.place.usb, x.cfg, nil).StillOff()
	if err != nil && !errors.Is(err, fs.ErrPermission) { // that is said of data_dir
		x.add("usb", "", levelWarn, "it is not known what resets have switched off: "+err.Error(), "")
	}
	byReset := map[string]driver.USBOff{}
	for _, n := range noted {
		byReset[filepath.Base(n.Dir)] = n
	}
	reset := func(path, name, do string) {
		modems++
		x.add("usb", path, levelFail, name+" is switched off by a reset and not on again yet; a running daemon tries every 10 s",
			"systemctl start modemgate if it does not run; if that does not help: "+do+", or plug it in anew")
	}
	for _, d := range devices {
		_, ours := byReset[d.Path]
		delete(byReset, d.Path)
		switch {
		case d.Off && ours:
			reset(d.Path, d.String(), d.SwitchOn())
		case d.Off:
			modems++
			x.add("usb", d.Path, levelWarn, d.String()+" is switched off, and not by modemgate", "if nobody wants it so: "+d.SwitchOn())
		}
	}
	for _, n := range noted {
		if path := filepath.Base(n.Dir); byReset[path] == n {
			reset(path, "modem "+n.ID, usb.Device{Path: path}.SwitchOn())
		}
	}
	return modems
}

// portRoles lists the ports of a modem with what each is for.
func portRoles(d usb.Device) string {
	if len(d.Ports) == 0 {
		return "no port"
	}
	var all []string
	for _, p := range d.Ports {
		all = append(all, p.Name+" "+string(p.Role))
	}
	return count(len(all), "port", "ports") + ": " + strings.Join(all, ", ")
}

// otherPorts looks whether a program holds another port of the modem than ours:
// it may change settings and take messages away by that one.
func (x *examination) otherPorts(d usb.Device, ours string) {
	for _, p := range d.Ports {
		if p.Node == ours {
			continue
		}
		if holder := driver.PortHolder(p.Node, lockDir); holder != "" && !x.ours(holder) {
			x.add("port", p.Node, levelWarn, fmt.Sprintf("%s holds it, the %s port of the same modem: it may change settings and take SMS away", holder, p.Role), "stop that program, unless it is for data only")
		}
	}
}

// ours says whether it is the daemon of this configuration that holds a port.
// Who may not know its process goes by the name.
func (x *examination) ours(holder string) bool {
	if pid := lockHolder(x.cfg.DataDir); pid != "" {
		return strings.Contains(holder, pid)
	}
	return strings.HasPrefix(holder, "modemgate")
}

// known says whether a port is one of a device that is a modem.
func known(devices []usb.Device, port string) bool {
	real, err := filepath.EvalSymlinks(port)
	if err != nil {
		return false
	}
	return slices.ContainsFunc(devices, func(d usb.Device) bool {
		ports, _ := d.Candidates()
		return d.Words() == "" && len(ports) > 0 && ports[0].Node == real
	})
}

// port looks at the rights to a device node and at who holds it.
func (x *examination) port(node string, held map[string]string) {
	info, err := os.Stat(node)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		x.add("port", node, levelFail, "is not there", "is the modem plugged in? ls -l /dev/serial/by-id shows the names; modemgate modems too")
		return
	case err != nil:
		x.add("port", node, levelFail, err.Error(), "")
		return
	case info.Mode()&fs.ModeCharDevice == 0:
		x.add("port", node, levelFail, "is no serial port", "name the port of the modem")
		return
	}
	rights := fmt.Sprintf("%s, group %s", info.Mode(), groupOf(info))
	if unix.Access(node, unix.R_OK|unix.W_OK) != nil {
		x.add("port", node, levelFail, "this user may not use it ("+rights+")", "sudo usermod -aG dialout $USER, and log in again; the service has the group by its unit")
		return
	}
	holder := driver.PortHolder(node, lockDir)
	if holder != "" {
		real, _ := filepath.EvalSymlinks(node)
		held[real] = holder
	}
	switch {
	case holder == "":
		x.ok("port", node, "nobody holds it (%s)", rights)
	case x.ours(holder):
		x.ok("port", node, "%s holds it (%s)", holder, rights)
	default:
		x.add("port", node, levelFail, holder+" holds it", "stop that program: two on one port lose messages")
	}
}

func groupOf(info fs.FileInfo) string {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return "unknown"
	}
	id := strconv.Itoa(int(st.Gid))
	if g, err := user.LookupGroupId(id); err == nil {
		return g.Name
	}
	return id
}

// addresses looks whether the daemon could listen, and reach its broker.
func (x *examination) addresses() {
	if err := portsFree(x.cfg); err != nil {
		for line := range strings.Lines(err.Error()) {
			x.add("addresses", "", levelFail, strings.TrimSpace(line), "")
		}
		return
	}
	x.ok("addresses", "", "api.listen %s and nats.listen %s are free", x.cfg.API.Listen, orNone(x.cfg.NATS.Listen))
}
