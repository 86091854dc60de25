package sim

import "time"

// settings are what ATZ, AT&F and a power cycle bring back to their start.
type settings struct {
	echo, quiet, verbose bool
	s3, s4, s5           byte
	cmee                 int
	reg                  [3]int // <n> of +CREG, +CGREG, +CEREG
	cscs                 string
	csms                 int
	cmgf                 int
	cnmi                 [5]int
	fo, vp, pid, dcs     int // +CSMP
	csdh                 int
	cmms                 int
	mem                  [3]string
	clip                 int
	copsFormat           int
	registers            map[int]int
	silenced             bool // chatter is switched off
	ussdMode             int  // of ^USSDMODE
}

func (m *Modem) startSettings() settings {
	return settings{
		echo: true, verbose: true, s3: '\r', s4: '\n', s5: 8, cscs: "GSM", cnmi: m.prof.cnmiStart,
		fo: 17, vp: 167, csms: m.prof.csmsStart, mem: m.prof.mem, ussdMode: map[bool]int{true: 1}[m.prof.ussdMode], registers: map[int]int{0: 0, 7: 60, 12: 50},
	}
}

// radio is the registration, as the network and +CFUN have it.
type radio struct {
	on        bool
	stat      [3]int    // +CREG, +CGREG, +CEREG; 3GPP TS 27.007 §7.2 <stat>
	told      [3]int    // what the host knows of stat
	cell      [2]string // <lac> and <ci>; the <tac> of LTE is the same
	signal    int       // <rssi> of +CSQ
	rsrp      int       // <rsrp> of +CESQ
	linkUntil time.Time // +CMMS holds the link so long
}
