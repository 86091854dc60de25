package configs

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

const (
	maxCount = 1_000_000_000 // of every limit; larger is a typing error
	maxNames = 32            // characters of a line name or prefix
	day      = 24 * time.Hour
)

// Validate checks every rule and returns all faults as one error, each
// beginning with the dotted path of its key; nil when there is none. It
// touches no file.
func (c Config) Validate() error { return c.check().join() }

// checks collects faults while it reads a Config.
type checks struct{ faults }

func (c Config) check() faults {
	var v checks
	v.place(c)
	v.listeners(c)
	v.nats(c.NATS)
	v.modems(c.Modems)
	v.labels(c.Modems)
	v.routes(c.Modems)
	v.alerts(c.Alerts)
	v.probe(c.Probe)
	v.limits(c.Limits)
	v.messages(c.Messages)
	v.otp(c.OTP)
	v.template(c.OTP)
	v.span("inbound.keep", c.Inbound.Keep, time.Minute, 3650*day)
	v.span("inbound.reassembly", c.Inbound.Reassembly, 10*time.Second, 7*day)
	if c.Inbound.Reassembly > c.Inbound.Keep {
		v.add("inbound.reassembly", fmt.Sprintf("%v is longer than inbound.keep (%v); make it shorter", c.Inbound.Reassembly, c.Inbound.Keep))
	}
	v.storage(c.Storage)
	v.oneOf("log.level", c.Log.Level, "debug", "info", "warn", "error")
	return v.faults
}

func (v *checks) addf(path, format string, args ...any) { v.add(path, fmt.Sprintf(format, args...)) }

// count checks a limit. 0 is refused: nothing is unlimited.
func (v *checks) count(path string, n, most int) {
	switch {
	case n == 0:
		v.addf(path, "0 is refused, nothing is unlimited; write 1 to %d", most)
	case n < 0 || n > most:
		v.addf(path, "must be 1 to %d, is %d", most, n)
	}
}

func (v *checks) span(path string, d Duration, least, most time.Duration) {
	if d.Std() < least || d.Std() > most {
		v.addf(path, "must be %v to %v, is %v", Duration(least), Duration(most), d)
	}
}

func (v *checks) oneOf(path, s string, allowed ...string) {
	if !slices.Contains(allowed, s) {
		v.addf(path, "%s is not one of %s", quote(s), strings.Join(allowed, ", "))
	}
}

