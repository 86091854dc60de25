package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/modemgate/modemgate/driver"
	"github.com/modemgate/modemgate/gateway/store"
)

const (
	// maxAhead is how far ahead a message may be scheduled.
	maxAhead = 30 * 24 * time.Hour
	// maxLate is how long ago its time may be: clocks differ, and requests are
	// repeated. What is older was meant for another time, or mistyped.
	maxLate = 5 * time.Minute
)

// Bounds of small members of a request.
const (
	maxRef      = 128
	maxMetadata = 4096
	minTTL      = time.Second
	maxTTL      = 63 * 7 * 24 * time.Hour // the longest TP-VP, 3GPP TS 23.040 §9.2.3.12
)

// CreateMessage accepts a message: when it returns, the message is on the
// disk and will be sent, or it was refused and nothing was kept.
func (g *Gateway) CreateMessage(ctx context.Context, r Request, in NewMessage) (MessageView, Answer, error) {
	fail := func(err error) (MessageView, Answer, error) { return MessageView{}, Answer{}, err }
	if err := r.Caller.need(ScopeSend); err != nil {
		return fail(err)
	}
	if err := g.storable(); err != nil {
		return g.repeatedMessage(ctx, r, err)
	}
	end, err := g.begin(r)
	if err != nil {
		return fail(err)
	}
	defer end()
	m, err := g.newMessage(r.Caller, in)
	if err != nil { // but what was right when it was first said stays so
		return g.repeatedMessage(ctx, r, err)
	}
	var answer Answer
	var id string
	err = g.update(ctx, "accept-message", func(tx store.Tx) error {
		now := g.clock.now()
		rec, err := g.replay(tx, r, now)
		if err != nil {
			return err
		}
		if rec != nil {
			answer, id = Answer{rec.Status, true}, rec.Resource
			return nil
		}
		if err := g.admit(tx, r.Caller, m, now); err != nil {
			return err
		}
		answer, id = Answer{Status: http.StatusAccepted}, m.ID
		return g.remember(tx, r, answer.Status, id, now)
	})
	if err != nil {
		return fail(err)
	}
	if !answer.Replayed {
		return acceptedView(m), answer, nil
	}
	v, err := g.readMessage(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return fail(errForgotten)
	}
	return v, answer, err
}

// acceptedView is a message as it was when its commit was made, without
// another look at the store.
func acceptedView(m *store.Message) MessageView {
	v := MessageView{Message: *m, Text: m.Text, HasText: true}
	v.Encoding = alphabet(m.Encoding)
	v.Message.Text = ""
	if len(v.Via) == 0 && v.Route != "" {
		v.Via = strings.Split(v.Route, ",")
	}
	v.History = []HistoryEntry{{State: m.State, At: m.CreatedAt}}
	return v
}

// repeatedMessage is [Gateway.repeated] for what makes a message.
func (g *Gateway) repeatedMessage(ctx context.Context, r Request, why error) (MessageView, Answer, error) {
	var first store.IdempotencyRecord
	err := g.repeated(ctx, r, why, func(_ store.Tx, rec *store.IdempotencyRecord) error {
		first = *rec
		return nil
	})
	if err != nil {
		return MessageView{}, Answer{}, err
	}
	v, err := g.readMessage(ctx, first.Resource)
	if errors.Is(err, store.ErrNotFound) {
		err = errForgotten
	}
	return v, Answer{first.Status, true}, err
}

// admit writes an accepted message: limits, reference, record, event.
func (g *Gateway) admit(tx store.Tx, c Caller, m *store.Message, now time.Time) error {
	if err := g.allowed(tx, c, m.To); err != nil {
		return err
	}
	if err := g.chargeKey(tx, c, now); err != nil {
		return err
	}
	if err := g.checkQueue(tx, c.Key, m.Priority, now); err != nil {
		return err
	}
	return g.insert(tx, m, now)
}

// insert writes a message with its reference and first event.
func (g *Gateway) insert(tx store.Tx, m *store.Message, now time.Time) (err error) {
	if err := g.exhausted(m, now); err != nil {
		return err
	}
	if len(m.Parts) > 1 {
		if m.Reference, err = tx.NextReference(g.o.Secrets.mac("reference", m.To)[:16], m.Wide); err != nil {
			return err
		}
	}
	m.Route = g.inherited(m.Route) // the fleet may have changed since it was chosen
	if err := tx.InsertMessage(m); err != nil {
		return err
	}
	g.noteRoute(m.Route)
	tx.Notify(topicQueue)
	g.metrics.message(tx, m.State)
	return g.messageEvent(tx, m, now)
}

