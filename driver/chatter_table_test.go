package driver

import "testing"

// said is what modems of each family are known to say unasked, as their
// manuals and ModemManager have it; it does not come from the table of quirks.
var said = map[string][]string{
	"Huawei": {
		"^RSSI:17", "^RSSILVL:60", "^HRSSILVL:60", "^MODE:5,4", "^DSFLOWRPT:0000000A,00000000", "^NDISSTAT:1,,,\"IPV4\"", "^ORIG:1,0", "^CONF:1",
		"^CONN:1,0", "^CEND:1,5,29,16", "^DDTMF:1", "^BOOT:24578151,0,0,0,75", "^CONNECT", "^CSNR:-105,-9", "+CUSATP:\"D0\"", "+CUSATEND",
		"^DSDORMANT:1", "^SIMST:1", "^SRVST:2", "^STIN: 7, 0, 0", "^HCSQ:\"WCDMA\",42,41,58", "^PDPDEACT:1", "^NDISEND:\"16\"", "^RFSWITCH:1,1",
		"^POSITION:1", "^POSEND:0", "^ECCLIST:0,1", "^LTERSRP:-100,-9", "^CSCHANNELINFO:1,1", "^CCALLSTATE:1", "^EONS:1", "^LWURC:\"x\"",
		"^SMMEMFULL:\"SM\"",
	},
	"ZTE": {"+ZUSIMR:2", "+ZDONR: \"SimNet\",999,99,\"CS_PS\",\"ROAM_OFF\"", "+ZPASR: \"UMTS\"", "+ZPSTM: 0", "+ZEND: 1", "+CDS: ,25"},
	"SIM800": {"*PSUTTZ: 2026,1,1,12,0,0", "*PSNWID: \"999\"", "+CTZV: +4", "DST: 0", "RDY", "Call Ready", "SMS Ready", "+DTMF: 1",
		"OVER-VOLTAGE WARNNING", "UNDER-VOLTAGE WARNNING", "OVER-VOLTAGE POWER DOWN", "UNDER-VOLTAGE POWER DOWN", "NORMAL POWER DOWN"},
	"SIM7600": {"RDY", "SMS DONE", "PB DONE", "START", "+CNSMOD: 8", "+NITZ: 26/1/1", "VOICE CALL: BEGIN", "VOICE CALL: END: 000012", "MISSED_CALL: 07:21", "+CRING: VOICE",
		"+RXDTMF: 1", "+CMTI: ,-1"},
	"Quectel": {"RDY", "+QIND: SMS DONE", "+QIND: PB DONE", "+QIND: \"csq\",22,99", "+QUSIM: 1", "POWERED DOWN", "+QGPSURC: 1", "+QLWURC: \"buffer full\"",
		"+QTONEDET: 1", "^DSCI: 1,1,6,0,0,\"\",129"},
	"Sierra":    {"+PACSP0", "+PACSP1"},
	"u-blox":    {"+UUDTMFD: 5", "+UCALLSTAT: 1,6", "+PBREADY", "+UUSIMSTAT: 3"},
	"Telit":     {"#QSS: 1", "#STN: 37"},
	"Cinterion": {"^SYSSTART", "^SHUTDOWN", "+CIEV: rssi,4", "^SCKS: 1"},
	"Wavecom":   {"+WIND: 4"},
}

func TestChatterOfEveryFamilyIsKnown(t *testing.T) {
	for family, lines := range said {
		for _, line := range lines {
			_, signal := parseSignal(line)
			_, header := parseHeader(line)
			if !isChatter(line) && !signal && !header {
				t.Errorf("%s: %q could pass for an answer", family, line)
			}
		}
	}
}
