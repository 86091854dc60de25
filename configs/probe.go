package configs

import "time"

// Probe says how often one line texts another to see that it arrives.
type Probe struct {
	Every     Duration `yaml:"every"` // of the whole installation; 0: never
	PerDay    int      `yaml:"budget_per_day"`
	Objective Duration `yaml:"objective"` // within which it is to arrive
}

// maxProbes is how many probes a day there are at most.
const maxProbes = 1440

func (v *checks) probe(p Probe) {
	if p.Every != 0 {
		v.span("probe.every", p.Every, time.Minute, 7*day)
	}
	v.count("probe.budget_per_day", p.PerDay, maxProbes)
	v.span("probe.objective", p.Objective, 5*time.Second, time.Hour)
}
