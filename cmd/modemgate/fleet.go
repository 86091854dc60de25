package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"github.com/modemgate/modemgate/configs"
	"github.com/modemgate/modemgate/driver"
	"github.com/modemgate/modemgate/driver/usb"
	"github.com/modemgate/modemgate/gateway"
)

// usbTree is where USB modems are looked for, and usbEvery how often; the zero
// values are the machine's own and the finder's. Tests plug theirs in elsewhere.
var (
	usbTree  usb.Tree
	usbEvery time.Duration
)

// lockDir is where other programs look for the lock files of serial ports
// (FHS §5.9).
const lockDir = "/var/lock"

// sureOfSIM is how long a line for one SIM believes that it is still that one.
const sureOfSIM = 10 * time.Second

// letGo is how long an adopted line that does nothing may take to close its
// modem.
const letGo = 5 * time.Second

// adoptRetry is the wait after an adoption that could not be written.
const adoptRetry = 10 * time.Second

// realLines makes the lines of the list, and the finder that says which modem
// is which.
func (a *app) realLines() []gateway.LineOptions {
	wants := map[string]usb.Want{}
	for _, l := range a.cfg.Modems.List {
		wants[l.Name] = usb.Want{Port: l.Port, Path: l.USBPath, IMEI: l.IMEI, ICCID: l.ICCID}
	}
	a.finder = usb.NewFinder(usb.Options{
		Tree: usbTree, Every: usbEvery, Ask: a.ask, Auto: a.cfg.Modems.Adopt(), Log: a.log.With("part", "usb"),
	}, wants)
	a.usb = usbSwitch(usbTree, a.cfg, a.log.With("part", "usb"))
	var lines []gateway.LineOptions
	for _, l := range a.cfg.Modems.List {
		lines = append(lines, a.realLine(l))
	}
	return lines
}

// usbOffName is the file in the data directory that says which modems a reset
// has switched off on USB.
const usbOffName = "usb-off.json"

func usbSwitch(tree usb.Tree, cfg configs.Config, log *slog.Logger) *driver.USBSwitch {
	return &driver.USBSwitch{Sys: tree.Sys, File: filepath.Join(cfg.DataDir, usbOffName), Log: log}
}

func (a *app) realLine(l configs.Line) gateway.LineOptions {
	o := a.line(l, lockDir)
	o.Changed = a.finder.Changed
	if l.ICCID != "" {
		o.SureOfSIM = sureOfSIM
	}
	port := func() string { return l.Port }
	if l.Port == "" {
		port = func() string { return a.finder.Port(l.Name) }
	}
	o.Rescue = a.rescue(l.Name, port, lockDir, l.PowerCycle, a.log.With("line", l.Name))
	return o
}

// adoptedLine is the line of a SIM that was found in a modem nobody listed.
func (a *app) adoptedLine(name, iccid string) gateway.LineOptions {
	a.finder.Add(name, usb.Want{ICCID: iccid, Adopted: true})
	return a.realLine(configs.Line{Name: name, ICCID: iccid, Limits: configs.DefaultLineLimits()})
}

// ask asks the modem on a port who it is.
func (a *app) ask(ctx context.Context, port string, careful bool) (usb.Identity, error) {
	id, err := driver.Identify(ctx, driver.Options{Port: port, LockDir: lockDir, Log: a.log.With("part", "usb")}, careful)
	return usbIdentity(id), err
}

// plugged says what is on USB and what is known of it.
func (a *app) plugged() (all []gateway.PluggedModem) {
	devices, _ := a.finder.Devices() // what was there at the last good look
	for _, d := range devices {
		m := gateway.PluggedModem{
			Path: d.Path, ID: d.ID(), Model: cmp.Or(d.Model, d.Identity.Model), Mode: string(d.Mode), Port: d.Answers, Line: d.Line,
			IMEI: d.Identity.IMEI, ICCID: d.Identity.ICCID, Problem: d.Words(),
		}
		if m.Problem == "" && d.Err != nil {
			m.Problem = d.Err.Error()
		}
		all = append(all, m)
	}
	return all
}

func usbIdentity(id driver.Identity) usb.Identity {
	return usb.Identity{IMEI: id.IMEI, ICCID: id.ICCID, Model: id.Model}
}

