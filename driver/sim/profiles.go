package sim

// profiles are the families by name; their figures and faults are from manuals
// and from other programs' notes on these modems. That a real one behaves so
// was not tried.
var profiles = map[string]func() profile{
	"generic": generic, "bare": bare,
	"huawei": huawei, "e3531": e3531, "e1752": e1752, "mu736": mu736, "zte": zte, "mf626": mf626,
	"novatel": novatel,
	"sim800":  sim800, "sim7000": sim7000, "sim7600": sim7600, "a7670": a7670, "quectel": quectel, "sierra": sierra,
	"ublox": ublox, "telit": telit,
	"siemens": siemens, "cinterion": cinterion, "wavecom": wavecom, "multitech": multitech,
}

// bare knows the commands of the send and receive path and no other.
func bare() profile {
	p := generic()
	p.manufacturer, p.model = "Simulated", "BARE"
	p.missing = optionalCommands
	p.memories, p.chatter = []string{"SM"}, nil
	return p
}

func huawei() profile {
	p := generic()
	p.manufacturer, p.model, p.revision = "huawei", "E173", "11.126.16.04.00"
	p.pinCounter = "^CPIN"
	p.iccid, p.iccidAnswer = "^ICCID?", "^ICCID: %s"
	p.cnmiStart = [5]int{0, 0, 0, 0, 0}
	p.final, p.full, p.silenced = "COMMAND NOT SUPPORT", `^SMMEMFULL:"%s"`, "^CURC=0"
	p.accepts = []string{"^CURC", "^PORTSEL"}
	p.ussdPacked, p.becomesCD = true, true
	p.boot = []string{"^SIMST:1", "^SRVST:2"}
	p.chatter = []string{"^RSSI:17", "^MODE:5,4\r", "^DSFLOWRPT:0000000A,00000000,00000000,00000000,00000000,00000000,00000000",
		"^BOOT:24578151,0,0,0,75\r", "^HCSQ:\"WCDMA\",42,41,58", "^STIN: 7, 0, 0", "^CSNR:-105,-9"}
	return p
}

// e3531 takes two forms of +CNMI and puts messages into "ME", whatever +CPMS
// selects.
func e3531() profile {
	p := huawei()
	p.model, p.revision = "E3531", "21.318.15.00.00"
	p.into = "ME"
	p.cnmiRefuses = func(v []int) bool {
		form := [5]int(v)
		return form != [5]int{1, 2, 0, 0, 0} && form != [5]int{2, 0, 0, 2, 1} && form != [5]int{}
	}
	p.reportIn = "ME"
	return p
}

// e1752 starts in the USSD mode in which +CUSD is refused.
func e1752() profile {
	p := huawei()
	p.model, p.revision = "E1752", "11.126.13.00.00"
	p.ussdMode = true
	return p
}

// mu736 restarts by +CFUN=16 and comes back as a modem.
func mu736() profile {
	p := huawei()
	p.model, p.revision = "MU736", "11.350.05.00.00"
	p.becomesCD, p.reset, p.reenum = false, "+CFUN=16", true
	return p
}

func zte() profile {
	p := generic()
	p.manufacturer, p.model, p.revision = "ZTE INCORPORATED", "MF190", "BD_MF190V1.0.0B03"
	p.pinCounter = "+ZPINPUK"
	p.iccid, p.iccidAnswer = "+ZICCID?", "+ZICCID: %s"
	p.memories = []string{"SM", "ME", "SR"}
	p.cnmiRefuses = func(v []int) bool { return v[0] == 2 } // advertised, refused
	p.cdsComma, p.bareCMGR, p.clearsSCA = true, true, true
	p.inSend = []string{"+ZPASR: \"UMTS\"", "+ZDONR: \"SimNet\",999,99,\"CS_PS\",\"ROAM_OFF\""}
	p.chatter = []string{"+ZUSIMR:2", "+ZDONR: \"SimNet\",999,99,\"CS_PS\",\"ROAM_OFF\"", "+ZPASR: \"UMTS\"", "+ZPSTM: 0", "+ZEND: 1"}
	return p
}

