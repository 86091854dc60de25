package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"

	"github.com/modemgate/modemgate/configs"
	"github.com/modemgate/modemgate/gateway"
)

var serveCommand = command{
	name: "serve", args: "[--config FILE] [--api.listen ADDR …] [--trust-clock]", summary: "run the daemon",
	help: `  modemgate serve
  modemgate serve --config /etc/modemgate/modemgate.yaml --log.level debug
  MODEMGATE_MODEMS_SIMULATE=2 modemgate serve

Every scalar key of the configuration is a flag too; modemgate config prints
them all. --trust-clock is for one start after the clock was far ahead and has
been set right: what was recorded as later is taken back to now, and pending
codes are canceled. Exit 0 after a clean stop, 1 on failure, 2 on a wrong command line
or configuration.`,
	stays: true, run: serve,
}

func serve(ctx context.Context, s system, args []string) int {
	const trust = "--trust-clock"
	trusted := slices.Contains(args, trust)
	args = slices.DeleteFunc(slices.Clone(args), func(a string) bool { return a == trust })
	cfg, warnings, code := loadConfig(s, "serve", args)
	if code != exitOK {
		return code
	}
	log := newLog(s.err, cfg.Log.Level)
	for _, w := range warnings {
		log.Warn(w)
	}
	if configs.File("", s.env) == "" && !flagged(args, "config") {
		log.Info("no configuration file: the defaults are used", "looked_for", configs.SystemFile)
	}
	a, err := build(ctx, cfg, log, nil, func(o *gateway.Options) { o.TrustClock = trusted })
	if err != nil {
		log.Error("cannot start", "err", err)
		if errors.Is(err, errUsage) {
			return exitUsage
		}
		return exitFailed
	}
	if err := a.run(ctx); err != nil {
		log.Error("stopped", "err", err)
		return exitFailed
	}
	return exitOK
}

// loadConfig reads the configuration for a command whose flags are the keys
// of the configuration and --config. It has printed what is wrong when the
// code is not exitOK.
func loadConfig(s system, name string, args []string) (configs.Config, []string, int) {
	path, flags, err := configFlags(args)
	if err != nil {
		return configs.Config{}, nil, s.fail(exitUsage, "%s: %v\n  modemgate %s --help says more", name, err, name)
	}
	cfg, warnings, err := configs.Load(path, s.env, flags)
	if err != nil {
		for line := range strings.Lines(err.Error()) {
			fmt.Fprintf(s.err, "modemgate: %s\n", strings.TrimRight(line, "\n"))
		}
		return cfg, nil, exitUsage
	}
	return cfg, warnings, exitOK
}

// topLevel are the keys of the configuration that have no dot.
var topLevel = map[string]bool{"data_dir": true, "store": true, "site": true, "default_region": true, "insecure_lan": true}

// configFlags splits --config and --key.path VALUE flags.
func configFlags(args []string) (path string, flags map[string]string, err error) {
	flags = map[string]string{}
	for i := 0; i < len(args); i++ {
		name, ok := strings.CutPrefix(args[i], "--")
		if !ok || name == "" {
			return "", nil, fmt.Errorf("%q is no flag: flags begin with --, such as --config FILE", args[i])
		}
		name, value, given := strings.Cut(name, "=")
		if name != "config" && !strings.Contains(name, ".") && !topLevel[name] {
			return "", nil, fmt.Errorf("there is no flag --%s", name)
		}
		if !given {
			if i+1 == len(args) {
				return "", nil, fmt.Errorf("--%s needs a value", name)
			}
			i++
			value = args[i]
		}
		if name == "config" {
			path = value
			continue
		}
		flags[name] = value
	}
	return path, flags, nil
}

func flagged(args []string, name string) bool {
	for _, a := range args {
		if a == "--"+name || strings.HasPrefix(a, "--"+name+"=") {
			return true
		}
	}
	return false
}

// newLog writes text to a terminal and JSON elsewhere.
func newLog(w io.Writer, level string) *slog.Logger {
	o := &slog.HandlerOptions{ReplaceAttr: durationsInWords}
	var l slog.Level
	if l.UnmarshalText([]byte(level)) == nil {
		o.Level = l
	}
	if f, ok := w.(*os.File); ok && isTerminal(f) {
		return slog.New(slog.NewTextHandler(w, o))
	}
	return slog.New(slog.NewJSONHandler(w, o))
}

// newFlags makes the flag set of a command; parse errors are returned, not
// printed.
func newFlags(name string) *flag.FlagSet {
	f := flag.NewFlagSet(name, flag.ContinueOnError)
	f.SetOutput(io.Discard)
	return f
}

// durationsInWords writes a duration as "1m0s", also in JSON, where it would
// be a number of nanoseconds.
func durationsInWords(_ []string, a slog.Attr) slog.Attr {
	if a.Value.Kind() == slog.KindDuration {
		a.Value = slog.StringValue(a.Value.Duration().String())
	}
	return a
}
