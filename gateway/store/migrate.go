package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// migration brings a database from one format to the next, in one
// transaction.
type migration func(c *conn) error

// migrations are all steps from an empty database to the present format: its
// number is their count. Steps are added, never changed; what 1.0 wrote is
// readable for all of 1.x.
var migrations = []migration{
	statements(schemaV1),
	statements(schemaV2),
	statements(schemaV3),
}

// statements is a migration that is only SQL.
func statements(list []string) migration {
	return func(c *conn) error {
		for _, s := range list {
			if err := c.once(context.Background(), sqliteSchema.Replace(s)); err != nil {
				return err
			}
		}
		return nil
	}
}

// version reads the format of a database; 0 when it is empty.
func version(ctx context.Context, c *conn) (int, error) {
	known, err := sqliteHasTable(ctx, c, "schema_version")
	if err != nil || !known {
		return 0, err
	}
	var v int
	err = c.rowOnce(ctx, []any{&v}, "SELECT version FROM schema_version")
	return v, err
}

func formatError(found, known int) error {
	return fmt.Errorf("%w: its format is %d and this one knows formats up to %d: start the version that wrote it, or a newer one",
		ErrFormat, found, known)
}

// migrate brings the database to the present format. The data of an older
// format is copied to FileName.vN first.
func (s *sqliteStore) migrate(ctx context.Context, c *conn) error {
	v, err := version(ctx, c)
	if err != nil {
		return err
	}
	if v > len(s.migrations) {
		return formatError(v, len(s.migrations))
	}
	if v == len(s.migrations) {
		return nil
	}
	if v > 0 {
		path := fmt.Sprintf("%s.v%d", s.path, v)
		if err := removeHalf(path); err != nil {
			return err
		}
		if err := copyTo(ctx, c, path); err != nil {
			return fmt.Errorf("copy before the change of format to %s: %w", filepath.Base(path), err)
		}
		s.o.Log.Info("store: the data was copied before its format is changed", "file", path, "from", v, "to", len(s.migrations))
	}
	if _, err := c.exec(sqliteBegin); err != nil {
		return err
	}
	if err := s.steps(ctx, c); err != nil {
		_, rerr := c.exec(sqliteRollback)
		return errors.Join(err, rerr)
	}
	_, err = c.exec(sqliteCommit)
	return err
}

// steps runs what is missing. The version is read again: another process may
// have been first.
func (s *sqliteStore) steps(ctx context.Context, c *conn) error {
	v, err := version(ctx, c)
	if err != nil {
		return err
	}
	for n := v; n < len(s.migrations); n++ {
		if err := s.migrations[n](c); err != nil {
			return fmt.Errorf("change of format from %d to %d: %w", n, n+1, err)
		}
	}
	if v == 0 {
		if err := statements([]string{
			`CREATE TABLE schema_version (version BIGINT NOT NULL)`,
			`INSERT INTO schema_version (version) VALUES (0)`,
		})(c); err != nil {
			return err
		}
	}
	_, err = c.exec(`UPDATE schema_version SET version=?`, len(s.migrations))
	return err
}

// copyTo writes a copy of the database to path: complete and on the disk, or
// not there. It replaces what is there.
func copyTo(ctx context.Context, c *conn, path string) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*") // 0600
	if err != nil {
		return err
	}
	defer func() {
		f.Close()
		if err != nil {
			os.Remove(f.Name())
		}
	}()
	if err := sqliteCopy(ctx, c, f.Name()); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// removeHalf removes the copies to path that a kill left half made: nothing
// else ever would, and they hold numbers.
func removeHalf(path string) error {
	dir, prefix := filepath.Dir(path), "."+filepath.Base(path)+"."
	list, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range list {
		if strings.HasPrefix(e.Name(), prefix) {
			err = errors.Join(err, os.Remove(filepath.Join(dir, e.Name())))
		}
	}
	return err
}
