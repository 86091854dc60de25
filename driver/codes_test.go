package driver

import (
	"strconv"
	"testing"
	"time"
)

// The tables of 3GPP TS 24.011 Annex E-2, TS 23.040 §9.2.3.22, TS 27.005
// §3.2.5 and TS 27.007 §9.2, by what each code asks for.
func TestVerdicts(t *testing.T) {
	for class, codes := range map[Class]map[string][]int{
		Permanent: {
			"cms": {1, 95, 96, 97, 99, 128, 129, 143, 145, 159, 160, 161, 175, 176, 195, 196, 197, 198, 199, 304, 305},
			"cme": {21, 22, 24, 25, 26, 27, 50},
		},
		LineDown: {
			"cms": {8, 10, 28, 29, 30, 34, 50, 69, 193, 209, 303, 310, 311, 312, 313, 315, 316, 317, 318, 330},
			"cme": {4, 5, 6, 7, 10, 11, 12, 13, 15, 16, 17, 18, 32, 40, 44, 48, 103, 106, 111, 112, 113, 132, 133, 257, 262, 772},
		},
		Temporary: {
			"cms": {22, 27, 38, 41, 42, 47, 98, 192, 194, 208, 211, 212, 301, 314, 320, 322, 331, 512, 514, 515},
			"cme": {14, 20, 30, 31, 126, 134, 256, 258, 515},
		},
		Unsure: {
			"cms": {0, 21, 81, 111, 127, 146, 158, 210, 213, 255, 300, 302, 321, 332, 340, 500, 513, 999, 65001},
			"cme": {0, 1, 2, 3, 100, 999},
		},
	} {
		for kind, numbers := range codes {
			for _, n := range numbers {
				code := kind + "-" + strconv.Itoa(n)
				v := verdictOf(code)
				if v.class != class {
					t.Errorf("%s: got %s, want %s", code, v.class, class)
				}
				want := NotSent
				switch {
				case class == Permanent:
					want = Refused
				case code == "cms-332" || code == "cms-513":
					want = Unknown
				}
				if got := v.fateOf(true); got != want {
					t.Errorf("%s after Ctrl-Z: got %s, want %s", code, got, want)
				}
			}
		}
	}
	for _, code := range []string{"error", "cme-SIM BUSY", ""} {
		if v := verdictOf(code); v.class != Unsure || v.fateOf(true) != NotSent {
			t.Errorf("%q: got %+v", code, v)
		}
	}
	if got := verdictOf("cms-332").fateOf(false); got != NotSent {
		t.Errorf("network timeout before Ctrl-Z: got %s", got)
	}
	if short, long := verdictOf("cms-41").wait, verdictOf("cms-38").wait; short <= 0 || long < time.Minute || short > 30*time.Second {
		t.Errorf("waits: temporary failure %v, network out of order %v", short, long)
	}
}

func TestSendErrorsOfTheModem(t *testing.T) {
	for answer, want := range map[string]SendError{
		"\r\n+CMS ERROR: 38\r\n":  {Fate: NotSent, Class: Temporary, Code: "cms-38"},
		"\r\n+CMS ERROR: 1\r\n":   {Fate: Refused, Class: Permanent, Code: "cms-1"},
		"\r\n+CMS ERROR: 513\r\n": {Fate: Unknown, Class: Unsure, Code: "cms-513"},
		"\r\n+CME ERROR: 30\r\n":  {Fate: NotSent, Class: Temporary, Code: "cme-30"},
		"\r\nERROR\r\n":           {Fate: NotSent, Class: Unsure, Code: "error"},
	} {
		p := newPeer(t)
		m := p.open()
		p.afterPDU(func(p *peer, _ string) { p.send(answer) })
		_, err := m.Send(t.Context(), Submission{TPDU: samplePDU})
		if e := sendError(t, err); e.Fate != want.Fate || e.Class != want.Class || e.Code != want.Code {
			t.Errorf("%q: got %+v", answer, e)
		}
		p.afterPDU(nil)
		if _, err := m.Send(t.Context(), Submission{TPDU: samplePDU}); err != nil {
			t.Errorf("after %q: %v", answer, err)
		}
	}
}

func TestOKWithoutReference(t *testing.T) {
	p := newPeer(t)
	m := p.open()
	p.afterPDU(func(p *peer, _ string) { p.ok() })
	if mr, err := m.Send(t.Context(), Submission{TPDU: samplePDU}); err != nil || mr != -1 {
		t.Errorf("got %d, %v, want taken without a reference", mr, err)
	}
}
