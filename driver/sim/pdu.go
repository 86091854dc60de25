package sim

import (
	"errors"
	"fmt"
	"time"
)

// Bits of the first octet of a TPDU, 3GPP TS 23.040 §9.2.3.
const (
	tpSubmit  = 0x01
	tpMMS     = 0x04 // no more messages waiting (DELIVER, STATUS-REPORT)
	tpReport  = 0x20 // report requested (SUBMIT) or returned (DELIVER)
	tpUDHI    = 0x40
	tpMTIMask = 0x03
)

// submit is an SMS-SUBMIT (23.040 §9.2.2.2).
type submit struct {
	first    byte
	mr       byte
	to       string
	toa      byte
	pid, dcs byte
	vp       []byte
	udl      int
	ud       []byte
}

// parseSubmit reads an SMS-SUBMIT. It is strict: a real modem or network
// refuses a TPDU whose lengths do not fit.
func parseSubmit(b []byte) (s submit, err error) {
	if len(b) < 2 {
		return s, errShortPDU
	}
	s.first, s.mr = b[0], b[1]
	if s.first&tpMTIMask != tpSubmit {
		return s, errors.New("pdu: not an SMS-SUBMIT")
	}
	if s.to, s.toa, b, err = decodeAddress(b[2:]); err != nil {
		return s, err
	}
	if s.to == "" || s.to == "+" {
		return s, errors.New("pdu: empty destination address")
	}
	vpLen := [4]int{0, 7, 1, 7}[s.first>>3&3] // none, enhanced, relative, absolute
	if len(b) < 3+vpLen {
		return s, errShortPDU
	}
	s.pid, s.dcs, s.vp = b[0], b[1], b[2:2+vpLen]
	s.udl, s.ud = int(b[2+vpLen]), b[3+vpLen:]
	return s, checkUserData(s.dcs, s.udl, s.ud, s.first&tpUDHI != 0)
}

func checkUserData(dcs byte, udl int, ud []byte, udhi bool) error {
	want := udl
	if alphabetOf(dcs) == alphabetGSM7 {
		want = (udl*7 + 7) / 8
	}
	if want > 140 || len(ud) != want {
		return fmt.Errorf("pdu: user data has %d octets, its length says %d (at most 140)", len(ud), want)
	}
	if udhi && (len(ud) == 0 || 1+int(ud[0]) > len(ud)) {
		return errors.New("pdu: user data header is longer than the user data")
	}
	return nil
}

// validity is the time the service centre keeps trying (23.040 §9.2.3.12); 0
// if the TPDU has none.
func (s submit) validity(now time.Time) time.Duration {
	switch s.first >> 3 & 3 {
	case 2:
		return relativeValidity(s.vp[0])
	case 3:
		return max(decodeTime(s.vp).Sub(now), time.Second)
	case 1:
		switch s.vp[0] & 7 {
		case 1:
			return relativeValidity(s.vp[1])
		case 2:
			return time.Duration(max(int(s.vp[1]), 1)) * time.Second
		}
	}
	return 0
}

func relativeValidity(v byte) time.Duration {
	switch n := time.Duration(v); {
	case v <= 143:
		return (n + 1) * 5 * time.Minute
	case v <= 167:
		return 12*time.Hour + (n-143)*30*time.Minute
	case v <= 196:
		return (n - 166) * 24 * time.Hour
	default:
		return (n - 192) * 7 * 24 * time.Hour
	}
}

func (s submit) encode() []byte {
	b := append([]byte{s.first, s.mr}, encodeAddress(s.to)...)
	b = append(b, s.pid, s.dcs)
	b = append(b, s.vp...)
	return append(append(b, byte(s.udl)), s.ud...)
}

// deliver is an SMS-DELIVER (23.040 §9.2.2.1).
type deliver struct {
	from     string
	more     bool // more messages wait in the service centre
	report   bool // status report indication
	udhi     bool
	pid, dcs byte
	at       time.Time
	udl      int
	ud       []byte
}

func (d deliver) encode() []byte {
	first := byte(0)
	if !d.more {
		first |= tpMMS
	}
	if d.report {
		first |= tpReport
	}
	if d.udhi {
		first |= tpUDHI
	}
	b := append([]byte{first}, encodeAddress(d.from)...)
	b = append(b, d.pid, d.dcs)
	b = append(b, encodeTime(d.at)...)
	return append(append(b, byte(d.udl)), d.ud...)
}

// parseDeliver reads an SMS-DELIVER for display; the user data may be short.
func parseDeliver(b []byte) (d deliver, toa byte, err error) {
	if len(b) < 1 || b[0]&tpMTIMask != 0 {
		return d, 0, errors.New("pdu: not an SMS-DELIVER")
	}
	d.more, d.report, d.udhi = b[0]&tpMMS == 0, b[0]&tpReport != 0, b[0]&tpUDHI != 0
	if d.from, toa, b, err = decodeAddress(b[1:]); err != nil {
		return d, toa, err
	}
	if len(b) < 10 {
		return d, toa, errShortPDU
	}
	d.pid, d.dcs, d.at, d.udl, d.ud = b[0], b[1], decodeTime(b[2:9]), int(b[9]), b[10:]
	return d, toa, nil
}

// statusReport is an SMS-STATUS-REPORT (23.040 §9.2.2.3).
type statusReport struct {
	mr         byte
	to         string
	toa        byte
	sent, done time.Time
	status     byte
}

func (r statusReport) encode() []byte {
	b := append([]byte{0x02 | tpMMS, r.mr}, encodeAddress(r.to)...)
	b = append(b, encodeTime(r.sent)...)
	b = append(b, encodeTime(r.done)...)
	return append(b, r.status)
}

func parseStatusReport(b []byte) (r statusReport, err error) {
	if len(b) < 2 || b[0]&tpMTIMask != 0x02 {
		return r, errors.New("pdu: not an SMS-STATUS-REPORT")
	}
	r.mr = b[1]
	if r.to, r.toa, b, err = decodeAddress(b[2:]); err != nil {
		return r, err
	}
	if len(b) < 15 {
		return r, errShortPDU
	}
	r.sent, r.done, r.status = decodeTime(b), decodeTime(b[7:]), b[14]
	return r, nil
}
