package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/modemgate/modemgate/configs"
)

// span is a duration flag: as in the configuration, days included (90d).
type span time.Duration

func (d *span) String() string { return configs.Duration(*d).String() }

func (d *span) Set(s string) error {
	v, err := configs.ParseDuration(s)
	if err == nil && v <= 0 {
		err = errors.New("must be above 0")
	}
	if err != nil {
		return err
	}
	*d = span(v)
	return nil
}

// term is a duration flag of days or hours, such as the life of a key.
type term struct{ span }

func (d *term) Set(s string) error {
	if s != "" && strings.Trim(s, "0123456789") == "" {
		return fmt.Errorf("it has no unit: write %.12[1]sd or %.12[1]sh", s)
	}
	return d.span.Set(s)
}

// wire is the duration as the API reads it; "" for none.
func (d span) wire() string {
	if d == 0 {
		return ""
	}
	return wireDuration(time.Duration(d))
}

// wireDuration writes a duration as the API reads it, which takes no
// fractions.
func wireDuration(d time.Duration) string {
	if d%time.Second == 0 {
		return fmt.Sprintf("%ds", d/time.Second)
	}
	return fmt.Sprintf("%dms", d.Milliseconds())
}

// list is a flag of names joined by commas; it may be given more than once.
type list []string

func (l *list) String() string { return strings.Join(*l, ",") }

func (l *list) Set(s string) error {
	for item := range strings.SplitSeq(s, ",") {
		item = strings.TrimSpace(item)
		if item == "" {
			return errors.New("has an empty item")
		}
		*l = append(*l, item)
	}
	return nil
}

// moment is a flag with a time: RFC 3339, also with a space as we print it, or
// how long from now (2h).
type moment struct{ time.Time }

func (m *moment) String() string { return m.Format(time.RFC3339) }

func (m *moment) Set(s string) error {
	if d, err := configs.ParseDuration(s); err == nil {
		m.Time = time.Now().Add(d.Std())
		return nil
	}
	return m.parse(s)
}

func (m *moment) parse(s string) (err error) {
	if len(s) > len(time.DateOnly) && s[len(time.DateOnly)] == ' ' {
		s = s[:len(time.DateOnly)] + "T" + s[len(time.DateOnly)+1:]
	}
	if m.Time, err = time.Parse(time.RFC3339, s); err != nil {
		return errors.New("must be a time with its zone, such as 2026-05-01T09:30:00Z or 2026-05-01T11:30:00+02:00, or a duration such as 2h")
	}
	return nil
}

// past is a moment that a duration counts back to: 2h is two hours ago.
type past struct{ moment }

func (p *past) Set(s string) error {
	if d, err := configs.ParseDuration(s); err == nil {
		p.Time = time.Now().Add(-d.Std())
		return nil
	}
	return p.parse(s)
}

// clientFlags are the flags of one client command.
type clientFlags struct {
	*flag.FlagSet
	config string
	json   bool
}

// newClientFlags makes the flags all client commands have; those whose answer
// is a JSON body of the API have --json too.
func newClientFlags(name string, asJSON bool) *clientFlags {
	f := &clientFlags{FlagSet: newFlags(name)}
	f.StringVar(&f.config, "config", "", "")
	if asJSON {
		f.BoolVar(&f.json, "json", false, "")
	}
	return f
}

// given says whether the flag stood on the command line.
func (f *clientFlags) given(name string) (is bool) {
	f.Visit(func(g *flag.Flag) { is = is || g.Name == name })
	return is
}

// parse reads flags before, between and after the positional arguments and
// wants between least and most of these. All after "--" is positional.
func (f *clientFlags) parse(args []string, least, most int) ([]string, error) {
	pos, err := positionals(f.FlagSet, args)
	if err != nil {
		return nil, usageError(f.Name(), f.flagText(err))
	}
	switch {
	case len(pos) < least:
		return nil, usageError(f.Name(), "an argument is missing")
	case len(pos) > most && most == 0:
		return nil, usageError(f.Name(), fmt.Sprintf("%q is one argument too many: it takes flags only", pos[0]))
	case len(pos) > most:
		return nil, usageError(f.Name(), fmt.Sprintf("%d arguments are too many: put a text of several words in quotes", len(pos)))
	}
	return pos, nil
}

// positionals goes through args; flag.Parse stops at each positional.
func positionals(f *flag.FlagSet, args []string) ([]string, error) {
	var pos []string
	for len(args) > 0 {
		if err := f.Parse(args); err != nil {
			return nil, err
		}
		rest := f.Args()
		if read := len(args) - len(rest); read > 0 && args[read-1] == "--" {
			return append(pos, rest...), nil
		}
		if len(rest) == 0 {
			break
		}
		pos, args = append(pos, rest[0]), rest[1:]
	}
	return slices.Clip(pos), nil
}

var flagName = regexp.MustCompile(`(^| )-([a-zA-Z])`)

// flagText writes flags the way the help does, with two dashes. For one that
// is not there it names those that are, and, where a text may begin with a
// dash, how it is told from a flag.
func (f *clientFlags) flagText(err error) string {
	text := flagName.ReplaceAllString(err.Error(), "$1--$2")
	unknown, is := strings.CutPrefix(text, "flag provided but not defined: ")
	if !is {
		return text
	}
	var all []string
	f.VisitAll(func(g *flag.Flag) { all = append(all, "--"+g.Name) })
	text = fmt.Sprintf("there is no flag %s; there are %s", unknown, strings.Join(all, ", "))
	if f.Name() == "send" {
		text += "; before a text that begins with - write --"
	}
	return text
}

func usageError(name, text string) error {
	command, _, _ := strings.Cut(name, " ")
	return &failure{code: exitUsage, usage: true, text: name + ": " + text, hints: []string{"modemgate " + command + " --help says more"}}
}

// maxInput is the most that is read from standard input for one argument.
const maxInput = 64 << 10 // octets

// argument is an argument of the command line; "-" stands for standard input
// without its last line end.
func argument(s system, arg string) (string, error) {
	if arg != "-" {
		return arg, nil
	}
	b, err := io.ReadAll(io.LimitReader(s.in, maxInput+1))
	if err != nil {
		return "", &failure{code: exitFailed, text: "standard input: " + err.Error()}
	}
	if len(b) > maxInput {
		return "", &failure{code: exitUsage, text: fmt.Sprintf("standard input: is longer than %d octets", maxInput)}
	}
	text := strings.TrimSuffix(string(b), "\n")
	return strings.TrimSuffix(text, "\r"), nil
}
