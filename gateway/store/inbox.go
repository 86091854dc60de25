package store

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// SeenPDU implements [Inbox].
func (t *tx) SeenPDU(fingerprint []byte) (bool, error) {
	var n int
	err := t.row([]any{&n}, `SELECT 1 FROM pdus WHERE fingerprint=?`, fingerprint)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// AddPDU implements [Inbox]. A known one keeps the later time.
func (t *tx) AddPDU(fingerprint []byte, at time.Time) error {
	_, err := t.exec(`INSERT INTO pdus (fingerprint, at) VALUES (?, ?)
		ON CONFLICT (fingerprint) DO UPDATE SET at=excluded.at WHERE pdus.at<excluded.at`, fingerprint, us(at))
	return err
}

// PurgePDUs implements [Inbox].
func (t *tx) PurgePDUs(before time.Time, limit int) (int, error) {
	n, err := t.exec(`DELETE FROM pdus WHERE fingerprint IN
		(SELECT fingerprint FROM pdus WHERE at<? ORDER BY at LIMIT ?)`, us(before), limit)
	return int(n), err
}

const inboundColumns = `seq, id, sender, sender_type, recipient, line, iccid, body, encoding, parts, incomplete,
	amends, smsc_at, received_at, raw, simulated`

const selectInbound = `SELECT ` + inboundColumns + ` FROM inbound `

func inboundPlace(column, id string) string { return "inbound/" + column + "/" + id }

// InsertInbound implements [Inbox].
func (t *tx) InsertInbound(in *Inbound) error {
	seq, err := t.next("inbound")
	if err != nil {
		return err
	}
	err = t.insert("inbound "+in.ID,
		`INSERT INTO inbound (`+inboundColumns+`) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT DO NOTHING`,
		seq, in.ID, in.From, in.FromType, in.To, in.Line, in.ICCID,
		blob(t.seal.seal(inboundPlace("body", in.ID), []byte(in.Text))), in.Encoding, in.Parts, flag(in.Incomplete),
		in.Amends, us(in.SMSCAt), us(in.ReceivedAt),
		blob(t.seal.seal(inboundPlace("raw", in.ID), []byte(joinList(in.Raw)))), flag(in.Simulated))
	if err == nil {
		in.Seq = seq
	}
	return err
}

func (t *tx) inbound(query string, args ...any) ([]*Inbound, error) {
	var out []*Inbound
	err := t.query(func(r scanner) error {
		in := new(Inbound)
		var body, pdus []byte
		err := r.Scan(&in.Seq, &in.ID, &in.From, &in.FromType, &in.To, &in.Line, &in.ICCID, &body, &in.Encoding,
			&in.Parts, &in.Incomplete, &in.Amends, (*usec)(&in.SMSCAt), (*usec)(&in.ReceivedAt), &pdus, &in.Simulated)
		if err != nil {
			return err
		}
		text, err := t.seal.open(inboundPlace("body", in.ID), body)
		if err != nil {
			return fmt.Errorf("text of inbound %s: %w", in.ID, err)
		}
		list, err := t.seal.open(inboundPlace("raw", in.ID), pdus)
		if err != nil {
			return fmt.Errorf("PDUs of inbound %s: %w", in.ID, err)
		}
		in.Text, in.Raw = string(text), splitList(string(list))
		out = append(out, in)
		return nil
	}, query, args...)
	return out, err
}

// Inbound implements [Inbox].
func (t *tx) Inbound(id string) (*Inbound, error) {
	in, err := t.inbound(selectInbound+`WHERE id=?`, id)
	if err != nil {
		return nil, err
	}
	if len(in) == 0 {
		return nil, ErrNotFound
	}
	return in[0], nil
}

// ListInbound implements [Inbox].
func (t *tx) ListInbound(q InboundQuery) ([]*Inbound, error) {
	var where []string
	var args []any
	add := func(clause string, a ...any) {
		where = append(where, clause)
		args = append(args, a...)
	}
	if q.From != "" {
		add("sender=?", q.From)
	}
	if q.To != "" {
		add("recipient=?", q.To)
	}
	if q.Line != "" {
		add("line=?", q.Line)
	}
	if len(q.Lines) == 1 {
		add("line=?", q.Lines[0]) // in the order of its index, without a sort
	} else if len(q.Lines) > 1 {
		clause, lines := among("line", q.Lines)
		add(strings.TrimPrefix(clause, " AND "), lines...)
	}
	if !q.Since.IsZero() {
		add("received_at>=?", us(q.Since))
	}
	order := "DESC"
	if q.Ascending {
		order = "ASC"
		add("seq>?", q.After)
	} else if q.After != 0 {
		add("seq<?", q.After)
	}
	if q.Limit <= 0 {
		q.Limit = defaultLimit
	}
	sql := selectInbound
	if len(where) > 0 {
		sql += "WHERE " + strings.Join(where, " AND ")
	}
	return t.inbound(sql+" ORDER BY seq "+order+" LIMIT ?", append(args, q.Limit)...)
}

// LastInboundSeq implements [Inbox]: the last seq given, 0 when none was.
func (t *tx) LastInboundSeq() (int64, error) {
	s, err := t.sequence("inbound")
	if err != nil {
		return 0, err
	}
	return s.last, nil
}

// DeleteInbound implements [Inbox].
func (t *tx) DeleteInbound(id string) error {
	n, err := t.exec(`DELETE FROM inbound WHERE id=?`, id)
	if err == nil && n == 0 {
		return ErrNotFound
	}
	return err
}

// PurgeInbound implements [Inbox].
func (t *tx) PurgeInbound(receivedBefore time.Time, limit int) (int, error) {
	n, err := t.exec(`DELETE FROM inbound WHERE seq IN
		(SELECT seq FROM inbound WHERE received_at<? ORDER BY received_at LIMIT ?)`, us(receivedBefore), limit)
	return int(n), err
}

// InboundFrom implements [Inbox].
func (t *tx) InboundFrom(number string) ([]string, error) {
	return t.strings(`SELECT id FROM inbound WHERE sender=? ORDER BY seq`, number)
}
