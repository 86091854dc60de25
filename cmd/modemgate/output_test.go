package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What cannot be printed is not done, also when all else is.
func TestAnswerThatCannotBeWritten(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip("needs /dev/full:", err)
	}
	defer full.Close()
	f := newFake(t, answers{"GET /v1/queue": {`{"otp":0}`}, "GET /v1/status": {wellStatus}, "POST /v1/admin/keys": {madeAdmin}})
	for _, args := range []string{"queue", "queue --json", "status", "version", "config", "check", "key new ops --scopes admin"} {
		var errs bytes.Buffer
		code := run(t.Context(), system{in: strings.NewReader(""), out: full, err: &errs, env: f.env()}, strings.Fields(args))
		if code != exitFailed || !strings.Contains(errs.String(), "no space left on device") {
			t.Errorf("%s: exit %d, err %s", args, code, errs.String())
		}
	}
}

// A command that only reads makes no data directory where there is none.
func TestKeysWithoutDataDirectory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "d")
	for _, args := range []string{"key list", "key revoke shop", "backup " + filepath.Join(t.TempDir(), "b.tar")} {
		r := modemgate(t, offlineEnv(dir), "", strings.Fields(args)...)
		if _, err := os.Stat(dir); r.code != exitUnreachable || !strings.Contains(r.err, "no daemon answers") || !os.IsNotExist(err) {
			t.Errorf("%s: exit %d, err %s, directory %v", args, r.code, r.err, err)
		}
	}
	if r := modemgate(t, offlineEnv(dir), "", "key", "new", "shop", "--scopes", "inbound:nix"); r.code != exitOK || !strings.Contains(r.err, "there is no line nix now") {
		t.Errorf("exit %d, err %s", r.code, r.err)
	}
	if r := modemgate(t, offlineEnv(dir), "", "key", "list"); r.code != exitOK || !strings.Contains(r.out, "inbound:nix") {
		t.Errorf("exit %d, out %s, err %s", r.code, r.out, r.err)
	}
}
