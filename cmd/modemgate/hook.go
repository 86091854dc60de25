//go:build !crashpoints

package main

import "time"

// hook is called at the named points of both journeys; only a binary built
// for the crash tests does something there.
var hook func(point string)

// grace is how long a start waits for late answers to what the last run left
// under way; 0 is the gateway's own 60 s. Only a binary built for the crash
// tests waits for less.
const grace time.Duration = 0

// patience is how long a modem has for a command and for a prompt, half of
// what it has to confirm an SMS, and the measure of rest in its recovery; 0 is
// the driver's own, the configured and the gateway's own.
const patience time.Duration = 0
