package configs

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// decoder lays YAML nodes over a Config. It follows the types of Config, not
// the shape of the file, so it ends whatever aliases the file holds.
type decoder struct {
	faults faults
	lines  map[string]int // dotted path to the line it was set on
}

// decodeYAML lays the file over c. The map says on which line each path was
// set.
func decodeYAML(data []byte, c *Config) (map[string]int, faults) {
	d := &decoder{lines: map[string]int{}}
	if f := plainText(data); f != nil {
		return d.lines, faults{f}
	}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc, second yaml.Node
	if err := dec.Decode(&doc); err != nil {
		if errors.Is(err, io.EOF) {
			return d.lines, nil // nothing but comments
		}
		return d.lines, faults{syntaxFault(err, data)}
	}
	if len(doc.Content) > 0 {
		d.section(doc.Content[0], reflect.ValueOf(c).Elem(), "")
	}
	switch err := dec.Decode(&second); {
	case err == nil:
		d.fault("", &second, "a second document begins here; one file holds one configuration")
	case !errors.Is(err, io.EOF):
		d.faults = append(d.faults, syntaxFault(err, data))
	}
	return d.lines, d.faults
}

// plainText finds the first octet that cannot stand in a configuration, with
// its line, which the parser does not give.
func plainText(data []byte) *Fault {
	line := 1
	for rest := data; len(rest) > 0; {
		r, n := utf8.DecodeRune(rest)
		switch {
		case r == utf8.RuneError && n == 1:
			return lineFault(line, "not UTF-8 text; save the file as UTF-8")
		case r == '\n':
			line++
		case r < ' ' && r != '\t' && r != '\r', r == 0x7f:
			return lineFault(line, fmt.Sprintf("control character U+%04X; remove it", r))
		}
		rest = rest[n:]
	}
	return nil
}

var yamlLine = regexp.MustCompile(`^line ([0-9]+): `)

// syntaxFault is the parser's error as a fault that begins with its line.
func syntaxFault(err error, data []byte) *Fault {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	line := 1
	if m := yamlLine.FindStringSubmatch(text); m != nil {
		text = text[len(m[0]):]
		if n, err := strconv.Atoi(m[1]); err == nil && n > 1 {
			line = n
		}
	}
	if rows := strings.Split(string(data), "\n"); line <= len(rows) && strings.HasPrefix(strings.TrimLeft(rows[line-1], " "), "\t") {
		text += "; indent with spaces, not tabs"
	}
	return lineFault(line, "not valid YAML: "+text)
}

func lineFault(line int, text string) *Fault {
	return &Fault{Where: fmt.Sprintf("line %d", line), Text: text, line: line}
}

func (d *decoder) fault(path string, n *yaml.Node, text string) *Fault {
	f := lineFault(max(n.Line, 1), text)
	f.Path = path
	d.faults = append(d.faults, f)
	return f
}

// value lays n over v.
func (d *decoder) value(n *yaml.Node, v reflect.Value, path string) {
	d.lines[path] = n.Line
	if n.Kind == yaml.AliasNode && n.Alias != nil {
		n = n.Alias
	}
	switch {
	case isScalar(v.Type()):
		d.scalar(n, v, path)
	case v.Kind() == reflect.Slice:
		d.list(n, v, path)
	default:
		d.section(n, v, path)
	}
}

// section lays a mapping over a struct. An empty section keeps the defaults.
func (d *decoder) section(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind == yaml.AliasNode && n.Alias != nil {
		n = n.Alias
	}
	if isNull(n) {
		return
	}
	if n.Kind != yaml.MappingNode {
		d.fault(path, n, "is "+kind(n)+", but keys belong here: "+strings.Join(names(v.Type()), ", "))
		return
	}
	seen := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k := n.Content[i]
		at := dot(path, printable(k.Value))
		index, known := fieldNamed(v.Type(), k)
		switch first, again := seen[k.Value]; {
		case !known:
			d.unknown(k, v.Type(), path)
		case again:
			d.fault(at, k, fmt.Sprintf("is set twice, first on line %d; remove one", first))
		default:
			seen[k.Value] = k.Line
			d.value(n.Content[i+1], v.Field(index), at)
		}
	}
}

