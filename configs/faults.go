package configs

import (
	"cmp"
	"errors"
	"slices"
	"strconv"
	"strings"
)

// Fault is one thing that is wrong with a configuration.
type Fault struct {
	Path  string // dotted, such as modems.list[0].port; "" when the file cannot be parsed
	Where string // /etc/modemgate/modemgate.yaml:12, MODEMGATE_OTP_TTL, flag; "" when it is a default
	Text  string // the rule and the next step

	line  int    // in the file, 0 elsewhere
	meant string // path that a misspelt key seems to mean
}

// Error is the path, the place and the rule, in that order; a place in the
// file comes first, as compilers write it, so that editors find it.
func (f *Fault) Error() string {
	words := [...]string{f.Path, f.Where, f.Text}
	if f.line > 0 {
		words[0], words[1] = f.Where, f.Path
	}
	parts := make([]string, 0, len(words))
	for _, s := range words {
		if s != "" {
			parts = append(parts, s)
		}
	}
	return strings.Join(parts, ": ")
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

// place says of each fault where its key was set.
func (fs faults) place(where map[string]place) {
	for _, f := range fs {
		at := placeOf(f.Path, where)
		f.Where, f.line = at.String(), at.line
	}
}

// join makes the faults, in order, one error; nil when there are none.
func (fs faults) join() error {
	fs.sort()
	errs := make([]error, len(fs))
	for i, f := range fs {
		errs[i] = f
	}
	return errors.Join(errs...)
}

// sort puts the faults as the file has them, others behind.
func (fs faults) sort() {
	slices.SortStableFunc(fs, func(a, b *Fault) int {
		if (a.line == 0) != (b.line == 0) {
			return cmp.Compare(b.line, a.line)
		}
		return cmp.Compare(a.line, b.line)
	})
}

// place is where a key was set.
type place struct {
	file string // "" where the configuration comes from no file
	line int    // 0 where it was not set in the file
	by   string // variable or flag that set it instead
}

func (p place) String() string {
	switch {
	case p.line > 0 && p.file != "":
		return p.file + ":" + strconv.Itoa(p.line)
	case p.line > 0:
		return "line " + strconv.Itoa(p.line)
	}
	return p.by
}

// placeOf says where path was set: it, or the nearest thing that contains it.
func placeOf(path string, where map[string]place) place {
	for path != "" {
		if p, ok := where[path]; ok {
			return p
		}
		i := strings.LastIndexAny(path, ".[")
		path = path[:max(i, 0)]
	}
	return place{}
}
