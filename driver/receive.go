package driver

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// Slot is a place in a storage.
type Slot struct {
	Memory string // SM, ME, MT, SR; "" if the modem names none
	Index  int    // 0 is a valid index
}

// Stored is a message in a storage, undecoded.
type Stored struct {
	Slot   Slot
	Status int    // <stat> of 3GPP TS 27.005 §3.1: 0 REC UNREAD, 1 REC READ, 2 STO UNSENT, 3 STO SENT, -1 unknown
	PDU    string // upper-case hex as listed, service centre address included
	Length int    // octets of the TPDU as announced, -1 unknown
	Copy   bool   // the modem is known to store one message twice, and this is the second of them
}

// List reads every stored message of all storages, each in index order. It
// deletes and changes nothing but AT+CMGL's own mark "read".
func (m *Modem) List(ctx context.Context) ([]Stored, error) {
	release, err := m.s.hold(ctx)
	if err != nil {
		return nil, fmt.Errorf("list: %w", err)
	}
	defer release()
	memories, err := m.memories(ctx)
	if err != nil {
		return nil, fmt.Errorf("list: %w", err)
	}
	var all []Stored
	for _, memory := range memories {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("list: %w", err)
		}
		found, err := m.listMemory(memory)
		if err != nil {
			return nil, fmt.Errorf("list storage %s: %w", memory, err)
		}
		all = append(all, found...)
	}
	if err := m.rest(); err != nil {
		return nil, fmt.Errorf("list: %w", err)
	}
	if m.quirks.doubles {
		markCopies(all)
	}
	return all, nil
}

// markCopies marks every second one of equal PDUs. From other modems they are
// as many messages.
func markCopies(all []Stored) {
	odd := make(map[string]bool)
	for i, st := range all {
		all[i].Copy = odd[st.PDU]
		odd[st.PDU] = !odd[st.PDU]
	}
}

// listMemory reads one storage. A storage that cannot be selected any more is
// left out, unless it is the one that new messages go to.
func (m *Modem) listMemory(memory string) ([]Stored, error) {
	if memory != "" && memory != m.current {
		used, err := m.choose(memory)
		switch {
		case err != nil && (memory == m.resting || m.isDone()):
			return nil, err
		case err != nil:
			m.o.Log.Debug("storage left out", "memory", memory, "err", err)
			return nil, nil
		case used == 0 && memory != m.resting:
			return nil, nil
		}
	}
	if m.walk[memory] {
		return m.walkMemory(memory)
	}
	lines, err := m.s.doLong("+CMGL=4")
	switch code := codeOf(err); {
	case err == nil:
	case code == "cms-321", code == "cms-22": // nothing stored, in the words of some modems
		return nil, nil
	case code != "":
		found, werr := m.walkMemory(memory)
		m.walk[memory] = werr == nil && walkable(code)
		return found, werr
	default:
		return nil, err
	}
	return m.completed(memory, lines)
}

// walkable says whether an error of AT+CMGL means that it will never work.
func walkable(code string) bool {
	return slices.Contains([]string{"error", "cms-302", "cms-303", "cms-304", "cme-3", "cme-4"}, code)
}

// completed makes messages of a listing (3GPP TS 27.005 §3.4.2). A header
// that lost its PDU line is read again by itself.
func (m *Modem) completed(memory string, lines []string) ([]Stored, error) {
	var out []Stored
	for _, st := range parseList(lines, "+CMGL:") {
		st.Slot.Memory = memory
		if st.PDU == "" {
			again, ok, err := m.readSlot(st.Slot)
			if err != nil {
				return nil, err
			}
			if !ok {
				m.o.Log.Warn("listed message cannot be read", "memory", memory, "index", st.Slot.Index)
				continue
			}
			st = again
		}
		out = append(out, st)
	}
	slices.SortStableFunc(out, func(a, b Stored) int { return a.Slot.Index - b.Slot.Index })
	return out, nil
}

// parseList pairs headers with PDU lines and skips whatever came in between.
// +CMGL has an index before the fields that +CMGR has too.
func parseList(lines []string, prefix string) []Stored {
	var out []Stored
	for _, line := range lines {
		f, ok := fields(line, prefix)
		if !ok {
			if n := len(out); n > 0 && out[n-1].PDU == "" && isHex(line) {
				out[n-1].PDU = strings.ToUpper(line)
			}
			continue
		}
		index := 0
		if prefix == "+CMGL:" {
			if index = number(f[0], -1); index < 0 {
				continue
			}
			f = f[1:]
		}
		if len(f) == 0 {
			continue
		}
		out = append(out, Stored{Slot: Slot{Index: index}, Status: number(f[0], -1), Length: number(f[len(f)-1], -1)})
	}
	return out
}

// walkMemory reads slot by slot where AT+CMGL does not work: from 0, which is
// valid on some SIMs, to one past the number of slots.
func (m *Modem) walkMemory(memory string) ([]Stored, error) {
	used, total := -1, m.total[memory]
	if memory != "" {
		var err error
		if used, err = m.choose(memory); err != nil {
			return nil, err
		}
		total = m.total[memory]
	}
	if total <= 0 {
		total = 50
	}
	var out []Stored
	for index := 0; index <= total && (used < 0 || len(out) < used); index++ {
		st, ok, err := m.readSlot(Slot{Memory: memory, Index: index})
		if err != nil {
			return nil, err
		}
		if ok {
			out = append(out, st)
		}
	}
	return out, nil
}

// readSlot reads one slot (3GPP TS 27.005 §3.4.3). Empty slots answer in many
// ways: an error, a bare OK, or a header of length 0.
func (m *Modem) readSlot(slot Slot) (Stored, bool, error) {
	lines, err := m.s.do(fmt.Sprintf("+CMGR=%d", slot.Index))
	if err != nil && codeOf(err) == "" {
		return Stored{}, false, err
	}
	for _, st := range parseList(lines, "+CMGR:") {
		if st.PDU != "" {
			st.Slot = slot
			return st, true, nil
		}
	}
	return Stored{}, false, nil
}

// Delete empties one slot (3GPP TS 27.005 §3.5.4). A slot that is already
// empty is no error. The caller has made the message durable before.
func (m *Modem) Delete(ctx context.Context, slot Slot) error {
	release, err := m.s.hold(ctx)
	if err != nil {
		return fmt.Errorf("delete: %w", err)
	}
	defer release()
	if slot.Memory != "" && slot.Memory != m.current {
		if _, err := m.choose(slot.Memory); err != nil {
			return fmt.Errorf("delete: %w", err)
		}
	}
	m.hook.at("driver:delete:before")
	_, err = m.s.do(fmt.Sprintf("+CMGD=%d", slot.Index))
	m.hook.at("driver:delete:after")
	if err != nil && codeOf(err) != "cms-321" {
		return fmt.Errorf("delete %s %d: %w", slot.Memory, slot.Index, err)
	}
	if err := m.rest(); err != nil {
		return fmt.Errorf("delete: %w", err)
	}
	return nil
}

// isDone says whether the session has ended.
func (m *Modem) isDone() bool {
	select {
	case <-m.s.done:
		return true
	default:
		return false
	}
}
