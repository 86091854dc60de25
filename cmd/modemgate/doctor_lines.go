package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/modemgate/modemgate/configs"
	"github.com/modemgate/modemgate/driver"
	"github.com/modemgate/modemgate/driver/usb"
)

// Levels of signal, dBm: below weak messages begin to fail.
const weakSignal = -105

// askDaemon takes what the daemon knows of itself and its lines.
func (x *examination) askDaemon(ctx context.Context) {
	var st statusJSON
	if _, err := x.daemon.do(ctx, call{method: http.MethodGet, path: "/v1/status"}, &st); err != nil {
		x.add("daemon", "", levelFail, err.Error(), "its log says more: journalctl -u modemgate")
		return
	}
	if st.Clock != "ok" {
		x.add("clock", "", levelFail, st.Clock, "")
	}
	switch n := st.NATS; {
	case !n.Connected:
		x.add("broker", "", levelFail, "NATS is not connected: "+orNone(n.Error)+"; "+count(n.Waiting, "event waits", "events wait"), "nothing is lost: events are published when it is back")
	case n.Waiting > 1000:
		x.add("broker", "", levelWarn, count(n.Waiting, "event waits", "events wait")+" to be published", "is the broker slow or full?")
	default:
		x.ok("broker", "", "%s", st.broker())
	}
	if !st.Store.Writable {
		x.add("store", "", levelFail, orNone(st.Store.Error), "free space on the disk")
	} else {
		x.ok("store", "", "%s", st.disk())
	}
	if len(st.Lines) == 0 {
		x.add("lines", "", levelFail, "there is none", "set modems.list, or plug in a modem with modems.auto")
	}
	for _, l := range st.Lines {
		x.daemonLine(ctx, l)
	}
	if x.loop != "" {
		x.tryLoop(ctx, st.Lines)
	}
	if st.Queue.Held > 0 {
		x.add("queue", "", levelWarn, areCount(st.Queue.Held, "message")+" held since a restore", "modemgate queue release, or modemgate queue drop")
	}
}

// daemonLine judges one line by what the daemon says of it.
func (x *examination) daemonLine(ctx context.Context, l lineJSON) {
	switch {
	case l.State == "paused":
		x.add("line", l.Name, levelWarn, "is paused: it receives and does not send", "modemgate line resume "+l.Name+" lets it send")
	case l.State == "starting":
		x.add("line", l.Name, levelWarn, "is being opened", "look again in a minute")
		return
	case l.State == "limited":
		x.add("line", l.Name, levelWarn, l.Detail, "raise limits of the line in the configuration, or add a line")
	case l.State != "up":
		x.add("line", l.Name, levelFail, "is "+l.State+": "+orNone(l.Detail), "")
		if !l.open() {
			return
		}
	case l.Detail != "":
		x.add("line", l.Name, levelWarn, l.Detail, "")
	default:
		x.ok("line", l.Name, "is up since %s", maybe(l.SinceAt, "-"))
	}
	if tries, known := x.tries(ctx, l.Name); known {
		x.pinTries(l.Name, tries)
	}
	x.settings(ctx, l.Name, l.InboundBy)
	x.network(l.Name, l.Registration, l.Operator, l.SignalDBM)
	x.centre(l.Name, l.Identity.SMSC)
	x.networkTime(ctx, l.Name)
	for _, m := range l.Storage {
		x.memory(l.Name, m.Memory, m.Used, m.Total)
	}
	if b := l.Balance; b != nil && b.Error != "" {
		x.add("credit", l.Name, levelWarn, "is not known: "+b.Error, "")
	} else if b != nil && !b.Low {
		x.ok("credit", l.Name, "%s", strconv.FormatFloat(b.Amount, 'f', -1, 64))
	}
}

// tries asks the line how many tries its PIN has.
func (x *examination) tries(ctx context.Context, line string) (left int, known bool) {
	left, err := driver.PINTriesLeft(func(command string) ([]string, error) {
		return x.ask(ctx, line, "AT"+command), ctx.Err()
	})
	return left, err == nil && left >= 0
}

