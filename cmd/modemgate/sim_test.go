package main

import (
	"slices"
	"strings"
	"testing"
)

// chaosOf is what the first modem of a simulator with a seed is given.
func chaosOf(t *testing.T, seed string) (faults []string) {
	t.Helper()
	p := launch(t, nil, "sim", "--dir", t.TempDir(), "--chaos", "600", "--seed", seed)
	waitUntil(t, "eight faults are printed", func() bool {
		faults = nil
		for line := range strings.Lines(p.errs.String()) {
			if fault, ok := strings.CutPrefix(line, "modem0\t"); ok && strings.HasSuffix(line, "\n") {
				faults = append(faults, fault)
			}
		}
		return len(faults) >= 8
	})
	if out := p.errs.String(); !strings.Contains(out, "--seed "+seed+"\n") {
		t.Errorf("the seed is not printed: %s", out)
	}
	return faults[:8]
}

func TestSimChaosRepeatsItself(t *testing.T) {
	t.Parallel()
	first := chaosOf(t, "42")
	if again := chaosOf(t, "42"); !slices.Equal(first, again) {
		t.Errorf("%q, then %q", first, again)
	}
	if other := chaosOf(t, "43"); slices.Equal(first, other) {
		t.Errorf("both seeds give %q", first)
	}
	for _, rate := range []string{"-1", "601", "NaN"} {
		if r := modemgate(t, nil, "", "sim", "--dir", t.TempDir(), "--chaos", rate); r.code != exitUsage || !strings.Contains(r.err, "between 0 and 600") {
			t.Errorf("--chaos %s: exit %d, %s", rate, r.code, r.err)
		}
	}
}
