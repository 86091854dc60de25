package main

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/modemgate/modemgate/gateway"
	"github.com/modemgate/modemgate/gateway/store"
)

var backupCommand = command{
	name: "backup", args: "FILE [--config FILE]", summary: "write everything that must survive into one file, also while the daemon runs",
	help: `  modemgate backup /var/backups/modemgate-$(date +%F).tar

The file holds the database and the keys that open it: keep it as safe as the
data directory itself. It appears whole or not at all, for its owner only
(0600), and replaces an older one of its name.`,
	run: func(ctx context.Context, s system, args []string) int { return report(s, backup(ctx, s, args)) },
}

// stagePrefix begins the names of directories that a backup or a restore
// works in, inside the data_dir, so that nothing leaves its file system.
const stagePrefix = ".stage-"

// staleStage is the age from which a stage is one of a command that died.
const staleStage = 24 * time.Hour

func backup(ctx context.Context, s system, args []string) error {
	f := newClientFlags("backup", false)
	pos, err := f.parse(args, 1, 1)
	if err != nil {
		return err
	}
	if info, err := os.Stat(pos[0]); err == nil && !info.Mode().IsRegular() {
		return &failure{code: exitUsage, text: pos[0] + " is there and is no file: name a file"}
	}
	if info, err := os.Stat(filepath.Dir(pos[0])); err != nil || !info.IsDir() {
		return &failure{code: exitFailed, text: "there is no directory " + filepath.Dir(pos[0]), hints: []string{"make it first, or name a file in one that is there"}}
	}
	c, err := connectHere(ctx, s, f.config, onData)
	if err != nil {
		return err
	}
	size, err := c.backup(ctx, pos[0])
	if err = firstError(err, c.close()); err != nil {
		return err
	}
	fmt.Fprintf(s.out, "%s holds the database and its keys, %s: keep it as safe as %s\n", pos[0], octets(size), c.cfg.DataDir)
	return nil
}

// backup has the daemon copy its database and packs the copy with the keys.
func (c *client) backup(ctx context.Context, file string) (size int64, err error) {
	stage, err := makeStage(c.cfg.DataDir)
	if err != nil {
		return 0, err
	}
	defer func() { err = firstError(err, os.RemoveAll(stage)) }()
	database := filepath.Join(stage, store.FileName)
	_, err = c.do(ctx, call{method: http.MethodPost, path: "/v1/admin/backup", body: map[string]string{"path": database}, long: true}, nil)
	if err != nil {
		return 0, err
	}
	contents := []string{database}
	for _, name := range gateway.SecretFiles() {
		contents = append(contents, filepath.Join(c.cfg.DataDir, name))
	}
	return writeFile(ctx, file, func(w io.Writer) error { return pack(w, contents) })
}

// makeStage makes a private directory in the data directory, of the same
// owner, and clears away those that died with their command.
func makeStage(dir string) (string, error) {
	stale, _ := filepath.Glob(filepath.Join(dir, stagePrefix+"*"))
	for _, old := range stale {
		if info, err := os.Lstat(old); err == nil && time.Since(info.ModTime()) > staleStage {
			_ = os.RemoveAll(old)
		}
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	stage, err := os.MkdirTemp(dir, stagePrefix)
	if err != nil {
		return "", fmt.Errorf("data_dir: %w", err)
	}
	info, err := os.Stat(dir)
	if err == nil && os.Geteuid() == 0 {
		if owner, ok := info.Sys().(*syscall.Stat_t); ok {
			err = giveAway(stage, int(owner.Uid), int(owner.Gid)) // the daemon writes into it
		}
	}
	if err != nil {
		_ = os.RemoveAll(stage)
		return "", fmt.Errorf("data_dir: %w", err)
	}
	return stage, nil
}

// giveAway gives a directory to another owner. The one who owns what is around
// it may have put a link in its place: that is never followed.
func giveAway(dir string, uid, gid int) error {
	f, err := os.OpenFile(dir, os.O_RDONLY|syscall.O_DIRECTORY|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Chown(uid, gid), f.Close())
}

// writeFile writes a file for its owner only, whole or not at all, and
// durably. It returns the size.
func writeFile(ctx context.Context, path string, write func(io.Writer) error) (size int64, err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return 0, err
	}
	defer func() {
		f.Close()
		if err != nil {
			os.Remove(f.Name())
		}
	}()
	if err := errors.Join(write(canceled{ctx, f}), f.Sync()); err != nil {
		return 0, fmt.Errorf("write %s: %w", path, err)
	}
	if size, err = f.Seek(0, io.SeekEnd); err != nil {
		return 0, err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return 0, err
	}
	return size, syncDir(filepath.Dir(path))
}

// canceled is a writer that fails once its context has ended.
type canceled struct {
	ctx context.Context
	w   io.Writer
}

func (c canceled) Write(b []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.w.Write(b)
}

func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// pack writes files into a tar under their last names (POSIX.1-2001 pax).
func pack(w io.Writer, paths []string) error {
	t := tar.NewWriter(w)
	for _, path := range paths {
		if err := packFile(t, path); err != nil {
			return err
		}
	}
	return t.Close()
}

func packFile(t *tar.Writer, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	h := &tar.Header{
		Typeflag: tar.TypeReg, Name: filepath.Base(path), Size: info.Size(), Mode: 0o600,
		ModTime: info.ModTime().Truncate(time.Second), Format: tar.FormatPAX,
	}
	if err := t.WriteHeader(h); err != nil {
		return err
	}
	_, err = io.Copy(t, f)
	return err
}

// secretSize is the size of a key file, octets.
const secretSize = 32

// unpack writes the files of a backup into dir. Only the names of a backup
// are taken, each once, as plain files; limit bounds the database, octets.
func unpack(ctx context.Context, r io.Reader, dir string, limit int64) error {
	missing := map[string]int64{store.FileName: limit}
	for _, name := range gateway.SecretFiles() {
		missing[name] = secretSize
	}
	t := tar.NewReader(r)
	for {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return notWhole(err)
		}
		most, known := missing[h.Name]
		switch {
		case !known || h.Typeflag != tar.TypeReg:
			return fmt.Errorf("it holds %q, which no backup of modemgate does", h.Name)
		case h.Size > most:
			return fmt.Errorf("its %s has %s and may have %s: raise storage.max if that is right", h.Name, octets(h.Size), octets(most))
		}
		delete(missing, h.Name)
		if err := unpackFile(ctx, filepath.Join(dir, h.Name), t); err != nil {
			return notWhole(err)
		}
	}
	if len(missing) > 0 {
		var names []string
		for name := range missing {
			names = append(names, name)
		}
		slices.Sort(names)
		return fmt.Errorf("it is no whole backup: %s is missing", strings.Join(names, ", "))
	}
	return nil
}

// notWhole says of a file that ends too early what that means; another error
// of the archive is no backup either, and one of this machine stays as it is.
func notWhole(err error) error {
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("it is no whole backup: it ends early; take another copy")
	case errors.Is(err, tar.ErrHeader):
		return fmt.Errorf("it is no whole backup: %w", err)
	}
	return err
}

func unpackFile(ctx context.Context, path string, r io.Reader) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(canceled{ctx, f}, r)
	return errors.Join(err, f.Sync(), f.Close())
}

// entries lists what is in a data directory; the lock file does not count.
func entries(dir string) ([]string, error) {
	list, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var names []string
	for _, e := range list {
		if e.Name() != "lock" {
			names = append(names, e.Name())
		}
	}
	return names, err
}
