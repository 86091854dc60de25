package sim

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// FaultKind names what goes wrong.
type FaultKind string

// Faults of answers. They act on commands that begin with [Fault.Match]; on a
// send they act on its result, after the network has taken the message.
const (
	FaultLate        FaultKind = "late"            // the answer comes after Delay; commands meanwhile wait behind it
	FaultMissing     FaultKind = "missing"         // no answer at all
	FaultGarbled     FaultKind = "garbled"         // octets of the answer are damaged
	FaultDoubled     FaultKind = "doubled"         // the answer comes twice
	FaultChatter     FaultKind = "chatter"         // unsolicited Text (default: the profile's) at Where
	FaultError       FaultKind = "error"           // ERROR, or +CME ERROR: Code when Code > 0, and nothing is done
	FaultUnsupported FaultKind = "optional-error"  // every optional command is unknown, until cleared
	FaultEmptyList   FaultKind = "empty-list-321"  // +CMGL of an empty memory is +CMS ERROR: 321
	FaultEcho        FaultKind = "echo"            // echo is on, whatever ATE0 said
	FaultAnswer      FaultKind = "answer"          // the whole answer is Text, octet for octet
	FaultFinal       FaultKind = "final"           // the final code is Text, octet for octet, such as "\r\nOK \r\n"
	FaultPrompt      FaultKind = "prompt"          // the prompt of a send is Text (empty: the usual one), after Delay
	FaultNoPrompt    FaultKind = "no-prompt"       // no prompt comes
	FaultNoEscape    FaultKind = "no-escape"       // ESC does not leave the prompt
	FaultCMS         FaultKind = "cms-error"       // the network refuses with +CMS ERROR: Code
	FaultNoResult    FaultKind = "ok-without-cmgs" // OK without the +CMGS line
	FaultReportFirst FaultKind = "report-first"    // the status report comes before the +CMGS line
)

// Faults of the modem and of the network.
const (
	FaultHang        FaultKind = "hang"         // reads, never answers; for Delay, 0 is until cleared or power-cycled
	FaultStopReading FaultKind = "stop-reading" // does not read: the host's writes block; for Delay as above
	FaultUnplug      FaultKind = "unplug"       // unplugged; after Delay back under another name, 0: not
	FaultReboot      FaultKind = "reboot"       // restarts on the same port: volatile settings are lost
	FaultStorageFull FaultKind = "storage-full" // no slot takes a message, until cleared
	FaultNoNetwork   FaultKind = "no-network"   // no registration, until cleared
	FaultDuplicate   FaultKind = "duplicate"    // a message received is stored twice
	FaultReference   FaultKind = "reference"    // the next +CMGS gives Code as its reference, then on from there
	FaultNoReport    FaultKind = "no-report"    // the network gives no status report
)

// Point is a moment of a dialogue at which a fault or a hook can act.
type Point string

// The points, in the order in which a send, then a reading, passes them.
const (
	PointCommand  Point = "command"  // a command line is in, nothing is done yet
	PointPrompt   Point = "prompt"   // the prompt is written
	PointBody     Point = "body"     // the TPDU and Ctrl-Z are in, the network has nothing yet
	PointAccepted Point = "accepted" // the network has taken the message, +CMGS is not written
	PointAnswered Point = "answered" // the result of a send is written
	PointListed   Point = "listed"   // the answer of +CMGL or +CMGR is written
	PointDeleted  Point = "deleted"  // +CMGD has freed the slot, its answer is not written
)

var points = []Point{PointCommand, PointPrompt, PointBody, PointAccepted, PointAnswered, PointListed, PointDeleted}

// Where in an answer chatter comes.
const (
	WhereBefore = "before" // before the answer
	WhereInside = "inside" // between its first lines
	WhereSplit  = "split"  // in the middle of its first line
	WhereAfter  = "after"  // behind the final code
	WhereJoined = "joined" // glued to the end of its first line, without a line break between
)

// Fault makes a modem misbehave. The zero values of Times and Skip are one
// time, at once.
type Fault struct {
	Kind  FaultKind
	Match string        // beginning of the command without AT, such as "+CMGL"; empty: any
	Point Point         // for hang, stop-reading, unplug, reboot: when; empty: at once if Match is empty, else at PointCommand
	Skip  int           // let this many occasions pass first
	Times int           // occasions on which it acts; 0 is one, negative is until ClearFaults
	Delay time.Duration // see the kinds
	Code  int
	Text  string
	Where string // of chatter; empty is before
}

