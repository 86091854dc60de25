package driver

import (
	"slices"
	"strings"
)

// quirks is what a modem does differently. The zero value, with reports -1,
// is a modem that follows the standard.
type quirks struct {
	reports          int      // ds of AT+CNMI to try first, -1 for the usual order
	iccid            string   // command that reads the ICCID, tried first
	storages         []string // memories in order of preference, nil for SM first
	noFinalAfterCPIN bool     // AT+CPIN? ends without OK
}

// quirkTable is matched top down against "manufacturer model" in capitals;
// the first row that contains its text applies.
var quirkTable = []struct {
	match string
	quirks
}{
	{"WAVECOM", quirks{reports: 2, noFinalAfterCPIN: true, iccid: "+CCID"}},
	{"QUECTEL", quirks{reports: 1, iccid: "+QCCID"}}, // ds=2 stores reports where nothing can read them
	{"HUAWEI", quirks{reports: 1, iccid: "^ICCID?"}},
	{"SIMCOM_SIM7", quirks{reports: 1, iccid: "+CICCID"}},
	{"SIMCOM INCORPORATED SIMCOM_", quirks{reports: 1, iccid: "+CICCID"}},
	{"A76", quirks{reports: 1, iccid: "+CICCID"}},
	{"SIMCOM", quirks{reports: 1, iccid: "+CCID"}},
	{"SIERRA", quirks{reports: 2, iccid: "!ICCID?"}}, // ds=1 is offered and does not work
	{"TELIT", quirks{reports: 1, iccid: "#CCID"}},
	{"SIEMENS", quirks{reports: 2, iccid: "^SCID"}}, // no ds=1
	{"CINTERION", quirks{reports: 2, iccid: "+CCID"}},
	{"NOVATEL", quirks{reports: 2}}, // +CDS cannot be acknowledged
}

func quirksOf(id Identity) quirks {
	name := strings.ToUpper(id.Manufacturer + " " + id.Model)
	for _, row := range quirkTable {
		if strings.Contains(name, row.match) {
			return row.quirks
		}
	}
	return quirks{reports: -1}
}

// iccidLadder puts the modem's own command first.
func (q quirks) iccidLadder() []string {
	if q.iccid == "" {
		return iccidCommands
	}
	rest := slices.DeleteFunc(slices.Clone(iccidCommands), func(cmd string) bool { return cmd == q.iccid })
	return append([]string{q.iccid}, rest...)
}

// resting picks the memory that stays selected and receives new messages. The
// SIM comes first because its messages move with the line.
func (q quirks) resting(offered []string) string {
	order := q.storages
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
