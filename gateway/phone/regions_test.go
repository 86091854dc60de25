package phone

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

func TestCallingCode(t *testing.T) {
	for region, want := range map[string]string{
		"GB": "44", "JE": "44", "US": "1", "CA": "1", "DO": "1", "BR": "55", "GF": "594", "RU": "7", "KZ": "7",
		"VA": "39", "XK": "383", "AX": "358", "SJ": "47", "ZA": "27", "EH": "212", "SS": "211", "AC": "247",
		"AU": "61", "CX": "61", "NF": "672", "PN": "64", "TL": "670", "JP": "81", "HK": "852", "PS": "970", "de": "49", "us": "1",
	} {
		if got, ok := CallingCode(region); !ok || got != want {
			t.Errorf("CallingCode(%q) = %q, %v; want %q", region, got, ok, want)
		}
	}
	for _, region := range []string{"", "UK", "ZZ", "GBR", "G", "001"} {
		if got, ok := CallingCode(region); ok || got != "" {
			t.Errorf("CallingCode(%q) = %q, %v", region, got, ok)
		}
	}
}

func TestRegionsAreSound(t *testing.T) {
	for name, r := range regions {
		if len(name) != 2 || name != strings.ToUpper(name) {
			t.Errorf("%q is no region", name)
		}
		if !allDigits(r.code) || r.code[0] == '0' || len(r.code) > 3 {
			t.Errorf("%s: calling code %q", name, r.code)
		}
		if r.min > r.max || len(r.code)+r.max > maxDigits || len(r.code)+r.max < minDigits || r.min < 4 {
			t.Errorf("%s: %d to %d digits", name, r.min, r.max)
		}
		for p := range strings.FieldsSeq(r.trunk + " " + r.prefix) {
			if !allDigits(p) {
				t.Errorf("%s: prefix %q", name, p)
			}
		}
		if trunks := strings.Fields(r.trunk); !slices.IsSortedFunc(trunks, func(a, b string) int { return len(b) - len(a) }) {
			t.Errorf("%s: a longer trunk prefix after a shorter one", name)
		}
	}
	if n := len(regions); n < 245 {
		t.Errorf("%d regions", n)
	}
}

func TestCallingCodesArePrefixFree(t *testing.T) {
	for a := range plans {
		if codeOf(a+"55555") != a {
			t.Errorf("%s begins with another code", a)
		}
	}
	// Spare codes of ITU-T E.164, one of each zone that has some.
	for _, spare := range []string{"0", "210", "214", "219", "259", "289", "384", "422", "671", "699", "801", "851", "899", "969", "978", "990", "997"} {
		if got := codeOf(spare + "1234567"); got != "" {
			t.Errorf("%s is taken for calling code %s", spare, got)
		}
	}
	// Two hundred and some, zone by zone: a row lost from the table shows here.
	zones := map[byte]int{}
	for code := range plans {
		zones[code[0]]++
	}
	want := map[byte]int{'1': 1, '2': 61, '3': 34, '4': 12, '5': 28, '6': 28, '7': 1, '8': 19, '9': 32}
	if !maps.Equal(zones, want) {
		t.Errorf("calling codes by first digit: %v", zones)
	}
}

func TestCallingCodeOfIMSI(t *testing.T) {
	for imsi, want := range map[string]string{
		"234150123456789": "44", "262011234567890": "49", "222101234567890": "39", "250011234567890": "7",
		"401011234567890": "7", "310260123456789": "1", "316010123456789": "1", "302720123456789": "1",
		"338050123456789": "1", "724051234567890": "55", "722310123456789": "54", "404101234567890": "91",
		"460001234567890": "86", "440101234567890": "81", "425011234567890": "972", "425051234567890": "970",
		"431011234567890": "971", "505011234567890": "61", "505101234567890": "672", "647101234567890": "262",
		"340011234567890": "590", "340121234567890": "596", "362691234567890": "599", "362511234567890": "1",
		"655011234567890": "27", "659021234567890": "211", "221011234567890": "383", "542011234567890": "679",
		"20810": "33",
	} {
		if got, ok := CallingCodeOfIMSI(imsi); !ok || got != want {
			t.Errorf("CallingCodeOfIMSI(%q) = %q, %v; want %q", imsi, got, ok, want)
		}
	}
	for _, imsi := range []string{
		"001010123456789", "999991234567890", "901281234567890", "200011234567890", "", "234", "2341", "23415012345678901", "23415x",
		"23415012345678\u0660",
	} {
		if got, ok := CallingCodeOfIMSI(imsi); ok || got != "" {
			t.Errorf("CallingCodeOfIMSI(%q) = %q, %v", imsi, got, ok)
		}
	}
}

func TestNetworksAndRegionsAgree(t *testing.T) {
	has := map[string]bool{}
	for mcc, region := range networks {
		if !allDigits(mcc) || len(mcc) != 3 || regions[region].code == "" {
			t.Errorf("network code %q of %q", mcc, region)
		}
		has[region] = true
	}
	for network, region := range carriers {
		if networks[network[:3]] == "" || regions[region].code == "" || len(network) != 5 {
			t.Errorf("network %q of %q", network, region)
		}
	}
	var without []string
	for region := range regions {
		if !has[region] {
			without = append(without, region)
		}
	}
	slices.Sort(without)
	// They share the code of another region, or have no network.
	want := strings.Fields("AC AQ AX BL BQ CC CX EH GG GS IM JE MF MQ NF PN PS SJ SX TA UM YT")
	if !slices.Equal(without, want) {
		t.Errorf("regions without a mobile country code: %v", without)
	}
	if n := len(networks); n != 240 {
		t.Errorf("%d network codes", n)
	}
}
