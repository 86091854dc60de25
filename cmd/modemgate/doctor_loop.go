package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// loopPatience is how long an SMS of a line to itself may take, and how much of
// it the network may take to accept it.
const (
	loopPatience = 3 * time.Minute
	loopSend     = 90 * time.Second
)

// tryLoop lets a line text its own number and tells how the SMS came: whether
// it came, how long it took, and whether the modem announced it.
func (x *examination) tryLoop(ctx context.Context, lines []lineJSON) {
	i := slices.IndexFunc(lines, func(l lineJSON) bool { return l.Name == x.loop })
	switch {
	case i < 0:
		x.add("loop", x.loop, levelFail, "there is no such line", "modemgate status lists them")
		return
	case lines[i].State != "up":
		x.add("loop", x.loop, levelFail, "not tried: the line is "+lines[i].State, "")
		return
	case lines[i].Identity.Number == "":
		x.add("loop", x.loop, levelFail, "not tried: the SIM does not know its number", "set number of the line")
		return
	}
	ctx, cancel := context.WithTimeout(ctx, loopPatience)
	defer cancel()
	text, err := x.loopText(ctx, lines[i].Identity.Number)
	if err != nil {
		x.add("loop", x.loop, levelFail, err.Error(), "modemgate trace "+x.loop+" shows what was said to the modem")
		return
	}
	x.ok("loop", x.loop, "%s", text)
}

// loopText sends the SMS and waits for it.
func (x *examination) loopText(ctx context.Context, number string) (how string, err error) {
	var at struct{ Cursor string }
	if _, err := x.daemon.do(ctx, call{method: http.MethodGet, path: "/v1/inbound/cursor"}, &at); err != nil {
		return "", err
	}
	seen, err := x.traceAfter(ctx, "0")
	if err != nil {
		return "", err
	}
	word, began := rand.Text(), time.Now()
	var m messageJSON
	if _, err := x.daemon.do(ctx, call{method: http.MethodPost, path: "/v1/messages", once: true, body: map[string]any{
		"to": number, "text": "modemgate doctor " + word, "via": x.loop, "ttl": wireDuration(loopPatience), "report": false, "ref": "doctor-loop",
	}}, &m); err != nil {
		return "", err
	}
	if err := x.awaitSent(ctx, &m, began); err != nil {
		return "", err
	}
	sent := time.Now()
	if err := x.awaitInbound(ctx, at.Cursor, word); ctx.Err() != nil {
		return "", fmt.Errorf("the network took the SMS of the line to itself after %s, and it did not come back within %s", sent.Sub(began).Round(time.Second/10), loopPatience)
	} else if err != nil {
		return "", err
	}
	how = fmt.Sprintf("the line texted itself: taken by the network after %s, back after %s more", sent.Sub(began).Round(time.Second/10), time.Since(sent).Round(time.Second/10))
	said, err := x.traceAfter(ctx, seen.NextCursor)
	if err != nil {
		return "", err
	}
	for _, item := range said.Items {
		for _, head := range []string{"+CMTI", "+CMT"} { // which SMS it was about, the modem does not say
			if strings.Contains(string(item), head+":") {
				return how + "; a " + head + " was seen meanwhile", nil
			}
		}
	}
	return how + ", found by listing the memory: the modem did not announce it", nil
}

// awaitSent waits until the network has the SMS. One that it does not get in
// time, or that nobody waits for any more, is taken back, for it costs.
func (x *examination) awaitSent(ctx context.Context, m *messageJSON, began time.Time) (err error) {
	for until := began.Add(cmp.Or(x.loopSend, loopSend)); err == nil && !m.Final && time.Now().Before(until); {
		_, err = x.daemon.do(ctx, call{
			method: http.MethodGet, path: "/v1/messages/" + m.ID, query: url.Values{"wait": {"20s"}, "after": {fmt.Sprint(m.Rev)}}, wait: 20 * time.Second,
		}, m)
	}
	if err == nil && m.State == "sent" {
		return nil
	}
	after := fmt.Sprintf("%s after %s", m.State, time.Since(began).Round(time.Second))
	if !m.Final {
		after += x.takeBack(ctx, m.ID)
	}
	if err != nil {
		return fmt.Errorf("the message %s was %s: %w", m.ID, after, err)
	}
	return fmt.Errorf("the line could not text itself: the message was %s; modemgate explain %s says why", after, m.ID)
}

// takeBack cancels the message, also when ctx has ended, and says what came of
// that.
func (x *examination) takeBack(ctx context.Context, id string) string {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), defaultPatience)
	defer cancel()
	if _, err := x.daemon.do(ctx, call{method: http.MethodPost, path: "/v1/messages/" + id + "/cancel"}, nil); err != nil {
		return " and cannot be taken back (" + err.Error() + ")"
	}
	return " and is taken back"
}

// awaitInbound waits for an SMS with the word behind a cursor of the feed.
func (x *examination) awaitInbound(ctx context.Context, cursor, word string) error {
	for {
		var page struct {
			Items      []inboundJSON
			NextCursor string `json:"next_cursor"`
		}
		if _, err := x.daemon.do(ctx, call{
			method: http.MethodGet, path: "/v1/inbound", query: url.Values{"line": {x.loop}, "order": {"asc"}, "after": {cursor}, "wait": {"20s"}}, wait: 20 * time.Second,
		}, &page); err != nil {
			return err
		}
		for _, in := range page.Items {
			if strings.Contains(in.Text, word) {
				return nil
			}
		}
		if page.NextCursor != "" {
			cursor = page.NextCursor
		}
	}
}

// traceAfter is what was said with the modem behind a cursor.
func (x *examination) traceAfter(ctx context.Context, cursor string) (p tracePage, err error) {
	_, err = x.daemon.do(ctx, call{method: http.MethodGet, path: "/v1/lines/" + url.PathEscape(x.loop) + "/trace", query: url.Values{"after": {cursor}}}, &p)
	return p, err
}
