package store

import (
	"fmt"
	"time"
)

const setColumns = `id, iccid, sender, reference, wide, total, line, recipient, sender_type, first_at, due_at,
	inbound_id, amend_id, late_at, done, simulated`

const selectSet = `SELECT ` + setColumns + ` FROM sets WHERE `

func (s *Set) fields() []any {
	return []any{&s.ID, &s.Key.ICCID, &s.Key.From, &s.Key.Reference, &s.Key.Wide, &s.Key.Total, &s.Line, &s.To,
		&s.FromType, (*usec)(&s.FirstAt), (*usec)(&s.DueAt), &s.InboundID, &s.AmendID, (*usec)(&s.LateAt), &s.Done,
		&s.Simulated}
}

// sets reads sets with their parts.
func (t *tx) sets(where string, args ...any) ([]*Set, error) {
	var out []*Set
	err := t.query(func(r scanner) error {
		s := new(Set)
		out = append(out, s)
		return r.Scan(s.fields()...)
	}, selectSet+where, args...)
	if err != nil {
		return nil, err
	}
	for _, s := range out {
		if s.Parts, err = t.setParts(s.ID); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func setPlace(column string, set int64, seq int) string {
	return fmt.Sprintf("set_parts/%s/%d/%d", column, set, seq)
}

func (t *tx) setParts(set int64) ([]SetPart, error) {
	var out []SetPart
	err := t.query(func(r scanner) error {
		var p SetPart
		var body, pdu []byte
		err := r.Scan(&p.Seq, &body, &p.Encoding, &pdu, (*usec)(&p.SMSCAt), (*usec)(&p.At))
		if err != nil {
			return err
		}
		text, err := t.seal.open(setPlace("body", set, p.Seq), body)
		if err != nil {
			return fmt.Errorf("part %d of set %d: %w", p.Seq, set, err)
		}
		hex, err := t.seal.open(setPlace("raw", set, p.Seq), pdu)
		if err != nil {
			return fmt.Errorf("part %d of set %d: %w", p.Seq, set, err)
		}
		p.Text, p.Raw = string(text), string(hex)
		out = append(out, p)
		return nil
	}, `SELECT seq, body, encoding, raw, smsc_at, at FROM set_parts WHERE set_id=? ORDER BY seq`, set)
	return out, err
}

// maxSets bounds the sets of one key that a part is compared with: a phone may
// send first parts of one reference without end.
const maxSets = 32

// FindSets implements [Inbox].
func (t *tx) FindSets(k SetKey) ([]*Set, error) {
	return t.sets(`sender=? AND iccid=? AND reference=? AND wide=? AND total=? ORDER BY id DESC LIMIT ?`,
		k.From, k.ICCID, k.Reference, flag(k.Wide), k.Total, maxSets)
}

// Set implements [Inbox].
func (t *tx) Set(id int64) (*Set, error) {
	sets, err := t.sets(`id=?`, id)
	if err != nil {
		return nil, err
	}
	if len(sets) == 0 {
		return nil, ErrNotFound
	}
	return sets[0], nil
}

// InsertSet implements [Inbox].
func (t *tx) InsertSet(s *Set) error {
	id, err := t.next("sets")
	if err != nil {
		return err
	}
	_, err = t.exec(`INSERT INTO sets (`+setColumns+`) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)`,
		id, s.Key.ICCID, s.Key.From, s.Key.Reference, flag(s.Key.Wide), s.Key.Total, s.Line, s.To, s.FromType,
		us(s.FirstAt), us(s.DueAt), s.InboundID, s.AmendID, us(s.LateAt), flag(s.Done), flag(s.Simulated))
	if err != nil {
		return err
	}
	s.ID = id
	for _, p := range s.Parts {
		if err := t.AddSetPart(id, p); err != nil {
			return err
		}
	}
	return nil
}

// AddSetPart implements [Inbox].
func (t *tx) AddSetPart(set int64, p SetPart) error {
	return t.insert(fmt.Sprintf("part %d of set %d", p.Seq, set),
		`INSERT INTO set_parts (set_id, seq, body, encoding, raw, smsc_at, at) VALUES (?,?,?,?,?,?,?) ON CONFLICT DO NOTHING`,
		set, p.Seq, blob(t.seal.seal(setPlace("body", set, p.Seq), []byte(p.Text))), p.Encoding,
		blob(t.seal.seal(setPlace("raw", set, p.Seq), []byte(p.Raw))), us(p.SMSCAt), us(p.At))
}

// DropSetPart implements [Inbox].
func (t *tx) DropSetPart(set int64, seq int) error {
	_, err := t.exec(`DELETE FROM set_parts WHERE set_id=? AND seq=?`, set, seq)
	return err
}

// ChangeSet implements [Inbox].
func (t *tx) ChangeSet(id int64, c SetChange) error {
	var u changes
	value(&u, "due_at", c.DueAt)
	value(&u, "inbound_id", c.InboundID)
	value(&u, "amend_id", c.AmendID)
	value(&u, "late_at", c.LateAt)
	value(&u, "done", c.Done)
	if len(u.set) == 0 {
		return nil
	}
	n, err := t.exec(`UPDATE sets SET `+u.clause()+` WHERE id=?`, append(u.args, id)...)
	if err == nil && n == 0 {
		return ErrNotFound
	}
	return err
}

// OverdueSets implements [Inbox].
func (t *tx) OverdueSets(now time.Time, limit int) ([]*Set, error) {
	return t.sets(`due_at>0 AND due_at<=? ORDER BY due_at, id LIMIT ?`, us(now), limit)
}

// PurgeSets implements [Inbox].
func (t *tx) PurgeSets(before time.Time, limit int) (int, error) {
	n, err := t.exec(`DELETE FROM sets WHERE id IN
		(SELECT id FROM sets WHERE done=1 AND first_at<? ORDER BY first_at LIMIT ?)`, us(before), limit)
	return int(n), err
}

// EraseSetsFrom implements [Inbox]. The sets go too: they hold the number.
func (t *tx) EraseSetsFrom(number string) (int, error) {
	n, err := t.exec(`DELETE FROM sets WHERE sender=?`, number)
	return int(n), err
}