// unknown reports a key that does not exist, with the one it may mean.
func (d *decoder) unknown(k *yaml.Node, t reflect.Type, path string) {
	if k.Kind != yaml.ScalarNode {
		d.fault(path, k, "a key is "+kind(k)+"; keys are names")
		return
	}
	f := d.fault(dot(path, printable(k.Value)), k, "unknown key")
	if near := nearest(k.Value, names(t)); near != "" {
		f.meant = dot(path, near)
		f.Text += "; did you mean " + f.meant + "?"
		return
	}
	if there := sections(k.Value); len(there) > 0 {
		f.Text += "; it belongs under " + strings.Join(there, " or ")
		return
	}
	f.Text += "; known here: " + strings.Join(names(t), ", ")
}

// sections are those that have a key of this name.
func sections(name string) []string {
	var all []string
	walk(reflect.TypeFor[Config](), "", nil, func(k key) {
		if section, ok := strings.CutSuffix(k.path, "."+name); ok {
			all = append(all, section)
		}
	})
	return all
}

// list lays a sequence over a slice. [] and nothing are the same.
func (d *decoder) list(n *yaml.Node, v reflect.Value, path string) {
	if isNull(n) {
		v.SetZero()
		return
	}
	if n.Kind != yaml.SequenceNode {
		d.fault(path, n, "is "+kind(n)+", but a list belongs here")
		return
	}
	v.SetZero()
	for i, item := range n.Content {
		e := reflect.New(v.Type().Elem()).Elem()
		if l, ok := e.Addr().Interface().(*Line); ok {
			l.Limits = DefaultLineLimits()
		}
		at := fmt.Sprintf("%s[%d]", path, i)
		if isNull(item) {
			d.fault(at, item, "is empty; remove it")
		} else {
			d.value(item, e, at)
		}
		v.Set(reflect.Append(v, e)) // also when faulty: the indices of the others stay true
	}
}

// scalar lays one value over v.
func (d *decoder) scalar(n *yaml.Node, v reflect.Value, path string) {
	text := n.Kind == yaml.ScalarNode
	quoted := n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) != 0
	t := v.Type()
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	numeric := t.Kind() == reflect.Int || t.Kind() == reflect.Bool
	switch {
	case isNull(n):
		d.fault(path, n, `has no value; write "" for an empty text, or remove the key to keep the default`)
	case !text:
		d.fault(path, n, "is "+kind(n)+", but one value belongs here")
	case !plainTags[n.ShortTag()]:
		d.fault(path, n, "has the YAML tag "+quote(n.ShortTag())+"; remove it")
	case quoted && numeric:
		d.fault(path, n, "is a quoted text, but "+wants(t)+" belongs here; remove the quotes")
	default:
		if err := setScalar(v, n.Value); err != nil {
			d.fault(path, n, err.Error())
		}
	}
}

// plainTags are those that YAML gives by itself. Every other tag was written.
var plainTags = map[string]bool{
	"!!str": true, "!!int": true, "!!float": true, "!!bool": true, "!!timestamp": true,
	"!!merge": true, // << as a value is a text
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }

func wants(t reflect.Type) string {
	if t.Kind() == reflect.Bool {
		return "true or false"
	}
	return "a whole number"
}

func kind(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a section with keys"
	case yaml.SequenceNode:
		return "a list"
	}
	return "a single value"
}

// fieldNamed finds the field of t that key k names.
func fieldNamed(t reflect.Type, k *yaml.Node) (int, bool) {
	for i := range t.NumField() {
		if k.Kind == yaml.ScalarNode && keyName(t.Field(i)) == k.Value {
			return i, true
		}
	}
	return 0, false
}

// names are the keys of a section.
func names(t reflect.Type) []string {
	all := make([]string, t.NumField())
	for i := range all {
		all[i] = keyName(t.Field(i))
	}
	return all
}

var plainKey = regexp.MustCompile(`^[A-Za-z0-9_<.-]+$`)

// printable is a key as it can stand in a path: quoted when it is odd.
func printable(s string) string {
	if s = clip(s); plainKey.MatchString(s) {
		return s
	}
	return strconv.Quote(s)
}
