package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/modemgate/modemgate/driver/sim"
)

var simCommand = command{
	name: "sim", args: "--modems N --dir DIR [--control ADDR] [--profile NAME] [--submit-delay 3s]",
	summary: "only the simulator: modems on ptys for any program",
	help: `  modemgate sim --modems 2 --dir ./modems
  gammu --config <(printf '[gammu]\ndevice=./modems/modem0\nconnection=at\n') identify
  modemgate sim --modems 1 --dir ./modems --control 127.0.0.1:9000

The modems are linked as DIR/modem0, DIR/modem1, … The control API injects
faults; GET / on it lists its routes and the kinds of faults.

Profiles:
  ` + wrapped(sim.Profiles(), 70, "\n  "),
	run: runSim,
}

// wrapped joins words with commas, into lines of about width characters.
func wrapped(words []string, width int, lineEnd string) string {
	var b strings.Builder
	used := 0
	for i, w := range words {
		switch {
		case i == 0:
		case used+len(w) > width:
			b.WriteString("," + lineEnd)
			used = 0
		default:
			b.WriteString(", ")
		}
		b.WriteString(w)
		used += len(w) + 2
	}
	return b.String()
}

func runSim(ctx context.Context, s system, args []string) int {
	f := newFlags("sim")
	modems := f.Int("modems", 1, "")
	dir := f.String("dir", "", "")
	control := f.String("control", "", "")
	profile := f.String("profile", "", "")
	delay := f.Duration("submit-delay", 0, "")
	if err := f.Parse(args); err != nil || f.NArg() > 0 {
		if err == nil {
			err = fmt.Errorf("%q is one argument too many", f.Arg(0))
		}
		return s.fail(exitUsage, "sim: %v\n  modemgate sim --help says more", err)
	}
	switch {
	case *dir == "":
		return s.fail(exitUsage, "sim: --dir says where the links to the modems go")
	case *modems < 1 || *modems > 256:
		return s.fail(exitUsage, "sim: --modems is between 1 and 256")
	case *profile != "" && !slices.Contains(sim.Profiles(), *profile):
		return s.fail(exitUsage, "sim: there is no profile %q: %s", *profile, strings.Join(sim.Profiles(), ", "))
	}
	n, err := sim.New(sim.Options{Modems: *modems, Dir: *dir, Profile: *profile, SubmitDelay: *delay})
	if err != nil {
		return s.fail(exitFailed, "sim: %v", err)
	}
	defer n.Close()
	for _, m := range n.Modems() {
		fmt.Fprintf(s.out, "%s\t%s\n", m.Path(), m.Number())
	}
	if *control == "" {
		<-ctx.Done()
		return exitOK
	}
	return serveControl(ctx, s, *control, n.Handler())
}

// serveControl serves the control API of the simulator until ctx ends.
func serveControl(ctx context.Context, s system, addr string, h http.Handler) int {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return s.fail(exitFailed, "sim: --control: %v", err)
	}
	fmt.Fprintf(s.out, "control\thttp://%s\n", l.Addr())
	srv := &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second}
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		<-ctx.Done()
		_ = srv.Close()
	}()
	if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return s.fail(exitFailed, "sim: --control: %v", err)
	}
	<-stopped
	return exitOK
}
