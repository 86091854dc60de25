package gateway

import (
	"context"
	"crypto/hmac"
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/modemgate/modemgate/gateway/store"
)

// ProbeOptions say how often one line texts another one to see that what is
// sent arrives, which no answer of a modem proves.
type ProbeOptions struct {
	Every     time.Duration // between two probes of the whole installation; 0: none
	PerDay    int           // all lines together, by the calendar in UTC
	Objective time.Duration // from handing it to one modem to reading it from the other
	Look      time.Duration // between two looks at what is due; 0: 1 s
}

const (
	kindProbe   = "probe-day" // probes of all lines
	probeWindow = 20          // probes that a success ratio is of
	probeLife   = 24 * time.Hour
	probeFirst  = time.Minute // after a start, so that one soon shows something
)

// What became of a probe.
const (
	probeInTime = "in-time" // it arrived within the objective
	probeLate   = "late"    // it arrived after it
	probeLost   = "lost"    // it did not arrive within a day
	probeFailed = "failed"  // the modem or the network did not take it
)

// probe is one text from a line to another.
type probe struct {
	id       string // hex
	from, to *line
	sentAt   time.Time // when it was handed to the modem; zero: not yet
	missed   bool      // the objective has passed

	acceptedAt time.Time // when the network had taken it; zero: not yet
}

// pair is what is known of the way from one line to another since the start.
type pair struct {
	at     time.Time // last probe
	recent []bool    // the last ones, oldest first: within the objective or not
	why    string    // of the last one, "" when it was in time
}

// prober knows the probes under way. It forgets them at a restart: what
// arrives then is still known as a probe by its token, and says nothing.
type prober struct {
	mu    sync.Mutex
	open  map[string]*probe
	pairs map[[2]string]*pair
	lame  bool        // said that there is nothing to probe
	news  []probeNews // to be told
}

// probeNews is an event of a line.
type probeNews struct {
	line          *line
	event, detail string
}

// probeText is the whole text of a probe. Nobody without the pepper can make
// one, so no SMS of others is taken for it.
func (g *Gateway) probeText(id string) string {
	return "modemgate probe " + id + hex.EncodeToString(g.o.Secrets.mac("probe", id)[:8])
}

var probeForm = regexp.MustCompile(`^modemgate probe ([0-9a-f]{16})([0-9a-f]{16})$`)

// probeID is the id in the text of a probe of this installation.
func (g *Gateway) probeID(text string) (string, bool) {
	m := probeForm.FindStringSubmatch(strings.TrimSpace(text))
	if m == nil {
		return "", false
	}
	mac := hex.EncodeToString(g.o.Secrets.mac("probe", m[1])[:8])
	return m[1], hmac.Equal([]byte(mac), []byte(m[2]))
}

