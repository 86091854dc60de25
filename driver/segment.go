package driver

import (
	"slices"

	"github.com/warthog618/sms/encoding/tpdu"
)

// segments is a text in one coding, cut into parts.
type segments struct {
	coding coding
	parts  [][]byte // user data without header
}

// choose codes and cuts the text of t. National tables are used when they save
// parts over the default alphabet, or UCS2 where that lacks a character.
func choose(t Text, body string) segments {
	if c, ok := parseCoding(t.Coding); ok && t.Coding != "" {
		if s, fits := cutAs(c, t, body); fits {
			return s
		}
	}
	best, fits := cutAs(coding{}, t, body)
	if !fits {
		best, _ = cutAs(coding{ucs2: true}, t, body)
	}
	if len(best.parts) == 1 {
		return best
	}
	for _, c := range codings(t.National) {
		if s, fits := cutAs(c, t, body); fits && len(s.parts) < len(best.parts) {
			best = s
		}
	}
	return best
}

// cutAs codes a text in one way; false if it lacks a character.
func cutAs(c coding, t Text, body string) (segments, bool) {
	atoms, ok := c.atoms(body)
	if !ok {
		return segments{}, false
	}
	size := 0
	for _, a := range atoms {
		size += len(a.data)
	}
	if size > room(c, 0) {
		return segments{c, divide(atoms, room(c, concatOctets(t.Wide)))}, true
	}
	return segments{c, divide(atoms, size)}, true
}

// concatOctets is the size of the element that numbers the parts.
func concatOctets(wide bool) int {
	if wide {
		return 6
	}
	return 5
}

// room is how many septets, or octets of UCS2, are left in 140 octets behind
// a header with that many octets of further elements (3GPP TS 23.040 §9.2.3.24).
func room(c coding, octets int) int {
	for _, ie := range c.header() {
		octets += 2 + len(ie.Data)
	}
	if octets > 0 {
		octets++ // the length of the header
	}
	if c.ucs2 {
		return (140 - octets) &^ 1
	}
	return (140 - octets) * 8 / 7
}

// divide makes as few parts as possible of the given room, and of the ways to do
// that one which leaves characters whole as people see them, such as an emoji
// with its skin tone or a letter with its accent.
func divide(atoms []atom, room int) [][]byte {
	end, need := reach(atoms, room)
	var parts [][]byte
	for i := 0; i < len(atoms); {
		next, left := end[i], need[i]-1
		for j := next; j > i && j < len(atoms) && need[j] <= left; j-- {
			if !atoms[j].joint {
				next = j
				break
			}
		}
		var data []byte
		for _, a := range atoms[i:next] {
			data = append(data, a.data...)
		}
		parts = append(parts, data)
		i = next
	}
	return parts
}

// reach tells of every atom where a part that begins with it has to end, and
// how many parts the rest makes.
func reach(atoms []atom, room int) (end, need []int) {
	end, need = make([]int, len(atoms)), make([]int, len(atoms)+1)
	last, size := len(atoms), 0
	for i := len(atoms) - 1; i >= 0; i-- {
		size += len(atoms[i].data)
		for size > room {
			last--
			size -= len(atoms[last].data)
		}
		end[i], need[i] = last, 1+need[last]
	}
	return end, need
}

// tpdus puts the parts into copies of the template.
func (s segments) tpdus(template tpdu.TPDU, t Text) []tpdu.TPDU {
	if s.coding.ucs2 {
		template.DCS = tpdu.DcsUCS2Data
	}
	out := make([]tpdu.TPDU, len(s.parts))
	for i, data := range s.parts {
		part := template
		udh := s.coding.header()
		if len(s.parts) > 1 {
			udh = append(slices.Clone(udh), concatElement(t, len(s.parts), i+1))
		}
		if udh != nil {
			part.SetUDH(udh)
		}
		part.SetUD(data)
		out[i] = part
	}
	return out
}

// concatElement numbers a part (3GPP TS 23.040 §9.2.3.24.1 and .8).
func concatElement(t Text, total, seq int) tpdu.InformationElement {
	if t.Wide {
		ref := uint16(t.Ref)
		return tpdu.InformationElement{ID: ieConcat16, Data: []byte{byte(ref >> 8), byte(ref), byte(total), byte(seq)}}
	}
	return tpdu.InformationElement{ID: ieConcat8, Data: []byte{byte(t.Ref), byte(total), byte(seq)}}
}
