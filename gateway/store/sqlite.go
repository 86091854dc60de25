package store

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"
)

// FileName is the name of the SQLite database in [Options.Dir].
const FileName = "modemgate.db"

// Options of [OpenSQLite].
type Options struct {
	Dir     string // data_dir; the database is Dir/[FileName]
	SealKey []byte // 32 octets, AES-256-GCM

	// Notify is called after each commit, before its updates return, with
	// the ids of changed messages and OTPs and what [Tx.Notify] named. It
	// must not block and must not call the Store. May be nil.
	Notify func(ids []string)

	// Hook is for tests: it is called with "commit:STEP:before" and
	// "commit:STEP:after" around the commit of each step. May be nil.
	Hook func(point string)
	// HookStatements has it called with "statement:STEP:N" too, before the
	// N-th statement of a step that may change something, from 1.
	HookStatements bool

	Log *slog.Logger // nil: discard
}

// sqliteStore is the Store on SQLite. One goroutine writes; views share a few
// reading connections; one more moves the log into the database.
type sqliteStore struct {
	o          Options
	path       string
	seal       *sealer
	migrations []migration

	queue  queue
	views  chan *conn   // idle reading connections; nil for one not opened yet
	search chan *conn   // those of searches
	bytes  atomic.Int64 // of the last measure; 0: none yet
	stats  stats
	checks checkpointer
	recent recent
	copies sync.Mutex // held while a copy pins the log

	closing chan struct{}
	once    sync.Once
	done    chan struct{} // the writer has ended
	err     error         // of Close
}

// maxViews is the number of snapshots that can be read at the same time.
const maxViews = 4

// OpenSQLite opens the database in o.Dir, makes it when it is missing, and
// migrates it to the present format; before a migration a copy is made beside
// it. Errors: [ErrFormat] when the data is of a newer version, [ErrFull].
func OpenSQLite(ctx context.Context, o Options) (Store, error) {
	return openSQLite(ctx, o, migrations)
}

func openSQLite(ctx context.Context, o Options, migrations []migration) (*sqliteStore, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	seal, err := newSealer(o.SealKey)
	if err != nil {
		return nil, err
	}
	s := &sqliteStore{
		o: o, path: filepath.Join(o.Dir, FileName), seal: seal, migrations: migrations,
		views: make(chan *conn, maxViews), search: make(chan *conn, maxViews), closing: make(chan struct{}), done: make(chan struct{}),
	}
	s.queue.wake = make(chan struct{}, 1)
	s.checks.init()
	if err := prepareFile(s.path); err != nil {
		return nil, sqliteError(fmt.Errorf("store: %w", err), o.Dir)
	}
	w, err := sqliteOpen(ctx, s.path, "write")
	if err != nil {
		return nil, fmt.Errorf("store: %w", sqliteError(err, o.Dir))
	}
	if err := s.migrate(ctx, w); err != nil {
		return nil, fmt.Errorf("store: %w", errors.Join(sqliteError(err, o.Dir), w.close()))
	}
	if err := s.checkSealKey(w); err != nil {
		return nil, fmt.Errorf("store: %w", errors.Join(err, w.close()))
	}
	s.moveLeft(w)
	for range maxViews {
		s.views <- nil
		s.search <- nil
	}
	go s.write(&writer{s: s, c: w})
	go s.runCheckpoints()
	return s, nil
}

// prepareFile makes sure that the database exists and is its owner's only;
// SQLite gives its log the mode of the database.
func prepareFile(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return os.Chmod(path, 0o600)
	}
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// sealCheck is a known word, sealed when the database was made: it tells at
// the start, not at the first text, that the key is another one.
const sealCheck = "seal-check"

