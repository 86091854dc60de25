package sim

import (
	"math/rand/v2"
	"slices"
	"time"
)

// maxChaos bounds how long a fault of [Options].Chaos delays something, lasts,
// or waits for its occasion.
const maxChaos = 10 * time.Second

// refusals are codes of +CMS ERROR (3GPP TS 27.005 §3.2.5) that networks give:
// some for good, some for now, some that tell nothing.
var refusals = []int{1, 21, 38, 41, 42, 47, 69, 500, 512}

// startChaos gives a modem random faults at random times. The same seed makes
// the same faults in the same order, modem by modem.
func (n *Network) startChaos(m *Modem, index int) {
	if n.opt.Chaos <= 0 {
		return
	}
	rng := rand.New(rand.NewPCG(uint64(n.opt.Seed), uint64(index)|1<<32))
	mean := float64(time.Minute) / n.opt.Chaos
	var next func()
	next = func() {
		f, lasts := randomFault(rng)
		if n.opt.ChaosTold != nil {
			n.opt.ChaosTold(m.name, f)
		}
		waiting := len(m.faults)
		m.inject(f)
		if len(m.faults) > waiting {
			added := m.faults[waiting]
			m.later(lasts, func() { m.drop(added) })
		}
		m.later(time.Duration(mean*rng.ExpFloat64()), next)
	}
	m.later(time.Duration(mean*rng.ExpFloat64()), next)
}

// randomFault is one of any kind, and how long it lasts or waits for its
// occasion. None is for ever.
func randomFault(rng *rand.Rand) (f Fault, lasts time.Duration) {
	kinds := FaultKinds()
	f = Fault{Kind: kinds[rng.IntN(len(kinds))]}
	some := func() time.Duration { return time.Millisecond + time.Duration(rng.Int64N(int64(maxChaos))) }
	if slices.Contains(pointFaults, f.Kind) {
		f.Point = append([]Point{""}, points...)[rng.IntN(len(points)+1)]
		f.Delay = some()
	}
	switch f.Kind {
	case FaultLate, FaultPrompt:
		f.Delay = some()
	case FaultChatter:
		f.Where = []string{WhereBefore, WhereInside, WhereSplit, WhereAfter, WhereJoined}[rng.IntN(5)]
	case FaultError:
		f.Code = []int{0, 30, 100}[rng.IntN(3)]
	case FaultCMS:
		f.Code = refusals[rng.IntN(len(refusals))]
	case FaultReference:
		f.Code = rng.IntN(256)
	case FaultAnswer:
		f.Text = "\r\nERROR\r\n"
	case FaultFinal:
		f.Text = []string{"\r\nOK \r\n", "\r\nCOMMAND NOT SUPPORT\r\n", "\x00OK\r\n"}[rng.IntN(3)]
	}
	return f, some()
}

// drop ends a fault that lasts, or that waits.
func (m *Modem) drop(f *Fault) {
	m.faults = slices.DeleteFunc(m.faults, func(other *Fault) bool { return other == f })
	m.registrationChanged()
	m.memoryFreed()
}
