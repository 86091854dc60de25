package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

var queueCommand = command{
	name: "queue", args: "[drop|release] [--json] [--config FILE]", summary: "show what waits to be sent; let restored messages go, or not",
	help: `  modemgate queue
  modemgate queue release      send what a restore holds
  modemgate queue drop         cancel what a restore holds`,
	run: func(ctx context.Context, s system, args []string) int { return report(s, queue(ctx, s, args)) },
}

func queue(ctx context.Context, s system, args []string) error {
	f := newClientFlags("queue", true)
	pos, err := f.parse(args, 0, 2)
	if err != nil {
		return err
	}
	switch word(pos) {
	case "":
		return showQueue(ctx, s, f)
	case "drop", "release":
		if len(pos) > 1 {
			return usageError("queue", pos[0]+" takes no argument: it is for all that a restore holds")
		}
	}
	switch pos[0] {
	case "drop", "release":
		return changeQueue(ctx, s, f, pos[0])
	}
	return usageError("queue", fmt.Sprintf("%q is neither drop nor release", pos[0]))
}

func showQueue(ctx context.Context, s system, f *clientFlags) error {
	c, err := connect(ctx, s, f.config)
	if err != nil {
		return err
	}
	defer c.close()
	var q queueJSON
	answer, err := c.do(ctx, call{method: http.MethodGet, path: "/v1/queue"}, &q)
	if err != nil {
		return err
	}
	if f.json {
		printJSON(s.out, answer)
		return nil
	}
	fmt.Fprintln(s.out, q)
	if q.Held > 0 {
		fmt.Fprintf(s.out, "%s held since a restore: modemgate queue release sends them, modemgate queue drop cancels them\n", areCount(q.Held, "message"))
	}
	return nil
}

// String says what waits, in words.
func (q queueJSON) String() string {
	all := q.OTP + q.High + q.Normal + q.Low
	if all == 0 {
		return "nothing waits to be sent"
	}
	var kinds []string
	for _, k := range []struct {
		n    int
		name string
	}{{q.OTP, "one-time password"}, {q.High, "high"}, {q.Normal, "normal"}, {q.Low, "low"}} {
		if k.n > 0 {
			kinds = append(kinds, fmt.Sprintf("%d %s", k.n, k.name))
		}
	}
	text := count(all, "message waits", "messages wait") + " to be sent: " + strings.Join(kinds, ", ")
	if q.OldestAt != nil {
		text += "; the oldest since " + when(*q.OldestAt)
	}
	return text
}

// areCount is "1 message is", "2 messages are".
func areCount(n int, one string) string { return count(n, one+" is", one+"s are") }

func changeQueue(ctx context.Context, s system, f *clientFlags, how string) error {
	c, err := connectHere(ctx, s, f.config, notOffline)
	if err != nil {
		return err
	}
	defer c.close()
	var changed struct {
		Messages int `json:"messages"`
	}
	answer, err := c.do(ctx, call{method: http.MethodPost, path: "/v1/admin/queue/" + how, long: true}, &changed)
	if err != nil {
		return err
	}
	if f.json {
		printJSON(s.out, answer)
		return nil
	}
	if changed.Messages == 0 {
		fmt.Fprintln(s.out, "no message is held")
		return nil
	}
	if how == "drop" {
		fmt.Fprintln(s.out, areCount(changed.Messages, "message"), "canceled")
		return nil
	}
	fmt.Fprintln(s.out, areCount(changed.Messages, "message"), "released")
	up, down := c.linesNow(ctx, nil)
	switch {
	case len(down) > 0:
		for _, l := range down {
			fmt.Fprintln(s.out, "  "+l)
		}
	case up > 0:
		fmt.Fprintln(s.out, "  the lines send now")
	}
	return nil
}

var resolveCommand = command{
	name: "resolve", args: "ID sent|failed|resend [--config FILE]", summary: "settle a message of unknown outcome",
	help: `  modemgate resolve msg_01jz… sent      it did arrive
  modemgate resolve msg_01jz… failed    it did not, and is not sent again
  modemgate resolve msg_01jz… resend    send it again; the phone may get it twice`,
	run: func(ctx context.Context, s system, args []string) int { return report(s, resolve(ctx, s, args)) },
}

func resolve(ctx context.Context, s system, args []string) error {
	f := newClientFlags("resolve", true)
	pos, err := f.parse(args, 2, 2)
	if err != nil {
		return err
	}
	switch pos[1] {
	case "sent", "failed", "resend":
	default:
		return usageError("resolve", fmt.Sprintf("%q is none of sent, failed and resend", pos[1]))
	}
	c, err := connect(ctx, s, f.config)
	if err != nil {
		return err
	}
	defer c.close()
	var m messageJSON
	path := "/v1/messages/" + url.PathEscape(pos[0]) + "/resolve"
	answer, err := c.do(ctx, call{method: http.MethodPost, path: path, body: map[string]string{"as": pos[1]}}, &m)
	if err != nil {
		return err
	}
	showMessage(s, f.json, answer, m)
	return nil
}
