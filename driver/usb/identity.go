package usb

// Identity is what a modem said of itself and its SIM. Any field may be "".
type Identity struct {
	IMEI  string // of the modem
	ICCID string // of the SIM
	Model string
}

// SameIMEI compares the fourteen digits that name the modem (3GPP TS 23.003
// §6.2): what follows is a check digit, or the version of its software.
func SameIMEI(a, b string) bool { return len(a) >= 14 && len(b) >= 14 && a[:14] == b[:14] }

// SameICCID compares two numbers of a SIM, of which either may lack its check
// digit (ITU-T E.118).
func SameICCID(a, b string) bool {
	n := min(len(a), len(b))
	return n >= 18 && max(len(a), len(b))-n <= 1 && a[:n] == b[:n]
}

// Masked keeps the last four characters of an IMEI or ICCID.
func Masked(s string) string {
	if len(s) <= 4 {
		return s
	}
	return "…" + s[len(s)-4:]
}
