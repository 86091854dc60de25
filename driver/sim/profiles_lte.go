package sim

// simcom7 is what SIMCom's modules of the seventh series share.
func simcom7() profile {
	p := generic()
	p.manufacturer = "SIMCOM INCORPORATED"
	p.iccid, p.iccidAnswer = "+CICCID", "+ICCID: %s"
	p.memories = []string{"SM", "ME", "SR"}
	p.reset, p.reenum, p.accepts = "+CRESET", true, []string{"+AUTOCSQ", "+CNSMOD"}
	p.boot = []string{"RDY", "+CPIN: READY", "SMS DONE", "PB DONE"}
	p.chatter = []string{"+CNSMOD: 8", "+NITZ: 26/1/1,12:0:0+0,0", "+CSQ: 20,99", "+CPIN: READY"}
	return p
}

func sim7600() profile {
	p := simcom7()
	p.model, p.revision = "SIMCOM_SIM7600E", "+CGMR: LE20B04SIM7600M22"
	p.cnmiRefuses = func(v []int) bool { return v[1] == 2 && v[0] == 2 }
	return p
}

// sim7000 does not say where it stored a message.
func sim7000() profile {
	p := simcom7()
	p.manufacturer, p.model, p.revision = "SIMCOM_Ltd", "SIMCOM_SIM7000E", "Revision:1529B05SIM7000E"
	p.pinCounter = "+SPIC"
	p.cmti = "+CMTI: ,-1"
	return p
}

// a7670 stores each received message twice, and takes few forms of +CNMI.
func a7670() profile {
	p := simcom7()
	p.model, p.revision = "A7670E-FASE", "A011B12A7670M7"
	p.twice = true
	p.cnmiRefuses = func(v []int) bool { return [5]int(v) != [5]int{2, 1, 0, 1, 0} && v[1] != 0 }
	return p
}

// quectel announces reports under ds=2 that nothing can read, and loses
// messages while mem3 is not mem1.
func quectel() profile {
	p := generic()
	p.manufacturer, p.model, p.revision = "Quectel", "EC25", "EC25EFAR06A06M4G"
	p.pinCounter = "+QPINC"
	p.iccid, p.iccidAnswer = "+QCCID", "+QCCID: %s"
	p.mem, p.memSlots = [3]string{"ME", "ME", "ME"}, 255
	p.memories = []string{"ME", "MT", "SM", "SR"}
	p.firstIndex, p.mustBind, p.reportIn = 0, true, ""
	p.cnmiStart, p.reenum = [5]int{2, 1, 0, 0, 0}, true
	p.boot = []string{"RDY", "+CPIN: READY", "+QUSIM: 1", "+QIND: SMS DONE", "+QIND: PB DONE"}
	p.chatter = []string{"+QIND: \"csq\",22,99", "+QIND: \"act\",\"FDD LTE\"", "+QLWURC: \"buffer full\"", "^DSCI: 1,1,6,0,0,\"\",129"}
	return p
}

// sierra offers ds=1 and refuses it; reports lie beside the messages.
func sierra() profile {
	p := generic()
	p.manufacturer, p.model, p.revision = "Sierra Wireless, Incorporated", "MC7455", "SWI9X30C_02.24.05.06"
	p.pinCounter = "+CPINC"
	p.iccid, p.iccidAnswer = "!ICCID?", "!ICCID: %s"
	p.memories, p.reportIn = []string{"SM", "ME"}, "SM"
	p.cnmiRefuses = func(v []int) bool { return v[3] == 1 }
	p.reset, p.reenum = "!RESET", true
	p.chatter = []string{"+PACSP0", "+PACSP1"}
	return p
}

// ublox refuses what needs the SIM for a while after a start.
func ublox() profile {
	p := generic()
	p.manufacturer, p.model, p.revision = "u-blox", "SARA-U201", "23.60"
	p.pinCounter = "+UPINCNT"
	p.iccidAnswer = "+CCID: %s"
	p.memories, p.reportIn = []string{"ME", "SM"}, "ME"
	p.mem = [3]string{"ME", "ME", "ME"}
	p.reset, p.reenum, p.startCode = "+CFUN=16", true, 14
	p.chatter = []string{"+UUSIMSTAT: 3", "+PBREADY", "+UCALLSTAT: 1,6", "+UUDTMFD: 5"}
	return p
}

// telit starts with +CSMS=1, under which what is routed waits for +CNMA.
func telit() profile {
	p := generic()
	p.manufacturer, p.model, p.revision = "Telit", "LE910C1-EU", "25.20.203"
	p.pinCounter = "#PCT"
	p.iccid, p.iccidAnswer = "#CCID", "#CCID: %s"
	p.memories, p.reportIn, p.csmsStart = []string{"SM", "ME"}, "SM", 1
	p.reset, p.reenum = "#REBOOT", true
	p.chatter = []string{"#QSS: 1", "#QSS: 3"}
	return p
}
