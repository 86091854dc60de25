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
	memories    []string // of +CPMS, in its order
	mem         [3]string
	memSlots    int // of "ME"
	firstIndex  int // of its memories
	cpmsArgs    int // how many +CPMS= takes
	cpmsTest    string

	cnmi        [5][]int // values that +CNMI takes for mode, mt, bm, ds, bfr
	cnmiStart   [5]int   // after power-on
	cnmiRefuses func(v []int) bool

	final      string   // final code of an unknown command
	lineEnd    string   // of unsolicited codes
	missing    []string // commands that give `final`
	cpinNoOK   bool     // +CPIN? gives no OK
	ussdPacked bool     // +CUSD carries packed GSM 7-bit as hex
	full       string   // unsolicited when a received message finds no slot; %s is the memory
	emptyList  bool     // +CMGL of an empty memory is +CMS ERROR: 321
	reenum     bool     // +CFUN=1,1 leaves and returns under another name
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
		cnmi:  [5][]int{seq(0, 3), seq(0, 3), {0, 2}, seq(0, 2), seq(0, 1)},
		final: "ERROR", lineEnd: "\r\n",
		chatter: []string{"+CREG: 1", "+CSQ: 21,99", "RING"},
	}
}

// profiles are the families by name; their figures are from manuals and from
// other programs' notes on these modems.
var profiles = map[string]func() profile{
	"generic": generic,
	"huawei": func() profile {
		p := generic()
		p.manufacturer, p.model, p.revision = "huawei", "E173", "11.126.16.04.00"
		p.iccid, p.iccidAnswer = "^ICCID?", "^ICCID: %s"
		p.memories, p.cnmiStart = []string{"SM", "ME", "MT", "SR"}, [5]int{0, 0, 0, 0, 0}
		p.final, p.lineEnd, p.full = "COMMAND NOT SUPPORT", "\r\n", `^SMMEMFULL:"%s"`
		p.ussdPacked, p.reenum = true, true
		p.boot = []string{"^SIMST:1", "^SRVST:2"}
		p.chatter = []string{"^RSSI:17", "^MODE:5,4", "^DSFLOWRPT:0000000A,00000000,00000000,00000000,00000000,00000000,00000000",
			"^BOOT:24578151,0,0,0,75", "^HCSQ:\"WCDMA\",42,41,58"}
		return p
	},
	"zte": func() profile {
		p := generic()
		p.manufacturer, p.model, p.revision = "ZTE INCORPORATED", "MF190", "BD_MF190V1.0.0B03"
		p.iccid = "+ZICCID?"
		p.iccidAnswer = "+ZICCID: %s"
		p.cnmiRefuses = func(v []int) bool { return v[0] == 2 } // advertised, refused
		p.chatter = []string{"+ZUSIMR:2", "+ZDONR: \"SimNet\",999,99,\"CS_PS\",\"ROAM_OFF\"", "+ZPASR: \"UMTS\""}
		return p
	},
	"sim800": func() profile {
		p := generic()
		p.manufacturer, p.model, p.revision = "SIMCOM_Ltd", "SIMCOM_SIM800L", "Revision:1418B05SIM800L24"
		p.iccidAnswer = "%s"
		p.cnmi[3] = seq(0, 1)
		p.cnmiStart = [5]int{2, 1, 0, 0, 0}
		p.boot = []string{"RDY", "+CFUN: 1", "+CPIN: READY", "Call Ready", "SMS Ready"}
		p.chatter = []string{"*PSUTTZ: 2026,1,1,12,0,0,\"+0\",0", "DST: 0", "+CIEV: 10,\"99999\",\"SimNet\",\"SimNet\", 0, 0"}
		return p
	},
	"sim7600": func() profile {
		p := generic()
		p.manufacturer, p.model, p.revision = "SIMCOM INCORPORATED", "SIMCOM_SIM7600E", "+CGMR: LE20B04SIM7600M22"
		p.iccid, p.iccidAnswer = "+CICCID", "+ICCID: %s"
		p.cnmiRefuses = func(v []int) bool { return v[1] == 2 && v[0] == 2 }
		p.boot = []string{"RDY", "+CPIN: READY", "SMS DONE", "PB DONE"}
		p.chatter = []string{"+CNSMOD: 8", "+NITZ: 26/1/1,12:0:0+0,0"}
		return p
	},
	"quectel": func() profile {
		p := generic()
		p.manufacturer, p.model, p.revision = "Quectel", "EC25", "EC25EFAR06A06M4G"
		p.iccid, p.iccidAnswer = "+QCCID", "+QCCID: %s"
		p.mem, p.memSlots = [3]string{"ME", "ME", "ME"}, 255
		p.firstIndex = 0
		p.cnmiStart = [5]int{2, 1, 0, 0, 0}
		p.boot = []string{"RDY", "+CPIN: READY", "+QUSIM: 1", "+QIND: SMS DONE", "+QIND: PB DONE"}
		p.chatter = []string{"+QIND: \"csq\",22,99", "+QIND: \"act\",\"FDD LTE\""}
		return p
	},
	"siemens": func() profile {
		p := generic()
		p.manufacturer, p.model, p.revision = "SIEMENS", "TC35i", "REVISION 03.01"
		p.iccid, p.iccidAnswer = "^SCID", "^SCID: %s"
		p.memories = []string{"SM", "MT"}
		p.cnmi = [5][]int{seq(0, 3), seq(0, 1), {0, 2, 3}, {0, 2}, {1}}
		p.cnmiStart = [5]int{0, 0, 0, 0, 1}
		p.boot = []string{"^SYSSTART"}
		p.chatter = []string{"+CIEV: rssi,4", "+CIEV: battchg,5"}
		return p
	},
	"wavecom": func() profile {
		p := generic()
		p.manufacturer, p.model, p.revision = "WAVECOM MODEM", "900P", "640b09gg.Q2406A"
		p.iccidAnswer = `+CCID: "%s"`
		p.memories, p.cpmsArgs = []string{"SM", "SR"}, 2
		p.cpmsTest = `(("SM","BM","SR"),("SM"))`
		p.cpinNoOK, p.emptyList = true, true
		p.boot = []string{"+WIND: 1", "+WIND: 3", "+WIND: 4"}
		p.chatter = []string{"+WIND: 2", "+WIND: 0"}
		return p
	},
	// bare knows the commands of the send and receive path and no other.
	"bare": func() profile {
		p := generic()
		p.manufacturer, p.model = "Simulated", "BARE"
		p.missing = optionalCommands
		p.memories, p.chatter = []string{"SM"}, nil
		return p
	},
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

func (p *profile) has(memory string) bool { return slices.Contains(p.memories, memory) }
