package api

import (
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/modemgate/modemgate/gateway"
)

// Page sizes of lists.
const (
	defaultLimit = 50
	maxLimit     = 200
)

// query reads the members of a query string. The first fault stays in err;
// the readers return zero values after it. An empty member counts as absent.
type query struct {
	values url.Values
	err    error
}

// parseQuery takes the query of a request that knows the named members.
func parseQuery(c echo.Context, known ...string) *query {
	q := &query{}
	q.values, q.err = url.ParseQuery(c.Request().URL.RawQuery)
	if q.err != nil {
		q.err = refuse(gateway.InvalidRequest, "the query cannot be read: escape it as RFC 3986 says")
		return q
	}
	for _, name := range slices.Sorted(maps.Keys(q.values)) {
		switch {
		case !slices.Contains(known, name) && len(known) == 0:
			q.fault(name, "this route takes no query members")
		case !slices.Contains(known, name):
			q.fault(name, "this query member is not known here: "+strings.Join(known, ", ")+" are")
		case len(q.values[name]) > 1:
			q.fault(name, "this query member is there twice")
		}
	}
	return q
}

func (q *query) fault(name, detail string) {
	if q.err == nil {
		q.err = invalid(name, "%s", detail)
	}
}

func (q *query) text(name string) string { return q.values.Get(name) }

// number reads a phone number; "+44…" arrives as " 44…" unless escaped.
func (q *query) number(name string) string { return plus(q.values.Get(name)) }

// plus gives back the + that a space before a digit was.
func plus(v string) string {
	if len(v) > 1 && v[0] == ' ' && v[1] >= '0' && v[1] <= '9' {
		return "+" + v[1:]
	}
	return v
}

// time reads RFC 3339; the + of an offset may have become a space.
func (q *query) time(name string) time.Time {
	v := q.values.Get(name)
	if v == "" || q.err != nil {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339, strings.Replace(v, " ", "+", 1))
	if err != nil || t.IsZero() {
		q.fault(name, name+" is a time in RFC 3339, such as 2026-05-01T09:30:00Z")
		return time.Time{}
	}
	return t
}

// wait reads how long to wait; more than the longest wait counts as that.
func (q *query) wait() time.Duration {
	v := q.values.Get("wait")
	if v == "" || q.err != nil {
		return 0
	}
	d, ok := parseDuration(v)
	if !ok {
		q.fault("wait", "wait is a duration such as 25s, at most 55s")
		return 0
	}
	return min(d, maxWait)
}

// change reads wait and after of a thing that has a rev.
func (q *query) change() gateway.Wait {
	w := gateway.Wait{For: q.wait(), After: -1}
	v := q.values.Get("after")
	if v == "" || q.err != nil {
		return w
	}
	rev, err := strconv.ParseInt(v, 10, 64)
	if err != nil || rev < 0 {
		q.fault("after", "after is the rev that you know, a whole number")
		return w
	}
	w.After = rev
	return w
}

func (q *query) limit() int {
	v := q.values.Get("limit")
	if v == "" || q.err != nil {
		return defaultLimit
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < 1 || n > maxLimit {
		q.fault("limit", "limit is a whole number from 1 to 200")
		return defaultLimit
	}
	return n
}

func (q *query) ascending() bool {
	switch q.values.Get("order") {
	case "", "desc":
		return false
	case "asc":
		return true
	}
	q.fault("order", "order is asc or desc")
	return false
}

// flag reads 1 or true, 0 or false.
func (q *query) flag(name string) bool {
	switch q.values.Get(name) {
	case "1", "true":
		return true
	case "", "0", "false":
		return false
	}
	q.fault(name, name+" is 1 or 0")
	return false
}

// param reads a path parameter, escaped or not.
func param(c echo.Context, name string) (string, error) {
	v := c.Param(name)
	if c.Request().URL.RawPath != "" { // then echo routed the escaped form
		u, err := url.PathUnescape(v)
		if err != nil {
			return "", refuse(gateway.InvalidRequest, "the path cannot be read: escape it as RFC 3986 says")
		}
		v = u
	}
	if strings.Contains(v, "/") {
		return "", refuse(gateway.NotFound, "there is no such route: see /openapi.yaml")
	}
	return v, nil
}

// numberParam reads a phone number of the path.
func numberParam(c echo.Context, name string) (string, error) {
	v, err := param(c, name)
	return plus(v), err
}
