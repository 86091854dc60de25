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
