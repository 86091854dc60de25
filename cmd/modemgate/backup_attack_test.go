package main

import (
	"os"
	"path/filepath"
	"testing"
)

// TestAttackStageReplacedByLink holds that a backup run by root gives nothing
// away but its own directory, whatever the user of the daemon, to whom the
// data directory belongs, puts in its place.
func TestAttackStageReplacedByLink(t *testing.T) {
	dir := t.TempDir()
	secret := filepath.Join(dir, "secret")
	if err := os.Mkdir(secret, 0o700); err != nil {
		t.Fatal(err)
	}
	stage := filepath.Join(dir, stagePrefix+"1")
	if err := os.Symlink(secret, stage); err != nil {
		t.Fatal(err)
	}
	if err := giveAway(stage, os.Geteuid(), os.Getegid()); err == nil {
		t.Error("a link in place of the stage was followed")
	}
	if err := giveAway(secret, os.Geteuid(), os.Getegid()); err != nil {
		t.Errorf("a directory: %v", err)
	}
}
