package events

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Consumers of keys.
const (
	ackWait       = 30 * time.Second
	maxAckPending = 1000
	maxWaiting    = 128 // pull requests that wait at a time
	// catchUp is how long a new inbound consumer waits for SMS that it must
	// not see to reach the stream.
	catchUp = time.Second
)

// metaGeneration is the metadata of a consumer that tells whose it is.
const metaGeneration = "modemgate.generation"

// Provision makes the account rights and the two consumers of a key, or
// changes them to what the grant says now. Connections made with other rights
// end; they may come back with the new ones. A client that connects with the
// key provisions it as well, so this is needed only to be early. Embedded
// streams that are being restored are waited for, 10 s at most.
//
// With an external cluster it does nothing.
func (b *Bus) Provision(ctx context.Context, g Grant) error {
	if b.gate == nil {
		return nil
	}
	if err := b.begin(); err != nil {
		return err
	}
	defer b.work.Done()
	if err := g.check(); err != nil {
		return err
	}
	if err := b.awaitRestored(ctx); err != nil {
		return err
	}
	return b.consumers(ctx, g)
}

// Revoke ends the connections of a key at once and deletes its consumers. It
// returns when the connections are ended; the consumers follow within 2 s
// while the server answers.
func (b *Bus) Revoke(key string) {
	if b.gate == nil {
		return
	}
	b.gate.revoke(key)
	if b.begin() != nil {
		return
	}
	go func() {
		defer b.work.Done()
		b.gate.lock(key)
		defer b.gate.unlock(key)
		if _, back := b.gate.granted(key); back {
			return
		}
		b.deleteConsumers(key)
	}()
}

// expired is called when a key's time is over.
func (b *Bus) expired(key string) {
	if g, ok := b.gate.granted(key); ok && g.expired() {
		b.log.Info("key has expired; its connections end", "key", key)
		b.Revoke(key)
	}
}

// Retain deletes the consumers of the keys that are not live, such as of those
// that were revoked while the server was down. It asks live while nobody makes
// consumers for the key.
func (b *Bus) Retain(ctx context.Context, live func(key string) bool) error {
	if b.gate == nil {
		return nil
	}
	if err := b.begin(); err != nil {
		return err
	}
	defer b.work.Done()
	for _, stream := range b.names.streams {
		s, err := b.js.Stream(ctx, stream)
		if err != nil {
			return fmt.Errorf("look for stream %s: %w", stream, err)
		}
		list := s.ListConsumers(ctx)
		for info := range list.Info() {
			if _, ours := info.Config.Metadata[metaGeneration]; !ours {
				continue
			}
			if err := b.retain(ctx, s, info.Name, live); err != nil {
				return fmt.Errorf("delete consumer %s of %s: %w", info.Name, stream, err)
			}
		}
		if err := list.Err(); err != nil {
			return fmt.Errorf("list the consumers of %s: %w", stream, err)
		}
	}
	return nil
}

func (b *Bus) retain(ctx context.Context, s jetstream.Stream, key string, live func(key string) bool) error {
	b.gate.lock(key)
	defer b.gate.unlock(key)
	if live(key) {
		return nil
	}
	if err := s.DeleteConsumer(ctx, key); err != nil && !errors.Is(err, jetstream.ErrConsumerNotFound) {
		return err
	}
	return nil
}

// consumers brings the consumers of a key to its grant and notes the grant.
func (b *Bus) consumers(ctx context.Context, g Grant) error {
	b.gate.lock(g.Key)
	defer b.gate.unlock(g.Key)
	if b.gate.provisioned(g) {
		return nil
	}
	b.gate.grant(g, func() { b.expired(g.Key) })
	if err := b.consumer(ctx, streamInbound, g, g.inboundSubjects()); err != nil {
		return err
	}
	if err := b.consumer(ctx, streamStatus, g, g.statusSubjects()); err != nil {
		return err
	}
	b.gate.setProvisioned(g)
	return nil
}

// consumersLater goes on trying to bring the consumers of a key to its grant
// until it has no such grant any more.
func (b *Bus) consumersLater(g Grant) {
	if !b.gate.retry(g, true) || b.begin() != nil {
		return
	}
	go func() {
		defer b.work.Done()
		for b.sleep(time.Second) && b.gate.retry(g, false) {
			if b.consumers(b.ctx, g) == nil {
				return
			}
		}
	}()
}

