package main

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

var ussdCommand = command{
	name: "ussd", args: "LINE CODE [REPLY...] | LINE --reply TEXT | LINE --cancel [--config FILE]", summary: "ask the network of a line by a USSD code",
	help: `  modemgate ussd front '*100#'
  modemgate ussd front '*123#' 1 2         answer its menu with 1, then 2
  modemgate ussd front --reply 1           go on in a session that waits
  modemgate ussd front --cancel

On a terminal a menu is answered by typing. A session that waits for a reply
stays open for two minutes. Needs the scope admin.`,
	run: func(ctx context.Context, s system, args []string) int { return report(s, ussd(ctx, s, args)) },
}

// ussdPatience is the longest that the API waits for the network.
const ussdPatience = time.Minute

type ussdJSON struct {
	State string `json:"state"`
	Text  string `json:"text"`
	Error string `json:"error"`
}

func ussd(ctx context.Context, s system, args []string) error {
	f := newClientFlags("ussd", true)
	reply := f.String("reply", "", "")
	quit := f.Bool("cancel", false, "")
	pos, err := f.parse(args, 1, 1+16)
	if err != nil {
		return err
	}
	steps := []map[string]any{}
	switch {
	case *quit && *reply == "" && len(pos) == 1:
		steps = append(steps, map[string]any{"cancel": true})
	case *reply != "" && !*quit && len(pos) == 1:
		steps = append(steps, map[string]any{"reply": *reply})
	case *reply == "" && !*quit && len(pos) > 1:
		steps = append(steps, map[string]any{"code": pos[1]})
		for _, r := range pos[2:] {
			steps = append(steps, map[string]any{"reply": r})
		}
	default:
		return usageError("ussd", "give a CODE, --reply TEXT or --cancel")
	}
	c, err := connect(ctx, s, f.config)
	if err != nil {
		return err
	}
	defer c.close()
	return ussdTalk{ctx, s, c, pos[0], f.json}.run(steps)
}

// ussdTalk is a USSD session as its user sees it.
type ussdTalk struct {
	ctx  context.Context
	s    system
	c    *client
	line string
	json bool
}

func (d ussdTalk) run(steps []map[string]any) error {
	typed := bufio.NewScanner(d.s.in)
	for {
		a, err := d.ask(steps[0])
		if err != nil {
			return err
		}
		if steps = steps[1:]; a.State != "reply-expected" {
			return d.end(a, len(steps))
		}
		if len(steps) > 0 {
			continue
		}
		if !d.typing() {
			fmt.Fprintf(d.s.err, "the network waits for a reply: modemgate ussd %s --reply TEXT\n", d.line)
			return nil
		}
		fmt.Fprint(d.s.err, "reply (empty to end): ")
		word := ""
		if typed.Scan() {
			word = strings.TrimSpace(typed.Text())
		}
		steps = append(steps, map[string]any{"reply": word})
		if word == "" {
			steps[0] = map[string]any{"cancel": true}
		}
	}
}

// typing says whether a person sits at both ends.
func (d ussdTalk) typing() bool {
	f, ok := d.s.in.(*os.File)
	return ok && !d.json && isTerminal(f)
}

func (d ussdTalk) ask(step map[string]any) (ussdJSON, error) {
	var a ussdJSON
	step["wait"] = wireDuration(ussdPatience)
	raw, err := d.c.do(d.ctx, call{
		method: http.MethodPost, path: "/v1/lines/" + url.PathEscape(d.line) + "/ussd", body: step, wait: ussdPatience,
	}, &a)
	if err != nil {
		return a, err
	}
	switch {
	case d.json:
		printJSON(d.s.out, raw)
	case a.Text != "":
		fmt.Fprintln(d.s.out, clean(a.Text))
	}
	return a, nil
}

// end says how the session ended, when its text does not.
func (d ussdTalk) end(a ussdJSON, left int) error {
	bad := map[string]string{
		"unsupported": "the network does not know this code", "timeout": "the network gave no answer in time",
		"failed": "the modem refused: " + errorWords(a.Error),
	}[a.State]
	switch {
	case a.State == "timeout":
		return &failure{code: exitTimeout, text: bad}
	case bad != "":
		return &failure{code: exitFailed, text: bad}
	case a.State == "canceled" && !d.json:
		fmt.Fprintln(d.s.out, "the session is ended")
	case left > 0:
		return &failure{code: exitFailed, text: "the network ended the session before " + count(left, "reply", "replies")}
	}
	return nil
}
