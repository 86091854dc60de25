package driver

import (
	"strconv"
	"strings"
	"time"
)

// verdict is one row of the error tables: what a code asks for, how long to
// wait at least, and whether the message may be out in spite of the error.
type verdict struct {
	class   Class
	wait    time.Duration
	unknown bool
}

// cmsVerdicts classifies +CMS ERROR codes: 1–127 are the causes of 3GPP TS
// 24.011 Annex E-2, 128–255 TP-FCS of 3GPP TS 23.040 §9.2.3.22, 300–511 those
// of 3GPP TS 27.005 §3.2.5, 512 and up vendors'. A code not listed is Unsure.
var cmsVerdicts = map[int]verdict{
	1:   {class: Permanent}, // unassigned number
	8:   {class: LineDown},  // operator determined barring
	10:  {class: LineDown},  // call barred
	21:  {class: Unsure},    // short message transfer rejected: spam and limit filters
	22:  {class: Temporary}, // memory capacity exceeded
	27:  {class: Temporary}, // destination out of order
	28:  {class: LineDown},  // unidentified subscriber
	29:  {class: LineDown},  // facility rejected
	30:  {class: LineDown},  // unknown subscriber
	34:  {class: LineDown},  // vendor: no credit
	38:  {class: Temporary, wait: 5 * time.Minute},
	41:  {class: Temporary, wait: 5 * time.Second},
	42:  {class: Temporary, wait: 30 * time.Second}, // congestion
	47:  {class: Temporary},                         // resources unavailable
	50:  {class: LineDown},                          // facility not subscribed
	69:  {class: LineDown},                          // facility not implemented
	81:  {class: Unsure},                            // invalid transaction reference
	95:  {class: Permanent},                         // semantically incorrect message
	96:  {class: Permanent},                         // invalid mandatory information, also a wrong SMSC
	97:  {class: Permanent},                         // message type not implemented
	98:  {class: Temporary},                         // not compatible with the protocol state
	99:  {class: Permanent},                         // information element not implemented
	111: {class: Unsure},                            // protocol error
	127: {class: Unsure},                            // interworking
	192: {class: Temporary},                         // SC busy
	193: {class: LineDown},                          // no SC subscription
	194: {class: Temporary},                         // SC system failure
	195: {class: Permanent},                         // invalid SME address
	196: {class: Permanent},                         // destination SME barred
	197: {class: Permanent},                         // rejected, duplicate SM
	198: {class: Permanent},                         // validity period format not supported
	199: {class: Permanent},                         // validity period not supported
	208: {class: Temporary},                         // SIM SMS storage full
	209: {class: LineDown},                          // no SMS storage in SIM
	210: {class: Unsure},                            // error in MS
	211: {class: Temporary},                         // memory capacity exceeded
	212: {class: Temporary},                         // SIM toolkit busy
	213: {class: Unsure},                            // SIM data download error
	255: {class: Unsure},                            // unspecified
	300: {class: Unsure},                            // ME failure
	301: {class: Temporary},                         // SMS service of ME reserved
	302: {class: Unsure},                            // operation not allowed
	303: {class: LineDown},                          // operation not supported: another modem may
	304: {class: Permanent},                         // invalid PDU mode parameter
	305: {class: Permanent},                         // invalid text mode parameter
	310: {class: LineDown},                          // SIM not inserted
	311: {class: LineDown},                          // SIM PIN required
	312: {class: LineDown},                          // PH-SIM PIN required
	313: {class: LineDown},                          // SIM failure
	314: {class: Temporary, wait: 5 * time.Second},  // SIM busy
	315: {class: LineDown},                          // SIM wrong
	316: {class: LineDown},                          // SIM PUK required
	317: {class: LineDown},                          // SIM PIN2 required
	318: {class: LineDown},                          // SIM PUK2 required
	320: {class: Temporary},                         // memory failure
	321: {class: Unsure},                            // invalid memory index
	322: {class: Temporary},                         // memory full
	330: {class: LineDown},                          // SMSC address unknown
	331: {class: Temporary},                         // no network service
	332: {class: Unsure, unknown: true},             // network timeout
	340: {class: Unsure},                            // no +CNMA acknowledgement expected
	500: {class: Unsure},                            // unknown error
	512: {class: Temporary, wait: 5 * time.Second},  // vendor: MM establishment failure
	513: {class: Unsure, unknown: true},             // vendor: lower layer failure, acknowledgement missing
	514: {class: Temporary, wait: 30 * time.Second}, // vendor: congestion
	515: {class: Temporary, wait: 10 * time.Second}, // vendor: initialisation in progress
}

// cmePermanent, cmeLineDown and cmeTemporary classify +CME ERROR codes (3GPP
// TS 27.007 §9.2). A code in none of them is Unsure.
var (
	cmePermanent = []int{21, 22, 24, 25, 26, 27, 50}
	cmeLineDown  = []int{
		4, 5, 6, 7, 10, 11, 12, 13, 15, 16, 17, 18, 32, 40, 41, 42, 43, 44, 45, 46, 47, 48,
		103, 106, 111, 112, 113, 132, 133, 257, 262, 772,
	}
	cmeTemporary = []int{14, 20, 30, 31, 126, 134, 256, 258, 515}
)

var cmeVerdicts = makeCMEVerdicts()

func makeCMEVerdicts() map[int]verdict {
	table := make(map[int]verdict)
	for class, codes := range map[Class][]int{Permanent: cmePermanent, LineDown: cmeLineDown, Temporary: cmeTemporary} {
		for _, code := range codes {
			table[code] = verdict{class: class}
		}
	}
	table[14] = verdict{class: Temporary, wait: 5 * time.Second}
	table[515] = verdict{class: Temporary, wait: 10 * time.Second}
	return table
}

// verdictOf looks a code of the form "cms-38" or "cme-30" up. TP-FCS values
// that name TP-PID, TP-DCS or TP-command are Permanent as ranges.
func verdictOf(code string) verdict {
	kind, number, _ := strings.Cut(code, "-")
	n, err := strconv.Atoi(number)
	if err != nil {
		return verdict{class: Unsure}
	}
	table := cmsVerdicts
	if kind == "cme" {
		table = cmeVerdicts
	}
	if v, ok := table[n]; ok {
		return v
	}
	if kind == "cms" && (n >= 128 && n <= 145 || n >= 159 && n <= 161 || n == 175 || n == 176) {
		return verdict{class: Permanent}
	}
	return verdict{class: Unsure}
}

// fateOf says what became of a submission that ended in this code.
func (v verdict) fateOf(ctrlZ bool) Fate {
	switch {
	case v.unknown && ctrlZ:
		return Unknown
	case v.class == Permanent:
		return Refused
	}
	return NotSent
}
