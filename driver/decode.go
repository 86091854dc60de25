package driver

import (
	"bytes"
	"encoding/hex"
	"strings"
	"time"

	"github.com/warthog618/sms/encoding/pdumode"
	"github.com/warthog618/sms/encoding/tpdu"
)

// Kind is the type of a decoded PDU (3GPP TS 23.040 §9.2.3.1).
type Kind int

// Kinds of a PDU. Zero is none of them.
const (
	Undecodable Kind = iota + 1 // nothing but the PDU is of use
	Deliver                     // a text that was received
	Report                      // a status report
	Submit                      // a text of our own, stored by the modem
)

// String returns the kind in one word.
func (k Kind) String() string {
	switch k {
	case Deliver:
		return "deliver"
	case Report:
		return "report"
	case Submit:
		return "submit"
	}
	return "undecodable"
}

// pidType0 is the TP-PID of a silent SMS (3GPP TS 23.040 §9.2.3.9).
const pidType0 = 0x40

// Decoded is all that could be read from one PDU.
type Decoded struct {
	Kind     Kind
	From     Address       // sender of a Deliver, else of type none
	To       Address       // destination of a Submit, else of type none
	Text     string        // valid UTF-8; empty for 8-bit data. For parts see Join
	Encoding string        // "gsm7", "ucs2", "8bit"; "" without user data
	Concat   *Concat       // set on a part of a long SMS
	SentAt   time.Time     // TP-SCTS; zero when unreadable
	SCTSRaw  string        // TP-SCTS as it came, upper-case hex
	Class    int           // message class 0 to 3, -1 none; 0 is for display at once
	Silent   bool          // type 0: to be acknowledged and dropped
	Report   *StatusReport // of a Report
	Repairs  []string      // what had to be repaired, in words without content; empty when the PDU was correct
	PDU      string        // the PDU as it came, upper-case hex

	user userText
}

// Concat tells which part of which long SMS a PDU is (3GPP TS 23.040
// §9.2.3.24.1 and §9.2.3.24.8).
type Concat struct {
	Ref   int
	Wide  bool // 16-bit reference; the two widths count apart
	Total int
	Seq   int // 1 to Total
}

// Decode reads a PDU as +CMGL, +CMGR, +CMT and +CDS give it: hexadecimal, the
// service centre address first. Length is the announced number of octets after
// that address, -1 if unknown; it is advice, and tells a PDU without address.
//
// Decode never fails. What the strict decoder refuses is read as far as it
// goes, with the repairs listed; a PDU that yields nothing is [Undecodable].
func Decode(pdu string, length int) (d Decoded) {
	warmCharsets()
	octets, kept, repairs := readHex(pdu)
	d = undecoded()
	d.PDU, d.Repairs = kept, repairs
	defer lastNet(&d)
	read := decodeOctets(octets, length)
	read.PDU, read.Repairs = kept, append(repairs, read.Repairs...)
	return read
}

// lastNet turns a panic of a decoder into a PDU that could not be decoded: one
// SMS must not stop the reading of the others. No known input needs it.
func lastNet(d *Decoded) {
	if recover() != nil {
		d.Repairs = append(d.Repairs, "panic")
	}
}

// Join returns the text of the parts of one long SMS, given in their order. It
// reads neighbouring parts as one, so that a surrogate pair or an escape that
// the sender split between them is whole.
func Join(parts ...Decoded) string {
	warmCharsets()
	var text strings.Builder
	for i := 0; i < len(parts); {
		run := parts[i].user
		run.data = append([]byte(nil), run.data...)
		next := i + 1
		for next < len(parts) && follows(parts[next-1], parts[next]) && run.joins(parts[next].user) {
			run.data = append(run.data, parts[next].user.data...)
			next++
		}
		s, _ := run.decode()
		text.WriteString(s)
		i = next
	}
	return text.String()
}

