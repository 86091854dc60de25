package store

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"
)

// maxBatch bounds how many updates share one commit, and with it how long
// the first of them waits for the last.
const maxBatch = 64

// update is one call of Update, or a task of the writer's own connection.
type update struct {
	step string
	fn   func(tx Tx) error
	task func(w *writer) error // outside any transaction; instead of fn
	err  error
	// changed: it changed a row. Updates that only asked for something are no
	// step: there is nothing to make durable.
	changed bool
	effects
	done chan struct{}
}

// queue holds the updates that wait for the writer.
type queue struct {
	mu     sync.Mutex
	waits  []*update
	closed bool
	wake   chan struct{}
}

func (q *queue) add(u *update) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return ErrClosed
	}
	q.waits = append(q.waits, u)
	select {
	case q.wake <- struct{}{}:
	default:
	}
	return nil
}

// remove takes an update back; false when the writer has it already.
func (q *queue) remove(u *update) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	for i, w := range q.waits {
		if w == u {
			q.waits = append(q.waits[:i], q.waits[i+1:]...)
			return true
		}
	}
	return false
}

// take waits for updates and takes what is there: some updates or one task.
// Nothing comes any more when it returns nil.
func (q *queue) take() []*update {
	for {
		q.mu.Lock()
		n := 0
		for n < len(q.waits) && n < maxBatch && (n == 0 || q.waits[n].task == nil && q.waits[0].task == nil) {
			n++
		}
		batch := append([]*update(nil), q.waits[:n]...)
		q.waits = append(q.waits[:0], q.waits[n:]...)
		closed := q.closed
		q.mu.Unlock()
		if n > 0 || closed {
			return batch
		}
		<-q.wake
	}
}

func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// Update runs fn in a transaction; see [Store]. When ctx ends before its turn
// has come nothing is done; after that the outcome is waited for.
func (s *sqliteStore) Update(ctx context.Context, step string, fn func(tx Tx) error) error {
	return s.enqueue(ctx, &update{step: step, fn: fn, done: make(chan struct{})})
}

func (s *sqliteStore) enqueue(ctx context.Context, u *update) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := s.queue.add(u); err != nil {
		return err
	}
	select {
	case <-u.done:
		return u.err
	case <-ctx.Done():
	}
	if s.queue.remove(u) {
		return ctx.Err()
	}
	<-u.done
	return u.err
}

// writer is the goroutine that owns the writing connection.
type writer struct {
	s     *sqliteStore
	c     *conn // nil after it was lost, until it is opened again
	batch []*update
	seqs  sequences // of the open transaction
}

// write is the writer's loop. It survives a Goexit in an update, such as
// testing's FailNow, by going on in a new goroutine.
func (s *sqliteStore) write(w *writer) {
	defer func() {
		if w.batch != nil {
			w.abandon(errors.New("store: a step of this commit ended its goroutine: nothing of the commit was done"))
			w.answer()
			go s.write(w)
			return
		}
		if w.c != nil {
			s.err = w.c.close()
		}
		close(s.done)
	}()
	for {
		w.batch = s.queue.take()
		if len(w.batch) == 0 {
			w.batch = nil
			return
		}
		w.run()
		w.answer()
		s.checks.committed()
	}
}

func (w *writer) answer() {
	for _, u := range w.batch {
		close(u.done)
	}
	w.batch = nil
}

// abandon undoes the open transaction; everything in the batch that has no
// error of its own gets err.
func (w *writer) abandon(err error) {
	for _, u := range w.batch {
		if u.err == nil {
			u.err = err
		}
	}
	if w.c == nil {
		return
	}
	if rerr := w.c.once(context.Background(), sqliteRollback); rerr == nil || sqliteFatal(err) && !sqliteFatal(rerr) {
		return // undone, or SQLite has done it already
	}
	w.lose()
}

// lose closes a connection that cannot be trusted; the next batch opens it.
func (w *writer) lose() {
	if err := w.c.close(); err != nil {
		w.s.o.Log.Warn("store: close of the writing connection", "error", err)
	}
	w.c = nil
}

// run makes one batch durable, or sets the errors.
func (w *writer) run() {
	if w.c == nil {
		c, err := sqliteOpen(context.Background(), w.s.path, "write")
		if err != nil {
			w.abandon(fmt.Errorf("store: %w", sqliteError(err, w.s.o.Dir)))
			return
		}
		w.c = c
	}
	if u := w.batch[0]; u.task != nil {
		u.err = u.task(w)
		return
	}
	good, err := w.runAll()
	if err == nil && good > 0 {
		err = w.seqs.store(w.c)
	}
	if err != nil {
		w.abandon(err)
		return
	}
	if good > 0 {
		w.commit()
	}
}

