package main

import (
	"context"
	"log/slog"
	"time"

	"github.com/modemgate/modemgate/driver"
	"github.com/modemgate/modemgate/gateway"
)

// rescue is what can be done for a modem from outside its session. port gives
// the port it is on now, or was on last; power is the operator's command, nil
// for none.
func (a *app) rescue(line string, port func() string, locks string, power []string, log *slog.Logger) gateway.Rescue {
	r := gateway.Rescue{
		Plug: func() string { return driver.Plug(port()) },
		Reset: func(ctx context.Context, id driver.Identity) error {
			return driver.ResetSilent(ctx, driver.Options{Port: port(), LockDir: locks, Log: log}, id)
		},
		USB:   func(ctx context.Context) error { return a.usb.Reset(ctx, port()) },
		OnUSB: func() bool { return a.usb.Has(port()) },
	}
	if len(power) == 0 {
		power = a.cfg.Modems.PowerCycle
	}
	if len(power) > 0 {
		r.Power = func(ctx context.Context) error {
			return driver.Power{
				Argv: power, Env: []string{"MODEMGATE_LINE=" + line, "MODEMGATE_PORT=" + port()}, Log: log,
			}.Cycle(ctx)
		}
	}
	return r
}

// recoveryOptions are the patience of the ladder: an answer may come for as
// long as a modem may take to confirm an SMS.
func (a *app) recoveryOptions() gateway.RecoveryOptions {
	o := gateway.RecoveryOptions{Answer: time.Duration(a.cfg.Modems.SubmitTimeout)}
	if patience > 0 {
		o.Answer, o.Rest, o.RestMax, o.Well = 2*patience, patience, 4*patience, 10*patience
	}
	return o
}

// hurried gives a modem as long as patience says, where that says anything.
func hurried(o driver.Options) driver.Options {
	if patience > 0 {
		o.CommandTimeout, o.PromptTimeout, o.SubmitTimeout = patience, patience, 2*patience
	}
	return o
}
