package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"time"
)

var traceCommand = command{
	name: "trace", args: "LINE [--follow] [--json] [--config FILE]", summary: "show the last lines of the dialogue with a modem, masked",
	help: `  modemgate trace front
  modemgate trace front --follow

> was written, < was heard, ! is about the session. Numbers, texts, PINs and
PDUs are masked before they are kept, so what it prints may be passed on, and
modemgate sim --replay FILE makes a simulated modem of it.
Needs the scope admin.`,
	run: func(ctx context.Context, s system, args []string) int { return report(s, trace(ctx, s, args)) },
}

// traceEvery is how often --follow looks again.
const traceEvery = 500 * time.Millisecond

type tracePage struct {
	Items      []json.RawMessage `json:"items"`
	NextCursor string            `json:"next_cursor"`
}

func trace(ctx context.Context, s system, args []string) error {
	f := newClientFlags("trace", true)
	forever := f.Bool("follow", false, "")
	pos, err := f.parse(args, 1, 1)
	if err != nil {
		return err
	}
	c, err := connect(ctx, s, f.config)
	if err != nil {
		return err
	}
	defer c.close()
	after := "0"
	for first := true; ; first = false {
		var p tracePage
		if _, err := c.do(ctx, call{
			method: http.MethodGet, path: "/v1/lines/" + url.PathEscape(pos[0]) + "/trace", query: url.Values{"after": {after}},
		}, &p); err != nil {
			return err
		}
		if first && len(p.Items) == 0 && !f.json {
			fmt.Fprintln(s.err, "nothing was said yet: modemgate status says what the line lacks")
		}
		for _, item := range p.Items {
			if err := printTrace(s, item, f.json); err != nil {
				return err
			}
		}
		if after = p.NextCursor; !*forever {
			return nil
		}
		pause(ctx, traceEvery)
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

func printTrace(s system, item json.RawMessage, asJSON bool) error {
	if asJSON {
		printJSON(s.out, item)
		return nil
	}
	var l struct {
		At         time.Time `json:"at"`
		Mark, Text string
	}
	if err := decode(item, &l); err != nil {
		return err
	}
	fmt.Fprintf(s.out, "%s %s %s\n", l.At.Local().Format("2006-01-02 15:04:05.000Z07:00"), oneLine(l.Mark), oneLine(l.Text))
	return nil
}
