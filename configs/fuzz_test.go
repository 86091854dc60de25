package configs

import (
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

// A fault begins with a dotted path, odd keys in quotes, or with a line.
var faultForm = regexp.MustCompile(`^(([A-Za-z0-9_<.\[\]…-]|"([^"\\]|\\.)*")+|line [0-9]+): .`)

// Whatever the file, the environment and the flags hold: every fault begins
// with a path or a line, stays on one line and is reported once; and a
// configuration without faults is valid, and comes back the same when it is
// written and read.
func FuzzLoad(f *testing.F) {
	f.Add(Example, "MODEMGATE_OTP_TTL=6m", "api.listen", "127.0.0.1:0")
	for _, dir := range []string{"faults", "accepted"} {
		entries, err := os.ReadDir("testdata/" + dir)
		if err != nil {
			f.Fatal(err)
		}
		for _, e := range entries {
			data, err := os.ReadFile("testdata/" + dir + "/" + e.Name())
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data, "MODEMGATE_SITE=x", "log.level", "debug")
		}
	}
	f.Fuzz(func(t *testing.T, data []byte, env, flag, value string) {
		c, warnings, err := load(Default(), "", data, []string{env}, map[string]string{flag: value})
		for _, w := range warnings {
			if strings.ContainsAny(w, "\n\r") {
				t.Errorf("warning %q has several lines", w)
			}
		}
		if err != nil {
			checkFaults(t, err)
			return
		}
		if err := c.Validate(); err != nil {
			t.Fatalf("loads, but is not valid: %v", err)
		}
		out, err := yaml.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		again, _, err := load(Config{}, "", out, nil, nil)
		if err != nil {
			t.Fatalf("written as\n%s\nit does not load: %v", out, err)
		}
		if !reflect.DeepEqual(again, c) {
			t.Fatalf("written as\n%s\nit is\n%+v\nand was\n%+v", out, again, c)
		}
	})
}

func checkFaults(t *testing.T, err error) {
	seen := map[string]bool{}
	for _, f := range faultsIn(err) {
		switch s := f.Error(); {
		case !faultForm.MatchString(s):
			t.Errorf("fault %q begins with neither a path nor a line", s)
		case strings.ContainsAny(s, "\n\r"):
			t.Errorf("fault %q has several lines", s)
		case seen[s]:
			t.Errorf("fault %q comes twice", s)
		default:
			seen[s] = true
		}
	}
	if len(seen) == 0 {
		t.Errorf("an error without a fault: %v", err)
	}
}
