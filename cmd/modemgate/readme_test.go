package main_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestREADME does what README.md tells its reader to do, block by block in
// its order: there is one reader, who keeps what earlier blocks made.
//
// Each block of a language that can be run or checked has a comment before it,
// <!-- run: LABEL -->, that names its runner. What differs from the page is
// said at the runner; all else is done as it stands there.
func TestREADME(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	blocks, err := readmeBlocks(string(text))
	if err != nil {
		t.Fatal(err)
	}
	r := newReader(t)
	done := map[string]bool{}
	for _, b := range blocks {
		run := readmeRunners[b.label]
		if run == nil || done[b.label] {
			t.Fatalf("README.md:%d: there is no runner %q that was not used yet", b.line, b.label)
		}
		done[b.label] = true
		if !t.Run(b.label, func(t *testing.T) { run(r, t, b) }) {
			t.Fatalf("README.md:%d: what this block says does not work; what follows it is not tried", b.line)
		}
	}
	for label := range readmeRunners {
		if !done[label] {
			t.Errorf("README.md lost its block %q", label)
		}
	}
}

// block is a fenced block of README.md that is run or checked.
type block struct {
	label, lang, text string
	line              int // of its fence
}

var (
	readmeLabel = regexp.MustCompile(`^<!-- run: ([a-z-]+) -->$`)
	// Languages that this test runs or checks, and those that nobody runs.
	readmeRun   = []string{"sh", "js", "python", "go", "yaml", "conf"}
	readmeShown = []string{"text", "json"}
)

// readmeBlocks finds the blocks. Every fence must say its language, and have
// a label where that language can be run.
func readmeBlocks(text string) (blocks []block, err error) {
	var b *block
	before := "" // last line that is not empty
	for i, line := range strings.Split(text, "\n") {
		mark := strings.TrimSpace(line)
		switch {
		case b != nil && mark == "```":
			if b.label != "" {
				blocks = append(blocks, *b)
			}
			b, mark = nil, "```end"
		case b != nil:
			b.text += line + "\n"
			continue
		case strings.HasPrefix(mark, "```") || strings.HasPrefix(mark, "~~~"):
			b = &block{lang: strings.TrimLeft(mark, "`~"), line: i + 1}
			if m := readmeLabel.FindStringSubmatch(before); m != nil {
				b.label = m[1]
			}
			if err := b.check(line); err != nil {
				return nil, err
			}
		case readmeLabel.MatchString(before) && mark != "":
			return nil, fmt.Errorf("README.md:%d: a label stands before no block", i+1)
		}
		if mark != "" {
			before = mark
		}
	}
	if b != nil {
		return nil, fmt.Errorf("README.md:%d: the block does not end", b.line)
	}
	return blocks, nil
}

func (b *block) check(line string) error {
	runs := slices.Contains(readmeRun, b.lang)
	switch {
	case !strings.HasPrefix(line, "```"):
		return fmt.Errorf("README.md:%d: begin a block with ``` at the start of the line", b.line)
	case !runs && !slices.Contains(readmeShown, b.lang):
		return fmt.Errorf("README.md:%d: a block is one of %q, or %q that nobody runs; this is %q", b.line, readmeRun, readmeShown, b.lang)
	case runs && b.label == "":
		return fmt.Errorf("README.md:%d: no <!-- run: LABEL --> stands before this block", b.line)
	case !runs && b.label != "":
		return fmt.Errorf("README.md:%d: a block of %s is not run", b.line, b.lang)
	}
	return nil
}

func TestREADMEBlocks(t *testing.T) {
	for _, x := range []struct{ name, text, want string }{
		{"one", "a\n\n<!-- run: x -->\n```sh\nls\n\n# b\n```\n", "x sh \"ls\\n\\n# b\\n\""},
		{"an empty line between", "<!-- run: x -->\n\n```go\n```\n", "x go \"\""},
		{"not run", "```text\nsh\n```\n", ""},
		{"no label", "```sh\nls\n```\n", "README.md:1: no <!-- run"},
		{"the label of another block", "<!-- run: x -->\n```sh\n```\n```sh\n```\n", "README.md:4: no <!-- run"},
		{"text between", "<!-- run: x -->\nand\n```sh\n```\n", "README.md:2: a label stands before no block"},
		{"no language", "```\nls\n```\n", "README.md:1: a block is one of"},
		{"unknown language", "<!-- run: x -->\n```shell\n```\n", "README.md:2: a block is one of"},
		{"indented", "- a\n  ```sh\n  ls\n  ```\n", "README.md:2: begin a block"},
		{"tildes", "~~~sh\nls\n~~~\n", "README.md:1: begin a block"},
		{"endless", "<!-- run: x -->\n```sh\nls\n", "README.md:2: the block does not end"},
	} {
		blocks, err := readmeBlocks(x.text)
		got := ""
		for _, b := range blocks {
			got += fmt.Sprintf("%s %s %q", b.label, b.lang, b.text)
		}
		if err != nil {
			got = err.Error()
		}
		if got != x.want && (err == nil || x.want == "" || !strings.HasPrefix(got, x.want)) {
			t.Errorf("%s: got %s, want %s", x.name, got, x.want)
		}
	}
}
