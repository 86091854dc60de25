package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

var (
	errTxEnded  = errors.New("store: the transaction has ended: a Tx must not be kept")
	errReadOnly = errors.New("store: a view cannot change anything: use Update")
)

// tx is one transaction, or one savepoint in a shared one.
type tx struct {
	c        *conn
	seal     *sealer
	readOnly bool
	ended    bool
	changed  bool  // it changed a row, or failed at it
	lost     error // the whole transaction cannot be committed any more
	seqs     sequences
	known    known
	effects                  // once it is durable
	raised   map[string]bool // messages whose rev this transaction raised
	unraised map[string]bool // of them, those whose row does not say so yet

	hook       func(point string) // before each statement; nil but in tests
	step       string
	statements int
}

// effects are what follows from an update once it is durable.
type effects struct {
	ids    []string // to notify
	gone   []string // events about these were deleted
	events []*Event // added, and not deleted again
	marks  []mark
	after  []func()
}

// mark says up to where the events of a stream were published.
type mark struct {
	stream string
	upTo   int64
}

// Notify wakes the watchers of id after the commit; see [Tx]. A step tells of
// the same few things again and again: only the last of them are looked at.
func (t *tx) Notify(id string) {
	const recent = 8
	if !slices.Contains(t.ids[max(0, len(t.ids)-recent):], id) {
		t.ids = append(t.ids, id)
	}
}

// After has fn called once the transaction is durable; see [Tx].
func (t *tx) After(fn func()) { t.after = append(t.after, fn) }

func (t *tx) check(change bool) error {
	if t.ended {
		return errTxEnded
	}
	if change && t.readOnly {
		return errReadOnly
	}
	return nil
}

// note remembers an error that ends the transaction, so that it is not
// committed although the caller went on.
func (t *tx) note(err error) error {
	if err != nil && sqliteFatal(err) {
		t.lost = err
	}
	return err
}

// exec changes rows and counts them.
func (t *tx) exec(query string, args ...any) (int64, error) {
	if err := t.check(true); err != nil {
		return 0, err
	}
	if t.hook != nil {
		t.statements++
		t.hook(fmt.Sprintf("statement:%s:%d", t.step, t.statements))
	}
	n, err := t.c.exec(query, args...)
	t.changed = t.changed || n > 0 || err != nil
	return n, t.note(err)
}

// insert adds a row that must be new, by a statement ending in ON CONFLICT DO
// NOTHING: a data base that ends a transaction at the first violated
// constraint would lose the step otherwise.
func (t *tx) insert(what, query string, args ...any) error {
	n, err := t.exec(query, args...)
	if err == nil && n == 0 {
		return fmt.Errorf("%s exists already: %w", what, ErrConflict)
	}
	return err
}

func (t *tx) query(scan func(row scanner) error, query string, args ...any) error {
	if err := t.check(false); err != nil {
		return err
	}
	return t.note(t.c.query(scan, query, args...))
}

// row reads one row; [ErrNotFound] when there is none.
func (t *tx) row(dest []any, query string, args ...any) error {
	if err := t.check(false); err != nil {
		return err
	}
	return t.note(t.c.row(dest, query, args...))
}

// strings reads a column of ids.
func (t *tx) strings(query string, args ...any) ([]string, error) {
	var out []string
	err := t.query(func(r scanner) error {
		var s string
		err := r.Scan(&s)
		out = append(out, s)
		return err
	}, query, args...)
	return out, err
}

// moment reads one time of an aggregate that may be NULL.
func (t *tx) moment(query string, args ...any) (time.Time, error) {
	var at time.Time
	err := t.row([]any{(*usec)(&at)}, query, args...)
	return at, err
}

// us is a time as it is stored: unix microseconds, 0 for the zero time.
func us(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// usec reads a stored time; NULL and 0 are the zero time.
type usec time.Time

// Scan implements sql.Scanner.
func (u *usec) Scan(v any) error {
	switch n := v.(type) {
	case nil:
		*u = usec{}
	case int64:
		*u = usec{}
		if n != 0 {
			*u = usec(time.UnixMicro(n).UTC())
		}
	default:
		return fmt.Errorf("store: a time is stored as %T", v)
	}
	return nil
}

// flag is a truth value as it is stored.
func flag(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// blob is a byte string as it is stored: NULL when empty.
func blob(b []byte) any {
	if len(b) == 0 {
		return nil
	}
	return b
}

// list reads a comma-joined list; "" is the empty one.
type list []string

// Scan implements sql.Scanner.
func (l *list) Scan(v any) error {
	s, ok := v.(string)
	if !ok {
		return fmt.Errorf("store: a list is stored as %T", v)
	}
	*l = splitList(s)
	return nil
}

func joinList(l []string) string { return strings.Join(l, ",") }

func splitList(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, ",")
}

// raw reads JSON kept as text; "" is none.
type raw json.RawMessage

// Scan implements sql.Scanner.
func (m *raw) Scan(v any) error {
	s, ok := v.(string)
	if !ok {
		return fmt.Errorf("store: JSON is stored as %T", v)
	}
	*m = nil
	if s != "" {
		*m = raw(s)
	}
	return nil
}

// changes builds the SET clause of an UPDATE from what is given. The words
// come from the code only, values are bound.
type changes struct {
	set  []string
	args []any
}

func (c *changes) add(clause string, args ...any) {
	c.set = append(c.set, clause)
	c.args = append(c.args, args...)
}

func (c *changes) clause() string { return strings.Join(c.set, ", ") }

// value adds column=? when the new value is given.
func value[T any](c *changes, column string, v *T) {
	if v == nil {
		return
	}
	switch x := any(*v).(type) {
	case time.Time:
		c.add(column+"=?", us(x))
	case bool:
		c.add(column+"=?", flag(x))
	case []byte:
		c.add(column+"=?", blob(x))
	case State:
		c.add(column+"=?", string(x))
	case OTPState:
		c.add(column+"=?", string(x))
	default:
		c.add(column+"=?", x)
	}
}

// column adds column=? when the new value is given, and takes it over into the
// field of the row in memory.
func column[T any](c *changes, name string, field, v *T) {
	value(c, name, v)
	set(field, v)
}

// plus adds column=column+n unless n is 0, and n to the field of the row in
// memory.
func (c *changes) plus(name string, field *int, n int) {
	if n != 0 {
		c.add(name+"="+name+"+?", n)
	}
	*field += n
}

// among is the condition that a state is one of from; no condition when from
// is empty. It begins with AND.
func among[S ~string](column string, from []S) (string, []any) {
	if len(from) == 0 {
		return "", nil
	}
	args := make([]any, len(from))
	for i, s := range from {
		args[i] = string(s)
	}
	return " AND " + column + " IN (?" + strings.Repeat(",?", len(from)-1) + ")", args
}
