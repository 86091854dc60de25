package gateway_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/modemgate/modemgate/gateway"
)

// measures are the names of all metrics with their labels, and for histograms
// and summaries those of their series.
func (r *rig) measures() map[string][]string {
	r.t.Helper()
	all, ok := r.g.Metrics().(prometheus.Collector)
	if !ok {
		r.t.Fatal("the metrics cannot be described")
	}
	ch := make(chan *prometheus.Desc, 1000)
	all.Describe(ch)
	close(ch)
	out := map[string][]string{}
	form := regexp.MustCompile(`fqName: "(\w+)".*variableLabels: \{([\w,]*)\}`)
	for d := range ch {
		m := form.FindStringSubmatch(d.String())
		if m == nil {
			r.t.Fatalf("cannot read %s", d)
		}
		labels := strings.FieldsFunc(m[2], func(r rune) bool { return r == ',' })
		for _, suffix := range []string{"", "_bucket", "_sum", "_count"} {
			if suffix == "" || strings.HasSuffix(m[1], "_seconds") {
				out[m[1]+suffix] = append(slices.Clone(labels), "le")
			}
		}
	}
	return out
}

// TestMonitoringAsksForWhatThereIs holds the shipped rules and the dashboard to
// the metrics that /metrics has: names and labels.
func TestMonitoringAsksForWhatThereIs(t *testing.T) {
	r := newRig(t, nil, nil)
	have := r.measures()
	selector := regexp.MustCompile(`\b(modemgate_\w+)(?:\{([^}]*)\})?`)
	label := regexp.MustCompile(`(\w+)\s*(?:=~|!~|!=|=)`)
	for file, least := range map[string]int{"modemgate.rules.yml": 16, "modemgate.dashboard.json": 16} {
		text, err := os.ReadFile(filepath.Join("..", "configs", "monitoring", file))
		if err != nil {
			t.Fatal(err)
		}
		used := map[string]bool{}
		for _, m := range selector.FindAllStringSubmatch(strings.ReplaceAll(string(text), `\"`, `"`), -1) {
			labels, known := have[m[1]]
			if !known {
				t.Errorf("%s asks for %s, which /metrics does not have", file, m[1])
			}
			used[m[1]] = true
			for _, l := range label.FindAllStringSubmatch(m[2], -1) {
				if l[1] != "instance" && l[1] != "job" && !slices.Contains(labels, l[1]) {
					t.Errorf("%s asks for the label %s of %s, which has %v", file, l[1], m[1], labels)
				}
			}
		}
		if len(used) < least-4 {
			t.Errorf("%s uses only %d metrics", file, len(used))
		}
	}
}

func TestDashboardIsWhole(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "configs", "monitoring", "modemgate.dashboard.json"))
	if err != nil {
		t.Fatal(err)
	}
	var d struct {
		Title, UID string
		Panels     []struct {
			ID      int
			Title   string
			GridPos struct{ X, Y, W, H int }
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(text, &d); err != nil || d.Title == "" || d.UID == "" {
		t.Fatalf("%v, title %q", err, d.Title)
	}
	ids := map[int]bool{}
	for i, p := range d.Panels {
		g := p.GridPos
		if ids[p.ID] || p.Title == "" || len(p.Targets) == 0 || g.W < 1 || g.X+g.W > 24 {
			t.Errorf("panel %q: %+v", p.Title, p)
		}
		ids[p.ID] = true
		for _, target := range p.Targets {
			if strings.Count(target.Expr, "(") != strings.Count(target.Expr, ")") || !strings.Contains(target.Expr, "modemgate_") {
				t.Errorf("panel %q asks %s", p.Title, target.Expr)
			}
		}
		for _, q := range d.Panels[:i] {
			o := q.GridPos
			if g.X < o.X+o.W && o.X < g.X+g.W && g.Y < o.Y+o.H && o.Y < g.Y+g.H {
				t.Errorf("panels %q and %q overlap", p.Title, q.Title)
			}
		}
	}
}

// To Prometheus a series that begins at 1 has not grown: what alerts count
// is there, at 0, from the start.
func TestCountersBeginAtZero(t *testing.T) {
	r := newRig(t, nil, nil)
	families, err := r.g.Metrics().Gather()
	if err != nil {
		t.Fatal(err)
	}
	series := map[string]int{}
	for _, f := range families {
		series[f.GetName()] = len(f.GetMetric())
	}
	for name, least := range map[string]int{
		"modemgate_messages_total": 9, "modemgate_otp_total": 9, "modemgate_recovery_total": 21, "modemgate_line_limit_reached_total": 3,
		"modemgate_inbound_total": 1, "modemgate_line_submit_seconds": 1,
	} {
		if series[name] < least {
			t.Errorf("%s has %d series, want %d", name, series[name], least)
		}
	}
}

// Each event is measured once from its commit to the acknowledgement of NATS.
func TestPublishingIsMeasured(t *testing.T) {
	r := newRig(t, func(o *gateway.Options) { o.Bus = markingBus{} }, nil)
	if err := r.net.Phone(alice).Send(r.net.Modems()[0].Number(), "hello"); err != nil {
		t.Fatal(err)
	}
	r.inbound(1)
	r.until("it is published", func() bool {
		return r.total("modemgate_publish_seconds", map[string]string{"stream": "inbound"}) == 1
	})
	families, err := r.g.Metrics().Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == "modemgate_publish_seconds" {
			for _, m := range f.GetMetric() {
				if s := m.GetHistogram().GetSampleSum(); s <= 0 || s > deadline.Seconds() {
					t.Errorf("%v of %v s", m.GetLabel(), s)
				}
			}
		}
	}
}
