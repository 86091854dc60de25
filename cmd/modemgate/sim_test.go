package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/modemgate/modemgate/driver"
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

// What trace prints, in either form, is what sim replays.
func TestSimReplaysWhatTracePrints(t *testing.T) {
	t.Parallel()
	for _, asJSON := range []bool{false, true} {
		var printed bytes.Buffer
		for i, l := range [][2]string{{">", "AT+CGMM"}, {"<", "E9999"}, {"<", "OK"}, {">", "AT^ICCID?"}, {"<", "^ICCID: …"}, {"<", "OK"}} {
			item := fmt.Sprintf(`{"seq":%d,"at":"2026-05-01T09:30:00.012Z","mark":%q,"text":%q}`, i+1, l[0], l[1])
			if err := printTrace(system{out: &printed}, json.RawMessage(item), asJSON); err != nil {
				t.Fatal(err)
			}
		}
		dir := t.TempDir()
		file := filepath.Join(dir, "stick.trace")
		if err := os.WriteFile(file, printed.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		p := launch(t, nil, "sim", "--dir", dir, "--replay", file)
		waitUntil(t, "the modem is there", func() bool { return strings.Contains(p.errs.String(), "\t+999000001\n") })
		m, err := driver.Open(t.Context(), driver.Options{Port: filepath.Join(dir, "modem0")})
		if err != nil {
			t.Fatal(err)
		}
		id := m.Identity()
		if err := m.Close(); err != nil {
			t.Error(err)
		}
		if id.Model != "E9999" || id.Manufacturer != "Simulated" {
			t.Errorf("JSON %v: found %+v", asJSON, id)
		}
	}
}

func TestSimRefusesABadTrace(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "bad.trace")
	if err := os.WriteFile(file, []byte("2026-05-01 09:30:00.012Z > AT\nwhat is this\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := modemgate(t, nil, "", "sim", "--dir", t.TempDir(), "--replay", file)
	if r.code != exitFailed || !strings.Contains(r.err, "sim: "+file+":2: a line is a date, a time, a mark and a text") {
		t.Errorf("exit %d: %s", r.code, r.err)
	}
}
