package usb

import (
	"context"
	"io/fs"
	"time"
)

// WithFS reads both trees through a file system made by wrap.
func (t Tree) WithFS(wrap func(dir string) fs.FS) Tree {
	t.open = wrap
	return t
}

// Rows lists the ids of the table.
func Rows() (ids []string) {
	for id := range table {
		ids = append(ids, id)
	}
	return ids
}

// Trace is the digest by which a change is noticed.
func Trace(t Tree) string { return t.trace() }

// Look is one look at what is plugged in.
func (f *Finder) Look() { f.look() }

// Follow is one look at links that lead nowhere.
func (f *Finder) Follow() { f.follow() }

// Due lists the paths of what is to be asked at a time, and marks it as being
// asked.
func (f *Finder) Due(now time.Time) (paths []string) {
	for _, k := range f.due(now) {
		paths = append(paths, k.Path)
	}
	return paths
}

// Ask asks what is due, and returns when all have answered.
func (f *Finder) Ask() {
	for _, k := range f.due(time.Now()) {
		f.ask(context.Background(), k)
	}
}

// Age makes all that is plugged in older.
func (f *Finder) Age(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, k := range f.devices {
		k.since = k.since.Add(-d)
	}
}