func (s *sqliteStore) checkSealKey(c *conn) error {
	word := hex.EncodeToString(s.seal.seal(sealCheck, []byte(sealCheck)))
	_, err := c.exec("INSERT INTO settings (name, value) VALUES (?, ?) ON CONFLICT DO NOTHING", sealCheck, word)
	if err != nil {
		return err
	}
	if err := c.row([]any{&word}, "SELECT value FROM settings WHERE name=?", sealCheck); err != nil {
		return err
	}
	sealed, err := hex.DecodeString(word)
	if err != nil {
		return ErrUnreadable
	}
	_, err = s.seal.open(sealCheck, sealed)
	return err
}

// View runs fn on a snapshot; see [Store].
func (s *sqliteStore) View(ctx context.Context, fn func(tx Tx) error) error {
	return s.view(ctx, s.views, fn)
}

// Search runs fn on a snapshot until ctx ends; see [Store].
func (s *sqliteStore) Search(ctx context.Context, fn func(tx Tx) error) error {
	return s.view(ctx, s.search, fn)
}

func (s *sqliteStore) view(ctx context.Context, pool chan *conn, fn func(tx Tx) error) error {
	c, err := s.borrow(ctx, pool)
	if err != nil {
		return err
	}
	t := &tx{c: c, seal: s.seal, readOnly: true}
	defer func() {
		// A failed or panicking view must not hand its snapshot to the next.
		t.ended = true
		c.until = nil
		if _, err := c.exec(sqliteRollback); err != nil {
			c.close()
			c = nil
		}
		pool <- c
	}()
	if _, err := c.exec(sqliteBeginView); err != nil {
		return err
	}
	if pool == s.search {
		c.until = ctx
	}
	return fn(t)
}

// borrow takes a reading connection, or opens it.
func (s *sqliteStore) borrow(ctx context.Context, pool chan *conn) (*conn, error) {
	select {
	case <-s.closing:
		return nil, ErrClosed
	default:
	}
	select {
	case <-s.closing:
		return nil, ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	case c := <-pool:
		if c != nil {
			return c, nil
		}
		c, err := sqliteOpen(context.WithoutCancel(ctx), s.path, "read")
		if err != nil {
			pool <- nil
			return nil, sqliteError(err, s.o.Dir)
		}
		return c, nil
	}
}

// Close ends the store; see [Store]. Updates that wait are still made.
func (s *sqliteStore) Close() error {
	s.once.Do(func() {
		close(s.closing)
		s.queue.close()
		s.checks.wait()
		<-s.done
		for range maxViews {
			for _, pool := range []chan *conn{s.views, s.search} {
				if c := <-pool; c != nil {
					s.err = errors.Join(s.err, c.close())
				}
			}
		}
	})
	<-s.done
	return s.err
}

// Stats says how the store does; see [Store].
func (s *sqliteStore) Stats() Stats { return s.stats.read() }

// measurePatience is how long a measure of the size waits for the views that
// are open.
const measurePatience = time.Second

// Size says how much the data takes; see [Store]. While it cannot be asked, it
// is what it was; before that all of the files counts.
func (s *sqliteStore) Size() int64 {
	n, err := s.measure()
	switch {
	case err == nil:
		s.bytes.Store(n)
	case s.bytes.Load() != 0:
		n = s.bytes.Load()
	default:
		n = sqliteFiles(s.path)
	}
	return n
}

func (s *sqliteStore) measure() (int64, error) {
	ctx, cancel := context.WithTimeout(context.Background(), measurePatience)
	defer cancel()
	c, err := s.borrow(ctx, s.views)
	if err != nil {
		return 0, err
	}
	n, err := sqliteSize(c)
	if err != nil {
		c.close()
		c = nil
	}
	s.views <- c
	return n, err
}

// stats are counted by the writer.
type stats struct {
	mu sync.Mutex
	s  Stats
}

func (s *stats) read() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.s
}

func (s *stats) committed(steps int, took time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.s.Commits++
	s.s.Steps += uint64(steps)
	s.s.CommitSeconds += took.Seconds()
	s.s.LastCommit = took
}
