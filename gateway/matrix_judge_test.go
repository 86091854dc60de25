package gateway_test

import (
	"errors"
	"fmt"
	"time"

	"github.com/modemgate/modemgate/driver/sim"
	"github.com/modemgate/modemgate/gateway"
	"github.com/modemgate/modemgate/gateway/store"
)

// Outcomes of a cell: what became of the message that met the fault.
const (
	outcomeSent    = '.' // sent once, and told so
	outcomeUnknown = 'u' // told to be unknown: the modem took it and its answer was lost
)

func (c *cell) struck() { c.hit.Store(true) }

func (c *cell) met() bool { return c.hit.Load() }

func (c *cell) up() bool {
	l, err := c.g.Line(c.t.Context(), admin, "modem0")
	return err == nil && l.State == "up"
}

func (c *cell) post() {
	c.first = c.rig.post(gateway.NewMessage{To: matrixTo, Text: "meets the fault", OnUnknown: "hold"}).ID
}

func (c *cell) text() {
	c.texts++
	if err := c.net.Phone(matrixFrom).Send(c.modem.Number(), fmt.Sprintf("hello %d", c.texts)); err != nil {
		c.t.Error(err)
	}
}

// wait waits for a condition; meanwhile the waits between two tries pass
// quickly.
func (c *cell) wait(what string, ok func() bool) error {
	for end := time.Now().Add(deadline); !ok(); {
		if time.Now().After(end) {
			return errors.New("waited in vain until " + what)
		}
		time.Sleep(10 * time.Millisecond)
		c.pass(100 * time.Millisecond)
		c.g.Notify([]string{"queue"})
	}
	return nil
}

func (c *cell) message(id string) gateway.MessageView {
	v, err := c.g.Message(c.t.Context(), admin, id, gateway.Wait{})
	if err != nil {
		c.t.Error(err)
	}
	return v
}

// settled says whether a message has its outcome; reports are not waited for.
func (c *cell) settled(id string) bool {
	v := c.message(id)
	return v.State == store.Sent || v.Final
}

// received counts the SMS that are stored.
func (c *cell) received() int {
	page, err := c.g.ListInbound(c.t.Context(), admin, gateway.InboundFilter{Limit: 200, Ascending: true})
	if err != nil {
		c.t.Error(err)
	}
	return len(page.Items)
}

// judge holds what the network saw against what the API says: nothing lost,
// nothing twice, nothing claimed that was not so.
func (c *cell) judge(after string) error {
	for _, m := range []gateway.MessageView{c.message(c.first), c.message(after)} {
		n := c.submitted(m.To)
		switch m.State {
		case store.Sent, store.Delivered:
			if n != 1 {
				return fmt.Errorf("%s is %s and the network took it %d times: %+v", m.To, m.State, n, m.History)
			}
		case store.Unknown:
			if n > 1 {
				return fmt.Errorf("%s is unknown and the network took it %d times: %+v", m.To, n, m.History)
			}
		default:
			return fmt.Errorf("%s is %s (%s), the network took it %d times: %+v", m.To, m.State, m.Error, n, m.History)
		}
	}
	c.outcome = outcomeSent
	if c.message(c.first).State == store.Unknown {
		c.outcome = outcomeUnknown
	}
	if m := c.message(after); m.State == store.Unknown {
		return fmt.Errorf("the message after the fault is unknown: %+v", m.History)
	}
	return c.judgeInbound()
}

func (c *cell) judgeInbound() error {
	page, err := c.g.ListInbound(c.t.Context(), admin, gateway.InboundFilter{Limit: 200, Ascending: true})
	if err != nil {
		return err
	}
	count := map[string]int{}
	for _, in := range page.Items {
		count[in.Text]++
	}
	most := 1
	if c.kind == sim.FaultDuplicate {
		most = 2 // the SIM holds it twice, as it would two equal texts
	}
	for i := range c.texts {
		text := fmt.Sprintf("hello %d", i+1)
		if count[text] < 1 || count[text] > most {
			return fmt.Errorf("%q was received %d times", text, count[text])
		}
		delete(count, text)
	}
	if len(count) > 0 {
		return fmt.Errorf("nobody texted %v", count)
	}
	return nil
}
