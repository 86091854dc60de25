package store

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Counter implements [Limits]. What was never counted is 0.
func (t *tx) Counter(kind, subject string, window time.Time) (int, error) {
	var n int
	err := t.row([]any{&n}, `SELECT n FROM counters WHERE time_window=? AND kind=? AND subject=?`, us(window), kind, subject)
	if errors.Is(err, ErrNotFound) {
		return 0, nil
	}
	return n, err
}

// Counters implements [Limits]. Each window is one branch of a UNION ALL.
func (t *tx) Counters(subject string, windows []Window) ([]int, error) {
	out := make([]int, len(windows))
	if len(windows) == 0 {
		return out, nil
	}
	var branches []string
	var args []any
	for i, w := range windows {
		branches = append(branches, fmt.Sprintf("SELECT %d, n FROM counters WHERE time_window=? AND kind=? AND subject=?", i))
		args = append(args, us(w.Start), w.Kind, subject)
	}
	return out, t.query(func(r scanner) error {
		var i, n int
		err := r.Scan(&i, &n)
		out[i] = n
		return err
	}, strings.Join(branches, " UNION ALL "), args...)
}

// AddCounters implements [Limits].
func (t *tx) AddCounters(subject string, windows []Window, n int) error {
	if len(windows) == 0 {
		return nil
	}
	var args []any
	for _, w := range windows {
		args = append(args, us(w.Start), w.Kind, subject, n)
	}
	_, err := t.exec(`INSERT INTO counters (time_window, kind, subject, n) VALUES (?, ?, ?, ?)`+
		strings.Repeat(", (?, ?, ?, ?)", len(windows)-1)+
		` ON CONFLICT (time_window, kind, subject) DO UPDATE SET n=counters.n+excluded.n`, args...)
	return err
}

// AddCounter implements [Limits].
func (t *tx) AddCounter(kind, subject string, window time.Time, n int) (int, error) {
	_, err := t.exec(`INSERT INTO counters (time_window, kind, subject, n) VALUES (?, ?, ?, ?)
		ON CONFLICT (time_window, kind, subject) DO UPDATE SET n=counters.n+excluded.n`, us(window), kind, subject, n)
	if err != nil {
		return 0, err
	}
	return t.Counter(kind, subject, window)
}

// AddMoment implements [Limits]. Events of the same microsecond share a row.
func (t *tx) AddMoment(kind, subject string, at time.Time) error {
	_, err := t.exec(`INSERT INTO moments (kind, subject, at, n) VALUES (?, ?, ?, 1)
		ON CONFLICT (kind, subject, at) DO UPDATE SET n=moments.n+1`, kind, subject, us(at))
	return err
}

// Moments implements [Limits].
func (t *tx) Moments(kind, subject string, since time.Time) ([]time.Time, error) {
	var out []time.Time
	err := t.query(func(r scanner) error {
		var at time.Time
		var n int
		if err := r.Scan((*usec)(&at), &n); err != nil {
			return err
		}
		for range n {
			out = append(out, at)
		}
		return nil
	}, `SELECT at, n FROM moments WHERE kind=? AND subject=? AND at>=? ORDER BY at`, kind, subject, us(since))
	return out, err
}

// Failures implements [Limits]. A number without failures has zero ones.
func (t *tx) Failures(number string) (NumberFailures, error) {
	var f NumberFailures
	err := t.row([]any{&f.Count, (*usec)(&f.WaitUntil), &f.Locked},
		`SELECT n, wait_until, locked FROM failures WHERE subject=?`, number)
	if errors.Is(err, ErrNotFound) {
		return NumberFailures{}, nil
	}
	return f, err
}

// SetFailures implements [Limits]. Zero failures take no row.
func (t *tx) SetFailures(number string, f NumberFailures) error {
	if f == (NumberFailures{}) {
		_, err := t.exec(`DELETE FROM failures WHERE subject=?`, number)
		return err
	}
	_, err := t.exec(`INSERT INTO failures (subject, n, wait_until, locked) VALUES (?, ?, ?, ?)
		ON CONFLICT (subject) DO UPDATE SET n=excluded.n, wait_until=excluded.wait_until, locked=excluded.locked`,
		number, f.Count, us(f.WaitUntil), flag(f.Locked))
	return err
}

// PurgeLimits implements [Limits]. Failures stay: they are reset by an
// approval or by hand only.
func (t *tx) PurgeLimits(before, month time.Time) (int, error) {
	counters, err := t.exec(`DELETE FROM counters WHERE time_window<? AND (time_window<? OR kind NOT LIKE '%-month')`, us(before), us(month))
	if err != nil {
		return 0, err
	}
	moments, err := t.exec(`DELETE FROM moments WHERE at<?`, us(before))
	return int(counters + moments), err
}

// IdempotencyRecord implements [Idempotency].
func (t *tx) IdempotencyRecord(key, path, id string) (*IdempotencyRecord, error) {
	r := IdempotencyRecord{Key: key, Path: path, ID: id}
	err := t.row([]any{&r.Fingerprint, &r.Status, &r.Resource, (*usec)(&r.At)},
		`SELECT fingerprint, status, resource, at FROM idempotency WHERE api_key=? AND path=? AND id=?`, key, path, id)
	if err != nil {
		return nil, err
	}
	return &r, nil
}

// PutIdempotency implements [Idempotency].
func (t *tx) PutIdempotency(r IdempotencyRecord) error {
	_, err := t.exec(`INSERT INTO idempotency (api_key, path, id, fingerprint, status, resource, at) VALUES (?,?,?,?,?,?,?)
		ON CONFLICT (api_key, path, id) DO UPDATE SET fingerprint=excluded.fingerprint, status=excluded.status,
		resource=excluded.resource, at=excluded.at`, r.Key, r.Path, r.ID, blob(r.Fingerprint), r.Status, r.Resource, us(r.At))
	return err
}

// DeleteIdempotency implements [Idempotency].
func (t *tx) DeleteIdempotency(key, path, id string) error {
	_, err := t.exec(`DELETE FROM idempotency WHERE api_key=? AND path=? AND id=?`, key, path, id)
	return err
}

// PurgeIdempotency implements [Idempotency].
func (t *tx) PurgeIdempotency(before time.Time) (int, error) {
	n, err := t.exec(`DELETE FROM idempotency WHERE at<?`, us(before))
	return int(n), err
}
