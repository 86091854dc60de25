package store

import (
	"slices"
	"time"
)

// known is what one transaction has read of messages and OTPs, with its own
// changes: reading a thing again takes no statement. No other transaction can
// change a row meanwhile, since a writing one holds the write lock from its
// beginning and a view is a snapshot. It ends with the transaction; what
// changes rows without naming them forgets it.
type known struct {
	messages map[string]*knownMessage
	otps     map[string]*OTP
}

// maxKnown bounds what a long transaction keeps.
const maxKnown = 256

type knownMessage struct {
	m    Message
	body []byte // sealed; nil when it was erased
}

// keepMessage remembers a message that was read.
func (k *known) keepMessage(m *Message, body []byte) {
	if k.messages == nil {
		k.messages = make(map[string]*knownMessage)
	} else if len(k.messages) >= maxKnown {
		clear(k.messages)
	}
	k.messages[m.ID] = &knownMessage{m: cloneMessage(m), body: body}
}

// message is a copy of a known message; nil when it is not known.
func (k *known) message(id string) *Message {
	e := k.messages[id]
	if e == nil {
		return nil
	}
	m := cloneMessage(&e.m)
	return &m
}

func cloneMessage(m *Message) Message {
	c := *m
	c.Parts = slices.Clone(m.Parts)
	return c
}

func (k *known) forgetMessages() { clear(k.messages) }

// keepOTP remembers an OTP that was read.
func (k *known) keepOTP(o *OTP) {
	if k.otps == nil {
		k.otps = make(map[string]*OTP)
	} else if len(k.otps) >= maxKnown {
		clear(k.otps)
	}
	c := *o
	k.otps[o.ID] = &c
}

// otp is a copy of a known OTP; nil when it is not known.
func (k *known) otp(id string) *OTP {
	o := k.otps[id]
	if o == nil {
		return nil
	}
	c := *o
	return &c
}

func (k *known) forgetOTPs() { clear(k.otps) }

// set takes a new value over where one is given; a time as the table keeps it.
func set[T any](to *T, v *T) {
	if v == nil {
		return
	}
	*to = *v
	if at, ok := any(to).(*time.Time); ok {
		*at = stored(*at)
	}
}

// stored is a time as it is read again: whole microseconds, UTC.
func stored(t time.Time) time.Time {
	if us(t) == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us(t)).UTC()
}

// apply makes the change to a message in memory.
func (c *MessageChange) apply(m *Message) {
	set(&m.State, c.State)
	set(&m.Final, c.Final)
	set(&m.Route, c.Route)
	set(&m.NotBefore, c.NotBefore)
	set(&m.DueAt, c.DueAt)
	set(&m.DeadlineAt, c.DeadlineAt)
	set(&m.EndedAt, c.EndedAt)
	set(&m.TextUntil, c.TextUntil)
	m.Attempts += c.AddAttempts
	m.Resends += c.AddResends
	set(&m.PossibleDuplicate, c.PossibleDuplicate)
	set(&m.Simulated, c.Simulated)
	set(&m.Line, c.Line)
	set(&m.ICCID, c.ICCID)
	set(&m.Error, c.Error)
	set(&m.Held, c.Held)
}

// apply makes the change to a part in memory.
func (c *PartChange) apply(p *Part) {
	set(&p.State, c.State)
	set(&p.Line, c.Line)
	set(&p.ICCID, c.ICCID)
	set(&p.Reference, c.Reference)
	p.Attempts += c.AddAttempts
	set(&p.SubmittedAt, c.SubmittedAt)
	set(&p.SentAt, c.SentAt)
	set(&p.ReportedAt, c.ReportedAt)
	set(&p.Status, c.Status)
	set(&p.Error, c.Error)
	set(&p.SignalDBM, c.SignalDBM)
}

// apply makes the change to an OTP in memory.
func (c *OTPChange) apply(o *OTP) {
	set(&o.State, c.State)
	set(&o.MAC, c.MAC)
	if len(o.MAC) == 0 {
		o.MAC = nil
	}
	o.SendsUsed += c.AddSends
	set(&o.ExpiresAt, c.ExpiresAt)
	set(&o.ResendAt, c.ResendAt)
	set(&o.EndedAt, c.EndedAt)
	set(&o.MessageID, c.MessageID)
	set(&o.DeliveryState, c.DeliveryState)
	set(&o.DeliveryAt, c.DeliveryAt)
	set(&o.DeliveryError, c.DeliveryError)
	set(&o.Simulated, c.Simulated)
}
