package driver

import (
	"errors"
	"strings"
	"testing"
)

// What reaches the modem, and how it is written, for what an operator typed.
func TestCommandsThatPass(t *testing.T) {
	for typed, written := range map[string]string{
		"AT": "", "at": "", "": "", "ATI": "I", "ati3": "i3", "AT&V": "&V", "ATH": "H", "ATS3?": "S3?", "ATS03?": "S03?",
		"AT+CSQ": "+CSQ", "at+csq": "+CSQ", " AT+CSQ\r\n": "+CSQ", "AT +CSQ": "+CSQ", "+CGMR": "+CGMR", "+CPINR": "+CPINR", "#PCT": "#PCT",
		"^ICCID?": "^ICCID?", "at+cpin ?": "+CPIN?", "+CMGF=?": "+CMGF=?", "+COPS=?": "+COPS=?", "+CFUN?": "+CFUN?", "+CMGD=?": "+CMGD=?",
		"+CSCA?": "+CSCA?", "!GSTATUS?": "!GSTATUS?", "$ANYTHING?": "$ANYTHING?", "*CNTI=0": "*CNTI=0", "^U2DIAG?": "^U2DIAG?", "+ZPINPUK=?": "+ZPINPUK=?",
		"+CPBR=1,20": "+CPBR=1,20", `+CPBS="SM"`: `+CPBS="SM"`, `+CPBF="Ann Other"`: `+CPBF="Ann Other"`, "+COPS=3, 2": "+COPS=3,2", "+CGSN=1": "+CGSN=1",
		"AT+CRSM=176,12258,0,0,10": "+CRSM=176,12258,0,0,10", "+CRSM=242": "+CRSM=242", `+CRSM=178,28480,1,4,30,"","3F007F10"`: `+CRSM=178,28480,1,4,30,"","3F007F10"`,
		`+cpinr="SIM PIN"`: `+CPINR="SIM PIN"`, `+QENG="servingcell"`: `+QENG="servingcell"`, `+QPINC="SC"`: `+QPINC="SC"`,
	} {
		if got, err := passable(typed); err != nil || got != written {
			t.Errorf("%q: written as %q, want %q (%v)", typed, got, written, err)
		}
	}
}

