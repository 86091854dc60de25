package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/modemgate/modemgate/driver"
	"github.com/modemgate/modemgate/driver/usb"
)

var modemsCommand = command{
	name: "modems", args: "[--json] [--config FILE]", summary: "what is plugged in, and which line it is",
	help: `  modemgate modems
  modemgate modems --json

It reads what the kernel says and opens no port to list it. What a modem says
of itself comes from the daemon; those that it had no reason to ask, or all
where none runs, are asked here, if nobody holds their port: with AT alone on
ports that are not known to take commands, until one answers. That enters no
PIN and sets nothing but the form of answers (ATE0V1, AT+CMEE=1), which is gone
with the power.`,
	run: func(ctx context.Context, s system, args []string) int { return report(s, modems(ctx, s, args)) },
}

// modemJSON is one modem, plugged in or simulated.
type modemJSON struct {
	Path     string     `json:"path"` // of the USB socket; "" where there is none
	ID       string     `json:"id"`   // VID:PID
	Model    string     `json:"model"`
	Mode     string     `json:"mode"`
	Problem  string     `json:"problem,omitempty"`
	Line     string     `json:"line,omitempty"`
	State    string     `json:"state,omitempty"` // of the line
	Port     string     `json:"port,omitempty"`  // the one to talk to it on
	IMEI     string     `json:"imei,omitempty"`
	ICCID    string     `json:"iccid,omitempty"`
	Operator string     `json:"operator,omitempty"`
	Signal   int        `json:"signal_dbm,omitempty"`
	Ports    []portJSON `json:"ports"`

	device usb.Device
}

type portJSON struct {
	Port      string   `json:"port"`
	Interface int      `json:"interface"`
	Role      string   `json:"role"`
	Driver    string   `json:"driver"`
	Links     []string `json:"links"`
}

func modems(ctx context.Context, s system, args []string) error {
	f := newClientFlags("modems", true)
	if _, err := f.parse(args, 0, 0); err != nil {
		return err
	}
	cfg, err := clientConfig(s, f.config, false)
	if err != nil {
		return err
	}
	all, err := plugged(usbTree)
	if err != nil {
		return &failure{code: exitFailed, text: "read the USB devices: " + err.Error()}
	}
	path := filepath.Join(cfg.DataDir, socketName)
	switch why := dialable(ctx, path); {
	case why == nil:
		c := socketClient(cfg, path)
		defer c.close()
		var page struct{ Items []lineJSON }
		if _, err := c.do(ctx, call{method: http.MethodGet, path: "/v1/lines"}, &page); err != nil {
			return err
		}
		var seen struct{ Items []modemJSON }
		if _, err := c.do(ctx, call{method: http.MethodGet, path: "/v1/modems"}, &seen); err != nil {
			return err
		}
		all = withLines(withSeen(all, seen.Items), page.Items)
		for i := range all {
			if m := &all[i]; m.Line == "" && m.IMEI == "" { // nobody has had a reason to ask it
				askModem(ctx, m)
			}
		}
	case absent(why):
		for i := range all {
			askModem(ctx, &all[i])
		}
	default:
		return noDaemon(path, why)
	}
	if f.json {
		raw, err := json.MarshalIndent(struct {
			Items []modemJSON `json:"items"`
		}{all}, "", "  ")
		if err != nil {
			return err
		}
		printJSON(s.out, raw)
		return nil
	}
	if len(all) == 0 {
		fmt.Fprintln(s.out, "no modem is plugged into this machine")
		return nil
	}
	showModems(s.out, all)
	return nil
}

// plugged lists what is on the bus and could be of use.
func plugged(tree usb.Tree) ([]modemJSON, error) {
	devices, err := tree.Scan()
	out := []modemJSON{}
	for _, d := range devices {
		m := modemJSON{Path: d.Path, ID: d.ID(), Model: d.Model, Mode: string(d.Mode), Problem: d.Words(), Ports: []portJSON{}, device: d}
		if m.Model == "" {
			m.Model = strings.TrimSpace(d.Maker + " " + d.Name)
		}
		if ports, sure := d.Candidates(); sure { // else it is found out by asking
			m.Port = ports[0].Node
		}
		for _, p := range d.Ports {
			m.Ports = append(m.Ports, portJSON{Port: p.Node, Interface: p.Interface, Role: string(p.Role), Driver: p.Driver, Links: append([]string{}, p.Links...)})
		}
		out = append(out, m)
	}
	return out, err
}

