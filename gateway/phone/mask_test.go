package phone

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestMask(t *testing.T) {
	for in, want := range map[string]string{
		"+447700900101":   "+4477•••••01",
		"+44 7700 900101": "+4477•••••01",
		"+12025550123":    "+120•••••23",
		"+35312345678":    "+353•••••78",
		"+4520123456":     "+452•••••56",
		"+2902345":        "+290•••••",
		"+9990000001":     "+999•••••01",
		"+2101234567":     "+21•••••67",
		"07700900123":     "07•••••23",
		"7012345":         "7•••••45",
		"85200":           "…",
		"112":             "…",
		"":                "…",
		"Bank24":          "Ba…",
		"ČSOB":            "ČS…",
		"abc":             "a…",
		"A":               "…",
		"\x1b[31m":        "…",
		"a\nbcd":          "a…",
		"\xff\xfe\xfd":    "…",
	} {
		if got := Mask(in); got != want {
			t.Errorf("Mask(%q) = %q, want %q", in, got, want)
		}
	}
}

func FuzzMask(f *testing.F) {
	for _, seed := range []string{"+447700900123", "0770", "+2902345", "Bank24", "7x7009001230", strings.Repeat("9", 40)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, in string) {
		shown := strings.Map(func(c rune) rune {
			if strings.ContainsRune("+•…", c) {
				return -1
			}
			return c
		}, Mask(in))
		if 2*utf8.RuneCountInString(shown) > utf8.RuneCountInString(in) {
			t.Fatalf("Mask(%q) shows %q", in, shown)
		}
		if !utf8.ValidString(shown) || strings.ContainsAny(shown, "\r\n\x1b") {
			t.Fatalf("Mask(%q) is not fit for a log: %q", in, shown)
		}
	})
}

func TestNumberIsNeverPrinted(t *testing.T) {
	const secret = "+447700900123"
	n := Number(secret)
	var out bytes.Buffer
	for _, verb := range []string{"%s", "%v", "%+v", "%#v", "%q", "%x", "%X", "%d", "%c", "%20s", "%e"} {
		fmt.Fprintf(&out, verb+"\n", n)
		fmt.Fprintf(&out, verb+"\n", struct{ To Number }{n})
		fmt.Fprintf(&out, verb+"\n", []Number{n})
	}
	fmt.Fprintln(&out, fmt.Errorf("send: %w", wrapped{n}))
	for _, h := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
		slog.New(h).Info("sent", "to", n, slog.Group("g", "from", n))
	}
	for _, leak := range []string{"7700900", fmt.Sprintf("%x", "7700900"), fmt.Sprintf("%X", "7700900")} {
		if strings.Contains(out.String(), leak) {
			t.Errorf("the number leaked as %q:\n%s", leak, out.String())
		}
	}
	if !strings.Contains(out.String(), "+4477•••••23") {
		t.Errorf("nothing masked in:\n%s", out.String())
	}
	if got, err := json.Marshal(n); err != nil || string(got) != `"`+secret+`"` {
		t.Errorf("json.Marshal = %s, %v", got, err)
	}
}

type wrapped struct{ To Number }

func (w wrapped) Error() string { return fmt.Sprint("refused: ", w.To) }
