package sim

import (
	"strings"
	"testing"
)

func TestEchoUntilSwitchedOff(t *testing.T) {
	n := network(t, Options{})
	c := open(t, n.Modems()[0])
	c.write("AT\r")
	if got := c.final(); got != "AT\r\r\nOK\r\n" {
		t.Errorf("with echo: %q", got)
	}
	c.write("ATE0\r")
	if got := c.final(); got != "ATE0\r\r\nOK\r\n" {
		t.Errorf("switching off: %q", got)
	}
	c.write("AT\r")
	if got := c.final(); got != "\r\nOK\r\n" {
		t.Errorf("without echo: %q", got)
	}
}

func TestCommandLine(t *testing.T) {
	n := network(t, Options{})
	c := quiet(t, n.Modems()[0])
	for _, x := range [][2]string{
		{"at", "OK"},
		{"noise AT", "OK"},
		{"AT+CMEE=1;+CMEE?;+CMEE=0", "+CMEE: 1|OK"},
		{"ATE0V1Q0&C1+CMEE=0;+CMEE?", "+CMEE: 0|OK"},
		{"ATS3?", "013|OK"},
		{"ATS7=45S7?", "045|OK"},
		{"AT+CLCK=\"SC\",2;+CSQ", "+CLCK: 0|+CSQ: 21,99|OK"},
		{"AT+NOSUCH", "ERROR"},
		{"AT+NOSUCH;+CSQ", "ERROR"},
		{"ATE2", "ERROR"},
		{"ATD+447700900001;", "OK"},
		{"ATD*99#", "NO CARRIER"},
		{"AT+CSQX\b", "+CSQ: 21,99|OK"},
	} {
		c.want(x[0], x[1])
	}
	c.want("AT+CSQ", "+CSQ: 21,99|OK")
	c.write("A/")
	if got := flat(c.final()); got != "+CSQ: 21,99|OK" {
		t.Errorf("A/ repeats: %q", got)
	}
}

func TestNumericAndQuietResults(t *testing.T) {
	n := network(t, Options{})
	c := quiet(t, n.Modems()[0])
	c.write("ATV0\r")
	c.expect("0\r")
	c.write("AT+CSQ\r")
	if got := c.expect("0\r"); got != "+CSQ: 21,99\r\n0\r" {
		t.Errorf("ATV0: %q", got)
	}
	c.write("AT+NOSUCH\r")
	c.expect("4\r")
	c.write("ATV1Q1\r")
	c.nothing(n.Modems()[0])
	c.write("ATQ0\r")
	c.expect("\r\nOK\r\n")
}

func TestErrorsByCMEE(t *testing.T) {
	n := network(t, Options{})
	m := n.Modems()[0]
	c := quiet(t, m)
	m.SetSIM(SIMAbsent, "")
	c.want("AT+CPIN?", "ERROR")
	c.want("AT+CMEE=1;+CPIN?", "+CME ERROR: 10")
	c.want("AT+CMEE=2;+CPIN?", "+CME ERROR: SIM not inserted")
	c.want("AT+CMGL=4", "+CMS ERROR: 310")
	c.want("AT+CIMI", "+CME ERROR: SIM not inserted")
	c.want("AT+CGSN", m.IMEI()+"|OK")
}

func TestIdentity(t *testing.T) {
	n := network(t, Options{Modems: 2})
	m := n.Modems()[1]
	c := quiet(t, m)
	c.want("AT+CGMI;+CGMM;+CGMR", "Simulated|SIM-MODEM|1.0|OK")
	c.want("AT+CIMI", "999990000000002|OK")
	c.want("AT+CCID", "+CCID: "+m.ICCID()+"|OK")
	c.want("AT+CNUM", `+CNUM: "","+999000002",145|OK`)
	if !strings.HasPrefix(m.ICCID(), "89999") || len(m.ICCID()) != 19 || len(m.IMEI()) != 15 || len(m.IMSI()) != 15 {
		t.Errorf("identities %s %s %s", m.ICCID(), m.IMEI(), m.IMSI())
	}
	if withLuhn("7992739871") != "79927398713" {
		t.Error("wrong check digit")
	}
	crsm := c.cmd("AT+CRSM=176,12258,0,0,10")
	if !strings.Contains(crsm, `144,0,"`+upperHex(packDigits(m.ICCID()))+`"`) {
		t.Errorf("EF_ICCID: %q", crsm)
	}
}

func TestProfilesHaveTheirOwnWays(t *testing.T) {
	for profile, checks := range map[string]map[string]string{
		"huawei":  {"AT^ICCID?": "^ICCID: ", "AT+NOSUCH": "COMMAND NOT SUPPORT"},
		"siemens": {"AT^SCID": "^SCID: ", "AT+CNMI=?": "+CNMI: (0-3),(0,1),(0,2,3),(0,2),(1)|OK", "AT+CNMI=2,1,0,1,1": "+CMS ERROR: 302"},
		"sim800":  {"AT+CCID": "89999", "AT+CNMI=2,1,0,2,0": "+CMS ERROR: 302"},
		"quectel": {"AT+QCCID": "+QCCID: ", "AT+CPMS?": `+CPMS: "ME",0,255,"ME",0,255,"ME",0,255|OK`},
		"zte":     {"AT+CNMI=2,1,0,1,0": "+CMS ERROR: 302", "AT+CNMI=1,1,0,1,0": "OK"},
		"wavecom": {"AT+CPMS=\"SM\",\"SM\",\"SM\"": "+CMS ERROR: 302", "AT+CMGL=4": "+CMS ERROR: 321"},
		"bare":    {"AT+CMEE=1": "ERROR", "AT+CMGF=0": "OK", "AT+CPMS?": "ERROR", "AT+CGSN": "00101"},
		"sim7600": {"AT+CICCID": "+ICCID: 89999"},
	} {
		n := network(t, Options{Profile: profile})
		c := quiet(t, n.Modems()[0])
		for line, want := range checks {
			if got := c.cmd(line); !strings.HasPrefix(got, want) {
				t.Errorf("%s: %s: got %q, want %q", profile, line, got, want)
			}
		}
	}
	if _, err := New(Options{Profile: "nokia"}); err == nil || !strings.Contains(err.Error(), "huawei") {
		t.Errorf("an unknown profile: %v", err)
	}
}