func (x *examination) pinTries(about string, left int) {
	switch {
	case left < 0:
	case left == 0:
		x.add("sim", about, levelFail, "its PIN has no try left", "it needs its PUK: put it into a phone")
	case left < 3:
		x.add("sim", about, levelWarn, fmt.Sprintf("its PIN has %s left", count(left, "try", "tries")), "enter the right PIN in a phone: that brings them back")
	default:
		x.ok("sim", about, "its PIN has %d tries left", left)
	}
}

func (x *examination) network(about, registration, operator string, dbm int) {
	where := strings.TrimSpace("in the network " + operator)
	switch registration {
	case "home":
		x.ok("network", about, "it is at home %s", where)
	case "roaming":
		x.add("network", about, levelWarn, "it is abroad "+where, "it sends there only with roaming: true, and it costs more")
	case "denied":
		x.add("network", about, levelFail, "the network refuses the SIM", "is the contract paid, and the modem of a kind that this network has?")
	default:
		x.add("network", about, levelFail, "it has no network ("+orNone(registration)+")", "look at the antenna, or put the SIM into a phone at this place")
	}
	switch {
	case dbm == 0:
		x.add("signal", about, levelWarn, "the modem does not tell it", "")
	case dbm < weakSignal:
		x.add("signal", about, levelWarn, fmt.Sprintf("%d dBm is weak", dbm), "move the antenna, or the modem by a USB cable")
	default:
		x.ok("signal", about, "%d dBm", dbm)
	}
}

func (x *examination) centre(about, smsc string) {
	if smsc == "" {
		x.add("smsc", about, levelFail, "the SIM has no number of an SMS centre: nothing can be sent", "set smsc of the line; the operator of the SIM tells the number")
		return
	}
	x.ok("smsc", about, "%s", smsc)
}

func (x *examination) memory(about, name string, used, total int) {
	switch {
	case total == 0:
	case used >= total:
		x.add("storage", about, levelFail, fmt.Sprintf("%s is full, %d of %d: nothing can be received", name, used, total), "the daemon empties it; if it runs, its log says why it cannot")
	case used*10 >= total*8:
		x.add("storage", about, levelWarn, fmt.Sprintf("%s is %d of %d full", name, used, total), "the daemon empties it when it runs")
	default:
		x.ok("storage", about, "%s holds %d of %d", name, used, total)
	}
}

// lines asks the modems themselves: no daemon does.
func (x *examination) lines(ctx context.Context, held map[string]string) {
	if x.cfg.NATS.URL != "" {
		x.broker(ctx)
	}
	if x.cfg.Modems.Simulate > 0 {
		return
	}
	asked := map[string]bool{}
	for _, l := range x.cfg.Modems.List {
		if l.Port != "" {
			x.modem(ctx, "line "+l.Name, l.Port, l.SMSC, held, asked)
		}
	}
	devices, _ := x.place.usb.Scan()
	here, silent := map[string]driver.Identity{}, 0
	for _, d := range devices {
		ports, sure := d.Candidates()
		if len(ports) == 0 {
			continue
		}
		if !sure {
			silent++
			continue
		}
		id := x.modem(ctx, d.Path, ports[0].Node, "", held, asked)
		here[d.Path] = id
		if id.IMEI == "" || id.ICCID == "" {
			silent++
		}
	}
	for _, l := range x.cfg.Modems.List {
		if l.Port == "" {
			x.sought(l, here, silent)
		}
	}
}

// sought says where the modem of a line is that is listed by IMEI, ICCID or
// socket. silent is how many modems did not say who they are.
func (x *examination) sought(l configs.Line, here map[string]driver.Identity, silent int) {
	what := "no modem in the USB socket " + l.USBPath
	for path, id := range here {
		switch {
		case l.USBPath != "":
			if path != l.USBPath {
				continue
			}
		case l.IMEI != "":
			if what = "no modem with the IMEI " + l.IMEI; !usb.SameIMEI(id.IMEI, l.IMEI) {
				continue
			}
		default:
			if what = "no SIM with the ICCID " + l.ICCID; !usb.SameICCID(id.ICCID, l.ICCID) {
				continue
			}
		}
		x.ok("line", l.Name, "its modem is at %s", path)
		return
	}
	level, do := levelFail, "modemgate modems lists what is plugged in, and where"
	if l.USBPath == "" && silent > 0 {
		level, what = levelWarn, what+" among those that could be asked"
	}
	x.add("line", l.Name, level, what, do)
}

