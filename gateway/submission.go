package gateway

import (
	"cmp"
	"encoding/hex"
	"errors"
	"strconv"
	"time"

	"github.com/modemgate/modemgate/driver"
	"github.com/modemgate/modemgate/gateway/store"
)

// prepare reads and codes the first unsent part of a message that this line is
// about to send. A message whose text cannot be read ends, which is
// [store.ErrNotFound].
func (l *line) prepare(tx store.Tx, m *store.Message, now time.Time) (*claim, error) {
	if l.current != nil && l.current.ID == m.ID {
		l.current = nil
	}
	c := &claim{m: m}
	for _, p := range m.Parts {
		if p.State == store.Queued {
			c.part = p.Index
			break
		}
	}
	var err error
	if c.text, err = tx.MessageText(m.ID); errors.Is(err, store.ErrUnreadable) {
		l.log.Error("a message ends: its text cannot be read from the store; is the disk well, and seal.key the one of this data?", "msg", m.ID)
		_, err = l.g.end(tx, m, []State{store.Queued, store.Sending}, store.Failed, "text-unreadable", "its sealed text cannot be read from the store: send it anew")
		err = cmp.Or(err, store.ErrNotFound)
	}
	if err != nil {
		return nil, err
	}
	if c.open, err = refusedValidity(tx, m); err != nil {
		return nil, err
	}
	l.encode(c, now)
	return c, nil
}

// encode makes the TPDU of a part, to be handed to the modem at once: it says
// how long the message is still good. What cannot be coded, or is past its
// deadline, has none.
func (l *line) encode(c *claim, now time.Time) {
	left := c.m.DeadlineAt.Sub(now)
	if left <= 0 {
		return
	}
	if c.open {
		left = 0
	}
	enc, err := driver.Encode(driver.Text{
		To: c.m.To, Body: c.text, Ref: c.m.Reference, Wide: c.m.Wide, Report: c.m.Report, Validity: left, MaxParts: len(c.m.Parts),
		National: l.g.o.National, Coding: c.m.Encoding,
	})
	if c.fault = err; err == nil && c.part >= 1 && c.part <= len(enc.Parts) {
		c.tpdu = enc.Parts[c.part-1]
	}
}

// evidence is what is written with the intent to send a part: which modem and
// SIM get it where, and what.
//
// The hash of the TPDU is keyed and names message and part. A plain one would
// tell the code of an OTP to whoever tries all codes, and one without the
// message to whoever sends texts to the same number and compares.
func (l *line) evidence(c *claim) *store.Submission {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := &store.Submission{IMEI: l.identity.IMEI, ICCID: l.identity.ICCID, SignalDBM: l.state.SignalDBM}
	if l.state.Cell != (Cell{}) {
		s.Cell = ptr(l.state.Cell)
	}
	if c.tpdu != nil {
		s.PDUHMAC = hex.EncodeToString(l.g.o.Secrets.mac("pdu", c.m.ID, strconv.Itoa(c.part), string(c.tpdu)))
	}
	return s
}

// evidenceFor masks what only admin sees of modem and SIM, and leaves out where
// the modem is for who may not see the lines.
func (c Caller) evidenceFor(history []HistoryEntry) {
	if c.admin() {
		return
	}
	for _, h := range history {
		if s := h.Submission; s != nil {
			s.IMEI, s.ICCID = maskID(s.IMEI), maskID(s.ICCID)
			if !c.Has(ScopeStatus) {
				s.Cell = nil
			}
		}
	}
}
