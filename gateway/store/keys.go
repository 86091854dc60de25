package store

import (
	"errors"
	"fmt"
)

const keyColumns = `name, hash, scopes, prefixes, per_minute, per_day, inbound_from, status_from, generation,
	created_at, expires_at, revoked_at, revived_at`

func (k *Key) fields() []any {
	return []any{&k.Name, &k.Hash, (*list)(&k.Scopes), (*list)(&k.To), &k.PerMinute, &k.PerDay, &k.InboundFrom,
		(*usec)(&k.StatusFrom), &k.Generation, (*usec)(&k.CreatedAt), (*usec)(&k.ExpiresAt), (*usec)(&k.RevokedAt),
		(*usec)(&k.RevivedAt)}
}

// PutKey implements [Keys]. The hash of another key is a conflict.
func (t *tx) PutKey(k *Key) error {
	other, err := t.KeyByHash(k.Hash)
	if err == nil && other.Name != k.Name {
		return fmt.Errorf("the secret of key %s belongs to another key: %w", k.Name, ErrConflict)
	}
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	_, err = t.exec(`INSERT INTO api_keys (`+keyColumns+`) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)
		ON CONFLICT (name) DO UPDATE SET hash=excluded.hash, scopes=excluded.scopes, prefixes=excluded.prefixes,
		per_minute=excluded.per_minute, per_day=excluded.per_day, inbound_from=excluded.inbound_from,
		status_from=excluded.status_from, generation=excluded.generation, created_at=excluded.created_at,
		expires_at=excluded.expires_at, revoked_at=excluded.revoked_at, revived_at=excluded.revived_at`,
		k.Name, k.Hash, joinList(k.Scopes), joinList(k.To), k.PerMinute, k.PerDay, k.InboundFrom, us(k.StatusFrom),
		k.Generation, us(k.CreatedAt), us(k.ExpiresAt), us(k.RevokedAt), us(k.RevivedAt))
	return err
}

// Key implements [Keys].
func (t *tx) Key(name string) (*Key, error) {
	return t.key(`name=?`, name)
}

// KeyByHash implements [Keys].
func (t *tx) KeyByHash(hash []byte) (*Key, error) {
	return t.key(`hash=?`, hash)
}

func (t *tx) key(where string, arg any) (*Key, error) {
	var k Key
	if err := t.row(k.fields(), `SELECT `+keyColumns+` FROM api_keys WHERE `+where, arg); err != nil {
		return nil, err
	}
	return &k, nil
}

// ListKeys implements [Keys]; by name.
func (t *tx) ListKeys() ([]*Key, error) {
	var out []*Key
	err := t.query(func(r scanner) error {
		k := new(Key)
		out = append(out, k)
		return r.Scan(k.fields()...)
	}, `SELECT `+keyColumns+` FROM api_keys ORDER BY name`)
	return out, err
}
