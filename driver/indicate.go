package driver

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// familySetup sends what the family of the modem wants at the start. What is
// refused is done without.
func (m *Modem) familySetup(context.Context) error {
	for _, cmd := range m.quirks.setup {
		if _, err := m.s.do(cmd); err != nil && codeOf(err) == "" {
			return err
		}
	}
	return nil
}

// indicationForms are the parameters of AT+CNMI (3GPP TS 27.005 §3.4.1) in
// the order we like them: mt is always 1, so that messages are stored and
// only hinted at; ds is 1 (reports on the wire), 2 (reports stored) or 0.
var indicationForms = [][5]int{
	{2, 1, 0, 1, 0}, {1, 1, 0, 1, 0}, {2, 1, 0, 2, 0}, {1, 1, 0, 2, 0},
	{2, 1, 0, 0, 0}, {1, 1, 0, 0, 0}, {2, 1, 0, 0, 1}, {3, 1, 0, 1, 0}, {3, 1, 0, 0, 0},
}

// askIndications finds a form that the modem takes and keeps. Without one
// messages are found by polling.
func (m *Modem) askIndications(context.Context) error {
	var offered [][]int
	if lines, err := m.s.do("+CNMI=?"); err == nil {
		for _, f := range answers(lines, "+CNMI:", 4) {
			for _, group := range f {
				offered = append(offered, values(group))
			}
		}
	} else if codeOf(err) == "" {
		return err
	}
	for _, form := range m.quirks.ladder(offered) {
		cmd := fmt.Sprintf("+CNMI=%d,%d,%d,%d,%d", form[0], form[1], form[2], form[3], form[4])
		_, err := m.s.do(cmd)
		if err == nil && m.keptIndications(form) {
			m.announces = form[1] > 0
			m.o.Log.Debug("new message indications", "cnmi", cmd[len("+CNMI="):])
			break
		}
		if err != nil && codeOf(err) == "" {
			return err
		}
	}
	if !m.announces {
		m.o.Log.Warn("modem does not announce new messages, they are found by listing")
	}
	return nil
}

// keptIndications reads back what was set; a modem that cannot say is believed.
func (m *Modem) keptIndications(form [5]int) bool {
	lines, err := m.s.do("+CNMI?")
	if err != nil {
		return true
	}
	for _, f := range answers(lines, "+CNMI:", 4) {
		return number(f[1], -1) == form[1] && number(f[3], -1) == form[3]
	}
	return true
}

// ladder lists the forms of AT+CNMI to try: those of the modem's row, then
// all others by what AT+CNMI=? offers.
func (q quirks) ladder(offered [][]int) [][5]int {
	if q.onlyThese {
		return q.indications
	}
	forms := slices.Clone(q.indications)
	for _, form := range sortForms(offered, q.reports) {
		if !slices.Contains(forms, form) {
			forms = append(forms, form)
		}
	}
	return forms
}

// sortForms puts the forms that AT+CNMI=? offers first, those with the wanted
// reports before the others, and keeps the rest: what modems offer and what
// they take are two things. Siemens wants bfr=1.
func sortForms(offered [][]int, want reports) [][5]int {
	has := func(i, v int) bool {
		return i >= len(offered) || len(offered[i]) == 0 || slices.Contains(offered[i], v)
	}
	var ranks [4][][5]int
	seen := make(map[[5]int]bool)
	for _, form := range indicationForms {
		if !has(4, form[4]) {
			form[4] = 1 - form[4]
		}
		if seen[form] {
			continue
		}
		seen[form] = true
		rank := 0
		for i, v := range form {
			if !has(i, v) {
				rank = 2
			}
		}
		if want != reportsAny && form[3] != want.ds() {
			rank++
		}
		ranks[rank] = append(ranks[rank], form)
	}
	return slices.Concat(ranks[:]...)
}

// ds is the value of AT+CNMI for a way of reports.
func (r reports) ds() int {
	switch r {
	case reportsRouted:
		return 1
	case reportsStored:
		return 2
	}
	return 0
}

// Announces tells whether the modem says so when a message has come in. For
// one that does not, [SignalStored] comes every few seconds.
func (m *Modem) Announces() bool { return m.announces }

// hintEvery is how often a modem that announces nothing is to be listed.
const hintEvery = 5 * time.Second

// standIn gives the hints that the modem does not give, until the session ends.
func (s *session) standIn() {
	tick := time.NewTicker(hintEvery)
	defer tick.Stop()
	for {
		select {
		case <-s.done:
			return
		case <-tick.C:
			s.wire.mu.Lock()
			s.wire.signal(Signal{Kind: SignalStored, Index: -1, Length: -1})
			s.wire.mu.Unlock()
		}
	}
}
