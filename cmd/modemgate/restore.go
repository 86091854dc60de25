package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/modemgate/modemgate/configs"
	"github.com/modemgate/modemgate/gateway"
	"github.com/modemgate/modemgate/gateway/store"
)

var restoreCommand = command{
	name: "restore", args: "FILE [--config FILE]", summary: "bring a backup back into an empty data directory",
	help: `  modemgate restore /var/backups/modemgate-2026-05-01.tar
  sudo -u modemgate modemgate restore - < /var/backups/modemgate-2026-05-01.tar

The daemon must not run. Messages that were queued are held until
modemgate queue release or modemgate queue drop, since they may have been sent
after the backup; pending one-time passwords are canceled; keys that were
revoked after the backup live again and are listed.`,
	run: func(ctx context.Context, s system, args []string) int { return report(s, restore(ctx, s, args)) },
}

// restored is what a restore changed.
type restored struct {
	held int
	keys []string
}

func restore(ctx context.Context, s system, args []string) error {
	f := newClientFlags("restore", false)
	pos, err := f.parse(args, 1, 1)
	if err != nil {
		return err
	}
	cfg, err := clientConfig(s, f.config, false)
	if err != nil {
		return err
	}
	if dialable(ctx, filepath.Join(cfg.DataDir, socketName)) == nil {
		return &failure{
			code: exitFailed, text: "a daemon" + lockHolder(cfg.DataDir) + " uses " + cfg.DataDir,
			hints: []string{"stop it first: systemctl stop modemgate, or Ctrl-C where it runs"},
		}
	}
	in := s.in
	if pos[0] != "-" {
		file, err := os.Open(pos[0])
		if errors.Is(err, fs.ErrNotExist) {
			return &failure{code: exitFailed, text: "there is no file " + pos[0], hints: []string{"name the file that modemgate backup wrote, or - for standard input"}}
		}
		if err != nil {
			return err
		}
		defer file.Close()
		in = file
	}
	if err := ownedByUs(cfg.DataDir); err != nil {
		return err
	}
	name := pos[0]
	if name == "-" {
		name = "standard input"
	}
	r, err := restoreInto(ctx, cfg, in, name)
	if err != nil {
		return err
	}
	showRestored(s.out, cfg.DataDir, r)
	return nil
}

func showRestored(w io.Writer, dir string, r restored) {
	fmt.Fprintf(w, "%s holds the backup now; modemgate serve starts with it\n\n", dir)
	if r.held > 0 {
		fmt.Fprintf(w, "%s held until modemgate queue release or modemgate queue drop\n", areCount(r.held, "message"))
	} else {
		fmt.Fprintln(w, "no message waits to be sent in it")
	}
	fmt.Fprintln(w, "pending one-time passwords are canceled")
	if len(r.keys) == 0 {
		fmt.Fprintln(w, "no key lives in it")
		return
	}
	fmt.Fprintf(w, "%s as when the backup was made: %s\n", count(len(r.keys), "key lives", "keys live"), strings.Join(r.keys, ", "))
	fmt.Fprintln(w, "  modemgate key revoke NAME ends those that were revoked since")
}

// restoreInto brings a backup into the data directory. All is prepared in a
// stage of its own; the database comes last, so that a restore that dies
// leaves nothing that sends.
func restoreInto(ctx context.Context, cfg configs.Config, in io.Reader, name string) (r restored, err error) {
	dir := cfg.DataDir
	names, err := entries(dir)
	if err != nil {
		return r, fmt.Errorf("data_dir: %w", err)
	}
	if len(names) > 0 {
		return r, &failure{
			code: exitFailed, text: fmt.Sprintf("data_dir: %s is not empty: it holds %s", dir, few(names)),
			hints: []string{"a restore never overwrites; move it away first:", fmt.Sprintf("mv %s %s.before-restore", dir, strings.TrimRight(dir, "/"))},
		}
	}
	unlock, err := lockDataDir(dir)
	if err != nil {
		return r, err
	}
	defer func() { err = firstError(err, unlock()) }()
	stage, err := makeStage(dir)
	if err != nil {
		return r, err
	}
	defer func() { err = firstError(err, os.RemoveAll(stage)) }()
	if err := unpack(ctx, in, stage, 2*int64(cfg.Storage.Max)); err != nil {
		return r, fmt.Errorf("restore: %s: %w", name, err)
	}
	if r, err = prepare(ctx, stage); err != nil {
		return r, err
	}
	return r, install(stage, dir)
}

// prepare checks the database of a stage and makes it safe to start with.
func prepare(ctx context.Context, stage string) (r restored, err error) {
	checked := filepath.Join(stage, "checked")
	if err := store.Restore(ctx, checked, filepath.Join(stage, store.FileName)); err != nil {
		return r, err
	}
	for _, name := range gateway.SecretFiles() {
		if err := os.Rename(filepath.Join(stage, name), filepath.Join(checked, name)); err != nil {
			return r, err
		}
	}
	secrets, err := gateway.LoadSecrets(checked, store.FileName)
	if err != nil {
		return r, err
	}
	st, err := store.OpenSQLite(ctx, store.Options{Dir: checked, SealKey: secrets.Seal})
	if err != nil {
		return r, err
	}
	r.held, r.keys, err = gateway.AfterRestore(ctx, st, time.Now())
	return r, errors.Join(err, st.Close())
}

// install moves what was prepared into the data directory, the database last.
func install(stage, dir string) error {
	checked := filepath.Join(stage, "checked")
	if _, err := os.Stat(filepath.Join(checked, store.FileName+"-wal")); err == nil {
		return errors.New("restore: the database did not close cleanly: try again")
	}
	for _, names := range [][]string{gateway.SecretFiles(), {store.FileName}} {
		for _, name := range names {
			if err := os.Rename(filepath.Join(checked, name), filepath.Join(dir, name)); err != nil {
				return err
			}
		}
		if err := syncDir(dir); err != nil {
			return err
		}
	}
	return nil
}

// few names the first of many.
func few(names []string) string {
	const most = 3
	if len(names) > most {
		return strings.Join(names[:most], ", ") + fmt.Sprintf(" and %d more", len(names)-most)
	}
	return strings.Join(names, ", ")
}
