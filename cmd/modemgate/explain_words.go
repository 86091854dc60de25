package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"unicode"
	"unicode/utf8"
)

// sentence begins with a capital and ends with a full stop.
func sentence(s string) string {
	r, n := utf8.DecodeRuneInString(s)
	return string(unicode.ToUpper(r)) + s[n:] + "."
}

func simulated(is bool) string {
	if is {
		return ", simulated: it never left this machine"
	}
	return ""
}

// showFacts prints names and values in two columns, without the empty ones.
func showFacts(w io.Writer, facts [][2]string) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, f := range facts {
		if f[1] != "" {
			fmt.Fprintf(t, "  %s\t%s\n", f[0], oneLine(f[1]))
		}
	}
	_ = t.Flush()
}

func showAdvice(w io.Writer, advice []string) {
	if len(advice) > 0 {
		fmt.Fprintln(w)
	}
	for _, a := range advice {
		fmt.Fprintln(w, a)
	}
}

func encodingWords(e string) string {
	switch e {
	case "gsm7":
		return "GSM 7-bit alphabet"
	case "ucs2":
		return "UCS-2, because of characters beyond the GSM alphabet"
	case "8bit":
		return "8-bit data"
	}
	return orNone(e)
}

// words is the evidence of a submission, line by line; none for what is none.
func (s *submissionJSON) words() []string {
	if s == nil {
		return nil
	}
	var by, where, what []string
	if s.IMEI != "" {
		by = append(by, "modem "+s.IMEI)
	}
	if s.ICCID != "" {
		by = append(by, "SIM "+s.ICCID)
	}
	if s.SignalDBM != 0 {
		where = append(where, fmt.Sprintf("signal %d dBm", s.SignalDBM))
	}
	if s.Cell != nil {
		where = append(where, "cell "+s.Cell.words())
	}
	if s.PDUHMAC != "" {
		what = append(what, "PDU hmac "+s.PDUHMAC)
	}
	var out []string
	for _, facts := range [][]string{by, where, what} {
		if len(facts) > 0 {
			out = append(out, strings.Join(facts, ", "))
		}
	}
	return out
}

// words is "" for a cell that is not known.
func (c *cellJSON) words() string {
	if c == nil {
		return ""
	}
	return strings.TrimSpace(c.ID + " in area " + c.Area + " " + c.Radio)
}

// errorWords says what an error code means. Codes of modems are given with
// their number, so that they can be looked up.
func errorWords(code string) string {
	if w, ok := ownErrors[code]; ok {
		return w
	}
	if w, ok := modemErrors[code]; ok {
		return fmt.Sprintf("%s (%s)", w, code)
	}
	if strings.HasPrefix(code, "cms-") || strings.HasPrefix(code, "cme-") {
		return "the modem or the network refused it (" + code + ")"
	}
	return orNone(code)
}

var ownErrors = map[string]string{
	"":                "no reason is known",
	"timeout":         "the modem did not answer in time",
	"gone":            "the modem went away",
	"prompt":          "the modem did not ask for the text",
	"link":            "the modem was lost at AT+CMMS, which holds the radio link between two SMS",
	"error":           "the modem answered ERROR without a reason",
	"canceled":        "it was canceled",
	"expired":         "its deadline passed",
	"stopped":         "modemgate was stopped while it was being sent",
	"encode":          "the text cannot be encoded",
	"text-unreadable": "its text could not be read from the store",
	"internal":        "an error inside; the log of the daemon has more",
	"sim-changed":     "the SIM that sent the first parts is no longer in this line",
	"no-such-line":    "the line it was to go by is no longer configured",
	"outcome-unknown": "nobody knows whether it was sent",
	"undelivered":     "the network gave up on it",
	"simulated":       "it was accepted for simulated lines, and the lines are real now",
}

// modemErrors are the commoner codes of 3GPP TS 27.005 §3.2.5 (cms), of 3GPP
// TS 24.011 annex E below 128, of 3GPP TS 23.040 §9.2.3.22 from 128 on, and of
// 3GPP TS 27.007 §9.2 (cme).
var modemErrors = map[string]string{
	"cms-1":   "the number is not assigned",
	"cms-8":   "the operator bars this",
	"cms-10":  "calls are barred for this SIM",
	"cms-21":  "the network rejected the message",
	"cms-27":  "the phone is out of order",
	"cms-28":  "the network does not know this subscriber",
	"cms-29":  "the operator refuses this service: is the SIM allowed to send SMS?",
	"cms-30":  "the network does not know this SIM",
	"cms-38":  "the network is out of order",
	"cms-41":  "the network failed for the moment",
	"cms-42":  "the network is congested",
	"cms-47":  "the network has no resources for the moment",
	"cms-50":  "the SIM has no subscription for SMS",
	"cms-69":  "the network does not offer this",
	"cms-111": "the modem and the network did not understand each other",
	"cms-208": "the memory of the SIM is full",
	"cms-300": "the modem itself failed",
	"cms-302": "the modem does not allow it now",
	"cms-304": "the modem refused the PDU",
	"cms-310": "there is no SIM in the modem",
	"cms-311": "the SIM needs its PIN",
	"cms-313": "the SIM failed",
	"cms-314": "the SIM is busy",
	"cms-316": "the SIM needs its PUK",
	"cms-322": "the memory is full",
	"cms-330": "the number of the SMS centre is not known",
	"cms-331": "there is no network",
	"cms-332": "the network did not answer in time",
	"cms-500": "the modem gives no reason",
	"cme-3":   "operation not allowed",
	"cme-4":   "operation not supported",
	"cme-10":  "there is no SIM in the modem",
	"cme-11":  "the SIM needs its PIN",
	"cme-12":  "the SIM needs its PUK",
	"cme-13":  "the SIM failed",
	"cme-14":  "the SIM is busy",
	"cme-30":  "there is no network",
	"cme-31":  "the network did not answer in time",
	"cme-100": "the modem gives no reason",
}

// statusWords says what a TP-Status means (3GPP TS 23.040 §9.2.3.15).
func statusWords(status int) string {
	words, known := reportStatuses[status]
	switch {
	case known:
	case status < 0x20:
		words = "the service centre is done with it"
	case status < 0x40:
		words = "the service centre is still trying"
	case status < 0x60:
		words = "it cannot be delivered"
	case status < 0x80:
		words = "the service centre has given up"
	default:
		words = "a status that the standards do not know"
	}
	return fmt.Sprintf("%s (status %#02x)", words, status)
}

var reportStatuses = map[int]string{
	0x00: "the phone received it", 0x01: "it was forwarded, whether the phone has it is not known", 0x02: "a newer one replaced it",
	0x20: "the network is congested, the service centre is still trying", 0x21: "the phone is busy, the service centre is still trying",
	0x22: "the phone does not answer, the service centre is still trying",
	0x40: "the network failed", 0x41: "the phone cannot take it", 0x42: "the phone refused it", 0x43: "the number cannot be reached",
	0x45: "the networks do not work together", 0x46: "it was not delivered before it ended", 0x47: "its sender deleted it",
	0x48: "the operator deleted it", 0x49: "the service centre does not know it",
	0x60: "the network was congested for too long", 0x61: "the phone was busy for too long", 0x62: "the phone did not answer",
	0x63: "the network refuses the service", 0x65: "the phone failed",
}
