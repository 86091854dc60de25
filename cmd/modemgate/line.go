package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

var lineCommand = command{
	name: "line", args: "show|pause|resume|reset NAME [--step S] [--json] [--config FILE]", summary: "show all of one line; pause it, let it send again, or reset its modem",
	help: `  modemgate line show front
  modemgate line pause front             it sends nothing more, and goes on receiving
  modemgate line resume front
  modemgate line reset front             the mildest step that its modem has
  modemgate line reset front --step usb  radio, reset, usb or power

A pause survives restarts. A reset begins as soon as no SMS in hand can be
confirmed any more; modemgate line show tells what came of it. All but show
need the scope admin. Exit 0 ok, 1 refused, 2 usage, 3 no daemon, 4 time-out.`,
	run: func(ctx context.Context, s system, args []string) int { return report(s, oneLineDo(ctx, s, args)) },
}

// resetSteps are what --step may name.
var resetSteps = []string{"radio", "reset", "usb", "power"}

func oneLineDo(ctx context.Context, s system, args []string) error {
	f := newClientFlags("line", true)
	step := f.String("step", "", "")
	pos, err := f.parse(args, 0, 2)
	what := word(pos)
	switch {
	case err != nil:
		return err
	case !slices.Contains([]string{"show", "pause", "resume", "reset"}, what):
		return usageError("line", "say show, pause, resume or reset, then the name of a line")
	case len(pos) < 2:
		return usageError("line", what+" needs the name of a line: modemgate status lists them")
	case f.given("step") && what != "reset":
		return usageError("line", "--step goes with reset only")
	case f.given("step") && !slices.Contains(resetSteps, *step):
		return usageError("line", "--step must be "+strings.Join(resetSteps[:3], ", ")+" or power")
	}
	r := call{method: http.MethodPost, path: "/v1/lines/" + url.PathEscape(pos[1]) + "/" + what}
	switch {
	case what == "show":
		r = call{method: http.MethodGet, path: "/v1/lines/" + url.PathEscape(pos[1])}
	case *step != "":
		r.body = map[string]string{"step": *step}
	}
	c, err := connect(ctx, s, f.config)
	if err != nil {
		return err
	}
	defer c.close()
	var l lineJSON
	answer, err := c.do(ctx, r, &l)
	switch {
	case err != nil:
		return err
	case f.json:
		printJSON(s.out, answer)
	case what == "show":
		showLine(s.out, l)
	default:
		fmt.Fprintln(s.out, clean(l.changed(what)))
	}
	return nil
}

// changed says what a line does after an operator's word.
func (l lineJSON) changed(what string) string {
	now := l.State
	if l.Detail != "" {
		now += ": " + l.Detail
	}
	switch {
	case what == "reset":
		return "the modem of " + l.Name + " will be reset; modemgate line show " + l.Name + " tells what came of it"
	case what == "pause":
		return l.Name + " sends nothing more and goes on receiving; modemgate line resume " + l.Name + " lets it send"
	case l.State == "up":
		return l.Name + " sends again"
	}
	return l.Name + " may send again, but is " + now
}

// showLine prints all that is known of a line.
func showLine(w io.Writer, l lineJSON) {
	fmt.Fprintf(w, "line %s is %s", clean(l.Name), l.state())
	if l.SinceAt != nil {
		fmt.Fprintf(w, " since %s", when(*l.SinceAt))
	}
	fmt.Fprintln(w)
	if l.Detail != "" {
		fmt.Fprintln(w, "!", oneLine(l.Detail))
	}
	fmt.Fprintln(w)
	signal, balance := "", ""
	if l.SignalDBM != 0 {
		signal = fmt.Sprintf("%d dBm", l.SignalDBM)
	}
	if b := l.Balance; b != nil {
		if balance = fmt.Sprint(b.Amount); b.Low {
			balance += ", low"
		}
		if b.Error != "" {
			balance += "; it could not be asked last: " + b.Error
		}
	}
	memory := l.memory()
	if memory == "-" {
		memory = ""
	}
	i := l.Identity
	showFacts(w, [][2]string{
		{"labels", strings.Join(l.Labels, ", ")}, {"port", l.Port}, {"modem", strings.TrimSpace(i.Manufacturer + " " + i.Model + " " + i.Revision)},
		{"IMEI", i.IMEI}, {"ICCID", i.ICCID}, {"number", i.Number}, {"service centre", i.SMSC}, {"network", l.network()}, {"signal", signal}, {"cell", l.Cell.words()},
		{"said at", l.identityAt()}, {"memory", memory}, {"last call", l.lastCall()}, {"credit", balance}, {"limits", l.limits()}, {"used", l.used()}, {"since the start", l.counted()},
		{"last error", l.lastError()},
	})
	if len(l.Recovery.Incidents) > 0 {
		fmt.Fprintln(w)
		showRecovery(w, []lineJSON{l})
	}
}

// identityAt is when modem and SIM said who they are, where they may not be the
// same any more: the modem is not open.
func (l lineJSON) identityAt() string {
	if l.open() || l.Identity.ReadAt == nil {
		return ""
	}
	return when(*l.Identity.ReadAt) + ", when the modem was opened last"
}

func (l lineJSON) lastCall() string {
	if len(l.Calls) == 0 {
		return ""
	}
	return when(l.Calls[0].At) + " from " + cmp.Or(l.Calls[0].From, "a withheld number")
}

func (l lineJSON) network() string {
	if l.Operator == "" || l.Registration == "" {
		return l.Operator + l.Registration
	}
	return l.Operator + ", " + l.Registration
}

func (l lineJSON) lastError() string {
	if l.LastError == "" {
		return ""
	}
	return errorWords(l.LastError)
}

func (l lineJSON) limits() string {
	text := fmt.Sprintf("%d parts a minute, %d a day", l.Limits.PerMinute, l.Limits.PerDay)
	if l.Limits.PerMonth > 0 {
		text += fmt.Sprintf(", %d a month", l.Limits.PerMonth)
	}
	if l.Limits.CostPerMonth > 0 {
		text += fmt.Sprintf(", cost %d a month", l.Limits.CostPerMonth)
	}
	return text
}

func (l lineJSON) used() string {
	text := fmt.Sprintf("%s today, %d this month", count(l.Counters.PartsToday, "part", "parts"), l.Counters.PartsThisMonth)
	if l.Counters.CostThisMonth > 0 {
		text += fmt.Sprintf(", cost %d this month", l.Counters.CostThisMonth)
	}
	return text
}

func (l lineJSON) counted() string {
	c := l.Counters
	return fmt.Sprintf("%d parts sent, %d failed, %d unknown; %d received; %s of its session", c.Sent, c.Failed, c.Unknown, c.Received, count(int(c.Restarts), "restart", "restarts"))
}
