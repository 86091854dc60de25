package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// Backup writes a copy; see [Store]. It is one snapshot, made while commits
// go on, readable by its owner only, and on the disk when Backup returns. The
// file appears under its name when it is complete, and replaces an older one.
func (s *sqliteStore) Backup(ctx context.Context, path string) error {
	select {
	case <-s.closing:
		return ErrClosed
	default:
	}
	s.copies.Lock()
	defer s.copies.Unlock()
	c, err := sqliteOpen(ctx, s.path, "write") // VACUUM INTO wants no query_only
	if err != nil {
		return fmt.Errorf("store: backup: %w", sqliteError(err, s.o.Dir))
	}
	err = errors.Join(copyTo(ctx, c, path), c.close())
	if err != nil {
		return fmt.Errorf("store: backup to %s: %w", path, sqliteError(err, filepath.Dir(path)))
	}
	return nil
}

// Restore puts the copy at backup into dir as its database. dir must not hold
// one. The copy is checked first: damage, and [ErrFormat] when it is of a
// newer version. Sealed values need the key they were sealed with.
func Restore(ctx context.Context, dir, backup string) error {
	path := filepath.Join(dir, FileName)
	for _, suffix := range []string{"", "-wal"} {
		if _, err := os.Lstat(path + suffix); err == nil {
			return fmt.Errorf("store: restore: %s exists: move the old data away first", path+suffix)
		}
	}
	if err := checkBackup(ctx, backup); err != nil {
		return fmt.Errorf("store: restore from %s: %w", backup, err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("store: restore: %w", err)
	}
	if err := copyFile(backup, path); err != nil {
		return fmt.Errorf("store: restore: %w", err)
	}
	return nil
}

// checkBackup looks whether the file is a whole database of a known format.
func checkBackup(ctx context.Context, path string) error {
	if _, err := os.Stat(path); err != nil {
		return err
	}
	c, err := sqliteOpen(ctx, path, "check")
	if err != nil {
		return err
	}
	defer c.close()
	if err := sqliteCheck(ctx, c); err != nil {
		return err
	}
	v, err := version(ctx, c)
	if err != nil {
		return err
	}
	if v == 0 {
		return errors.New("the file is no backup of modemgate")
	}
	if v > len(migrations) {
		return formatError(v, len(migrations))
	}
	return nil
}

// copyFile copies from to to, atomically and durably, 0600.
func copyFile(from, to string) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.CreateTemp(filepath.Dir(to), "."+filepath.Base(to)+".*")
	if err != nil {
		return err
	}
	defer func() {
		out.Close()
		if err != nil {
			os.Remove(out.Name())
		}
	}()
	if _, err := io.Copy(out, in); err != nil {
		return err
	}
	if err := out.Sync(); err != nil {
		return err
	}
	if err := os.Rename(out.Name(), to); err != nil {
		return err
	}
	return syncDir(filepath.Dir(to))
}
