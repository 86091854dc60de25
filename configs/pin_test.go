package configs

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestReadPIN(t *testing.T) {
	for name, c := range map[string]struct {
		content string
		mode    os.FileMode
		pin     string
		fault   string
	}{
		"with a line end":        {content: "73914628\n", mode: 0o600, pin: "73914628"},
		"read only, with spaces": {content: " 0007 \r\n", mode: 0o400, pin: "0007"},
		"group may read":         {content: "73914628", mode: 0o640, fault: "chmod 600"},
		"all may read":           {content: "73914628", mode: 0o604, fault: "mode 0604"},
		"too short":              {content: "739", mode: 0o600, fault: "4 to 8 digits"},
		"too long":               {content: "739146280", mode: 0o600, fault: "4 to 8 digits"},
		"two lines":              {content: "7391\n4628\n", mode: 0o600, fault: "4 to 8 digits"},
		"no digits":              {content: "7391x", mode: 0o600, fault: "4 to 8 digits"},
		"empty":                  {mode: 0o600, fault: "4 to 8 digits"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "pin")
			if err := os.WriteFile(path, []byte(c.content), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(path, c.mode); err != nil {
				t.Fatal(err)
			}
			pin, err := ReadPIN(path)
			switch {
			case c.fault == "" && (err != nil || pin != c.pin):
				t.Errorf("got %q, %v", pin, err)
			case c.fault != "" && (err == nil || pin != "" || !strings.Contains(err.Error(), c.fault)):
				t.Errorf("got %q, %v, want a fault with %q", pin, err, c.fault)
			case err != nil && strings.Contains(err.Error(), "7391"):
				t.Errorf("the fault tells the PIN: %v", err)
			}
		})
	}
	if _, err := ReadPIN(t.TempDir()); err == nil || !strings.Contains(err.Error(), "regular file") {
		t.Errorf("a directory: %v", err)
	}
	if _, err := ReadPIN("/nowhere/pin"); !os.IsNotExist(err) {
		t.Errorf("a missing file: %v", err)
	}
}
