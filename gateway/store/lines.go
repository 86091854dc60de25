package store

import "errors"

const lineColumns = `name, imei, iccid, number, paused, simulated, seen_at`

func (l *Line) fields() []any {
	return []any{&l.Name, &l.IMEI, &l.ICCID, &l.Number, &l.Paused, &l.Simulated, (*usec)(&l.SeenAt)}
}

// Line implements [Lines].
func (t *tx) Line(name string) (*Line, error) {
	var l Line
	if err := t.row(l.fields(), `SELECT `+lineColumns+` FROM lines WHERE name=?`, name); err != nil {
		return nil, err
	}
	return &l, nil
}

// PutLine implements [Lines].
func (t *tx) PutLine(l *Line) error {
	_, err := t.exec(`INSERT INTO lines (`+lineColumns+`) VALUES (?,?,?,?,?,?,?)
		ON CONFLICT (name) DO UPDATE SET imei=excluded.imei, iccid=excluded.iccid, number=excluded.number,
		paused=excluded.paused, simulated=excluded.simulated, seen_at=excluded.seen_at`,
		l.Name, l.IMEI, l.ICCID, l.Number, flag(l.Paused), flag(l.Simulated), us(l.SeenAt))
	return err
}

// ListLines implements [Lines]; by name.
func (t *tx) ListLines() ([]*Line, error) {
	var out []*Line
	err := t.query(func(r scanner) error {
		l := new(Line)
		out = append(out, l)
		return r.Scan(l.fields()...)
	}, `SELECT `+lineColumns+` FROM lines ORDER BY name`)
	return out, err
}

// PutSIM implements [Lines].
func (t *tx) PutSIM(s SIM) error {
	_, err := t.exec(`INSERT INTO sims (iccid, imsi, simulated, seen_at) VALUES (?,?,?,?)
		ON CONFLICT (iccid) DO UPDATE SET imsi=excluded.imsi, simulated=excluded.simulated, seen_at=excluded.seen_at`,
		s.ICCID, s.IMSI, flag(s.Simulated), us(s.SeenAt))
	return err
}

// ListSIMs implements [Lines]; by ICCID.
func (t *tx) ListSIMs() ([]SIM, error) {
	var out []SIM
	err := t.query(func(r scanner) error {
		var s SIM
		err := r.Scan(&s.ICCID, &s.IMSI, &s.Simulated, (*usec)(&s.SeenAt))
		out = append(out, s)
		return err
	}, `SELECT iccid, imsi, simulated, seen_at FROM sims ORDER BY iccid`)
	return out, err
}

// settingPrefix keeps the gateway's settings apart from the store's own.
const settingPrefix = "set/"

// Setting implements [Lines].
func (t *tx) Setting(name string) (string, error) {
	var v string
	err := t.row([]any{&v}, `SELECT value FROM settings WHERE name=?`, settingPrefix+name)
	if errors.Is(err, ErrNotFound) {
		return "", nil
	}
	return v, err
}

// PutSetting implements [Lines].
func (t *tx) PutSetting(name, value string) error {
	_, err := t.exec(`INSERT INTO settings (name, value) VALUES (?, ?)
		ON CONFLICT (name) DO UPDATE SET value=excluded.value`, settingPrefix+name, value)
	return err
}
