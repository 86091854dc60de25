//go:build crashpoints

package main

import (
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// grace is MODEMGATE_GRACE, so that a test need not wait a minute after each
// kill; not set, it is the gateway's own.
var grace = envSpan("MODEMGATE_GRACE")

// patience is MODEMGATE_PATIENCE, so that a test need not wait minutes for
// what a modem never says; not set, it is the driver's own.
var patience = envSpan("MODEMGATE_PATIENCE")

func envSpan(variable string) time.Duration {
	d, _ := time.ParseDuration(os.Getenv(variable))
	return d
}

// hook ends the process with SIGKILL at the point that MODEMGATE_CRASH names,
// as POINT or POINT@N for the N-th time it is reached. With MODEMGATE_POINTS
// it appends every point it passes to that file.
var hook = func() func(string) {
	point, nth, _ := strings.Cut(os.Getenv("MODEMGATE_CRASH"), "@")
	n, err := strconv.ParseInt(nth, 10, 64)
	if err != nil {
		n = 1
	}
	var trace *os.File
	if path := os.Getenv("MODEMGATE_POINTS"); path != "" {
		trace, _ = os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	}
	var seen atomic.Int64
	return func(at string) {
		if trace != nil {
			_, _ = trace.WriteString(at + "\n")
		}
		if at == point && seen.Add(1) == n {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {} // until the signal is delivered
		}
	}
}()
