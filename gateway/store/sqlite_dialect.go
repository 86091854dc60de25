package store

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// Everything that only SQLite understands is in this file: the connection
// string with its pragmas, result codes, checkpoints, copies, and the words
// of the schema that differ between data bases.

const (
	sqliteBegin     = "BEGIN IMMEDIATE"
	sqliteBeginView = "BEGIN"
	sqliteCommit    = "COMMIT"
	sqliteRollback  = "ROLLBACK"

	// busyTimeout is how long a commit waits for another process.
	busyTimeout = 5 * time.Second
	// checkpointBusy is how long one try of a truncating checkpoint waits for
	// readers; the writer stands still meanwhile.
	checkpointBusy = 20 * time.Millisecond

	writerCacheKiB = 4096
	readerCacheKiB = 1024
)

// sqliteSchema fills the dialect's words into a statement of the schema. A
// BIGINT column has integer affinity (sqlite.org/datatype3.html §3.1), but only
// INTEGER makes the primary key the row's own number.
var sqliteSchema = strings.NewReplacer("{blob}", "BLOB", "{key}", "INTEGER", "{keyed}", " WITHOUT ROWID")

// sqliteDSN is the connection string of a role: "write", "read", or "check"
// for a file that is not ours to change.
// The log is never checkpointed by a commit; the checkpointer does it.
func sqliteDSN(path, role string) string {
	q := url.Values{}
	pragma := func(s string) { q.Add("_pragma", s) }
	pragma(fmt.Sprintf("busy_timeout(%d)", busyTimeout.Milliseconds()))
	pragma("mmap_size(0)")
	pragma("temp_store(MEMORY)")
	pragma("trusted_schema(0)")
	if role == "check" {
		q.Set("mode", "ro")
		pragma("query_only(1)")
		return sqliteURI(path, q)
	}
	pragma("journal_mode(WAL)")
	pragma("wal_autocheckpoint(0)")
	pragma("synchronous(FULL)")
	pragma("secure_delete(1)")
	pragma("foreign_keys(1)")
	cache := writerCacheKiB
	if role == "read" {
		cache = readerCacheKiB
		pragma("query_only(1)")
	}
	pragma(fmt.Sprintf("cache_size(-%d)", cache))
	return sqliteURI(path, q)
}

func sqliteURI(path string, q url.Values) string {
	u := url.URL{Scheme: "file", Path: filepath.ToSlash(path), RawQuery: q.Encode()}
	return u.String()
}

// sqliteOpen opens one connection of a role.
func sqliteOpen(ctx context.Context, path, role string) (*conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	c, err := new(sqlite.Driver).Open(sqliteDSN(path, role))
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", filepath.Base(path), err)
	}
	return &conn{c: c, dir: filepath.Dir(path), stmts: make(map[string]driver.Stmt)}, nil
}

// sqliteCode is the extended result code of an error, 0 when it has none.
func sqliteCode(err error) int {
	var e *sqlite.Error
	if errors.As(err, &e) {
		return e.Code()
	}
	return 0
}

// sqliteFatal says that the transaction cannot go on after err: SQLite may
// have rolled it back already (sqlite.org/lang_transaction.html §3.1).
func sqliteFatal(err error) bool {
	switch sqliteCode(err) & 0xff {
	case sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_BUSY,
		sqlite3.SQLITE_INTERRUPT, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB,
		sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN:
		return true
	}
	return false
}

// sqliteBusy says that another connection was in the way.
func sqliteBusy(err error) bool {
	c := sqliteCode(err) & 0xff
	return c == sqlite3.SQLITE_BUSY || c == sqlite3.SQLITE_LOCKED
}

