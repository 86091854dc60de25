package usb

import "io/fs"

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
