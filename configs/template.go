package configs

import (
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf16"
)

// One SMS without a user data header holds 160 septets of the GSM 7-bit
// default alphabet, or 140 octets of UCS2 (3GPP TS 23.040 §9.2.3.24).
const (
	septetsPerSMS = 160
	unitsPerSMS   = 70
)

// The GSM 7-bit default alphabet and its extension table (3GPP TS 23.038
// §6.2.1), without CR and FF. The extension costs two septets.
const (
	gsm7 = "@£$¥èéùìòÇ\nØøÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZ" +
		"ÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
	gsm7ext = "^{}\\[~]|€"
)

// maxBrand is the most characters of otp.brand.
const maxBrand = 40

// longestCode is the longest code a request may ask for, whatever otp.length.
const longestCode = 10

var placeholder = regexp.MustCompile(`\{\{([^{}]*)\}\}`)

// template checks the OTP text: it must show the code, use only what is
// known, and fit one SMS with the longest values.
func (v *checks) template(o OTP) {
	const path = "otp.template"
	if utf16Len(o.Brand) > maxBrand {
		v.addf("otp.brand", "is longer than %d characters; shorten it", maxBrand)
	}
	if strings.ContainsAny(o.Brand, "{}\n") || strings.ContainsFunc(o.Brand, unprintable) {
		v.add("otp.brand", "holds a brace, a line break or a control character; remove it")
	}
	if !strings.Contains(o.Template, "{{code}}") {
		v.add(path, "has no {{code}}; write where the code goes")
	}
	for _, m := range placeholder.FindAllStringSubmatch(o.Template, -1) {
		if m[1] != "code" && m[1] != "brand" && m[1] != "ttl_minutes" {
			v.addf(path, "%s is not one of {{code}}, {{brand}} and {{ttl_minutes}}", quote(m[0]))
		}
	}
	if rest := placeholder.ReplaceAllString(o.Template, ""); strings.Contains(rest, "{{") || strings.Contains(rest, "}}") {
		v.add(path, "has braces that do not close; write placeholders as {{code}}")
	}
	if strings.ContainsFunc(o.Template, unprintable) {
		v.add(path, "holds a control or text direction character; remove it")
	}
	switch septets, ok := septetsOf(longest(o)); {
	case ok && septets > septetsPerSMS:
		v.addf(path, "can be %d septets with the longest code, which is more than one SMS (%d); shorten it", septets, septetsPerSMS)
	case !ok && utf16Len(longest(o)) > unitsPerSMS:
		v.addf(path, "can be %d characters with the longest code, which is more than one SMS (%d, since %s is not in the GSM alphabet); shorten it",
			utf16Len(longest(o)), unitsPerSMS, quote(string(firstForeign(longest(o)))))
	}
}

// longest is the text with the longest values that a request can ask for.
func longest(o OTP) string {
	minutes := (o.TTL.Std() + time.Minute - 1) / time.Minute
	return strings.NewReplacer(
		"{{code}}", strings.Repeat("0", max(o.Length, longestCode)),
		"{{brand}}", o.Brand,
		"{{ttl_minutes}}", strconv.FormatInt(int64(minutes), 10),
	).Replace(o.Template)
}

// unprintable finds what must not stand in a text: controls other than the
// line feed, and marks that change the direction of what follows.
func unprintable(r rune) bool {
	return r != '\n' && unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == unicode.ReplacementChar
}

// septetsOf counts the septets of s; ok is false if s needs UCS2.
func septetsOf(s string) (n int, ok bool) {
	for _, r := range s {
		switch {
		case strings.ContainsRune(gsm7, r):
			n++
		case strings.ContainsRune(gsm7ext, r):
			n += 2
		default:
			return 0, false
		}
	}
	return n, true
}

func firstForeign(s string) rune {
	for _, r := range s {
		if !strings.ContainsRune(gsm7, r) && !strings.ContainsRune(gsm7ext, r) {
			return r
		}
	}
	return 0
}

// utf16Len counts UTF-16 code units, which is what UCS2 text is made of.
func utf16Len(s string) int { return len(utf16.Encode([]rune(s))) }