var siteName = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._-]{0,62}[A-Za-z0-9])?$`)

func (v *checks) place(c Config) {
	switch {
	case c.DataDir == "":
		v.add("data_dir", "is empty; name a directory such as /var/lib/modemgate")
	case !filepath.IsAbs(c.DataDir): // clients run in other directories than the daemon
		v.addf("data_dir", "%s is no absolute path such as /var/lib/modemgate", quote(c.DataDir))
	}
	switch {
	case c.Store == "":
	case strings.HasPrefix(c.Store, "postgres://"), strings.HasPrefix(c.Store, "postgresql://"):
		v.add("store", "PostgreSQL is not built yet; leave it empty for SQLite in data_dir")
	default:
		v.add("store", "is not understood; leave it empty for SQLite in data_dir")
	}
	if c.Site != "" && !siteName.MatchString(c.Site) {
		v.addf("site", "%s is no name of letters, digits, dots, hyphens and underscores, 64 at most; leave it empty for the host name", quote(c.Site))
	}
	switch {
	case c.DefaultRegion == "" || isRegion(c.DefaultRegion):
	case c.DefaultRegion == "UK":
		v.add("default_region", `"UK" is no ISO 3166 code; write GB`)
	case isRegion(strings.ToUpper(c.DefaultRegion)):
		v.addf("default_region", "write it in capitals: %s", strings.ToUpper(c.DefaultRegion))
	default:
		v.addf("default_region", "%s is no ISO 3166 code of two letters, such as GB or DE", quote(c.DefaultRegion))
	}
}

var prefixForm = regexp.MustCompile(`^\+[1-9][0-9]{0,14}$`)

// prefix checks the beginning of an E.164 number (ITU-T E.164 §6: at most 15
// digits, and no country code begins with 0).
func (v *checks) prefix(path, s string) {
	if !prefixForm.MatchString(s) {
		v.addf(path, "%s is no beginning of an international number, such as +44", quote(s))
	}
}

func (v *checks) limits(l Limits) {
	for i, p := range l.Allow {
		v.prefix(fmt.Sprintf("limits.allow[%d]", i), p)
	}
	for i, p := range l.Deny {
		v.prefix(fmt.Sprintf("limits.deny[%d]", i), p)
	}
	v.count("limits.per_key.minute", l.PerKey.Minute, maxCount)
	v.count("limits.per_key.day", l.PerKey.Day, maxCount)
	v.count("limits.queued", l.Queued, maxCount)
	v.costs(l.Cost)
}

func (v *checks) messages(m Messages) {
	v.span("messages.ttl", m.TTL, 10*time.Second, 30*day)
	// An Idempotency-Key is answered for 24 h with the message it made.
	v.span("messages.keep", m.Keep, day, 3650*day)
	v.span("messages.keep_text", m.KeepText, time.Second, 3650*day)
	if m.Keep < m.TTL {
		v.addf("messages.keep", "%v is shorter than messages.ttl (%v); make it longer", m.Keep, m.TTL)
	}
	if m.KeepText > m.Keep {
		v.addf("messages.keep_text", "%v is longer than messages.keep (%v); make it shorter", m.KeepText, m.Keep)
	}
	v.count("messages.max_parts", m.MaxParts, 255) // 3GPP TS 23.040 §9.2.3.24.1
	for i, language := range m.National {
		v.oneOf(fmt.Sprintf("messages.national[%d]", i), language, nationalLanguages...)
	}
	v.oneOf("messages.on_unknown", m.OnUnknown, "hold", "resend", "fail")
}

// nationalLanguages have SMS alphabets of their own (3GPP TS 23.038 annex A).
var nationalLanguages = []string{"tr", "es", "pt", "bn", "gu", "hi", "kn", "ml", "or", "pa", "ta", "te", "ur"}

func (v *checks) otp(o OTP) {
	switch {
	case o.Length < 4 || o.Length > 10:
		v.addf("otp.length", "must be 6 to 10 digits, or 4 to 5 with otp.max_attempts of 3 or less; is %d", o.Length)
	case o.Length < 6 && o.MaxAttempts > 3:
		v.addf("otp.length", "%d digits need otp.max_attempts of 3 or less, which is %d; write 6 or lower max_attempts", o.Length, o.MaxAttempts)
	}
	v.span("otp.ttl", o.TTL, 30*time.Second, 10*time.Minute)
	v.count("otp.max_attempts", o.MaxAttempts, 10)
	v.count("otp.max_sends", o.MaxSends, 10)
	v.span("otp.resend_after", o.ResendAfter, time.Second, 10*time.Minute)
	if o.ResendAfter > o.TTL {
		v.addf("otp.resend_after", "%v is longer than otp.ttl (%v); make it shorter", o.ResendAfter, o.TTL)
	}
	v.oneOf("otp.on_unknown", o.OnUnknown, "hold", "resend", "fail")
	v.count("otp.per_number.hour", o.PerNumber.Hour, maxCount)
	v.count("otp.per_number.day", o.PerNumber.Day, maxCount)
}

func (v *checks) storage(s Storage) {
	const most = Size(1 << 60)
	for _, x := range []struct {
		path string
		size Size
	}{{"storage.max", s.Max}, {"storage.reserve", s.Reserve}} {
		switch {
		case x.size == 0:
			v.add(x.path, "0 is refused, nothing is unlimited; write a size such as 256MiB")
		case x.size < 0 || x.size > most:
			v.addf(x.path, "must be above 0 and at most %v, is %v", most, x.size)
		}
	}
	if s.Max > 0 && s.Reserve >= s.Max {
		v.addf("storage.reserve", "%v must be less than storage.max (%v)", s.Reserve, s.Max)
	}
}

// regions are the codes of ISO 3166-1 alpha-2, and XK, which ITU-T E.164 has
// a country code for (Kosovo, 383).
const regions = "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ " +
	"CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR " +
	"GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP " +
	"KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT " +
	"MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW " +
	"SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ " +
	"UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS XK YE YT ZA ZM ZW"

func isRegion(s string) bool { return slices.Contains(strings.Fields(regions), s) }
