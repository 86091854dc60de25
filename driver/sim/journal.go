package sim

import (
	"strings"
	"sync"
	"time"
)

// Kinds of journal entries.
const (
	JournalSubmitted = "submitted" // the network took a message from a modem or phone
	JournalRefused   = "refused"   // the network refused it with Code
	JournalDelivered = "delivered"
	JournalHeld      = "held"    // the recipient is full or not reachable; tried again later
	JournalExpired   = "expired" // its validity ended first
	JournalFailed    = "failed"  // the recipient refuses for good
	JournalReport    = "report"  // a status report went to the sender
)

// Entry is one event of the network.
type Entry struct {
	Seq       uint64    `json:"seq"`
	At        time.Time `json:"at"`
	Kind      string    `json:"kind"`
	ID        uint64    `json:"id"`              // of the message, the same in all its entries
	Modem     string    `json:"modem,omitempty"` // name of the submitting or receiving modem
	From      string    `json:"from"`
	To        string    `json:"to"`
	Reference int       `json:"reference"` // TP-MR of a submission or report, -1: none
	Text      string    `json:"text,omitempty"`
	Ref       int       `json:"ref,omitempty"` // of a long message, with Part and Parts
	Part      int       `json:"part,omitempty"`
	Parts     int       `json:"parts,omitempty"`
	Status    int       `json:"status,omitempty"` // TP-Status of a report
	Code      int       `json:"code,omitempty"`   // of a refusal
	PDU       string    `json:"pdu,omitempty"`    // TPDU, upper-case hex
}

// journal keeps the last entries; it is trimmed at twice its size, so that
// keeping it costs little.
type journal struct {
	mu      sync.Mutex
	max     int // 0: keeps nothing
	seq     uint64
	entries []Entry
}

func (j *journal) add(e Entry) {
	if j.max == 0 {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.seq++
	e.Seq, e.At = j.seq, time.Now()
	if len(j.entries) >= 2*j.max {
		j.entries = append(make([]Entry, 0, 2*j.max), j.entries[len(j.entries)-j.max+1:]...)
	}
	j.entries = append(j.entries, e)
}

// after gives the entries with a greater sequence number.
func (j *journal) after(seq uint64) []Entry {
	j.mu.Lock()
	defer j.mu.Unlock()
	list := j.entries[max(len(j.entries)-j.max, 0):]
	for len(list) > 0 && list[0].Seq <= seq {
		list = list[min(int(seq-list[0].Seq)+1, len(list)):]
	}
	return append([]Entry(nil), list...)
}

// Journal gives what happened in the network, in order; of a long run the
// last [Options.JournalSize] entries.
func (n *Network) Journal() []Entry { return n.journal.after(0) }

// transcript keeps the last lines of a dialogue.
type transcript struct {
	max   int
	lines []string
}

func (t *transcript) add(line string) {
	if len(t.lines) >= 2*t.max {
		t.lines = append(t.lines[:0], t.lines[len(t.lines)-t.max+1:]...)
	}
	t.lines = append(t.lines, line)
}

func (t *transcript) addAnswer(resp []byte) {
	for line := range strings.SplitSeq(string(resp), "\n") {
		if line = strings.Trim(line, "\r"); line != "" {
			t.add("< " + line)
		}
	}
}

// Transcript gives the last lines of the dialogue, at most 2000: "> " host to
// modem, "< " modem to host, "-- " plugs and power cycles. It holds texts and
// PINs as they went over the line.
func (m *Modem) Transcript() (lines []string) {
	m.call(func() {
		lines = append(lines, m.log.lines[max(len(m.log.lines)-m.log.max, 0):]...)
	})
	return lines
}
