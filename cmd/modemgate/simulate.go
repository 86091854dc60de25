package main

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/modemgate/modemgate/configs"
	"github.com/modemgate/modemgate/driver/sim"
	"github.com/modemgate/modemgate/gateway"
)

// simulate starts the simulated network and makes a line of each modem.
func (a *app) simulate(tune func(*sim.Options)) ([]gateway.LineOptions, gateway.Phones, error) {
	o := sim.Options{Modems: a.cfg.Modems.Simulate, Dir: filepath.Join(a.cfg.DataDir, "sim")}
	if tune != nil {
		tune(&o)
	}
	n, err := sim.New(o)
	if err != nil {
		return nil, nil, fmt.Errorf("simulator: %w", err)
	}
	a.sim = n
	a.defers("simulator", n.Close)
	var lines []gateway.LineOptions
	for i, m := range n.Modems() {
		l := a.line(configs.Line{
			Name: a.cfg.Modems.Names()[i], Port: m.Path(), Number: m.Number(),
			Limits: configs.LineLimits{PerMinute: simLimit, PerDay: simLimit},
		}, "")
		l.Simulated = true
		l.Rescue = a.rescue(l.Name, m.Path, "", nil, a.log.With("line", l.Name))
		l.Rescue.USB, l.Rescue.Power = nil, nil
		lines = append(lines, l)
	}
	a.log.Warn("lines are simulated: no SMS leaves this machine", "lines", len(lines))
	return lines, phones{n, lines}, nil
}

// simLimit bounds a simulated line, in parts: it costs nothing.
const simLimit = 1_000_000

// phones are the simulated phones, for the API.
type phones struct {
	net   *sim.Network
	lines []gateway.LineOptions
}

func (p phones) Received(ctx context.Context, number string, d time.Duration, show func(gateway.SimText) bool) ([]gateway.SimText, error) {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	ph := p.net.Phone(number)
	for n := 0; ; n++ {
		texts := ph.Received()
		out := make([]gateway.SimText, 0, len(texts))
		for _, t := range texts {
			if s := (gateway.SimText{From: t.From, Text: t.Text, Parts: t.Parts, ReceivedAt: t.At}); show(s) {
				out = append(out, s)
			}
		}
		if len(out) > 0 || ctx.Err() != nil {
			return out, nil
		}
		n = max(n, len(texts))
		_, _ = ph.Wait(ctx, n+1) // an error is the end of ctx
	}
}

func (p phones) Send(number, line, text string) error {
	for _, l := range p.lines {
		if l.Name == line {
			return p.net.Phone(number).Send(l.Number, text)
		}
	}
	return fmt.Errorf("there is no line %s", line)
}
