package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"mime"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/labstack/echo/v4"

	"github.com/modemgate/modemgate/gateway"
)

// Limits of a body besides its size.
const (
	maxDepth  = 8  // nested objects and lists
	maxFaults = 20 // told at once
)

// bind reads the body into dst, a pointer to a struct whose fields are the
// types of values.go. A field is required unless its tag says omitempty. The
// body is read strictly: what is unknown, said twice, of another type or null
// is refused, all faults at once, so that nothing a client meant is silently
// dropped. It returns the body as it came.
func bind(c echo.Context, dst any) ([]byte, error) {
	body, err := readBody(c)
	if err != nil {
		return nil, err
	}
	if len(body) == 0 {
		return nil, invalid("", "the body is empty: send a JSON object")
	}
	if f := decode(body, dst); len(f) > 0 {
		e := refuse(gateway.InvalidRequest, "%s", summary(f))
		e.Fields = f
		return nil, e
	}
	return body, nil
}

// bindOptional is bind for a body that may be left out.
func bindOptional(c echo.Context, dst any) error {
	body, err := readBody(c)
	if err != nil || len(body) == 0 {
		return err
	}
	if f := decode(body, dst); len(f) > 0 {
		e := refuse(gateway.InvalidRequest, "%s", summary(f))
		e.Fields = f
		return e
	}
	return nil
}

// bindNothing is for routes without members: no body, or an empty object.
func bindNothing(c echo.Context) ([]byte, error) {
	body, err := readBody(c)
	if err != nil || len(body) == 0 {
		return nil, err
	}
	if f := decode(body, &struct{}{}); len(f) > 0 {
		e := refuse(gateway.InvalidRequest, "this route takes no members: %s", summary(f))
		e.Fields = f
		return nil, e
	}
	return body, nil
}

func summary(f []gateway.FieldError) string {
	first := f[0].Detail
	if f[0].Pointer != "" {
		first = f[0].Pointer + " " + first
	}
	if len(f) > 1 {
		first += " (and " + strconv.Itoa(len(f)-1) + " more, see errors)"
	}
	return first
}

// readBody reads the whole body within its size and time.
func readBody(c echo.Context) ([]byte, error) {
	r, w := c.Request(), c.Response().Writer
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, refuse(gateway.InvalidRequest, "the body is over %d octets", maxBody)
	case err != nil:
		return nil, refuse(gateway.InvalidRequest, "the body did not arrive whole and in time")
	}
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{})
	if len(body) == 0 {
		return nil, nil
	}
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != echo.MIMEApplicationJSON {
		return nil, invalid("Content-Type", "the body must be JSON and say so: Content-Type: application/json")
	}
	return body, nil
}

// decode reads body into dst and returns all that is wrong with it.
func decode(body []byte, dst any) []gateway.FieldError {
	var l lint
	if l.check(body); len(l.faults) > 0 {
		return l.faults
	}
	var members map[string]json.RawMessage
	if json.Unmarshal(body, &members) != nil || members == nil {
		l.add("", "must be a JSON object")
		return l.faults
	}
	v := reflect.ValueOf(dst).Elem()
	for i := range v.NumField() {
		name, option, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
		value, given := members[name]
		delete(members, name)
		if !given {
			if option != "omitempty" {
				l.add("/"+name, "is missing")
			}
			continue
		}
		if string(value) == "null" { // which a pointer would take for absent
			l.add("/"+name, "is null: leave it out instead")
			continue
		}
		if err := json.Unmarshal(value, v.Field(i).Addr().Interface()); err != nil {
			l.value("/"+name, err)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		l.add("/"+escapePointer(name), "is not known here")
	}
	return l.faults
}

// lint collects faults of a body.
type lint struct{ faults []gateway.FieldError }

func (l *lint) add(pointer, detail string) {
	if len(l.faults) < maxFaults {
		l.faults = append(l.faults, gateway.FieldError{Pointer: pointer, Detail: detail})
	}
}

func (l *lint) value(pointer string, err error) {
	var w *wrong
	if errors.As(err, &w) {
		l.add(pointer+w.below, w.detail)
		return
	}
	l.add(pointer, "is not of the right type")
}

// check finds what encoding/json would let pass or silently repair.
func (l *lint) check(body []byte) {
	var syntax *json.SyntaxError
	var whole json.RawMessage
	switch err := json.Unmarshal(body, &whole); {
	case errors.As(err, &syntax):
		l.add("", "is not JSON at octet "+strconv.FormatInt(syntax.Offset, 10))
	case err != nil:
		l.add("", "is not JSON")
	case !utf8.Valid(body):
		l.add("", "is not UTF-8")
	case loneSurrogate(body):
		l.add("", "has half a surrogate pair in an escape")
	default:
		d := json.NewDecoder(bytes.NewReader(body))
		d.UseNumber()
		l.walk(d, "", 0)
	}
}

// walk reads one value and finds members said twice and too much nesting. It
// returns false when it stopped early. The value is known to be valid.
func (l *lint) walk(d *json.Decoder, pointer string, depth int) bool {
	t, err := d.Token()
	if err != nil {
		l.add(pointer, "is not JSON")
		return false
	}
	open, nested := t.(json.Delim)
	if !nested {
		return true
	}
	if depth == maxDepth {
		l.add(pointer, "is nested too deeply")
		return false
	}
	seen := map[string]bool{}
	for i := 0; d.More(); i++ {
		below := pointer + "/" + strconv.Itoa(i)
		if open == '{' {
			t, err := d.Token()
			name, ok := t.(string)
			if err != nil || !ok {
				l.add(pointer, "is not JSON")
				return false
			}
			below = pointer + "/" + escapePointer(name)
			if seen[name] {
				l.add(below, "is there twice")
			}
			seen[name] = true
		}
		if !l.walk(d, below, depth+1) {
			return false
		}
	}
	_, err = d.Token()
	return err == nil
}

// loneSurrogate finds an escape such as \ud800 without its other half, which
// encoding/json would turn into U+FFFD. The body is known to be valid JSON, so
// a backslash only stands in strings and \u has four digits.
func loneSurrogate(body []byte) bool {
	unit := func(i int) (rune, bool) {
		if i+6 > len(body) || body[i] != '\\' || body[i+1] != 'u' {
			return 0, false
		}
		v, err := strconv.ParseUint(string(body[i+2:i+6]), 16, 16)
		return rune(v), err == nil
	}
	for i := 0; i < len(body); i++ {
		if body[i] != '\\' {
			continue
		}
		v, ok := unit(i)
		if !ok {
			i++ // the escaped character
			continue
		}
		i += 5
		if v < 0xD800 || v > 0xDFFF {
			continue
		}
		low, ok := unit(i + 1)
		if v > 0xDBFF || !ok || low < 0xDC00 || low > 0xDFFF {
			return true
		}
		i += 6
	}
	return false
}

var pointerEscapes = strings.NewReplacer("~", "~0", "/", "~1")

// escapePointer makes a member name a reference token (RFC 6901 §3).
func escapePointer(name string) string { return pointerEscapes.Replace(name) }
