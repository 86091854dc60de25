package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

var messagesCommand = command{
	name: "messages", args: "[--state S] [--to N] [--via L] [--since T] [--limit N] [--json] [--config FILE]", summary: "list messages that were sent or wait, oldest first, without their texts",
	help: `  modemgate messages
  modemgate messages --state unknown         what modemgate resolve settles
  modemgate messages --since 2h --to +447700900123

  --state S     queued, sending, sent, delivered, undelivered, failed, expired,
                canceled or unknown
  --via LINE    sent by this line, or to be sent by it
  --since T     2026-05-01T09:30:00Z, or how long ago: 24h
  --limit N     the newest N, 20 if nothing is said
  --json        one JSON object of the API per line
  --config FILE the configuration of the daemon

modemgate explain ID tells all of one.`,
	run: func(ctx context.Context, s system, args []string) int { return report(s, messages(ctx, s, args)) },
}

var messageStates = strings.Fields("queued sending sent delivered undelivered failed expired canceled unknown")

func messages(ctx context.Context, s system, args []string) error {
	f := newClientFlags("messages", true)
	state := f.String("state", "", "")
	to := f.String("to", "", "")
	via := f.String("via", "", "")
	var since past
	f.Var(&since, "since", "")
	limit := f.Int("limit", 20, "")
	_, err := f.parse(args, 0, 0)
	switch {
	case err != nil:
		return err
	case *limit < 1:
		return usageError("messages", "--limit must be 1 or more")
	case *state != "" && !slices.Contains(messageStates, *state):
		return usageError("messages", fmt.Sprintf("--state %.20q is none of %s", *state, strings.Join(messageStates, ", ")))
	}
	q := url.Values{}
	for name, v := range map[string]string{"state": *state, "to": *to, "via": *via} {
		if v != "" {
			q.Set(name, v)
		}
	}
	if !since.IsZero() {
		q.Set("since", since.UTC().Format(time.RFC3339))
	}
	c, err := connect(ctx, s, f.config)
	if err != nil {
		return err
	}
	defer c.close()
	filtered := len(q) > 0
	items, err := newestOf(ctx, c, "/v1/messages", q, *limit)
	switch {
	case err != nil:
		return err
	case f.json:
		for _, item := range items {
			printJSON(s.out, item)
		}
		return nil
	case len(items) == 0 && !c.local:
		fmt.Fprintln(s.err, "this key sees no such message: it sees those it made, with the scope messages all")
		return nil
	case len(items) == 0 && !filtered:
		fmt.Fprintln(s.err, "no message was sent yet")
		return nil
	case len(items) == 0:
		fmt.Fprintln(s.err, "no message matches"+c.notThere(ctx, *via))
		return nil
	}
	return showMessages(s.out, items)
}

// newestOf reads the newest limit items of a list, and returns the oldest of
// them first.
func newestOf(ctx context.Context, c *client, path string, filter url.Values, limit int) ([]json.RawMessage, error) {
	const most = 200 // the API gives at a time
	var items []json.RawMessage
	for {
		filter.Set("limit", strconv.Itoa(min(limit-len(items), most)))
		var p struct {
			Items      []json.RawMessage `json:"items"`
			NextCursor string            `json:"next_cursor"`
		}
		if _, err := c.do(ctx, call{method: http.MethodGet, path: path, query: filter}, &p); err != nil {
			return nil, err
		}
		items = append(items, p.Items...)
		if p.NextCursor == "" || len(items) >= limit {
			slices.Reverse(items)
			return items, nil
		}
		filter.Set("cursor", p.NextCursor)
	}
}

func showMessages(w io.Writer, items []json.RawMessage) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "MADE\tID\tTO\tSTATE\tLINE\tPARTS\tREFERENCE\tWHY")
	unknown := ""
	for _, item := range items {
		var m messageJSON
		if err := decode(item, &m); err != nil {
			return err
		}
		state, why := m.State, ""
		switch {
		case m.Held:
			state = "held"
		case m.State == "queued" && m.SendAt != nil:
			why = "to be sent at " + when(*m.SendAt)
		}
		if m.Error != "" && m.Error != m.State {
			why = errorWords(m.Error)
		}
		if m.State == "unknown" && m.Final {
			unknown = m.ID
		}
		cells := []string{when(m.CreatedAt), m.ID, m.To, state, m.Line, strconv.Itoa(m.Parts), m.Ref, why}
		for i, c := range cells {
			cells[i] = oneLine(orNone(c))
		}
		fmt.Fprintln(t, strings.Join(cells, "\t"))
	}
	if err := t.Flush(); err != nil || unknown == "" {
		return err
	}
	fmt.Fprintf(w, "\nwhether an unknown one was sent is yours to say: modemgate resolve %s sent|failed|resend\n", unknown)
	return nil
}

var cancelCommand = command{
	name: "cancel", args: "ID [--json] [--config FILE]", summary: "take a message out of the queue, or end a one-time password",
	help: `  modemgate cancel msg_01jz…     before a line has begun to send it
  modemgate cancel otp_01jz…     its code is void from now on`,
	run: func(ctx context.Context, s system, args []string) int { return report(s, cancel(ctx, s, args)) },
}

func cancel(ctx context.Context, s system, args []string) error {
	f := newClientFlags("cancel", true)
	pos, err := f.parse(args, 1, 1)
	if err != nil {
		return err
	}
	list := map[string]string{"msg": "/v1/messages/", "otp": "/v1/otp/"}
	kind, _, _ := strings.Cut(pos[0], "_")
	if list[kind] == "" {
		return usageError("cancel", "an id begins with msg_ or otp_")
	}
	c, err := connect(ctx, s, f.config)
	if err != nil {
		return err
	}
	defer c.close()
	var now struct{ ID, State string }
	answer, err := c.do(ctx, call{method: http.MethodPost, path: list[kind] + url.PathEscape(pos[0]) + "/cancel"}, &now)
	switch {
	case err != nil:
		return err
	case f.json:
		printJSON(s.out, answer)
	default:
		fmt.Fprintf(s.out, "%s %s\n", now.ID, now.State)
	}
	return nil
}
