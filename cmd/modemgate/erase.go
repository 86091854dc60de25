package main

import (
	"context"
	"fmt"
	"net/http"
)

var eraseCommand = command{
	name: "erase", args: "NUMBER [--config FILE]", summary: "clear a number from store, unsent events and streams",
	help: `  modemgate erase +447700900123

What was sent to the number and received from it is deleted. It cannot be
undone, and backups are not touched.`,
	run: func(ctx context.Context, s system, args []string) int { return report(s, erase(ctx, s, args)) },
}

func erase(ctx context.Context, s system, args []string) error {
	f := newClientFlags("erase", true)
	pos, err := f.parse(args, 1, 1)
	if err != nil {
		return err
	}
	c, err := connectHere(ctx, s, f.config, notOffline)
	if err != nil {
		return err
	}
	defer c.close()
	var e struct {
		Messages, OTPs, Inbound, Events int
	}
	answer, err := c.do(ctx, call{method: http.MethodPost, path: "/v1/admin/erase", body: map[string]string{"number": pos[0]}, long: true}, &e)
	if err != nil {
		return err
	}
	if f.json {
		printJSON(s.out, answer)
		return nil
	}
	if e.Messages+e.OTPs+e.Inbound+e.Events == 0 {
		return &failure{code: exitFailed, text: "nothing is stored of it", hints: []string{"write the number or name as the messages show it: modemgate inbox"}}
	}
	fmt.Fprintln(s.out, "erased")
	showFacts(s.out, [][2]string{
		{"messages sent to it", fmt.Sprint(e.Messages)}, {"one-time passwords", fmt.Sprint(e.OTPs)},
		{"SMS received from it", fmt.Sprint(e.Inbound)}, {"events in the streams", fmt.Sprint(e.Events)},
	})
	fmt.Fprint(s.out, `backups, and a copy of an older format (modemgate.db.vN), are not touched: delete those that hold the number yourself
its abuse counters stay, as keyed hashes that do not tell the number
`)
	return nil
}
