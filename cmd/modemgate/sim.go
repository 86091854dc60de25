package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/modemgate/modemgate/driver/sim"
)

var simCommand = command{
	name: "sim", args: "--modems N --dir DIR [--control ADDR] [--profile NAME] [--replay FILE] [--submit-delay 3s] [--chaos RATE [--seed N]]",
	summary: "only the simulator: modems on ptys for any program",
	help: `  modemgate sim --modems 2 --dir ./modems
  gammu --config <(printf '[gammu]\ndevice=./modems/modem0\nconnection=at\n') identify
  modemgate sim --modems 1 --dir ./modems --control 127.0.0.1:9000
  modemgate sim --modems 2 --dir ./modems --chaos 6 --seed 42
  modemgate sim --modems 1 --dir ./modems --replay stick.trace

The modems are linked as DIR/modem0, DIR/modem1, … The control API injects
faults; GET / on it lists its routes and the kinds of faults.

--chaos gives each modem RATE random faults a minute, of all kinds, none of
them for longer than 10 s: late and damaged answers, refusals, unplugging. Each
is printed. The same --seed makes the same faults in the same order.

--replay takes what modemgate trace has printed (with --json or without): each
modem answers the commands in FILE as it says, in its order, the last answer
again and again, and all others by its profile. Masked values are its own.

Profiles:
  ` + wrapped(sim.Profiles(), 70, "\n  "),
	stays: true, run: runSim,
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
	replay := f.String("replay", "", "")
	delay := f.Duration("submit-delay", 0, "")
	chaos := f.Float64("chaos", 0, "")
	seed := f.Int64("seed", 0, "")
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
	case !(*chaos >= 0 && *chaos <= maxChaosRate):
		return s.fail(exitUsage, "sim: --chaos is between 0 and %d faults a minute", maxChaosRate)
	case *profile != "" && !slices.Contains(sim.Profiles(), *profile):
		return s.fail(exitUsage, "sim: there is no profile %q: %s", *profile, strings.Join(sim.Profiles(), ", "))
	}
	s.out = &turns{w: s.out}
	o := sim.Options{Modems: *modems, Dir: *dir, Profile: *profile, Replay: *replay, SubmitDelay: *delay, Seed: *seed, Chaos: *chaos}
	if *chaos > 0 {
		s.announceChaos(&o)
	}
	n, err := sim.New(o)
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

// maxChaosRate is the most faults a minute of one modem.
const maxChaosRate = 600

// announceChaos has each random fault printed, and the seed, which is made up
// when none is given.
func (s system) announceChaos(o *sim.Options) {
	o.Seed = cmp.Or(o.Seed, rand.Int64())
	o.ChaosTold = func(modem string, fault sim.Fault) { fmt.Fprintf(s.out, "%s\t%s\n", modem, faultWords(fault)) }
	fmt.Fprintf(s.out, "chaos\t%g faults a minute of each modem, --seed %d\n", o.Chaos, o.Seed)
}

// turns lets one write after the other: modems print on their own.
type turns struct {
	mu sync.Mutex
	w  io.Writer
}

func (t *turns) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.w.Write(p)
}

// faultWords is a random fault as it is printed, so that it can be injected
// again.
func faultWords(f sim.Fault) string {
	text := string(f.Kind)
	if f.Point != "" {
		text += " at " + string(f.Point)
	}
	if f.Where != "" {
		text += " " + f.Where
	}
	if f.Code != 0 {
		text += fmt.Sprintf(" %d", f.Code)
	}
	if f.Delay != 0 {
		text += " " + f.Delay.Round(time.Millisecond).String()
	}
	return text
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
