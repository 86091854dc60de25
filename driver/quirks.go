package driver

import (
	"slices"
	"strings"
	"time"
)

// quirks is what a family of modems does differently. The zero value is a
// modem that follows the standards; nothing outside [quirkTable] knows a model.
type quirks struct {
	family string // as in the documentation

	setup []string // sent once at bring-up; what is refused is done without

	indications [][5]int // forms of AT+CNMI to try first, in this order
	onlyThese   bool     // others do harm: no form but these
	reports     reports  // how status reports are wanted

	memories []string // what holds messages where AT+CPMS=? cannot be read; nil: ask
	resting  []string // memories in order of preference, nil for SM first
	cpmsArgs int      // parameters that AT+CPMS= takes, 0: three, else fewer
	doubles  bool     // one message may be stored in two slots

	ussd ussdCoding

	iccid      string // command that reads the ICCID, tried first
	bareSIM    bool   // AT+CPIN? ends without OK
	reset      string // command that restarts the modem; "" is none that is known
	becomesCD  bool   // a restart brings the stick back as mass storage: it must not be told to
	prompt     time.Duration
	result     time.Duration // what the maker allows AT+CMGS to take; 0 is not known
	linkHeld   int           // AT+CMMS for a burst: 0 is 2 where offered, -1 never
	chatter    []string      // prefixes of what it says unasked
	chatterAll []string      // whole lines of the same kind
}

// reports is the <ds> of AT+CNMI that a modem works with (3GPP TS 27.005 §3.4.1).
type reports int

const (
	reportsAny     reports = iota // routed (+CDS), else stored (+CDSI), else none
	reportsRouted                 // ds=1: +CDS
	reportsStored                 // ds=2: +CDSI
	reportsNowhere                // the modem has none
)

// ussdCoding is how AT+CUSD carries text.
type ussdCoding int

const (
	ussdPlain  ussdCoding = iota // characters of AT+CSCS
	ussdPacked                   // GSM 7-bit septets, packed, in hex
)

// quirksOf returns the first row whose words are all in what the modem says
// of itself. A modem that no row knows is taken to follow the standards.
func quirksOf(id Identity) quirks {
	maker, model := strings.ToUpper(id.Manufacturer), strings.ToUpper(id.Model)
	for _, row := range quirkTable {
		if strings.Contains(maker, row.maker) && strings.Contains(model, row.model) {
			return row.quirks
		}
	}
	return quirks{family: "unknown"}
}

// iccidLadder puts the modem's own command first.
func (q quirks) iccidLadder() []string {
	if q.iccid == "" {
		return iccidCommands
	}
	rest := slices.DeleteFunc(slices.Clone(iccidCommands), func(cmd string) bool { return cmd == q.iccid })
	return append([]string{q.iccid}, rest...)
}

// rest picks the memory that stays selected and receives new messages. The
// SIM comes first because its messages move with the line.
func (q quirks) rest(offered []string) string {
	order := q.resting
	if order == nil {
		order = []string{"SM", "ME", "MT"}
	}
	for _, memory := range order {
		if slices.Contains(offered, memory) {
			return memory
		}
	}
	return ""
}

// patience puts the maker's figures in the place of our general ones; what the
// caller has set himself stays.
func (q quirks) patience(o Options) (prompt, result time.Duration) {
	prompt, result = o.PromptTimeout, o.SubmitTimeout
	if q.prompt > 0 && prompt == DefaultPromptTimeout {
		prompt = q.prompt
	}
	if q.result > result && result == DefaultSubmitTimeout {
		result = q.result
	}
	return prompt, result
}

// AnswerTime is how long after Ctrl-Z a modem of this identity may still confirm
// an SMS, where submit is [Options.SubmitTimeout]: the longest of all families
// if it is not known what the modem is.
func AnswerTime(id Identity, submit time.Duration) time.Duration {
	o := Options{SubmitTimeout: submit}.withDefaults()
	_, longest := quirksOf(id).patience(o)
	if id.Manufacturer == "" && id.Model == "" {
		for _, row := range quirkTable {
			_, result := row.patience(o)
			longest = max(longest, result)
		}
	}
	return longest
}

var (
	chatter      = append(slices.Clone(commonChatter), collect(func(q quirks) []string { return q.chatter })...)
	chatterWords = words(append(slices.Clone(commonWords), collect(func(q quirks) []string { return q.chatterAll })...))
)

// collect joins a list over all rows: before a modem has said what it is, it
// may say any of them, and a name of one family means nothing in another.
func collect(of func(quirks) []string) []string {
	var all []string
	for _, row := range quirkTable {
		for _, text := range of(row.quirks) {
			if !slices.Contains(all, text) {
				all = append(all, text)
			}
		}
	}
	return all
}

func words(list []string) map[string]bool {
	set := make(map[string]bool, len(list))
	for _, w := range list {
		set[strings.ToUpper(w)] = true
	}
	return set
}

// isChatter says whether a line is something that modems say all day and that
// no command of ours asks for.
func isChatter(line string) bool {
	if chatterWords[strings.ToUpper(line)] {
		return true
	}
	for _, prefix := range chatter {
		if strings.HasPrefix(line, prefix) {
			return true
		}
	}
	return false
}
