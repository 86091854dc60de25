package usb

import (
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestREADMEHasEveryModel holds the table for people to the one for the driver:
// ids, the number of the AT port, and a source.
func TestREADMEHasEveryModel(t *testing.T) {
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string][]string{} // cells by id
	id := regexp.MustCompile(`[0-9a-f]{4}:[0-9a-f]{2}(?:[0-9a-f]{2}|\*)|[0-9a-f]{4}:\*`)
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if len(cells) != 4 {
			continue
		}
		for _, id := range id.FindAllString(cells[1], -1) {
			if rows[id] != nil {
				t.Errorf("%s is in two rows", id)
			}
			rows[id] = cells
		}
	}
	for i := range models {
		for id := range strings.FieldsSeq(models[i].ids) {
			cells := rows[id]
			delete(rows, id)
			if cells == nil || strings.TrimSpace(cells[3]) == "" {
				t.Errorf("%s %s has no row with a source: %q", id, models[i].name, cells)
				continue
			}
			port := strings.TrimSpace(cells[2])
			for number, role := range models[i].roles {
				if role == AT && port != fmt.Sprint("interface ", number) {
					t.Errorf("%s: the AT port is on interface %d, not %q", id, number, port)
				}
			}
			if named := strings.HasPrefix(port, "interface"); named && !slices.Contains(slices.Collect(maps.Values(models[i].roles)), AT) {
				t.Errorf("%s: nobody knows that %s is the AT port", id, port)
			}
		}
	}
	for id := range rows {
		t.Errorf("%s is not known to the driver", id)
	}
}
