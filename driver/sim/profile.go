package sim

import (
	"fmt"
	"slices"
	"strings"
)

// profile is what one family of modems does in its own way.
type profile struct {
	manufacturer, model, revision string

	iccid       string   // the command that reads the ICCID
	iccidAnswer string   // format of its answer
	pinCounter  string   // the command that tells the tries left of the PIN; "": +CPINR
	memories    []string // of +CPMS, in its order
	mem         [3]string
	memSlots    int // of "ME"
	firstIndex  int // of its memories
	cpmsArgs    int // how many +CPMS= takes
	cpmsTest    string

	cnmi        [5][]int // values that +CNMI takes for mode, mt, bm, ds, bfr
	cnmiStart   [5]int   // after power-on
	cnmiRefuses func(v []int) bool

	memSets  [3][]string // what each parameter of +CPMS takes; nil: memories
	into     string      // where received messages go whatever +CPMS says
	mustBind bool        // loses received messages while mem3 is not mem1
	twice    bool        // stores a received message in two slots
	cmti     string      // the whole notice instead of +CMTI: "mem",index
	reportIn string      // memory of stored reports; "": they cannot be read, though announced
	cdsComma bool        // +CDS: ,<length>
	bareCMGR bool        // +CMGR: ,,<length> with a length that is one too many
	inSend   []string    // unsolicited between the lines of the answer to +CMGS

	final      string   // final code of an unknown command
	lineEnd    string   // of unsolicited codes
	missing    []string // commands that give `final`
	accepts    []string // commands of its own without effect here
	silenced   string   // the setting that ends its chatter
	cmms       []int    // values of +CMMS
	csmsStart  int      // +CSMS after power-on
	clearsSCA  bool     // +CSMP clears +CSCA
	cpinNoOK   bool     // +CPIN? gives no OK
	ussdPacked bool     // +CUSD carries packed GSM 7-bit as hex
	ussdMode   bool     // +CUSD is refused until ^USSDMODE=0
	full       string   // unsolicited when a received message finds no slot; %s is the memory
	emptyList  bool     // +CMGL of an empty memory is +CMS ERROR: 321
	reset      string   // the command that restarts it, besides +CFUN=1,1
	reenum     bool     // a restart leaves and returns under another name
	becomesCD  bool     // a restart leaves and does not return: it is mass storage now
	startCode  int      // error of SIM and message commands until BootDelay has passed after a restart; 0: at once
	boot       []string // unsolicited after power-on
	chatter    []string // unsolicited at any time
}

func seq(from, to int) []int {
	var s []int
	for v := from; v <= to; v++ {
		s = append(s, v)
	}
	return s
}

func generic() profile {
	return profile{
		manufacturer: "Simulated", model: "SIM-MODEM", revision: "1.0",
		iccid: "+CCID", iccidAnswer: "+CCID: %s",
		memories: []string{"SM", "ME", "MT", "SR"}, mem: [3]string{"SM", "SM", "SM"}, memSlots: 50, firstIndex: 1, cpmsArgs: 3,
		cnmi:     [5][]int{seq(0, 3), seq(0, 3), {0, 2}, seq(0, 2), seq(0, 1)},
		reportIn: "SR", cmms: seq(0, 2), final: "ERROR", lineEnd: "\r\n",
		chatter: []string{"+CREG: 1", "+CSQ: 21,99", "RING"},
	}
}

// optionalCommands are those without which messages can still be sent and
// received.
var optionalCommands = []string{"+CMEE", "+CGMI", "+CGMM", "+CGMR", "+GMI", "+GMM", "+GMR", "+CIMI", "+CCID", "+CREG",
	"+CGREG", "+CEREG", "+COPS", "+CSQ", "+CSCA", "+CSCS", "+CSMS", "+CPMS", "+CMMS", "+CSMP", "+CSDH", "+CUSD", "+CLIP",
	"+CNUM", "+GCAP", "+CLCK", "+CPBS", "+CPBR", "+CNMI", "+CNMA", "+CCLK", "+CPINR", "+CRSM", "+CPAS", "I"}

// findProfiles reads a comma-separated list of names; empty is generic.
func findProfiles(names string) (list []profile, err error) {
	if names == "" {
		names = "generic"
	}
	for name := range strings.SplitSeq(names, ",") {
		make, ok := profiles[strings.TrimSpace(name)]
		if !ok {
			return nil, fmt.Errorf("simulated modem profile %q is unknown: use %s", name, strings.Join(Profiles(), ", "))
		}
		list = append(list, make())
	}
	return list, nil
}

// Profiles lists the names that [Options.Profile] takes.
func Profiles() []string {
	names := make([]string, 0, len(profiles))
	for name := range profiles {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func (p *profile) lacks(command string) bool { return slices.Contains(p.missing, command) }

// takes tells whether the i-th parameter of +CPMS may be a memory.
func (p *profile) takes(i int, memory string) bool { return slices.Contains(p.memSet(i), memory) }

func (p *profile) memSet(i int) []string {
	if i < len(p.memSets) && p.memSets[i] != nil {
		return p.memSets[i]
	}
	return p.memories
}
