package configs

import (
	"cmp"
	"errors"
	"slices"
	"strings"
)

// Fault is one thing that is wrong with a configuration.
type Fault struct {
	Path  string // dotted, such as modems.list[0].port; "" when the file cannot be parsed
	Where string // line 12, MODEMGATE_OTP_TTL, flag; "" when it is a default
	Text  string // the rule and the next step

	line  int    // in the file, 0 elsewhere
	meant string // path that a misspelt key seems to mean
}

// Error is the path, the place and the rule, in that order.
func (f *Fault) Error() string {
	parts := make([]string, 0, 3)
	for _, s := range []string{f.Path, f.Where, f.Text} {
		if s != "" {
			parts = append(parts, s)
		}
	}
	return strings.Join(parts, ": ")
}

// Faults are the single faults inside err, in the order they were reported;
// nil when err is not about a configuration.
func Faults(err error) []*Fault {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var all []*Fault
		for _, e := range joined.Unwrap() {
			all = append(all, Faults(e)...)
		}
		return all
	}
	if f := (*Fault)(nil); errors.As(err, &f) {
		return []*Fault{f}
	}
	return nil
}

// faults collects what is wrong.
type faults []*Fault

func (fs *faults) add(path, text string) { *fs = append(*fs, &Fault{Path: path, Text: text}) }

// covers tells whether a fault is already known at path, at what contains it,
// or under it: a second one would only be its echo.
func (fs faults) covers(path string) bool {
	return slices.ContainsFunc(fs, func(f *Fault) bool {
		return under(path, f.Path) || under(f.Path, path) || f.meant == path
	})
}

// under tells whether path is parent or lies in it.
func under(path, parent string) bool {
	rest, ok := strings.CutPrefix(path, parent)
	return ok && (rest == "" || rest[0] == '.' || rest[0] == '[')
}

// join sorts the faults as the file has them, others behind, and makes one
// error; nil when there are none.
func (fs faults) join() error {
	slices.SortStableFunc(fs, func(a, b *Fault) int {
		if (a.line == 0) != (b.line == 0) {
			return cmp.Compare(b.line, a.line)
		}
		return cmp.Compare(a.line, b.line)
	})
	errs := make([]error, len(fs))
	for i, f := range fs {
		errs[i] = f
	}
	return errors.Join(errs...)
}
