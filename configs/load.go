package configs

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
)

const (
	// SystemFile is read when no other file is named and it exists.
	SystemFile = "/etc/modemgate/modemgate.yaml"

	envPrefix   = "MODEMGATE_"
	maxFileSize = 1 << 20 // octets; far beyond any real configuration
)

// notKeys are the variables that are no configuration keys: which file, and
// where the client commands find a daemon.
var notKeys = []string{"MODEMGATE_CONFIG", "MODEMGATE_URL", "MODEMGATE_KEY"}

// File says which file [Load] reads: path, else $MODEMGATE_CONFIG, else
// [SystemFile] if there is one, else "", which stands for the defaults. env
// has the form of [os.Environ].
func File(path string, env []string) string { return file(path, env, SystemFile) }

func file(path string, env []string, system string) string {
	if path != "" {
		return path
	}
	if p := lookup(env, "MODEMGATE_CONFIG"); p != "" {
		return p
	}
	if _, err := os.Stat(system); errors.Is(err, fs.ErrNotExist) {
		return ""
	}
	return system
}

// Load makes the configuration from the file that [File] names, the
// environment env in the form of [os.Environ], and flags, a map from dotted
// path to value such as "api.listen": "127.0.0.1:0".
//
// The strings are warnings, each beginning with the file and line, the path
// or the variable it is about. The error joins all faults, each a [*Fault]; the
// Config beside it is then not to be used. A file that cannot be read is an error that names it.
func Load(path string, env []string, flags map[string]string) (Config, []string, error) {
	name := File(path, env)
	if name == "" {
		c := Default()
		if os.Geteuid() != 0 {
			c.DataDir = userDataDir(env, c.DataDir)
		}
		return load(c, "", nil, env, flags)
	}
	data, err := readFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return Default(), nil, &missingFile{name: name, by: chosenBy(path, env), err: err}
	}
	if err != nil {
		return Default(), nil, err
	}
	return load(Default(), name, data, env, flags)
}

// missingFile says that the file that was asked for is not there.
type missingFile struct {
	name, by string
	err      error
}

func (e *missingFile) Error() string {
	return fmt.Sprintf("%s, named by %s, is not there: modemgate config > %s makes one", e.name, e.by, e.name)
}

func (e *missingFile) Unwrap() error { return e.err }

// chosenBy says what has named the file that [Load] reads.
func chosenBy(path string, env []string) string {
	switch {
	case path != "":
		return "--config"
	case lookup(env, "MODEMGATE_CONFIG") != "":
		return "MODEMGATE_CONFIG"
	}
	return "default"
}

// load lays data, which is what the file called name holds, environment and
// flags over c and checks the whole.
func load(c Config, name string, data []byte, env []string, flags map[string]string) (Config, []string, error) {
	lines, all := decodeYAML(data, &c)
	where := map[string]place{}
	for p, n := range lines {
		where[p] = place{file: name, line: n}
	}
	for _, f := range all {
		f.Where = place{file: name, line: f.line}.String()
	}
	warnings := overrideEnv(&c, env, where, &all)
	overrideFlags(&c, flags, where, &all)
	broken := slices.Clone(all)
	found := slices.DeleteFunc(c.check(), func(f *Fault) bool { return broken.covers(f.Path) })
	found.place(where)
	if err := append(all, found...).join(); err != nil {
		return c, warnings, err
	}
	doubts := c.warnings()
	doubts.place(where)
	doubts.sort()
	for _, f := range doubts {
		warnings = append(warnings, f.Error())
	}
	return c, warnings, nil
}

// overrideEnv applies the environment and returns a warning for every
// MODEMGATE_ variable that means nothing. Values are never shown.
func overrideEnv(c *Config, env []string, where map[string]place, all *faults) []string {
	byName := map[string]key{}
	for _, k := range scalars() {
		byName[envName(k.path)] = k
	}
	var warnings []string
	vars := map[string]string{} // the last of a name counts
	for _, e := range env {
		name, value, _ := strings.Cut(e, "=")
		vars[name] = value
	}
	for _, name := range slices.Sorted(maps.Keys(vars)) {
		if !strings.HasPrefix(name, envPrefix) || slices.Contains(notKeys, name) {
			continue
		}
		k, ok := byName[name]
		if !ok {
			warnings = append(warnings, unknownVariable(name, byName))
			continue
		}
		where[k.path] = place{by: name}
		override(c, k, vars[name], name, all)
	}
	return warnings
}

func unknownVariable(name string, byName map[string]key) string {
	text := printable(name) + ": is no configuration key and does nothing"
	if near := nearest(name, slices.Sorted(maps.Keys(byName))); near != "" {
		text += "; did you mean " + near + "?"
	}
	return text
}

// overrideFlags applies the flags; a path that no single value has is a fault.
func overrideFlags(c *Config, flags map[string]string, where map[string]place, all *faults) {
	byPath := map[string]key{}
	for _, k := range scalars() {
		byPath[k.path] = k
	}
	for _, path := range slices.Sorted(maps.Keys(flags)) {
		k, ok := byPath[path]
		if !ok {
			f := &Fault{Path: printable(path), Where: "flag", Text: "no such key that takes one value"}
			if near := nearest(path, slices.Sorted(maps.Keys(byPath))); near != "" {
				f.Text += "; did you mean " + near + "?"
			}
			*all = append(*all, f)
			continue
		}
		where[path] = place{by: "flag"}
		override(c, k, flags[path], "flag", all)
	}
}

// override sets one key. A fault of the file at the same key is void: what is
// overridden does not count.
func override(c *Config, k key, value, place string, all *faults) {
	*all = slices.DeleteFunc(*all, func(f *Fault) bool { return f.Path == k.path })
	if err := setScalar(reflect.ValueOf(c).Elem().FieldByIndex(k.index), value); err != nil {
		*all = append(*all, &Fault{Path: k.path, Where: place, Text: err.Error()})
	}
}

func readFile(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFileSize+1))
	if err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	if len(data) > maxFileSize {
		return nil, fmt.Errorf("configuration: %s is larger than %v; name a YAML file", name, Size(maxFileSize))
	}
	return data, nil
}

// userDataDir is where a daemon that is not root keeps its state (XDG Base
// Directory Specification 0.8): $XDG_STATE_HOME/modemgate, else
// ~/.local/state/modemgate, else fallback when there is no home. Relative
// values count as not set, as the specification wants.
func userDataDir(env []string, fallback string) string {
	if dir := lookup(env, "XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "modemgate")
	}
	if home := lookup(env, "HOME"); filepath.IsAbs(home) {
		return filepath.Join(home, ".local", "state", "modemgate")
	}
	return fallback
}

// lookup finds a variable in env; the last one counts.
func lookup(env []string, name string) string {
	for _, e := range slices.Backward(env) {
		if n, v, _ := strings.Cut(e, "="); n == name {
			return v
		}
	}
	return ""
}
