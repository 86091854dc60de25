package driver

import (
	"context"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func TestTrapG1NoGCAPNeeded(t *testing.T) {
	p := newPeer(t)
	p.open() // the peer answers ERROR to what it does not know
	if commands, _ := p.seen(); slices.Contains(commands, "AT+GCAP") {
		t.Error("AT+GCAP was asked")
	}
}

func TestTrapG2EmptySubmission(t *testing.T) {
	p := newPeer(t)
	m := p.open()
	for _, size := range []int{0, maxTPDU + 1} {
		_, err := m.Send(context.Background(), Submission{TPDU: make([]byte, size)})
		if e := sendError(t, err); e.Fate != Refused || e.Class != Permanent {
			t.Errorf("%d octets: got %v", size, err)
		}
	}
}

func TestTrapG6EverythingOptionalMayFail(t *testing.T) {
	p := newPeer(t)
	p.says("\r\nERROR\r\n", "E0V1", "E0", "V1", "+CMEE", "+CGSN", "+CGMM", "+CGMR", "+CIMI", "+CCID", "+CNUM", "+CSCA?",
		"+CREG", "+CGREG", "+CEREG", "+COPS", "+CLIP", "+CSMS", "+CPMS=?", "+CPMS?", "+CPMS", "+CNMI=?", "+CNMI?", "+CNMI",
		"+CMMS=?", "+CPIN?")
	m := p.open()
	p.store(3, "0791999000000000040A")
	if got, err := m.List(context.Background()); err != nil || len(got) != 1 || got[0].Slot != (Slot{"", 3}) {
		t.Errorf("list: %+v, %v", got, err)
	}
	if mr, err := m.Send(context.Background(), Submission{TPDU: samplePDU}); err != nil || mr != 41 {
		t.Errorf("send: %d, %v", mr, err)
	}
	if _, err := m.Status(context.Background()); err != nil {
		t.Errorf("status: %v", err)
	}
}

func TestTrapG6IndicationLadder(t *testing.T) {
	p := newPeer(t)
	p.says("\r\n+CNMI: (0-3),(0,1),(0,2,3),(0,2),(1)\r\n\r\nOK\r\n", "+CNMI=?")
	p.on("+CNMI", func(p *peer, cmd string) {
		if cmd == "+CNMI=1,1,0,2,1" {
			p.says("\r\n+CNMI: 1,1,0,2,1\r\n\r\nOK\r\n", "+CNMI?")
			p.ok()
			return
		}
		p.send("\r\n+CMS ERROR: 303\r\n")
	})
	p.open()
	commands, _ := p.seen()
	commands = slices.DeleteFunc(commands, func(c string) bool { return !strings.HasPrefix(c, "AT+CNMI=") || c == "AT+CNMI=?" })
	if want := []string{"AT+CNMI=2,1,0,2,1", "AT+CNMI=1,1,0,2,1"}; !slices.Equal(commands, want) {
		t.Errorf("tried %q, want %q", commands, want)
	}
}

func TestTrapG7MessagesAreStoredNotRouted(t *testing.T) {
	for _, form := range indicationForms {
		if form[1] != 1 {
			t.Errorf("form %v routes messages past the storage", form)
		}
	}
	p := newPeer(t)
	m := p.open()
	p.send("\r\n+CMT: ,9\r\n0791999000000000040A\r\n")
	soon(t, m.Signals(), "the message")
	if _, err := m.List(context.Background()); err != nil { // what came before is written by now
		t.Fatal(err)
	}
	if commands, _ := p.seen(); slices.Contains(commands, "AT+CNMA") || slices.Contains(commands, "AT+CSMS=1") {
		t.Errorf("commands %q", commands)
	}
}

func TestTrapG9WrongLengthLosesNothing(t *testing.T) {
	p := newPeer(t)
	m := p.open()
	p.send("\r\n+CMT: ,200\r\n0791999000000000040A\r\n")
	if s := soon(t, m.Signals(), "the message"); s.Kind != SignalDirect || s.PDU != "0791999000000000040A" || s.Length != 200 {
		t.Errorf("direct: %+v", s)
	}
	p.says("\r\n+CMGL: 4,0,,200\r\n0791999000000000040A\r\n\r\nOK\r\n", "+CMGL")
	if got, err := m.List(context.Background()); err != nil || len(got) != 1 || got[0].Length != 200 {
		t.Errorf("list: %+v, %v", got, err)
	}
}

func TestTrapG11PINIsAStatedCondition(t *testing.T) {
	p := newPeer(t)
	p.says("\r\n+CPIN: SIM PIN\r\n\r\nOK\r\n", "+CPIN?")
	var e *SIMError
	if err := p.fails(); !errors.As(err, &e) || e.State != "pin" {
		t.Errorf("got %v", err)
	}
}

func TestTrapG12NumericErrors(t *testing.T) {
	p := newPeer(t)
	p.open()
	if commands, _ := p.seen(); !slices.Contains(commands, "AT+CMEE=1") || slices.Contains(commands, "AT+CMEE=2") {
		t.Errorf("commands %q", commands)
	}
}

// TestTrapsOfLibraryPartsLeftAlone holds that the parts whose traps are
// closed by not using them stay unused.
func TestTrapsOfLibraryPartsLeftAlone(t *testing.T) {
	imports := []string{
		"github.com/warthog618/modem/gsm", "github.com/warthog618/modem/serial", "github.com/warthog618/modem/trace",
		"github.com/tarm/serial", "go.bug.st/serial/enumerator",
	}
	names := []string{
		"SetReadTimeout", "InitialStatusBits", "GetPortsList", "AddIndication", "CancelIndication", "WithIndication",
		"Collector", "NewCollector", "StartMessageRx", "SendShortMessage", "SendLongMessage",
	}
	for _, name := range sources(t) {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, imp := range file.Imports {
			if path, _ := strconv.Unquote(imp.Path.Value); slices.Contains(imports, path) {
				t.Errorf("%s imports %s", name, path)
			}
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if id, ok := n.(*ast.Ident); ok && slices.Contains(names, id.Name) {
				t.Errorf("%s uses %s", name, id.Name)
			}
			return true
		})
	}
}

