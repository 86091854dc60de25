package driver

import (
	"slices"
	"testing"
	"time"
)

func TestRowsAreFoundByWhatModemsSayOfThemselves(t *testing.T) {
	for _, c := range []struct{ maker, model, family string }{
		{"huawei", "E173", "Huawei"},
		{"HUAWEI TECHNOLOGY CO., LTD", "E3531", "Huawei E3531"},
		{"Huawei Technologies Co., Ltd.", "MU736", "Huawei MU736"},
		{"ZTE INCORPORATED", "MF190", "ZTE"},
		{"ZTE CORPORATION", "MF626", "ZTE MF626"},
		{"SIMCOM_Ltd", "SIMCOM_SIM800L", "SIMCom SIM800, SIM900"},
		{"SIMCOM_Ltd", "SIMCOM_SIM900", "SIMCom SIM800, SIM900"},
		{"SIMCOM_Ltd", "SIMCOM_SIM7000E", "SIMCom SIM7000"},
		{"SIMCOM INCORPORATED", "SIMCOM_SIM7600E-H", "SIMCom SIM7600"},
		{"SIMCOM INCORPORATED", "A7670E-FASE", "SIMCom A7670"},
		{"INCORPORATED", "A7670E-FASE", "unknown"},
		{"A76XX", "A7602E-H", "SIMCom A7670"},
		{"Quectel", "EC25", "Quectel"},
		{"Sierra Wireless, Incorporated", "MC7455", "Sierra EM, MC"},
		{"u-blox", "SARA-U201", "u-blox"},
		{"Telit", "LE910C1-EU", "Telit"},
		{"SIEMENS", "TC35i", "Siemens"},
		{"Cinterion", "BGS2-W", "Cinterion"},
		{"WAVECOM MODEM", "MULTIBAND 900E 1800", "Wavecom"},
		{"MultiTech Systems", "MTCBA-G-F4", "MultiTech"},
		{"Novatel Wireless Inc.", "MC551", "Novatel"},
		{"Simulated", "SIM-MODEM", "unknown"},
		{"", "", "unknown"},
	} {
		if got := quirksOf(Identity{Manufacturer: c.maker, Model: c.model}).family; got != c.family {
			t.Errorf("%q %q: row %q, want %q", c.maker, c.model, got, c.family)
		}
	}
}

// What the table says must be something the rest of the driver can use.
func TestRowsAreConsistent(t *testing.T) {
	for i, row := range quirkTable {
		if row.family == "" {
			t.Errorf("row %d has no family", i)
		}
		if row.onlyThese && len(row.indications) == 0 {
			t.Errorf("%s: no form of AT+CNMI is left", row.family)
		}
		for j, form := range row.indications {
			if form[1] == 2 || form[1] == 3 {
				t.Errorf("%s: %v would route messages past the memories", row.family, form)
			}
			if j == 0 && row.reports != reportsAny && form[3] != row.reports.ds() {
				t.Errorf("%s: the first form %v asks for other reports than the row", row.family, form)
			}
		}
		if row.becomesCD && row.reset != "" {
			t.Errorf("%s: a restart is forbidden and named", row.family)
		}
		for _, other := range quirkTable[:i] {
			shadowed := other.maker == row.maker && other.model == "" || other.maker == row.maker && other.model == row.model
			if shadowed {
				t.Errorf("%s: hidden behind the row %s", row.family, other.family)
			}
		}
		if slices.Contains(row.chatter, "+CMTI:") || slices.Contains(row.chatter, "+CMGS:") {
			t.Errorf("%s: answers are taken for chatter", row.family)
		}
	}
}

func TestMakersPatienceReplacesOnlyOurs(t *testing.T) {
	ublox := quirksOf(Identity{Manufacturer: "u-blox"})
	if _, result := ublox.patience(Options{}.withDefaults()); result != 190*time.Second {
		t.Errorf("a u-blox is given %s for a submission that may take 180 s", result)
	}
	if _, result := ublox.patience(Options{SubmitTimeout: time.Minute}.withDefaults()); result != time.Minute {
		t.Errorf("the caller's own time-out became %s", result)
	}
	sim800 := quirksOf(Identity{Manufacturer: "SIMCOM_Ltd", Model: "SIMCOM_SIM800"})
	if _, result := sim800.patience(Options{}.withDefaults()); result != DefaultSubmitTimeout {
		t.Errorf("a maker's shorter figure cuts ours to %s", result)
	}
}

func TestAnswersAreAwaitedAsLongAsTheFamilyMayTake(t *testing.T) {
	for _, c := range []struct {
		maker        string
		submit, want time.Duration
	}{
		{"u-blox", 0, 190 * time.Second}, {"u-blox", time.Minute, time.Minute}, {"Quectel", 0, 150 * time.Second}, {"Simulated", 0, 150 * time.Second},
		{"", 0, 190 * time.Second}, {"", 4 * time.Minute, 4 * time.Minute},
	} {
		if got := AnswerTime(Identity{Manufacturer: c.maker}, c.submit); got != c.want {
			t.Errorf("%q with a time-out of %s: %s, want %s", c.maker, c.submit, got, c.want)
		}
	}
}

// A modem of no known family may end AT+CPIN? without OK as well: it comes up,
// and is asked with less patience from then on.
func TestAnswerOfTheSIMWithoutOK(t *testing.T) {
	p := newPeer(t)
	p.says("\r\n+CPIN: READY\r\n", "+CPIN?")
	m := p.open(func(o *Options) { o.CommandTimeout = time.Second })
	if _, err := m.Send(t.Context(), Submission{TPDU: samplePDU}); err != nil {
		t.Error(err)
	}
	if _, err := m.Status(t.Context()); err != nil {
		t.Error(err)
	}
}