// forbiddenLines are lines by what their refusal says to use instead. Those
// with a digit run of four and more hold a PIN or a number in it.
var forbiddenLines = map[string][]string{
	insteadOneLine: {
		"ATH+CMGF=1", `AT&C1+CPIN="0000"`, "ATH+CMGS=20", "ATL0E1", "ATL0D+447700900123", "AT&C1+CMGD=1,4", "ATX3Z", "ATI+CMGF=1", "ATIE1", "AT&VZ",
		"ATHZ", "ATH0Z", "ATI0&F", "ATS3?E1", "ATS3?+CFUN=1,1", "ATS0=0+CMGF=1", "ATAT+CSQ", "at h + cmgf = 1", "ATIA/", "A/", "ATA/", "ATH0D123",
		"AT+CSQ;+CMGF=1", "AT;+CMGF=1", "AT+CSQ;", `AT+CPBF=";+CMGF=1"`, "AT+CSQ\rAT+CMGF=1", "AT\rAT+CMGF=1", "AT+CSQ\nAT+CMGF=1",
		"AT+CSQ\x00", "\x00AT+CMGF=1", "AT+CSQ\x1a", "\x1a", "\x1bAT+CSQ", "AT+CSQ\x1b", "AT+CSQ\x7f", "AT+CSQ\x08\x08\x08CMGF=1", "AT+CSQ\t?", "AT+CSQé", "+++",
		"AT+", "AT++CSQ", "AT+CSQ+CMGF=1", "AT+CSQ?+CMGF=1", "AT+CSQ?=1", "AT+CSQ??", `AT+CPIN"0000"`, "AT+CPIN:0000", `AT"`, "AT=1", "AT1234", "AT+CSQ&F", "AT+COPS?Z",
	},
	insteadStay: {
		"ATE1", "ate0", "ATV0", "ATQ1", "AT&W", "AT&K3", "AT&C1", "AT&D2", "ATL0", "ATX3", "ATS3=65", "ATS03=65", "AT S 003 = 65", "ATS4=1", "ATS256?", "ATS?", "ATS0=1", "AT\\Q3",
		"AT+CMGF=1", "at+cmgf=1", " AT + C M G F = 1", "AT+CSMS=0", "AT+CNMI=0,0", "AT+CSMP=1", `AT+CSCS="GSM"`, "AT+CMEE=0", "AT+CREG=0", "AT+IPR=115200", "AT+IFC=2,2",
		"AT+CMUX=0", "AT+EGMR=1,7,\"869999000000017\"", `AT+CPBW=1,"+447700900123"`, "AT^SETPORT=\"A1;1\"", "AT^SETPORT=\"FF\"", "AT^U2DIAG=0", `AT+QCFG="usbcfg"`,
		"AT!USBCOMP=1,1,100D", "AT#USBCFG=3", "AT+CIPSEND=20", "AT+CIPSEND", "AT+CGDATA=\"PPP\",1", "AT+CGDATA?", "AT+COPS=0", "AT+COPS=2", "AT+COPS=3,0,1", "AT+COPS=1,2,\"99999\"",
		`AT+QENG=1,1`, "AT+CGSN=12345", "AT+NOSUCH", "AT+NOSUCH=1", "AT^CURC=1", `AT+CPBR=1,20+CMGF=1`, `AT+CPBF="a`, `AT+CPBF="a"b"`, "AT+CMGF=?1", "AT+CMGF=1?", "AT+CMGF==?", "AT+CSQ=?=1",
	},
	insteadPIN: {
		"AT+CPIN=1234", `at+cpin="1234"`, "AT +CPIN = 1234", `AT+CPIN=?"0000"`, "AT+CPIN=", `AT+CPIN2="1234"`, `AT+EPIN=1,"1234"`, `AT+CPUK="12345678","1234"`,
		`AT+CLCK="SC",0,"1234"`, `AT+CPWD="SC","1234","4321"`, `AT^CPIN="1234"`, `AT^CARDLOCK="12345678"`, `AT+CPINR="1234"`, "AT+CPIN1234", "AT+CPIN",
	},
	insteadSend: {"AT+CMGS=20", "AT+CMGS", "AT+CMGS?", "AT+CMGW=20", "AT+CMGC=1,2", "AT+CMSS=1", "AT+UCMGS=2", "AT#CMGS=20", "AT^HCMGS=\"1\"", `AT+QCMGS="+447700900123"`},
	insteadSIM: {
		`AT+CSIM=26,"0020000108"`, `AT+CGLA=1,10,"00A40000"`, `AT+CRSM=214,28486,0,0,3,"000000"`, "AT+CRSM=220,28480,1,4,30,\"FF\"", "AT+CRSM=0176,1", "AT+CRSM=1760", `AT+CCHO="A0"`,
	},
	insteadCentre: {`AT+CSCA="+447785016005",145`, "AT+CRES", "AT+CRES=0", "AT+CSAS", "AT+CSAS=0"},
	insteadUSSD:   {`AT+CUSD=1,"*100#"`, "AT+CUSD=2"},
	insteadReset: {
		"ATZ", "atz0", "AT&F", "AT&F0", "AT+CFUN=1,1", "AT+CFUN=0", "AT^RESET", "AT^RESET?", "AT#REBOOT", "AT!RESET", "AT+CRESET", "AT+CPOWD=1", "AT+CPWROFF", "AT+QPOWD=1",
		"AT+QRST=1,0", "AT+CPOF", "AT^SMSO", "AT#SHDN", "AT%RESTART", "AT$QCPWRDN", "AT+CMAR=\"0000\"",
	},
	insteadRead: {"AT+CMGD=1,4", "AT+CMGR=1", "AT+CMGL=4", "AT+CMGL", "AT+CMGL?", `AT+CPMS="SM"`, "AT+CNMA", "AT+CNMA=1"},
	insteadCall: {"ATD123", "ATD+447700900123", "atdt123", "ATD>1", "ATA", "ATO", "AT+CCFC=0,3,\"+447700900123\",145"},
}

func TestCommandsThatAreRefused(t *testing.T) {
	for instead, lines := range forbiddenLines {
		for _, typed := range lines {
			err := CommandAllowed(typed)
			if !errors.Is(err, ErrForbidden) {
				t.Errorf("%q: got %v", typed, err)
				continue
			}
			want := instead
			if strings.Contains(typed, ";") {
				want = insteadOneLine
			}
			said := strings.ReplaceAll(err.Error(), insteadSIM, "")
			if !strings.Contains(err.Error(), want) || maskDigits(said) != said {
				t.Errorf("%q: it says %v", typed, err)
			}
		}
	}
}

// Nothing of a refused line reaches the modem, however it is written.
func TestRefusedCommandsDoNotReachTheModem(t *testing.T) {
	p := newPeer(t)
	m := p.open()
	before, _ := p.seen()
	for _, lines := range forbiddenLines {
		for _, typed := range lines {
			if _, err := m.Command(t.Context(), typed, 0); !errors.Is(err, ErrForbidden) {
				t.Errorf("%q: got %v", typed, err)
			}
		}
	}
	if _, err := m.Command(t.Context(), " at + cbc ", 0); err != nil {
		var refused *CommandError
		if !errors.As(err, &refused) {
			t.Error(err)
		}
	}
	if after, _ := p.seen(); len(after) != len(before)+1 || after[len(before)] != "AT+CBC" {
		t.Errorf("reached the modem: %q", after[len(before):])
	}
}
