package gateway

import (
	"slices"

	"github.com/modemgate/modemgate/driver"
)

// givenOver says that the modem of a line is in the hands of another.
type givenOver string

func (e givenOver) Error() string { return string(e) }

func (givenOver) Is(target error) bool { return target == driver.ErrNoPort }

// Yield has an adopted line give its modem over to a configured one, whose port
// leads to that modem only now: udev makes its links late. What the modem has
// in hand is waited for. It returns at once, with why the configured line
// cannot open its modem yet; that wraps [driver.ErrNoPort] while it is given
// over, and is a [*MismatchError] where the configured line had another modem
// in this run.
func (g *Gateway) Yield(from, to string) error {
	giver, taker := g.lineNamed(from), g.lineNamed(to)
	if giver == nil || taker == nil || g.listed(from) || !g.listed(to) {
		return givenOver("the modem is used by line " + from)
	}
	theirs := giver.imei()
	if own := taker.imei(); own != "" && theirs != "" && own != theirs {
		return taker.leadsTo(theirs, giver)
	}
	if giver.open() && giver.give.CompareAndSwap(nil, &to) {
		giver.log.Info("the adopted line gives its modem over to a configured one, whose port leads to it", "to", to)
		giver.poke()
	}
	return givenOver("the modem is being given over by line " + from)
}

// yields says that the line shall leave its session for another line.
func (l *line) yields() error {
	to := l.give.Load()
	if to == nil {
		return nil
	}
	l.mu.Lock()
	l.gaveTo = *to
	l.mu.Unlock()
	return givenOver("the modem is that of line " + *to)
}

// listed says whether a line is one of the configuration.
func (g *Gateway) listed(name string) bool {
	return slices.ContainsFunc(g.o.Lines, func(o LineOptions) bool { return o.Name == name })
}

func (l *line) imei() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.identity.IMEI
}
