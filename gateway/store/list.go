package store

import (
	"slices"
	"strings"
)

// defaultLimit is the length of a page when the query names none.
const defaultLimit = 50

// ListMessages implements [Messages]. Pages are cut by id (keyset), so each
// begins with one seek and nothing is skipped when messages come meanwhile.
func (t *tx) ListMessages(q MessageQuery) ([]*Message, error) {
	if q.Limit <= 0 {
		q.Limit = defaultLimit
	}
	if q.State == "" {
		return t.page(q, "")
	}
	// A state has its final messages in one index and the open ones in
	// another; both pages are read and merged.
	open := "final=0 AND state<>'queued' AND state=?"
	if q.State == Queued {
		open = "state='queued' AND held IN (0, 1) AND state=?"
	}
	page, err := t.page(q, open)
	if err != nil {
		return nil, err
	}
	final, err := t.page(q, "final=1 AND state=?")
	if err != nil {
		return nil, err
	}
	page = append(page, final...)
	slices.SortFunc(page, func(a, b *Message) int {
		if q.Ascending {
			return strings.Compare(a.ID, b.ID)
		}
		return strings.Compare(b.ID, a.ID)
	})
	return page[:min(len(page), q.Limit)], nil
}

func (t *tx) page(q MessageQuery, state string) ([]*Message, error) {
	query, args := q.sql(state)
	return t.messages(query, args...)
}

// sql is the statement of a page; state is the condition on the state.
func (q MessageQuery) sql(state string) (string, []any) {
	var where []string
	var args []any
	add := func(clause string, a ...any) {
		where = append(where, clause)
		args = append(args, a...)
	}
	if state != "" {
		add(state, string(q.State))
	}
	if q.Key != "" {
		add("api_key=?", q.Key)
	}
	if q.NoOTP {
		add("otp_id=''")
	}
	if q.To != "" {
		add("recipient=?", q.To)
	}
	if q.Via != "" {
		add("(line=? OR ','||via||',' LIKE '%,'||?||',%')", q.Via, q.Via)
	}
	if !q.Since.IsZero() {
		add("created_at>=?", us(q.Since))
	}
	if !q.Until.IsZero() {
		add("created_at<?", us(q.Until))
	}
	order, beyond := "DESC", "id<?"
	if q.Ascending {
		order, beyond = "ASC", "id>?"
	}
	if q.Cursor != "" {
		add(beyond, q.Cursor)
	}
	sql := selectMessage
	if len(where) > 0 {
		sql += " WHERE " + strings.Join(where, " AND ")
	}
	return sql + " ORDER BY id " + order + " LIMIT ?", append(args, q.Limit)
}
