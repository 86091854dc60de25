package store

import (
	"slices"
	"strings"
)

// defaultLimit is the length of a page when the query names none.
const defaultLimit = 50

// literal keeps what a client gives from being a pattern of LIKE.
var literal = strings.NewReplacer("!", "!!", "%", "!%", "_", "!_")

// ListMessages implements [Messages]. Pages are cut by id (keyset), so each
// begins with one seek and nothing is skipped when messages come meanwhile.
func (t *tx) ListMessages(q MessageQuery) ([]*Message, error) {
	if q.Limit <= 0 {
		q.Limit = defaultLimit
	}
	var page []*Message
	for _, kind := range q.kinds() {
		p, err := t.page(q, kind)
		if err != nil {
			return nil, err
		}
		page = append(page, p...)
	}
	slices.SortFunc(page, func(a, b *Message) int {
		if q.Ascending {
			return strings.Compare(a.ID, b.ID)
		}
		return strings.Compare(b.ID, a.ID)
	})
	return page[:min(len(page), q.Limit)], nil
}

// The three kinds of messages have indices of their own.
const (
	kindQueued = "state='queued' AND held IN (0, 1)"
	kindOpen   = "final=0 AND state<>'queued'"
	kindFinal  = "final=1"
)

// kinds are the ranges that a query is made of: one in the order of ids, or
// those of the kinds of messages that can match, to be merged.
func (q MessageQuery) kinds() []string {
	switch {
	case q.State == Queued:
		return []string{kindQueued, kindFinal}
	case q.State != "":
		return []string{kindOpen, kindFinal}
	case q.To != "":
		return []string{kindQueued, kindOpen, kindFinal}
	}
	return []string{""}
}

func (t *tx) page(q MessageQuery, kind string) ([]*Message, error) {
	query, args := q.sql(kind)
	return t.messages(query, args...)
}

// sql is the statement of a page of one kind.
func (q MessageQuery) sql(kind string) (string, []any) {
	var where []string
	var args []any
	add := func(clause string, a ...any) {
		where = append(where, clause)
		args = append(args, a...)
	}
	// What is queued or open is little. As expressions the other conditions
	// find no index, such as the long one of a key, to be tempted by.
	column := func(name string) string {
		if kind == kindQueued || kind == kindOpen {
			return name + "||''"
		}
		return name
	}
	if kind != "" {
		add(kind)
	}
	if q.State != "" {
		add("state=?", string(q.State))
	}
	if q.Key != "" {
		add(column("api_key")+"=?", q.Key)
	}
	if q.OTPOf != "" {
		add("(otp_id='' OR "+column("api_key")+"=?)", q.OTPOf)
	}
	if q.To != "" {
		add(column("recipient")+"=?", q.To)
	}
	if q.Via != "" {
		add(`(line=? OR ','||via||','||route||',' LIKE '%,'||?||',%' ESCAPE '!')`, q.Via, literal.Replace(q.Via))
	}
	if !q.Since.IsZero() {
		add("created_at>=?", us(q.Since))
	}
	if !q.Until.IsZero() {
		add("created_at<?", us(q.Until))
	}
	order, beyond := "DESC", "<?"
	if q.Ascending {
		order, beyond = "ASC", ">?"
	}
	if q.Cursor != "" {
		add(column("id")+beyond, q.Cursor)
	}
	sql := selectMessage
	if len(where) > 0 {
		sql += " WHERE " + strings.Join(where, " AND ")
	}
	return sql + " ORDER BY " + column("id") + " " + order + " LIMIT ?", append(args, q.Limit)
}