// openModem opens the modem of a line: at its port, or where the finder says
// that it is plugged in.
func (a *app) openModem(ctx context.Context, l configs.Line, o driver.Options) (gateway.Modem, error) {
	if l.Port != "" {
		if err := a.takeOver(ctx, l.Name); err != nil {
			return nil, err
		}
		o.Port = l.Port
		if a.finder != nil {
			o.Sibling = func() string { return a.finder.Sibling(l.Port) }
			o.Verify = func(id driver.Identity, sim bool) error {
				if sim {
					return nil
				}
				return a.sameModem(ctx, l, id.IMEI)
			}
		}
		m, err := driver.Open(ctx, o)
		if err != nil {
			return nil, a.advised(l.Name, err)
		}
		return m, nil
	}
	claim, err := a.finder.Claim(l.Name)
	if err != nil {
		return nil, mismatch(err)
	}
	o.Port = claim.Port
	o.Sibling = func() string { return a.finder.Sibling(claim.Port) }
	o.Verify = func(id driver.Identity, sim bool) error { return mismatch(claim.Check(usbIdentity(id), sim)) }
	m, err := driver.Open(ctx, o)
	if err != nil {
		claim.Release()
		return nil, err
	}
	return &claimed{Modem: m, claim: claim}, nil
}

// sameModem refuses another modem than the line had last where its port names two
// modems: udev moves such a link by itself. On any other port a modem that was
// exchanged is taken as meant.
func (a *app) sameModem(ctx context.Context, l configs.Line, imei string) error {
	if imei == "" || !a.finder.ByID(l.Port) {
		return nil
	}
	d, shared := a.finder.Shared(l.Port)
	last, err := a.gw.LastModem(ctx, l.Name, l.Port, shared)
	if err != nil || last == "" || usb.SameIMEI(last, imei) {
		return err
	}
	return &gateway.MismatchError{State: gateway.WrongModem, Detail: fmt.Sprintf(
		"%s leads to the modem %s now, and the line had %s: modems that tell no serial number of their own share this name, so nothing is sent; "+
			"put %s in the place of port if the new one is meant, and else plug the other one in again",
		l.Port, usb.Masked(imei), usb.Masked(last), ownName(d))}
}

// ownName is what a line can be given instead of a name that two devices share.
// Nobody asks behind a serial adapter for an IMEI, or chooses among the ports of
// a device that is not known.
func ownName(d usb.Device) string {
	if ports, _ := d.Candidates(); len(ports) > 0 {
		return "usb_path: " + d.Path + ", or its imei,"
	}
	if _, ok := d.OnlyPort(); ok {
		return "usb_path: " + d.Path
	}
	return "its link below /dev/serial/by-path"
}

// takeOver has the adopted line let go of the modem that the port of a line
// leads to, if there is one. An SMS in its hands is waited for elsewhere.
func (a *app) takeOver(ctx context.Context, line string) error {
	if a.finder == nil {
		return nil
	}
	for enough := time.After(letGo); ; {
		changed := a.finder.Changed()
		from := a.finder.Adopter(line)
		if from == "" {
			return nil
		}
		err := a.gw.Yield(from, line)
		if !errors.Is(err, driver.ErrNoPort) {
			return err
		}
		select {
		case <-changed:
		case <-enough:
			return err
		case <-ctx.Done():
			return err
		}
	}
}

// advised adds to an error what is known of the port.
func (a *app) advised(line string, err error) error {
	if a.finder == nil || !errors.Is(err, driver.ErrSilent) && !errors.Is(err, driver.ErrNoPort) {
		return err
	}
	if advice := a.finder.Advise(line); advice != "" {
		return fmt.Errorf("%w; %s", err, advice)
	}
	return err
}

// claimed is a modem that nobody else asks anything while it is open.
type claimed struct {
	*driver.Modem
	claim *usb.Claim
	once  sync.Once
}

// Port is the node that the modem was found at.
func (c *claimed) Port() string { return c.claim.Port }

func (c *claimed) Close() error {
	err := c.Modem.Close()
	c.once.Do(c.claim.Release)
	return err
}

// absence is an [usb.AbsentError] in terms of the driver.
type absence struct{ *usb.AbsentError }

func (absence) Is(target error) bool { return target == driver.ErrNoPort }

// mismatch says in the gateway's terms what the finder has to say.
func mismatch(err error) error {
	var absent *usb.AbsentError
	var wrong *usb.MismatchError
	switch {
	case errors.As(err, &absent):
		return absence{absent}
	case errors.As(err, &wrong) && wrong.SIM:
		return &gateway.MismatchError{State: gateway.WrongSIM, Detail: wrong.Text}
	case errors.As(err, &wrong):
		return &gateway.MismatchError{State: gateway.WrongModem, Detail: wrong.Text}
	}
	return err
}

// adopt makes a line of every modem that appears and is not listed.
func (a *app) adopt(ctx context.Context) error {
	for told := ""; ; {
		changed := a.finder.Changed()
		var again <-chan time.Time
		for _, d := range a.finder.Adoptable() {
			_, err := a.gw.Adopt(ctx, d.Identity.ICCID)
			if err == nil || ctx.Err() != nil {
				continue
			}
			again = time.After(adoptRetry)
			if told != err.Error() {
				told = err.Error()
				a.log.Warn("cannot adopt a modem; trying again", "device", d.String(), "err", err)
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
		case <-again:
		}
	}
}
