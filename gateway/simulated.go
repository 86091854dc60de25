package gateway

import (
	"context"
	"crypto/sha256"
	"errors"
	"net/http"
	"strings"
	"sync"
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

// SimPhone lists what the caller may see of what a simulated phone received,
// waiting up to wait for a first text: what its own key sent, all but OTPs
// with the scope messages, all with admin.
func (g *Gateway) SimPhone(ctx context.Context, r Request, number string, wait time.Duration) ([]SimText, error) {
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
	return g.o.Phones.Received(ctx, n, min(wait, maxWait), func(t SimText) bool {
		return r.Caller.admin() || g.senders.sent(r.Caller.Key, n, t.Text) ||
			r.Caller.Has(ScopeMessages) && g.senders.sent(anybody, n, t.Text)
	})
}

// senders knows whose texts went to simulated phones. Like the phones it
// lives as long as the process, so it needs no place in the store.
type senders struct {
	mu    sync.Mutex
	known map[[sha256.Size]byte]struct{}
	order [][sha256.Size]byte // oldest first
}

const (
	sendersMost = 200_000
	anybody     = "*" // stands for the senders of all that is no OTP; no key has this name
)

func sentBy(key, to, text string) [sha256.Size]byte {
	text = strings.ReplaceAll(text, "\t", " ") // as it goes over the air
	return sha256.Sum256([]byte(key + "\x00" + to + "\x00" + text))
}

// note remembers a text that is about to leave.
func (s *senders) note(m *store.Message, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known == nil {
		s.known = make(map[[sha256.Size]byte]struct{})
	}
	keys := []string{m.Key, anybody}
	if m.OTPID != "" {
		keys = keys[:1]
	}
	for _, key := range keys {
		id := sentBy(key, m.To, text)
		if _, ok := s.known[id]; ok {
			continue
		}
		s.known[id] = struct{}{}
		s.order = append(s.order, id)
	}
	for len(s.order) > sendersMost {
		delete(s.known, s.order[0])
		s.order = s.order[1:]
	}
}

func (s *senders) sent(key, to, text string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.known[sentBy(key, to, text)]
	return ok
}

// SimSend texts from a simulated phone to a simulated line. What arrives is
// read by others, so the caller must hold send, or inbound of that line.
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
	if line == "" && len(g.lines()) > 0 {
		line = g.lines()[0].o.Name
	}
	if !r.Caller.Has(ScopeSend) && !r.Caller.readsLine(line) {
		return Answer{}, r.Caller.need(ScopeSend)
	}
	if g.lineNamed(line) == nil {
		return Answer{}, refuse(NoSuchLine, "there is no line %.64q; %s", line, g.lineNames(r.Caller))
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
	if err := g.o.Phones.Send(n, line, text); err != nil {
		// A repeat shall send: nothing was. It must not depend on who waits.
		return Answer{}, errors.Join(err, g.update(context.WithoutCancel(ctx), "sim-forget", func(tx store.Tx) error { return g.forget(tx, r) }))
	}
	return answer, nil
}
