package main

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
)

var versionCommand = command{
	name: "version", summary: "print the version",
	run: func(_ context.Context, s system, args []string) int {
		if len(args) > 0 {
			return s.fail(exitUsage, "version takes no arguments")
		}
		fmt.Fprintf(s.out, "modemgate %s %s/%s %s\n", fullVersion(), runtime.GOOS, runtime.GOARCH, runtime.Version())
		return exitOK
	},
}

// fullVersion is the release, or the commit a development build was made of.
func fullVersion() string {
	if version != "dev" {
		return version
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return version
	}
	for _, kv := range info.Settings {
		if kv.Key == "vcs.revision" && len(kv.Value) >= 12 {
			return version + "-" + kv.Value[:12]
		}
	}
	return version
}
