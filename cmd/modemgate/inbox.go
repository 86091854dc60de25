package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"
)

var inboxCommand = command{
	name: "inbox", args: "[--follow] [--line L] [--from NUMBER] [--since T] [--limit N] [--json] [--config FILE]", summary: "show received SMS, oldest first",
	help: `  modemgate inbox
  modemgate inbox --follow
  modemgate inbox --since 24h --from +447700900123
  modemgate inbox --follow --json | jq -r .text

  --limit N     the newest N, 20 if nothing is said; with --since the first N
  --since T     2026-05-01T09:30:00Z, or how long ago: 24h; all since then
  --follow      then wait for new ones, and miss none even when the daemon
                restarts; ends with Ctrl-C
  --json        one JSON object of the API per line
  --config FILE the configuration of the daemon`,
	run: func(ctx context.Context, s system, args []string) int { return report(s, inbox(ctx, s, args)) },
}

// Sizes of pages of received SMS.
const (
	inboxShown = 20
	inboxPage  = 200 // the most the API gives
)

// reader prints received SMS.
type reader struct {
	s      system
	c      *client
	json   bool
	filter url.Values
	shown  map[string]bool // ids already printed before the feed began
}

func inbox(ctx context.Context, s system, args []string) error {
	f := newClientFlags("inbox", true)
	forever := f.Bool("follow", false, "")
	line := f.String("line", "", "")
	from := f.String("from", "", "")
	var since past
	f.Var(&since, "since", "")
	limit := f.Int("limit", 0, "")
	if _, err := f.parse(args, 0, 0); err != nil {
		return err
	}
	if *limit < 0 || f.given("limit") && *limit == 0 {
		return usageError("inbox", "--limit must be 1 or more")
	}
	c, err := connect(ctx, s, f.config)
	if err != nil {
		return err
	}
	defer c.close()
	r := &reader{s: s, c: c, json: f.json, filter: url.Values{}, shown: map[string]bool{}}
	for name, v := range map[string]string{"line": *line, "from": *from} {
		if v != "" {
			r.filter.Set(name, v)
		}
	}
	if !since.IsZero() {
		r.filter.Set("since", since.UTC().Format(time.RFC3339))
		cursor, err := r.all(ctx, *limit)
		if err != nil || !*forever {
			return err
		}
		return r.follow(ctx, cursor)
	}
	var now struct {
		Cursor string `json:"cursor"`
	}
	if *forever { // taken first: what comes while the newest are read is in both, and printed once
		if _, err := c.do(ctx, call{method: http.MethodGet, path: "/v1/inbound/cursor"}, &now); err != nil {
			return err
		}
	}
	if err := r.newest(ctx, *limit); err != nil || !*forever {
		return err
	}
	return r.follow(ctx, now.Cursor)
}

type inboundPage struct {
	Items      []json.RawMessage `json:"items"`
	NextCursor string            `json:"next_cursor"`
}

func (r *reader) page(ctx context.Context, wait time.Duration, more url.Values) (inboundPage, error) {
	q := url.Values{}
	for _, values := range []url.Values{r.filter, more} {
		for name := range values {
			q.Set(name, values.Get(name))
		}
	}
	if wait > 0 {
		q.Set("wait", wireDuration(wait))
	}
	var p inboundPage
	_, err := r.c.do(ctx, call{method: http.MethodGet, path: "/v1/inbound", query: q, wait: wait}, &p)
	return p, err
}

// newest prints the newest SMS, the oldest of them first.
func (r *reader) newest(ctx context.Context, limit int) error {
	if limit == 0 {
		limit = inboxShown
	}
	var items []json.RawMessage
	cursor := ""
	for {
		more := url.Values{"limit": {strconv.Itoa(min(limit-len(items), inboxPage))}}
		if cursor != "" {
			more.Set("cursor", cursor)
		}
		p, err := r.page(ctx, 0, more)
		if err != nil {
			return err
		}
		items = append(items, p.Items...)
		if cursor = p.NextCursor; cursor == "" || len(items) >= limit {
			break
		}
	}
	slices.Reverse(items)
	if len(items) == 0 && !r.json {
		fmt.Fprintln(r.s.err, r.none(ctx))
	}
	for _, item := range items {
		if err := r.print(item, true); err != nil {
			return err
		}
	}
	return nil
}

