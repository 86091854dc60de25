package gateway

import (
	"context"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/modemgate/modemgate/driver"
	"github.com/modemgate/modemgate/gateway/store"
)

// metrics are the gateway's measures, in Prometheus' form. What the store
// knows is read when asked for; the rest counts from the start.
type metrics struct {
	g        *Gateway
	registry *prometheus.Registry
	submit   prometheus.Histogram
	messages *prometheus.CounterVec
	otp      *prometheus.CounterVec
	inbound  *prometheus.CounterVec
	recovery *prometheus.CounterVec
	lastIn   *prometheus.GaugeVec
	calls    *prometheus.CounterVec
	limits   *prometheus.CounterVec
	probes   *prometheus.CounterVec

	lineSubmit   *prometheus.HistogramVec
	probeSeconds *prometheus.HistogramVec
	probeArrival *prometheus.HistogramVec
	publish      *prometheus.HistogramVec
	alerts       *prometheus.CounterVec

	mu    sync.Mutex
	lines map[string]*lineCounters
}

type lineCounters struct{ sent, failed, unknown, received uint64 }

func newMetrics(g *Gateway) *metrics {
	m := &metrics{g: g, registry: prometheus.NewRegistry(), lines: map[string]*lineCounters{}}
	submit := prometheus.HistogramOpts{
		Name: "modemgate_submit_seconds", Help: "From handing a part to the modem to its answer.",
		Buckets: []float64{.005, .05, .5, 1, 2, 3, 5, 8, 13, 21, 34, 60, 150},
	}
	m.submit = prometheus.NewHistogram(submit)
	submit.Name = "modemgate_line_submit_seconds"
	m.lineSubmit = prometheus.NewHistogramVec(submit, []string{"line"})
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	m.messages = counter("modemgate_messages_total", "Messages by the state they entered.", "state")
	m.otp = counter("modemgate_otp_total", "One-time passwords by what happened: created, resent, approved, wrong, blocked, expired, canceled, failed, locked.", "result")
	m.inbound = counter("modemgate_inbound_total", "Received SMS.", "line")
	m.recovery = counter("modemgate_recovery_total", "Steps taken for modems that did not work, by what came of them.", "line", "step", "result")
	m.alerts = counter("modemgate_alerts_total", "Times that the operator was told of a line by SMS.", "line")
	m.limits = counter("modemgate_line_limit_reached_total", "How often a line has reached a limit of a day or month.", "line", "limit")
	m.probes = counter("modemgate_probe_total", "Probes from one line to another by what became of them: in-time, late, lost, failed.", "from", "to", "result")
	probe := prometheus.HistogramOpts{
		Name: "modemgate_probe_seconds", Help: "From handing a probe to one modem to reading it from the other.",
		Buckets: []float64{.5, 1, 2, 3, 5, 8, 13, 21, 34, 60, 120, 300, 600, 1800, 3600},
	}
	m.probeSeconds = prometheus.NewHistogramVec(probe, []string{"from", "to"})
	probe.Name, probe.Help = "modemgate_probe_arrival_seconds", "The part of it that follows the answer of the sending modem."
	m.probeArrival = prometheus.NewHistogramVec(probe, []string{"from", "to"})
	m.publish = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "modemgate_publish_seconds", Help: "From the commit of an event, for a received SMS from reading it, to the acknowledgement of NATS.",
		Buckets: []float64{.001, .003, .01, .03, .1, .3, 1, 3, 10, 60, 600, 3600},
	}, []string{"stream"})
	m.calls = counter("modemgate_calls_total", "Calls that came in.", "line")
	m.lastIn = prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "modemgate_inbound_last_timestamp_seconds", Help: "When the last SMS was received."}, []string{"line"})
	m.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m.registry.MustRegister(m.submit, m.messages, m.otp, m.inbound, m.recovery, m.lastIn, m.calls, m.limits, m.probes, m.alerts, m)
	m.registry.MustRegister(m.lineSubmit, m.probeSeconds, m.probeArrival, m.publish)
	m.beginAtZero()
	return m
}

// Metrics gathers the measures for Prometheus.
func (g *Gateway) Metrics() prometheus.Gatherer { return g.metrics.registry }

// message and otpResult count what the commit of tx makes so, once it has.
func (m *metrics) message(tx store.Tx, s State) {
	tx.After(m.messages.WithLabelValues(string(s)).Inc)
}

func (m *metrics) otpResult(tx store.Tx, r string) { tx.After(m.otp.WithLabelValues(r).Inc) }

