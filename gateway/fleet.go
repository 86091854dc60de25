package gateway

import (
	"context"
	"fmt"
	"slices"
	"strings"
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

// noLine refuses a name that no line has; who is told may read the status.
func (g *Gateway) noLine(name string) *Error {
	return refuse(NotFound, "there is no line %.64q; %s", name, g.lineNames(Caller{Scopes: []string{ScopeStatus}}))
}

// lineNames says which lines there are, to a caller who may know.
func (g *Gateway) lineNames(c Caller) string {
	if !c.Has(ScopeStatus) {
		return "GET /v1/lines lists them, with the scope status"
	}
	const most = 20
	var names []string
	for _, l := range g.lines() {
		names = append(names, l.o.Name)
	}
	slices.Sort(names)
	switch n := len(names); {
	case n == 0:
		return "there is none now: plug a modem in, or name one under modems.list"
	case n > most:
		return fmt.Sprintf("GET /v1/lines lists the %d that there are", n)
	}
	return "there are: " + strings.Join(names, ", ")
}

// join adds a line, and lets it work if the others do already.
func (f *fleet) join(l *line) {
	l.g.metrics.joins(l.o.Name)
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

// leave takes a line out for good; what it does ends.
func (f *fleet) leave(l *line) {
	f.mu.Lock()
	defer f.mu.Unlock()
	old := f.now.Load()
	if old.byName[l.o.Name] != l {
		return
	}
	fresh := &roster{byName: map[string]*line{}}
	for _, o := range old.lines {
		if o != l {
			fresh.lines, fresh.byName[o.o.Name] = append(fresh.lines, o), o
		}
	}
	f.now.Store(fresh)
	close(l.quit)
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

// loadLines reads what survives a restart: pauses, the SIM last seen, and the
// lines of adopted SIMs.
func (g *Gateway) loadLines(ctx context.Context) error {
	return g.st.View(ctx, func(tx store.Tx) error {
		known, err := tx.ListLines()
		if err != nil {
			return err
		}
		g.recall(known)
		if err := g.loadAdopted(tx); err != nil {
			return err
		}
		g.recall(known)
		return nil
	})
}

func (g *Gateway) recall(known []*store.Line) {
	for _, k := range known {
		if l := g.lineNamed(k.Name); l != nil {
			l.state.Paused, l.state.ICCID, l.state.IMEI, l.state.ReadAt = k.Paused, k.ICCID, k.IMEI, k.SeenAt
			if l.o.Number == "" {
				l.state.Number = k.Number
			}
		}
	}
}
