package gateway

import (
	"errors"
	"fmt"
)

// faults collects what is wrong with a request, so that all of it is told at
// once. Its code is that of the first.
type faults struct {
	first *Error
	err   error // what is no refusal: it goes before all
	all   []FieldError
}

// add takes note of an error; nil is none.
func (f *faults) add(err error) {
	var e *Error
	switch {
	case err == nil:
		return
	case !errors.As(err, &e):
		f.err = errors.Join(f.err, err)
		return
	case f.first == nil:
		f.first = e
	}
	if len(e.Fields) == 0 {
		f.all = append(f.all, FieldError{Detail: e.Detail})
	}
	f.all = append(f.all, e.Fields...)
}

// result is nil when nothing is wrong.
func (f *faults) result() error {
	if f.err != nil || f.first == nil {
		return f.err
	}
	e := *f.first
	e.Fields = f.all
	if more := len(f.all) - 1; more > 0 {
		e.Detail = fmt.Sprintf("%s (and %d more, see errors)", e.Detail, more)
	}
	return &e
}