func TestPINAndPUK(t *testing.T) {
	n := network(t, Options{})
	m := n.Modems()[0]
	c := quiet(t, m)
	m.SetSIM(SIMPIN, "4321")
	c.want("AT+CMEE=1", "OK")
	c.want("AT+CPIN?", "+CPIN: SIM PIN|OK")
	c.want("AT+CREG?", "+CREG: 0,0|OK")
	c.want("AT+CMGF=0;+CMGL=4", "+CMS ERROR: 311")
	c.want("AT+CPIN=\"1111\"", "+CME ERROR: 16")
	c.want("AT+CPIN=4321", "OK")
	c.want("AT+CPIN?;+CREG?", "+CPIN: READY|+CREG: 0,1|OK")
	m.Restart()
	c.cmd("ATE0")
	c.want("AT+CMEE=1;+CPIN?", "+CPIN: SIM PIN|OK")
	c.want("AT+CPIN=1111", "+CME ERROR: 16")
	c.want("AT+CPIN=1111", "+CME ERROR: 16")
	c.want("AT+CPIN=1111", "+CME ERROR: 12")
	c.want("AT+CPIN?", "+CPIN: SIM PUK|OK")
	c.want("AT+CPIN=\"00000000\",\"1234\"", "+CME ERROR: 16")
	c.want("AT+CPIN=\"12345678\",\"1234\"", "OK")
	c.want("AT+CLCK=\"SC\",0,\"1234\"", "OK")
	m.Restart()
	c.cmd("ATE0")
	c.want("AT+CPIN?", "+CPIN: READY|OK")
}

func TestRegistration(t *testing.T) {
	n := network(t, Options{})
	m := n.Modems()[0]
	c := quiet(t, m)
	c.want("AT+CREG=1", "OK")
	for _, pair := range [][2]string{{RegNone, "0"}, {RegSearching, "2"}, {RegDenied, "3"}, {RegUnknown, "4"}, {RegRoaming, "5"}} {
		state, stat := pair[0], pair[1]
		m.SetRegistration(state)
		c.expect("\r\n+CREG: " + stat + "\r\n")
		c.want("AT+CREG?", "+CREG: 1,"+stat+"|OK")
		if want := "+CMS ERROR: 331"; state != RegRoaming {
			if got := c.send("+447700900001", "x"); got != want {
				t.Errorf("%s: sending gives %q, want %q", state, got, want)
			}
		}
	}
	m.SetRegistration(RegSMSOnly)
	c.expect("+CREG: 0\r\n")
	c.want("AT+CEREG=2;+CEREG?", `+CEREG: 2,6,"1A2B","0001B2C0",7|OK`)
	m.SetCell("00FF", "C0FFEE")
	c.expect("\r\n+CEREG: 6,\"00FF\",\"C0FFEE\",7\r\n")
	if got := c.send("+447700900001", "x"); got != "+CMGS: 0|OK" {
		t.Errorf("SMS only: %q", got)
	}
	c.want("AT+CFUN=4", "OK")
	c.expect("+CEREG: 0\r\n")
	c.want("AT+CREG=0;+CFUN?;+CSQ;+COPS?", "+CFUN: 4|+CSQ: 99,99|+COPS: 0|OK")
	c.want("AT+CFUN=1;+COPS?", `+COPS: 0,0,"SimNet",7|OK`)
}

func TestUSSD(t *testing.T) {
	n := network(t, Options{})
	c := quiet(t, n.Modems()[0])
	c.want("AT+CUSD=1,\"*100#\",15", "OK")
	c.expect("\r\n+CUSD: 0,\"Your balance is 9.90\",15\r\n")
	c.want("AT+CUSD=1,\"*123#\",15", "OK")
	c.expect("+CUSD: 1,\"SimNet\r\n1 Balance")
	c.expect("\",15\r\n")
	c.want("AT+CUSD=1,\"2\",15", "OK")
	c.expect("+CUSD: 0,\"You are a simulated line\",15\r\n")
	c.want("AT+CUSD=1,\"2\",15", "OK")
	c.expect("+CUSD: 4\r\n")
}

func TestIncomingCall(t *testing.T) {
	n := network(t, Options{})
	c := quiet(t, n.Modems()[0])
	c.want("AT+CLIP=1", "OK")
	n.Modems()[0].Call("+447700900001", 2)
	c.expect("\r\nRING\r\n\r\n+CLIP: \"+447700900001\",145\r\n\r\nRING\r\n")
}
