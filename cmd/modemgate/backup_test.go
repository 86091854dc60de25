package main

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/modemgate/modemgate/gateway"
	"github.com/modemgate/modemgate/gateway/store"
)

// offlineEnv names a data directory that no daemon uses.
func offlineEnv(dir string) []string {
	return []string{"MODEMGATE_DATA_DIR=" + dir, "MODEMGATE_CONFIG=/dev/null"}
}

// must runs a command that has to succeed.
func must(t *testing.T, env []string, args ...string) string {
	t.Helper()
	r := modemgate(t, env, "", args...)
	if r.code != exitOK {
		t.Fatalf("%v: exit %d, err %s", args, r.code, r.err)
	}
	return r.out
}

func TestKeysWithoutDaemon(t *testing.T) {
	dir := filepath.Join(shortDir(t), "data")
	env := offlineEnv(dir)
	out := must(t, env, "key", "new", "shop", "--scopes", "otp", "--expires", "90d")
	if !strings.Contains(out, "\n  mg_") || !strings.Contains(out, "no daemon runs now") {
		t.Errorf("out %s", out)
	}
	if out := must(t, env, "key", "list"); !strings.Contains(out, "shop  live") {
		t.Errorf("out %s", out)
	}
	r := modemgate(t, env, "", "key", "new", "shop", "--scopes", "otp")
	if r.code != exitFailed || !strings.Contains(r.err, "exists") {
		t.Errorf("exit %d, err %s", r.code, r.err)
	}
	must(t, env, "key", "revoke", "shop")
	if out := must(t, env, "key", "list"); !strings.Contains(out, "shop  revoked") {
		t.Errorf("out %s", out)
	}
	if r := modemgate(t, env, "", "key", "revoke", "nobody"); r.code != exitFailed || !strings.Contains(r.err, "there is no key nobody") {
		t.Errorf("exit %d, err %s", r.code, r.err)
	}
}

// A daemon that starts or hangs holds the directory and answers nobody.
func TestOfflineRespectsTheLock(t *testing.T) {
	dir := shortDir(t)
	unlock, err := lockDataDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	// A second daemon hears of the first before it hears of its ports.
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	r := modemgate(t, offlineEnv(dir), "", "serve", "--api.listen", taken.Addr().String(), "--nats.listen", "127.0.0.1:0")
	if want := fmt.Sprintf("a modemgate (pid %d) runs with this data_dir already", os.Getpid()); r.code != exitFailed || !strings.Contains(r.err, want) {
		t.Errorf("serve: exit %d, err %s", r.code, r.err)
	}
	for _, args := range []string{"key list", "backup " + filepath.Join(t.TempDir(), "b.tar")} {
		r := modemgate(t, offlineEnv(dir), "", strings.Fields(args)...)
		if r.code != exitFailed || !strings.Contains(r.err, "is used by another modemgate") {
			t.Errorf("%s: exit %d, err %s", args, r.code, r.err)
		}
	}
}

func TestBackupAndRestore(t *testing.T) {
	base := shortDir(t)
	dir, file := filepath.Join(base, "data"), filepath.Join(base, "b.tar")
	env := offlineEnv(dir)
	must(t, env, "key", "new", "shop", "--scopes", "otp")
	if out := must(t, env, "backup", file); !strings.Contains(out, file) {
		t.Errorf("out %s", out)
	}
	must(t, env, "key", "revoke", "shop")
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("mode %v, %v", info.Mode(), err)
	}
	if stage, _ := filepath.Glob(filepath.Join(dir, stagePrefix+"*")); len(stage) > 0 {
		t.Errorf("%v is left", stage)
	}

	r := modemgate(t, env, "", "restore", file)
	if r.code != exitFailed || !strings.Contains(r.err, "is not empty") || !strings.Contains(r.err, "mv "+dir) {
		t.Errorf("exit %d, err %s", r.code, r.err)
	}
	if err := os.Rename(dir, dir+".old"); err != nil {
		t.Fatal(err)
	}
	out := must(t, env, "restore", file)
	for _, want := range []string{"no message waits to be sent", "one-time passwords are canceled", "1 key lives", "shop"} {
		if !strings.Contains(out, want) {
			t.Errorf("out lacks %q: %s", want, out)
		}
	}
	names, err := entries(dir)
	want := append(gateway.SecretFiles(), store.FileName)
	slices.Sort(want)
	if err != nil || !slices.Equal(names, want) {
		t.Errorf("%v, %v, want %v", names, err, want)
	}
	if out := must(t, env, "key", "list"); !strings.Contains(out, "shop  live, restored") {
		t.Errorf("out %s", out)
	}
}

