package phone

import (
	"errors"
	"regexp"
	"strings"
	"testing"
)

func TestParseReadsWhatPeopleWrite(t *testing.T) {
	tests := []struct{ in, region, want string }{
		// Layout.
		{"+447700900123", "", "+447700900123"},
		{" +44 (0)7700 900-123 ", "", "+447700900123"},
		{"(+44) 7700/900.123", "", "+447700900123"},
		{"+44 07700 900123", "", "+447700900123"},
		{"[+44] 7700\t900123", "", "+447700900123"},
		{"\u202a+44\u00a07700\u202f900\u2011123\u202c", "", "+447700900123"},
		{"+999 000 0001", "", "+9990000001"},
		{"+290 2345", "", "+2902345"},
		{"+8835100012345678"[:16], "", "+883510001234567"},
		// Europe.
		{"07700 900123", "GB", "+447700900123"},
		{"07700 900123", "gb", "+447700900123"},
		{"7700900123", "GB", "+447700900123"},
		{"447700900123", "GB", "+447700900123"},
		{"0044 7700 900123", "FR", "+447700900123"},
		{"06 12 34 56 78", "FR", "+33612345678"},
		{"0151 12345678", "DE", "+4915112345678"},
		{"4915112345678", "DE", "+4915112345678"},
		{"0664 1234567", "AT", "+436641234567"},
		{"436641234567", "AT", "+436641234567"},
		{"079 123 45 67", "CH", "+41791234567"},
		{"31612345678", "NL", "+31612345678"},
		{"06 698 12345", "IT", "+390669812345"},
		{"+39 (0)6 698 12345", "", "+390669812345"},
		{"347 123 4567", "IT", "+393471234567"},
		{"391 234 5678", "IT", "+393912345678"},
		{"393471234567", "IT", "+393471234567"},
		{"06 698 12345", "VA", "+390669812345"},
		{"0549 882914", "SM", "+3780549882914"},
		{"612 345 678", "ES", "+34612345678"},
		{"912 345 678", "PT", "+351912345678"},
		{"20 12 34 56", "DK", "+4520123456"},
		{"4520123456", "DK", "+4520123456"},
		{"406 12 345", "NO", "+4740612345"},
		{"512 345 678", "PL", "+48512345678"},
		{"601 123 456", "CZ", "+420601123456"},
		{"06 20 123 4567", "HU", "+36201234567"},
		{"+36 (06) 20 123 4567", "", "+36201234567"},
		{"8 612 34567", "LT", "+37061234567"},
		{"0 612 34567", "LT", "+37061234567"},
		{"070-123 45 67", "SE", "+46701234567"},
		{"040 123 4567", "FI", "+358401234567"},
		{"999 44 7700 900123", "FI", "+447700900123"},
		{"043 201 234", "XK", "+38343201234"},
		// Russia and its neighbours: 8, and 8~10 abroad.
		{"8 (912) 345-67-89", "RU", "+79123456789"},
		{"912 345-67-89", "RU", "+79123456789"},
		{"843 234-56-78", "RU", "+78432345678"},
		{"79123456789", "RU", "+79123456789"},
		{"8 10 44 7700 900123", "RU", "+447700900123"},
		{"8 701 234 5678", "KZ", "+77012345678"},
		{"8 029 491 19 11", "BY", "+375294911911"},
		{"029 491 19 11", "BY", "+375294911911"},
		{"8 66 123456", "TM", "+99366123456"},
		// The Americas.
		{"(202) 555-0123", "US", "+12025550123"},
		{"1-202-555-0123", "US", "+12025550123"},
		{"011 44 7700 900123", "US", "+447700900123"},
		{"1 876 555 0123", "JM", "+18765550123"},
		{"55 1234 5678", "MX", "+525512345678"},
		{"011 2345-6789", "AR", "+541123456789"},
		{"(011) 96123-4567", "BR", "+5511961234567"},
		{"5511961234567", "BR", "+5511961234567"},
		{"0021 44 7700 900123", "BR", "+447700900123"},
		{"9 6123 4567", "CL", "+56961234567"},
		{"119 44 7700 900123", "CU", "+447700900123"},
		// Asia.
		{"090-1234-5678", "JP", "+819012345678"},
		{"010 44 7700 900123", "JP", "+447700900123"},
		{"010-2000-0000", "KR", "+821020000000"},
		{"00700 44 7700 900123", "KR", "+447700900123"},
		{"138 0013 8000", "CN", "+8613800138000"},
		{"0098123 45678", "IN", "+9812345678"},
		{"91234 56789", "IN", "+919123456789"},
		{"098123 45678", "IN", "+919812345678"},
		{"919812345678", "IN", "+919812345678"},
		{"050-234-5678", "IL", "+972502345678"},
		{"012 44 7700 900123", "IL", "+447700900123"},
		{"001 44 7700 900123", "SG", "+447700900123"},
		{"8123 4567", "SG", "+6581234567"},
		{"012 345 678", "KH", "+85512345678"},
		{"90 123 45 67", "UZ", "+998901234567"},
		// Africa.
		{"071 123 4567", "ZA", "+27711234567"},
		{"0802 123 4567", "NG", "+2348021234567"},
		{"009 44 7700 900123", "NG", "+447700900123"},
		{"000 44 7700 900123", "KE", "+447700900123"},
		{"07 01 23 45 67", "CI", "+2250701234567"},
		{"+225 07 01 23 45 67", "", "+2250701234567"},
		{"01 95 12 34 56", "BJ", "+2290195123456"},
		{"060 31 23 45", "GA", "+24160312345"},
		{"376312345", "AD", "+376312345"},
		{"06 123 4567", "CG", "+242061234567"},
		// Oceania.
		{"0412 345 678", "AU", "+61412345678"},
		{"0011 44 7700 900123", "AU", "+447700900123"},
		{"021 123 4567", "NZ", "+64211234567"},
		{"0 44 7700 900123", "WS", "+447700900123"},
		{"701 2345", "FJ", "+6797012345"},
	}
	for _, tt := range tests {
		got, err := Parse(tt.in, tt.region)
		if err != nil || got != tt.want {
			t.Errorf("Parse(%q, %q) = %q, %v; want %q", tt.in, tt.region, got, err, tt.want)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	tests := []struct {
		in, region string
		want       error
	}{
		{"", "", ErrEmpty},
		{" - ", "GB", ErrEmpty},
		{"+", "GB", ErrEmpty},
		{"Bank24", "GB", ErrCharacter},
		{"+44 7700 900123 ext 4", "", ErrCharacter},
		{"+44770090012\n3", "", ErrCharacter},
		{"++447700900123", "", ErrCharacter},
		{"44+7700900123", "GB", ErrCharacter},
		{"+44\uff17\uff17\uff10\uff10900123", "", ErrCharacter}, // full-width
		{"\uff0b447700900123", "", ErrCharacter},
		{"+44٧٧00900123", "", ErrCharacter}, // Arabic-Indic
		{"+4477009\xff00123", "", ErrCharacter},
		{"07700900123", "", ErrNational},
		{"447700900123", "", ErrNational},
		{"00447700900123", "", ErrNational},
		{"07700900123", "ZZ", ErrNational},
		{"+0447700900123", "", ErrCountryCode},
		{"+2101234567", "", ErrCountryCode},
		{"+4", "", ErrCountryCode},
		{"00 210 1234567", "GB", ErrCountryCode},
		{"+44007700900123", "", ErrTrunk},
		{"+4400", "", ErrTrunk},
		{"+112025550123", "", ErrTrunk},
		{"+10025550123", "", ErrTrunk},
		{"0044 7700 900123", "AU", ErrLength}, // 0011 there
		{"00 44 7700 900123", "US", ErrLength},
		{"49 21 12345", "DE", ErrAmbiguous},
		{"+447700", "", ErrLength},
		{"+44", "", ErrLength},
		{"+4477009001234567", "", ErrLength},
		{"+" + strings.Repeat("4", 4000), "", ErrLength},
		{"999", "GB", ErrLength},
		{"555-0123", "US", ErrLength},
		{"0111512345678", "AR", ErrLength},
	}
	for _, tt := range tests {
		got, err := Parse(tt.in, tt.region)
		if !errors.Is(err, tt.want) || got != "" {
			t.Errorf("Parse(%q, %q) = %q, %v; want %v", tt.in, tt.region, got, err, tt.want)
		}
	}
}

func TestParseTakesEveryFormOfEveryRegion(t *testing.T) {
	const digits = "234567892345678"
	for name, r := range regions {
		subscriber := digits[:r.max]
		want := "+" + r.code + subscriber
		forms := []string{want, r.code + subscriber}
		if !strings.HasPrefix(r.trunk, "06") {
			forms = append(forms, subscriber)
		}
		for trunk := range strings.FieldsSeq(r.trunk) {
			forms = append(forms, trunk+subscriber)
		}
		prefix := r.prefix
		if prefix == "" {
			prefix = "00"
		}
		for p := range strings.FieldsSeq(prefix) {
			forms = append(forms, p+r.code+subscriber)
		}
		for _, form := range forms {
			if got, err := Parse(form, name); err != nil || got != want {
				t.Errorf("Parse(%q, %q) = %q, %v; want %q", form, name, got, err, want)
			}
		}
	}
}

func TestSameTail(t *testing.T) {
	tests := []struct {
		a, b string
		want bool
	}{
		{"+447700900123", "07700900123", true},
		{"+447700900123", "+44 7700 900123", true},
		{"+447700900123", "00447700900123", true},
		{"+85512345678", "012 345 678", true}, // eight digits behind a trunk 0
		{"+390669812345", "0669812345", true},
		{"+36201234567", "06201234567", true},
		{"+6797012345", "7012345", true},
		{"+447700900123", "+447700900124", false},
		{"+447700900123", "17700900123", true},
		{"+447700900123", "0123", false},
		{"85200", "85200", true},
		{"85200", "085200", false},
		{"85200", "15200", false},
		{"123456", "+447700123456", false},
		{"0012345", "12345", false},
		{"0000000", "0000000", true},
		{"", "", false},
		{"Bank", "Bank", false},
		{"Bank7700900123", "+447700900123", false},
	}
	for _, tt := range tests {
		if got := SameTail(tt.a, tt.b); got != tt.want {
			t.Errorf("SameTail(%q, %q) = %v", tt.a, tt.b, got)
		}
		if got := SameTail(tt.b, tt.a); got != tt.want {
			t.Errorf("SameTail(%q, %q) = %v", tt.b, tt.a, got)
		}
	}
}

func TestSimulated(t *testing.T) {
	for number, want := range map[string]bool{
		"+9990000001": true, "+99": false, "9990000001": false, "+998901234567": false, "": false,
	} {
		if Simulated(number) != want {
			t.Errorf("Simulated(%q) = %v", number, !want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"+447700900123", "+44 (0)7700 900123", "00 44 7700", "8~10", "１２", "+9990000001", "\x80+1"} {
		for _, region := range []string{"", "GB", "us", "IT", "RU", "HU", "ZZ"} {
			f.Add(seed, region)
		}
	}
	e164 := regexp.MustCompile(`^\+[1-9][0-9]{6,14}$`)
	known := []error{ErrEmpty, ErrCharacter, ErrNational, ErrCountryCode, ErrTrunk, ErrAmbiguous, ErrLength}
	f.Fuzz(func(t *testing.T, in, region string) {
		got, err := Parse(in, region)
		if err != nil {
			for _, k := range known {
				if err == k { // the very value: a fixed text, so nothing of the input
					return
				}
			}
			t.Fatalf("Parse(%q, %q): unknown error %v", in, region, err)
		}
		if !e164.MatchString(got) {
			t.Fatalf("Parse(%q, %q) = %q", in, region, got)
		}
		for _, r := range []string{"", region, "US", "IT"} {
			if again, err := Parse(got, r); err != nil || again != got {
				t.Fatalf("Parse(%q, %q) = %q, %v", got, r, again, err)
			}
		}
		if !SameTail(got, got) {
			t.Fatalf("%q is not itself", got)
		}
	})
}
