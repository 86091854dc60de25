package store

import (
	"context"
	"database/sql"
	"errors"
)

// conn is one connection with its prepared statements. One goroutine at a
// time uses it.
type conn struct {
	db    *sql.DB
	c     *sql.Conn
	dir   string // where the files are
	stmts map[string]*sql.Stmt
}

// stmt prepares a statement once per connection. Statements are written in
// the code or built of its words, never of data, so their number is bounded.
func (c *conn) stmt(query string) (*sql.Stmt, error) {
	if s, ok := c.stmts[query]; ok {
		return s, nil
	}
	s, err := c.c.PrepareContext(context.Background(), query)
	if err != nil {
		return nil, err
	}
	c.stmts[query] = s
	return s, nil
}

// exec runs a statement and says how many rows it changed.
func (c *conn) exec(query string, args ...any) (int64, error) {
	s, err := c.stmt(query)
	if err != nil {
		return 0, sqliteError(err, c.dir)
	}
	r, err := s.ExecContext(context.Background(), args...)
	if err != nil {
		return 0, sqliteError(err, c.dir)
	}
	return r.RowsAffected()
}

// query calls scan for each row.
func (c *conn) query(scan func(row scanner) error, query string, args ...any) error {
	s, err := c.stmt(query)
	if err != nil {
		return sqliteError(err, c.dir)
	}
	rows, err := s.QueryContext(context.Background(), args...)
	if err != nil {
		return sqliteError(err, c.dir)
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return sqliteError(err, c.dir)
	}
	return rows.Close()
}

// row scans the one row of a query; [ErrNotFound] when there is none.
func (c *conn) row(dest []any, query string, args ...any) error {
	found := false
	err := c.query(func(r scanner) error {
		found = true
		return r.Scan(dest...)
	}, query, args...)
	if err == nil && !found {
		return ErrNotFound
	}
	return err
}

func (c *conn) close() error {
	var errs []error
	for _, s := range c.stmts {
		errs = append(errs, s.Close())
	}
	return errors.Join(append(errs, c.c.Close(), c.db.Close())...)
}

// scanner is a row.
type scanner interface{ Scan(dest ...any) error }
