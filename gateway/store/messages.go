package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
)

const messageColumns = `id, api_key, otp_id, recipient, encoding, priority, route, via, state, final, rev,
	on_unknown, report, ref, metadata, reference, wide, created_at, send_at, deadline_at, not_before, due_at,
	ended_at, text_until, attempts, resends, possible_duplicate, simulated, held, line, iccid, error`

const insertMessage = `INSERT INTO messages (` + messageColumns + `, body)
	VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT DO NOTHING`

const selectMessage = `SELECT ` + messageColumns + `, body FROM messages`

func textPlace(id string) string { return "messages/body/" + id }

// InsertMessage implements [Messages].
func (t *tx) InsertMessage(m *Message) error {
	if m.Rev == 0 {
		m.Rev = 1
	}
	body := t.seal.seal(textPlace(m.ID), []byte(m.Text))
	err := t.insert("message "+m.ID, insertMessage,
		m.ID, m.Key, m.OTPID, m.To, m.Encoding, m.Priority, m.Route, joinList(m.Via), string(m.State),
		flag(m.Final), m.Rev, m.OnUnknown, flag(m.Report), m.Ref, string(m.Metadata), m.Reference, flag(m.Wide),
		us(m.CreatedAt), us(m.SendAt), us(m.DeadlineAt), us(m.NotBefore), us(m.DueAt), us(m.EndedAt),
		us(m.TextUntil), m.Attempts, m.Resends, flag(m.PossibleDuplicate), flag(m.Simulated),
		flag(m.Held), m.Line, m.ICCID, m.Error, blob(body))
	if err != nil {
		return err
	}
	m.HasText = len(body) > 0
	for _, p := range m.Parts {
		if err := t.insertPart(m.ID, p); err != nil {
			return err
		}
	}
	t.Notify(m.ID)
	_, err = t.exec(insertHistory+`VALUES (?, 1, ?, ?, ?, 0, ?, '', '')`,
		m.ID, string(m.State), us(m.CreatedAt), m.Line, m.Error)
	return err
}

func scanMessage(r scanner, m *Message, body *[]byte) error {
	err := r.Scan(&m.ID, &m.Key, &m.OTPID, &m.To, &m.Encoding, &m.Priority, &m.Route, (*list)(&m.Via), &m.State,
		&m.Final, &m.Rev, &m.OnUnknown, &m.Report, &m.Ref, (*raw)(&m.Metadata), &m.Reference, &m.Wide,
		(*usec)(&m.CreatedAt), (*usec)(&m.SendAt), (*usec)(&m.DeadlineAt), (*usec)(&m.NotBefore),
		(*usec)(&m.DueAt), (*usec)(&m.EndedAt), (*usec)(&m.TextUntil), &m.Attempts, &m.Resends,
		&m.PossibleDuplicate, &m.Simulated, &m.Held, &m.Line, &m.ICCID, &m.Error, body)
	m.HasText = len(*body) > 0
	return err
}

// messages reads messages with their parts.
func (t *tx) messages(query string, args ...any) ([]*Message, error) {
	if err := t.writeRevs(); err != nil {
		return nil, err
	}
	var out []*Message
	var bodies [][]byte
	err := t.query(func(r scanner) error {
		m, body := new(Message), []byte(nil)
		err := scanMessage(r, m, &body)
		out, bodies = append(out, m), append(bodies, body)
		return err
	}, query, args...)
	if err != nil {
		return nil, err
	}
	for i, m := range out {
		if m.Parts, err = t.parts(m.ID); err != nil {
			return nil, err
		}
		t.known.keepMessage(m, bodies[i])
	}
	return out, nil
}

// Message implements [Messages].
func (t *tx) Message(id string) (*Message, error) {
	if err := t.check(false); err != nil {
		return nil, err
	}
	if m := t.known.message(id); m != nil {
		return m, nil
	}
	ms, err := t.messages(selectMessage+` WHERE id=?`, id)
	if err != nil {
		return nil, err
	}
	if len(ms) == 0 {
		return nil, ErrNotFound
	}
	return ms[0], nil
}

