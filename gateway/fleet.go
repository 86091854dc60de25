package gateway

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/modemgate/modemgate/gateway/store"
)

// fleet are the lines. A reader takes what is there now, without a lock; a
// line that joins later makes a new list.
type fleet struct {
	now  atomic.Pointer[roster]
	mu   sync.Mutex
	work func(l *line) // starts what a line does; nil until Run
}

// roster is the list of lines at one moment. It is never changed.
type roster struct {
	lines  []*line
	byName map[string]*line
}

// lines lists all lines in the order they joined.
func (g *Gateway) lines() []*line { return g.fleet.now.Load().lines }

// lineNamed is nil if there is no such line.
func (g *Gateway) lineNamed(name string) *line { return g.fleet.now.Load().byName[name] }

// join adds a line, and lets it work if the others do already.
func (f *fleet) join(l *line) {
	f.mu.Lock()
	defer f.mu.Unlock()
	old := f.now.Load()
	fresh := &roster{lines: append(slices.Clone(old.lines), l), byName: map[string]*line{l.o.Name: l}}
	for _, o := range old.lines {
		fresh.byName[o.o.Name] = o
	}
	f.now.Store(fresh)
	if f.work != nil {
		f.work(l)
	}
}

// start lets every line work, also those that join later.
func (f *fleet) start(work func(l *line)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.work = work
	for _, l := range f.now.Load().lines {
		work(l)
	}
}

// stop starts no line any more.
func (f *fleet) stop() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.work = func(*line) {}
}

// loadLines reads what survives a restart: pauses and the SIM last seen.
func (g *Gateway) loadLines(ctx context.Context) error {
	return g.st.View(ctx, func(tx store.Tx) error {
		known, err := tx.ListLines()
		for _, k := range known {
			if l := g.lineNamed(k.Name); l != nil {
				l.state.Paused, l.state.ICCID, l.state.IMEI = k.Paused, k.ICCID, k.IMEI
			}
		}
		return err
	})
}
