package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/modemgate/modemgate/configs"
	"github.com/modemgate/modemgate/driver"
	"github.com/modemgate/modemgate/driver/usb"
)

// openBare opens the modem on a port just so far that it answers.
func openBare(ctx context.Context, port string) (*driver.Modem, error) {
	m, err := driver.Open(ctx, driver.Options{Port: port, LockDir: lockDir, Bare: true})
	switch {
	case errors.Is(err, driver.ErrPortBusy):
		return nil, &failure{code: exitFailed, text: err.Error(), hints: []string{"stop that program, or let it do what you want; for the port of a running daemon, name the line"}}
	case err != nil:
		return nil, &failure{code: exitFailed, text: err.Error(), hints: []string{"modemgate doctor looks for the reason"}}
	}
	return m, nil
}

// portOf is the port of a line of the configuration, or of an adopted one.
func portOf(ctx context.Context, cfg configs.Config, line string) (string, error) {
	i := slices.IndexFunc(cfg.Modems.List, func(l configs.Line) bool { return l.Name == line })
	tail, adopted := strings.CutPrefix(line, "m-")
	switch {
	case i < 0 && adopted && cfg.Modems.Adopt() && len(tail) >= 6 && strings.Trim(tail, "0123456789") == "":
		return portWith(ctx, usbTree, "whose SIM has a number that ends in "+tail, func(id driver.Identity) bool { return strings.HasSuffix(id.ICCID, tail) })
	case i < 0:
		return "", &failure{
			code: exitUsage, text: fmt.Sprintf("no daemon runs, and modems.list has no line %q", line),
			hints: []string{"start the daemon with modemgate serve, name its --config FILE, or give a port: modemgate at /dev/ttyUSB2 AT+CSQ; modemgate modems lists them"},
		}
	}
	switch l := cfg.Modems.List[i]; {
	case l.Port != "":
		return l.Port, nil
	case l.USBPath != "":
		return portAt(ctx, usbTree, l.USBPath)
	case l.IMEI != "":
		return portWith(ctx, usbTree, "with the IMEI "+usb.Masked(l.IMEI), func(id driver.Identity) bool { return usb.SameIMEI(id.IMEI, l.IMEI) })
	default:
		return portWith(ctx, usbTree, "with the SIM "+usb.Masked(l.ICCID), func(id driver.Identity) bool { return usb.SameICCID(id.ICCID, l.ICCID) })
	}
}

// portAt is the port for AT commands of what is plugged in at a USB socket.
func portAt(ctx context.Context, tree usb.Tree, path string) (string, error) {
	devices, err := tree.Scan()
	if err != nil {
		return "", &failure{code: exitFailed, text: "read the USB devices: " + err.Error()}
	}
	i := slices.IndexFunc(devices, func(d usb.Device) bool { return d.Path == path })
	if i < 0 {
		return "", &failure{code: exitFailed, text: "nothing is plugged in at " + path, hints: []string{"modemgate modems lists what is plugged in"}}
	}
	port, err := answering(ctx, devices[i])
	if err != nil {
		return "", &failure{code: exitFailed, text: err.Error()}
	}
	return port, nil
}

// answering is the port of a device that takes AT commands: the one that the
// table names, or where it names none the first that answers.
func answering(ctx context.Context, d usb.Device) (string, error) {
	if ports, sure := d.Candidates(); sure {
		return ports[0].Node, nil
	}
	port, _, err := identify(ctx, d)
	return port, err
}

// identify asks a device who it is: on the port that the table names, or where
// it names none on one after the other until one answers. No more than AT is
// sent to one that does not, and nothing to one that somebody holds. It sets
// nothing and enters no PIN.
func identify(ctx context.Context, d usb.Device) (port string, id driver.Identity, err error) {
	ports, sure := d.Candidates()
	switch {
	case len(ports) == 0:
		return "", id, errors.New(d.Words())
	case sure:
		ports = ports[:1]
	}
	var whyNot []string
	for _, p := range ports {
		if holder := driver.PortHolder(p.Node, lockDir); holder != "" {
			whyNot = append(whyNot, p.Node+" is held by "+holder)
			continue
		}
		if id, err = driver.Identify(ctx, driver.Options{Port: p.Node, LockDir: lockDir}, !sure); err == nil {
			return p.Node, id, nil
		}
		whyNot = append(whyNot, err.Error())
	}
	if sure {
		return "", driver.Identity{}, errors.New(whyNot[0])
	}
	return "", driver.Identity{}, fmt.Errorf("it is not known which port of %s takes AT commands: %s", d, strings.Join(whyNot, "; "))
}

// portWith identifies the USB modems one after the other until one is meant.
func portWith(ctx context.Context, tree usb.Tree, which string, meant func(driver.Identity) bool) (string, error) {
	devices, err := tree.Scan()
	if err != nil {
		return "", &failure{code: exitFailed, text: "read the USB devices: " + err.Error()}
	}
	others := []string{} // why each of the others is not the one
	for _, d := range devices {
		port, id, err := identify(ctx, d)
		switch {
		case err == nil && meant(id):
			return port, nil
		case err == nil:
			others = append(others, fmt.Sprintf("%s is the modem %s with the SIM %s", port, orNone(usb.Masked(id.IMEI)), orNone(usb.Masked(id.ICCID))))
		case d.Mode != usb.Adapter && d.Mode != usb.Other:
			others = append(others, err.Error())
		}
	}
	if len(others) == 0 {
		others = []string{"no USB modem is plugged in"}
	}
	return "", &failure{code: exitFailed, text: "no modem " + which + " is found", hints: append(others, "give a port instead: modemgate at /dev/ttyUSB2 AT+CSQ")}
}
