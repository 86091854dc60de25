package store

import (
	"fmt"
	"slices"
	"time"
)

const partColumns = `idx, state, line, iccid, reference, attempts, submitted_at, sent_at, reported_at, status, error, signal`

func (t *tx) insertPart(id string, p Part) error {
	return t.insert(fmt.Sprintf("part %d of message %s", p.Index, id),
		`INSERT INTO parts (message_id, `+partColumns+`) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT DO NOTHING`,
		id, p.Index, string(p.State), p.Line, p.ICCID, p.Reference, p.Attempts,
		us(p.SubmittedAt), us(p.SentAt), us(p.ReportedAt), p.Status, p.Error, p.SignalDBM)
}

// fields are the places for partColumns.
func (p *Part) fields() []any {
	return []any{&p.Index, &p.State, &p.Line, &p.ICCID, &p.Reference, &p.Attempts,
		(*usec)(&p.SubmittedAt), (*usec)(&p.SentAt), (*usec)(&p.ReportedAt), &p.Status, &p.Error, &p.SignalDBM}
}

func (t *tx) parts(id string) ([]Part, error) {
	var out []Part
	err := t.query(func(r scanner) error {
		var p Part
		err := r.Scan(p.fields()...)
		out = append(out, p)
		return err
	}, `SELECT `+partColumns+` FROM parts WHERE message_id=? ORDER BY idx`, id)
	return out, err
}

// onto makes the change to a row in memory, and gives what makes it in the
// table.
func (c *PartChange) onto(p *Part) (u changes) {
	column(&u, "state", &p.State, c.State)
	column(&u, "line", &p.Line, c.Line)
	column(&u, "iccid", &p.ICCID, c.ICCID)
	column(&u, "reference", &p.Reference, c.Reference)
	u.plus("attempts", &p.Attempts, c.AddAttempts)
	column(&u, "submitted_at", &p.SubmittedAt, c.SubmittedAt)
	column(&u, "sent_at", &p.SentAt, c.SentAt)
	column(&u, "reported_at", &p.ReportedAt, c.ReportedAt)
	column(&u, "status", &p.Status, c.Status)
	column(&u, "error", &p.Error, c.Error)
	column(&u, "signal", &p.SignalDBM, c.SignalDBM)
	return u
}

// ChangePart implements [Messages].
func (t *tx) ChangePart(id string, index int, from []State, c PartChange) (bool, error) {
	row := &Part{} // the known one, if it is known
	if k := t.known.messages[id]; k != nil {
		if i := slices.IndexFunc(k.m.Parts, func(p Part) bool { return p.Index == index }); i >= 0 {
			row = &k.m.Parts[i]
		}
	}
	changed := *row
	u := c.onto(&changed)
	if len(u.set) == 0 {
		u.add("idx=idx") // only asks for the state
	}
	where, args := among("state", from)
	n, err := t.exec(`UPDATE parts SET `+u.clause()+` WHERE message_id=? AND idx=?`+where,
		append(append(u.args, id, index), args...)...)
	if err != nil || n == 0 {
		return false, err
	}
	if c.State != nil && *c.State == Unknown {
		if _, err := t.exec(`INSERT INTO unanswered (iccid, submitted_at, message_id, part)
			SELECT iccid, submitted_at, message_id, idx FROM parts WHERE message_id=? AND idx=? ON CONFLICT DO NOTHING`, id, index); err != nil {
			return false, err
		}
	}
	*row = changed
	t.raiseLater(id)
	return true, nil
}

// selectPartRefs reads parts with their messages. The join reaches a message
// by its key for each part found.
const selectPartRefs = `SELECT p.message_id, m.recipient, m.state, m.final, p.idx, p.state, p.line, p.iccid, p.reference,
	p.attempts, p.submitted_at, p.sent_at, p.reported_at, p.status, p.error, p.signal
	FROM parts p JOIN messages m ON m.id=p.message_id `

func (t *tx) partRefs(query string, args ...any) ([]PartRef, error) {
	var out []PartRef
	err := t.query(func(r scanner) error {
		var p PartRef
		err := r.Scan(append([]any{&p.MessageID, &p.To, &p.MsgState, &p.Final}, p.Part.fields()...)...)
		out = append(out, p)
		return err
	}, query, args...)
	return out, err
}

