package main

import (
	"errors"
	"io"
	"io/fs"
	"sync"
)

// writing runs a command; what it could not print it has not done.
func (s system) writing(run func(s system) int) int {
	out := &sink{w: s.out}
	s.out = out
	code := run(s)
	if err := out.failed(); err != nil && code == exitOK {
		return s.fail(exitFailed, "standard output: %v: not all of the answer was written", err)
	}
	return code
}

// sink notes the first failure of what is written.
type sink struct {
	mu  sync.Mutex
	w   io.Writer
	err error
}

func (k *sink) Write(p []byte) (int, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	n, err := k.w.Write(p)
	if k.err == nil {
		k.err = err
	}
	return n, err
}

func (k *sink) failed() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	var path *fs.PathError
	if errors.As(k.err, &path) {
		return path.Err
	}
	return k.err
}
