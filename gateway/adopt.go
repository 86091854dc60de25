package gateway

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/modemgate/modemgate/gateway/store"
)

// settingAdopted names the setting that holds the adopted SIMs.
const settingAdopted = "adopted"

// adopted is a SIM that was found in a modem nobody had listed. It keeps its
// name for ever: the queue, keys and subscribers go by it.
type adopted struct {
	Name  string `json:"name"`
	ICCID string `json:"iccid"`
}

func readAdopted(tx store.Tx) (all []adopted, err error) {
	err = readSetting(tx, settingAdopted, &all)
	return all, err
}

// loadAdopted gives every SIM that was ever adopted its line, plugged in or
// not, but those that a configured line claims.
func (g *Gateway) loadAdopted(tx store.Tx) error {
	if g.o.Adopt == nil {
		return nil
	}
	all, err := readAdopted(tx)
	g.adopted.Store(&all)
	for _, a := range all {
		if l := g.lineNamed(a.Name); l != nil {
			l.log.Info("the line was an adopted one and is configured now")
		} else if l := g.claimant(a.ICCID); l != nil {
			l.log.Info("the SIM of the line was an adopted one and is configured now", "adopted", a.Name)
		} else {
			g.fleet.join(newLine(g, g.o.Adopt(a.Name, a.ICCID)))
		}
	}
	return err
}

// claimant is the configured line that a SIM belongs to: the one for that SIM,
// else the one in whose modem it was seen last; nil for none.
func (g *Gateway) claimant(iccid string) *line {
	for _, o := range g.o.Lines {
		l := g.lineNamed(o.Name)
		if o.ICCID != "" && sameSIM(o.ICCID, iccid) || o.ICCID == "" && sameSIM(l.lastSIM(), iccid) {
			return l
		}
	}
	return nil
}

func (l *line) lastSIM() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.state.ICCID
}

// open says whether the line has its modem open.
func (l *line) open() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.modem != nil
}

// heir is the line that has the SIM of an adopted line which is no more; nil
// for none. What names the one means the other.
func (g *Gateway) heir(name string) *line {
	all := g.adopted.Load()
	if all == nil || g.lineNamed(name) != nil {
		return nil
	}
	for _, a := range *all {
		if a.Name == name {
			return g.claimant(a.ICCID)
		}
	}
	return nil
}

// inherited is a route with heirs in place of the adopted lines that are no
// more. What is written by a commit that asks this is either rerouted by
// succeed or, after it, for the heir already.
func (g *Gateway) inherited(route string) string {
	if route == "" || g.adopted.Load() == nil {
		return route
	}
	names := strings.Split(route, ",")
	for i, name := range names {
		if l := g.heir(name); l != nil {
			names[i] = l.o.Name
		}
	}
	return routeOf(dedupe(names))
}

// succeed ends the adopted line of the SIM that a configured line has come up
// with. Its queue goes over to that line.
func (g *Gateway) succeed(ctx context.Context, l *line) error {
	all := g.adopted.Load()
	if all == nil || !g.listed(l.o.Name) {
		return nil
	}
	for _, a := range *all {
		old := g.lineNamed(a.Name)
		if old == nil || old == l || g.claimant(a.ICCID) != l {
			continue
		}
		l.log.Info("the SIM of the line was an adopted one and is configured now", "adopted", a.Name)
		g.fleet.leave(old)
		if err := g.update(ctx, "succeed", g.rerouteAll); err != nil {
			g.fleet.join(newLine(g, g.o.Adopt(a.Name, a.ICCID))) // until the next session
			return err
		}
	}
	return nil
}

// Adopt makes a line of a SIM, or gives the name of the line that it has
// already: m- and the last six digits of the ICCID, more of them if that name
// is taken. The line works at once. A SIM that a configured line is for, or has
// in its modem, stays that line's.
func (g *Gateway) Adopt(ctx context.Context, iccid string) (name string, err error) {
	if g.o.Adopt == nil {
		return "", errors.New("adopt: modems.auto is off")
	}
	if len(iccid) < 6 || strings.Trim(iccid, "0123456789") != "" {
		return "", errors.New("adopt: no ICCID")
	}
	g.adopting.Lock()
	defer g.adopting.Unlock()
	if l := g.claimant(iccid); l != nil && (l.o.ICCID != "" || l.open()) {
		return l.o.Name, nil
	}
	var all []adopted
	if err := g.st.View(ctx, func(tx store.Tx) (err error) {
		all, err = readAdopted(tx)
		return err
	}); err != nil {
		return "", err
	}
	if i := slices.IndexFunc(all, func(a adopted) bool { return sameSIM(a.ICCID, iccid) }); i >= 0 {
		if name = all[i].Name; g.lineNamed(name) == nil { // its SIM was that of a configured line
			g.fleet.join(newLine(g, g.o.Adopt(name, all[i].ICCID)))
		}
		return name, nil
	}
	if name, err = g.freeName(all, iccid); err != nil {
		return "", err
	}
	all = append(all, adopted{name, iccid})
	if err := g.update(ctx, "adopt", func(tx store.Tx) error { return writeSetting(tx, settingAdopted, all) }); err != nil {
		return "", err
	}
	g.adopted.Store(&all)
	l := newLine(g, g.o.Adopt(name, iccid))
	l.log.Info("a USB modem that is not listed was adopted as a line")
	g.fleet.join(l)
	return name, nil
}

// sameSIM compares two ICCIDs, of which either may lack its check digit, since
// modems differ in that (ITU-T E.118).
func sameSIM(a, b string) bool {
	n := min(len(a), len(b))
	return max(len(a), len(b))-n <= 1 && a[:n] == b[:n]
}

func (g *Gateway) freeName(all []adopted, iccid string) (string, error) {
	taken := map[string]bool{}
	for _, a := range all {
		taken[a.Name] = true
	}
	for n := 6; n <= len(iccid); n++ {
		name := "m-" + iccid[len(iccid)-n:]
		if !taken[name] && g.lineNamed(name) == nil {
			return name, nil
		}
	}
	return "", errors.New("adopt: every name for this SIM is taken")
}