// SameData reports whether two PDUs hold the same user data behind their
// headers. It tells data of 8 bits apart, which has no text.
func SameData(a, b Decoded) bool { return bytes.Equal(a.user.data, b.user.data) }

// follows reports whether b is the part right after a.
func follows(a, b Decoded) bool {
	return a.Concat != nil && b.Concat != nil && b.Concat.Seq == a.Concat.Seq+1
}

// readHex turns hex into octets. It takes both cases and blanks, and stops at
// what is no hex digit. Kept is what to store, in upper case.
func readHex(pdu string) (octets []byte, kept string, repairs []string) {
	kept = strings.ToValidUTF8(strings.ToUpper(strings.Join(strings.Fields(pdu), "")), "\uFFFD")
	digits := kept
	if end := strings.IndexFunc(kept, func(r rune) bool { return !strings.ContainsRune("0123456789ABCDEF", r) }); end >= 0 {
		digits = kept[:end]
		repairs = append(repairs, "cut at a character that is no hex digit")
	}
	if len(digits)%2 == 1 {
		digits = digits[:len(digits)-1]
		repairs = append(repairs, "last half octet dropped")
	}
	octets, _ = hex.DecodeString(digits) // cannot fail: only pairs of hex digits are left
	return octets, kept, repairs
}

// undecoded is what is known before the first octet.
func undecoded() Decoded {
	none := Address{Type: AddressNone}
	return Decoded{Kind: Undecodable, From: none, To: none, Class: -1}
}

// framing is one way to find the TPDU in the octets.
type framing struct {
	tpdu   []byte
	repair string // what it takes to see it so, "" nothing
}

// decodeOctets takes the first framing that the strict decoder accepts, else
// reads the likeliest one with the tolerant decoder.
func decodeOctets(octets []byte, length int) Decoded {
	framings := framingsOf(octets, length)
	for _, f := range framings {
		if d, ok := decodeStrict(f.tpdu); ok {
			d.addRepair(f.repair)
			return d
		}
	}
	if len(framings) == 0 {
		return decodeTolerant(nil)
	}
	likeliest := decodeTolerant(framings[0].tpdu)
	likeliest.addRepair(framings[0].repair)
	for _, f := range framings[1:] {
		if likeliest.Kind != Undecodable {
			break
		}
		if d := decodeTolerant(f.tpdu); d.Kind != Undecodable {
			d.addRepair(f.repair)
			return d
		}
	}
	return likeliest
}

// framingsOf lists the ways to see the octets, likeliest first.
func framingsOf(octets []byte, length int) []framing {
	const bare, longer, differs = "no service centre address", "octets beyond the announced length", "announced length differs"
	var after []byte // what follows the service centre address
	if p, err := pdumode.UnmarshalBinary(octets); err == nil {
		after = p.TPDU
	}
	switch {
	case len(octets) == 0:
		return nil
	case len(after) == 0:
		return []framing{{octets, bare}}
	case length == len(octets):
		return []framing{{octets, bare}, {after, differs}}
	case length == len(after):
		return []framing{{after, ""}}
	case length < 0:
		if plausibleSCA(octets) {
			return []framing{{after, ""}, {octets, bare}}
		}
		return []framing{{octets, bare}, {after, ""}}
	}
	f := []framing{{after, differs}, {octets, bare}}
	if length > 0 && length < len(after) {
		f = append(f, framing{after[:length], longer})
	}
	if !plausibleSCA(octets) {
		f[0], f[1] = f[1], f[0]
	}
	return f
}

// plausibleSCA reports whether the octets can begin with a service centre
// address: none, or a type octet and at most 20 digits.
func plausibleSCA(octets []byte) bool {
	n := int(octets[0])
	return n == 0 || n > 1 && n <= 11 && octets[1]&0x80 != 0
}

