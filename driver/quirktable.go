package driver

import "time"

// quirkTable holds what is known of families of modems, the narrower rows
// first. A row applies when the modem's AT+CGMI contains maker and its
// AT+CGMM model, both in capitals. None of it was tried on hardware here; the
// source of each row stands behind its family, in the words of the list below.
//
//	man: the maker's AT manual · MM: ModemManager · cd, cq: asterisk-chan-dongle
//	and -quectel · of: ofono · pg: python-gsmmodem's recorded modems · sm:
//	smstools' manual · gammu#n and other names: that project's issue
var quirkTable = []struct {
	maker, model string
	quirks
}{
	{"HUAWEI", "E3531", huawei(quirks{ // gammu#369, #486, #517
		family: "Huawei E3531",
		// Mode 2 with mt=1 upsets it; what it takes beside this routes the
		// messages past the memories. So they are found by listing.
		indications: [][5]int{{2, 0, 0, 2, 1}}, onlyThese: true, reports: reportsStored,
		resting: []string{"ME", "SM"}, // +CMTI says ME, whatever was selected
	})},
	{"HUAWEI", "E1752", huawei(quirks{family: "Huawei E1752", reports: reportsRouted, setup: []string{"^USSDMODE=0"}})}, // pg
	{"HUAWEI", "MU736", huawei(quirks{family: "Huawei MU736", reports: reportsRouted, reset: "+CFUN=16"})},              // MM
	{"HUAWEI", "", huawei(quirks{ // cd, MM, man MU509, pg
		family: "Huawei", indications: [][5]int{{2, 1, 0, 1, 0}, {2, 1, 0, 2, 0}, {1, 1, 0, 1, 0}}, reports: reportsRouted,
	})},
	{"ZTE", "MF626", zte(quirks{family: "ZTE MF626", reports: reportsNowhere})}, // gammu#209
	{"ZTE", "", zte(quirks{family: "ZTE", reports: reportsRouted})},             // MM, of, pg
	{"SIMCOM", "SIM7000", simcom(quirks{family: "SIMCom SIM7000"})},             // LilyGo T-SIM7600X#63: +CMTI: ,-1
	{"SIMCOM", "A76", simcom(quirks{family: "SIMCom A7670", // LilyGo#155; morgverd/sms-server#12: refuses 2,2,0,1,0
		indications: [][5]int{{2, 1, 0, 1, 0}}, doubles: true})},
	{"SIMCOM", "SIM7", simcom(quirks{family: "SIMCom SIM7600"})}, // man
	{"A76", "", simcom(quirks{family: "SIMCom A7670", indications: [][5]int{{2, 1, 0, 1, 0}}, doubles: true})},
	{"SIMCOM", "", quirks{ // man SIM800 V1.09; python-gsmmodem#76
		family: "SIMCom SIM800, SIM900", reports: reportsRouted, iccid: "+CCID", reset: "+CFUN=1,1", result: time.Minute,
		chatter: []string{"*PSUTTZ:", "*PSNWID", "DST:", "+DTMF:"},
		chatterAll: []string{ // MM, man: the voltages in the maker's own spelling
			"Call Ready", "SMS Ready", "OVER-VOLTAGE WARNNING", "UNDER-VOLTAGE WARNNING", "OVER-VOLTAGE WARNING", "UNDER-VOLTAGE WARNING",
			"CHARGE-ONLY MODE",
		},
	}},
	{"QUECTEL", "", quirks{ // man UGxx, cq PR#75, serialport-gsm#12
		family:      "Quectel",
		indications: [][5]int{{2, 1, 0, 1, 0}}, reports: reportsRouted, // ds=2 stores reports where nothing can read them
		iccid: "+QCCID", reset: "+CFUN=1,1", result: 2 * time.Minute,
		chatter: []string{"+QIND:", "+QUSIM:", "+QGPSURC:", "+QLWURC:", "+QTONEDET:", "^DSCI:"},
	}},
	{"SIERRA", "", quirks{ // MM
		family:      "Sierra EM, MC",
		indications: [][5]int{{2, 1, 2, 2, 0}, {2, 1, 0, 2, 0}}, reports: reportsStored, // ds=1 is offered and does not work
		iccid: "!ICCID?", reset: "!RESET", chatter: []string{"+PACSP"},
	}},
	{"U-BLOX", "", quirks{ // man SARA-R4
		family: "u-blox", iccid: "+CCID", reset: "+CFUN=16", prompt: 5 * time.Second, result: 190 * time.Second,
		linkHeld:   2, // 1 closes the link 5 s after the last part
		chatter:    []string{"+UUDTMFD:", "+UCALLSTAT:", "+UUSIMSTAT:"},
		chatterAll: []string{"+PBREADY"},
	}},
	{"TELIT", "", quirks{ // man; #REBOOT is hearsay
		family: "Telit", reports: reportsRouted, iccid: "#CCID", reset: "#REBOOT", chatter: []string{"#QSS:"},
	}},
	{"SIEMENS", "", siemens(quirks{family: "Siemens"})},                // sm, man TC35i
	{"CINTERION", "", siemens(quirks{family: "Cinterion"})},            // gammu PR#1207
	{"WAVECOM", "", wavecom(quirks{family: "Wavecom"})},                // pg, gammu#93, #154
	{"MULTITECH", "", wavecom(quirks{family: "MultiTech"})},            // man S000293I, sm: a Wavecom inside
	{"MULTI-TECH", "", wavecom(quirks{family: "MultiTech"})},           // the same, as older firmware spells it
	{"NOVATEL", "", quirks{family: "Novatel", reports: reportsStored}}, // MM: +CDS cannot be acknowledged
}

