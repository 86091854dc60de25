package driver

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

var quotedName = regexp.MustCompile(`"([A-Z]{2})"`)

// findStorages learns which memories (3GPP TS 27.005 §3.1) can hold messages
// and reports, and selects the one to rest in.
func (m *Modem) findStorages(context.Context) error {
	offered := m.quirks.memories
	if offered == nil {
		lines, err := m.s.do("+CPMS=?")
		if err != nil && codeOf(err) == "" {
			return err
		}
		offered = offeredStorages(answers(lines, "+CPMS:", 1))
	}
	if len(offered) == 0 {
		offered = m.selectedStorages()
	}
	m.resting = m.quirks.rest(offered)
	if m.resting == "" {
		return fmt.Errorf("modem names no message storage, what is selected is used")
	}
	m.storages = append([]string{m.resting}, slices.DeleteFunc(slices.Clone(offered), func(s string) bool { return s == m.resting })...)
	_, err := m.choose(m.resting)
	return err
}

// storageTries is how often a modem that named no storage at bring-up is asked
// again: some refuse while they start, and reports can be where nobody looks.
const storageTries = 5

// memories are what is to be listed; one without a name stands for what is
// selected. The caller holds the turn.
func (m *Modem) memories(ctx context.Context) ([]string, error) {
	if len(m.storages) == 0 && m.asked < storageTries {
		m.asked++
		if err := m.findStorages(ctx); err != nil && m.isDone() {
			return nil, err
		}
	}
	if len(m.storages) == 0 {
		return []string{""}, nil
	}
	return m.storages, nil
}

// offeredStorages takes the memories of the first group. MT is SM and ME seen
// as one, and stands for the two where one of them cannot be had by itself:
// reading both ways would show each message twice. Wavecom puts all
// groups into one pair of parentheses.
func offeredStorages(rows [][]string) []string {
	var out []string
	for _, f := range rows {
		for _, name := range quotedName.FindAllStringSubmatch(f[0], -1) {
			known := name[1] == "SM" || name[1] == "ME" || name[1] == "MT" || name[1] == "SR"
			if known && !slices.Contains(out, name[1]) {
				out = append(out, name[1])
			}
		}
	}
	whole := slices.Contains(out, "SM") && slices.Contains(out, "ME")
	if !whole && !slices.Contains(out, "MT") {
		return out
	}
	return slices.DeleteFunc(out, func(s string) bool { return whole && s == "MT" || !whole && (s == "SM" || s == "ME") })
}

// selectedStorages reads which memory is selected where the offer cannot be read.
func (m *Modem) selectedStorages() []string {
	lines, err := m.s.do("+CPMS?")
	if err != nil {
		return nil
	}
	for _, f := range answers(lines, "+CPMS:", 3) {
		return []string{f[0]}
	}
	return nil
}

// choose selects a memory and returns how many messages are in it, -1 if the
// modem does not say. All three roles go to the same memory where the modem
// lets them: Quectel loses messages when they differ. The caller holds the turn.
func (m *Modem) choose(memory string) (used int, err error) {
	forms := []string{
		fmt.Sprintf(`%q,%[1]q,%[1]q`, memory), fmt.Sprintf(`%q,%q,%[2]q`, memory, m.resting),
		fmt.Sprintf(`%q,%[1]q`, memory), fmt.Sprintf(`%q,%q`, memory, m.resting), fmt.Sprintf(`%q`, memory),
	}
	forms = forms[max(0, 2*(3-m.cpmsArgs())):]
	known, sure := m.selects[memory]
	if sure {
		forms = []string{known}
	}
	for _, form := range forms {
		lines, err := m.s.do("+CPMS=" + form)
		if err != nil && codeOf(err) == "" {
			return -1, err
		}
		if err == nil && !sure {
			sure, err = m.isSelected(memory)
			if err != nil && codeOf(err) == "" {
				return -1, err
			}
		}
		if err != nil || !sure {
			continue
		}
		m.selects[memory], m.current = form, memory
		for _, f := range answers(lines, "+CPMS:", 2) {
			m.total[memory] = number(f[1], m.total[memory])
			return number(f[0], -1), nil
		}
		return -1, nil
	}
	m.current = "" // some form may have selected something
	return -1, fmt.Errorf("storage %s cannot be selected", memory)
}

// isSelected reads back what was selected: some modems say OK and stay where
// they were. One that cannot say is believed.
func (m *Modem) isSelected(memory string) (bool, error) {
	lines, err := m.s.do("+CPMS?")
	if err != nil {
		if codeOf(err) == "" {
			return false, err
		}
		return true, nil
	}
	for _, f := range answers(lines, "+CPMS:", 3) {
		return strings.HasPrefix(f[0], memory), nil
	}
	return true, nil
}

// cpmsArgs is how many parameters AT+CPMS= takes at most.
func (m *Modem) cpmsArgs() int {
	if m.quirks.cpmsArgs == 0 {
		return 3
	}
	return m.quirks.cpmsArgs
}

// rest returns to the memory that new messages go to.
func (m *Modem) rest() error {
	if m.resting == "" || m.current == m.resting {
		return nil
	}
	_, err := m.choose(m.resting)
	return err
}
