package store

import "time"

// Rewind implements [Lines]. Messages move as a whole, so that what was left
// of their lifetime is left; the rest is set to the latest time it can have.
func (t *tx) Rewind(to time.Time, l RewindLimits) error {
	t.known = known{}
	now, text, report, wait := us(to), us(to.Add(l.Text)), us(to.Add(l.Report)), us(to.Add(l.Wait))
	for _, s := range []struct {
		sql  string
		args []any
	}{
		{`UPDATE messages SET deadline_at=deadline_at-created_at+?, not_before=not_before-created_at+?,
			send_at=CASE WHEN send_at=0 THEN 0 ELSE send_at-created_at+? END, created_at=? WHERE created_at>?`,
			[]any{now, now, now, now, now}},
		{`UPDATE messages SET not_before=? WHERE state='queued' AND send_at=0 AND not_before>?`, []any{now, now}},
		{`UPDATE messages SET due_at=? WHERE final=0 AND state<>'queued' AND due_at>?`, []any{report, report}},
		{`UPDATE messages SET ended_at=? WHERE final=1 AND ended_at>?`, []any{now, now}},
		{`UPDATE messages SET text_until=? WHERE text_until>0 AND text_until>? AND body IS NOT NULL`, []any{text, text}},
		{`UPDATE otps SET ended_at=? WHERE state<>'pending' AND ended_at>?`, []any{now, now}},
		{`UPDATE failures SET wait_until=? WHERE wait_until>?`, []any{wait, wait}},
		{`DELETE FROM counters WHERE time_window>?`, []any{now}},
		{`DELETE FROM moments WHERE at>?`, []any{now}},
		{`UPDATE idempotency SET at=? WHERE at>?`, []any{now, now}},
		{`UPDATE reports SET received_at=? WHERE received_at>?`, []any{now, now}},
		{`UPDATE inbound SET received_at=? WHERE received_at>?`, []any{now, now}},
		{`UPDATE pdus SET at=? WHERE at>?`, []any{now, now}},
		{`UPDATE sets SET due_at=CASE WHEN due_at=0 THEN 0 ELSE ? END, first_at=? WHERE first_at>?`, []any{now, now, now}},
		{`UPDATE api_keys SET status_from=? WHERE status_from>?`, []any{now, now}},
	} {
		if _, err := t.exec(s.sql, s.args...); err != nil {
			return err
		}
	}
	return nil
}
