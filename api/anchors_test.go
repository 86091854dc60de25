package api

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/modemgate/modemgate/gateway"
)

// The type of every problem is an address in the README, and what stands
// there tells of it.
func TestProblemTypesLeadIntoTheReadme(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	for code, k := range kinds {
		row := fmt.Sprintf("| <a id=%q></a>`%s` | %d | ", code, code, k.status)
		if strings.Count(string(readme), row) != 1 {
			t.Errorf("README has no row %s", row)
		}
		if p := kind(code); p.Type != "https://github.com/modemgate/modemgate#"+string(code) {
			t.Errorf("%s has the type %s", code, p.Type)
		}
	}
	if n := strings.Count(string(readme), "| <a id="); n != len(kinds) {
		t.Errorf("README tells of %d codes, want %d", n, len(kinds))
	}
	if _, ok := kinds[gateway.Internal]; !ok {
		t.Error("there is no kind for what is unforeseen")
	}
}