// MessageText implements [Messages].
func (t *tx) MessageText(id string) (string, error) {
	if err := t.check(false); err != nil {
		return "", err
	}
	var sealed []byte
	if k := t.known.messages[id]; k != nil {
		sealed = k.body
	} else if err := t.row([]any{&sealed}, `SELECT body FROM messages WHERE id=?`, id); err != nil {
		return "", err
	}
	text, err := t.seal.open(textPlace(id), sealed)
	if err != nil {
		return "", fmt.Errorf("text of message %s: %w", id, err)
	}
	return string(text), nil
}

// onto makes the change to a row in memory, and gives what makes it in the
// table.
func (c *MessageChange) onto(m *Message) (u changes) {
	column(&u, "state", &m.State, c.State)
	column(&u, "final", &m.Final, c.Final)
	column(&u, "route", &m.Route, c.Route)
	column(&u, "not_before", &m.NotBefore, c.NotBefore)
	column(&u, "due_at", &m.DueAt, c.DueAt)
	column(&u, "deadline_at", &m.DeadlineAt, c.DeadlineAt)
	column(&u, "ended_at", &m.EndedAt, c.EndedAt)
	column(&u, "text_until", &m.TextUntil, c.TextUntil)
	u.plus("attempts", &m.Attempts, c.AddAttempts)
	u.plus("resends", &m.Resends, c.AddResends)
	column(&u, "possible_duplicate", &m.PossibleDuplicate, c.PossibleDuplicate)
	column(&u, "simulated", &m.Simulated, c.Simulated)
	column(&u, "line", &m.Line, c.Line)
	column(&u, "iccid", &m.ICCID, c.ICCID)
	column(&u, "error", &m.Error, c.Error)
	column(&u, "held", &m.Held, c.Held)
	return u
}

// ChangeMessage implements [Messages].
func (t *tx) ChangeMessage(id string, from []State, c MessageChange) (bool, error) {
	var row Message
	k := t.known.messages[id]
	if k != nil {
		row = k.m
	}
	u := c.onto(&row)
	u.add("rev=rev+1")
	where, args := among("state", from)
	n, err := t.exec(`UPDATE messages SET `+u.clause()+` WHERE id=?`+where,
		append(append(u.args, id), args...)...)
	if err != nil || n == 0 {
		return false, err
	}
	if k != nil {
		k.m = row
	}
	t.raise(id)
	if c.State == nil && c.History == nil {
		return true, nil
	}
	return true, t.changeHistory(id, c)
}

// changeHistory adds the entry of a change; what the caller left out is taken
// from the change.
func (t *tx) changeHistory(id string, c MessageChange) error {
	h := HistoryEntry{}
	if c.History != nil {
		h = *c.History
	} else {
		if c.Line != nil {
			h.Line = *c.Line
		}
		if c.Error != nil {
			h.Error = *c.Error
		}
	}
	if h.State == "" && c.State != nil {
		h.State = *c.State
	}
	if h.At.IsZero() {
		h.At = c.At
	}
	return t.addHistory(id, h)
}

// raise remembers that the rev of a message was raised in its row: once per
// commit is enough for those who wait for it. What raiseLater has promised is
// kept by it.
func (t *tx) raise(id string) {
	if t.raised == nil {
		t.raised = make(map[string]bool)
	}
	if k := t.known.messages[id]; k != nil && !t.unraised[id] {
		k.m.Rev++
	}
	delete(t.unraised, id)
	t.raised[id] = true
	t.Notify(id)
}

// raiseLater raises the rev of a message with its next change, at the latest
// at the end of the update, unless it was raised already.
func (t *tx) raiseLater(id string) {
	if t.raised[id] {
		return
	}
	t.raise(id)
	if t.unraised == nil {
		t.unraised = make(map[string]bool)
	}
	t.unraised[id] = true
}

// writeRevs writes what raiseLater has promised.
func (t *tx) writeRevs() error {
	for id := range t.unraised {
		if _, err := t.exec(`UPDATE messages SET rev=rev+1 WHERE id=?`, id); err != nil {
			return err
		}
		delete(t.unraised, id)
	}
	return nil
}

const insertHistory = `INSERT INTO history (message_id, n, state, at, line, part, error, note, submission) `

// AddHistory implements [Messages].
func (t *tx) AddHistory(id string, h HistoryEntry) error {
	t.Notify(id)
	return t.addHistory(id, h)
}

