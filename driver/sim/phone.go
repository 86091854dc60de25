package sim

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Text is a message as a phone shows it, its parts joined.
type Text struct {
	From     string    `json:"from"`
	To       string    `json:"to"`
	Text     string    `json:"text"`
	Encoding string    `json:"encoding"`      // gsm7, ucs2 or 8bit
	Class    int       `json:"class"`         // message class, -1: none
	Parts    int       `json:"parts"`         // 1 for a single message
	Ref      int       `json:"ref,omitempty"` // concatenation reference
	At       time.Time `json:"at"`            // when it was complete
	PDUs     []string  `json:"pdus"`          // SMS-DELIVER TPDUs in upper-case hex, in the order of the parts
}

// Phone is a simulated phone. Its methods are safe for concurrent use.
type Phone struct {
	net    *Network
	number string

	mu       sync.Mutex
	off      bool
	status   byte // final TP-Status with which it refuses, 0: it takes messages
	texts    []Text
	total    int // of texts ever received
	parts    int // of short messages ever received
	partials map[partialKey]*partial
	held     []*message
	changed  chan struct{} // closed and replaced at each change
	ref      int
}

type partialKey struct {
	from  string
	ref   int
	wide  bool
	total int
}

type partial struct {
	texts []string
	pdus  []string
	have  int
}

const phoneMemory = 100_000 // texts kept

func newPhone(n *Network, number string) *Phone {
	return &Phone{net: n, number: number, partials: map[partialKey]*partial{}, changed: make(chan struct{})}
}

// Number is the number, or name, of the phone.
func (p *Phone) Number() string { return p.number }

// offer brings a message to the phone.
func (p *Phone) offer(msg *message) {
	p.mu.Lock()
	switch {
	case p.status != 0:
		status := p.status
		p.mu.Unlock()
		p.net.journal.add(msg.entry(JournalFailed))
		p.net.report(msg, status)
	case p.off:
		p.held = append(p.held, msg)
		p.mu.Unlock()
		p.net.hold(msg, "", func() bool { return p.withdraw(msg) })
	default:
		p.show(msg)
		p.mu.Unlock()
		p.net.delivered(msg, "")
	}
}

func (p *Phone) withdraw(msg *message) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	i := slices.Index(p.held, msg)
	if i >= 0 {
		p.held = slices.Delete(p.held, i, i+1)
	}
	return i >= 0
}

// show puts a message on the display, or with its other parts.
func (p *Phone) show(msg *message) {
	p.parts++
	d := msg.d
	text, c := userData(d.dcs, d.udhi, d.udl, d.ud)
	t := Text{From: msg.from, To: p.number, Text: text, Encoding: string(alphabetOf(d.dcs)), Class: classOf(d.dcs), Parts: 1,
		At: time.Now(), PDUs: []string{upperHex(d.encode())}}
	if msg.raw != "" {
		t.PDUs[0] = msg.raw
	}
	if c != nil && c.total > 1 {
		key := partialKey{msg.from, c.ref, c.wide, c.total}
		set := p.partials[key]
		if set == nil {
			set = &partial{texts: make([]string, c.total), pdus: make([]string, c.total)}
			p.partials[key] = set
		}
		if set.pdus[c.seq-1] == "" {
			set.have++
			set.texts[c.seq-1], set.pdus[c.seq-1] = text, t.PDUs[0]
		}
		if set.have < c.total {
			return
		}
		delete(p.partials, key)
		t.Text, t.Parts, t.Ref, t.PDUs = join(set.texts), c.total, c.ref, set.pdus
	}
	if len(p.texts) >= 2*phoneMemory {
		p.texts = append(p.texts[:0], p.texts[len(p.texts)-phoneMemory+1:]...)
	}
	p.texts = append(p.texts, t)
	p.total++
	close(p.changed)
	p.changed = make(chan struct{})
}

func join(texts []string) (all string) {
	for _, t := range texts {
		all += t
	}
	return all
}

// Received gives the texts that the phone showed, oldest first; of a long run
// the last 100,000.
func (p *Phone) Received() []Text {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]Text(nil), p.texts[max(len(p.texts)-phoneMemory, 0):]...)
}

// PartsReceived counts the short messages the phone took, parts and copies
// each on their own.
func (p *Phone) PartsReceived() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.parts
}

// Incomplete counts long messages of which parts are missing.
func (p *Phone) Incomplete() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.partials)
}

// Wait waits until the phone has received n texts since it was made, and
// gives all. When ctx ends first it gives what is there and an error.
func (p *Phone) Wait(ctx context.Context, n int) ([]Text, error) {
	for {
		p.mu.Lock()
		have, changed := p.total, p.changed
		p.mu.Unlock()
		if have >= n {
			return p.Received(), nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return p.Received(), fmt.Errorf("phone has %d texts, waited for %d: %w", have, n, ctx.Err())
		}
	}
}

// SetPower switches the phone on or off. While it is off messages wait in the
// service centre: a sender who asked for it gets a report 0x22 (still
// trying), then 0x00 after switching on or 0x46 when the validity ends.
func (p *Phone) SetPower(on bool) {
	p.mu.Lock()
	p.off = !on
	var held []*message
	if on {
		held, p.held = p.held, nil
	}
	p.mu.Unlock()
	for _, msg := range held {
		p.offer(msg)
	}
}

// Refuse makes the phone refuse messages with a final TP-Status, such as 0x41
// (incompatible destination); 0 makes it take them again.
func (p *Phone) Refuse(status byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.status = status
}
