package gateway

import (
	"context"
	"encoding/json"
	"time"

	"github.com/modemgate/modemgate/gateway/events"
	"github.com/modemgate/modemgate/gateway/phone"
	"github.com/modemgate/modemgate/gateway/store"
)

// Streams of events.
const (
	streamInbound = "inbound"
	streamStatus  = "status"
)

// messageBody is the payload of sms.status: never a text.
type messageBody struct {
	Schema            int             `json:"schema"`
	ID                string          `json:"id"`
	Rev               int64           `json:"rev"`
	State             State           `json:"state"`
	Final             bool            `json:"final"`
	At                time.Time       `json:"at"`
	To                string          `json:"to"`
	Line              string          `json:"line,omitempty"`
	Error             string          `json:"error,omitempty"`
	Parts             int             `json:"parts"`
	PartsSent         int             `json:"parts_sent"`
	OTPID             string          `json:"otp_id,omitempty"`
	PossibleDuplicate bool            `json:"possible_duplicate,omitempty"`
	Ref               string          `json:"ref,omitempty"`
	Metadata          json.RawMessage `json:"metadata,omitempty"`
	Simulated         bool            `json:"simulated"`
}

// otpBody is the payload of otp.status: never the code, the number masked.
type otpBody struct {
	Schema       int             `json:"schema"`
	ID           string          `json:"id"`
	Rev          int64           `json:"rev"`
	State        OTPState        `json:"state"`
	Final        bool            `json:"final"`
	At           time.Time       `json:"at"`
	To           string          `json:"to"`
	Purpose      string          `json:"purpose,omitempty"`
	AttemptsLeft int             `json:"attempts_left"`
	SendsLeft    int             `json:"sends_left"`
	ExpiresAt    time.Time       `json:"expires_at"`
	Delivery     deliveryBody    `json:"delivery"`
	MessageID    string          `json:"message_id"`
	Ref          string          `json:"ref,omitempty"`
	Metadata     json.RawMessage `json:"metadata,omitempty"`
	Simulated    bool            `json:"simulated"`
}

type deliveryBody struct {
	State State     `json:"state"`
	At    time.Time `json:"at"`
	Error string    `json:"error,omitempty"`
}

// inboundBody is the payload of sms.inbound.
type inboundBody struct {
	Schema     int        `json:"schema"`
	ID         string     `json:"id"`
	Seq        int64      `json:"seq"`
	From       string     `json:"from"`
	FromType   string     `json:"from_type"`
	To         string     `json:"to"`
	Line       string     `json:"line"`
	Text       string     `json:"text"`
	Encoding   string     `json:"encoding"`
	Parts      int        `json:"parts"`
	Incomplete bool       `json:"incomplete"`
	Amends     string     `json:"amends,omitempty"`
	SMSCAt     *time.Time `json:"smsc_at"`
	ReceivedAt time.Time  `json:"received_at"`
	Raw        []string   `json:"raw"`
	Simulated  bool       `json:"simulated"`
}

// lineBody is the payload of modem.<line>.<event>.
type lineBody struct {
	Schema    int       `json:"schema"`
	Line      string    `json:"line"`
	Event     string    `json:"event"`
	At        time.Time `json:"at"`
	Detail    string    `json:"detail,omitempty"`
	Cause     string    `json:"cause,omitempty"` // of a recovery, as Step and Result
	Step      string    `json:"step,omitempty"`
	Result    string    `json:"result,omitempty"`
	From      string    `json:"from,omitempty"` // of a call
	Simulated bool      `json:"simulated"`
}

func (g *Gateway) ceSource(line string) string {
	s := "/" + g.o.Site
	if line != "" {
		s += "/" + line
	}
	return s
}

func (g *Gateway) addEvent(tx store.Tx, e *store.Event, payload any) (err error) {
	if e.Payload, err = json.Marshal(payload); err != nil {
		return err
	}
	e.MsgID = newID("evt_", e.At)
	tx.Notify(topicEvents + e.Stream)
	return tx.AddEvent(e)
}

// messageEvent tells of the present state of a message.
func (g *Gateway) messageEvent(tx store.Tx, m *store.Message, now time.Time) error {
	to := m.To
	if m.OTPID != "" {
		to = phone.Mask(to)
	}
	return g.addEvent(tx, &store.Event{
		Stream: streamStatus, Subject: "sms.status." + m.Key + "." + m.ID, Type: "modemgate.sms.status.v1",
		Source: g.ceSource(m.Line), About: m.ID, At: now,
	}, messageBody{
		Schema: 1, ID: m.ID, Rev: m.Rev, State: m.State, Final: m.Final, At: now, To: to, Line: m.Line, Error: m.Error,
		Parts: len(m.Parts), PartsSent: partsOut(m), OTPID: m.OTPID, PossibleDuplicate: m.PossibleDuplicate,
		Ref: m.Ref, Metadata: m.Metadata, Simulated: m.Simulated,
	})
}

// partsOut counts the parts the network has taken.
func partsOut(m *store.Message) int {
	return partsIn(m, store.Sent) + partsIn(m, store.Delivered) + partsIn(m, store.Undelivered)
}