// mf626 takes no form of +CNMI that asks for reports.
func mf626() profile {
	p := zte()
	p.model, p.revision = "MF626", "BD_MF626V1.0.0B06"
	p.cnmiRefuses = func(v []int) bool { return v[0] == 2 || v[3] != 0 }
	return p
}

// novatel offers mode 2 and ds=1 of +CNMI and refuses both.
func novatel() profile {
	p := generic()
	p.manufacturer, p.model, p.revision = "Novatel Wireless Inc.", "MC551", "1.0.0.0"
	p.memories, p.reportIn = []string{"SM", "ME"}, "SM"
	p.cnmiRefuses = func(v []int) bool { return v[0] == 2 || v[3] == 1 }
	return p
}

func sim800() profile {
	p := generic()
	p.manufacturer, p.model, p.revision = "SIMCOM_Ltd", "SIMCOM_SIM800L", "Revision:1418B05SIM800L24"
	p.pinCounter = "+SPIC"
	p.iccidAnswer = "%s"
	p.memories = []string{"SM", "ME", "MT"}
	p.cnmi[3] = seq(0, 1)
	p.cnmiStart = [5]int{2, 1, 0, 0, 0}
	p.boot = []string{"RDY", "+CFUN: 1", "+CPIN: READY", "Call Ready", "SMS Ready"}
	p.chatter = []string{"*PSUTTZ: 2026,1,1,12,0,0,\"+0\",0", "DST: 0", "+CIEV: 10,\"99999\",\"SimNet\",\"SimNet\", 0, 0",
		"*PSNWID: \"999\",\"99\", \"SimNet\", 0, \"SimNet\", 0", "+CTZV: +4", "OVER-VOLTAGE WARNNING", "UNDER-VOLTAGE WARNNING"}
	return p
}

// siemens has no ds=1, wants bfr=1, and keeps reports beside the messages.
func siemens() profile {
	p := generic()
	p.manufacturer, p.model, p.revision = "SIEMENS", "TC35i", "REVISION 03.01"
	p.pinCounter = "^SPIC"
	p.iccid, p.iccidAnswer = "^SCID", "^SCID: %s"
	p.memories, p.reportIn = []string{"SM", "MT"}, "SM"
	p.cnmi = [5][]int{seq(0, 3), seq(0, 1), {0, 2, 3}, {0, 2}, {1}}
	p.cnmiStart = [5]int{0, 0, 0, 0, 1}
	p.boot = []string{"^SYSSTART"}
	p.chatter = []string{"+CIEV: rssi,4", "+CIEV: battchg,5", "^SCKS: 1"}
	return p
}

// cinterion is an MC75i, which takes no "ME" for received messages and keeps
// reports in the phone.
func cinterion() profile {
	p := siemens()
	p.manufacturer, p.model, p.revision = "Cinterion", "MC75i", "REVISION 01.100"
	p.memories, p.reportIn = []string{"SM", "ME", "MT"}, "ME"
	p.memSets[2] = []string{"SM", "MT"}
	return p
}

func wavecom() profile {
	p := generic()
	p.manufacturer, p.model, p.revision = "WAVECOM MODEM", "900P", "640b09gg.Q2406A"
	p.iccidAnswer = `+CCID: "%s"`
	p.memories, p.cpmsArgs = []string{"SM", "SR"}, 2
	p.memSets[1] = []string{"SM"}
	p.cpmsTest = `(("SM","BM","SR"),("SM"))`
	p.cnmiRefuses = func(v []int) bool { return v[3] == 1 }
	p.cpinNoOK, p.emptyList = true, true
	p.reset, p.startCode, p.silenced = "+CFUN=1", 515, "+WIND=0"
	p.accepts = []string{"+WIND"}
	p.boot = []string{"+WIND: 1", "+WIND: 3", "+WIND: 4"}
	p.chatter = []string{"+WIND: 2", "+WIND: 0", "+WIND: 7", "+WIND: 10,\"SM\",1,\"FD\",1"}
	return p
}

// multitech has a Wavecom inside.
func multitech() profile {
	p := wavecom()
	p.manufacturer, p.model, p.revision = "MultiTech Systems", "MTCBA-G-F4", "657d09gg.Q2406B"
	return p
}
