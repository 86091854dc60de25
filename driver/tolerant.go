package driver

import (
	"encoding/binary"

	"github.com/warthog618/sms/encoding/gsm7"
	"github.com/warthog618/sms/encoding/tpdu"
)

const (
	timestampOctets = 7
	septetEscape    = 0x1b
)

// Information elements the codec reads (3GPP TS 23.040 §9.2.3.24).
const (
	ieConcat8  = 0x00
	ieConcat16 = 0x08
	ieShift    = 0x24 // the library looks for it at decimal 24
	ieLocking  = 0x25
)

// cursor walks through a TPDU.
type cursor struct {
	rest []byte
}

// octet returns the next octet, false at the end.
func (c *cursor) octet() (byte, bool) {
	if len(c.rest) == 0 {
		return 0, false
	}
	b := c.rest[0]
	c.rest = c.rest[1:]
	return b, true
}

// take returns the next n octets, or as many as there are.
func (c *cursor) take(n int) []byte {
	n = min(n, len(c.rest))
	b := c.rest[:n]
	c.rest = c.rest[n:]
	return b
}

// decodeTolerant reads a TPDU that the library refused. The type says where
// the fields are; whatever is missing or wrong in one of them costs that field.
func decodeTolerant(b []byte) Decoded {
	d := undecoded()
	c := &cursor{b}
	first, ok := c.octet()
	if !ok {
		d.addRepair("too short for a message")
		return d
	}
	switch tpdu.MessageType(first & tpdu.FoMTIMask) {
	case tpdu.MtCommand:
		d.tolerantReport(c)
	case tpdu.MtSubmit:
		d.tolerantSubmit(c, first)
	case tpdu.MtReserved: // 3GPP TS 23.040 §9.2.3.1
		d.addRepair("reserved message type read as SMS-DELIVER")
		d.tolerantDeliver(c, first)
	default:
		d.tolerantDeliver(c, first)
	}
	if len(d.Repairs) == 0 { // filler bits, or a validity period
		d.addRepair("bits without a meaning ignored")
	}
	return d
}

func (d *Decoded) tolerantDeliver(c *cursor, first byte) {
	from, ok := d.tolerantAddress(c)
	d.From = from
	if !ok || len(c.rest) < 2 {
		d.addRepair("cut before the text")
		return
	}
	d.Kind = Deliver
	pid, dcs := c.rest[0], c.rest[1]
	c.take(2)
	d.readProtocol(pid, dcs)
	d.readSCTS(c.take(timestampOctets))
	d.tolerantUserData(c, first, dcs)
}

func (d *Decoded) tolerantSubmit(c *cursor, first byte) {
	c.octet() // TP-MR of the template
	to, ok := d.tolerantAddress(c)
	d.To = to
	if !ok || len(c.rest) < 2 {
		d.addRepair("cut before the text")
		return
	}
	d.Kind = Submit
	pid, dcs := c.rest[0], c.rest[1]
	c.take(2)
	d.readProtocol(pid, dcs)
	c.take(validityOctets(first))
	d.tolerantUserData(c, first, dcs)
}

// validityOctets returns the length of TP-VP by the first octet of an
// SMS-SUBMIT (3GPP TS 23.040 §9.2.3.3).
func validityOctets(first byte) int {
	switch tpdu.FirstOctet(first).VPF() {
	case tpdu.VpfNotPresent:
		return 0
	case tpdu.VpfRelative:
		return 1
	}
	return 7
}

func (d *Decoded) tolerantReport(c *cursor) {
	mr, ok := c.octet()
	if !ok {
		d.addRepair("cut before the recipient")
		return
	}
	a, ok := d.rawAddress(c)
	if !ok {
		d.addRepair("cut before the recipient")
		return
	}
	d.readReport(mr, a, c.rest)
	if len(c.rest) > 2*timestampOctets+1 {
		d.addRepair("octets after the status report dropped")
	}
}

// rawAddress reads an address field. It reports false when the PDU ends first.
func (d *Decoded) rawAddress(c *cursor) (tpdu.Address, bool) {
	if len(c.rest) < 2 {
		return tpdu.Address{}, false
	}
	n, toa := int(c.rest[0]), c.rest[1]
	c.take(2)
	b := c.take((n + 1) / 2)
	if len(b) < (n+1)/2 {
		return tpdu.Address{}, false
	}
	value, repaired := tolerantAddress(toa, n, b)
	if repaired {
		d.addRepair("address repaired")
	}
	return tpdu.Address{TOA: toa, Addr: value}, true
}

