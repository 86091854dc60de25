package driver

import (
	"strings"
	"time"
)

// join collects a +CUSD until its quotes are balanced (3GPP TS 27.007 §7.15
// allows line ends inside). What never closes is taken as it came, and the
// lines after its first are looked at again on their own.
func (w *wire) join(line string) {
	w.joined = append(w.joined, line)
	w.joinedSize += len(line) + 1
	whole := strings.Join(w.joined, "\n")
	switch {
	case strings.Count(whole, `"`)%2 == 0:
		w.dropJoin()
		w.signal(Signal{Kind: SignalUSSD, Text: strings.TrimSpace(strings.TrimPrefix(whole, "+CUSD:")), Index: -1, Length: -1})
	case w.joinedSize > maxJoin:
		w.giveUpJoin()
	case len(w.joined) == 1:
		arm := w.joinArm
		time.AfterFunc(joinLife, func() {
			w.mu.Lock()
			defer w.mu.Unlock()
			if arm == w.joinArm && !w.done {
				w.giveUpJoin()
			}
		})
	}
}

func (w *wire) dropJoin() {
	w.joined, w.joinedSize = nil, 0
	w.joinArm++
}

func (w *wire) giveUpJoin() {
	lines := w.joined
	w.dropJoin()
	w.signal(Signal{Kind: SignalUSSD, Text: strings.TrimSpace(strings.TrimPrefix(lines[0], "+CUSD:")), Index: -1, Length: -1})
	for _, line := range lines[1:] {
		w.digest(line)
	}
}
