package store

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// The log is moved into the database off the path of the commits: a passive
// checkpoint on a connection of its own does nearly all of it; what was
// committed meanwhile the writer moves between two commits, after which SQLite
// starts the log over. A log that is written over is faster to sync than one
// that grows, so it is truncated only when what was erased must go.
const (
	// checkpointCommits is after how many commits the log is looked at.
	checkpointCommits = 256
	// checkpointFrames is the length of a log worth moving, in pages of
	// 4 KiB; an idle store moves less.
	checkpointFrames     = 4096
	checkpointIdleFrames = 64
	checkpointIdle       = time.Second
	// checkpointMaxFrames is the length from which the writer waits a moment
	// for the readers that keep the log from starting over.
	checkpointMaxFrames = 2 * checkpointFrames

	// checkpointPatience is how long Checkpoint waits for readers to end.
	checkpointPatience = 10 * time.Second
	checkpointRetry    = 5 * time.Millisecond
)

// checkpointer collects the wishes for a checkpoint.
type checkpointer struct {
	mu      sync.Mutex
	waits   []chan error // callers of Checkpoint
	commits int          // since the log was looked at
	last    time.Time    // of the last commit
	wake    chan struct{}
	running sync.WaitGroup
}

func (k *checkpointer) init() {
	k.wake = make(chan struct{}, 1)
	k.running.Add(1)
}

func (k *checkpointer) wait() { k.running.Wait() }

func (k *checkpointer) poke() {
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

// committed counts a commit.
func (k *checkpointer) committed() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.commits++
	k.last = time.Now()
	if k.commits%checkpointCommits == 0 {
		k.poke()
	}
}

// quiet says that nothing was committed for a while.
func (k *checkpointer) quiet() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return time.Since(k.last) >= checkpointIdle
}

// take hands out who waits, and whether the log is due for a look.
func (k *checkpointer) take(idle bool) (waits []chan error, due bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	waits, k.waits = k.waits, nil
	due = k.commits >= checkpointCommits || idle && k.commits > 0
	if due {
		k.commits = 0
	}
	return waits, due
}

// Checkpoint truncates the log; see [Store]. Callers that come while one is
// running share the next.
func (s *sqliteStore) Checkpoint(ctx context.Context) error {
	done := make(chan error, 1)
	s.checks.mu.Lock()
	s.checks.waits = append(s.checks.waits, done)
	s.checks.mu.Unlock()
	s.checks.poke()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	case <-s.closing:
		return ErrClosed
	}
}

// runCheckpoints is the checkpointer's loop.
func (s *sqliteStore) runCheckpoints() {
	defer s.checks.running.Done()
	idle := time.NewTimer(checkpointIdle)
	defer idle.Stop()
	var c *conn // opened when it is needed
	defer func() {
		if c != nil {
			c.close()
		}
	}()
	for {
		isIdle := false
		select {
		case <-s.closing:
			return
		case <-s.checks.wake:
		case <-idle.C:
			isIdle = s.checks.quiet()
		}
		idle.Reset(checkpointIdle)
		waits, due := s.checks.take(isIdle)
		if len(waits) > 0 {
			err := s.truncateLog()
			for _, w := range waits {
				w <- err
			}
			continue
		}
		if !due {
			continue
		}
		least := checkpointFrames
		if isIdle {
			least = checkpointIdleFrames
		}
		var err error
		if c == nil {
			c, err = sqliteOpen(context.Background(), s.path, "write")
		}
		if err == nil {
			err = s.moveLog(c, least)
		}
		if err != nil && !errors.Is(err, ErrClosed) {
			s.o.Log.Warn("store: checkpoint", "error", sqliteError(err, s.o.Dir))
		}
	}
}

// moveLeft moves what a killed life has left in the log, if it is long: lives
// that end before a look is due would hand it on, and it would grow for as long
// as that goes on. The store works without, such as on a full disk.
func (s *sqliteStore) moveLeft(c *conn) {
	_, _, left, err := sqliteCheckpoint(c, checkpointNoop)
	if err == nil && left >= checkpointFrames {
		_, _, _, err = sqliteCheckpoint(c, checkpointPassive)
	}
	if err != nil {
		s.o.Log.Warn("store: checkpoint", "error", sqliteError(err, s.o.Dir))
	}
}

// moveLog moves the log when at least least of its frames are not moved yet.
func (s *sqliteStore) moveLog(c *conn, least int) error {
	_, frames, left, err := sqliteCheckpoint(c, checkpointNoop)
	if err != nil || left < least {
		return err
	}
	if _, _, _, err := sqliteCheckpoint(c, checkpointPassive); err != nil {
		return err
	}
	mode := checkpointPassive
	if frames > checkpointMaxFrames {
		mode = checkpointRestart
	}
	return s.enqueue(context.Background(), &update{step: "checkpoint", done: make(chan struct{}), task: func(w *writer) error {
		_, _, _, err := sqliteCheckpoint(w.c, mode)
		return err
	}})
}

// truncateLog empties the log, waiting for the readers that need it.
func (s *sqliteStore) truncateLog() error {
	s.copies.Lock() // a copy in the making reads for long
	defer s.copies.Unlock()
	deadline := time.Now().Add(checkpointPatience)
	for {
		var done bool
		err := s.enqueue(context.Background(), &update{step: "checkpoint", done: make(chan struct{}), task: func(w *writer) (err error) {
			done, _, _, err = sqliteCheckpoint(w.c, checkpointTruncate)
			return err
		}})
		if err != nil {
			return fmt.Errorf("store: checkpoint: %w", sqliteError(err, s.o.Dir))
		}
		if done {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("store: checkpoint: a reader has kept the log for %s: try again when it has ended", checkpointPatience)
		}
		select {
		case <-s.closing:
			return ErrClosed
		case <-time.After(checkpointRetry):
		}
	}
}