// addHistory numbers the entry; without a state it takes the message's.
func (t *tx) addHistory(id string, h HistoryEntry) error {
	const next = `(SELECT COALESCE(MAX(n), 0)+1 FROM history WHERE message_id=?)`
	submission, err := h.Submission.text()
	if err != nil {
		return err
	}
	if h.State != "" {
		_, err := t.exec(insertHistory+`VALUES (?, `+next+`, ?, ?, ?, ?, ?, ?, ?)`,
			id, id, string(h.State), us(h.At), h.Line, h.Part, h.Error, h.Note, submission)
		return err
	}
	n, err := t.exec(insertHistory+`SELECT id, `+next+`, state, ?, ?, ?, ?, ?, ? FROM messages WHERE id=?`,
		id, us(h.At), h.Line, h.Part, h.Error, h.Note, submission, id)
	if err == nil && n == 0 {
		return ErrNotFound
	}
	return err
}

// History implements [Messages].
func (t *tx) History(id string) ([]HistoryEntry, error) {
	var out []HistoryEntry
	err := t.query(func(r scanner) error {
		var h HistoryEntry
		var submission raw
		err := r.Scan(&h.State, (*usec)(&h.At), &h.Line, &h.Part, &h.Error, &h.Note, &submission)
		if err == nil && len(submission) > 0 {
			err = json.Unmarshal(submission, &h.Submission)
		}
		out = append(out, h)
		return err
	}, `SELECT state, at, line, part, error, note, submission FROM history WHERE message_id=? ORDER BY n`, id)
	return out, err
}

// text is what the table keeps of a submission.
func (s *Submission) text() (string, error) {
	if s == nil {
		return "", nil
	}
	b, err := json.Marshal(s)
	return string(b), err
}

// DeleteMessage implements [Messages]. Parts and history go with it.
func (t *tx) DeleteMessage(id string) error {
	n, err := t.exec(`DELETE FROM messages WHERE id=?`, id)
	if err != nil {
		return err
	}
	if n == 0 {
		return ErrNotFound
	}
	delete(t.known.messages, id)
	delete(t.unraised, id)
	t.Notify(id)
	return nil
}

// EraseText implements [Messages].
func (t *tx) EraseText(id string) error {
	n, err := t.exec(`UPDATE messages SET body=NULL, rev=rev+1 WHERE id=? AND body IS NOT NULL`, id)
	if err != nil {
		return err
	}
	if n > 0 {
		if k := t.known.messages[id]; k != nil {
			k.body, k.m.HasText = nil, false
		}
		t.raise(id)
		return nil
	}
	_, err = t.Message(id)
	return err
}

// ErasableTexts implements [Messages].
func (t *tx) ErasableTexts(now time.Time, limit int) ([]string, error) {
	return t.strings(`SELECT id FROM messages WHERE text_until>0 AND body IS NOT NULL AND text_until<=?
		ORDER BY text_until LIMIT ?`, us(now), limit)
}

// PurgeMessages implements [Messages].
func (t *tx) PurgeMessages(before time.Time, limit int) (int, error) {
	n, err := t.exec(`DELETE FROM messages WHERE id IN
		(SELECT id FROM messages WHERE final=1 AND ended_at<? AND NOT (state='unknown' AND body IS NOT NULL)
		ORDER BY ended_at LIMIT ?)`, us(before), limit)
	t.known.forgetMessages()
	return int(n), err
}

// MessagesTo implements [Messages].
func (t *tx) MessagesTo(number string) ([]string, error) {
	var out []string
	for _, kind := range []string{kindQueued, kindOpen, kindFinal} {
		ids, err := t.strings(`SELECT id FROM messages WHERE `+kind+` AND recipient=?`, number)
		if err != nil {
			return nil, err
		}
		out = append(out, ids...)
	}
	slices.Sort(out)
	return out, nil
}

// NextReference implements [Messages].
func (t *tx) NextReference(destination []byte, wide bool) (int, error) {
	if len(destination) == 0 {
		return 0, errors.New("store: a concatenation reference needs a destination")
	}
	size := 1 << 8
	if wide {
		size = 1 << 16
	}
	var n int
	_, err := t.exec(`INSERT INTO concat_refs (destination, wide, last) VALUES (?, ?, 1)
		ON CONFLICT (destination, wide) DO UPDATE SET last=(concat_refs.last+1)%?`, destination, flag(wide), size)
	if err != nil {
		return 0, err
	}
	err = t.row([]any{&n}, `SELECT last FROM concat_refs WHERE destination=? AND wide=?`, destination, flag(wide))
	return n, err
}