// sources are the Go files here and in usb, which finds the ports.
func sources(t *testing.T) (files []string) {
	t.Helper()
	for _, pattern := range []string{"*.go", "usb/*.go"} {
		some, err := fs.Glob(os.DirFS("."), pattern)
		if err != nil || len(some) < 5 {
			t.Fatalf("%s: %d files, %v", pattern, len(some), err)
		}
		files = append(files, some...)
	}
	return files
}

// TestTrapTableNamesRealTests holds that every test named in TRAPS.md exists
// and every trap has a row.
func TestTrapTableNamesRealTests(t *testing.T) {
	table, err := os.ReadFile("TRAPS.md")
	if err != nil {
		t.Fatal(err)
	}
	tests := make(map[string]bool)
	decl := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`)
	for _, name := range sources(t) {
		if !strings.HasSuffix(name, "_test.go") {
			continue
		}
		src, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range decl.FindAllSubmatch(src, -1) {
			tests[string(d[1])] = true
		}
	}
	rows := make(map[string]bool)
	for line := range strings.Lines(string(table)) {
		row := regexp.MustCompile(`^\| ([PTGS]\d+) \|`).FindStringSubmatch(line)
		if row == nil {
			continue
		}
		rows[row[1]] = true
		named := regexp.MustCompile(`\b(?:Test|Fuzz)\w+`).FindAllString(line, -1)
		if len(named) == 0 && !strings.Contains(line, "cannot reach us") {
			t.Errorf("trap %s names neither a test nor a reason", row[1])
		}
		for _, name := range named {
			if !tests[name] {
				t.Errorf("trap %s names %s, which does not exist", row[1], name)
			}
		}
	}
	for group, n := range map[string]int{"P": 10, "T": 18, "G": 12, "S": 15} {
		for i := 1; i <= n; i++ {
			if !rows[group+strconv.Itoa(i)] {
				t.Errorf("trap %s%d has no row", group, i)
			}
		}
	}
}