// sqliteError turns a full disk into [ErrFull]. SQLite has a code for a write
// without room; a sync or a mapping without room is only an I/O error, so the
// directory is asked.
func sqliteError(err error, dir string) error {
	if errors.Is(err, ErrFull) {
		return err
	}
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fmt.Errorf("%w: %w", ErrFull, err)
	}
	switch sqliteCode(err) & 0xff {
	case sqlite3.SQLITE_FULL:
		return fmt.Errorf("%w: %w", ErrFull, err)
	case sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN:
		if noRoom(dir) {
			return fmt.Errorf("%w: %w", ErrFull, err)
		}
	}
	return err
}

// noRoom tries to write a little file into dir.
func noRoom(dir string) bool {
	f, err := os.CreateTemp(dir, ".room-*")
	if err == nil {
		defer os.Remove(f.Name())
		_, err = f.Write(make([]byte, 128<<10))
		if err == nil {
			err = f.Sync()
		}
		f.Close()
	}
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// Modes of sqliteCheckpoint (sqlite.org/pragma.html#pragma_wal_checkpoint).
const (
	checkpointNoop     = "NOOP" // only asks
	checkpointPassive  = "PASSIVE"
	checkpointRestart  = "RESTART" // waits for readers, so that the log starts over
	checkpointTruncate = "TRUNCATE"
)

// sqliteCheckpoint moves the log into the database. done is false when a
// reader or writer was in the way. frames is the number of pages in the log,
// left how many of them are not in the database yet.
func sqliteCheckpoint(c *conn, mode string) (done bool, frames, left int, err error) {
	if mode == checkpointTruncate || mode == checkpointRestart {
		if err := c.pragma("busy_timeout", checkpointBusy.Milliseconds()); err != nil {
			return false, 0, 0, err
		}
		defer c.pragma("busy_timeout", busyTimeout.Milliseconds()) //nolint:errcheck // cannot fail
	}
	var busy, moved int
	err = c.rowOnce(context.Background(), []any{&busy, &frames, &moved}, "PRAGMA wal_checkpoint("+mode+")")
	if sqliteBusy(err) {
		return false, 0, 0, nil
	}
	return busy == 0 && frames == moved, frames, frames - moved, err
}

func (c *conn) pragma(name string, value int64) error {
	return c.once(context.Background(), fmt.Sprintf("PRAGMA %s=%d", name, value))
}

// sqliteCopy writes a consistent copy of the database into the empty file at
// path. Free pages, and with them what was erased, are not copied.
func sqliteCopy(ctx context.Context, c *conn, path string) error {
	return c.once(ctx, "VACUUM INTO ?", path)
}

// sqliteCheck looks for damage.
func sqliteCheck(ctx context.Context, c *conn) error {
	var word string
	if err := c.rowOnce(ctx, []any{&word}, "PRAGMA quick_check(1)"); err != nil {
		return err
	}
	if word != "ok" {
		return fmt.Errorf("the database is damaged: %s", word)
	}
	return nil
}

// sqliteHasTable says whether the database has the table.
func sqliteHasTable(ctx context.Context, c *conn, name string) (bool, error) {
	var n int
	err := c.rowOnce(ctx, []any{&n}, "SELECT count(*) FROM sqlite_master WHERE type='table' AND name=?", name)
	return n > 0, err
}

// sqliteSize is how much the data takes, octets: the pages in use and what of
// the log is not in the database yet. Free pages are used again before the
// file grows, and so is the log, so neither counts although the files keep
// their size.
func sqliteSize(c *conn) (int64, error) {
	var pages, free, size int64
	for query, n := range map[string]*int64{"PRAGMA page_count": &pages, "PRAGMA freelist_count": &free, "PRAGMA page_size": &size} {
		if err := c.row([]any{n}, query); err != nil {
			return 0, err
		}
	}
	_, _, left, err := sqliteCheckpoint(c, checkpointNoop)
	return (pages - free + int64(left)) * size, err
}

// sqliteFiles is the size of the database and its log as files, octets.
func sqliteFiles(path string) int64 {
	var n int64
	for _, suffix := range []string{"", "-wal"} {
		if fi, err := os.Stat(path + suffix); err == nil {
			n += fi.Size()
		}
	}
	return n
}
