package events

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// scanBatch is how many messages are read from a stream at a time.
const scanBatch = 500

// sync finds out where the stream is: its last sequence and which events
// behind the last mark are in it already.
func (p *publisher) sync(ctx context.Context) error {
	if err := p.flush(ctx); err != nil {
		return err
	}
	s, err := p.bus.openStream(ctx, p.stream)
	if err != nil {
		return err
	}
	upTo, seq, err := p.src.LastMark(ctx, p.stream)
	if err != nil {
		return fmt.Errorf("read the last mark: %w", err)
	}
	info := s.CachedInfo()
	p.base, p.live = p.bus.ingest(p.stream, info.Config)
	from := seq + 1
	if info.State.LastSeq < seq {
		p.log.Warn("the stream ends before what was published last: it was deleted or restored; events that were in it are gone from it, new ones follow",
			"last", info.State.LastSeq, "marked", seq)
		from = 1
	}
	p.known = nil
	if info.State.LastSeq >= from {
		if p.known, err = p.scan(ctx, s, max(from, info.State.FirstSeq), info.State.LastSeq); err != nil {
			return fmt.Errorf("read the stream: %w", err)
		}
		if len(p.known) > 0 {
			p.log.Info("events found in the stream that were not marked", "count", len(p.known))
		}
	}
	p.last, p.done, p.doneSeq = info.State.LastSeq, upTo, seq
	return nil
}

func (p *publisher) scan(ctx context.Context, s jetstream.Stream, from, to uint64) (map[string]uint64, error) {
	known := map[string]uint64{}
	err := p.bus.read(ctx, s, from, to, true, func(seq uint64, m jetstream.Msg) error {
		if id := m.Headers().Get(nats.MsgIdHdr); id != "" {
			known[id] = seq
		}
		return nil
	})
	return known, err
}

// read hands each message with a sequence from first to last to fn, by a
// consumer that goes afterwards. Sequences may be missing.
func (b *Bus) read(ctx context.Context, s jetstream.Stream, first, last uint64, headersOnly bool, fn func(seq uint64, m jetstream.Msg) error) error {
	if first > last {
		return nil
	}
	actx, cancel := b.api(ctx)
	c, err := s.CreateConsumer(actx, jetstream.ConsumerConfig{
		DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: first,
		AckPolicy: jetstream.AckNonePolicy, MemoryStorage: true,
		HeadersOnly: headersOnly, InactiveThreshold: time.Minute,
	})
	cancel()
	if err != nil {
		return err
	}
	defer func() {
		ctx, cancel := b.api(context.WithoutCancel(ctx))
		defer cancel()
		s.DeleteConsumer(ctx, c.CachedInfo().Name) // else the server does it in a minute
	}()
	for ctx.Err() == nil {
		end, err := readBatch(c, last, fn)
		if end || err != nil {
			return err
		}
	}
	return ctx.Err()
}

func readBatch(c jetstream.Consumer, last uint64, fn func(seq uint64, m jetstream.Msg) error) (end bool, err error) {
	batch, err := c.FetchNoWait(scanBatch)
	if err != nil {
		return true, err
	}
	n := 0
	for m := range batch.Messages() {
		meta, err := m.Metadata()
		if err != nil {
			return true, err
		}
		n++
		if meta.Sequence.Stream <= last {
			if err := fn(meta.Sequence.Stream, m); err != nil {
				return true, err
			}
		}
		if meta.Sequence.Stream >= last || meta.NumPending == 0 {
			end = true
		}
	}
	if err := batch.Error(); err != nil && !errors.Is(err, nats.ErrTimeout) {
		return true, err
	}
	return end || n == 0, nil
}