// newMessage checks a request and fills in the defaults; it reads no state
// that could change before the commit but the names of lines.
func (g *Gateway) newMessage(c Caller, in NewMessage) (*store.Message, error) {
	var wrong faults
	to, err := g.number("/to", in.To)
	wrong.add(err)
	encoding, parts, err := g.measure(in.Text)
	wrong.add(err)
	via, err := g.via(c, in.Via, to)
	wrong.add(err)
	priority, err := parsePriority(in.Priority)
	wrong.add(err)
	now := g.clock.now()
	m := &store.Message{
		ID: newID("msg_", now), Key: c.Key, To: to, Text: in.Text, Encoding: encoding, Priority: priority,
		Route: routeOf(via), Via: dedupe(in.Via), State: store.Queued, Rev: 1, Report: g.o.Report, OnUnknown: g.o.OnUnknown,
		Ref: in.Ref, Metadata: in.Metadata, CreatedAt: now, NotBefore: now, Simulated: g.onlySimulated(),
		Parts: make([]store.Part, parts), Wide: g.o.WideReferences && parts > 1,
	}
	for i := range m.Parts {
		m.Parts[i] = store.Part{Index: i + 1, State: store.Queued, Reference: -1, Status: -1}
	}
	if in.Report != nil {
		m.Report = *in.Report
	}
	switch in.OnUnknown {
	case "":
	case "hold", "resend", "fail":
		m.OnUnknown = in.OnUnknown
	default:
		wrong.add(invalid("/on_unknown", "on_unknown is hold, resend or fail"))
	}
	g.schedule(m, in, now, &wrong)
	checkLabels(in.Ref, in.Metadata, &wrong)
	return m, wrong.result()
}

// schedule sets when a message may be sent and until when.
func (g *Gateway) schedule(m *store.Message, in NewMessage, now time.Time, wrong *faults) {
	ttl := g.o.TTL
	if in.TTL != 0 {
		ttl = in.TTL
	}
	if ttl < minTTL || ttl > maxTTL {
		wrong.add(invalid("/ttl", "ttl is between 1s and 10584h, 63 weeks, as an SMS can live at most"))
	}
	if !in.SendAt.IsZero() && now.Sub(in.SendAt) > maxLate {
		wrong.add(invalid("/send_at", "send_at is in the past, it is %s now: leave it out to send at once", when(now)))
	}
	if in.SendAt.After(now) {
		if in.SendAt.After(now.Add(maxAhead)) {
			wrong.add(invalid("/send_at", "send_at is at most 30 days ahead, until %s", when(now.Add(maxAhead))))
		}
		m.SendAt = in.SendAt.UTC().Truncate(time.Microsecond) // as the store keeps it
		m.NotBefore = m.SendAt
	}
	m.DeadlineAt = m.NotBefore.Add(ttl).Truncate(time.Microsecond)
}

// measure says how a text is encoded, with its national tables, and in how many parts it goes.
func (g *Gateway) measure(text string) (string, int, error) {
	encoding, parts, err := driver.Text{Body: text, Wide: g.o.WideReferences, National: g.o.National}.Measure()
	switch {
	case errors.Is(err, driver.ErrEmptyText):
		return "", 0, invalid("/text", "the text is empty")
	case err != nil:
		return "", 0, invalid("/text", "%s", err)
	case parts > g.o.MaxParts:
		d := fmt.Sprintf("the text needs %d parts and messages.max_parts allows %d: shorten it", parts, g.o.MaxParts)
		return "", 0, &Error{Code: TextTooLong, Detail: d, Fields: []FieldError{{Pointer: "/text", Detail: d}}}
	}
	return encoding, parts, nil
}

// alphabet is the encoding without the tables of a language, which are kept to
// send the rest of a text as its beginning.
func alphabet(coding string) string {
	name, _, _ := strings.Cut(coding, ":")
	return name
}

func parsePriority(s string) (int, error) {
	switch s {
	case "", "normal":
		return store.PriorityNormal, nil
	case "high":
		return store.PriorityHigh, nil
	case "low":
		return store.PriorityLow, nil
	}
	return 0, invalid("/priority", "priority is high, normal or low")
}

func checkLabels(ref string, metadata json.RawMessage, wrong *faults) {
	if len(ref) > maxRef {
		wrong.add(invalid("/ref", "ref is at most %d octets", maxRef))
	}
	var object map[string]json.RawMessage
	switch {
	case len(metadata) > maxMetadata:
		wrong.add(invalid("/metadata", "metadata is at most %d octets of JSON", maxMetadata))
	case len(metadata) > 0 && (json.Unmarshal(metadata, &object) != nil || object == nil):
		wrong.add(invalid("/metadata", "metadata is a JSON object"))
	}
}
