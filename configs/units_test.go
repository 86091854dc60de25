package configs

import (
	"math"
	"testing"
	"time"
)

func TestDurationsReadAsWritten(t *testing.T) {
	for _, x := range []struct {
		in   string
		want time.Duration
		out  string
	}{
		{"30s", 30 * time.Second, "30s"},
		{"5m", 5 * time.Minute, "5m"},
		{"90s", 90 * time.Second, "1m30s"},
		{"24h", 24 * time.Hour, "24h"},
		{"1h0m5s", time.Hour + 5*time.Second, "1h0m5s"},
		{"7d", 168 * time.Hour, "168h"},
		{"1d12h", 36 * time.Hour, "36h"},
		{"1.5h", 90 * time.Minute, "1h30m"},
		{"10m", 10 * time.Minute, "10m"},
		{"100ms", 100 * time.Millisecond, "100ms"},
		{"0s", 0, "0s"},
	} {
		d, err := ParseDuration(x.in)
		if err != nil || d.Std() != x.want || d.String() != x.out {
			t.Errorf("%s: got %v, written %s, err %v", x.in, d.Std(), d, err)
		}
	}
	for _, bad := range []string{"", "5", "-1s", "+1s", "1d-1h", "1w", "106752d", "106751d24h", "1d5", "m"} {
		if d, err := ParseDuration(bad); err == nil {
			t.Errorf("%q is read as %v", bad, d)
		}
	}
	if d, err := ParseDuration(Duration(math.MaxInt64).String()); err != nil || d != math.MaxInt64 {
		t.Errorf("the longest duration is read as %v, %v", d, err)
	}
}

func TestSizesReadAsWritten(t *testing.T) {
	for _, x := range []struct {
		in   string
		want Size
		out  string
	}{
		{"4GiB", 4 << 30, "4GiB"},
		{"256MiB", 256 << 20, "256MiB"},
		{"1024KiB", 1 << 20, "1MiB"},
		{"2 TiB", 2 << 40, "2TiB"},
		{"1KB", 1000, "1000B"},
		{"1kB", 1000, "1000B"},
		{"4GB", 4e9, "3906250KiB"},
		{"7B", 7, "7B"},
		{"0B", 0, "0B"},
	} {
		n, err := ParseSize(x.in)
		if err != nil || n != x.want || n.String() != x.out {
			t.Errorf("%s: got %d, written %s, err %v", x.in, n, n, err)
		}
	}
	for _, bad := range []string{"", "4", "GiB", "-1GiB", "1.5GiB", "4gib", "9223372036854775808B", "8388608TiB"} {
		if n, err := ParseSize(bad); err == nil {
			t.Errorf("%q is read as %v", bad, n)
		}
	}
}

func TestSeptets(t *testing.T) {
	for _, x := range []struct {
		s    string
		want int
		gsm  bool
	}{
		{"", 0, true}, {"abc", 3, true}, {"a\nb", 3, true}, {"€[]", 6, true}, {"Ç", 1, true},
		{"ç", 0, false}, {"ж", 0, false}, {"`", 0, false}, {"a\tb", 0, false},
	} {
		if n, ok := septetsOf(x.s); n != x.want || ok != x.gsm {
			t.Errorf("%q: got %d, %v", x.s, n, ok)
		}
	}
	if n := len([]rune(gsm7)); n != 126 { // 128 positions without ESC and CR
		t.Errorf("the alphabet has %d characters, want 126", n)
	}
	if n := utf16Len("😀"); n != 2 {
		t.Errorf("an emoji counts %d, want 2", n)
	}
}

func TestNearest(t *testing.T) {
	names := []string{"length", "ttl", "listen", "template"}
	for in, want := range map[string]string{
		"lenght": "length", "Length": "length", "tll": "ttl", "templat": "template", "lstn": "", "colour": "", "": "", "lisetn": "listen",
	} {
		if got := nearest(in, names); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}
