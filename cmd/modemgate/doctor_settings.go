package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/modemgate/modemgate/gateway"
)

// readBack asks the modem of a line one thing through the daemon, and gives the
// parameters of the answer without quotes; nil when the modem does not say.
func (x *examination) readBack(ctx context.Context, line, command, head string) []string {
	for _, text := range x.ask(ctx, line, command) {
		if rest, ok := strings.CutPrefix(text, head); ok {
			fields := strings.Split(rest, ",")
			for i, f := range fields {
				fields[i] = strings.Trim(strings.TrimSpace(f), `"`)
			}
			return fields
		}
	}
	return nil
}

// ask lets the daemon run a command that reads, and gives the lines of the
// answer; none when daemon or modem refuses it.
func (x *examination) ask(ctx context.Context, line, command string) []string {
	var answer spoken
	if _, err := x.daemon.do(ctx, call{
		method: http.MethodPost, path: "/v1/lines/" + url.PathEscape(line) + "/at", body: map[string]string{"command": command},
	}, &answer); err != nil {
		return nil
	}
	return answer.Lines
}

// settings compares what the modem has now with what the daemon set when it
// opened it: another program on a second port of the modem, or a restart that
// the modem did not tell of, changes them (3GPP TS 27.005 §3.2.3, §3.4.1;
// 3GPP TS 27.007 §5.5). A modem with inboundBy listing has kept no setting that
// announces SMS, or was given none on purpose.
func (x *examination) settings(ctx context.Context, line, inboundBy string) {
	var as []string
	good := true
	bad := func(level, text, do string) {
		good = false
		x.add("settings", line, level, text, do)
	}
	again := "modemgate line reset " + line + " sets it up anew; if it comes back, stop the other program on this modem: modemgate modems shows its ports"
	if f := x.readBack(ctx, line, "AT+CMGF?", "+CMGF:"); f != nil {
		if f[0] == "0" {
			as = append(as, "PDU mode")
		} else {
			bad(levelFail, "the modem is in text mode (+CMGF: "+f[0]+"), the daemon left it in PDU mode: it refuses or garbles every SMS", again)
		}
	}
	if f := x.readBack(ctx, line, "AT+CNMI?", "+CNMI:"); len(f) >= 4 {
		text := "+CNMI: " + strings.Join(f, ",")
		switch {
		case inboundBy == gateway.ByListing && f[1] < "2":
			as = append(as, "received SMS found by listing, since this modem announces none ("+text+")")
		case f[0] == "0" || f[1] == "0":
			bad(levelWarn, "the modem does not announce received SMS ("+text+"): they are found only when its memory is listed, seconds late", again)
		case f[1] != "1":
			bad(levelWarn, "the modem hands received SMS out without storing them ("+text+"): what comes while nobody reads is lost", again)
		case f[3] == "0":
			as = append(as, "received SMS announced, status reports not ("+text+")")
		default:
			as = append(as, "received SMS and status reports announced ("+text+")")
		}
	}
	if f := x.readBack(ctx, line, "AT+CSCS?", "+CSCS:"); f != nil {
		if slices.Contains([]string{"GSM", "IRA", "UCS2", "HEX", "8859-1", "PCCP437", "PCDN"}, f[0]) {
			as = append(as, "character set "+f[0])
		} else {
			bad(levelWarn, "the modem has the unusual character set "+f[0]+" (+CSCS): SMS are not touched by it, but names of operators and answers to USSD may be garbled",
				"modemgate at "+line+" 'AT+CSCS=?' lists those that it has")
		}
	}
	if good && len(as) > 0 {
		x.ok("settings", line, "as the daemon left them: %s", strings.Join(as, ", "))
	}
}

// Bounds between the stamp of the service centre on an SMS and our clock.
const (
	stampBehind = 2 * time.Minute  // we cannot have had it so long before it was sent
	stampAhead  = 10 * time.Minute // nor do all of several take so long
	stampsRead  = 5
)

// networkTime compares the stamps of the service centre on the last SMS
// (TP-SCTS, 3GPP TS 23.040 §9.2.3.11) with our clock when they came. Of
// several, the quickest tells most: what is late was on its way.
func (x *examination) networkTime(ctx context.Context, line string) {
	var page struct{ Items []inboundJSON }
	if _, err := x.daemon.do(ctx, call{
		method: http.MethodGet, path: "/v1/inbound", query: url.Values{"line": {line}, "limit": {strconv.Itoa(stampsRead)}},
	}, &page); err != nil {
		return
	}
	n, least, last := 0, time.Duration(0), time.Time{}
	for _, in := range page.Items { // newest first
		if in.SMSCAt == nil {
			continue
		}
		if took := in.ReceivedAt.Sub(*in.SMSCAt); n == 0 || took < least {
			least = took
		}
		if n++; n == 1 {
			last = in.ReceivedAt
		}
	}
	check := "timedatectl says whether a time server keeps this clock right; codes expire by it"
	if zone := least.Abs().Round(15 * time.Minute); zone > 0 && (least.Abs()-zone).Abs() < 3*time.Minute {
		check += "; if it is right, the operator stamps with a wrong time zone, which harms nothing"
	}
	switch {
	case n == 0:
	case least < -stampBehind:
		x.add("network time", line, levelWarn, fmt.Sprintf("an SMS was here %s before its service centre stamped it (the last one came at %s): this clock is behind", least.Abs().Round(time.Second), when(last)), check)
	case least > stampAhead && n > 1:
		x.add("network time", line, levelWarn, fmt.Sprintf("none of the last %d SMS was here within %s of its service centre's stamp (the last one came at %s): this clock is ahead, or the operator is late",
			n, least.Round(time.Second), when(last)), check)
	default:
		x.ok("network time", line, "the service centre's clock and this one agree: an SMS was here %s after its stamp (the last one came at %s)", max(0, least).Round(time.Second), when(last))
	}
}
