package main

import (
	"archive/tar"
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/modemgate/modemgate/driver/sim"
)

// What a wrong command line is answered with names what is wrong and what
// there is instead.
func TestWrongCommandLinesAreToldWhatThereIs(t *testing.T) {
	dir := t.TempDir()
	gone := filepath.Join(dir, "gone", "b.tar")
	noTar := filepath.Join(dir, "no.tar")
	if err := os.WriteFile(noTar, []byte("nothing of ours"), 0o600); err != nil {
		t.Fatal(err)
	}
	cut := filepath.Join(dir, "cut.tar")
	var whole bytes.Buffer
	tw := tar.NewWriter(&whole)
	if err := tw.WriteHeader(&tar.Header{Name: "pepper.key", Typeflag: tar.TypeReg, Mode: 0o600, Size: 32}); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(cut, append(whole.Bytes(), "half of it"...), 0o600); err != nil {
		t.Fatal(err)
	}
	env := offlineEnv(filepath.Join(dir, "data"))
	for name, c := range map[string]struct {
		args  []string
		says  []string
		never string
	}{
		"a flag of status":    {[]string{"status", "--foo"}, []string{"there is no flag --foo; there are --config, --json"}, "begins with -"},
		"a flag of send":      {[]string{"send", "+447700900123", "--foo"}, []string{"there is no flag --foo", "--ttl", "before a text that begins with - write --"}, ""},
		"a restore of none":   {[]string{"restore", gone}, []string{"there is no file " + gone, "modemgate backup"}, ""},
		"a restore of no tar": {[]string{"restore", noTar}, []string{noTar + ": it is no whole backup"}, ""},
		"a restore cut short": {[]string{"restore", cut}, []string{cut + ": it is no whole backup: it ends early; take another copy"}, ""},
		"a backup to nowhere": {[]string{"backup", gone}, []string{"there is no directory " + filepath.Dir(gone)}, ".b.tar"},
	} {
		t.Run(name, func(t *testing.T) {
			r := modemgate(t, env, "", c.args...)
			for _, want := range c.says {
				if !strings.Contains(r.err, want) {
					t.Errorf("lacks %q: %s", want, r.err)
				}
			}
			if r.code == exitOK || c.never != "" && strings.Contains(r.err, c.never) {
				t.Errorf("exit %d: %s", r.code, r.err)
			}
		})
	}
}

// Each client of a daemon says that it can be told which.
func TestHelpOfClientsNamesConfig(t *testing.T) {
	for _, name := range strings.Fields("status send otp inbox explain resolve queue key backup restore erase doctor modems at trace ussd line messages cancel") {
		if r := modemgate(t, nil, "", name, "--help"); r.code != exitOK || !strings.Contains(r.out, "[--config FILE]") {
			t.Errorf("%s: exit %d: %s", name, r.code, r.out)
		}
	}
}

func TestHelpOfSimNamesEveryProfile(t *testing.T) {
	r := modemgate(t, nil, "", "sim", "--help")
	for _, name := range sim.Profiles() {
		if !strings.Contains(r.out, name) {
			t.Errorf("lacks %q: %s", name, r.out)
		}
	}
}

func TestSecondSignalSaysWhatItDoes(t *testing.T) {
	signals := make(chan os.Signal)
	var said bytes.Buffer
	canceled, code := make(chan struct{}), make(chan int, 1)
	go obey(signals, func() { close(canceled) }, 0, &said, func(c int) { code <- c })
	signals <- syscall.SIGINT
	<-canceled
	if len(code) > 0 {
		t.Fatal("the first signal ends the program at once")
	}
	signals <- syscall.SIGINT
	if c := <-code; c != exitFailed || !strings.Contains(said.String(), "stopped at once") {
		t.Errorf("exit %d: %s", c, &said)
	}
}

func TestLogWritesDurationsInWords(t *testing.T) {
	var out bytes.Buffer
	newLog(&out, "info").Info("x", "wait", time.Minute)
	if !strings.Contains(out.String(), `"wait":"1m0s"`) {
		t.Errorf("got %s", &out)
	}
}
