package main

import (
	"os"
	"sync"
)

// tempDirs are the temporary directories of this process, so that they go
// with it however it ends, SIGKILL excepted.
type tempDirs struct {
	mu   sync.Mutex
	dirs []string
}

// make creates a directory whose name begins with prefix. Without tempDirs it
// is the caller's alone.
func (t *tempDirs) make(prefix string) (string, error) {
	if t == nil {
		return os.MkdirTemp("", prefix)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	dir, err := os.MkdirTemp("", prefix)
	if err == nil {
		t.dirs = append(t.dirs, dir)
	}
	return dir, err
}

// removeAll removes the directories while others may still write into them,
// and lets nobody make another: the process is about to end.
func (t *tempDirs) removeAll() {
	t.mu.Lock()
	for _, dir := range t.dirs {
		// Under another name nobody puts a file into it between the reading of the directory and its removal.
		if ended := dir + ".ended"; os.Rename(dir, ended) == nil {
			dir = ended
		}
		_ = os.RemoveAll(dir)
	}
}
