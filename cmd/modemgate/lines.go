package main

import (
	"context"
	"net/http"
	"slices"
	"strings"
)

// lines reads how the lines do; known is false where the daemon does not tell
// this client.
func (c *client) lines(ctx context.Context) (all []lineJSON, known bool) {
	var now statusJSON
	if _, err := c.do(ctx, call{method: http.MethodGet, path: "/v1/status"}, &now); err != nil {
		return nil, false
	}
	return now.Lines, true
}

// linesNow counts the lines that can send, and says of each other one in words
// what is wrong. via restricts it to the lines of these names; empty: all.
func (c *client) linesNow(ctx context.Context, via []string) (up int, down []string) {
	all, _ := c.lines(ctx)
	for _, l := range all {
		switch {
		case len(via) > 0 && !slices.Contains(via, l.Name):
		case l.State == "up":
			up++
		case l.Detail == "":
			down = append(down, oneLine("line "+l.Name+" is "+l.State))
		default:
			down = append(down, oneLine("line "+l.Name+" is "+l.State+": "+l.Detail))
		}
	}
	return up, down
}

// notThere says that no line has the name and which there are, to be put behind
// another sentence; "" where one has it or nothing is known.
func (c *client) notThere(ctx context.Context, name string) string {
	if name == "" {
		return ""
	}
	all, known := c.lines(ctx)
	var names []string
	for _, l := range all {
		if l.Name == name || slices.Contains(l.Labels, name) {
			return ""
		}
		names = append(names, l.Name)
	}
	if !known {
		return ""
	}
	return "; there is no line " + oneLine(name) + " now, but " + orNone(strings.Join(names, ", "))
}
