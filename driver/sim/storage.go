package sim

import (
	"encoding/hex"
	"slices"
	"strings"
	"time"
)

// Message states of 3GPP TS 27.005 §3.1 <stat>.
const (
	stateUnread = iota
	stateRead
	stateUnsent
	stateSent
	stateAll
)

var stateNames = []string{"REC UNREAD", "REC READ", "STO UNSENT", "STO SENT", "ALL"}

// record is a message in a memory. tpdu is what the fields are read from; raw
// and length, when set, are what is listed instead.
type record struct {
	state  int
	sca    string
	tpdu   []byte
	raw    string
	length int
}

// pdu is the message as PDU mode lists it, with the length it announces.
func (r *record) pdu() (text string, length int) {
	if r.raw == "" {
		return upperHex(append(encodeSCA(r.sca), r.tpdu...)), len(r.tpdu)
	}
	if r.length > 0 {
		return r.raw, r.length
	}
	b, err := hex.DecodeString(r.raw)
	if err != nil || len(b) == 0 {
		return r.raw, len(r.raw) / 2
	}
	return r.raw, max(len(b)-1-int(b[0]), 0)
}

func upperHex(b []byte) string { return strings.ToUpper(hex.EncodeToString(b)) }

// memory is a message store with slots.
type memory struct {
	name  string
	first int // index of the first slot
	slots []*record
}

func newMemory(name string, slots, first int) *memory {
	return &memory{name: name, first: first, slots: make([]*record, slots)}
}

func (y *memory) used() (n int) {
	for _, r := range y.slots {
		if r != nil {
			n++
		}
	}
	return n
}

// add puts a record into the first free slot and gives its index.
func (y *memory) add(r *record) (index int, ok bool) {
	for i, old := range y.slots {
		if old == nil {
			y.slots[i] = r
			return i + y.first, true
		}
	}
	return 0, false
}

// simCard is a SIM: it keeps its content whatever happens to the modem.
type simCard struct {
	state              string // ready pin puk absent failure busy
	pin, puk           string
	pinTries, pukTries int
	locked             bool // the PIN is asked at power-on
	iccid, imsi        string
	smsc               string
	reference          byte // TP-MR of the next submission
	mem                *memory
	phonebook          []string
}

func newSIM(slots, first int) simCard {
	return simCard{
		state: SIMReady, pin: "0000", puk: "12345678", pinTries: 3, pukTries: 10, smsc: centreNumber,
		mem: newMemory("SM", slots, max(first, 1)), phonebook: make([]string, 10),
	}
}

// States of a SIM, for [Modem.SetSIM].
const (
	SIMReady   = "ready"
	SIMPIN     = "pin"
	SIMPUK     = "puk"
	SIMAbsent  = "absent"
	SIMFailure = "failure"
	SIMBusy    = "busy"
)

func (c *simCard) powerOn() {
	if c.locked && c.state == SIMReady {
		c.state = SIMPIN
	}
}

// cpin is what +CPIN? says, or the error.
func (c *simCard) cpin() (text string, a answer) {
	switch c.state {
	case SIMReady:
		return "READY", ok
	case SIMPIN:
		return "SIM PIN", ok
	case SIMPUK:
		return "SIM PUK", ok
	}
	return "", c.refusal(false)
}

// refusal is the error of a command that needs the SIM, ok if it is ready.
func (c *simCard) refusal(message bool) answer {
	codes := map[string][2]int{SIMPIN: {11, 311}, SIMPUK: {12, 316}, SIMAbsent: {10, 310}, SIMFailure: {13, 313}, SIMBusy: {14, 314}}
	code, bad := codes[c.state]
	switch {
	case !bad:
		return ok
	case message:
		return cms(code[1])
	}
	return cme(code[0])
}

// StoredSMS is a message in a memory of a modem.
type StoredSMS struct {
	Memory string `json:"memory"`
	Index  int    `json:"index"`
	Status int    `json:"status"` // 0 REC UNREAD, 1 REC READ, 2 STO UNSENT, 3 STO SENT
	PDU    string `json:"pdu"`    // as listed, upper-case hex with the service centre address
	Length int    `json:"length"` // as announced
	From   string `json:"from"`   // sender, or recipient of a stored SUBMIT
	Text   string `json:"text"`
}

// Stored lists what the memories of the modem hold: SIM, phone, reports.
func (m *Modem) Stored() (list []StoredSMS) {
	m.call(func() {
		for _, y := range []*memory{m.sim.mem, m.phoneMem, m.reports} {
			for i, r := range y.slots {
				if r == nil {
					continue
				}
				pdu, length := r.pdu()
				f := r.fields()
				list = append(list, StoredSMS{y.name, i + y.first, r.state, pdu, length, f.number, f.text})
			}
		}
	})
	return list
}

// StorePDU puts a raw PDU (hex with service centre address, however wrong)
// into the memory for received messages as unread and announces it as an
// arrival. length is the announced one, 0 the right one. It gives false if
// there is no free slot.
func (m *Modem) StorePDU(pdu string, length int) (stored bool) {
	m.call(func() {
		b, _ := hex.DecodeString(pdu)
		r := &record{state: stateUnread, raw: pdu, length: length}
		if _, tpdu, err := splitSCA(b); err == nil {
			r.tpdu = tpdu
		}
		stored = m.keep(r, noClass)
	})
	return stored
}

// Write puts a message into a memory ("SM", "ME" or "SR") without a word, as
// another program or the phone itself does: status is its <stat> of 3GPP TS
// 27.005 §3.1, 2 for a draft and 3 for one that was sent. It gives false if
// there is no such memory or no free slot.
func (m *Modem) Write(memory string, status int, pdu string) (stored bool) {
	m.call(func() {
		b, err := hex.DecodeString(pdu)
		if err != nil || !slices.Contains([]string{"SM", "ME", "SR"}, memory) {
			return
		}
		r := &record{state: status, raw: pdu}
		if _, tpdu, err := splitSCA(b); err == nil {
			r.tpdu = tpdu
		}
		_, stored = m.memory(memory).add(r)
	})
	return stored
}

// EraseAll empties a memory ("SM", "ME" or "SR") without a word, as the phone
// itself does.
func (m *Modem) EraseAll(memory string) {
	m.call(func() {
		clear(m.memory(memory).slots)
		m.memoryFreed()
	})
}

// fields are what text mode shows of a record.
type fields struct {
	number   string
	toa      byte
	at       time.Time
	text     string
	fo       byte
	pid, dcs byte
	report   *statusReport
	vp       []byte
	length   int
}

func (r *record) fields() (f fields) {
	if len(r.tpdu) == 0 {
		return f
	}
	f.fo = r.tpdu[0]
	switch r.tpdu[0] & tpMTIMask {
	case tpSubmit:
		if s, err := parseSubmit(r.tpdu); err == nil {
			f.number, f.toa, f.pid, f.dcs, f.vp, f.length = s.to, s.toa, s.pid, s.dcs, s.vp, s.udl
			f.text, _ = userData(s.dcs, s.first&tpUDHI != 0, s.udl, s.ud)
		}
	case 0x02:
		if s, err := parseStatusReport(r.tpdu); err == nil {
			f.number, f.toa, f.at, f.report = s.to, s.toa, s.sent, &s
		}
	default:
		if d, toa, err := parseDeliver(r.tpdu); err == nil {
			f.number, f.toa, f.at, f.pid, f.dcs, f.length = d.from, toa, d.at, d.pid, d.dcs, d.udl
			f.text, _ = userData(d.dcs, d.udhi, d.udl, d.ud)
		}
	}
	return f
}