var stateFaults = []FaultKind{FaultUnsupported, FaultEmptyList, FaultEcho, FaultStorageFull, FaultNoNetwork}
var pointFaults = []FaultKind{FaultHang, FaultStopReading, FaultUnplug, FaultReboot}
var otherFaults = []FaultKind{FaultLate, FaultMissing, FaultGarbled, FaultDoubled, FaultChatter, FaultError, FaultPrompt,
	FaultNoPrompt, FaultNoEscape, FaultAnswer, FaultFinal, FaultCMS, FaultNoResult, FaultReportFirst, FaultDuplicate, FaultReference, FaultNoReport}

// FaultKinds lists all kinds of faults.
func FaultKinds() []FaultKind { return slices.Concat(pointFaults, otherFaults, stateFaults) }

func (f Fault) check() error {
	if !slices.Contains(FaultKinds(), f.Kind) {
		return fmt.Errorf("fault kind %q is unknown: use one of %v", f.Kind, FaultKinds())
	}
	if f.Point != "" && !slices.Contains(points, f.Point) {
		return fmt.Errorf("fault point %q is unknown: use one of %v", f.Point, points)
	}
	if !slices.Contains([]string{"", WhereBefore, WhereInside, WhereSplit, WhereAfter, WhereJoined}, f.Where) {
		return fmt.Errorf("chatter place %q is unknown: use before, inside, split, after or joined", f.Where)
	}
	return nil
}

// lasting tells whether the fault is a state rather than an event.
func (f Fault) lasting() bool { return slices.Contains(stateFaults, f.Kind) || f.Times < 0 }

// Inject adds a fault. Faults of one kind act in the order of their coming.
// An unknown kind, point or place panics: it is a mistake of the caller.
func (m *Modem) Inject(f Fault) {
	if err := f.check(); err != nil {
		panic(err)
	}
	m.call(func() { m.inject(f) })
}

func (m *Modem) inject(f Fault) {
	if slices.Contains(pointFaults, f.Kind) {
		if f.Point == "" && f.Match == "" {
			m.strike(f)
			return
		}
		if f.Point == "" {
			f.Point = PointCommand
		}
	}
	if f.Times == 0 {
		f.Times = 1
	}
	m.faults = append(m.faults, &f)
	if f.Kind == FaultNoNetwork {
		m.registrationChanged()
	}
}

// ClearFaults ends all faults; a modem that hung or did not read works again,
// one that was unplugged stays so until Plug.
func (m *Modem) ClearFaults() {
	m.call(func() {
		m.faults = nil
		m.wakeUp()
		m.registrationChanged()
		m.memoryFreed()
	})
}

// Faults gives the faults that still wait or act.
func (m *Modem) Faults() (list []Fault) {
	m.call(func() {
		for _, f := range m.faults {
			list = append(list, *f)
		}
	})
	return list
}

// take uses up one occasion of the first fault of a kind that fits a line.
func (m *Modem) take(kind FaultKind, line string) *Fault {
	return m.takeIf(line, func(f *Fault) bool { return f.Kind == kind })
}

// takeAt is take for a fault that acts at a point.
func (m *Modem) takeAt(kind FaultKind, line string, at Point) *Fault {
	return m.takeIf(line, func(f *Fault) bool { return f.Kind == kind && f.Point == at })
}

// takeChatter is take for chatter at a place of the answer.
func (m *Modem) takeChatter(where, line string) *Fault {
	return m.takeIf(line, func(f *Fault) bool { return f.Kind == FaultChatter && f.Where == where })
}

func (m *Modem) takeIf(line string, fits func(*Fault) bool) *Fault {
	for i, f := range m.faults {
		if !fits(f) || !matches(line, f.Match) {
			continue
		}
		if f.Skip > 0 {
			f.Skip--
			continue
		}
		hit := *f
		if !f.lasting() {
			if f.Times--; f.Times <= 0 {
				m.faults = slices.Delete(m.faults, i, i+1)
			}
		}
		return &hit
	}
	return nil
}

// under tells whether a lasting fault acts.
func (m *Modem) under(kind FaultKind) bool {
	for _, f := range m.faults {
		if f.Kind == kind {
			return true
		}
	}
	return false
}

func matches(line, prefix string) bool {
	if prefix == "" {
		return true
	}
	for rest := line; rest != ""; {
		var one string
		one, rest = nextCommand(rest)
		if len(one) >= len(prefix) && strings.EqualFold(one[:len(prefix)], prefix) {
			return true
		}
	}
	return false
}
