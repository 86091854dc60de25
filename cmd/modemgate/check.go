package main

import (
	"context"
	"fmt"

	"github.com/modemgate/modemgate/configs"
)

var checkCommand = command{
	name: "check", args: "[--config FILE]", summary: "validate the configuration, and touch nothing",
	help: "  modemgate check --config /etc/modemgate/modemgate.yaml\n\nExit 0 when it is right, 2 when it is not.",
	run: func(_ context.Context, s system, args []string) int {
		cfg, warnings, code := loadConfig(s, "check", args)
		if code != exitOK {
			return code
		}
		for _, w := range warnings {
			fmt.Fprintf(s.err, "modemgate: warning: %s\n", w)
		}
		fmt.Fprintf(s.out, "the configuration is right: %s, API on %s\n", count(len(cfg.Modems.Names()), "line", "lines"), cfg.API.Listen)
		return exitOK
	},
}

var configCommand = command{
	name: "config", summary: "print the commented default configuration",
	help: "  modemgate config > /etc/modemgate/modemgate.yaml",
	run: func(_ context.Context, s system, args []string) int {
		if len(args) > 0 {
			return s.fail(exitUsage, "config takes no arguments")
		}
		_, err := s.out.Write(configs.Example)
		if err != nil {
			return s.fail(exitFailed, "%v", err)
		}
		return exitOK
	},
}
