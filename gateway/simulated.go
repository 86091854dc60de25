package gateway

import (
	"context"
	"net/http"
	"time"

	"github.com/modemgate/modemgate/gateway/store"
)

var noSimulator = refuse(NotFound, "there is no simulator here: modems.simulate starts one")

// misplaced keeps simulated and real lines apart when the configuration has
// changed from one to the other. A message accepted for the simulator, to a
// number that nobody allowed, ends; one accepted for real lines is held, since
// a simulated line would say that it was delivered.
func (l *line) misplaced(tx store.Tx, m *store.Message, now time.Time) error {
	queued := []State{store.Queued}
	if m.Simulated {
		_, err := l.g.end(tx, m, queued, store.Failed, "simulated", "it was accepted for simulated lines and never leaves them")
		return err
	}
	_, err := l.g.move(tx, m, queued, store.MessageChange{
		Held: ptr(true),
		History: &store.HistoryEntry{
			State: store.Queued, At: now,
			Note: "held: it was accepted for real lines and only simulated ones are there; modemgate queue release lets it go",
		},
	})
	return err
}

// SimPhone lists what a simulated phone received, waiting up to wait for a
// first or further text.
func (g *Gateway) SimPhone(ctx context.Context, _ Request, number string, wait time.Duration) ([]SimText, error) {
	if g.o.Phones == nil {
		return nil, noSimulator
	}
	n, err := g.number("number", number)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() { // a long poll ends when the gateway stops
		select {
		case <-g.stopping:
			cancel()
		case <-ctx.Done():
		}
	}()
	return g.o.Phones.Received(ctx, n, min(wait, maxWait))
}

// SimSend texts from a simulated phone to a simulated line.
func (g *Gateway) SimSend(ctx context.Context, r Request, number, text, line string) (Answer, error) {
	if g.o.Phones == nil {
		return Answer{}, noSimulator
	}
	n, err := g.number("number", number)
	if err != nil {
		return Answer{}, err
	}
	if text == "" {
		return Answer{}, invalid("/text", "the text is empty")
	}
	if line == "" && len(g.lines) > 0 {
		line = g.lines[0].o.Name
	}
	if g.byName[line] == nil {
		return Answer{}, &Error{Code: NoSuchLine, Detail: "there is no such line: GET /v1/lines lists them"}
	}
	end, err := g.begin(r)
	if err != nil {
		return Answer{}, err
	}
	defer end()
	answer := Answer{Status: http.StatusAccepted}
	err = g.update(ctx, "sim-send", func(tx store.Tx) error {
		now := g.clock.now()
		rec, err := g.replay(tx, r, now)
		if err != nil {
			return err
		}
		if rec != nil {
			answer = Answer{rec.Status, true}
			return nil
		}
		return g.remember(tx, r, answer.Status, "", now)
	})
	if err != nil || answer.Replayed {
		return answer, err
	}
	return answer, g.o.Phones.Send(n, line, text)
}
