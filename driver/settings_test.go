package driver_test

import (
	"slices"
	"testing"
)

// TestFamiliesOwnSettings: what silences a family's chatter, or lets its USSD
// through, is sent at bring-up.
func TestFamiliesOwnSettings(t *testing.T) {
	for profile, commands := range map[string][]string{
		"huawei": {"AT^CURC=0"}, "e1752": {"AT^CURC=0", "AT^USSDMODE=0"}, "wavecom": {"AT+WIND=0"}, "multitech": {"AT+WIND=0"},
		"sim7600": {"AT+AUTOCSQ=0,0", "AT+CNSMOD=0"}, "a7670": {"AT+AUTOCSQ=0,0", "AT+CNSMOD=0"},
	} {
		_, s := network(t, profile)
		dial(t, s)
		for _, command := range commands {
			if !slices.Contains(s.Transcript(), "> "+command) {
				t.Errorf("%s was not sent %s", profile, command)
			}
		}
	}
}
