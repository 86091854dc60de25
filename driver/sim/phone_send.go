package sim

import (
	"encoding/hex"
	"errors"
	"fmt"
	"time"
)

// SendOptions change how a phone sends a text.
type SendOptions struct {
	Flash     bool          // class 0
	Class     *int          // message class 0-3
	Wide      bool          // 16-bit concatenation reference
	Ref       *int          // concatenation reference; nil: the phone counts
	Order     []int         // parts to send, from 1, in this order; left out ones are lost, repeated ones come twice
	Copies    int           // of each part, one after the other; 0: one
	Interval  time.Duration // between two parts
	Delay     time.Duration // before the first
	PID       byte          // TP-PID
	Timestamp time.Time     // TP-SCTS of every part and copy; zero: now
}

// Send sends a text of any length to a number; longer ones go in parts. The
// error says why the network did not take it.
func (p *Phone) Send(to, text string) error { return p.SendWith(to, text, SendOptions{}) }

// SendWith is Send with options.
func (p *Phone) SendWith(to, text string, o SendOptions) error {
	if text == "" {
		return errors.New("phone: a text must not be empty")
	}
	p.mu.Lock()
	p.ref++
	ref := p.ref
	p.mu.Unlock()
	if o.Ref != nil {
		ref = *o.Ref
	}
	if !o.Wide {
		ref &= 0xFF
	}
	parts := splitText(text, ref&0xFFFF, o.Wide)
	if len(parts) > 255 {
		return fmt.Errorf("phone: the text needs %d parts, at most 255 can be sent", len(parts))
	}
	order := o.Order
	if order == nil {
		order = seq(1, len(parts))
	}
	if o.Timestamp.IsZero() {
		o.Timestamp = time.Now().Truncate(time.Second) // once: a copy keeps its stamp
	}
	delay := o.Delay
	for _, i := range order {
		if i < 1 || i > len(parts) {
			return fmt.Errorf("phone: part %d does not exist, the text has %d", i, len(parts))
		}
		for range max(o.Copies, 1) {
			p.sendPart(to, parts[i-1], o, delay)
		}
		delay += o.Interval
	}
	return nil
}

func (p *Phone) sendPart(to string, part part, o SendOptions, delay time.Duration) {
	dcs := part.dcs
	if o.Class != nil {
		dcs |= 0x10 | byte(*o.Class&3)
	} else if o.Flash {
		dcs |= 0x10
	}
	d := deliver{from: p.number, udhi: part.udhi, pid: o.PID, dcs: dcs, at: o.Timestamp, udl: part.udl, ud: part.ud}
	p.net.submitFromPhone(p.net.newMessage(p.number, to, d), delay)
}

// SendPDU delivers a raw PDU (hex with service centre address, however wrong)
// to a modem, which lists it as it is. length is the announced one, 0 the
// right one.
func (p *Phone) SendPDU(to, pdu string, length int) error {
	if p.net.modemAt(to) == nil {
		return fmt.Errorf("phone: a raw PDU goes to a modem only, and %q is none", to)
	}
	msg := p.net.newMessage(p.number, to, deliver{from: p.number})
	msg.raw, msg.rawLength, msg.class = pdu, length, noClass
	if b, err := hex.DecodeString(pdu); err == nil {
		if _, tpdu, err := splitSCA(b); err == nil {
			msg.tpdu = tpdu
			if d, _, err := parseDeliver(tpdu); err == nil {
				msg.d, msg.pid, msg.class = d, d.pid, classOf(d.dcs)
			}
		}
	}
	if msg.tpdu == nil {
		msg.tpdu = []byte{}
	}
	p.net.submitFromPhone(msg, 0)
	return nil
}

func (n *Network) submitFromPhone(msg *message, delay time.Duration) {
	n.journal.add(msg.entry(JournalSubmitted))
	if delay > 0 {
		n.sched.after(delay, func() { n.route(msg) })
		return
	}
	n.route(msg)
}