// probes starts probes when they are due and notices those that do not arrive.
func (g *Gateway) probes(ctx context.Context) error {
	if g.o.Probe.Every == 0 {
		return nil
	}
	look := g.o.Probe.Look
	if look == 0 {
		look = time.Second
	}
	tick := time.NewTicker(look)
	defer tick.Stop()
	next := g.clock.now().Add(min(g.o.Probe.Every, probeFirst))
	for {
		now := g.clock.now()
		g.prober.judge(g, now)
		if !now.Before(next) {
			next = now.Add(g.o.Probe.Every)
			g.startProbe(now)
		}
		for _, n := range g.prober.takeNews() {
			n.line.tell(ctx, n.event, n.detail)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func (p *prober) takeNews() []probeNews {
	p.mu.Lock()
	defer p.mu.Unlock()
	news := p.news
	p.news = nil
	return news
}

// startProbe hands a probe to the line of the pair that was probed least
// recently. The line sends it when it has nothing else to do.
func (g *Gateway) startProbe(now time.Time) {
	p := &g.prober
	p.mu.Lock()
	defer p.mu.Unlock()
	var best *pair
	var chosen *probe
	for _, from := range g.lines() {
		for _, to := range g.lines() {
			if from == to || from.o.Simulated != to.o.Simulated || !from.probes(now) || !to.hears(now) {
				continue
			}
			if known := p.pair(from, to); best == nil || known.at.Before(best.at) {
				best, chosen = known, &probe{from: from, to: to}
			}
		}
	}
	if chosen == nil {
		if !p.lame {
			g.log.Warn("there is nothing to probe: it takes two lines that work, one of them with a known number; set number of the lines")
		}
		p.lame = true
		return
	}
	p.lame = false
	best.at = now
	chosen.id = newProbeID()
	chosen.from.probe.Store(chosen)
	chosen.from.poke()
}

// pair is what is known of two lines. The caller holds mu.
func (p *prober) pair(from, to *line) *pair {
	key := [2]string{from.o.Name, to.o.Name}
	if p.pairs == nil {
		p.pairs, p.open = map[[2]string]*pair{}, map[string]*probe{}
	}
	if p.pairs[key] == nil {
		p.pairs[key] = &pair{}
	}
	return p.pairs[key]
}

// sent notes that a probe is being handed to the modem.
func (p *prober) sent(x *probe, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	x.sentAt = now
	p.open[x.id] = x
}

// accepted notes that the network has taken a probe.
func (p *prober) accepted(x *probe, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	x.acceptedAt = now
}

// arrived notes that a probe was read from a SIM.
func (p *prober) arrived(g *Gateway, id string, at *line, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	x := p.open[id]
	if x == nil || x.to != at {
		at.log.Debug("a probe of an earlier run has arrived")
		return
	}
	delete(p.open, id)
	took := now.Sub(x.sentAt)
	g.metrics.probeSeconds.WithLabelValues(x.from.o.Name, x.to.o.Name).Observe(took.Seconds())
	if x.acceptedAt.IsZero() { // it was quicker than the answer
		x.acceptedAt = now
	}
	g.metrics.probeArrival.WithLabelValues(x.from.o.Name, x.to.o.Name).Observe(now.Sub(x.acceptedAt).Seconds())
	if took <= g.o.Probe.Objective && !x.missed {
		p.count(g, x, probeInTime, "")
		return
	}
	if !x.missed {
		p.miss(g, x)
	}
	p.result(g, x, probeLate)
}

// failed notes that a probe could not be sent.
func (p *prober) failed(g *Gateway, x *probe, code string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.open[x.id] != x {
		return // it arrived all the same
	}
	delete(p.open, x.id)
	if !x.missed {
		p.count(g, x, "", "could not be sent: "+code)
	}
	p.result(g, x, probeFailed)
}

// judge finds the probes whose time has passed.
func (p *prober) judge(g *Gateway, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for id, x := range p.open {
		age := now.Sub(x.sentAt)
		if age > g.o.Probe.Objective && !x.missed {
			p.miss(g, x)
		}
		if age > probeLife {
			delete(p.open, id)
			p.result(g, x, probeLost)
		}
	}
}

func (p *prober) miss(g *Gateway, x *probe) {
	x.missed = true
	p.count(g, x, "", fmt.Sprintf("did not arrive within %s", g.o.Probe.Objective))
}

func (p *prober) result(g *Gateway, x *probe, result string) {
	g.metrics.probes.WithLabelValues(x.from.o.Name, x.to.o.Name, result).Inc()
}

// count adds a probe to those that the success ratio is of, and tells of each
// that failed the objective and of the first that meets it again.
func (p *prober) count(g *Gateway, x *probe, result, why string) {
	known := p.pair(x.from, x.to)
	known.recent = append(known.recent, why == "")
	known.recent = known.recent[max(0, len(known.recent)-probeWindow):]
	again := why == "" && known.why != ""
	known.why = why
	if result != "" {
		p.result(g, x, result)
	}
	event := "probe-missed"
	switch {
	case again:
		event = "probe-arrived"
		x.from.log.Info("a probe has arrived in time again", "to", x.to.o.Name)
	case why == "":
		return
	default:
		x.from.log.Warn("a probe failed: what this line sends may not arrive, or the other line receives nothing", "to", x.to.o.Name, "why", why)
	}
	detail := strings.TrimSuffix("to "+x.to.o.Name+": "+why, ": ")
	p.news = append(p.news, probeNews{x.from, event, detail})
}

// ratio is the share of recent probes that met the objective.
func (k *pair) ratio() float64 {
	n := 0
	for _, ok := range k.recent {
		if ok {
			n++
		}
	}
	return float64(n) / float64(max(1, len(k.recent)))
}

// collect gives what probes have shown to gauge.
func (p *prober) collect(g *Gateway, gauge func(d *prometheus.Desc, v float64, labels ...string)) {
	if g.o.Probe.Every == 0 {
		return
	}
	gauge(descProbeGoal, g.o.Probe.Objective.Seconds())
	p.mu.Lock()
	defer p.mu.Unlock()
	for key, k := range p.pairs {
		if len(k.recent) > 0 {
			gauge(descProbeRatio, k.ratio(), key[0], key[1])
		}
	}
}

// problems say which ways do not deliver at present.
func (p *prober) problems() (out []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for key, k := range p.pairs {
		if k.why != "" {
			out = append(out, fmt.Sprintf("the last probe from %s to %s %s, %.0f %% of the last %d were in time: send one by hand and see what arrives; "+
				"is there credit, and does the operator filter?", key[0], key[1], k.why, 100*k.ratio(), len(k.recent)))
		}
	}
	slices.Sort(out)
	return out
}

// takeProbe notes in the commit of tx that an SMS is a probe; false for every
// other one. Nothing of a probe is stored or published.
func (l *line) takeProbe(tx store.Tx, text string, now time.Time) bool {
	id, ok := l.g.probeID(text)
	if ok {
		tx.After(func() { l.g.prober.arrived(l.g, id, l, now) })
	}
	return ok
}
