package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"strconv"
	"time"
)

// notifySystemd tells the service manager that the daemon is ready and feeds
// its watchdog as long as the loops that work go round (sd_notify(3)).
// Without NOTIFY_SOCKET it does nothing.
func notifySystemd(ctx context.Context, alive func() error) error {
	path := os.Getenv("NOTIFY_SOCKET")
	if path == "" {
		return nil
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		return fmt.Errorf("NOTIFY_SOCKET: %w", err)
	}
	defer conn.Close()
	say := func(s string) { _, _ = conn.Write([]byte(s)) }
	say("READY=1\nSTATUS=ready")
	usec, err := strconv.ParseInt(os.Getenv("WATCHDOG_USEC"), 10, 64)
	if err != nil || usec <= 0 {
		<-ctx.Done()
		say("STOPPING=1")
		return nil
	}
	tick := time.NewTicker(time.Duration(usec) * time.Microsecond / 3)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			say("STOPPING=1")
			return nil
		case <-tick.C:
			if err := alive(); err != nil {
				say("STATUS=" + err.Error())
				continue // the manager restarts us
			}
			say("WATCHDOG=1")
		}
	}
}