// otpEvent tells of the present state of an OTP.
func (g *Gateway) otpEvent(tx store.Tx, o *store.OTP, now time.Time) error {
	return g.addEvent(tx, &store.Event{
		Stream: streamStatus, Subject: "otp.status." + o.Key + "." + o.ID, Type: "modemgate.otp.status.v1",
		Source: g.ceSource(""), About: o.ID, At: now,
	}, otpBody{
		Schema: 1, ID: o.ID, Rev: o.Rev, State: o.State, Final: o.State != store.OTPPending, At: now, To: phone.Mask(o.To),
		Purpose: o.Purpose, AttemptsLeft: max(0, o.MaxAttempts-o.AttemptsUsed), SendsLeft: max(0, o.MaxSends-o.SendsUsed),
		ExpiresAt: o.ExpiresAt, Delivery: deliveryBody{o.DeliveryState, o.DeliveryAt, o.DeliveryError},
		MessageID: o.MessageID, Ref: o.Ref, Metadata: o.Metadata, Simulated: o.Simulated,
	})
}

// inboundEvent publishes a received SMS.
func (g *Gateway) inboundEvent(tx store.Tx, in *store.Inbound) error {
	b := inboundBody{
		Schema: 1, ID: in.ID, Seq: in.Seq, From: in.From, FromType: in.FromType, To: in.To, Line: in.Line, Text: in.Text,
		Encoding: in.Encoding, Parts: in.Parts, Incomplete: in.Incomplete, Amends: in.Amends, ReceivedAt: in.ReceivedAt,
		Raw: in.Raw, Simulated: in.Simulated,
	}
	if !in.SMSCAt.IsZero() {
		b.SMSCAt = &in.SMSCAt
	}
	return g.addEvent(tx, &store.Event{
		Stream: streamInbound, Subject: "sms.inbound." + in.Line + "." + events.SenderToken(in.From, in.FromType),
		Type: "modemgate.sms.received.v1", Source: g.ceSource(in.Line), About: in.ID, At: in.ReceivedAt,
	}, b)
}

// lineEvent tells of something on a line: up, down, registered, …
func (g *Gateway) lineEvent(tx store.Tx, l *line, event, detail string, now time.Time) error {
	return g.addEvent(tx, &store.Event{
		Stream: streamStatus, Subject: "modem." + l.o.Name + "." + event, Type: "modemgate.line." + event + ".v1",
		Source: g.ceSource(l.o.Name), At: now,
	}, lineBody{Schema: 1, Line: l.o.Name, Event: event, At: now, Detail: detail, Simulated: l.o.Simulated})
}

// recoveryEvent tells of a step of recovery and what came of it.
func (g *Gateway) recoveryEvent(tx store.Tx, l *line, i Incident) error {
	return g.addEvent(tx, &store.Event{
		Stream: streamStatus, Subject: "modem." + l.o.Name + ".recovery", Type: "modemgate.line.recovery.v1",
		Source: g.ceSource(l.o.Name), At: i.At,
	}, lineBody{
		Schema: 1, Line: l.o.Name, Event: "recovery", At: i.At, Detail: i.Detail, Cause: i.Cause, Step: i.Step, Result: i.Result,
		Simulated: l.o.Simulated,
	})
}

// source lets the publishers, one for each stream, read the transactional
// outbox.
type source struct {
	g    *Gateway
	wake map[string]<-chan struct{}
}

var _ events.Source = source{}

func (s source) Pending(ctx context.Context, stream string, after int64, limit int) ([]events.Event, error) {
	rows, err := s.g.st.Unpublished(ctx, stream, after, limit)
	out := make([]events.Event, 0, len(rows))
	for _, e := range rows {
		out = append(out, events.Event{
			Seq: e.Seq, Stream: e.Stream, Subject: e.Subject, MsgID: e.MsgID, Type: e.Type, Source: e.Source, At: e.At, Payload: e.Payload,
		})
	}
	return out, err
}

func (s source) Mark(ctx context.Context, stream string, upTo int64, streamSeq uint64) error {
	return s.g.st.Update(ctx, "mark-events", func(tx store.Tx) error { return tx.MarkEvents(stream, upTo, streamSeq) })
}

func (s source) Acknowledged(e events.Event) {
	s.g.metrics.publish.WithLabelValues(e.Stream).Observe(max(0, s.g.clock.now().Sub(e.At).Seconds()))
}

func (s source) LastMark(ctx context.Context, stream string) (upTo int64, streamSeq uint64, err error) {
	err = s.g.st.View(ctx, func(tx store.Tx) error {
		upTo, streamSeq, err = tx.EventMark(stream)
		return err
	})
	return upTo, streamSeq, err
}

func (s source) Wake(stream string) <-chan struct{} { return s.wake[stream] }

// outbox makes the source; the returned function ends its watches.
func (g *Gateway) outbox() (source, func()) {
	inbound, endInbound := g.watch.watch(topicEvents + streamInbound)
	status, endStatus := g.watch.watch(topicEvents + streamStatus)
	return source{g, map[string]<-chan struct{}{streamInbound: inbound, streamStatus: status}}, func() { endInbound(); endStatus() }
}

// flushEvents gives the publishers a moment to tell of the last changes.
func (g *Gateway) flushEvents(d time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	if g.o.Bus == nil || !g.o.Bus.State().Connected {
		return
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for ctx.Err() == nil {
		waiting := 0
		_ = g.st.View(ctx, func(tx store.Tx) error {
			n, err := tx.CountEvents()
			waiting = n[streamInbound] + n[streamStatus]
			return err
		})
		if waiting == 0 {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
}