func (m *metrics) received(line string) {
	m.inbound.WithLabelValues(line).Inc()
	m.lastIn.WithLabelValues(line).Set(float64(m.g.clock.now().UnixMilli()) / 1000)
	m.line(line, func(c *lineCounters) { c.received++ })
}

// fate counts one part by its outcome.
func (m *metrics) fate(line, outcome string) {
	m.line(line, func(c *lineCounters) {
		switch outcome {
		case "sent":
			c.sent++
		case "unknown":
			c.unknown++
		default:
			c.failed++
		}
	})
}

func (m *metrics) line(name string, fn func(*lineCounters)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := m.lines[name]
	if c == nil {
		c = &lineCounters{}
		m.lines[name] = c
	}
	fn(c)
}

func (m *metrics) counters(s *LineStatus) {
	m.line(s.Name, func(c *lineCounters) {
		s.Sent, s.Failed, s.Unknown, s.Received = c.sent, c.failed, c.unknown, c.received
	})
}

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("modemgate_"+name, help, labels, nil)
}

var (
	descUp         = desc("line_up", "1 when the line can send.", "line")
	descState      = desc("line_state", "1 for the present state of the line.", "line", "state")
	descSignal     = desc("line_signal_dbm", "Received power in dBm; none while it is not known.", "line")
	descQueue      = desc("queue_messages", "Messages that wait to be sent.", "priority")
	descOldest     = desc("queue_oldest_seconds", "Age of the oldest message that waits.")
	descStorage    = desc("sim_storage_ratio", "Fill of the fullest SMS memory of the line; none while its modem is not open.", "line")
	descCredit     = desc("line_balance", "Credit of the SIM as its operator told it last.", "line")
	descLimit      = desc("line_limit_ratio", "Share of a limit of the line that its SIM has used in this day or month.", "line", "limit")
	descProbeRatio = desc("probe_success_ratio", "Share of the last 20 probes that arrived within the objective.", "from", "to")
	descProbeGoal  = desc("probe_objective_seconds", "Within which a probe is to arrive; none without probes.")
	descStuck      = desc("ports_stuck", "Ports of hung modems that are closed and the kernel has not let go of yet: each holds a goroutine and a descriptor until the modem is unplugged or reset.")
	descOutbox     = desc("outbox_events", "Events that wait to be published.")
	descCommit     = desc("store_commit_seconds", "Time spent in durable commits.")
)

// Describe implements prometheus.Collector.
func (m *metrics) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descUp, descState, descSignal, descQueue, descOldest, descStorage, descLimit, descProbeRatio, descProbeGoal, descCredit, descStuck, descOutbox, descCommit} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (m *metrics) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	now := m.g.clock.now()
	for _, l := range m.g.lines() {
		l.mu.Lock()
		state, _, _ := l.stands(now)
		name, storage, signal, credit := l.o.Name, l.state.Storage, l.state.SignalDBM, l.balance
		l.mu.Unlock()
		if signal != 0 {
			gauge(descSignal, float64(signal), name)
		}
		gauge(descUp, bit(state == stateUp), name)
		gauge(descState, 1, name, state)
		if !credit.At.IsZero() {
			gauge(descCredit, credit.Amount, name)
		}
		fill := 0.0
		for _, s := range storage {
			if s.Total > 0 {
				fill = max(fill, float64(s.Used)/float64(s.Total))
			}
		}
		if len(storage) > 0 {
			gauge(descStorage, fill, name)
		}
		for _, c := range l.quota.caps(now, l.quota.present(now)) {
			if c.limit > 0 {
				gauge(descLimit, float64(c.used)/float64(c.limit), name, c.name)
			}
		}
	}
	gauge(descStuck, float64(driver.StuckPorts()))
	m.g.prober.collect(m.g, gauge)
	_ = m.g.st.View(context.Background(), func(tx store.Tx) error {
		by, err := tx.CountQueued()
		if err != nil {
			return err
		}
		oldest, err := tx.WaitingSince(now)
		if err != nil {
			return err
		}
		for i, p := range []string{"otp", "high", "normal", "low"} {
			gauge(descQueue, float64(by[i]), p)
		}
		age := 0.0
		if !oldest.IsZero() {
			age = now.Sub(oldest).Seconds()
		}
		gauge(descOldest, age)
		waiting, err := tx.CountEvents()
		gauge(descOutbox, float64(waiting[streamInbound]+waiting[streamStatus]))
		return err
	})
	s := m.g.st.Stats()
	ch <- prometheus.MustNewConstSummary(descCommit, s.Commits, s.CommitSeconds, nil)
}

func bit(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
