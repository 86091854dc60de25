package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// timeout(1), which sends its signal to the program and to the group, ends the
// demonstration at once, in the middle of whatever it is at.
func TestDemoEndedAtOnceLeavesNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := launch(t, []string{"TMPDIR=" + dir}, "demo")
	p.says("The SMS arrives on the phone")
	if left := demoDirs(t, dir); len(left) != 1 {
		t.Fatalf("directories while it runs: %v", left)
	}
	_ = p.cmd.Process.Signal(syscall.SIGINT)
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	code, out := p.exits()
	if code != exitFailed || !strings.Contains(out, "stopped at once") {
		t.Logf("it was quicker than the second signal: exit %d", code)
	}
	if left := demoDirs(t, dir); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

func demoDirs(t *testing.T, dir string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, "modemgate-demo-*"))
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// A directory that is being filled is removed all the same.
func TestTempDirsGoWhileFilesAreMade(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	d := new(tempDirs)
	dir, err := d.make("filled-")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for n := 0; ; n++ {
			if os.WriteFile(filepath.Join(dir, strings.Repeat("x", n%200+1)), nil, 0o600) != nil {
				return
			}
		}
	}()
	signals, code := make(chan os.Signal, 2), make(chan int, 1)
	signals <- syscall.SIGINT
	signals <- syscall.SIGINT
	obey(signals, func() {}, 0, new(bytes.Buffer), func(c int) { d.removeAll(); code <- c })
	<-ended
	if _, err := os.Stat(dir); <-code != exitFailed || !os.IsNotExist(err) {
		t.Errorf("after the end: %v", err)
	}
}
