package gateway_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/modemgate/modemgate/driver"
	"github.com/modemgate/modemgate/driver/sim"
	"github.com/modemgate/modemgate/gateway"
)

// The fault matrix: every fault of the simulator, met by the driver in each of
// its states, alone and with a second blow at the same moment. A run without
// MODEMGATE_MATRIX takes a fixed part of it that has every fault, every state
// and every blow; "all" takes all, "update" writes the table of results too.

// matrixState is a state of the driver: how it is brought there, and the
// moment of the dialogue that tells that it is.
type matrixState struct {
	name    string
	point   sim.Point
	command string // that begins so
	begin   func(c *cell)
}

var matrixStates = []matrixState{
	{"bring-up", sim.PointCommand, "+CMGF=0", func(c *cell) { c.modem.Unplug(); c.modem.Plug() }},
	{"idle", "", "", func(*cell) {}},
	{"prompt", sim.PointPrompt, "+CMGS", (*cell).post},
	{"body", sim.PointBody, "+CMGS", (*cell).post},
	{"result", sim.PointAccepted, "+CMGS", (*cell).post},
	{"listing", sim.PointCommand, "+CMGL", (*cell).text},
	{"deleting", sim.PointDeleted, "+CMGD", (*cell).text},
}

// blows are what strikes together with a fault.
var blows = []struct {
	name   string
	strike func(m *sim.Modem)
}{
	{"alone", func(*sim.Modem) {}},
	{"unplug", func(m *sim.Modem) { m.Inject(sim.Fault{Kind: sim.FaultUnplug, Delay: 100 * time.Millisecond}) }},
	{"hang", func(m *sim.Modem) { m.Inject(sim.Fault{Kind: sim.FaultHang, Delay: 300 * time.Millisecond}) }},
	{"garbage", func(m *sim.Modem) { m.Emit("\x00\xff\xfe\r\n+CM\r\n\x1a>\r\n\r\nERR OR\r\r\n+CSQ: 1,9\x00\r\n") }},
}

// matrixFault is a fault of a kind as the matrix uses it. A lasting one is
// cleared by the cell.
func matrixFault(kind sim.FaultKind) sim.Fault {
	f := sim.Fault{Kind: kind}
	switch kind {
	case sim.FaultLate, sim.FaultPrompt:
		f.Delay = 100 * time.Millisecond
	case sim.FaultHang, sim.FaultStopReading:
		f.Delay = 300 * time.Millisecond
	case sim.FaultUnplug:
		f.Delay = 100 * time.Millisecond
	case sim.FaultChatter:
		f.Where = sim.WhereInside
	case sim.FaultAnswer:
		f.Text = "\r\n+NOISE: 1\r\n" // and no final code
	case sim.FaultFinal:
		f.Text = "\r\nOK \r\n"
	case sim.FaultCMS:
		f.Code = 500
	case sim.FaultReference:
		f.Code = 255
	}
	if kind == sim.FaultPrompt {
		f.Text = "\r\r> "
	}
	return f
}

// beforePrompt are the faults that are met on the way to the prompt.
var beforePrompt = []sim.FaultKind{sim.FaultPrompt, sim.FaultNoPrompt, sim.FaultNoEscape}

// cell is one fault in one state with one blow.
type cell struct {
	kind  sim.FaultKind
	state matrixState
	blow  int

	*rig
	modem   *sim.Modem
	hit     *atomic.Bool // the driver met the fault
	first   string       // id of the message that meets the fault
	texts   int
	outcome byte
	took    time.Duration // from the end of the fault to both directions working
	err     error
}

func (c *cell) name() string {
	return fmt.Sprintf("%s in %s, %s", c.kind, c.state.name, blows[c.blow].name)
}

// matrixPatience is the driver's, in place of minutes.
var matrixPatience = driver.Options{CommandTimeout: 2 * time.Second, PromptTimeout: 2 * time.Second, SubmitTimeout: 3 * time.Second}

const (
	matrixTo    = "+999555100"
	matrixAfter = "+999555101"
	matrixFrom  = "+999555102"
)

// run plays the cell. Its outcome is what became of the message that met the
// fault; an error is a broken promise.
func (c *cell) run(t *testing.T) {
	c.rig = newRigHere(t, func(o *gateway.Options) {
		for i, l := range o.Lines {
			o.Lines[i].Open = func(ctx context.Context) (gateway.Modem, error) {
				do := matrixPatience
				do.Port, do.Log = l.Port, o.Log
				m, err := driver.Open(ctx, do)
				if err != nil {
					return nil, err
				}
				return m, nil
			}
			o.Lines[i].Rescue.Plug = func() string { return driver.Plug(l.Port) }
		}
		o.Poll = 300 * time.Millisecond
	}, nil)
	defer func() {
		c.halt()
		c.net.Close()
		os.RemoveAll(c.dir)
	}()
	c.modem, c.hit = c.net.Modems()[0], &atomic.Bool{}
	if c.err = c.wait("the line is up", c.up); c.err == nil {
		c.err = c.play()
	}
	if c.err != nil {
		c.err = fmt.Errorf("%w\n%s", c.err, strings.Join(c.modem.Transcript(), "\n"))
	}
}

func (c *cell) play() error {
	c.arm()
	c.state.begin(c)
	if c.state.point != "" {
		if err := c.wait("the driver is in the state", c.met); err != nil {
			return err
		}
	}
	if c.first == "" {
		c.post()
	}
	if c.texts == 0 {
		c.text()
	}
	time.Sleep(400 * time.Millisecond) // how long a lasting fault lasts
	c.modem.OnPoint(nil)
	c.modem.ClearFaults()
	c.modem.Plug()
	ended := time.Now()
	c.text()
	after := c.rig.post(gateway.NewMessage{To: matrixAfter, Text: "after it", OnUnknown: "hold"}).ID
	if err := c.wait("both directions work again", func() bool {
		return c.settled(after) && c.settled(c.first) && c.received() >= 2 && len(c.modem.Stored()) == 0
	}); err != nil {
		return err
	}
	c.took = time.Since(ended)
	return c.judge(after)
}

// arm lays the fault and the blow where the driver will meet them.
func (c *cell) arm() {
	strike := func(m *sim.Modem) {
		m.Inject(matrixFault(c.kind))
		blows[c.blow].strike(m)
	}
	point := c.state.point
	switch {
	case point == "":
		strike(c.modem)
		return
	case point == sim.PointPrompt && slices.Contains(beforePrompt, c.kind):
		point = sim.PointCommand
	}
	var once sync.Once
	c.modem.OnPoint(func(o sim.Occasion) {
		if o.Point == point && strings.HasPrefix(o.Command, c.state.command) {
			once.Do(func() { strike(o.Modem); c.struck() })
		}
	})
}
