package gateway

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/modemgate/modemgate/driver"
)

// Watermarks of a memory, in percent: from high on it is told, and below low it
// is told to be well again.
const (
	highWater = 80
	lowWater  = 70
)

// memory is what is known of one memory of a modem beside its fill.
type memory struct {
	foreign int  // messages that are not ours to delete
	stuck   int  // received ones that are stored here and that the modem does not delete
	high    bool // it was above high water when last asked, before it was read
	told    bool // that it is above it
}

// incoming says whether a stored message came in, or is a report of one that
// went out. Drafts and sent messages were put there by another program or
// phone; some modems list those as read, so that a correct SMS-SUBMIT is taken
// for what it is.
func incoming(s driver.Stored, d driver.Decoded) bool {
	switch {
	case d.Kind == driver.Report:
		return true
	case d.Kind == driver.Submit && len(d.Repairs) == 0:
		return false
	}
	return s.Status != 2 && s.Status != 3
}

// sorted takes the messages that came in out of a listing, and counts the
// others.
func (l *line) sorted(list []driver.Stored) (in []arrival) {
	foreign := map[string]int{}
	for _, s := range list {
		if d := driver.Decode(s.PDU, s.Length); incoming(s, d) {
			in = append(in, arrival{s, d})
		} else {
			foreign[s.Slot.Memory]++
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, y := range l.memories {
		y.foreign, y.stuck = 0, 0
	}
	for name, n := range foreign {
		l.memory(name).foreign = n
	}
	l.state.Storage = slices.Clone(l.state.Storage) // readers have the old one
	for i := range l.state.Storage {
		l.state.Storage[i].Foreign = foreign[l.state.Storage[i].Memory]
	}
	if !maps.Equal(foreign, l.foreign) {
		l.foreign = foreign
		if len(foreign) > 0 {
			l.log.Info("drafts or sent SMS of other programs take slots; they are not deleted", "slots", foreign)
		}
	}
	return in
}

// memory is called with mu held.
func (l *line) memory(name string) *memory {
	y := l.memories[name]
	if y == nil {
		y = &memory{}
		l.memories[name] = y
	}
	return y
}

// stuckIn counts a message that the modem does not delete.
func (l *line) stuckIn(name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.memory(name).stuck++
}

// noteStorage keeps the fill of the memories and tells when one passes a
// watermark. One that seems full is read first: what fills it may just have
// come in.
func (l *line) noteStorage(ctx context.Context, fill []driver.Memory) {
	var events [][2]string
	l.mu.Lock()
	l.state.Storage = nil
	for _, m := range fill {
		y := l.memory(m.Name)
		l.state.Storage = append(l.state.Storage, StorageStatus{Memory: m.Name, Used: m.Used, Total: m.Total, Foreign: y.foreign})
		detail := fmt.Sprintf("%s %d of %d", m.Name, m.Used, m.Total)
		was := y.high
		y.high = m.Total > 0 && m.Used*100 >= m.Total*highWater
		switch {
		case y.high && !was:
			l.want.Store(true)
			l.look.Store(true)
			l.poke()
		case y.high && !y.told:
			y.told = true
			events = append(events, [2]string{"storage-full", detail})
		case y.told && m.Used*100 < m.Total*lowWater:
			y.told = false
			events = append(events, [2]string{"storage-ok", detail})
		}
	}
	delete(l.memories, "") // one that a modem called full without naming it
	l.mu.Unlock()
	for _, e := range events {
		if e[0] == "storage-full" {
			l.log.Warn("a memory of the modem fills up", "fill", e[1])
		}
		l.tell(ctx, e[0], e[1])
	}
}

// isFull takes the modem's word that a memory is full: it is read, and told
// once until there is room again.
func (l *line) isFull(ctx context.Context, name string) {
	l.want.Store(true)
	l.look.Store(true)
	l.poke()
	l.mu.Lock()
	y := l.memory(name)
	told := y.told
	y.told = true
	l.mu.Unlock()
	if !told {
		l.log.Warn("a memory of the modem is full: SMS wait in the network until it is read", "memory", name)
		l.tell(ctx, "storage-full", name)
	}
}

// fullTold says whether a memory was told to be full and not yet to be well.
func (l *line) fullTold() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, y := range l.memories {
		if y.told {
			return true
		}
	}
	return false
}

// storageWords say what is wrong with the memories, "" if nothing is. It is
// called with mu held.
func (l *line) storageWords() string {
	var words []string
	for _, s := range l.state.Storage {
		y := l.memories[s.Memory]
		if y == nil || s.Total == 0 || s.Used*100 < s.Total*highWater {
			continue
		}
		text := fmt.Sprintf("the memory %s is %d of %d full", s.Memory, s.Used, s.Total)
		switch {
		case y.foreign > 0:
			text += fmt.Sprintf(": %d of these are drafts or sent SMS of another program, which modemgate never deletes; delete them in a phone", y.foreign)
		case y.stuck > 0:
			text += ": the modem does not delete what was read; unplug it once, or try the SIM in a phone"
		}
		words = append(words, text)
	}
	slices.Sort(words)
	return strings.Join(words, "; ")
}
