package main

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/modemgate/modemgate"

// arrows are the packages of ours that each package may import; what is not
// here imports none.
var arrows = map[string][]string{
	"cmd/modemgate":  {"api", "configs", "driver", "driver/sim", "driver/usb", "gateway", "gateway/events", "gateway/store", "systemd"},
	"api":            {"gateway"},
	"gateway":        {"driver", "gateway/events", "gateway/phone", "gateway/store"},
	"driver":         nil,
	"driver/sim":     nil,
	"driver/usb":     nil,
	"gateway/events": nil,
	"gateway/phone":  nil,
	"gateway/store":  nil,
	"configs":        nil,
	"systemd":        nil,

	"gateway/store/storetest": {"gateway/store"},
	"driver/usb/usbtest":      nil,
}

// rooms are the only packages that may import a foreign one.
var rooms = map[string][]string{
	"github.com/labstack/echo":     {"api"},
	"go.bug.st/serial":             {"driver"},
	"github.com/warthog618":        {"driver"},
	"gopkg.in/yaml":                {"configs"},
	"database/sql":                 {"gateway/store"},
	"modernc.org/sqlite":           {"gateway/store"},
	"github.com/nats-io":           {"gateway/events", "cmd/modemgate"}, // cmd: the demo's own client
	"github.com/prometheus":        {"gateway", "api"},
	"github.com/creack/pty":        {"driver/sim"},
	"github.com/nats-io/nats-serv": {"gateway/events"},
}

// rootEntries are what may lie in the root of the repository.
var rootEntries = []string{
	".ci", ".git", ".gitignore", ".golangci.yml", "CHANGELOG.md", "LICENSE", "README.md",
	"api", "cmd", "configs", "driver", "gateway", "go.mod", "go.sum", "systemd",
}

type listed struct {
	ImportPath string
	Imports    []string
}

func TestArrowsBetweenPackages(t *testing.T) {
	for _, p := range listPackages(t) {
		name := strings.TrimPrefix(p.ImportPath, module+"/")
		allowed, known := arrows[name]
		if !known {
			t.Errorf("%s is a new package: give it its arrows here", name)
		}
		for _, i := range p.Imports {
			if ours, ok := strings.CutPrefix(i, module+"/"); ok && !slices.Contains(allowed, ours) {
				t.Errorf("%s imports %s", name, ours)
			}
			for foreign, homes := range rooms {
				if strings.HasPrefix(i, foreign) && !slices.Contains(homes, name) {
					t.Errorf("%s imports %s, whose only rooms are %v", name, i, homes)
				}
			}
		}
	}
}

func TestNothingElseLiesInTheRoot(t *testing.T) {
	out, err := exec.Command("git", "-C", "../..", "ls-files").Output()
	if err != nil {
		t.Skip("no git checkout here: ", err)
	}
	for line := range strings.Lines(string(out)) {
		top, _, _ := strings.Cut(strings.TrimSpace(line), "/")
		if !slices.Contains(rootEntries, top) {
			t.Errorf("%s lies in the root of the repository", top)
		}
	}
}

func listPackages(t *testing.T) []listed {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports", "./...")
	cmd.Dir, cmd.Stderr = "../..", os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var all []listed
	for dec := json.NewDecoder(out); ; {
		var p listed
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	if len(all) < 8 {
		t.Fatalf("only %d packages were listed", len(all))
	}
	return all
}
