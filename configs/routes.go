package configs

import (
	"fmt"
	"slices"
)

// Labels are the labels of all lines, each once.
func (m Modems) Labels() []string {
	var all []string
	for _, l := range m.List {
		for _, label := range l.Labels {
			if !slices.Contains(all, label) {
				all = append(all, label)
			}
		}
	}
	return all
}

// labels checks what lines are called beside their names. A label that is the
// name of a line would make a route say two things.
func (v *checks) labels(m Modems) {
	names := m.Names()
	for i, l := range m.List {
		seen := map[string]string{}
		for j, label := range l.Labels {
			path := fmt.Sprintf("modems.list[%d].labels[%d]", i, j)
			switch {
			case label == "" || len(label) > maxNames || !lineName.MatchString(label):
				v.addf(path, "%s must be made of a-z, 0-9 and -, begin with a letter or digit, and have %d characters at most", quote(label), maxNames)
			case slices.Contains(names, label), adopted.MatchString(label):
				v.addf(path, "%s is the name of a line; a label is another word, such as uk", quote(label))
			default:
				v.unique(path, label, seen)
			}
		}
	}
}

// optional checks a limit that need not be set.
func (v *checks) optional(path string, n *int) {
	if n != nil {
		v.count(path, *n, maxCount)
	}
}

// maxCosts bounds the table of costs, maxUnits what one part may cost.
const maxCosts, maxUnits = 1000, 1_000_000

// costs checks the table of costs.
func (v *checks) costs(all []Cost) {
	if len(all) > maxCosts {
		v.addf("limits.cost", "has %d prefixes, %d are the most", len(all), maxCosts)
	}
	for i, c := range all {
		path := fmt.Sprintf("limits.cost[%d]", i)
		if c.Prefix != "" {
			v.prefix(path+".prefix", c.Prefix)
		}
		v.count(path+".units", c.Units, maxUnits)
	}
}
