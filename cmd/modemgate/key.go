package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"text/tabwriter"
)

var keyCommand = command{
	name: "key", args: "new NAME --scopes a,b | list | revoke NAME [--config FILE]", summary: "make, list and revoke API keys",
	help: `  modemgate key new shop --scopes otp,send --to +44 --per-day 500
  modemgate key new monitor --scopes inbound,status --expires 90d
  modemgate key list
  modemgate key revoke shop

  --scopes a,b       otp, send, messages, inbound, inbound:LINE, status, admin
  --to +44,+49       only these prefixes
  --per-minute N     messages and one-time passwords, below limits.per_key
  --per-day N
  --expires D        such as 90d; never if nothing is said
  --from new|all     its NATS consumers begin with what comes, or with what is kept
  --inherit          take over a revoked name with all that it made
  --json             print the answer of the API
  --config FILE      the configuration of the daemon

The secret is printed once and kept nowhere. A LINE need not be there yet: you
are told when it is not. It works with and without a running daemon; a revoked
key is refused within 2 s.`,
	run: func(ctx context.Context, s system, args []string) int {
		switch word(args) {
		case "new":
			return report(s, newKey(ctx, s, args[1:]))
		case "list":
			return report(s, listKeys(ctx, s, args[1:]))
		case "revoke":
			return report(s, revokeKey(ctx, s, args[1:]))
		}
		return report(s, usageError("key", "say new, list or revoke"))
	},
}

// keyRequest is the body of POST /v1/admin/keys.
type keyRequest struct {
	Name      string   `json:"name"`
	Scopes    []string `json:"scopes"`
	To        []string `json:"to,omitempty"`
	PerMinute int      `json:"per_minute,omitempty"`
	PerDay    int      `json:"per_day,omitempty"`
	Expires   string   `json:"expires,omitempty"`
	From      string   `json:"from,omitempty"`
	Inherit   bool     `json:"inherit,omitempty"`
}

func newKey(ctx context.Context, s system, args []string) error {
	f := newClientFlags("key new", true)
	var in keyRequest
	var expires term
	f.Var((*list)(&in.Scopes), "scopes", "")
	f.Var((*list)(&in.To), "to", "")
	f.IntVar(&in.PerMinute, "per-minute", 0, "")
	f.IntVar(&in.PerDay, "per-day", 0, "")
	f.Var(&expires, "expires", "")
	f.StringVar(&in.From, "from", "", "")
	f.BoolVar(&in.Inherit, "inherit", false, "")
	pos, err := f.parse(args, 1, 1)
	switch {
	case err != nil:
		return err
	case len(in.Scopes) == 0:
		return usageError("key new", "--scopes is missing: otp, send, messages, inbound, inbound:LINE, status or admin, joined by commas")
	case f.given("per-minute") && in.PerMinute < 1, f.given("per-day") && in.PerDay < 1:
		return usageError("key new", "--per-minute and --per-day must be 1 or more")
	case in.From != "" && in.From != "new" && in.From != "all":
		return usageError("key new", "--from must be new or all")
	}
	in.Name, in.Expires = pos[0], expires.wire()
	c, err := connectHere(ctx, s, f.config, onFreshData)
	if err != nil {
		return err
	}
	var k keyJSON
	answer, err := c.do(ctx, call{method: http.MethodPost, path: "/v1/admin/keys", body: in}, &k)
	if err == nil {
		warnOfLines(ctx, s, c, k.Scopes)
		if f.json {
			printJSON(s.out, answer)
		} else {
			showSecret(s.out, c, k)
		}
	}
	return firstError(err, c.close())
}

// warnOfLines tells which lines of the scopes are not there. They may be
// configured or adopted later, so the key is made all the same.
func warnOfLines(ctx context.Context, s system, c *client, scopes []string) {
	var missing []string
	for _, scope := range scopes {
		if line, ok := strings.CutPrefix(scope, "inbound:"); ok {
			missing = append(missing, line)
		}
	}
	if len(missing) == 0 {
		return
	}
	var page struct{ Items []lineJSON }
	if _, err := c.do(ctx, call{method: http.MethodGet, path: "/v1/lines"}, &page); err != nil {
		return // the key is made: that is what counts
	}
	there := c.cfg.Modems.Names() // those of a daemon that does not run
	for _, l := range page.Items {
		there = append(there, l.Name)
	}
	slices.Sort(there)
	there = slices.Compact(there)
	for _, line := range missing {
		if !slices.Contains(there, line) {
			fmt.Fprintf(s.err, "modemgate: warning: there is no line %s now, but %s: with inbound:%s the key reads nothing before there is one\n",
				line, orNone(strings.Join(there, ", ")), line)
		}
	}
}

// firstError is a, or b when a is nil.
func firstError(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

func listKeys(ctx context.Context, s system, args []string) error {
	f := newClientFlags("key list", true)
	if _, err := f.parse(args, 0, 0); err != nil {
		return err
	}
	c, err := connectHere(ctx, s, f.config, onData)
	if err != nil {
		return err
	}
	defer c.close()
	var page struct {
		Items []keyJSON `json:"items"`
	}
	answer, err := c.do(ctx, call{method: http.MethodGet, path: "/v1/admin/keys"}, &page)
	if err != nil {
		return err
	}
	switch {
	case f.json:
		printJSON(s.out, answer)
	case len(page.Items) == 0:
		fmt.Fprintln(s.out, "there are no keys: modemgate key new NAME --scopes … makes one")
	default:
		showKeys(s.out, page.Items)
	}
	return nil
}

func showKeys(w io.Writer, keys []keyJSON) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "NAME\tSTATE\tSCOPES\tTO\tLIMITS\tMADE\tEXPIRES")
	for _, k := range keys {
		state := "live"
		switch {
		case k.RevokedAt != nil:
			state = "revoked " + when(*k.RevokedAt)
		case k.RevivedAt != nil:
			state = "live, restored " + when(*k.RevivedAt)
		}
		to := strings.Join(k.To, ",")
		if to == "" {
			to = "all"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", k.Name, state, strings.Join(k.Scopes, ","), to, k.limits(), when(k.CreatedAt), maybe(k.ExpiresAt, "never"))
	}
	_ = t.Flush()
}

func (k keyJSON) limits() string {
	var all []string
	if k.PerMinute > 0 {
		all = append(all, fmt.Sprintf("%d a minute", k.PerMinute))
	}
	if k.PerDay > 0 {
		all = append(all, fmt.Sprintf("%d a day", k.PerDay))
	}
	if len(all) == 0 {
		return "configured"
	}
	return strings.Join(all, ", ")
}

func revokeKey(ctx context.Context, s system, args []string) error {
	f := newClientFlags("key revoke", false)
	pos, err := f.parse(args, 1, 1)
	if err != nil {
		return err
	}
	c, err := connectHere(ctx, s, f.config, onData)
	if err != nil {
		return err
	}
	_, err = c.do(ctx, call{method: http.MethodDelete, path: "/v1/admin/keys/" + url.PathEscape(pos[0])}, nil)
	if err == nil {
		fmt.Fprintf(s.out, "%s is revoked: its requests are refused and its NATS connections ended\n", pos[0])
	}
	return firstError(err, c.close())
}
