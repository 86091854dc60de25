package api

import (
	"encoding/json"
	"fmt"
	"regexp"
	"time"
)

// stamp is a time on the wire: RFC 3339, UTC, milliseconds.
type stamp struct{ time.Time }

// stampLayout has the milliseconds always, so that stamps sort as text.
const stampLayout = "2006-01-02T15:04:05.000Z"

func (s stamp) MarshalJSON() ([]byte, error) {
	return []byte(s.UTC().Format(`"` + stampLayout + `"`)), nil
}

// stampOrNull is null for the zero time.
func stampOrNull(t time.Time) *stamp {
	if t.IsZero() {
		return nil
	}
	return &stamp{t}
}

// orNull is null for the zero value.
func orNull[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}

// raw is JSON as it came, null when there is none.
func raw(m json.RawMessage) *json.RawMessage {
	if len(m) == 0 {
		return nil
	}
	return &m
}

// list is never null.
func list[T any](v []T) []T {
	if v == nil {
		return []T{}
	}
	return v
}

// wrong is what is not right with a value of a request; below is the pointer
// from the member to the value in it.
type wrong struct{ below, detail string }

func (w *wrong) Error() string { return w.detail }

func wrongf(format string, args ...any) error { return &wrong{detail: fmt.Sprintf(format, args...)} }

// The types of request members. An empty or zero value would silently mean
// the default, so it is refused: leave the member out instead.
type (
	text     string        // any string
	word     string        // a string that is not empty
	duration time.Duration // "90s", "5m", "24h"
	moment   time.Time     // RFC 3339
	count    int           // a whole number, 1 or more
	yesNo    bool
	names    []string        // a name or a list of names
	words    []string        // a list of strings
	object   json.RawMessage // any JSON object
)

func (t *text) UnmarshalJSON(b []byte) error {
	var s *string
	if json.Unmarshal(b, &s) != nil || s == nil {
		return wrongf("must be a string")
	}
	*t = text(*s)
	return nil
}

func (w *word) UnmarshalJSON(b []byte) error {
	var t text
	if t.UnmarshalJSON(b) != nil || t == "" {
		return wrongf("must be a string that is not empty")
	}
	*w = word(t)
	return nil
}

func (d *duration) UnmarshalJSON(b []byte) error {
	var t text
	_ = t.UnmarshalJSON(b)
	v, ok := parseDuration(string(t))
	if !ok || v <= 0 {
		return wrongf("must be a duration above 0, as a string such as 90s, 5m or 24h")
	}
	*d = duration(v)
	return nil
}

// durationForm is the only form of durations: 90s, 1h30m, 250ms.
var durationForm = regexp.MustCompile(`^(\d+h)?(\d+m)?(\d+s)?(\d+ms)?$`)

func parseDuration(s string) (time.Duration, bool) {
	d, err := time.ParseDuration(s)
	return d, err == nil && durationForm.MatchString(s)
}

func (m *moment) UnmarshalJSON(b []byte) error {
	var t text
	_ = t.UnmarshalJSON(b)
	v, err := time.Parse(time.RFC3339, string(t))
	if err != nil || v.IsZero() {
		return wrongf("must be a time in RFC 3339, such as 2026-05-01T09:30:00Z")
	}
	*m = moment(v)
	return nil
}

func (n *count) UnmarshalJSON(b []byte) error {
	var v int
	if json.Unmarshal(b, &v) != nil || v < 1 {
		return wrongf("must be a whole number of 1 or more")
	}
	*n = count(v)
	return nil
}

func (f *yesNo) UnmarshalJSON(b []byte) error {
	var v *bool
	if json.Unmarshal(b, &v) != nil || v == nil {
		return wrongf("must be true or false")
	}
	*f = yesNo(*v)
	return nil
}

func (n *names) UnmarshalJSON(b []byte) error {
	var one word
	if len(b) > 0 && b[0] == '"' {
		if err := one.UnmarshalJSON(b); err != nil {
			return err
		}
		*n = names{string(one)}
		return nil
	}
	if err := (*words)(n).UnmarshalJSON(b); err != nil {
		if w, ok := err.(*wrong); ok && w.below == "" {
			return wrongf("must be a name or a list of names, not empty")
		}
		return err
	}
	return nil
}

func (n *words) UnmarshalJSON(b []byte) error {
	var items []json.RawMessage
	if json.Unmarshal(b, &items) != nil || len(items) == 0 {
		return wrongf("must be a list of strings, not empty")
	}
	out := make(words, len(items))
	for i, item := range items {
		var w word
		if err := w.UnmarshalJSON(item); err != nil {
			return &wrong{below: fmt.Sprintf("/%d", i), detail: err.Error()}
		}
		out[i] = string(w)
	}
	*n = out
	return nil
}

func (o *object) UnmarshalJSON(b []byte) error {
	if len(b) == 0 || b[0] != '{' {
		return wrongf("must be an object")
	}
	*o = append((*o)[:0], b...)
	return nil
}