func (d *Decoded) tolerantAddress(c *cursor) (Address, bool) {
	a, ok := d.rawAddress(c)
	if !ok {
		return Address{Type: AddressNone}, false
	}
	return d.address(a), true
}

// tolerantUserData reads TP-UDL and TP-UD. The length is believed as far as
// there are octets for it.
func (d *Decoded) tolerantUserData(c *cursor, first, dcs byte) {
	udl, ok := c.octet()
	if !ok {
		d.addRepair("user data missing")
		return
	}
	want := int(udl)
	if dcs&0xfc == 0xf8 && len(c.rest) == want {
		// The class group with its reserved bit set, where the general group
		// says UCS2; the length, in octets, agrees.
		d.addRepair("reserved data coding scheme read as UCS2")
		d.user.encoding, d.Encoding = encodingUCS2, encodingUCS2
	}
	if d.Encoding == encodingGSM7 {
		want = (want*7 + 7) / 8
	}
	ud := c.take(want)
	if len(ud) < want {
		d.addRepair("user data shorter than announced")
	}
	if len(c.rest) > 0 {
		d.addRepair("octets after the user data dropped")
	}
	header := 0
	if tpdu.FirstOctet(first).UDHI() {
		header = d.tolerantHeader(ud)
	}
	switch d.Encoding {
	case encodingGSM7:
		d.user.data = septets(ud, header, int(udl))
	case encodingUCS2:
		d.user.data = d.wholeUnits(ud[header:])
	default:
		d.user.data = ud[header:]
	}
	d.readText()
}

// wholeUnits drops the last octet of an odd number, so that Join finds every
// later part aligned.
func (d *Decoded) wholeUnits(b []byte) []byte {
	if len(b)%2 == 1 {
		d.addRepair("half a UCS2 character dropped")
	}
	return b[:len(b)&^1]
}

// septets unpacks the text after a header of the given octets. The text begins
// on a septet boundary, counted from the start of the user data.
func septets(ud []byte, header, udl int) []byte {
	skip := (header*8 + 6) / 7
	n := min(udl, len(ud)*8/7) - skip
	if n <= 0 {
		return nil
	}
	s := gsm7.Unpack7Bit(ud[header:], skip*7-header*8)
	return s[:min(n, len(s))]
}

// tolerantHeader reads the user data header and returns its length with the
// length octet. A header longer than the user data is none: the indicator was
// set by mistake, and everything is text.
func (d *Decoded) tolerantHeader(ud []byte) int {
	if len(ud) == 0 || int(ud[0]) >= len(ud) {
		d.addRepair("impossible user data header read as text")
		return 0
	}
	end := 1 + int(ud[0])
	var udh tpdu.UserDataHeader
	for h := ud[1:end]; len(h) > 0; {
		if len(h) < 2 || len(h) < 2+int(h[1]) {
			d.addRepair("broken end of the user data header skipped")
			break
		}
		n := 2 + int(h[1])
		udh = append(udh, tpdu.InformationElement{ID: h[0], Data: h[2:n]})
		h = h[n:]
	}
	d.readHeader(udh)
	return end
}

// readHeader takes in the elements that matter. Of two that exclude each other
// the last counts (3GPP TS 23.040 §9.2.3.24).
func (d *Decoded) readHeader(udh tpdu.UserDataHeader) {
	for _, ie := range udh {
		switch {
		case ie.ID == ieConcat8 && len(ie.Data) == 3:
			d.readConcat(Concat{Ref: int(ie.Data[0]), Total: int(ie.Data[1]), Seq: int(ie.Data[2])})
		case ie.ID == ieConcat16 && len(ie.Data) == 4:
			ref := int(binary.BigEndian.Uint16(ie.Data))
			d.readConcat(Concat{Ref: ref, Wide: true, Total: int(ie.Data[2]), Seq: int(ie.Data[3])})
		case ie.ID == ieShift && len(ie.Data) == 1:
			d.user.shift = int(ie.Data[0])
		case ie.ID == ieLocking && len(ie.Data) == 1:
			d.user.locking = int(ie.Data[0])
		}
	}
}

// readConcat keeps the place in a long SMS unless it is impossible, in which
// case the element is to be ignored (3GPP TS 23.040 §9.2.3.24.1).
func (d *Decoded) readConcat(c Concat) {
	if c.Seq == 0 || c.Seq > c.Total {
		d.addRepair("impossible part number ignored")
		return
	}
	d.Concat = &c
}
