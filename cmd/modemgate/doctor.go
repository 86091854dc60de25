package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"github.com/modemgate/modemgate/configs"
	"github.com/modemgate/modemgate/driver/usb"
	"github.com/modemgate/modemgate/systemd"
)

var doctorCommand = command{
	name: "doctor", args: "[--json] [--loop LINE] [--udev-rules] [--config FILE]", summary: "look for what is wrong with modems, SIMs and this machine, and say what to do",
	help: `  modemgate doctor
  sudo -u modemgate modemgate doctor
  modemgate doctor --json | jq '.checks[] | select(.level == "fail")'
  modemgate doctor --loop front
  modemgate doctor --udev-rules | sudo tee /etc/udev/rules.d/60-modemgate.rules

It works with and without a running daemon, enters no PIN, and opens no port
that the daemon or another program holds. Of the modems it asks it sets only the
form of answers (ATE0V1, AT+CMEE=1), which is gone with the power. --loop also
lets a line text its own number, which costs one SMS that subscribers see as any
other, and tells how it came. --udev-rules only prints the rules that keep
ModemManager away from modems. Exit 1 when something fails.`,
	run: func(ctx context.Context, s system, args []string) int { return report(s, doctor(ctx, s, args)) },
}

// Levels of findings.
const (
	levelOK   = "ok"
	levelWarn = "warn"
	levelFail = "fail"
)

// finding is one thing that was looked at.
type finding struct {
	Check string `json:"check"` // configuration, data_dir, disk, clock …
	About string `json:"about"` // a port, a line; "" for the machine
	Level string `json:"level"`
	Text  string `json:"text"`
	Do    string `json:"do,omitempty"` // what to do about it
}

// examination is one run of the doctor.
type examination struct {
	cfg    configs.Config
	place  place
	daemon *client // nil when none runs here
	loop   string  // the line that is to text itself, "" for none
	found  []finding

	loopSend time.Duration // in place of the constant, 0: that
}

// place is where the doctor looks; tests look elsewhere.
type place struct {
	usb     usb.Tree
	proc    string // /proc
	etc     []string
	kmsg    string   // the kernel's log; "" is not looked at
	journal []string // the command that prints it where kmsg may not be read
}

var thisMachine = place{
	proc:    "/proc",
	etc:     []string{"/etc/udev/rules.d", "/run/udev/rules.d", "/usr/lib/udev/rules.d", "/lib/udev/rules.d"},
	kmsg:    "/dev/kmsg",
	journal: []string{"journalctl", "-k", "-b", "-q", "--no-pager", "-o", "short-monotonic"},
}

func (x *examination) ok(check, about, format string, args ...any) {
	x.add(check, about, levelOK, fmt.Sprintf(format, args...), "")
}

func (x *examination) add(check, about, level, text, do string) {
	x.found = append(x.found, finding{check, about, level, text, do})
}

func doctor(ctx context.Context, s system, args []string) error {
	f := newClientFlags("doctor", true)
	loop, rules := f.String("loop", "", ""), f.Bool("udev-rules", false, "")
	if _, err := f.parse(args, 0, 0); err != nil {
		return err
	}
	if *rules {
		fmt.Fprint(s.out, systemd.UdevRules)
		return nil
	}
	x := &examination{place: thisMachine, loop: *loop}
	x.place.usb = usbTree
	x.examine(ctx, s, f.config)
	if f.json {
		raw, err := json.MarshalIndent(struct {
			Healthy bool      `json:"healthy"`
			Checks  []finding `json:"checks"`
		}{x.count(levelFail) == 0, x.found}, "", "  ")
		if err != nil {
			return err
		}
		printJSON(s.out, raw)
	} else {
		x.show(s.out)
	}
	if n := x.count(levelFail); n > 0 {
		return &failure{code: exitFailed, text: count(n, "check fails", "checks fail")}
	}
	return nil
}

// examine looks at everything, from the machine to the network.
func (x *examination) examine(ctx context.Context, s system, config string) {
	if !x.configuration(s, config) {
		return
	}
	x.findDaemon(ctx)
	if x.daemon != nil {
		defer x.daemon.close()
	}
	x.dataDir()
	x.disk()
	x.clock()
	x.programs()
	held := x.plugged()
	x.kernel(ctx)
	if x.daemon != nil {
		x.askDaemon(ctx)
		return
	}
	if x.loop != "" {
		x.add("loop", x.loop, levelFail, "only a running daemon can try it", "systemctl start modemgate, or modemgate serve")
	}
	x.addresses()
	x.lines(ctx, held)
}

// configuration reads the file as the daemon does. Without it nothing else
// can be judged.
func (x *examination) configuration(s system, config string) bool {
	cfg, warnings, err := configs.Load(config, s.env, nil)
	if err != nil {
		for line := range strings.Lines(err.Error()) {
			x.add("configuration", "", levelFail, strings.TrimSpace(line), "mend it; modemgate check reads it again")
		}
		return false
	}
	x.cfg = cfg
	for _, w := range warnings {
		x.add("configuration", "", levelWarn, w, "")
	}
	file := config
	if file == "" {
		file = configs.File("", s.env)
	}
	if file == "" {
		x.add("configuration", "", levelWarn, "there is no file, the defaults are used", "modemgate config prints one to begin with, for "+configs.SystemFile)
		return true
	}
	x.ok("configuration", "", "%s can be read and is right", file)
	return true
}

func (x *examination) findDaemon(ctx context.Context) {
	path := filepath.Join(x.cfg.DataDir, socketName)
	switch why := dialable(ctx, path); {
	case why == nil:
		x.daemon = socketClient(x.cfg, path)
		x.ok("daemon", "", "it runs and answers on %s", path)
	case absent(why):
		x.add("daemon", "", levelWarn, "none runs with this data_dir", "systemctl start modemgate, or modemgate serve; what follows is asked of the modems directly")
	default:
		x.add("daemon", "", levelFail, why.Error(), "run it as root or as the user of the daemon: sudo -u modemgate modemgate doctor")
	}
}

func (x *examination) count(level string) int {
	n := 0
	for _, f := range x.found {
		if f.Level == level {
			n++
		}
	}
	return n
}

// show prints one line for each check, and below it what to do.
func (x *examination) show(w io.Writer) {
	for _, f := range x.found {
		what := f.Check
		if f.About != "" {
			what += " " + f.About
		}
		level := f.Level
		if level == levelFail {
			level = "FAIL"
		}
		fmt.Fprintf(w, "%-4s  %s: %s\n", level, oneLine(what), oneLine(f.Text))
		if f.Do != "" {
			fmt.Fprintf(w, "      -> %s\n", oneLine(f.Do))
		}
	}
	fails, warns := x.count(levelFail), x.count(levelWarn)
	switch {
	case fails+warns == 0:
		fmt.Fprintln(w, "\nall is well")
	default:
		fmt.Fprintf(w, "\n%s, %s\n", count(fails, "failure", "failures"), count(warns, "warning", "warnings"))
	}
}
