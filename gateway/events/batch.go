package events

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// item is one event of a batch on its way.
type item struct {
	event  Event
	msg    *nats.Msg
	ack    jetstream.PubAckFuture // nil: not published
	seq    uint64                 // not 0: it was in the stream already
	refuse error                  // not nil: it can never be published
}

// publish sends events in order, each expecting the one before it to be the
// last in the stream, then waits for the acks in order. What was acked is
// noted also when an error is returned.
func (p *publisher) publish(ctx context.Context, events []Event) error {
	items, sendErr := p.send(events)
	for _, it := range items {
		switch {
		case it.seq != 0:
			p.stored(it.event, it.seq)
			if p.rounds > 1 { // stored in this run, but the ack was lost
				it.msg = p.message(it.event)
				it.msg.Header.Set(nats.MsgIdHdr, it.event.MsgID)
				p.publishLive(it, it.seq)
			}
			continue
		case it.refuse != nil:
			p.setAside(it.event, it.refuse)
			continue
		}
		seq, err := await(ctx, it.ack)
		if permanent(err) {
			p.setAside(it.event, err)
			return errAgain // those behind it expected it in the stream
		}
		if err != nil {
			return p.moved(err)
		}
		p.last, p.conflicts = seq, 0
		p.stored(it.event, seq)
		p.src.Acknowledged(it.event)
		p.bus.opts.Hook("publish:" + p.stream + ":after")
		p.publishLive(it, seq)
	}
	return sendErr
}

func (p *publisher) send(events []Event) (items []item, err error) {
	expect := p.last
	for _, e := range events {
		it := item{event: e, seq: p.known[e.MsgID]}
		if it.seq == 0 {
			it.refuse = checkEvent(p.stream, e)
		}
		if it.seq == 0 && it.refuse == nil {
			p.bus.opts.Hook("publish:" + p.stream + ":before")
			it.msg = p.message(e)
			it.ack, err = p.bus.js.PublishMsgAsync(it.msg, jetstream.WithMsgID(e.MsgID),
				jetstream.WithExpectStream(p.name), jetstream.WithExpectLastSequence(expect),
				jetstream.WithRetryAttempts(0))
			if permanent(err) {
				it.refuse, err = err, nil
			} else if err != nil {
				return items, fmt.Errorf("publish: %w", err)
			} else {
				expect++
			}
		}
		items = append(items, it)
	}
	return items, nil
}

// message is an event as a CloudEvent 1.0 in binary mode (CloudEvents NATS
// protocol binding 1.0, §3.1).
func (p *publisher) message(e Event) *nats.Msg {
	source := e.Source
	if source == "" {
		source = "/" + p.bus.opts.Site
	}
	subject := p.bus.names.subject(e.Subject)
	if p.live {
		subject = p.base + e.Subject
	}
	return &nats.Msg{Subject: subject, Data: e.Payload, Header: nats.Header{
		"ce-specversion": {"1.0"},
		"ce-id":          {e.MsgID},
		"ce-type":        {e.Type},
		"ce-source":      {source},
		"ce-time":        {e.At.UTC().Format(time.RFC3339Nano)},
		"content-type":   {"application/json"},
	}}
}

// publishLive shows a stored event to those who listen now. It can be missed;
// the stream is what nothing is missed in.
func (p *publisher) publishLive(it item, seq uint64) {
	if !p.live {
		return
	}
	m := &nats.Msg{Subject: p.bus.names.subject(it.event.Subject), Data: it.msg.Data, Header: nats.Header{}}
	for k, v := range it.msg.Header {
		if !strings.HasPrefix(k, "Nats-Expected-") {
			m.Header[k] = v
		}
	}
	m.Header["Nats-Stream"] = []string{p.name}
	m.Header["Nats-Sequence"] = []string{strconv.FormatUint(seq, 10)}
	if err := p.bus.nc.PublishMsg(m); err != nil {
		p.log.Debug("event stored but not shown live", "seq", seq, "err", err)
	}
}

func await(ctx context.Context, ack jetstream.PubAckFuture) (uint64, error) {
	select {
	case a := <-ack.Ok():
		if a.Duplicate {
			return 0, fmt.Errorf("%w: it was in the stream already", errAgain)
		}
		return a.Sequence, nil
	case err := <-ack.Err():
		return 0, fmt.Errorf("publish: %w", err)
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

// moved turns the refusal of an event that does not follow the last one into
// errAgain, unless that happens all the time.
func (p *publisher) moved(err error) error {
	var refused *jetstream.APIError
	if errors.As(err, &refused) && (refused.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence ||
		refused.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequenceConstant) {
		err = errAgain
	}
	if !errors.Is(err, errAgain) {
		return err
	}
	if p.conflicts++; p.conflicts > 3 {
		return fmt.Errorf("somebody else writes to stream %s; give each gateway a nats.prefix of its own", p.name)
	}
	return errAgain
}

// permanent says whether the same event would be refused for ever.
func permanent(err error) bool {
	var refused *jetstream.APIError
	if errors.As(err, &refused) {
		switch refused.ErrorCode {
		case jetstream.JSErrCodeStreamMessageExceedsMaximum, errCodeHeaderTooLarge:
			return true
		}
		return false
	}
	return errors.Is(err, nats.ErrMaxPayload) || errors.Is(err, nats.ErrBadSubject) || errors.Is(err, nats.ErrBadHeaderMsg)
}

// errCodeHeaderTooLarge is JSStreamHeaderExceedsMaximumErr of nats-server.
const errCodeHeaderTooLarge jetstream.ErrorCode = 10097

// checkEvent finds what no server would take.
func checkEvent(stream string, e Event) error {
	if err := checkSubject(stream, e.Subject); err != nil {
		return err
	}
	if e.MsgID == "" {
		return errors.New("it has no message id")
	}
	for _, v := range []string{e.MsgID, e.Type, e.Source} {
		if len(v) > maxSubject || strings.ContainsFunc(v, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			return errors.New("one of its headers is too long or has a control character")
		}
	}
	return nil
}
