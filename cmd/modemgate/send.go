package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

var sendCommand = command{
	name: "send", args: "TO TEXT [flags] [--config FILE]", summary: "send a message through a running daemon",
	help: `  modemgate send +447700900123 "Your parcel is here"
  echo "disk full on $(hostname)" | modemgate send +447700900123 - --priority high
  modemgate send +447700900123 "See you" --wait 60s

  --via a,b           only these lines
  --priority P        high, normal or low
  --ttl D             how long to try, such as 2h
  --send-at T         2026-05-01T09:30:00Z, or a duration from now: 90m;
                      not in the past, at most 30 days ahead
  --report=false      ask for no delivery report
  --ref TEXT          a reference of yours, given back in events
  --wait D            follow until it is sent or has ended
  --json              print the answer of the API
  --config FILE       the configuration of the daemon

A text "-" is read from standard input. Exit 0 when it is stored, with --wait
when it is sent; 1 refused or failed, 2 usage, 3 no daemon, 4 time-out.`,
	run: func(ctx context.Context, s system, args []string) int { return report(s, send(ctx, s, args)) },
}

// newMessage is the body of POST /v1/messages.
type newMessage struct {
	To       string   `json:"to"`
	Text     string   `json:"text"`
	Via      []string `json:"via,omitempty"`
	Priority string   `json:"priority,omitempty"`
	TTL      string   `json:"ttl,omitempty"`
	SendAt   string   `json:"send_at,omitempty"`
	Report   *bool    `json:"report,omitempty"`
	Ref      string   `json:"ref,omitempty"`
}

func send(ctx context.Context, s system, args []string) error {
	f := newClientFlags("send", true)
	var in newMessage
	var ttl, wait span
	var sendAt moment
	f.Var((*list)(&in.Via), "via", "")
	f.StringVar(&in.Priority, "priority", "", "")
	f.Var(&ttl, "ttl", "")
	f.Var(&sendAt, "send-at", "")
	wantsReport := f.Bool("report", true, "")
	f.StringVar(&in.Ref, "ref", "", "")
	f.Var(&wait, "wait", "")
	pos, err := f.parse(args, 2, 2)
	if err != nil {
		return err
	}
	in.To, in.TTL = pos[0], ttl.wire()
	if in.Text, err = argument(s, pos[1]); err != nil {
		return err
	}
	if !sendAt.IsZero() {
		in.SendAt = sendAt.UTC().Format(time.RFC3339)
	}
	if f.given("report") {
		in.Report = wantsReport
	}
	c, err := connect(ctx, s, f.config)
	if err != nil {
		return err
	}
	defer c.close()
	var m messageJSON
	answer, err := c.do(ctx, call{method: http.MethodPost, path: "/v1/messages", body: in, once: true}, &m)
	if err != nil {
		return err
	}
	if !f.json || wait == 0 {
		showMessage(s, f.json, answer, m)
	}
	if wait == 0 {
		return nil
	}
	return followMessage(ctx, s, c, m, time.Duration(wait), f.json)
}

func showMessage(s system, asJSON bool, answer []byte, m messageJSON) {
	if asJSON {
		printJSON(s.out, answer)
		return
	}
	if m.State == "queued" && m.SendAt != nil {
		fmt.Fprintf(s.out, "%s queued until %s\n", m.ID, when(*m.SendAt))
		return
	}
	fmt.Fprintf(s.out, "%s %s\n", m.ID, m.State)
}

// settled says whether nothing more is to be waited for: the network has the
// message, or it has ended.
func (m messageJSON) settled() bool { return m.Final || m.State == "sent" }

// followMessage prints each change of state until the message is settled.
func followMessage(ctx context.Context, s system, c *client, m messageJSON, wait time.Duration, asJSON bool) error {
	var answer []byte
	last := m.State
	done, err := follow(ctx, c, "/v1/messages/"+m.ID, wait, func(body []byte) (int64, bool, error) {
		answer, m = body, messageJSON{}
		if err := decode(body, &m); err != nil {
			return 0, false, err
		}
		if m.State != last && !asJSON {
			fmt.Fprintf(s.out, "%s %s\n", m.ID, m.outcome())
		}
		last = m.State
		return m.Rev, m.settled(), nil
	})
	if asJSON && answer != nil {
		printJSON(s.out, answer)
	}
	more := "modemgate explain " + m.ID + " tells its story"
	switch {
	case err != nil:
		return err
	case !done:
		hints := []string{"it goes on by itself; " + more}
		if m.State == "queued" {
			if up, down := c.linesNow(ctx, m.Via); up == 0 {
				hints = append(down, hints...)
			}
		}
		return &failure{code: exitTimeout, text: fmt.Sprintf("%s is still %s after %v", m.ID, m.State, wait), hints: hints}
	case m.State == "sent" || m.State == "delivered":
		return nil
	case m.State == "unknown":
		return &failure{code: exitFailed, text: m.ID + " may be sent or not: " + errorWords(m.Error), hints: []string{"modemgate resolve " + m.ID + " sent|failed|resend settles it"}}
	}
	return &failure{code: exitFailed, text: m.ID + " was not sent: " + m.outcome(), hints: []string{more}}
}

// outcome is the state with what is known beside it.
func (m messageJSON) outcome() string {
	switch {
	case m.Error != "" && m.Error != m.State:
		return m.State + ": " + errorWords(m.Error)
	case m.Line != "" && m.State != "queued":
		return m.State + " (line " + m.Line + ")"
	}
	return m.State
}

// follow reads a thing again at each change until look says that it is done
// or wait is over; done tells which. look gets the body and gives its rev.
func follow(ctx context.Context, c *client, path string, wait time.Duration, look func(body []byte) (rev int64, done bool, err error)) (bool, error) {
	end := time.Now().Add(wait)
	query, poll := url.Values{}, time.Duration(0) // the state now, to begin with
	for {
		asked := time.Now()
		body, err := c.do(ctx, call{method: http.MethodGet, path: path, query: query, wait: poll}, nil)
		if err != nil && passing(err) && time.Until(end) > retryLeast {
			pause(ctx, retryLeast) // a daemon that restarts is no end
			continue
		}
		if err != nil {
			return false, err
		}
		rev, done, err := look(body)
		if err != nil || done {
			return done, err
		}
		if poll > 0 {
			pause(ctx, leastPoll-time.Since(asked))
		}
		if poll = min(time.Until(end), longPoll).Truncate(time.Millisecond); poll <= 0 {
			return false, nil
		}
		query = url.Values{"after": {strconv.FormatInt(rev, 10)}, "wait": {wireDuration(poll)}}
	}
}
