package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"text/tabwriter"
)

var statusCommand = command{
	name: "status", args: "[--json] [--config FILE]", summary: "what is up and what is wrong, of a running daemon",
	help: `  modemgate status
  modemgate status --json | jq .queue

Exit 0 when all is well, 1 when something is down, 3 when no daemon answers.`,
	run: func(ctx context.Context, s system, args []string) int { return report(s, status(ctx, s, args)) },
}

func status(ctx context.Context, s system, args []string) error {
	f := newClientFlags("status", true)
	if _, err := f.parse(args, 0, 0); err != nil {
		return err
	}
	c, err := connect(ctx, s, f.config)
	if err != nil {
		return err
	}
	defer c.close()
	var st statusJSON
	answer, err := c.do(ctx, call{method: http.MethodGet, path: "/v1/status"}, &st)
	if err != nil {
		return err
	}
	if f.json {
		printJSON(s.out, answer)
	} else {
		showStatus(s.out, st)
	}
	if st.Healthy {
		return nil
	}
	return &failure{code: exitFailed, text: count(len(st.Problems), "thing is", "things are") + " wrong"}
}

// showStatus prints problems first, then the lines, then the rest.
func showStatus(w io.Writer, st statusJSON) {
	fmt.Fprintf(w, "modemgate %s at %s, up since %s\n\n", st.Version, clean(st.Site), when(st.StartedAt))
	for _, p := range st.Problems {
		fmt.Fprintf(w, "! %s\n", clean(p))
	}
	if len(st.Problems) > 0 {
		fmt.Fprintln(w)
	}
	if len(st.Lines) > 0 {
		showLines(w, st.Lines)
		fmt.Fprintln(w)
		showRecovery(w, st.Lines)
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "queue\t%s\n", st.Queue)
	fmt.Fprintf(t, "nats\t%s\n", st.broker())
	fmt.Fprintf(t, "store\t%s\n", st.disk())
	fmt.Fprintf(t, "clock\t%s\n", clean(st.Clock))
	_ = t.Flush()
}

func showLines(w io.Writer, lines []lineJSON) {
	slices.SortStableFunc(lines, func(a, b lineJSON) int { return cmp.Compare(a.rank(), b.rank()) })
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "LINE\tSTATE\tSINCE\tNUMBER\tOPERATOR\tSIGNAL\tMEMORY\tSENT\tFAILED\tRECEIVED")
	for _, l := range lines {
		if !l.open() { // its SIM may be another one now
			l.Identity.Number = ""
		}
		signal := "-"
		if l.SignalDBM != 0 {
			signal = fmt.Sprintf("%d dBm", l.SignalDBM)
		}
		row := []string{
			l.Name, l.state(), maybe(l.SinceAt, "-"), orNone(l.Identity.Number), orNone(l.Operator), signal, l.memory(),
			fmt.Sprint(l.Counters.Sent), l.failed(), fmt.Sprint(l.Counters.Received),
		}
		fmt.Fprintln(t, clean(strings.Join(row, "\t")))
	}
	_ = t.Flush()
}

// showRecovery prints the last steps that were taken for modems that did not
// work, if there were any.
func showRecovery(w io.Writer, lines []lineJSON) {
	const most = 3 // of each line
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	told := false
	for _, l := range lines {
		for _, i := range l.Recovery.Incidents[:min(most, len(l.Recovery.Incidents))] {
			if !told {
				fmt.Fprintln(t, "RECOVERY OF\tAT\tCAUSE\tSTEP\tRESULT\tDETAIL")
			}
			told = true
			fmt.Fprintln(t, clean(strings.Join([]string{l.Name, when(i.At), i.Cause, i.Step, i.Result, orNone(i.Detail)}, "\t")))
		}
	}
	_ = t.Flush()
	if told {
		fmt.Fprintln(w)
	}
}

// rank puts the lines that need attention first.
func (l lineJSON) rank() int {
	switch {
	case l.State != "up":
		return 0
	case l.Detail != "":
		return 1
	}
	return 2
}

// open says whether the daemon has a session with the modem of the line, so that
// what it tells of SIM and network is of now.
func (l lineJSON) open() bool { return l.Registration != "" }

func (l lineJSON) state() string {
	if l.Simulated {
		return l.State + " (simulated)"
	}
	return l.State
}

func (l lineJSON) failed() string {
	if l.Counters.Unknown > 0 {
		return fmt.Sprintf("%d, %d unknown", l.Counters.Failed, l.Counters.Unknown)
	}
	return fmt.Sprint(l.Counters.Failed)
}

// memory is the fill of the SMS memories.
func (l lineJSON) memory() string {
	var all []string
	for _, m := range l.Storage {
		all = append(all, fmt.Sprintf("%s %d/%d", m.Memory, m.Used, m.Total))
	}
	return orNone(strings.Join(all, " "))
}

func (st statusJSON) broker() string {
	n := st.NATS
	text := "connected"
	if !n.Connected {
		text = "not connected"
	}
	if n.Embedded {
		text += ", embedded"
	}
	if n.Addr != "" {
		text += ", " + n.Addr
	}
	return clean(text + ", " + count(n.Waiting, "event waits", "events wait") + " to be published")
}

func (st statusJSON) disk() string {
	text := octets(st.Store.Bytes) + ", " + octets(st.Store.FreeBytes) + " free on the disk"
	if !st.Store.Writable {
		text += ", not writable"
	}
	return text
}