// huawei completes a row with what all Huawei sticks share. Restarted, an E173
// comes back as a CD (gammu#687).
func huawei(q quirks) quirks {
	q.setup = append(q.setup, "^CURC=0")
	q.iccid, q.ussd = "^ICCID?", ussdPacked
	q.becomesCD = q.reset == ""
	q.chatter = []string{
		"^RSSI:", "^RSSILVL:", "^HRSSILVL:", "^MODE:", "^DSFLOWRPT:", "^NDISSTAT:", "^ORIG:", "^CONF:", "^CONN:", "^CEND:",
		"^DDTMF:", "^BOOT:", "^CONNECT", "^CSNR:", "^DSDORMANT:", "^SIMST:", "^SRVST:", "^STIN:", "^HCSQ:", "^PDPDEACT",
		"^NDISEND", "^RFSWITCH:", "^POSITION:", "^POSEND:", "^ECCLIST:", "^LTERSRP:", "^CSCHANNELINFO:", "^CCALLSTATE:",
		"^EONS:", "^LWURC:", "^NWTIME:",
	}
	return q
}

// zte completes a row: mode 2 of AT+CNMI is offered and refused.
func zte(q quirks) quirks {
	q.indications = [][5]int{{1, 1, 0, 1, 0}, {1, 1, 0, 0, 0}}
	if q.reports == reportsNowhere {
		q.indications = q.indications[1:]
	}
	q.iccid = "+ZICCID?"
	q.chatter = []string{"+ZUSIMR:", "+ZDONR:", "+ZPASR:", "+ZPSTM:", "+ZEND:"}
	return q
}

// simcom completes a row with what SIMCom's modules of the seventh series share.
func simcom(q quirks) quirks {
	q.reports, q.iccid, q.reset = reportsRouted, "+CICCID", "+CRESET"
	q.setup = []string{"+AUTOCSQ=0,0", "+CNSMOD=0"}
	q.chatter = []string{"+CNSMOD:", "+NITZ:", "+RXDTMF:"}
	q.chatterAll = []string{"SMS DONE", "PB DONE", "START"}
	return q
}

// siemens completes a row: there is no ds=1, and bfr must be 1.
func siemens(q quirks) quirks {
	q.indications = [][5]int{{2, 1, 0, 2, 1}, {2, 1, 0, 0, 1}}
	q.reports, q.iccid, q.reset = reportsStored, "^SCID", "+CFUN=1,1"
	q.chatter = []string{"^SCKS:"}
	return q
}

// wavecom completes a row: AT+CPMS=? is broken, AT+CPMS= has two parameters,
// and the reports are in SR.
func wavecom(q quirks) quirks {
	q.setup = []string{"+WIND=0"}
	q.indications, q.reports = [][5]int{{2, 1, 0, 2, 0}}, reportsStored
	q.memories, q.cpmsArgs = []string{"SM", "SR"}, 2
	q.iccid, q.bareSIM, q.reset = "+CCID", true, "+CFUN=1"
	q.chatter = []string{"+WIND:"}
	return q
}

// commonChatter is said by modems of several families.
var commonChatter = []string{"+CTZV:", "+CTZE:", "+CIEV:", "+CGEV:", "+CUSATP:", "+CUSATEND", "#STN:"}

var commonWords = []string{"START"}