// decodeStrict lets the library read the TPDU. It reports false for what the
// library refuses or would read past its header.
func decodeStrict(b []byte) (Decoded, bool) {
	t := tpdu.TPDU{Direction: tpdu.MT}
	if b[0]&tpdu.FoMTIMask == byte(tpdu.MtSubmit) {
		t.Direction = tpdu.MO // what a modem stores with this type is ours
	}
	if err := t.UnmarshalBinary(b); err != nil {
		return Decoded{}, false
	}
	d := undecoded()
	switch t.SmsType() {
	case tpdu.SmsStatusReport:
		d.readReport(t.MR, t.RA, b[addressEnd(b, 2):])
		return d, true
	case tpdu.SmsDeliver:
		d.Kind = Deliver
		d.From = d.address(t.OA)
		d.readSCTS(b[addressEnd(b, 1)+2:])
	case tpdu.SmsSubmit:
		d.Kind = Submit
		d.To = d.address(t.DA)
	default:
		return Decoded{}, false
	}
	if !headerFits(&t, b) {
		return Decoded{}, false
	}
	d.readProtocol(t.PID, byte(t.DCS))
	d.user.data = t.UD
	d.readHeader(t.UDH)
	d.readText()
	return d, true
}

// addressEnd returns the offset after the address at offset i of a TPDU the
// library accepted.
func addressEnd(b []byte, i int) int { return i + 2 + (int(b[i])+1)/2 }

// headerFits reports whether the information elements fill the user data
// header exactly; the library lets the last one reach into the text.
func headerFits(t *tpdu.TPDU, b []byte) bool {
	if len(t.UDH) == 0 {
		return true
	}
	at := addressEnd(b, 1) + 2 + timestampOctets
	if t.SmsType() == tpdu.SmsSubmit {
		at = addressEnd(b, 2) + 2 + validityOctets(b[0])
	}
	return int(b[at+1]) == t.UDHL()
}

func (d *Decoded) addRepair(what string) {
	if what != "" {
		d.Repairs = append(d.Repairs, what)
	}
}

func (d *Decoded) address(a tpdu.Address) Address {
	read, padded := readAddress(a.TOA, a.Addr)
	if padded {
		d.addRepair("padding after the name in an address removed")
	}
	return read
}

// readSCTS takes the service centre time stamp from the start of b.
func (d *Decoded) readSCTS(b []byte) {
	b = b[:min(len(b), timestampOctets)]
	d.SCTSRaw = strings.ToUpper(hex.EncodeToString(b))
	t, ok := readTimestamp(b)
	if !ok {
		d.addRepair("service centre time stamp unreadable")
	}
	d.SentAt = t
}

// readReport fills in a status report from what follows its recipient. Its
// optional parameters and the filler after them say nothing of use.
func (d *Decoded) readReport(mr byte, ra tpdu.Address, b []byte) {
	d.Kind = Report
	d.Report = &StatusReport{MR: int(mr), Recipient: d.address(ra), Status: statusMissing}
	d.readSCTS(b)
	d.Report.SentAt = d.SentAt
	b = b[min(len(b), timestampOctets):]
	var ok bool
	if d.Report.DischargedAt, ok = readTimestamp(b); !ok {
		d.addRepair("discharge time unreadable")
	}
	b = b[min(len(b), timestampOctets):]
	if len(b) == 0 {
		d.addRepair("status missing")
		return
	}
	d.Report.Status = b[0]
}

// readProtocol takes in TP-PID and TP-DCS.
func (d *Decoded) readProtocol(pid, dcs byte) {
	d.Silent = pid == pidType0 && d.Kind == Deliver
	d.Class = classOf(dcs)
	var reserved bool
	if d.user.encoding, reserved = encodingOf(dcs); reserved {
		d.addRepair("reserved data coding scheme read as GSM 7-bit")
	}
	d.Encoding = d.user.encoding
}

// readText decodes the user data once its header has been read.
func (d *Decoded) readText() {
	text, whole := d.user.decode()
	if !whole {
		d.addRepair("broken UTF-16 in the text replaced")
	}
	d.Text = text
}