// none says that there is nothing to show, and when it can be why.
func (r *reader) none(ctx context.Context) string {
	if len(r.filter) == 0 {
		return "nothing received yet"
	}
	return "nothing that was received matches" + r.c.notThere(ctx, r.filter.Get("line"))
}

// all prints the feed from its begin, at most limit SMS if that is not 0, and
// returns where it goes on.
func (r *reader) all(ctx context.Context, limit int) (cursor string, err error) {
	for left := limit; ; {
		size := inboxPage
		if limit > 0 {
			size = min(left, inboxPage)
		}
		p, err := r.page(ctx, 0, after(cursor, size))
		if err != nil {
			return cursor, err
		}
		for _, item := range p.Items {
			if err := r.print(item, false); err != nil {
				return cursor, err
			}
		}
		cursor = p.NextCursor
		if left -= len(p.Items); len(p.Items) < size || limit > 0 && left <= 0 {
			return cursor, nil
		}
	}
}

// after asks for the feed behind a cursor.
func after(cursor string, limit int) url.Values {
	q := url.Values{"order": {"asc"}, "limit": {strconv.Itoa(limit)}}
	if cursor != "" {
		q.Set("after", cursor)
	}
	return q
}

// Waits of the feed.
const (
	retryLeast = time.Second
	retryMost  = 5 * time.Second
)

// follow prints what comes behind the cursor until ctx ends. The cursor moves
// only over what is printed, so a daemon that restarts costs nothing.
func (r *reader) follow(ctx context.Context, cursor string) error {
	away := time.Duration(0)
	for {
		wait, asked := longPoll, time.Now()
		if away > 0 {
			wait = 0
		}
		p, err := r.page(ctx, wait, after(cursor, inboxPage))
		if ctx.Err() != nil {
			return nil // Ctrl-C is how it ends
		}
		if err != nil {
			if !passing(err) {
				return err
			}
			if away == 0 {
				fmt.Fprintf(r.s.err, "modemgate: %s\n  waiting for it; nothing is missed\n", clean(err.Error()))
			}
			away = min(max(2*away, retryLeast), retryMost)
			pause(ctx, away)
			continue
		}
		if away > 0 {
			fmt.Fprintln(r.s.err, "modemgate: the daemon is back")
			away = 0
		}
		for _, item := range p.Items {
			if err := r.print(item, false); err != nil {
				return err
			}
		}
		if p.NextCursor != "" {
			cursor = p.NextCursor
		}
		if len(p.Items) == 0 && wait > 0 {
			pause(ctx, leastPoll-time.Since(asked))
		}
	}
}

// passing says whether an error ends by itself: the daemon is away, starts or
// is busy.
func passing(err error) bool {
	var refused *refusal
	if errors.As(err, &refused) {
		return refused.status >= 500 || refused.status == http.StatusTooManyRequests
	}
	var f *failure
	return errors.As(err, &f) && (f.code == exitUnreachable || f.code == exitTimeout)
}

// print prints one SMS, and notes it when the feed may bring it again.
func (r *reader) print(item json.RawMessage, note bool) error {
	var in inboundJSON
	if err := decode(item, &in); err != nil {
		return err
	}
	if r.shown[in.ID] {
		delete(r.shown, in.ID)
		return nil
	}
	if note {
		r.shown[in.ID] = true
	}
	if r.json {
		printJSON(r.s.out, item)
		return nil
	}
	fmt.Fprintf(r.s.out, "%s  %s  %s  from %s%s\n", when(in.ReceivedAt), in.ID, in.Line, sender(in), remarks(in))
	indented(r.s.out, in.Text)
	return nil
}

// sender is who an SMS is from.
func sender(in inboundJSON) string {
	if in.From == "" {
		return "nobody named"
	}
	return oneLine(in.From)
}

// remarks is what is out of the ordinary about an SMS.
func remarks(in inboundJSON) string {
	switch {
	case in.Incomplete:
		return "  (parts are missing so far)"
	case in.Amends != "":
		return "  (completes " + in.Amends + ")"
	}
	return ""
}
