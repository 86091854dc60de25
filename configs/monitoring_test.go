package configs

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

// TestAlertRules holds the shipped rules for Prometheus to their form, and to
// promtool where it is installed. That their metrics exist is tested where
// the metrics are.
func TestAlertRules(t *testing.T) {
	path := filepath.Join("monitoring", "modemgate.rules.yml")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Groups []struct {
			Name  string
			Rules []struct {
				Record, Alert, Expr string
				For                 string
				Labels, Annotations map[string]string
			}
		}
	}
	d := yaml.NewDecoder(strings.NewReader(string(text)))
	d.KnownFields(true)
	if err := d.Decode(&file); err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, g := range file.Groups {
		for _, r := range g.Rules {
			if r.Record != "" {
				continue
			}
			severity := r.Labels["severity"]
			if !strings.HasPrefix(r.Alert, "Modemgate") || names[r.Alert] || severity != "warning" && severity != "critical" {
				t.Errorf("rule %q, severity %q", r.Alert, severity)
			}
			names[r.Alert] = true
			if r.Annotations["summary"] == "" || r.Annotations["description"] == "" {
				t.Errorf("%s does not say what it means and what to do", r.Alert)
			}
			if strings.Count(r.Expr, "(") != strings.Count(r.Expr, ")") || strings.Count(r.Expr, "{") != strings.Count(r.Expr, "}") {
				t.Errorf("%s: %s", r.Alert, r.Expr)
			}
			if r.For != "" && !regexp.MustCompile(`^\d+[smh]$`).MatchString(r.For) {
				t.Errorf("%s: for %s", r.Alert, r.For)
			}
		}
	}
	if len(names) < 10 {
		t.Errorf("only %d rules", len(names))
	}
	tool, err := exec.LookPath("promtool")
	if err != nil {
		return
	}
	for _, args := range [][]string{{"check", "rules", path}, {"test", "rules", filepath.Join("testdata", "alerts.yml")}} {
		if out, err := exec.Command(tool, args...).CombinedOutput(); err != nil {
			t.Errorf("promtool %s: %v\n%s", args[0], err, out)
		}
	}
}
