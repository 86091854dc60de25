package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"time"
)

// conn is one connection with its prepared statements. One goroutine at a
// time uses it. It speaks to the driver itself: the pool, locks and
// conversions of database/sql cost as much as a short statement takes.
type conn struct {
	c     driver.Conn
	dir   string // where the files are
	stmts map[string]driver.Stmt
	args  []driver.NamedValue // of the statement being run
	until context.Context     // ends what is read; nil: nothing does
}

// stmt prepares a statement once per connection. Statements are written in
// the code or built of its words, never of data, so their number is bounded.
func (c *conn) stmt(query string) (driver.Stmt, error) {
	if s, ok := c.stmts[query]; ok {
		return s, nil
	}
	s, err := c.c.Prepare(query)
	if err != nil {
		return nil, sqliteError(err, c.dir)
	}
	c.stmts[query] = s
	return s, nil
}

// bind numbers the arguments of a statement and gives them types that the
// driver knows.
func (c *conn) bind(args []any) ([]driver.NamedValue, error) {
	c.args = c.args[:0]
	for i, arg := range args {
		v := driver.NamedValue{Ordinal: i + 1}
		switch a := arg.(type) {
		case nil, int64, string, []byte:
			v.Value = a
		case int:
			v.Value = int64(a)
		default:
			var err error
			if v.Value, err = driver.DefaultParameterConverter.ConvertValue(a); err != nil {
				return nil, fmt.Errorf("store: argument %d: %w", i+1, err)
			}
		}
		c.args = append(c.args, v)
	}
	return c.args, nil
}

// exec runs a statement and says how many rows it changed.
func (c *conn) exec(query string, args ...any) (int64, error) {
	s, err := c.stmt(query)
	if err != nil {
		return 0, err
	}
	return c.run(context.Background(), s, args)
}

func (c *conn) run(ctx context.Context, s driver.Stmt, args []any) (int64, error) {
	values, err := c.bind(args)
	if err != nil {
		return 0, err
	}
	r, err := s.(driver.StmtExecContext).ExecContext(ctx, values)
	clear(values)
	if err != nil {
		return 0, sqliteError(err, c.dir)
	}
	return r.RowsAffected()
}

// once runs a statement that is not worth keeping, until ctx ends.
func (c *conn) once(ctx context.Context, query string, args ...any) error {
	s, err := c.c.Prepare(query)
	if err != nil {
		return sqliteError(err, c.dir)
	}
	_, err = c.run(ctx, s, args)
	return errors.Join(err, s.Close())
}

// query calls scan for each row.
func (c *conn) query(scan func(row scanner) error, query string, args ...any) error {
	s, err := c.stmt(query)
	if err != nil {
		return err
	}
	return c.read(c.reading(), s, scan, args)
}

func (c *conn) reading() context.Context {
	if c.until == nil {
		return context.Background()
	}
	return c.until
}

func (c *conn) read(ctx context.Context, s driver.Stmt, scan func(row scanner) error, args []any) (err error) {
	values, err := c.bind(args)
	if err != nil {
		return err
	}
	rows, err := s.(driver.StmtQueryContext).QueryContext(ctx, values)
	clear(values)
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return sqliteError(err, c.dir)
	}
	defer func() {
		if cerr := rows.Close(); err == nil && cerr != nil {
			err = sqliteError(cerr, c.dir)
		}
	}()
	r := make(row, len(rows.Columns()))
	for {
		switch err := rows.Next(r); {
		case errors.Is(err, io.EOF):
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			return sqliteError(err, c.dir)
		}
		if err := scan(r); err != nil {
			return err
		}
	}
}

// row scans the one row of a query; [ErrNotFound] when there is none.
func (c *conn) row(dest []any, query string, args ...any) error {
	s, err := c.stmt(query)
	if err != nil {
		return err
	}
	return c.readOne(c.reading(), s, dest, args)
}

func (c *conn) readOne(ctx context.Context, s driver.Stmt, dest, args []any) error {
	found := false
	err := c.read(ctx, s, func(r scanner) error {
		found = true
		return r.Scan(dest...)
	}, args)
	if err == nil && !found {
		return ErrNotFound
	}
	return err
}

// rowOnce is row by a statement that is not worth keeping, until ctx ends.
func (c *conn) rowOnce(ctx context.Context, dest []any, query string, args ...any) error {
	s, err := c.c.Prepare(query)
	if err != nil {
		return sqliteError(err, c.dir)
	}
	return errors.Join(c.readOne(ctx, s, dest, args), s.Close())
}

func (c *conn) close() error {
	var errs []error
	for _, s := range c.stmts {
		errs = append(errs, s.Close())
	}
	return errors.Join(append(errs, c.c.Close())...)
}

// scanner is a row.
type scanner interface{ Scan(dest ...any) error }

// row is a row as the driver gives it.
type row []driver.Value

// Scan puts the columns into their places.
func (r row) Scan(dest ...any) error {
	if len(dest) != len(r) {
		return fmt.Errorf("store: a row of %d columns is read into %d places", len(r), len(dest))
	}
	for i, d := range dest {
		if err := assign(d, r[i]); err != nil {
			return fmt.Errorf("store: column %d: %w", i+1, err)
		}
	}
	return nil
}

// assign puts a value of the driver into its place. Each type of a place wants
// one type of value; another one is damage, or a fault of ours.
func assign(dest any, v driver.Value) error {
	ok := false
	switch d := dest.(type) {
	case sql.Scanner:
		return d.Scan(v)
	case *string:
		*d, ok = v.(string)
	case *State:
		ok = take(d, v)
	case *OTPState:
		ok = take(d, v)
	case *int64:
		*d, ok = v.(int64)
	case *int:
		var n int64
		n, ok = v.(int64)
		*d = int(n)
	case *time.Duration:
		var n int64
		n, ok = v.(int64)
		*d = time.Duration(n)
	case *bool:
		var n int64
		n, ok = v.(int64)
		*d = n != 0
	case *[]byte:
		*d, ok = v.([]byte)
		ok = ok || v == nil
	}
	if !ok {
		return fmt.Errorf("a %T cannot be read into a %T", v, dest)
	}
	return nil
}

func take[S ~string](to *S, v driver.Value) bool {
	s, ok := v.(string)
	*to = S(s)
	return ok
}