// runAll runs the batch in one transaction and counts what succeeded. A
// savepoint costs more than most updates, so there are none until an update
// fails that changed something; then those before it are run again.
func (w *writer) runAll() (good int, err error) {
	save := false
	for i, u := range w.batch {
		clean, err := w.runOne(u, good == 0, save)
		if err != nil {
			return 0, err
		}
		if u.err == nil {
			good++
		}
		if clean {
			continue
		}
		if _, err := w.c.exec(sqliteRollback); err != nil {
			return 0, err
		}
		good, save = 0, true
		for _, before := range w.batch[:i] {
			if before.err != nil {
				continue
			}
			if _, err := w.runOne(before, good == 0, true); err != nil {
				return 0, err
			}
			if before.err == nil {
				good++
			}
		}
	}
	return good, nil
}

// runOne runs one update: the first begins the transaction and ends it when it
// fails, the others may have savepoints. It returns an error when the whole
// transaction is lost. What failed by itself has its own error; it is not
// clean when what it changed is still there.
func (w *writer) runOne(u *update, first, save bool) (clean bool, err error) {
	begin, undo, end := "", "", ""
	switch {
	case first:
		begin, undo = sqliteBegin, sqliteRollback
		w.seqs = make(sequences)
	case save:
		begin, undo, end = "SAVEPOINT step", "ROLLBACK TO SAVEPOINT step", "RELEASE SAVEPOINT step"
	}
	if err := w.do(begin); err != nil {
		return false, fmt.Errorf("store: begin: %w", err)
	}
	t := &tx{c: w.c, seal: w.s.seal, seqs: w.seqs, step: u.step}
	if w.s.o.HookStatements {
		t.hook = w.s.o.Hook
	}
	if u.err = w.call(t, u); u.err == nil {
		u.err = t.writeRevs()
	}
	t.ended = true
	u.changed = t.changed
	if t.lost != nil {
		if u.err == nil {
			u.err = t.lost
		}
		return false, t.lost
	}
	u.effects = t.effects
	if u.err == nil {
		return true, w.do(end)
	}
	if err := w.do(undo); err != nil {
		return false, err
	}
	return undo != "" || !t.changed, w.do(end)
}

// do runs a statement of the transaction; "" is none.
func (w *writer) do(query string) error {
	if query == "" {
		return nil
	}
	_, err := w.c.exec(query)
	return err
}

// call runs fn; a panic becomes an error. What was panicked with may hold a
// text or a code, so only its type and the stack are told.
func (w *writer) call(t *tx, u *update) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("store: step %s panicked (%T)", u.step, p)
			if r, ok := p.(interface {
				error
				RuntimeError()
			}); ok {
				err = fmt.Errorf("store: step %s panicked: %w", u.step, r)
			}
			w.s.o.Log.Error("store: panic in a step", "step", u.step, "error", err, "stack", string(debug.Stack()))
		}
	}()
	return u.fn(t)
}

// commit makes the good updates of the batch durable and tells of them.
func (w *writer) commit() {
	w.hook("before")
	began := time.Now()
	if _, err := w.c.exec(sqliteCommit); err != nil {
		w.abandon(fmt.Errorf("store: commit: %w", err))
		w.wipe()
		return
	}
	if changed := w.changed(); changed > 0 {
		w.s.stats.committed(changed, time.Since(began))
	}
	w.hook("after")
	var ids []string
	for _, u := range w.batch {
		if u.err != nil {
			continue
		}
		w.s.recent.committed(&u.effects)
		for _, fn := range u.after {
			fn()
		}
		ids = append(ids, u.ids...)
	}
	if len(ids) > 0 && w.s.o.Notify != nil {
		w.s.o.Notify(ids)
	}
}

// wipe clears the log after a commit that failed: when only its sync failed,
// its pages are in the log, and a crash would bring back what was refused.
func (w *writer) wipe() {
	if w.c == nil {
		return
	}
	if _, _, _, err := sqliteCheckpoint(w.c, checkpointTruncate); err != nil {
		w.lose()
	}
}

// changed counts the good updates of the batch that changed something.
func (w *writer) changed() (n int) {
	for _, u := range w.batch {
		if u.err == nil && u.changed {
			n++
		}
	}
	return n
}

func (w *writer) hook(side string) {
	if w.s.o.Hook == nil {
		return
	}
	for _, u := range w.batch {
		if u.err == nil && u.changed {
			w.s.o.Hook("commit:" + u.step + ":" + side)
		}
	}
}
