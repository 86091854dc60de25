package events

import (
	"regexp"
	"strings"
	"testing"
)

func TestSenderToken(t *testing.T) {
	for _, tt := range []struct{ from, fromType, want string }{
		{"+447700900001", "international", "447700900001"},
		{"447700900001", "international", "447700900001"},
		{"+447700900001", "unknown", "447700900001"},
		{"07700900001", "national", "s-07700900001"},
		{"60123", "unknown", "s-60123"},
		{"60123", "national", "s-60123"},
		{"*100#", "unknown", "s-100"},
		{"InfoSMS", "alphanumeric", "n-infosms"},
		{"Info SMS", "unknown", "n-info-sms"},
		{"2FA", "alphanumeric", "n-2fa"},
		{"1234", "alphanumeric", "n-1234"},
		{"  A--b__C! ", "alphanumeric", "n-a-b-c"},
		{"Müller", "alphanumeric", "n-m-ller"},
		{"", "alphanumeric", "none"},
		{"", "none", "none"},
		{"+", "international", "none"},
		{"#*", "unknown", "none"},
		{"!!!", "alphanumeric", "n-xe84c538e"},
		{"日本", "alphanumeric", "n-xcf2abf0c"},
		{strings.Repeat("a", 31) + ".b", "alphanumeric", "n-" + strings.Repeat("a", 31)},
		{strings.Repeat("ab", 40), "alphanumeric", "n-" + strings.Repeat("ab", 16)},
		{strings.Repeat("1", 40), "international", strings.Repeat("1", 32)},
	} {
		if got := SenderToken(tt.from, tt.fromType); got != tt.want {
			t.Errorf("SenderToken(%q, %s) = %q, want %q", tt.from, tt.fromType, got, tt.want)
		}
	}
}

func FuzzSenderToken(f *testing.F) {
	for _, from := range []string{"", "+447700900001", "60123", "Info SMS", "a.b*c>d e", "\x00\xff", "日本", strings.Repeat("x", 99), "Kelvin K İ"} {
		for _, fromType := range []string{"international", "national", "alphanumeric", "unknown", "none", "?"} {
			f.Add(from, fromType)
		}
	}
	valid := regexp.MustCompile(`^(none|[0-9]{1,32}|s-[0-9]{1,32}|n-[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?)$`)
	f.Fuzz(func(t *testing.T, from, fromType string) {
		got := SenderToken(from, fromType)
		if !valid.MatchString(got) || strings.Contains(got, "--") {
			t.Errorf("SenderToken(%q, %q) = %q", from, fromType, got)
		}
		if err := checkSubject(streamInbound, "sms.inbound.front."+got); err != nil {
			t.Errorf("SenderToken(%q, %q) = %q: %v", from, fromType, got, err)
		}
		if again := SenderToken(from, fromType); again != got {
			t.Errorf("%q, then %q", got, again)
		}
	})
}

func TestMask(t *testing.T) {
	got := mask(`Publish Violation - Subject "sms.inbound.front.447700900001" token mg_AbC123 cid:12`)
	if want := `Publish Violation - Subject "sms.inbound.front.…01" token mg_… cid:12`; got != want {
		t.Errorf("got %s", got)
	}
}

func TestRedactURL(t *testing.T) {
	for in, want := range map[string]string{
		"nats://a:4222":              "nats://a:4222",
		"nats://u:p@a:4222,nats://b": "nats://…@a:4222,nats://b",
		"nats://secrettoken@a:4222":  "nats://…@a:4222",
		"nats://a:%zz@b, nats://c:1": "…,nats://c:1",
	} {
		if got := redactURL(in); got != want {
			t.Errorf("redactURL(%q) = %q, want %q", in, got, want)
		}
	}
}