// The same from standard input, for a file that only root may read.
func TestRestoreFromStandardInput(t *testing.T) {
	base := shortDir(t)
	file := filepath.Join(base, "b.tar")
	from := offlineEnv(filepath.Join(base, "a"))
	must(t, from, "key", "new", "shop", "--scopes", "otp")
	must(t, from, "backup", file)
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if r := modemgate(t, offlineEnv(filepath.Join(base, "b")), string(b), "restore", "-"); r.code != exitOK {
		t.Errorf("exit %d, err %s", r.code, r.err)
	}
}

// entry is one file of a made-up backup.
type entry struct {
	tar.Header
	body []byte
}

func archive(t *testing.T, list []entry) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, e := range list {
		if e.Typeflag == 0 {
			e.Typeflag = tar.TypeReg
		}
		if e.Typeflag == tar.TypeReg {
			e.Size = int64(len(e.body))
		}
		if err := w.WriteHeader(&e.Header); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(e.body); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestRestoreRefusesWhatIsNoBackup(t *testing.T) {
	key := make([]byte, secretSize)
	file := func(name string, body []byte) entry { return entry{tar.Header{Name: name, Mode: 0o777}, body} }
	keys := func(more ...entry) []entry {
		return append([]entry{file("pepper.key", key), file("seal.key", key), file("stream.key", key)}, more...)
	}
	for name, c := range map[string]struct {
		tar  []byte
		want string
	}{
		"empty":              {nil, "missing"},
		"no tar":             {bytes.Repeat([]byte("text "), 500), "no whole backup"},
		"cut off":            {archive(t, keys(file(store.FileName, make([]byte, 4096))))[:3000], "no whole backup"},
		"a key is missing":   {archive(t, keys()[1:]), "missing"},
		"no database":        {archive(t, keys()), store.FileName + " is missing"},
		"a path":             {archive(t, keys(file("../modemgate.db", key))), "which no backup"},
		"a path below":       {archive(t, keys(file("x/modemgate.db", key))), "which no backup"},
		"another file":       {archive(t, keys(file("authorized_keys", key))), "which no backup"},
		"a link":             {archive(t, []entry{{tar.Header{Name: "seal.key", Typeflag: tar.TypeSymlink, Linkname: "/etc/passwd"}, nil}}), "which no backup"},
		"a directory":        {archive(t, []entry{{tar.Header{Name: store.FileName, Typeflag: tar.TypeDir}, nil}}), "which no backup"},
		"a key twice":        {archive(t, keys(file("seal.key", key))), "which no backup"},
		"a key that is long": {archive(t, []entry{file("seal.key", make([]byte, secretSize+1))}), "may have 32 B"},
		"no database inside": {archive(t, keys(file(store.FileName, []byte("nothing")))), ""},
	} {
		t.Run(name, func(t *testing.T) {
			base := shortDir(t)
			dir := filepath.Join(base, "data")
			r := modemgate(t, offlineEnv(dir), string(c.tar), "restore", "-")
			if r.code != exitFailed || !strings.Contains(r.err, c.want) {
				t.Errorf("exit %d, err %s", r.code, r.err)
			}
			if names, err := entries(dir); err != nil || len(names) > 0 {
				t.Errorf("%v is left, %v", names, err)
			}
			if all, _ := os.ReadDir(base); len(all) != 1 {
				t.Errorf("%v is beside it", all)
			}
		})
	}
}

func TestUnpackBoundsTheDatabase(t *testing.T) {
	b := archive(t, []entry{{tar.Header{Name: store.FileName}, make([]byte, 1000)}})
	err := unpack(context.Background(), bytes.NewReader(b), t.TempDir(), 999)
	if err == nil || !strings.Contains(err.Error(), "storage.max") {
		t.Errorf("err %v", err)
	}
}

// A write that fails leaves the older backup as it was.
func TestWriteFileKeepsTheOldOne(t *testing.T) {
	path := filepath.Join(t.TempDir(), "b.tar")
	if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := writeFile(ctx, path, func(w io.Writer) error {
		_, err := w.Write([]byte("new"))
		return err
	})
	if err == nil {
		t.Error("no error")
	}
	if b, _ := os.ReadFile(path); string(b) != "old" {
		t.Errorf("holds %q", b)
	}
	if all, _ := os.ReadDir(filepath.Dir(path)); len(all) != 1 {
		t.Errorf("%v is left", all)
	}
}
