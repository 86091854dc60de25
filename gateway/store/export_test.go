package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// onWriter runs fn on the writing connection of s.
func onWriter(s Store, fn func(c *conn) error) error {
	return s.(*sqliteStore).enqueue(context.Background(), &update{step: "test", done: make(chan struct{}),
		task: func(w *writer) error { return fn(w.c) }})
}

// Statements lists what was prepared on the connections of s.
func Statements(s Store) []string {
	var out []string
	collect := func(c *conn) error {
		for q := range c.stmts {
			out = append(out, q)
		}
		return nil
	}
	if onWriter(s, collect) != nil {
		return nil // closed by its test
	}
	st := s.(*sqliteStore)
	for _, pool := range []chan *conn{st.views, st.search} {
		for range maxViews {
			c := <-pool
			if c != nil {
				collect(c)
			}
			pool <- c
		}
	}
	return out
}

// Explain is the plan of a statement, one step per line.
func Explain(s Store, query string) (string, error) {
	var plan []string
	err := onWriter(s, func(c *conn) error {
		args := make([]any, strings.Count(query, "?"))
		for i := range args {
			args[i] = 1
		}
		return c.query(func(r scanner) error {
			var id, parent, unused int
			var detail string
			err := r.Scan(&id, &parent, &unused, &detail)
			plan = append(plan, detail)
			return err
		}, "EXPLAIN QUERY PLAN "+query, args...)
	})
	return strings.Join(plan, "\n"), err
}

// LimitPages lets the database grow by no more than n pages; 0 lifts it.
func LimitPages(s Store, n int) error {
	return onWriter(s, func(c *conn) error {
		pages := 1 << 30
		if n > 0 {
			if err := c.row([]any{&pages}, "PRAGMA page_count"); err != nil {
				return err
			}
			pages += n
		}
		var set int
		return c.rowOnce(context.Background(), []any{&set}, fmt.Sprintf("PRAGMA max_page_count=%d", pages))
	})
}

// LoseConnection makes the next update open the writing connection again.
func LoseConnection(s Store) error {
	return s.(*sqliteStore).enqueue(context.Background(), &update{step: "test", done: make(chan struct{}),
		task: func(w *writer) error { w.lose(); return nil }})
}

// Check looks for damage.
func Check(s Store) error {
	return onWriter(s, func(c *conn) error { return sqliteCheck(context.Background(), c) })
}

// Sealed reads a sealed value as it is in the table.
func Sealed(s Store, column, table, where string) ([]byte, error) {
	var b []byte
	err := onWriter(s, func(c *conn) error {
		return c.row([]any{&b}, "SELECT CAST("+column+" AS BLOB) FROM "+table+" WHERE "+where)
	})
	return b, err
}

// Exec runs SQL that no method has.
func Exec(s Store, query string) error {
	return onWriter(s, func(c *conn) error {
		_, err := c.exec(query)
		return err
	})
}

// OpenNext opens the store as a program with one more format would: its step
// adds a column. A step that fails comes after it when fail is set.
func OpenNext(o Options, fail bool) (Store, error) {
	next := append(migrations[:len(migrations):len(migrations)],
		statements([]string{"ALTER TABLE lines ADD COLUMN colour TEXT NOT NULL DEFAULT 'blue'"}))
	if fail {
		next = append(next, func(*conn) error { return errors.New("the step failed") })
	}
	s, err := openSQLite(context.Background(), o, next)
	if err != nil {
		return nil, err // not a nil *sqliteStore in the interface
	}
	return s, nil
}

// OpenFormat opens the store as the program of that format did. What later
// formats have added cannot be written.
func OpenFormat(o Options, format int) (Store, error) {
	s, err := openSQLite(context.Background(), o, migrations[:format])
	if err != nil {
		return nil, err
	}
	return s, nil
}

// CountTo counts to n in the database, for as long as that takes.
func CountTo(t Tx, n int64) error {
	var got int64
	return t.(*tx).row([]any{&got}, `WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c WHERE x<?) SELECT COUNT(*) FROM c`, n)
}
