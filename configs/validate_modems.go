package configs

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// maxSimulated bounds the simulated modems: each takes a pty.
const maxSimulated = 256

var (
	lineName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]*$`)
	e164     = regexp.MustCompile(`^\+[1-9][0-9]{6,14}$`)
	imei     = regexp.MustCompile(`^[0-9]{14,16}$`) // 3GPP TS 23.003 §6.2
	iccid    = regexp.MustCompile(`^[0-9]{18,20}$`) // ITU-T E.118
	usbPath  = regexp.MustCompile(`^[0-9]+-[0-9]+(\.[0-9]+)*$`)
	adopted  = regexp.MustCompile(`^m-[0-9]{6,20}$`)
)

func (v *checks) modems(m Modems) {
	if m.Simulate < 0 || m.Simulate > maxSimulated {
		v.addf("modems.simulate", "must be 0 to %d, is %d", maxSimulated, m.Simulate)
	}
	if m.Simulate > 0 && len(m.List) > 0 {
		v.add("modems.simulate", "cannot be mixed with modems.list; set it to 0 or remove the list")
	}
	if m.Simulate > 0 && m.Auto != nil && *m.Auto {
		v.add("modems.auto", "cannot be true while modems.simulate is above 0; remove it or set simulate to 0")
	}
	// 3GPP TS 27.005 gives no figure; network and SIM timers add up to minutes.
	v.span("modems.submit_timeout", m.SubmitTimeout, time.Minute, 5*time.Minute)
	v.command("modems.power_cycle", m.PowerCycle)
	v.oneOf("modems.calls", m.Calls, CallsReject, CallsIgnore)
	names, devices := map[string]string{}, map[string]string{}
	for i, l := range m.List {
		path := fmt.Sprintf("modems.list[%d]", i)
		v.name(path+".name", l.Name)
		v.unique(path+".name", l.Name, names)
		v.device(path, l, devices)
		if l.Number != "" && !e164.MatchString(l.Number) {
			v.add(path+".number", `is no international number; write it in quotes, such as "+447700900001"`)
		}
		if l.PINFile != "" && !filepath.IsAbs(l.PINFile) {
			v.addf(path+".pin_file", "%s is no absolute path such as /etc/modemgate/front.pin", quote(l.PINFile))
		}
		if l.SMSC != "" && !e164.MatchString(l.SMSC) {
			v.add(path+".smsc", `is no international number; write the service centre in quotes, such as "+447700900000"`)
		}
		v.command(path+".power_cycle", l.PowerCycle)
		v.count(path+".limits.per_minute", l.Limits.PerMinute, maxCount)
		v.count(path+".limits.per_day", l.Limits.PerDay, maxCount)
		v.optional(path+".limits.per_month", l.Limits.PerMonth)
		v.optional(path+".limits.cost_per_month", l.Limits.CostPerMonth)
		v.upkeep(path, l)
	}
}

func (v *checks) name(path, s string) {
	switch {
	case s == "":
		v.add(path, "is empty; name the line, such as front")
	case len(s) > maxNames:
		v.addf(path, "%s is longer than %d characters", quote(s), maxNames)
	case !lineName.MatchString(s):
		v.addf(path, "%s must be made of a-z, 0-9 and -, and begin with a letter or digit", quote(s))
	}
}

// unique notes s as taken by path, or reports who took it before.
func (v *checks) unique(path, s string, taken map[string]string) {
	if s == "" {
		return
	}
	if first, ok := taken[s]; ok {
		v.addf(path, "%s is taken already by %s", quote(s), first)
		return
	}
	taken[s] = path
}

// maxArguments bounds a command, maxArgument each word of it in octets.
const maxArguments, maxArgument = 32, 1024

// command checks the words of a command that runs without a shell.
func (v *checks) command(path string, argv []string) {
	if len(argv) > maxArguments {
		v.addf(path, "has more than %d words; put them into a script", maxArguments)
	}
	for i, word := range argv {
		switch {
		case i == 0 && strings.ContainsAny(word, " \t"):
			v.addf(path, `%s is no name of a program; write each word by itself, such as ["uhubctl", "-l", "1-1"]`, quote(word))
		case i == 0 && word == "":
			v.add(path, `begins with an empty word; name a program, such as ["uhubctl", "-l", "1-1"]`)
		case i == 0 && strings.Contains(word, "/") && !filepath.IsAbs(word):
			v.addf(path, "%s is neither a name nor an absolute path", quote(word))
		case len(word) > maxArgument:
			v.addf(fmt.Sprintf("%s[%d]", path, i), "is longer than %d octets", maxArgument)
		}
	}
}

// device wants exactly one of the ways to say which modem a line is.
func (v *checks) device(path string, l Line, taken map[string]string) {
	var set []string
	for _, x := range []struct {
		name, value string
		form        *regexp.Regexp
		want        string
	}{
		{"port", l.Port, nil, ""},
		{"imei", l.IMEI, imei, "is no IMEI; write its 15 digits in quotes, as AT+CGSN and the label of the modem say them"},
		{"iccid", l.ICCID, iccid, "is no ICCID; write the 18 to 20 digits that are printed on the SIM in quotes"},
		{"usb_path", l.USBPath, usbPath, "is no USB socket such as 1-1.2, as it is named in /sys/bus/usb/devices"},
	} {
		if x.value == "" {
			continue
		}
		set = append(set, x.name)
		if x.form != nil && !x.form.MatchString(x.value) {
			v.add(path+"."+x.name, quote(x.value)+" "+x.want)
		}
		v.unique(path+"."+x.name, x.value, taken)
	}
	switch {
	case len(set) == 0:
		v.add(path+".port", "is required, for example /dev/serial/by-id/usb-…, or one of imei, iccid and usb_path")
	case len(set) > 1:
		v.addf(path, "has %s; exactly one of port, imei, iccid and usb_path says which modem it is", strings.Join(set, " and "))
	}
	if l.Port != "" && !filepath.IsAbs(l.Port) {
		v.addf(path+".port", "%s is no absolute path such as /dev/serial/by-id/usb-…", quote(l.Port))
	}
}

func (v *checks) routes(m Modems) {
	known := append(m.Names(), m.Labels()...)
	for i, r := range m.Routes {
		path := fmt.Sprintf("modems.routes[%d]", i)
		v.prefix(path+".prefix", r.Prefix)
		if len(r.Via) == 0 {
			v.add(path+".via", "is empty; name at least one line or label, such as [front]")
		}
		seen := map[string]string{}
		for j, name := range r.Via {
			at := fmt.Sprintf("%s.via[%d]", path, j)
			if slices.Contains(known, name) || m.Adopt() && adopted.MatchString(name) {
				v.unique(at, name, seen)
				continue
			}
			text := "no line has the name or label " + quote(name)
			if near := nearest(name, known); near != "" {
				text += "; did you mean " + near + "?"
			} else if len(known) > 0 {
				text += "; there are " + strings.Join(known[:min(len(known), 8)], ", ")
			}
			v.add(at, text)
		}
	}
}

// luhn checks the last digit of an IMEI (3GPP TS 23.003 annex B).
func luhn(digits string) bool {
	sum := 0
	for i := range len(digits) {
		d := int(digits[len(digits)-1-i] - '0')
		if i%2 == 1 {
			d *= 2
		}
		sum += d/10 + d%10
	}
	return sum%10 == 0
}

// portName matches device names that another modem may get after a replug.
var portName = regexp.MustCompile(`^/dev/tty(USB|ACM)[0-9]+$`)

// warnings are what is allowed and yet probably not meant.
func (c Config) warnings() faults {
	var all checks
	if m := c.Modems; m.Simulate == 0 && len(m.List) == 0 && !m.Adopt() {
		all.add("modems", "no line is configured and modems.auto is false; "+
			"list a modem under modems.list, let USB modems be adopted, or set modems.simulate")
	}
	for i, l := range c.Modems.List {
		if portName.MatchString(l.Port) {
			all.addf(fmt.Sprintf("modems.list[%d].port", i), "%s may be another modem after the next plug; "+
				"use its link under /dev/serial/by-id or /dev/serial/by-path", l.Port)
		}
		if len(l.IMEI) == 15 && !luhn(l.IMEI) {
			all.addf(fmt.Sprintf("modems.list[%d].imei", i), "its last digit does not fit the others; compare it with the label of the modem")
		}
		if l.PINFile == "" {
			continue
		}
		if _, err := ReadPIN(l.PINFile); err != nil {
			all.addf(fmt.Sprintf("modems.list[%d].pin_file", i), "%v; until then a locked SIM stays locked", err)
		}
	}
	for i, r := range c.Modems.Routes {
		for j, earlier := range c.Modems.Routes[:i] {
			if strings.HasPrefix(r.Prefix, earlier.Prefix) {
				all.addf(fmt.Sprintf("modems.routes[%d]", i), "is never reached, modems.routes[%d] (%s) matches first", j, earlier.Prefix)
				break
			}
		}
	}
	if c.NATS.URL != "" && c.NATS.Listen != "" && c.NATS.Listen != Default().NATS.Listen {
		all.add("nats.listen", "is not used, nats.url names your own cluster")
	}
	for i, s := range c.NATS.Servers() {
		u, err := url.Parse(s)
		if err == nil && (u.Scheme == "nats" || u.Scheme == "ws") && !loopback(u.Hostname()) {
			all.addf("nats.url", "server %d is on another machine and %s:// does not ask for TLS: "+
				"texts and numbers may cross the network unencrypted; write tls:// or wss://", i+1, u.Scheme)
		}
	}
	for _, f := range []struct{ path, name string }{
		{"api.tls.cert_file", c.API.TLS.CertFile}, {"api.tls.key_file", c.API.TLS.KeyFile},
		{"nats.tls.cert_file", c.NATS.TLS.CertFile}, {"nats.tls.key_file", c.NATS.TLS.KeyFile}, {"nats.creds_file", c.NATS.CredsFile},
	} {
		if _, err := os.Stat(f.name); f.name != "" && err != nil {
			all.addf(f.path, "%v; the daemon needs it", err)
		}
	}
	if c.InsecureLAN {
		all.add("insecure_lan", "API keys and texts cross the network unencrypted; set tls as soon as you can")
	}
	return all.faults
}
