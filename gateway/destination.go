package gateway

import (
	"fmt"
	"slices"
	"strings"

	"github.com/modemgate/modemgate/gateway/phone"
	"github.com/modemgate/modemgate/gateway/store"
)

// number reads a number of a request.
func (g *Gateway) number(pointer, s string) (string, error) {
	n, err := phone.Parse(s, g.o.Region)
	if err != nil {
		return "", &Error{Code: NumberInvalid, Detail: err.Error(), Fields: []FieldError{{Pointer: pointer, Detail: err.Error()}}}
	}
	return n, nil
}

// allowed refuses numbers that may not be sent to: what limits.deny names,
// what the key is narrowed away from, and what limits.allow does not name.
// An empty allow list means the default region and the countries of the SIMs
// seen; with only simulated lines every number, since nothing leaves them.
func (g *Gateway) allowed(tx store.Tx, c Caller, number string) error {
	blocked := func(why string) error {
		return &Error{Code: DestinationBlocked, Detail: why, Fields: []FieldError{{Pointer: "/to", Detail: why}}}
	}
	if hasPrefix(number, g.o.Deny) {
		return blocked("limits.deny holds a prefix of this number")
	}
	if len(c.to) > 0 && !hasPrefix(number, c.to) {
		return blocked(fmt.Sprintf("the key %s may not send to this prefix", c.Key))
	}
	simulated := g.onlySimulated()
	if phone.Simulated(number) && !simulated {
		return blocked("numbers that begin with +999 belong to the simulator")
	}
	if len(g.o.Allow) > 0 {
		if !hasPrefix(number, g.o.Allow) {
			return blocked("limits.allow holds no prefix of this number: add one to send there")
		}
		return nil
	}
	if simulated {
		return nil
	}
	home, err := g.homePrefixes(tx)
	if err != nil {
		return err
	}
	if len(home) == 0 {
		return refuse(NoLine, "the country of no SIM is known, so no number is allowed: set limits.allow, such as [\"+44\"], or default_region")
	}
	if !hasPrefix(number, home) {
		return blocked("this number is not in the country of your SIMs: add its prefix to limits.allow")
	}
	return nil
}

// homePrefixes are the calling codes of the default region and of the SIMs.
func (g *Gateway) homePrefixes(tx store.Tx) ([]string, error) {
	var out []string
	if code, ok := phone.CallingCode(g.o.Region); ok {
		out = append(out, "+"+code)
	}
	sims, err := tx.ListSIMs()
	if err != nil {
		return nil, err
	}
	for _, s := range sims {
		if code, ok := phone.CallingCodeOfIMSI(s.IMSI); ok && !s.Simulated {
			out = append(out, "+"+code)
		}
	}
	return out, nil
}

func (g *Gateway) realLines() bool {
	for _, l := range g.lines() {
		if !l.o.Simulated {
			return true
		}
	}
	return false
}

// onlySimulated says whether nothing that is accepted can leave the simulator.
func (g *Gateway) onlySimulated() bool { return len(g.lines()) > 0 && !g.realLines() }

func hasPrefix(s string, prefixes []string) bool {
	for _, p := range prefixes {
		if strings.HasPrefix(s, p) {
			return true
		}
	}
	return false
}

// via decides at acceptance which lines may send the message: those asked
// for by name or label, else the first route that matches, else any ("").
func (g *Gateway) via(c Caller, asked []string, number string) ([]string, error) {
	var wrong faults
	for i, name := range asked {
		if len(g.named(name)) == 0 {
			d := fmt.Sprintf("no line has the name or label %.64q; %s", name, g.lineNames(c))
			wrong.add(&Error{Code: NoSuchLine, Detail: d, Fields: []FieldError{{Pointer: fmt.Sprintf("/via/%d", i), Detail: d}}})
		}
	}
	if len(asked) > 0 {
		return g.expand(asked), wrong.result()
	}
	return g.chosen(number), nil
}

// chosen are the lines of the first route that matches; nil: any.
func (g *Gateway) chosen(number string) []string {
	for _, r := range g.o.Routes {
		if strings.HasPrefix(number, r.Prefix) {
			return g.expand(r.Via)
		}
	}
	return nil
}

// named lists the lines that have a name or a label. The name of an adopted
// line is that of the configured one which has its SIM now.
func (g *Gateway) named(name string) []string {
	if g.lineNamed(name) != nil {
		return []string{name}
	}
	if l := g.heir(name); l != nil {
		return []string{l.o.Name}
	}
	var out []string
	for _, l := range g.lines() {
		if slices.Contains(l.o.Labels, name) {
			out = append(out, l.o.Name)
		}
	}
	return out
}

// expand puts the names of lines in place of labels. A name that nothing has
// stays: the line may be adopted later.
func (g *Gateway) expand(names []string) []string {
	var out []string
	for _, name := range names {
		if lines := g.named(name); len(lines) > 0 {
			out = append(out, lines...)
		} else {
			out = append(out, name)
		}
	}
	return dedupe(out)
}

func dedupe(names []string) []string {
	var out []string
	seen := map[string]bool{}
	for _, n := range names {
		if !seen[n] {
			seen[n] = true
			out = append(out, n)
		}
	}
	return out
}

// routeOf is the canonical form of a set of lines.
func routeOf(via []string) string {
	via = slices.Clone(via)
	slices.Sort(via)
	return strings.Join(via, ",")
}

// onRoute says whether the line may send what has the route.
func onRoute(route, name string) bool {
	if route == "" {
		return true
	}
	for n := range strings.SplitSeq(route, ",") {
		if n == name {
			return true
		}
	}
	return false
}
