package driver

import "time"

// StatusReport is an SMS-STATUS-REPORT (3GPP TS 23.040 §9.2.2.3): the service
// centre's word on one part that was sent earlier.
type StatusReport struct {
	MR           int       // TP-MR the modem gave the part, 0 to 255
	Recipient    Address   // TP-RA, possibly in another form than it was sent to
	SentAt       time.Time // TP-SCTS of the part; zero when unreadable
	DischargedAt time.Time // TP-DT; zero when unreadable
	Status       byte      // TP-ST as received; statusMissing when the report has none
}

// statusMissing stands for a report that was cut before its TP-ST. The value
// is reserved, so it reads as [Unclear].
const statusMissing = 0xff

// Outcome is what a status report says about its part.
type Outcome int

// Outcomes by TP-ST (3GPP TS 23.040 §9.2.3.15).
const (
	Unclear     Outcome = iota // reserved value, or none at all
	Delivered                  // the handset has it
	Forwarded                  // the service centre is done, the handset did not confirm
	Replaced                   // a later message took its place
	StillTrying                // not final
	Failed                     // the service centre gave up
)

// String returns the outcome in words.
func (o Outcome) String() string {
	switch o {
	case Delivered:
		return "delivered"
	case Forwarded:
		return "forwarded"
	case Replaced:
		return "replaced"
	case StillTrying:
		return "still trying"
	case Failed:
		return "failed"
	}
	return "unclear"
}

// Final reports whether no further report can be expected.
func (o Outcome) Final() bool { return o != StillTrying && o != Unclear }

// Outcome reads TP-ST.
func (r *StatusReport) Outcome() Outcome {
	switch st := r.Status; {
	case st == 0x00:
		return Delivered
	case st == 0x02:
		return Replaced
	case st < 0x20: // 0x01, and the completed ones of the service centre's own
		return Forwarded
	case st < 0x40:
		return StillTrying
	case st < 0x80: // permanent, or temporary and given up
		return Failed
	}
	return Unclear
}

// readTimestamp reads the seven octets of a TP-SCTS or TP-DT (3GPP TS 23.040
// §9.2.3.11). It refuses what is not a moment: digits that are not decimal,
// dates no calendar has, a zone that cannot be known.
func readTimestamp(b []byte) (time.Time, bool) {
	if len(b) < timestampOctets {
		return time.Time{}, false
	}
	var f [6]int
	for i := range f {
		high, low := int(b[i]&0x0f), int(b[i]>>4)
		if high > 9 || low > 9 {
			return time.Time{}, false
		}
		f[i] = 10*high + low
	}
	quarters, units := int(b[6]&0x07)*10, int(b[6]>>4)
	if units > 9 {
		return time.Time{}, false
	}
	quarters += units
	if b[6]&0x08 != 0 {
		quarters = -quarters
	}
	year := 2000 + f[0]
	if f[0] >= 70 {
		year = 1900 + f[0]
	}
	zone := time.UTC
	if quarters != 0 {
		zone = time.FixedZone("", quarters*15*60)
	}
	t := time.Date(year, time.Month(f[1]), f[2], f[3], f[4], f[5], 0, zone)
	if t.Month() != time.Month(f[1]) || t.Day() != f[2] || t.Hour() != f[3] || t.Minute() != f[4] || t.Second() != f[5] {
		return time.Time{}, false
	}
	return t, true
}
