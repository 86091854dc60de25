package gateway

import "time"

// AgeSweeper lets the sweeper look as if it had not gone round for d longer.
func (g *Gateway) AgeSweeper(d time.Duration) { g.sweeper.at.Add(-int64(d)) }

// AgeLine does so to the loop of a line.
func (g *Gateway) AgeLine(name string, d time.Duration) { g.lineNamed(name).heart.at.Add(-int64(d)) }

// LineSilence is how long the loop of a line has not gone round.
func (g *Gateway) LineSilence(name string) time.Duration { return g.lineNamed(name).heart.silence() }

// Stopping says whether Run was asked to end.
func (g *Gateway) Stopping() bool {
	select {
	case <-g.stopping:
		return true
	default:
		return false
	}
}

// Watches is how many watches there are.
func (g *Gateway) Watches() (n int) {
	g.watch.mu.Lock()
	defer g.watch.mu.Unlock()
	for _, s := range g.watch.subs {
		n += len(s)
	}
	return n
}

// Routes is how many routes the lines look at.
func (g *Gateway) Routes() int {
	g.routes.Lock()
	defer g.routes.Unlock()
	return len(g.routes.m)
}

// AnsweredUntil is until when a line that has ended may still have been answered.
func (g *Gateway) AnsweredUntil(name string) time.Time { return g.lineNamed(name).ladder.answer }

// Works is what an SMS to the operator would tell of a line.
func (g *Gateway) Works(line string) (ok bool, why string) {
	return g.lineNamed(line).works(g.clock.now())
}
