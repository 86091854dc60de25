package driver

import "regexp"

// What to use instead of a command that is not passed on.
const (
	insteadSend    = "modemgate send sends a text, and keeps what became of it"
	insteadPIN     = "the PIN comes from pin_file; change it in a phone"
	insteadSIM     = "AT+CRSM=176, 178, 192 and 242 read files of the SIM; nothing writes them"
	insteadCentre  = "smsc of a line in the configuration sets the service centre"
	insteadUSSD    = "modemgate ussd LINE CODE asks, and waits for the answer"
	insteadReset   = "POST /v1/lines/LINE/reset restarts the modem and looks after what was in hand"
	insteadRead    = "modemgate reads and empties the memories itself: modemgate inbox shows what came"
	insteadStay    = "settings stay as the session needs them; stop the daemon and use a terminal program"
	insteadCall    = "modemgate makes no calls; modems.calls says what becomes of one that comes"
	insteadOneLine = "one command at a time, of printable ASCII, without ';'"
)

// The forms of a command line (ITU-T V.250 §5.2 to §5.4). An extended command
// may follow a basic one without ';', so a basic one must be the whole line.
var (
	extended       = regexp.MustCompile(`^([+^#*$%!][A-Za-z0-9]+)((?:=.*|\?)?)$`)
	readBasic      = regexp.MustCompile(`^(?i:|I[0-9]?|&V[0-9]?|H0?|S0*([0-9]|[1-9][0-9]|1[0-9][0-9]|2[0-4][0-9]|25[0-5])\?)$`)
	firstBasic     = regexp.MustCompile(`^(?:[&\\][A-Z]|S[0-9]*|[A-Z])`)
	anotherCommand = regexp.MustCompile(`[+^#*$%!&A-Z/]`)
)

// acting are commands without a value that could be read: what a modem makes
// of their form with '?' is its own affair.
var acting = regexp.MustCompile(`^.(Q?U?H?CMG[SWCRDL]|CMSS|CNMA|CMMA|CGDATA|CSIM|CGLA|.*(RESET|REBOOT|RESTART|PWROFF|PWRDN|POWD|SHDN|SMSO|RST)|CPOF|CMAR)$`)

// readActions are the commands that read when nothing follows their name, of
// 3GPP TS 27.007 and the makers' manuals; +CHUP ends a call as ATH does.
var readActions = func() map[string]bool {
	all := make(map[string]bool)
	for _, name := range []string{
		"+GMI", "+GMM", "+GMR", "+GSN", "+GCAP", "+CGMI", "+CGMM", "+CGMR", "+CGSN", "+CIMI", "+CNUM", "+CLAC",
		"+CSQ", "+CESQ", "+CPAS", "+CEER", "+CBC", "+CPINR", "+CGPADDR", "+CHUP",
		"+CCID", "+ICCID", "+CICCID", "+QCCID", "^ICCID", "^SCID", "#CCID", "#CIMI", "+SPIC", "^SPIC", "#PCT",
		"+QGMR", "+QCSQ", "+QNWINFO", "+QSPN", "+QTEMP", "+CPMUTEMP", "+CSUB",
		"^HCSQ", "^HWVER", "^VERSION", "^SYSINFO", "^SYSINFOEX", "^MONI", "^SMONI", "#RFSTS", "#MONI", "#SERVINFO", "#SWPKGV",
	} {
		all[name] = true
	}
	return all
}()

// readSets are the parameters with which a command that takes some reads.
var readSets = map[string]*regexp.Regexp{
	"+CGSN":    regexp.MustCompile(`^=[0-3]$`),
	"+CGPADDR": regexp.MustCompile(`^=[0-9]{1,2}$`),
	"+COPS":    regexp.MustCompile(`^=3,[0-2]$`), // what AT+COPS? names the operator by
	"+CPBF":    regexp.MustCompile(`^="[^"]*"$`),
	"+CPBR":    regexp.MustCompile(`^=[0-9]{1,5}(,[0-9]{1,5})?$`),
	"+CPBS":    regexp.MustCompile(`^="(?i:SM|ME|MT|ON|FD|LD|EN|MC|RC|DC)"$`), // the phonebook that AT+CPBR reads
	"+CPINR":   regexp.MustCompile(`^="(?i:SIM PIN2?|SIM PUK2?)"$`),
	// READ BINARY, READ RECORD, GET RESPONSE and STATUS (3GPP TS 27.007 §8.18), a file, P1 to P3, a path.
	"+CRSM":  regexp.MustCompile(`^=(176|178|192|242)(,[0-9]{1,5}(,[0-9]{1,3}){0,3}(,"[0-9A-Fa-f]*"){0,2})?$`),
	"+QENG":  regexp.MustCompile(`^="(?i:servingcell|neighbourcell)"$`),
	"+QPINC": regexp.MustCompile(`^="(?i:SC|P2)"$`),
	"*CNTI":  regexp.MustCompile(`^=0$`),
}

// insteadOf tells what to use, by the name of a command; the first row that
// matches does.
var insteadOf = []struct {
	names   *regexp.Regexp
	instead string
}{
	{regexp.MustCompile(`^.(Q?U?H?CMG[SWC]|CMSS)$`), insteadSend},
	{regexp.MustCompile(`^.(E?CPIN2?|EPIN|CPUK2?|CPWD|CLCK|CPINR|CARDLOCK)`), insteadPIN},
	{regexp.MustCompile(`^.(CRSM|CSIM|CGLA|CCHO|CCHC)$`), insteadSIM},
	{regexp.MustCompile(`^.(CSCA|CSAS|CRES)$`), insteadCentre},
	{regexp.MustCompile(`^.CUSD$`), insteadUSSD},
	{regexp.MustCompile(`^.(CMG[DRL]|CPMS|CNMA|CMMA)$`), insteadRead},
	{regexp.MustCompile(`^(Z|&F)$|^.(CFUN|CPOF|CMAR|.*(RESET|REBOOT|RESTART|PWROFF|PWRDN|POWD|SHDN|SMSO|RST).*)$`), insteadReset},
	{regexp.MustCompile(`^([DAO]|\+CCFC|\+CHLD|\+CCWA|\+CHUP)$`), insteadCall},
}