// consumer makes, changes or (without subjects) deletes one consumer.
func (b *Bus) consumer(ctx context.Context, stream string, g Grant, subjects []string) error {
	ctx, cancel := b.api(ctx)
	defer cancel()
	s, err := b.js.Stream(ctx, b.names.streams[stream])
	if err != nil {
		return fmt.Errorf("look for stream %s: %w", b.names.streams[stream], err)
	}
	old, err := s.Consumer(ctx, g.Key)
	if err != nil && !errors.Is(err, jetstream.ErrConsumerNotFound) {
		return fmt.Errorf("look for consumer %s: %w", g.Key, err)
	}
	keep := old != nil && len(subjects) > 0 && old.CachedInfo().Config.Metadata[metaGeneration] == strconv.Itoa(g.Generation)
	if old != nil && !keep {
		if err := s.DeleteConsumer(ctx, g.Key); err != nil && !errors.Is(err, jetstream.ErrConsumerNotFound) {
			return fmt.Errorf("delete consumer %s: %w", g.Key, err)
		}
	}
	if len(subjects) == 0 {
		return nil
	}
	cfg := b.consumerConfig(g, subjects)
	if keep {
		// Where it began cannot be changed, only what it reads from now on.
		was := old.CachedInfo().Config
		cfg.DeliverPolicy, cfg.OptStartSeq, cfg.OptStartTime = was.DeliverPolicy, was.OptStartSeq, was.OptStartTime
	} else if err := b.startOf(ctx, stream, s, g, &cfg); err != nil {
		return err
	}
	if _, err := s.CreateOrUpdateConsumer(ctx, cfg); err != nil {
		return fmt.Errorf("make consumer %s of %s: %w", g.Key, b.names.streams[stream], err)
	}
	return nil
}

func (b *Bus) consumerConfig(g Grant, subjects []string) jetstream.ConsumerConfig {
	cfg := jetstream.ConsumerConfig{
		Name: g.Key, Durable: g.Key,
		DeliverPolicy: jetstream.DeliverAllPolicy,
		AckPolicy:     jetstream.AckExplicitPolicy,
		AckWait:       ackWait,
		MaxDeliver:    -1,
		MaxAckPending: maxAckPending,
		MaxWaiting:    maxWaiting,
		Metadata:      map[string]string{metaGeneration: strconv.Itoa(g.Generation)},
	}
	for _, s := range subjects {
		cfg.FilterSubjects = append(cfg.FilterSubjects, b.names.subject(s))
	}
	return cfg
}

// startOf says where a new consumer begins.
func (b *Bus) startOf(ctx context.Context, stream string, s jetstream.Stream, g Grant, cfg *jetstream.ConsumerConfig) error {
	switch {
	case stream == streamStatus && !g.StatusFrom.IsZero():
		cfg.DeliverPolicy = jetstream.DeliverByStartTimePolicy
		cfg.OptStartTime = &g.StatusFrom
	case stream == streamInbound && g.InboundFrom > 0:
		seq, err := b.inboundStart(ctx, s, g.InboundFrom)
		if err != nil {
			return fmt.Errorf("find where consumer %s begins: %w", g.Key, err)
		}
		cfg.DeliverPolicy = jetstream.DeliverByStartSequencePolicy
		cfg.OptStartSeq = seq
	}
	return nil
}

// inboundStart finds the sequence of the first message in the stream whose
// payload has a seq above from. Both rise together, so that halving the
// stream finds it; the stream itself knows only its own sequence.
func (b *Bus) inboundStart(ctx context.Context, s jetstream.Stream, from uint64) (uint64, error) {
	b.awaitOutbox(ctx)
	info, err := s.Info(ctx)
	if err != nil {
		return 0, err
	}
	lo, hi := max(info.State.FirstSeq, 1), info.State.LastSeq+1 // the answer is in [lo, hi]
	for lo < hi {
		mid := lo + (hi-lo)/2
		m, err := s.GetMsg(ctx, mid, jetstream.WithGetMsgSubject(">")) // the first at or after mid
		switch {
		case errors.Is(err, jetstream.ErrMsgNotFound):
			hi = mid
		case err != nil:
			return 0, err
		case inboundSeq(m.Data) > from:
			hi = mid
		default:
			lo = m.Sequence + 1
		}
	}
	return lo, nil
}

func inboundSeq(payload []byte) uint64 {
	var p struct {
		Seq uint64 `json:"seq"`
	}
	if json.Unmarshal(payload, &p) != nil {
		return 0
	}
	return p.Seq
}

// awaitOutbox waits a little until no older SMS is on its way to the stream,
// where a new consumer that begins at the end would see it.
func (b *Bus) awaitOutbox(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, catchUp)
	defer cancel()
	b.mu.Lock()
	src := b.source
	b.mu.Unlock()
	for src != nil {
		if list, err := src.Pending(ctx, streamInbound, 0, 1); err != nil || len(list) == 0 {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func (b *Bus) deleteConsumers(key string) {
	ctx, cancel := b.api(b.ctx)
	defer cancel()
	for _, stream := range b.names.streams {
		err := b.js.DeleteConsumer(ctx, stream, key)
		if err != nil && !errors.Is(err, jetstream.ErrConsumerNotFound) {
			b.log.Warn("the consumer of a revoked key is not deleted; nobody can reach it", "key", key, "stream", stream, "err", err)
		}
	}
}