// withSeen adds what the daemon knows of the same devices.
func withSeen(all, seen []modemJSON) []modemJSON {
	for i := range all {
		m := &all[i]
		for _, s := range seen {
			if s.Path == m.Path && s.ID == m.ID {
				m.Line, m.Port, m.IMEI, m.ICCID = s.Line, cmp.Or(s.Port, m.Port), s.IMEI, s.ICCID
				m.Model, m.Problem = cmp.Or(m.Model, s.Model), cmp.Or(m.Problem, s.Problem)
			}
		}
	}
	return all
}

// withLines adds what the daemon knows, and its lines that are on no USB.
func withLines(all []modemJSON, lines []lineJSON) []modemJSON {
	for _, l := range lines {
		m, port := modemAt(all, l.Port)
		if m == nil || m.Line != "" && m.Line != l.Name { // the line was there once
			all = append(all, modemJSON{Mode: "line", Port: l.Port, Ports: []portJSON{}})
			m = &all[len(all)-1]
			if l.Simulated {
				m.Mode = "simulated"
			}
		}
		m.Line, m.State, m.Operator, m.Signal = l.Name, l.State, l.Operator, l.SignalDBM
		m.IMEI, m.ICCID = cmp.Or(l.Identity.IMEI, m.IMEI), cmp.Or(l.Identity.ICCID, m.ICCID)
		if m.Model == "" {
			m.Model = l.Identity.Model
		}
		if l.Port != "" && m.Path != "" {
			m.Port = port
		}
	}
	return all
}

// real is what a link leads to, or the name itself.
func real(port string) string {
	if r, err := filepath.EvalSymlinks(port); err == nil {
		return r
	}
	return port
}

// modemAt is what has a port, and the port's own name; nil for nothing.
func modemAt(all []modemJSON, port string) (m *modemJSON, node string) {
	if port == "" {
		return nil, ""
	}
	for i := range all {
		for _, p := range all[i].Ports {
			if real(p.Port) == real(port) {
				return &all[i], p.Port
			}
		}
	}
	return nil, ""
}

// askModem asks a modem that nobody holds who it is.
func askModem(ctx context.Context, m *modemJSON) {
	if ports, _ := m.device.Candidates(); len(ports) == 0 || m.Problem != "" {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, modemPatience)
	defer cancel()
	var err error
	if m.Port, err = answering(ctx, m.device); err != nil {
		m.Problem = err.Error()
		return
	}
	if holder := driver.PortHolder(m.Port, lockDir); holder != "" {
		m.Problem = holder + " holds " + m.Port
		return
	}
	d, err := driver.Open(ctx, driver.Options{Port: m.Port, LockDir: lockDir, Bare: true, CommandTimeout: 5 * time.Second})
	if err == nil {
		var c driver.Checkup
		c, err = d.Checkup(ctx)
		err = errors.Join(err, d.Close())
		m.IMEI, m.ICCID, m.Operator, m.Signal = c.Identity.IMEI, c.Identity.ICCID, c.Status.Operator, c.Status.SignalDBM
		if m.Model == "" {
			m.Model = c.Identity.Model
		}
		if c.SIM != "" {
			m.State = "sim-" + c.SIM
		}
	}
	if err != nil {
		m.Problem = err.Error()
	}
}

// showModems prints a row for each modem and one for each of its other ports.
func showModems(w io.Writer, all []modemJSON) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "PORT\tROLE\tDRIVER\tVID:PID\tMODEL\tLINE\tSTATE\tIMEI\tICCID\tOPERATOR\tSIGNAL")
	row := func(cells ...string) {
		for i, c := range cells {
			cells[i] = oneLine(orNone(c))
		}
		fmt.Fprintln(t, strings.Join(cells, "\t"))
	}
	for _, m := range all {
		signal := ""
		if m.Signal != 0 {
			signal = fmt.Sprintf("%d dBm", m.Signal)
		}
		first := portJSON{Port: m.Port, Role: m.Mode}
		for _, p := range m.Ports {
			if p.Port == m.Port {
				first = p
			}
		}
		row(first.Port, first.Role, first.Driver, m.ID, m.Model, m.Line, m.State, m.IMEI, m.ICCID, m.Operator, signal)
		for _, p := range m.Ports {
			if p.Port != first.Port {
				row("  "+p.Port, p.Role, p.Driver, "", "", "", "", "", "", "", "")
			}
		}
	}
	_ = t.Flush()
	for _, m := range all {
		if m.Problem != "" {
			fmt.Fprintf(w, "! %s\n", oneLine(m.Problem))
		}
	}
}
