package configs

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write what is said now into testdata; read the difference before you keep it")

// Each file of testdata/faults holds one mistake. What must be said of it
// stands at its end, a comment for each fault.
func TestEachMistakeIsNamed(t *testing.T) {
	for _, name := range testFiles(t, "faults") {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".yaml"), func(t *testing.T) {
			_, _, err := Load(name, nil, nil)
			if err == nil {
				t.Fatal("loads without a fault")
			}
			compare(t, name, strings.Split(err.Error(), "\n"))
			for _, f := range faultsIn(err) {
				if f.Where == "" && f.Path == "" {
					t.Errorf("%v begins with neither a path nor a line", f)
				}
				if strings.Contains(f.Error(), "password") && strings.Contains(f.Error(), "user:") {
					t.Errorf("%v shows a secret", f)
				}
			}
		})
	}
}

// Each file of testdata/accepted loads; its warnings stand at its end.
func TestAcceptedWithWarnings(t *testing.T) {
	for _, name := range testFiles(t, "accepted") {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".yaml"), func(t *testing.T) {
			_, warnings, err := Load(name, nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			compare(t, name, warnings)
		})
	}
}

func testFiles(t *testing.T, dir string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join("testdata", dir, "*.yaml"))
	if err != nil || len(names) == 0 {
		t.Fatalf("no files in testdata/%s: %v", dir, err)
	}
	return names
}

// compare holds what was said against the comments "# ! …" of the file, where
// its name is written FILE.
func compare(t *testing.T, name string, got []string) {
	t.Helper()
	for i := range got {
		got[i] = strings.Replace(got[i], name+":", "FILE:", 1)
	}
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	const mark = "# ! "
	var keep, want []string
	for line := range strings.Lines(string(data)) {
		if rest, ok := strings.CutPrefix(line, mark); ok {
			want = append(want, strings.TrimSuffix(rest, "\n"))
		} else {
			keep = append(keep, line)
		}
	}
	if slices.Equal(got, want) {
		return
	}
	if !*update {
		t.Fatalf("said\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
	for _, g := range got {
		keep = append(keep, mark+g+"\n")
	}
	if err := os.WriteFile(name, []byte(strings.Join(keep, "")), 0o644); err != nil {
		t.Fatal(err)
	}
}
