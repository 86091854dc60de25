package configs

import (
	"encoding"
	"errors"
	"reflect"
	"strings"
	"unicode/utf8"
)

// key is one thing that can be set.
type key struct {
	path  string // dotted
	field reflect.StructField
	index []int // for reflect.Value.FieldByIndex; nil inside lists
}

// isScalar tells whether t is written as one value.
func isScalar(t reflect.Type) bool {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t.Kind() != reflect.Struct && t.Kind() != reflect.Slice
}

// scalars lists every key of Config that holds one value, in file order.
func scalars() []key {
	var all []key
	walk(reflect.TypeFor[Config](), "", nil, func(k key) {
		if isScalar(k.field.Type) {
			all = append(all, k)
		}
	})
	return all
}

// walk visits the keys of t, sections before what they hold; it does not go
// into lists.
func walk(t reflect.Type, prefix string, index []int, visit func(key)) {
	for i := range t.NumField() {
		f := t.Field(i)
		k := key{path: dot(prefix, keyName(f)), field: f, index: append(append([]int{}, index...), i)}
		visit(k)
		if f.Type.Kind() == reflect.Struct {
			walk(f.Type, k.path, k.index, visit)
		}
	}
}

// keyName is the name of a field in the file.
func keyName(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
	return name
}

func dot(prefix, name string) string {
	if prefix == "" {
		return name
	}
	return prefix + "." + name
}

// envName is the variable that sets path: api.listen is MODEMGATE_API_LISTEN.
func envName(path string) string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(path, ".", "_"))
}

// setScalar gives v the value that s spells. An error says what is wrong
// with s.
func setScalar(v reflect.Value, s string) error {
	if v.Kind() == reflect.Pointer {
		p := reflect.New(v.Type().Elem())
		if err := setScalar(p.Elem(), s); err != nil {
			return err
		}
		v.Set(p)
		return nil
	}
	if u, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		return u.UnmarshalText([]byte(s))
	}
	switch v.Kind() {
	case reflect.Int:
		n, err := parseInt(s)
		if err != nil {
			return err
		}
		v.SetInt(n)
	case reflect.Bool:
		b, err := parseBool(s)
		if err != nil {
			return err
		}
		v.SetBool(b)
	default:
		if !utf8.ValidString(s) || strings.ContainsFunc(s, unprintable) {
			return errors.New("holds a control or text direction character; remove it")
		}
		v.SetString(s)
	}
	return nil
}

// nearest is the name among names that s most likely means, "" if none is
// near: at most one change for short words, two for longer ones.
func nearest(s string, names []string) string {
	best, found := 2, ""
	if len(s) >= 6 {
		best = 3
	}
	for _, n := range names {
		if d := distance(strings.ToLower(s), strings.ToLower(n)); d < best {
			best, found = d, n
		}
	}
	return found
}

// distance counts the insertions, deletions, replacements and swaps of
// neighbours that turn a into b (Damerau-Levenshtein, restricted). Names
// longer than any key are taken as far away.
func distance(a, b string) int {
	const longest = 64
	if len(a) > longest || len(b) > longest {
		return longest
	}
	row := make([][]int, len(a)+1)
	for i := range row {
		row[i] = make([]int, len(b)+1)
		row[i][0] = i
	}
	for j := range row[0] {
		row[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[i][j] = min(row[i-1][j]+1, row[i][j-1]+1, row[i-1][j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[i][j] = min(row[i][j], row[i-2][j-2]+1)
			}
		}
	}
	return row[len(a)][len(b)]
}
