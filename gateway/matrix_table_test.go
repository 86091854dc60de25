package gateway_test

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/modemgate/modemgate/driver"
	"github.com/modemgate/modemgate/driver/sim"
)

// matrixFile is where the results are written down.
const matrixFile = "faults.md"

// matrixTries is how often a cell may be played before its outcome counts as
// worse than written down: a machine that stalls makes a modem look silent.
const matrixTries = 3

// matrixCells makes the cells of a run: "" is a part of them, "all" and
// "update" all, anything else those with that in their key.
func matrixCells(mode string) (cells []*cell) {
	all := mode == "all" || mode == "update"
	for i, kind := range sim.FaultKinds() {
		for j, state := range matrixStates {
			for k := range blows {
				// Each fault once, in another state and with another blow than
				// its neighbour.
				c := &cell{kind: kind, state: state, blow: k}
				some := mode == "" && j == i%len(matrixStates) && k == (i/2)%len(blows)
				if all || some || mode != "" && strings.Contains(c.key(), mode) {
					cells = append(cells, c)
				}
			}
		}
	}
	return cells
}

// serviceTime is how long it may take from the end of a fault until both
// directions work: what was under way is given up, and the modem opened anew.
func serviceTime(o driver.Options) time.Duration {
	const openEvery = 30 * time.Second
	return o.SubmitTimeout + o.PromptTimeout + o.CommandTimeout + 2*o.CommandTimeout + openEvery
}

// The docs promise five minutes; the most patient family is u-blox.
func TestServiceTimeOfTheDocs(t *testing.T) {
	most := driver.Options{SubmitTimeout: 190 * time.Second, PromptTimeout: driver.DefaultPromptTimeout, CommandTimeout: 10 * time.Second}
	if d := serviceTime(most); d > 5*time.Minute || !strings.Contains(matrixHead, "5 minutes") {
		t.Errorf("the docs say 5 minutes, the time-outs add up to %s", d)
	}
	b, err := os.ReadFile(matrixFile)
	if err != nil || !strings.HasPrefix(string(b), matrixHead) {
		t.Errorf("%s does not begin as the test writes it: %v", matrixFile, err)
	}
}

func TestFaultMatrix(t *testing.T) {
	t.Parallel()
	mode := os.Getenv("MODEMGATE_MATRIX")
	cells := matrixCells(mode)
	want := readMatrix(t)
	sem := make(chan struct{}, 8*runtime.GOMAXPROCS(0))
	var wg sync.WaitGroup
	for _, c := range cells {
		sem <- struct{}{}
		wg.Go(func() {
			defer func() { <-sem }()
			for range matrixTries {
				c.run(t)
				if c.err != nil || mode == "update" || c.outcome == outcomeSent || c.outcome == want[c.key()] {
					return
				}
				*c = cell{kind: c.kind, state: c.state, blow: c.blow, outcome: c.outcome}
			}
		})
	}
	wg.Wait()
	var longest time.Duration
	unknown := 0
	for _, c := range cells {
		switch {
		case c.err != nil:
			t.Errorf("%s: %v", c.name(), c.err)
		case c.took > serviceTime(matrixPatience):
			t.Errorf("%s: both ways worked again after %s, the docs allow %s", c.name(), c.took, serviceTime(matrixPatience))
		case mode != "update" && c.outcome != outcomeSent && c.outcome != want[c.key()]:
			t.Errorf("%s: outcome %q, %s says %q", c.name(), c.outcome, matrixFile, want[c.key()])
		}
		if c.outcome == outcomeUnknown {
			unknown++
		}
		longest = max(longest, c.took)
	}
	t.Logf("%d cells: %d sent once, %d told to be unknown; both ways worked again after %s at most", len(cells), len(cells)-unknown, unknown, longest.Round(time.Millisecond))
	if mode == "update" && !t.Failed() {
		writeMatrix(t, cells)
	}
}

func (c *cell) key() string { return string(c.kind) + "/" + c.state.name + "/" + blows[c.blow].name }

const matrixHead = `# What faults do

Every fault of the simulator (rows; see ` + "`driver/sim/fault.go`" + `) met by the driver in each of its states (columns), with an SMS going each
way. The four signs of a field are the fault alone, with an unplug, with a hang and with garbage on the line at the same moment:

- ` + "`.`" + ` the SMS was sent once and the API says so;
- ` + "`u`" + ` the modem had taken the SMS and its answer was lost: the API says ` + "`unknown`" + `, and ` + "`on_unknown`" + ` decides (here ` + "`hold`" + `).

In every field the network took the SMS at most once, the SMS received were stored once each and deleted from the SIM, and both
directions worked again. (` + "`duplicate`" + ` is a SIM that holds one SMS in two slots, as it would two equal ones: both are received.)

With the usual time-outs a line works again at the latest 5 minutes after the end of a fault: up to 190 s until the answer of the network is
given up (150 s, or what the maker allows), 10 s each for a prompt and a command, 20 s for a modem that was asleep, 30 s between two tries to
open it. Most faults cost less than 2 s. A modem that stays silent is [taken through the ladder](../README.md#when-a-modem-hangs); once that
was in vain, its line rests between two tries, 1 minute at first and 30 at most, unless it is plugged anew or somebody asks for a reset.

A test plays this table with time-outs of seconds: ` + "`go test ./gateway -run FaultMatrix`" + ` a part of it with every row and column,
` + "`MODEMGATE_MATRIX=all`" + `, as ` + "`.ci/run`" + ` has it, all of it.

`

// writeMatrix writes the results down.
func writeMatrix(t *testing.T, cells []*cell) {
	t.Helper()
	outcome := map[string]byte{}
	for _, c := range cells {
		outcome[c.key()] = c.outcome
	}
	var b strings.Builder
	b.WriteString(matrixHead + "| fault |")
	for _, s := range matrixStates {
		b.WriteString(" " + s.name + " |")
	}
	b.WriteString("\n|---|" + strings.Repeat("---|", len(matrixStates)) + "\n")
	for _, kind := range sim.FaultKinds() {
		fmt.Fprintf(&b, "| %s |", kind)
		for _, s := range matrixStates {
			b.WriteString(" `")
			for k := range blows {
				b.WriteByte(outcome[(&cell{kind: kind, state: s, blow: k}).key()])
			}
			b.WriteString("` |")
		}
		b.WriteString("\n")
	}
	if err := os.WriteFile(matrixFile, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

// readMatrix reads what is written down, which must be all there is to run.
func readMatrix(t *testing.T) map[string]byte {
	t.Helper()
	b, err := os.ReadFile(matrixFile)
	if err != nil && strings.TrimSuffix(os.Getenv("MODEMGATE_MATRIX"), "all") == "" {
		t.Fatal(err)
	}
	want := map[string]byte{}
	for line := range strings.Lines(string(b)) {
		f := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if len(f) != 1+len(matrixStates) {
			continue
		}
		for j, s := range matrixStates {
			signs := strings.Trim(f[1+j], " `")
			for k := range blows {
				if len(signs) == len(blows) {
					want[(&cell{kind: sim.FaultKind(strings.TrimSpace(f[0])), state: s, blow: k}).key()] = signs[k]
				}
			}
		}
	}
	for _, c := range matrixCells("all") {
		if sign := want[c.key()]; sign != outcomeSent && sign != outcomeUnknown && strings.TrimSuffix(os.Getenv("MODEMGATE_MATRIX"), "all") == "" {
			t.Errorf("%s does not say what happens to %s: run with MODEMGATE_MATRIX=update", matrixFile, c.name())
		}
	}
	return want
}