// broker looks whether the cluster can be reached.
func (x *examination) broker(ctx context.Context) {
	for server := range strings.SplitSeq(x.cfg.NATS.URL, ",") {
		u, err := url.Parse(strings.TrimSpace(server))
		if err != nil || u.Hostname() == "" {
			continue
		}
		port := u.Port()
		if port == "" {
			port = "4222"
		}
		d := net.Dialer{Timeout: 3 * time.Second}
		c, err := d.DialContext(ctx, "tcp", net.JoinHostPort(u.Hostname(), port))
		if err != nil {
			x.add("broker", u.Host, levelFail, err.Error(), "is it running, and does a firewall let this machine through?")
			continue
		}
		_ = c.Close()
		x.ok("broker", u.Host, "can be reached")
	}
}

// simCures say what to do about a SIM that cannot be used.
var simCures = map[string]string{
	"pin":          "set pin_file of the line, or switch the PIN off in a phone",
	"puk":          "put the SIM into a phone and enter its PUK; modemgate never does",
	"pin2":         "enter PIN2 in a phone",
	"puk2":         "enter PUK2 in a phone",
	"absent":       "is the SIM in, the right way round, and its holder closed?",
	"failure":      "clean its contacts, try it in a phone, or get another SIM",
	"busy":         "wait a minute and look again; if it stays so, unplug the modem and plug it in again",
	"wrong":        "the modem refuses this SIM: try it in a phone",
	"network-lock": "the modem is locked to another operator: unlock it, or use its operator's SIM",
	"down":         "the modem has switched its SIM off: unplug it and plug it in again",
}

// modemPatience is how long one modem may take for a check-up.
const modemPatience = 45 * time.Second

// modem opens one modem that nobody holds, asks what it lacks, and gives who it
// said it is.
func (x *examination) modem(ctx context.Context, about, port, smsc string, held map[string]string, asked map[string]bool) (id driver.Identity) {
	real, err := filepath.EvalSymlinks(port)
	if err != nil || held[real] != "" || asked[real] {
		return id // told already
	}
	asked[real] = true
	ctx, cancel := context.WithTimeout(ctx, modemPatience)
	defer cancel()
	m, err := driver.Open(ctx, driver.Options{Port: port, LockDir: lockDir, Bare: true, CommandTimeout: 5 * time.Second})
	if err != nil {
		do := "unplug it and plug it in again; if it stays silent, this is not its port for AT commands"
		if !errors.Is(err, driver.ErrSilent) {
			do = ""
		}
		x.add("modem", about, levelFail, err.Error(), do)
		return id
	}
	defer m.Close()
	c, err := m.Checkup(ctx)
	if err != nil {
		x.add("modem", about, levelFail, err.Error(), "unplug it and plug it in again")
		return id
	}
	x.ok("modem", about, "%s %s, IMEI %s", orNone(c.Identity.Manufacturer), c.Identity.Model, orNone(c.Identity.IMEI))
	x.pinTries(about, c.PINTries)
	if c.SIM != "" {
		x.add("sim", about, levelFail, (&driver.SIMError{State: c.SIM, Left: c.PINTries}).Error(), simCures[c.SIM])
		return c.Identity
	}
	x.ok("sim", about, "is ready, ICCID %s", orNone(c.Identity.ICCID))
	x.network(about, c.Status.Registration, c.Status.Operator, c.Status.SignalDBM)
	if smsc == "" {
		smsc = c.Status.SMSC
	}
	x.centre(about, smsc)
	for _, mem := range c.Status.Storage {
		x.memory(about, mem.Name, mem.Used, mem.Total)
	}
	return c.Identity
}
