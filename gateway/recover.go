package gateway

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/modemgate/modemgate/gateway/store"
)

// recover looks at what the last run left under way, before any line works.
// A part whose intent was written and whose result was not is unknown: it
// has the grace for a late answer or a report, as what was unknown before. Messages of lines or routes
// that are no longer configured are routed anew or ended, in words.
//
// On a full disk it waits for room: until then nothing is sent or received,
// and requests are answered.
func (g *Gateway) recover(ctx context.Context) error {
	for told := false; ; told = true {
		err := g.lookBack(ctx)
		if !errors.Is(err, store.ErrFull) {
			return err
		}
		if !told {
			g.log.Warn("the lines wait until the disk has room to write what became of the last run", "err", err)
		}
		g.sweeper.beat()
		for _, l := range g.lines() {
			l.heart.beat()
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(recordRetry):
		}
	}
}

func (g *Gateway) lookBack(ctx context.Context) error {
	return g.update(ctx, "recover", func(tx store.Tx) error {
		sending, err := tx.InState(store.Sending)
		if err != nil {
			return err
		}
		for _, id := range sending {
			if err := g.recoverMessage(tx, id); err != nil {
				return err
			}
		}
		if err := g.grant(tx, store.Unknown); err != nil {
			return err
		}
		return g.rerouteAll(tx)
	})
}

// rerouteAll routes anew what is queued for lines that are no more.
func (g *Gateway) rerouteAll(tx store.Tx) error {
	routes, err := tx.QueueRoutes()
	if err != nil {
		return err
	}
	for _, r := range routes {
		g.noteRoute(r)
	}
	if !slices.ContainsFunc(routes, g.broken) {
		return nil
	}
	queued, err := tx.InState(store.Queued)
	if err != nil {
		return err
	}
	for _, id := range queued {
		if err := g.reroute(tx, id); err != nil {
			return err
		}
	}
	return nil
}

// grant gives all that wait in a state the grace of a start.
func (g *Gateway) grant(tx store.Tx, s State) error {
	waiting, err := tx.InState(s)
	if err != nil {
		return err
	}
	now := g.clock.now()
	for _, id := range waiting {
		if _, err := tx.ChangeMessage(id, []State{s}, store.MessageChange{DueAt: ptr(now.Add(g.o.Grace)), At: now}); err != nil {
			return err
		}
	}
	return nil
}

// broken says whether a route names a line that is not configured.
func (g *Gateway) broken(route string) bool { return routeOf(g.configured(route)) != route }

// configured lists the lines of a route that exist, or have the SIM of one that
// did.
func (g *Gateway) configured(route string) []string {
	var left []string
	for name := range strings.SplitSeq(route, ",") {
		if g.lineNamed(name) != nil {
			left = append(left, name)
		} else if l := g.heir(name); l != nil {
			left = append(left, l.o.Name)
		}
	}
	return dedupe(left)
}

func (g *Gateway) recoverMessage(tx store.Tx, id string) error {
	m, err := tx.Message(id)
	if err != nil {
		return err
	}
	if partsIn(m, store.Sending) == 0 && partsIn(m, store.Unknown) == 0 {
		return g.requeue(tx, m, g.clock.now(), "", "modemgate was stopped between two parts")
	}
	if err := setParts(tx, m, store.Sending, store.Unknown); err != nil {
		return err
	}
	return g.unknown(tx, m, "stopped", g.o.Grace)
}

// reroute makes sure that a queued message can be sent by a line that exists:
// by those of its route that are left, else by what the configured routes say
// of its number; what was asked for by name and is gone ends in words.
func (g *Gateway) reroute(tx store.Tx, id string) error {
	m, err := tx.Message(id)
	if err != nil || m.Route == "" || !g.broken(m.Route) {
		return err
	}
	left := g.configured(m.Route)
	if len(left) == 0 {
		left = g.chosen(m.To)
		if len(m.Via) > 0 { // labels of it may be those of other lines now
			left = g.configured(routeOf(g.expand(m.Via)))
		}
		if partsOut(m) > 0 || len(m.Via) > 0 && len(left) == 0 || len(g.lines()) == 0 {
			return g.unroutable(tx, m)
		}
	}
	route := routeOf(left)
	g.noteRoute(route)
	_, err = g.move(tx, m, []State{store.Queued}, store.MessageChange{
		Route:   &route,
		History: &store.HistoryEntry{State: store.Queued, At: g.clock.now(), Note: "a line of its route is no longer configured: routed anew"},
	})
	return err
}

// unroutable ends a message that no configured line can take.
func (g *Gateway) unroutable(tx store.Tx, m *store.Message) error {
	_, err := g.end(tx, m, []State{store.Queued}, store.Failed, "no-such-line", "the line it was to go by is no longer configured")
	return err
}

// noteRoute makes a route known to the lines on it.
func (g *Gateway) noteRoute(route string) {
	g.routes.Lock()
	defer g.routes.Unlock()
	if g.routes.m == nil {
		g.routes.m = map[string]struct{}{"": {}}
	}
	g.routes.m[route] = struct{}{}
}

// pruneRoutes forgets the routes of which no message is left: clients name
// them in via, in as many combinations as they like. It runs in a commit, as
// all that makes a route known does, so none is lost between.
func (g *Gateway) pruneRoutes(tx store.Tx) (int, error) {
	left, err := tx.QueueRoutes()
	if err != nil {
		return 0, err
	}
	g.routes.Lock()
	defer g.routes.Unlock()
	g.routes.m = map[string]struct{}{"": {}}
	for _, r := range left {
		g.routes.m[r] = struct{}{}
	}
	return 0, nil
}

// routes lists the routes that this line is on.
func (l *line) routes() []string {
	l.g.routes.Lock()
	defer l.g.routes.Unlock()
	out := []string{""}
	for r := range l.g.routes.m {
		if r != "" && onRoute(r, l.o.Name) {
			out = append(out, r)
		}
	}
	return out
}