// OpenIntents implements [Messages].
func (t *tx) OpenIntents(iccid string, since time.Time) ([]Intent, error) {
	var out []Intent
	err := t.query(func(r scanner) error {
		var i Intent
		err := r.Scan(&i.MessageID, &i.Part, (*usec)(&i.SubmittedAt))
		out = append(out, i)
		return err
	}, `SELECT message_id, idx, submitted_at AS at FROM parts WHERE state='sending' AND iccid=? AND submitted_at>=?
		UNION SELECT message_id, part, submitted_at AS at FROM unanswered WHERE iccid=? AND submitted_at>=?
		ORDER BY at, message_id`, iccid, us(since), iccid, us(since))
	return out, err
}

// ForgetIntents implements [Messages].
func (t *tx) ForgetIntents(iccid string, until time.Time) error {
	_, err := t.exec(`DELETE FROM unanswered WHERE iccid=? AND submitted_at<=?`, iccid, us(until))
	return err
}

// PurgeIntents implements [Messages].
func (t *tx) PurgeIntents(before time.Time) (int, error) {
	n, err := t.exec(`DELETE FROM unanswered WHERE submitted_at<?`, us(before))
	return int(n), err
}

// PartsByReference implements [Messages].
func (t *tx) PartsByReference(iccid string, mr int, from, to time.Time) ([]PartRef, error) {
	if mr < 0 {
		mr = -1
	}
	const where = `AND p.iccid=? AND p.reference=? AND p.submitted_at>=? AND p.submitted_at<=?
		ORDER BY p.submitted_at DESC, p.message_id DESC, p.idx DESC`
	sent, err := t.partRefs(selectPartRefs+`WHERE p.state='sent' `+where, iccid, mr, us(from), us(to))
	if err != nil {
		return nil, err
	}
	unknown, err := t.partRefs(selectPartRefs+`WHERE p.state='unknown' `+where, iccid, mr, us(from), us(to))
	if err != nil {
		return nil, err
	}
	return mergeRefs(sent, unknown, func(a, b PartRef) bool {
		return a.Part.SubmittedAt.After(b.Part.SubmittedAt)
	}), nil
}

// ReferenceTaken implements [Messages].
func (t *tx) ReferenceTaken(iccid string, mr int, since time.Time, sinceID string) (bool, error) {
	var n int
	err := t.row([]any{&n}, `SELECT COUNT(*) FROM parts WHERE message_id>=? AND iccid=? AND reference=? AND submitted_at>=?`,
		sinceID, iccid, mr, us(since))
	return n > 0, err
}

// mergeRefs merges two ordered lists.
func mergeRefs(a, b []PartRef, first func(a, b PartRef) bool) []PartRef {
	out := make([]PartRef, 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		if first(b[0], a[0]) {
			out, b = append(out, b[0]), b[1:]
			continue
		}
		out, a = append(out, a[0]), a[1:]
	}
	return append(append(out, a...), b...)
}

const maxMR = 255 // TP-MR is one octet, 3GPP TS 23.040 §9.2.3.6

func reportPlace(id int64) string { return fmt.Sprintf("reports/recipient/%d", id) }

// AddReport implements [Messages].
func (t *tx) AddReport(r Report) error {
	id, err := t.next("reports")
	if err != nil {
		return err
	}
	_, err = t.exec(`INSERT INTO reports (id, line, iccid, mr, recipient, status, sent_at, received_at)
		VALUES (?,?,?,?,?,?,?,?)`, id, r.Line, r.ICCID, r.MR,
		blob(t.seal.seal(reportPlace(id), []byte(r.Recipient))), r.Status, us(r.SentAt), us(r.ReceivedAt))
	return err
}

// Reports implements [Messages].
func (t *tx) Reports(iccid string, mr int) ([]Report, error) {
	var out []Report
	last := mr
	if mr < 0 {
		last = maxMR
	}
	err := t.query(func(row scanner) error {
		r := Report{ICCID: iccid}
		var sealed []byte
		err := row.Scan(&r.ID, &r.Line, &r.MR, &sealed, &r.Status, (*usec)(&r.SentAt), (*usec)(&r.ReceivedAt))
		if err != nil {
			return err
		}
		recipient, err := t.seal.open(reportPlace(r.ID), sealed)
		r.Recipient = string(recipient)
		out = append(out, r)
		return err
	}, `SELECT id, line, mr, recipient, status, sent_at, received_at FROM reports WHERE iccid=? AND mr>=? AND mr<=? ORDER BY id`,
		iccid, max(mr, 0), last)
	return out, err
}

// DeleteReport implements [Messages].
func (t *tx) DeleteReport(id int64) error {
	_, err := t.exec(`DELETE FROM reports WHERE id=?`, id)
	return err
}

// PurgeReports implements [Messages].
func (t *tx) PurgeReports(before time.Time) (int, error) {
	n, err := t.exec(`DELETE FROM reports WHERE received_at<?`, us(before))
	return int(n), err
}
