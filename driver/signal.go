package driver

import (
	"slices"
	"strings"
	"time"
)

// SignalKind says what came unasked.
type SignalKind int

const (
	// SignalStored hints that a message or report was stored (+CMTI, +CDSI): list now.
	SignalStored SignalKind = iota
	// SignalReport carries a status report that was not stored (+CDS).
	SignalReport
	// SignalDirect carries a message that was not stored (+CMT), as class 0 does.
	SignalDirect
	// SignalLateResult carries the reference of a submission that no command waits for any more.
	SignalLateResult
	// SignalFull says that a message storage is full.
	SignalFull
	// SignalCall says that a call rings; Text is the caller's number where known.
	SignalCall
	// SignalReboot says that the modem restarted; the session ends right after it.
	SignalReboot
	// SignalSIM hints that the SIM is gone or asks for something: ask for the status now.
	SignalSIM
	// SignalUSSD carries what the network said by USSD when nobody had asked, in Text.
	SignalUSSD
	// SignalCallEnd says that a call has ended.
	SignalCallEnd
)

// Signal is something that the modem said unasked. Which fields are set
// depends on Kind: Memory and Index (-1 unknown) for SignalStored and
// SignalFull; PDU in upper-case hex as it came and the announced Length (-1
// unknown) for SignalReport and SignalDirect; MR for SignalLateResult.
type Signal struct {
	Kind   SignalKind
	Memory string
	Index  int
	PDU    string
	Length int
	MR     int
	At     time.Time
	Text   string
}

// signalQueue is how many signals wait for a reader: reports and messages that
// are nowhere else fill it in an hour at the pace of the radio. Of hints, which
// the next listing or status makes up for, only hintQueue wait.
const (
	signalQueue = 4096
	hintQueue   = 256
)

// sole says whether the signal carries what is nowhere else.
func (s Signal) sole() bool {
	return s.Kind == SignalReport || s.Kind == SignalDirect || s.Kind == SignalLateResult
}

// unasked lists the lines that never answer a command of ours, with the way to
// read each. A prefix ends with its colon so that none is a prefix of another.
var unasked = []struct {
	prefix string
	parse  func(f []string) Signal
}{
	{"+CMTI:", parseStored},
	{"+CDSI:", parseStored},
	{"^SMMEMFULL:", parseFull},
	{"+SMMEMFULL:", parseFull},
	{"+CRING:", func(f []string) Signal { return Signal{Kind: SignalCall} }},
	{"+CLIP:", parseCaller},
	{"VOICE CALL: END", func(f []string) Signal { return Signal{Kind: SignalCallEnd} }},
	{"VOICE CALL:", func(f []string) Signal { return Signal{Kind: SignalCall} }},
	{"MISSED_CALL:", func(f []string) Signal { return Signal{Kind: SignalCallEnd} }},
	{"^SYSSTART", func([]string) Signal { return Signal{Kind: SignalReboot} }},
	{"*ATREADY:", func([]string) Signal { return Signal{Kind: SignalReboot} }},
}

// cardSigns are how modems say that the SIM has gone, with the field of the line
// that does and what is in it then.
var cardSigns = []struct {
	prefix string
	field  int
	gone   []string
}{
	{"^SIMST:", 0, []string{"0", "255"}}, // Huawei
	{"^SCKS:", 0, []string{"0"}},         // Siemens, Cinterion
	{"#QSS:", 0, []string{"0"}},          // Telit
	{"+QSIMSTAT:", 1, []string{"0"}},     // Quectel
}

// parseCard reads what a modem says of its SIM without being asked. That it is
// there is said at each start and means nothing.
func parseCard(line string) bool {
	if f, ok := fields(line, "+CPIN:"); ok {
		return simStates[strings.ToUpper(f[0])] != ""
	}
	for _, c := range cardSigns {
		if f, ok := fields(line, c.prefix); ok {
			return slices.Contains(c.gone, field(f, c.field))
		}
	}
	return false
}

// unaskedWords are whole lines with a meaning.
var unaskedWords = map[string]SignalKind{
	"RING": SignalCall, "NO CARRIER": SignalCallEnd, "BUSY": SignalCallEnd, "NO ANSWER": SignalCallEnd,
	"RDY": SignalReboot, "^SHUTDOWN": SignalReboot, "NORMAL POWER DOWN": SignalReboot,
	"POWERED DOWN": SignalReboot, "UNDER-VOLTAGE POWER DOWN": SignalReboot, "OVER-VOLTAGE POWER DOWN": SignalReboot,
}

// parseSignal reads a line that carries its whole meaning by itself.
func parseSignal(line string) (Signal, bool) {
	if kind, ok := unaskedWords[line]; ok {
		return Signal{Kind: kind, Index: -1, Length: -1}, true
	}
	for _, u := range unasked {
		if f, ok := fields(line, u.prefix); ok {
			s := u.parse(f)
			s.Length = -1
			if s.Kind != SignalStored {
				s.Index = -1
			}
			return s, true
		}
	}
	if parseCard(line) {
		return Signal{Kind: SignalSIM, Index: -1, Length: -1}, true
	}
	if f, ok := fields(line, "+QIND:"); ok && strings.EqualFold(f[0], "smsfull") {
		return Signal{Kind: SignalFull, Memory: field(f, 1), Index: -1, Length: -1}, true
	}
	return Signal{}, false
}

// parseStored reads +CMTI: <mem>,<index>; SIM7000 sends neither ("+CMTI: ,-1").
func parseStored(f []string) Signal {
	return Signal{Kind: SignalStored, Memory: f[0], Index: number(field(f, 1), -1)}
}

// parseCaller reads +CLIP: <number>,<type> (3GPP TS 27.007 §7.11); type 145 is
// an international number, which some modems write without its plus.
func parseCaller(f []string) Signal {
	from := f[0]
	if from != "" && from[0] != '+' && field(f, 1) == "145" {
		from = "+" + from
	}
	return Signal{Kind: SignalCall, Text: from}
}

func parseFull(f []string) Signal { return Signal{Kind: SignalFull, Memory: f[0]} }

// parseHeader reads the first line of a direct message (+CMT: [<alpha>],<length>)
// or report (+CDS: <length>; ZTE sends ",<length>"), whose PDU is the next line.
func parseHeader(line string) (Signal, bool) {
	for prefix, kind := range map[string]SignalKind{"+CMT:": SignalDirect, "+CDS:": SignalReport} {
		if f, ok := fields(line, prefix); ok {
			return Signal{Kind: kind, Index: -1, Length: number(f[len(f)-1], -1)}, true
		}
	}
	return Signal{}, false
}

// field returns the i-th field or "".
func field(f []string, i int) string {
	if i < len(f) {
		return f[i]
	}
	return ""
}
