package store

import "errors"

// sequences are the numbers that the updates of one transaction have taken:
// each is read once and written once, before the commit. The write lock, held
// from the beginning of the transaction, keeps others from taking the same, so
// numbers become visible in their order. What an undone update took stays a
// gap.
type sequences map[string]*sequence

type sequence struct {
	last  int64
	taken bool
}

// sequence is the state of a sequence in this transaction.
func (t *tx) sequence(name string) (*sequence, error) {
	if s := t.seqs[name]; s != nil {
		return s, nil
	}
	s := new(sequence)
	err := t.row([]any{&s.last}, `SELECT last FROM sequences WHERE name=?`, name)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return nil, err
	}
	if t.seqs != nil {
		t.seqs[name] = s
	}
	return s, nil
}

// next takes the next number of a sequence; the first is 1.
func (t *tx) next(name string) (int64, error) {
	if err := t.check(true); err != nil {
		return 0, err
	}
	s, err := t.sequence(name)
	if err != nil {
		return 0, err
	}
	s.last++
	s.taken = true
	return s.last, nil
}

// store writes what was taken.
func (q sequences) store(c *conn) error {
	for name, s := range q {
		if !s.taken {
			continue
		}
		_, err := c.exec(`INSERT INTO sequences (name, last) VALUES (?, ?)
			ON CONFLICT (name) DO UPDATE SET last=excluded.last`, name, s.last)
		if err != nil {
			return err
		}
	}
	return nil
}
