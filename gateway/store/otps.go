package store

import "time"

const otpColumns = `id, api_key, purpose, recipient, state, rev, mac, attempts_used, max_attempts, sends_used, max_sends,
	length, ttl, created_at, expires_at, resend_at, ended_at, message_id, delivery_state, delivery_at, delivery_error,
	ref, metadata, simulated`

const selectOTP = `SELECT ` + otpColumns + ` FROM otps WHERE id=?`

func (o *OTP) fields() []any {
	return []any{&o.ID, &o.Key, &o.Purpose, &o.To, &o.State, &o.Rev, &o.MAC, &o.AttemptsUsed, &o.MaxAttempts,
		&o.SendsUsed, &o.MaxSends, &o.Length, &o.TTL, (*usec)(&o.CreatedAt), (*usec)(&o.ExpiresAt),
		(*usec)(&o.ResendAt), (*usec)(&o.EndedAt), &o.MessageID, &o.DeliveryState, (*usec)(&o.DeliveryAt),
		&o.DeliveryError, &o.Ref, (*raw)(&o.Metadata), &o.Simulated}
}

// InsertOTP implements [OTPs].
func (t *tx) InsertOTP(o *OTP) error {
	if o.Rev == 0 {
		o.Rev = 1
	}
	t.Notify(o.ID)
	return t.insert("otp "+o.ID+", or a pending one of its key, purpose and number,",
		`INSERT INTO otps (`+otpColumns+`) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT DO NOTHING`,
		o.ID, o.Key, o.Purpose, o.To, string(o.State), o.Rev, blob(o.MAC), o.AttemptsUsed, o.MaxAttempts,
		o.SendsUsed, o.MaxSends, o.Length, int64(o.TTL), us(o.CreatedAt), us(o.ExpiresAt), us(o.ResendAt),
		us(o.EndedAt), o.MessageID, string(o.DeliveryState), us(o.DeliveryAt), o.DeliveryError, o.Ref,
		string(o.Metadata), flag(o.Simulated))
}

// OTP implements [OTPs].
func (t *tx) OTP(id string) (*OTP, error) {
	if err := t.check(false); err != nil {
		return nil, err
	}
	if o := t.known.otp(id); o != nil {
		return o, nil
	}
	var o OTP
	if err := t.row(o.fields(), selectOTP, id); err != nil {
		return nil, err
	}
	t.known.keepOTP(&o)
	return &o, nil
}

// PendingOTP implements [OTPs]. Mostly there is none, which the index alone
// tells.
func (t *tx) PendingOTP(key, purpose, to string) (*OTP, error) {
	var id string
	err := t.row([]any{&id}, `SELECT id FROM otps WHERE state='pending' AND recipient=? AND api_key=? AND purpose=?`, to, key, purpose)
	if err != nil {
		return nil, err
	}
	return t.OTP(id)
}

// onto makes the change to a row in memory, and gives what makes it in the
// table.
func (c *OTPChange) onto(o *OTP) (u changes) {
	column(&u, "state", &o.State, c.State)
	column(&u, "mac", &o.MAC, c.MAC)
	if len(o.MAC) == 0 {
		o.MAC = nil // as it is read again
	}
	u.plus("sends_used", &o.SendsUsed, c.AddSends)
	column(&u, "expires_at", &o.ExpiresAt, c.ExpiresAt)
	column(&u, "resend_at", &o.ResendAt, c.ResendAt)
	column(&u, "ended_at", &o.EndedAt, c.EndedAt)
	column(&u, "message_id", &o.MessageID, c.MessageID)
	column(&u, "delivery_state", &o.DeliveryState, c.DeliveryState)
	column(&u, "delivery_at", &o.DeliveryAt, c.DeliveryAt)
	column(&u, "delivery_error", &o.DeliveryError, c.DeliveryError)
	column(&u, "simulated", &o.Simulated, c.Simulated)
	return u
}

// ChangeOTP implements [OTPs].
func (t *tx) ChangeOTP(id string, from []OTPState, c OTPChange) (bool, error) {
	var row OTP
	k := t.known.otps[id]
	if k != nil {
		row = *k
	}
	u := c.onto(&row)
	u.add("rev=rev+1")
	where, args := among("state", from)
	n, err := t.exec(`UPDATE otps SET `+u.clause()+` WHERE id=?`+where, append(append(u.args, id), args...)...)
	if err != nil || n == 0 {
		return false, err
	}
	if k != nil {
		*k = row
		k.Rev++
	}
	t.Notify(id)
	return true, nil
}

// CountTry implements [OTPs].
func (t *tx) CountTry(id string, now time.Time) (*OTP, bool, error) {
	n, err := t.exec(`UPDATE otps SET attempts_used=attempts_used+1, rev=rev+1
		WHERE id=? AND state='pending' AND expires_at>? AND attempts_used<max_attempts`, id, us(now))
	if err != nil || n == 0 {
		return nil, false, err
	}
	if o := t.known.otps[id]; o != nil {
		o.AttemptsUsed++
		o.Rev++
	}
	t.Notify(id)
	o, err := t.OTP(id)
	return o, err == nil, err
}

// OverdueOTPs implements [OTPs].
func (t *tx) OverdueOTPs(now time.Time, limit int) ([]string, error) {
	return t.strings(`SELECT id FROM otps WHERE state='pending' AND expires_at<=? ORDER BY expires_at LIMIT ?`, us(now), limit)
}

// NextOTPExpiry implements [OTPs].
func (t *tx) NextOTPExpiry() (time.Time, error) {
	return t.earliest(`SELECT expires_at FROM otps WHERE state='pending' ORDER BY expires_at LIMIT 1`)
}

// PurgeOTPs implements [OTPs].
func (t *tx) PurgeOTPs(endedBefore time.Time, limit int) (int, error) {
	n, err := t.exec(`DELETE FROM otps WHERE id IN
		(SELECT id FROM otps WHERE state<>'pending' AND ended_at<? ORDER BY ended_at LIMIT ?)`, us(endedBefore), limit)
	t.known.forgetOTPs()
	return int(n), err
}

// OTPsTo implements [OTPs].
func (t *tx) OTPsTo(number string) ([]string, error) {
	return t.strings(`SELECT id FROM otps WHERE state='pending' AND recipient=? UNION ALL
		SELECT id FROM otps WHERE state<>'pending' AND recipient=? ORDER BY id`, number, number)
}

// DeleteOTP implements [OTPs].
func (t *tx) DeleteOTP(id string) error {
	n, err := t.exec(`DELETE FROM otps WHERE id=?`, id)
	if err != nil {
		return err
	}
	if n == 0 {
		return ErrNotFound
	}
	delete(t.known.otps, id)
	t.Notify(id)
	return nil
}

// PendingOTPs implements [OTPs].
func (t *tx) PendingOTPs(limit int) ([]string, error) {
	return t.strings(`SELECT id FROM otps WHERE state='pending' ORDER BY expires_at LIMIT ?`, limit)
}
